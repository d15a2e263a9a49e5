//! An opening that waits in the book: it rests for a while, then it is taken back, and its client id tells what was executed.
//! While it rests it counts as unknown, so that reductions beside it stay safe whatever becomes of it (rule 28).
use super::Engine;
use super::send::post_weight;
use crate::commands::{AttemptKind, CoinId, Commands};
use crate::copy::pace::Style;
use crate::feed::answer::Status;
use crate::order::attempt::{ANSWER_MS, OPEN_TTL_MS, Phase, backoff_ms};
use crate::order::identity::next_nonce;
use crate::risk::budget::Purpose;
use crate::state::Lot;
use crate::wire::{Action, CancelByCloid, Cloid};

/// What the venue says of an order that would have taken: nothing of it was executed.
const WOULD_TAKE: &[u8] = b"Post only order would have immediately matched";

impl Engine {
    /// The orders of an action that wait in the book wait now; the others' outcomes are noted. False: it is no such action.
    pub(super) fn rest(&mut self, post: u64, statuses: &[Status], frame: &[u8], now_ms: u64) -> bool {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return false };
        let rests = attempt.is_passive() && statuses.contains(&Status::Resting) && statuses.len() == attempt.legs.len();
        if !rests {
            return false;
        }
        for (leg, status) in attempt.legs.iter_mut().zip(statuses) {
            leg.found = match status {
                Status::Error(text) if text.of(frame).starts_with(WOULD_TAKE) => Some(0),
                // Asked for with the others: what it says is for the record.
                _ => None,
            };
        }
        attempt.phase = Phase::Resting;
        let follower = attempt.follower;
        let passive_ms = match self.execution(follower).style {
            Style::Smart { passive_ms, .. } => passive_ms,
            Style::Immediate | Style::Twap { .. } | Style::NativeTwap { .. } => 0,
        };
        if let Some(state) = self.state.follower_mut(follower) {
            state.coins.values_mut().filter(|lot| lot.in_flight == Some(post)).for_each(Lot::doubt);
        }
        self.set_deadline(post, now_ms.saturating_add(passive_ms));
        true
    }

    /// Whether a refusal only says that the order would have taken.
    pub(super) fn would_take(text: &[u8]) -> bool {
        text.starts_with(WOULD_TAKE)
    }

    /// Takes back what rests of a coin: its target is another one now.
    pub(super) fn withdraw_coin(&mut self, follower: u32, coin: CoinId, now_ms: u64, out: &mut Commands) {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        let posts: Vec<u64> =
            lot.into_iter().flat_map(|lot| lot.doubted.iter().chain(&lot.in_flight)).copied().collect();
        self.disown_twaps(&posts);
        for post in posts {
            if self.state.attempts.get(&post).is_some_and(|attempt| attempt.phase == Phase::Resting) {
                self.withdraw(post, now_ms, out);
            }
        }
    }

    /// Cancels an action's orders by their client ids, or its TWAP; their fate is asked for once that is answered, or not answered.
    pub(super) fn withdraw(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let follower = attempt.follower;
        let open: Vec<_> = attempt.legs.iter().filter(|leg| leg.found.is_none()).copied().collect();
        let way = self.lane(follower, None);
        // Frozen: nothing is sent, not even this.
        let can = self.state.started
            && !self.is_account_frozen(follower)
            && self.budget.has(post_weight(open.len()), 1, Purpose::Safety);
        out.changed = true;
        let Some((lane, road)) = way.filter(|_| can) else {
            self.set_deadline(post, now_ms.saturating_add(backoff_ms(0)));
            return;
        };
        let cancel = |leg: &crate::order::attempt::Leg| {
            let asset = self.state.market.asset(leg.coin)?.id;
            Some(CancelByCloid { asset, cloid: Cloid(leg.cloid) })
        };
        let cancels: Vec<CancelByCloid> = open.iter().filter_map(cancel).collect();
        let ends_twap = attempt.legs.first().and_then(|leg| self.twap_cancel(post, leg.coin));
        let mut cloids: Vec<Cloid> = cancels.iter().map(|cancel| cancel.cloid).collect();
        if ends_twap.is_some() {
            cloids.clear();
        }
        let Some(state) = self.state.follower_mut(follower) else { return };
        let nonce = next_nonce(now_ms, now_ms, state.last_nonce);
        state.last_nonce = nonce;
        let action = ends_twap.unwrap_or(Action::CancelByCloid { cancels: &cancels, fast: false });
        let times = (nonce, now_ms.saturating_add(OPEN_TTL_MS));
        let sent = self.hand_out(follower, (lane, road, AttemptKind::Cancel), &action, times, &cloids, out);
        self.state.withdrawals.insert(sent, post);
        if let Some(attempt) = self.state.attempts.get_mut(&post)
            && (ends_twap.is_some() || !matches!(attempt.phase, Phase::Lookup { .. }))
        {
            attempt.phase = Phase::Lookup { since_ms: now_ms, misses: 0 };
        }
        self.set_deadline(post, now_ms.saturating_add(ANSWER_MS));
    }
}
