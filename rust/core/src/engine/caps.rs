//! What bounds size: an edge's caps bound E, an account's caps bound the target (Σ E).
use super::Engine;
use super::gates::Refusal;
use crate::commands::{Outcome, Reason};
use crate::config_check::CheckedFollow;
use crate::copy::sizing::{cap_units, to_position, worth};
use crate::num::Usd;
use crate::planted::{Bug, planted};
use crate::state::{Change, Held};

impl Engine {
    /// Cuts an increase to what the edge's caps leave room for. What is cut is not taken later.
    pub(super) fn clip(
        &self,
        edge: &CheckedFollow,
        change: &Change,
        entitled: i128,
        wanted: i128,
    ) -> Result<i128, Refusal> {
        let units = |cap| cap_units(cap, change.price);
        let size = wanted.unsigned_abs();
        let mut most = size;
        let bound = |most: u128, room: i128| most.min(u128::try_from(room).unwrap_or(0));
        if let Some(cap) = edge.max_order {
            most = bound(most, units(cap));
        }
        if let Some(cap) = edge.max_position {
            most = bound(most, room(units(cap), entitled, wanted));
        }
        if most == 0 {
            return Err((Outcome::Skipped, Reason::Cap));
        }
        let most = i128::try_from(most).map_err(|_| (Outcome::Skipped, Reason::OutOfRange))?;
        Ok(if wanted < 0 { -most } else { most })
    }

    /// An edge's exit may uncover an opposing edge: where |net| rises above the account's cap, that side is cut pro rata.
    pub(super) fn cut_opposition(&mut self, follower: u32, change: &Change, net_before: i128) {
        let Some(cap) = self.config.followers.get(follower as usize).and_then(|account| account.max_position) else {
            return;
        };
        let (cap, net) = (cap_units(cap, change.price), self.net(follower, change.coin));
        if net.unsigned_abs() <= cap.unsigned_abs() || net.unsigned_abs() <= net_before.unsigned_abs() {
            return;
        }
        let target = cap.max(i128::try_from(net_before.unsigned_abs()).unwrap_or(0));
        let excess = i128::try_from(net.unsigned_abs()).unwrap_or(i128::MAX).saturating_sub(target);
        let follows = self.follows_of_follower.get(follower as usize).cloned().unwrap_or_default();
        let same = |held: &Held| held.entitled != 0 && (held.entitled > 0) == (net > 0);
        let total: i128 =
            follows.iter().map(|f| self.state.held(*f, change.coin)).filter(same).map(|h| h.entitled.abs()).sum();
        for follow in follows {
            let mut held = self.state.held(follow, change.coin);
            if same(&held) {
                // Shares in 10^-12, rounded up: the sum cut is never below the excess.
                let share = (held.entitled.abs() / 1_000_000_000_000).max(1).saturating_mul(1_000_000_000_000)
                    / (total / 1_000_000_000_000).max(1);
                let cut =
                    (excess / 1_000_000_000_000 + 1).saturating_mul(share.saturating_add(1)).min(held.entitled.abs());
                held.entitled -= cut * held.entitled.signum();
                self.state.set_held(follow, change.coin, held);
            }
        }
    }

    /// The account's caps bound the target, not E. They are judged at the leader's price when a leader's event moves the net
    /// outward; on its way inward the target never grows, whatever prices did meanwhile (rule 1: a price alone sends nothing).
    pub(super) fn set_ceiling(&mut self, follower: u32, change: &Change, net_before: i128, added: bool) {
        let Some(account) = self.config.followers.get(follower as usize) else { return };
        if account.max_position.is_none() && account.max_gross.is_none() {
            return;
        }
        let position = account.max_position.map_or(i128::MAX, |cap| cap_units(cap, change.price));
        let gross = account.max_gross.map_or(i128::MAX, |cap| {
            let left = cap.checked_sub(self.gross_without(follower, change.coin)).unwrap_or(Usd::ZERO);
            cap_units(left, change.price).max(0)
        });
        let net = self.net(follower, change.coin);
        let Some(lot) = self.state.lot_entry(follower, change.coin) else { return };
        let before = clamp(net_before, lot.ceiling).saturating_abs();
        let same_side = net_before != 0 && (net > 0) == (net_before > 0);
        let outward = added || net.unsigned_abs() > net_before.unsigned_abs() || !same_side;
        lot.ceiling = Some(match (outward, same_side) {
            (true, true) => position.min(gross).max(before),
            (true, false) => position.min(gross),
            (false, _) => before,
        });
    }

    /// What a follower should hold of a coin: Σ E within the account's caps.
    pub(super) fn target(&self, follower: u32, coin: u32) -> i128 {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        let ceiling = lot.and_then(|lot| lot.ceiling).filter(|_| !planted(Bug::CapForgotten));
        clamp(self.net(follower, coin), ceiling)
    }

    /// Σ E of a follower's edges on a coin.
    pub(super) fn net(&self, follower: u32, coin: u32) -> i128 {
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        follows.fold(0i128, |sum, follow| sum.saturating_add(self.state.held(*follow, coin).entitled))
    }

    /// What the follower's other coins are worth at worst: the larger of what it holds, with orders in flight, and what it should.
    fn gross_without(&self, follower: u32, coin: u32) -> Usd {
        let Some(state) = self.state.follower(follower) else { return Usd::MAX };
        let others = state.coins.iter().filter(|(other, _)| **other != coin);
        others.fold(Usd::ZERO, |sum, (other, lot)| {
            let price = self.state.market.coin(*other).map_or(0, |coin| coin.last_price).max(lot.leader_price);
            let target = to_position(self.target(follower, *other)).unwrap_or(i64::MAX);
            let account = lot.own.saturating_add(lot.manual);
            let [sold, bought] = self.flying(lot, *other).map(|size| account.saturating_add(size));
            let worst = [target, account, sold, bought].into_iter().map(|position| worth(position, price)).max();
            sum.checked_add(worst.unwrap_or(Usd::ZERO)).unwrap_or(Usd::MAX)
        })
    }
}

/// Room for `wanted` until |current| reaches `cap`; going back toward zero and through it counts as room.
fn room(cap: i128, current: i128, wanted: i128) -> i128 {
    let along = if wanted < 0 { -current } else { current };
    cap.saturating_sub(along).max(0).max(if along < 0 { -along } else { 0 })
}

fn clamp(net: i128, ceiling: Option<i128>) -> i128 {
    ceiling.map_or(net, |most| net.clamp(most.saturating_neg(), most))
}
