//! What an action may pay beside the venue's own fee: its builder's share, and a bid to be earlier.
use serde::{Deserialize, Serialize};

/// What one action of orders pays. Kept with it, so that a second copy has the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Surcharge {
    /// The follower's builder gets its share.
    pub builder: bool,
    /// Of what is executed, in units of 10^-8; 0: no bid.
    pub priority: u32,
}

/// Venue rule: so many units of a bid are one basis point.
const UNITS_PER_BPS: u32 = 10_000;
/// Venue fact (2026-08): each basis point makes an order about so much earlier, up to eight of them.
const EARLIER_MS: i64 = 45;
/// 10^-3 basis points in one.
const MILLI: i64 = 1_000;
/// Faster than 10 % in a second is no drift but a jump.
const MOST: i64 = 1_000 * MILLI;
/// Nothing is measured over a shorter time.
const LEAST_MS: i64 = 20;
/// The newest execution counts an eighth.
const WEIGHT: i64 = 8;

/// How fast the price of a coin runs away from leaders' prices while followers' orders are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drift {
    /// 10^-3 basis points a second, against the follower; smoothed, from zero.
    rate: i64,
}

impl Drift {
    /// An opening was executed at `price`, the leader's fill at `leader` so long before. Prices in 10^-8.
    pub fn observe(&mut self, price: i64, leader: i64, is_buy: bool, elapsed_ms: u64) {
        if price <= 0 || leader <= 0 {
            return;
        }
        let worse = i128::from(if is_buy { price } else { leader }) - i128::from(if is_buy { leader } else { price });
        let milli_bps = worse * 10_000 * i128::from(MILLI) / i128::from(leader);
        let elapsed = i64::try_from(elapsed_ms).unwrap_or(i64::MAX).max(LEAST_MS);
        let rate = i64::try_from(milli_bps * 1_000 / i128::from(elapsed)).unwrap_or(MOST).clamp(-MOST, MOST);
        self.rate += (rate - self.rate) / WEIGHT;
    }

    /// The bid that is worth its price, in units of 10^-8: saving and price both grow with it, so it is all or nothing.
    #[must_use]
    pub const fn bid(&self, max_bps: u32) -> u32 {
        let saved_per_bps = self.rate * EARLIER_MS / 1_000;
        if saved_per_bps > MILLI { max_bps * UNITS_PER_BPS } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i64 = 100_000_000;

    fn after(times: usize, price: i64, is_buy: bool) -> Drift {
        let mut drift = Drift::default();
        (0..times).for_each(|_| drift.observe(price, 100 * ONE, is_buy, 500));
        drift
    }

    #[test]
    fn a_bid_needs_a_price_that_runs_away_faster_than_the_bid_costs() {
        // 20 bps in half a second: 45 ms are 1.8 bps, worth more than the 1 bp they cost.
        let running = after(30, 10_020 * ONE / 100, true);
        assert_eq!((running.bid(8), running.bid(3)), (80_000, 30_000));
        // 10 bps in half a second: 0.9 bps.
        assert_eq!(after(300, 10_010 * ONE / 100, true).bid(8), 0);
        assert_eq!(after(30, 9_980 * ONE / 100, false).bid(8), 80_000, "a sale below the leader's price is as dear");
        assert_eq!(after(300, 9_980 * ONE / 100, true).bid(8), 0, "cheaper than the leader");
    }

    #[test]
    fn one_jump_is_no_habit_and_nonsense_counts_nothing() {
        assert_eq!(after(1, 10_020 * ONE / 100, true).bid(8), 0);
        let mut drift = after(30, 10_020 * ONE / 100, true);
        drift.observe(0, 100 * ONE, true, 500);
        drift.observe(100 * ONE, 0, true, 500);
        assert_eq!(drift, after(30, 10_020 * ONE / 100, true));
        drift.observe(i64::MAX, 1, true, 0);
        assert!(drift.rate <= MOST);
    }
}
