//! Openings in portions (rule 33): what of them is due. A newer target replaces what is left of them; reductions never wait here.
use super::Engine;
use crate::commands::CoinId;
use crate::copy::pace::{Execution, Pace};
use crate::copy::price::Quote;
use crate::state::Entry;

impl Engine {
    pub(super) fn execution(&self, follower: u32) -> Execution {
        self.config.followers.get(follower as usize).map(|account| account.execution).unwrap_or_default()
    }

    /// What may be opened now of what waits for `newest`. What an exit uncovered goes like an exit: whole and at once.
    pub(super) fn pace(
        &self,
        follower: u32,
        coin: CoinId,
        newest: &Entry,
        is_buy: bool,
        quote: Option<Quote>,
        now_ms: u64,
    ) -> Option<Pace> {
        let execution = self.execution(follower);
        if !execution.is_sliced() || newest.amount == 0 {
            return None;
        }
        let asset = self.state.market.asset(coin)?;
        let slicing = self.state.follower(follower)?.coins.get(&coin)?.slicing;
        execution.pace(&slicing, &asset, quote, is_buy, newest.price, now_ms)
    }

    /// A part was added to E: the portions of all that waits are spread anew. When they are given back at the latest.
    pub(super) fn begin_slices(&mut self, follower: u32, coin: CoinId, deadline_ms: u64, now_ms: u64) -> u64 {
        let execution = self.execution(follower);
        let deadline_ms = deadline_ms.saturating_add(execution.duration_ms);
        if execution.is_sliced()
            && let Some(lot) = self.state.lot_mut(follower, coin)
        {
            lot.slicing = execution.begin(lot.slicing, now_ms);
            lot.entries.iter_mut().for_each(|entry| entry.deadline_ms = entry.deadline_ms.max(deadline_ms));
        }
        deadline_ms
    }

    /// A portion goes out.
    pub(super) fn count_slice(&mut self, follower: u32, coin: CoinId, passive: bool, now_ms: u64) {
        let (execution, chance) = (self.execution(follower), self.chance);
        if execution.is_sliced()
            && let Some(lot) = self.state.lot_mut(follower, coin)
        {
            lot.slicing = execution.after_slice(lot.slicing, passive, now_ms, chance);
        }
    }

    /// Nothing is due of an opening: it is looked at again when the next portion is.
    pub(super) fn wait_for_slice(&mut self, follower: u32, coin: CoinId, now_ms: u64) {
        let execution = self.execution(follower);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let due = execution.next_look_ms(&lot.slicing, now_ms).min(lot.next_expiry_ms());
        self.state.due.insert((due, follower));
    }
}
