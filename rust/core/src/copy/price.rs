//! Bounded prices for immediate-or-cancel orders. There is no market order.
use serde::{Deserialize, Serialize};

use crate::market::Asset;
use crate::num::{Px, Round};

/// A quote older than this is none.
pub const QUOTE_AGE_MS: u64 = 2_000;

/// Best quotes of a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// Best bid in 10^-8; 0: none.
    pub bid: i64,
    /// Best ask in 10^-8; 0: none.
    pub ask: i64,
    /// What is offered at the best bid, in 10^-8; 0: not told.
    pub bid_size: i64,
    /// What is offered at the best ask, in 10^-8; 0: not told.
    pub ask_size: i64,
    /// Block time.
    pub time_ms: u64,
}

impl Quote {
    /// What can be sold, or bought, at the best price of the other side, in 10^-8; `None`: not told.
    #[must_use]
    pub fn depth(&self, is_buy: bool) -> Option<i64> {
        let size = if is_buy { self.ask_size } else { self.bid_size };
        (size > 0).then_some(size)
    }

    /// The best price on the side of an order that waits there, in 10^-8.
    #[must_use]
    pub fn own_side(&self, is_buy: bool) -> Option<i64> {
        self.opposite(!is_buy)
    }

    /// The price to sell at, or to buy at, right now.
    #[must_use]
    pub fn opposite(&self, is_buy: bool) -> Option<i64> {
        let price = if is_buy { self.ask } else { self.bid };
        (price > 0).then_some(price)
    }
}

/// `price` moved by `bps` against us, legal, never worse than that bound. `None` when there is no price.
#[must_use]
pub fn bounded(asset: &Asset, price: i64, is_buy: bool, bps: u32) -> Option<Px> {
    if price <= 0 {
        return None;
    }
    let bps = i64::from(bps);
    let (factor, round) = if is_buy { (10_000 + bps, Round::Floor) } else { (10_000 - bps, Round::Ceil) };
    let bound = Px::from_raw(price).mul_div(factor, 10_000, round)?;
    Some(asset.price_within(bound, is_buy)).filter(|price| !price.is_zero())
}

/// Whether the best opposite quote is already beyond the limit.
#[must_use]
pub fn is_beyond(quote: Option<Quote>, limit: Px, is_buy: bool) -> bool {
    let Some(best) = quote.and_then(|quote| quote.opposite(is_buy)) else { return false };
    if is_buy { best > limit.raw() } else { best < limit.raw() }
}

/// The limit of a reduction: the best quote within its band; without one, mark or leader's price within the emergency band.
#[must_use]
pub fn reduction(asset: &Asset, quote: Option<Quote>, fallback: [i64; 2], is_buy: bool, band: [u32; 2]) -> Option<Px> {
    let [normal, emergency] = band;
    match quote.and_then(|quote| quote.opposite(is_buy)) {
        Some(best) => bounded(asset, best, is_buy, normal),
        None => fallback.into_iter().find_map(|price| bounded(asset, price, is_buy, emergency)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;
    use proptest::prelude::*;

    const fn perp(size_decimals: u32) -> Asset {
        Asset::new(1, size_decimals, Kind::Perp)
    }

    fn px(text: &str) -> i64 {
        Px::parse(text.as_bytes()).unwrap().raw()
    }

    #[test]
    fn limits_are_legal_and_never_worse_than_the_band() {
        for (d, price, is_buy, bps, wanted) in [
            (4, "3200.5", true, 30, "3210.1"),
            (4, "3200.5", false, 30, "3190.9"),
            (5, "97123", true, 30, "97414"),
            (5, "97123", false, 30, "96832"),
            (5, "123456", true, 0, "123456"),
            (0, "0.012345", true, 0, "0.012345"),
            (1, "0.012345", true, 0, "0.01234"),
            (1, "0.012345", false, 0, "0.01235"),
        ] {
            assert_eq!(bounded(&perp(d), px(price), is_buy, bps), Some(Px::from_raw(px(wanted))), "{price} {is_buy}");
        }
        assert_eq!(bounded(&perp(5), 0, true, 30), None);
        assert_eq!(bounded(&perp(6), px("0.5"), true, 30), None, "below one tick there is no legal price to buy at");
    }

    #[test]
    fn without_a_quote_a_reduction_uses_mark_then_leader_with_the_emergency_band() {
        let asset = perp(2);
        let quote = Some(Quote { bid: px("100"), ask: px("101"), ..Quote::default() });
        let at = |quote, fallback, is_buy| reduction(&asset, quote, fallback, is_buy, [100, 300]).map(Px::raw);
        assert_eq!(at(quote, [px("50"), px("60")], false), Some(px("99")));
        assert_eq!(at(quote, [px("50"), px("60")], true), Some(px("102.01")));
        assert_eq!(at(None, [px("50"), px("60")], false), Some(px("48.5")));
        assert_eq!(at(None, [0, px("60")], false), Some(px("58.2")));
        assert_eq!(at(None, [0, 0], false), None);
    }

    proptest! {
        #[test]
        fn every_limit_is_legal_for_the_venue(d in 0u32..=5, raw in 1_000_000i64..20_000_000_000_000, is_buy: bool, bps in 0u32..=4000) {
            if let Some(price) = bounded(&perp(d), raw, is_buy, bps) {
                let units = price.raw();
                let whole = units % 100_000_000 == 0;
                let digits_ok = units % 10i64.pow(units.ilog10().saturating_sub(4)) == 0;
                let decimals_ok = units % 10i64.pow(8 - (6 - d)) == 0;
                prop_assert!(whole || (digits_ok && decimals_ok), "{price}");
                let bound = i128::from(raw) * i128::from(if is_buy { 10_000 + bps } else { 10_000 - bps });
                let ours = i128::from(units) * 10_000;
                let within = if is_buy { ours <= bound } else { ours >= bound };
                prop_assert!(within);
            }
        }
    }
}
