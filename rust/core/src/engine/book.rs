//! What an increase may take of the book: enough must be offered at the best price, and only a part of it is taken, by one edge
//! and by all edges of one leader event together. Reductions never ask.
use super::Engine;
use super::gates::Refusal;
use crate::commands::{CoinId, Commands, Outcome, Reason};
use crate::config_check::CheckedFollow;
use crate::copy::plan::MIN_VALUE;
use crate::copy::price::{QUOTE_AGE_MS, Quote};
use crate::copy::sizing::{UNIT, to_position, worth};
use crate::state::Change;

impl Engine {
    /// Writes down the books that this step judges by.
    pub(super) fn note_books(&self, changes: &[Change], out: &mut Commands) {
        if self.needs.book {
            changes.iter().for_each(|change| self.note_quote(change.coin, self.known_quote(change.coin), out));
        }
    }

    fn known_quote(&self, coin: CoinId) -> Quote {
        self.quotes.get(coin as usize).copied().unwrap_or_default()
    }

    /// The part of an increase that the book has room for. What is cut is not taken later.
    pub(super) fn within_book(
        &self,
        edge: &CheckedFollow,
        change: &Change,
        added: i128,
        now_ms: u64,
    ) -> Result<i128, Refusal> {
        let shared = self.impact_percent(edge.leader);
        if edge.filters.min_depth.is_none() && edge.max_depth_percent.is_none() && shared.is_none() {
            return Ok(added);
        }
        let (quote, is_buy) = (self.known_quote(change.coin), added > 0);
        let is_fresh = quote.time_ms > 0 && now_ms.saturating_sub(quote.time_ms) <= QUOTE_AGE_MS;
        let offered = quote.opposite(is_buy).zip(quote.depth(is_buy)).filter(|_| is_fresh);
        let (best, depth) = offered.ok_or((Outcome::Blocked, Reason::BookUnread))?;
        if edge.filters.min_depth.is_some_and(|min| worth(depth, best) < min) {
            return Err((Outcome::Skipped, Reason::ThinBook));
        }
        let part = |percent: u32| i128::from(depth).saturating_mul(UNIT).saturating_mul(percent.into()) / 100;
        let mine = edge.max_depth_percent.map_or(i128::MAX, part);
        let ours = shared.map_or(i128::MAX, |percent| part(percent).saturating_sub(self.taken(change.coin)));
        let wanted = added.saturating_abs();
        let most = wanted.min(mine).min(ours);
        // A rest that no order can be made of is left to the others.
        let is_small = to_position(most).is_none_or(|size| worth(size, change.price) < MIN_VALUE);
        if most <= 0 || (most < wanted && is_small) {
            return Err((Outcome::Skipped, Reason::Impact));
        }
        Ok(if is_buy { most } else { most.saturating_neg() })
    }

    fn impact_percent(&self, leader: u32) -> Option<u32> {
        self.config.leaders.get(leader as usize).and_then(|leader| leader.impact_percent)
    }

    /// What the event's other edges took of a coin.
    fn taken(&self, coin: CoinId) -> i128 {
        let taken = self.state.taken.iter().find(|(other, _)| *other == coin);
        taken.map_or(0, |(_, taken)| *taken)
    }

    /// One edge took so much of what the event may take.
    pub(super) fn count_taken(&mut self, leader: u32, coin: CoinId, added: i128) {
        if self.impact_percent(leader).is_none() {
            return;
        }
        let size = added.saturating_abs();
        match self.state.taken.iter_mut().find(|(other, _)| *other == coin) {
            Some((_, taken)) => *taken = taken.saturating_add(size),
            None => self.state.taken.push((coin, size)),
        }
    }
}
