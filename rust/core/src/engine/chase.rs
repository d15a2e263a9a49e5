//! Rule 26: an order that missed is tried again when the book changes, not only when its back-off ends.
use super::Engine;
use crate::commands::{CoinId, Commands};
use crate::copy::price::QUOTE_AGE_MS;
use crate::copy::sizing::UNIT;
use crate::state::Lot;

/// No hotter than this: about two blocks of the busiest books, and a round trip besides.
const CHASE_MS: u64 = 250;
/// Two seconds of it; then the back-off alone, so that one dead book can't use up the venue's budget.
const CHASES: u32 = 8;

impl Engine {
    /// On the tick, and by quotes that the tick's context holds: a replay sees the same ones, whether they led to work or not.
    pub(super) fn chase_quotes(&mut self, now_ms: u64, out: &mut Commands) {
        let mut ready: Vec<(u32, CoinId)> = Vec::new();
        for &(_, follower) in &self.state.due {
            let Some(state) = self.state.follower(follower) else { continue };
            for (coin, lot) in state.coins.iter().filter(|(_, lot)| may_chase(lot, now_ms)) {
                let quote = self.quotes.get(*coin as usize).copied().unwrap_or_default();
                self.note_quote(*coin, quote, out);
                let fresh = quote.time_ms > 0 && now_ms.saturating_sub(quote.time_ms) <= QUOTE_AGE_MS;
                if fresh && self.is_reachable(follower, *coin, lot, [quote.bid, quote.ask], now_ms) {
                    ready.push((follower, *coin));
                }
            }
        }
        for (follower, coin) in ready {
            // A follower may be due twice; the first time put the order into flight.
            let Some(lot) = self.state.lot_mut(follower, coin).filter(|lot| lot.in_flight.is_none()) else { continue };
            lot.retry_ms = now_ms;
            out.changed = true;
            self.work(follower, now_ms, out);
        }
    }

    /// The other side's price changed. A reduction follows it; an opening keeps its limit, and waits while that is beyond it.
    fn is_reachable(&self, follower: u32, coin: CoinId, lot: &Lot, quote: [i64; 2], now_ms: u64) -> bool {
        if !self.gate(follower, now_ms).reduce {
            return false;
        }
        let own = i128::from(lot.own).saturating_mul(UNIT);
        let target = self.target(follower, coin);
        let buys = target > own;
        let [price, before] = [quote, lot.tried_quote].map(|[bid, ask]| if buys { ask } else { bid });
        let reduces = own != 0 && buys != (own > 0);
        let within = if buys { price <= lot.tried_limit } else { price >= lot.tried_limit };
        price > 0 && price != before && (reduces || within)
    }
}

fn may_chase(lot: &Lot, now_ms: u64) -> bool {
    lot.chases
        && lot.wants
        && lot.in_flight.is_none()
        && lot.doubted.is_empty()
        && lot.misses <= CHASES
        && lot.retry_ms > now_ms
        && now_ms >= lot.tried_ms.saturating_add(CHASE_MS)
}
