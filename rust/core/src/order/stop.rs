//! A stop that rests at the venue: what is known of it, and where it wakes.
use serde::{Deserialize, Serialize};

use crate::market::Asset;
use crate::num::{Px, Round};

/// The venue's own bound for a stop that became a market order, from the price that woke it.
const SLIPPAGE_BPS: i64 = 1_000;
const WHOLE_BPS: i64 = 10_000;

/// The stops of one follower on one coin: one, or two while a new one takes the place of an old one.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The leader's price when the position was opened, in 10^-8; 0: not known.
    pub entry: i64,
    /// The orders that the venue may hold.
    pub orders: Vec<StopOrder>,
    /// When it is looked at next; 0: only once the position has changed.
    pub due_ms: u64,
    /// No new one is placed before.
    pub next_ms: u64,
    /// None is cancelled before.
    pub cancel_ms: u64,
    /// How far above what is believed the account may be since a stop was hit, in 10^-8, never negative: the next read of the
    /// account tells. How far below stands in `State::adrift_below`.
    pub adrift_above: i64,
    /// Consecutive refusals.
    pub refusals: u32,
}

/// One stop order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopOrder {
    /// Client order id.
    pub cloid: [u8; 16],
    /// What it trades when it wakes, signed, in 10^-8.
    pub size: i64,
    /// The mark price that wakes it, in 10^-8.
    pub trigger: i64,
    /// A read has already shown the account without what it may have closed.
    pub accounted: bool,
    /// How much is known.
    pub stage: StopStage,
}

/// How much is known of a stop order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopStage {
    /// It rests at the venue.
    Resting {
        /// As of then.
        since_ms: u64,
    },
    /// Its placing or cancelling is on its way; without an answer it is asked for after this, when that can't execute any more.
    Sent {
        /// Placing, otherwise cancelling.
        places: bool,
        /// Venue time.
        until_ms: u64,
    },
    /// It is asked for by its client id.
    Lookup {
        /// Since when.
        since_ms: u64,
        /// "Not known" so far.
        misses: u32,
    },
}

impl Stop {
    /// The fate of one of its orders is not known now.
    #[must_use]
    pub fn is_unproven(&self) -> bool {
        self.orders.iter().any(|order| !matches!(order.stage, StopStage::Resting { .. }))
    }

    /// One of its orders is asked for.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.orders.iter().any(|order| matches!(order.stage, StopStage::Lookup { .. }))
    }

    /// What is believed to rest is to be asked for.
    pub fn doubt(&mut self, now_ms: u64) {
        for order in &mut self.orders {
            if matches!(order.stage, StopStage::Resting { .. }) {
                order.stage = StopStage::Lookup { since_ms: now_ms, misses: 0 };
            }
        }
    }
}

/// Where the stop of a position wakes, and its limit once awake: `bps` from the entry against the position, on the venue's
/// grid, rounded away from the market. `None` when there is no such price.
#[must_use]
pub fn stop_prices(asset: &Asset, entry: i64, is_long: bool, bps: u32) -> Option<[Px; 2]> {
    if entry <= 0 {
        return None;
    }
    let away = |price: Px, bps: i64| {
        let (factor, round) = if is_long { (WHOLE_BPS - bps, Round::Floor) } else { (WHOLE_BPS + bps, Round::Ceil) };
        // At or below the bound for a long, at or above it for a short.
        let price = asset.price_within(price.mul_div(factor, WHOLE_BPS, round)?, is_long);
        (!price.is_zero()).then_some(price)
    };
    let trigger = away(Px::from_raw(entry), i64::from(bps))?;
    Some([trigger, away(trigger, SLIPPAGE_BPS)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;
    use proptest::prelude::*;

    fn prices(size_decimals: u32, entry: &str, is_long: bool, bps: u32) -> Option<[String; 2]> {
        let asset = Asset::new(1, size_decimals, Kind::Perp);
        let entry = Px::parse(entry.as_bytes()).unwrap().raw();
        stop_prices(&asset, entry, is_long, bps).map(|prices| prices.map(|price| price.to_string()))
    }

    #[test]
    fn it_wakes_so_far_from_the_entry_rounded_away_from_the_market() {
        for (d, entry, is_long, bps, trigger, limit) in [
            (4, "3200.5", true, 1_000, "2880.4", "2592.3"),
            (4, "3200.5", false, 1_000, "3520.6", "3872.7"),
            (5, "97123", true, 2_500, "72842", "65557"),
            (5, "97123", false, 2_500, "121404", "133545"),
            (0, "0.012345", true, 9_000, "0.001234", "0.00111"),
        ] {
            let wanted = Some([trigger.to_owned(), limit.to_owned()]);
            assert_eq!(prices(d, entry, is_long, bps), wanted, "{entry} {is_long} {bps}");
        }
        assert_eq!(prices(5, "0", true, 1_000), None);
        assert_eq!(prices(5, "0.5", true, 9_000), None, "below one tick there is no legal price");
    }

    proptest! {
        #[test]
        fn it_is_never_nearer_than_asked_and_less_than_one_tick_further(
            d in 0u32..=5, raw in 1_000_000i64..20_000_000_000_000, is_long: bool, bps in 100u32..=9000
        ) {
            let asset = Asset::new(1, d, Kind::Perp);
            if let Some([trigger, limit]) = stop_prices(&asset, raw, is_long, bps) {
                let bound = i128::from(raw) * i128::from(if is_long { 10_000 - bps } else { 10_000 + bps });
                let ours = i128::from(trigger.raw()) * 10_000;
                let away = if is_long { ours <= bound && limit < trigger } else { ours >= bound && limit > trigger };
                prop_assert!(away, "{} {}", trigger, limit);
                prop_assert_eq!(asset.price_within(trigger, is_long), trigger, "on the grid");
                prop_assert_eq!(asset.price_within(limit, is_long), limit, "on the grid");
            }
        }
    }
}
