//! How much of an opening goes now (rule 33): all of it, slices by time, or slices by what the book shows.
//! Reductions know no pace: they go at once and whole.
use serde::{Deserialize, Serialize};

use super::price::Quote;
use crate::market::Asset;
use crate::num::{Px, Round};

/// Between two slices by depth: a book that was taken from needs about a block or two to fill again.
const REFILL_MS: u64 = 1_000;
const WHOLE_BPS: i64 = 10_000;

/// How an account's openings are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Execution {
    /// In which portions.
    pub style: Style,
    /// The time limit: what is not bought by then is given back.
    pub duration_ms: u64,
    /// Around the leader's price, for every slice; `None`: the band of the edge.
    pub slippage_bps: Option<u32>,
}

/// In which portions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// All at once.
    #[default]
    Immediate,
    /// Equal parts of what is missing, over the duration.
    Twap {
        /// How many.
        slices: u32,
        /// How far the time between two may be off, in percent.
        jitter_percent: u32,
    },
    /// Parts of what the book shows at its best price.
    Smart {
        /// Of what is shown, in percent.
        depth_percent: u32,
        /// Each slice rests at the own side of the book for so long before it takes; 0: it takes at once.
        passive_ms: u64,
        /// A resting slice is at least this much better than the leader's price.
        improvement_bps: u32,
    },
    /// The venue's own TWAP of all that is missing, over the duration.
    NativeTwap {
        /// The venue moves its slices.
        randomize: bool,
    },
}

/// How far the slices of one follower and coin are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Slicing {
    /// The end of the duration.
    pub until_ms: u64,
    /// No slice before.
    pub next_ms: u64,
    /// The last slice rested: the next one takes.
    pub rested: bool,
}

/// What one plan may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nothing yet.
    pub later: bool,
    /// There is time: a market beyond the limit is waited out.
    pub patient: bool,
    /// One of so many equal parts of what is missing.
    pub parts: u64,
    /// And no more than this, in 10^-8.
    pub most: i64,
    /// It waits in the book at this price.
    pub passive: Option<Px>,
    /// As the venue's own TWAP.
    pub native: bool,
}

impl Pace {
    /// Everything, now.
    const WHOLE: Pace = Pace { later: false, patient: false, parts: 1, most: i64::MAX, passive: None, native: false };

    /// The part of `missing` that goes now. `least` is the smallest order that the venue takes: no slice is below it, and none
    /// leaves less than it behind.
    #[must_use]
    pub fn cut(&self, missing: i64, least: i64, lot: i64) -> i64 {
        let parts = i64::try_from(self.parts).unwrap_or(i64::MAX).max(1);
        let part = missing.saturating_add(parts - 1) / parts;
        let whole = part.saturating_add(lot - 1) / lot * lot;
        let size = whole.min(self.most - self.most % lot).max(least);
        if missing.saturating_sub(size) < least { missing } else { size }
    }
}

impl Execution {
    /// It is bought in portions.
    #[must_use]
    pub const fn is_sliced(&self) -> bool {
        !matches!(self.style, Style::Immediate)
    }

