//! What keeps an increase from happening (rule 16: increases only): the edge's policy, and whether it is safe.
use super::Engine;
use crate::commands::{Outcome, Reason};
use crate::config_check::CheckedFollow;
use crate::copy::sizing::worth;
use crate::market::Kind;
use crate::state::Change;

/// How an increase ends that a gate holds back.
pub(super) type Refusal = (Outcome, Reason);

impl Engine {
    /// Policy (rule 16: increases only). Values are of the leader's position after the change (rule 17).
    pub(super) fn filters(&self, edge: &CheckedFollow, change: &Change) -> Result<(), Refusal> {
        let skip = |reason| Err((Outcome::Skipped, reason));
        let Some(coin) = self.state.market.coin(change.coin) else { return skip(Reason::UnknownCoin) };
        match coin.asset {
            None => return skip(Reason::UnknownCoin),
            Some(asset) if asset.kind != Kind::Perp => return skip(Reason::NotAPerp),
            Some(asset) if asset.delisted => return skip(Reason::Delisted),
            Some(_) => {}
        }
        let allowed = edge.coins_allow.as_ref().is_none_or(|list| list.contains(&coin.name));
        if !allowed || edge.coins_block.contains(&coin.name) {
            return skip(Reason::CoinFiltered);
        }
        let value = worth(change.after, change.price);
        if edge.min_value.is_some_and(|min| value < min) {
            return skip(Reason::BelowMinValue);
        }
        if edge.max_value.is_some_and(|max| value > max) {
            return skip(Reason::AboveMaxValue);
        }
        Ok(())
    }

    pub(super) fn safety(&self, follow: u32, edge: &CheckedFollow, change: &Change) -> Result<(), Refusal> {
        let block = |reason| Err((Outcome::Blocked, reason));
        let Some(follower) = self.state.follower(edge.follower) else { return block(Reason::FollowerStopped) };
        if let Some(reason) = follower.stopped {
            return block(reason);
        }
        if self.state.breaker {
            return block(Reason::Breaker);
        }
        if let Some(hold) = self.hold(follow) {
            return block(hold.reason);
        }
        if change.dirty {
            return block(Reason::LeaderDirty);
        }
        if !self.has_requests(edge.follower) {
            return block(Reason::RequestBudget);
        }
        if follower.coins.get(&change.coin).is_some_and(|lot| lot.manual != 0) {
            return block(Reason::ManualPosition);
        }
        Ok(())
    }
}