    /// The venue cuts it into slices.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        matches!(self.style, Style::NativeTwap { .. })
    }

    /// How long the venue's TWAP runs.
    #[must_use]
    pub fn minutes(&self) -> u32 {
        u32::try_from(self.duration_ms / 60_000).unwrap_or(u32::MAX)
    }

    /// The venue is to move its slices.
    #[must_use]
    pub const fn randomizes(&self) -> bool {
        matches!(self.style, Style::NativeTwap { randomize: true })
    }

    /// A part was added to what is to be bought: the rest of the slices is spread anew, and the one that is due stays due.
    #[must_use]
    pub fn begin(&self, before: Slicing, now_ms: u64) -> Slicing {
        Slicing { until_ms: now_ms.saturating_add(self.duration_ms), next_ms: before.next_ms, rested: false }
    }

    /// A slice was sent. `chance` moves the next one by the jitter.
    #[must_use]
    pub fn after_slice(&self, before: Slicing, passive: bool, now_ms: u64, chance: u64) -> Slicing {
        let wait_ms = match self.style {
            Style::Immediate | Style::NativeTwap { .. } => 0,
            Style::Twap { slices, jitter_percent } => {
                let interval_ms = self.duration_ms / u64::from(slices.max(1));
                let jitter = u64::from(jitter_percent.min(100));
                let percent = 100 - jitter + chance % (2 * jitter + 1);
                interval_ms.saturating_mul(percent) / 100
            }
            // While it rests, the order itself is what the next slice waits for.
            Style::Smart { .. } if passive => 0,
            Style::Smart { .. } => REFILL_MS,
        };
        Slicing { next_ms: now_ms.saturating_add(wait_ms), rested: passive, ..before }
    }

    /// When an opening that waits is looked at again.
    #[must_use]
    pub fn next_look_ms(&self, slicing: &Slicing, now_ms: u64) -> u64 {
        let soon = now_ms.saturating_add(REFILL_MS);
        if slicing.next_ms > now_ms {
            slicing.next_ms
        } else {
            soon.min(slicing.until_ms.max(now_ms.saturating_add(1)))
        }
    }

    /// What may be opened now; `None`: everything, as without slices.
    #[must_use]
    pub fn pace(
        &self,
        slicing: &Slicing,
        asset: &Asset,
        quote: Option<Quote>,
        is_buy: bool,
        leader_price: i64,
        now_ms: u64,
    ) -> Option<Pace> {
        // A TWAP that could not begin in time goes as one all the same, or not at all.
        if self.is_native() {
            return Some(Pace { native: true, ..Pace::WHOLE });
        }
        let left_ms = slicing.until_ms.saturating_sub(now_ms);
        if left_ms == 0 {
            return self.is_sliced().then_some(Pace::WHOLE);
        }
        let later = now_ms < slicing.next_ms;
        match self.style {
            Style::Immediate | Style::NativeTwap { .. } => None,
            Style::Twap { slices, .. } => {
                let interval_ms = (self.duration_ms / u64::from(slices.max(1))).max(1);
                let parts = left_ms.div_ceil(interval_ms);
                Some(Pace { later, patient: true, parts, ..Pace::WHOLE })
            }
            Style::Smart { depth_percent, passive_ms, improvement_bps } => {
                let depth = quote.and_then(|quote| quote.depth(is_buy));
                let most = depth.map_or(0, |depth| share(depth, depth_percent));
                // The urgency allows it while there is time to take afterwards what nobody sold.
                let may_rest = passive_ms > 0 && !slicing.rested && left_ms > passive_ms.saturating_mul(2);
                let rest = || resting_price(asset, quote?, is_buy, leader_price, improvement_bps);
                let passive = if may_rest { rest() } else { None };
                Some(Pace { later: later || depth.is_none(), patient: true, most, passive, ..Pace::WHOLE })
            }
        }
    }
}

fn share(depth: i64, percent: u32) -> i64 {
    i64::try_from(i128::from(depth) * i128::from(percent) / 100).unwrap_or(i64::MAX)
}

/// The best price of the own side, or the one that is `improvement_bps` better than the leader's, whichever is better.
fn resting_price(asset: &Asset, quote: Quote, is_buy: bool, leader_price: i64, improvement_bps: u32) -> Option<Px> {
    let own = Px::from_raw(quote.own_side(is_buy)?);
    let bps = i64::from(improvement_bps);
    let (factor, round) = if is_buy { (WHOLE_BPS - bps, Round::Floor) } else { (WHOLE_BPS + bps, Round::Ceil) };
    let improved = Px::from_raw(leader_price).mul_div(factor, WHOLE_BPS, round)?;
    let price = if is_buy { own.min(improved) } else { own.max(improved) };
    Some(asset.price_within(price, is_buy)).filter(|price| !price.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;
    use proptest::prelude::*;

    const ONE: i64 = 100_000_000;
    const ASSET: Asset = Asset::new(3, 2, Kind::Perp);
    const TWAP: Execution =
        Execution { style: Style::Twap { slices: 6, jitter_percent: 20 }, duration_ms: 60_000, slippage_bps: None };

    fn smart(passive_ms: u64, improvement_bps: u32) -> Execution {
        let style = Style::Smart { depth_percent: 50, passive_ms, improvement_bps };
        Execution { style, duration_ms: 30_000, slippage_bps: None }
    }

    fn quote() -> Option<Quote> {
        Some(Quote { bid: 99 * ONE, ask: 101 * ONE, bid_size: 3 * ONE, ask_size: 8 * ONE, time_ms: 1 })
    }

    #[test]
    fn equal_parts_of_what_is_missing_over_what_is_left_of_the_time() {
        let pace =
            |now| TWAP.pace(&Slicing { until_ms: 60_000, next_ms: 0, rested: false }, &ASSET, None, true, ONE, now);
        assert_eq!(pace(0).unwrap().parts, 6);
        assert_eq!(pace(10_001).unwrap().parts, 5);
        assert_eq!(pace(59_999).unwrap().parts, 1);
        assert_eq!(pace(60_000), Some(Pace::WHOLE), "at the time limit everything goes");
    }

    #[test]
    fn the_next_slice_is_an_interval_away_give_or_take_the_jitter() {
        let waits = |chance| TWAP.after_slice(Slicing::default(), false, 0, chance).next_ms;
        assert_eq!((waits(0), waits(20), waits(40)), (8_000, 10_000, 12_000));
    }

    #[test]
    fn a_slice_by_depth_takes_its_share_of_what_is_shown() {
        let slicing = Slicing { until_ms: 30_000, next_ms: 0, rested: false };
        let buy = smart(0, 0).pace(&slicing, &ASSET, quote(), true, 100 * ONE, 0).unwrap();
        let sell = smart(0, 0).pace(&slicing, &ASSET, quote(), false, 100 * ONE, 0).unwrap();
        assert_eq!((buy.most, sell.most), (4 * ONE, 3 * ONE / 2));
        assert!(smart(0, 0).pace(&slicing, &ASSET, None, true, 100 * ONE, 0).unwrap().later, "no book, no slice");
    }

    #[test]
    fn a_slice_rests_first_while_there_is_time_and_then_takes() {
        let fresh = Slicing { until_ms: 30_000, next_ms: 0, rested: false };
        let at = |slicing: &Slicing, improvement, now| {
            smart(5_000, improvement).pace(slicing, &ASSET, quote(), true, 100 * ONE, now).unwrap().passive
        };
        assert_eq!(at(&fresh, 0, 0), Some(Px::from_raw(99 * ONE)));
        assert_eq!(at(&fresh, 200, 0), Some(Px::from_raw(98 * ONE)), "2 % better than the leader");
        assert_eq!(at(&Slicing { rested: true, ..fresh }, 0, 0), None);
        assert_eq!(at(&fresh, 0, 20_000), None, "no time left to rest");
    }

    proptest! {
        #[test]
        fn slices_add_up_and_none_is_below_the_least(missing in 1i64..1_000_000, parts in 1u64..200, least in 1i64..5_000, most in 0i64..100_000) {
            let (lot, least) = (100, least * 100);
            let mut left = missing * 100;
            let pace = Pace { parts, most, ..Pace::WHOLE };
            for _ in 0..100_000 {
                let slice = pace.cut(left, least, lot);
                prop_assert!(slice > 0 && slice <= left && slice % lot == 0);
                prop_assert!(slice >= least || slice == left);
                left -= slice;
                prop_assert!(left == 0 || left >= least);
                if left == 0 { break; }
            }
            prop_assert_eq!(left, 0);
        }
    }
}
