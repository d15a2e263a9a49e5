//! From target and position to at most two orders: first what lowers risk, then what adds to it.
use super::pace::Pace;
use super::price::{Quote, bounded, is_beyond, reduction};
use super::sizing::worth;
use crate::market::{Asset, Kind};
use crate::num::{Px, Usd};
use crate::planted::{Bug, planted};

/// Venue rule: 10 dollars at least; half a dollar more keeps an order legal under both its limit and the mark.
pub const MIN_VALUE: Usd = Usd::from_raw(10_500_000);

/// Venue rule: 100 dollars at least for a TWAP, by the mark; half a dollar more as the mark moves.
pub const MIN_TWAP: Usd = Usd::from_raw(100_500_000);

/// What opening needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The leader's price, in 10^-8.
    pub price: i64,
    /// Basis points around it.
    pub band_bps: u32,
    /// Cap of one order.
    pub max_order: Option<Usd>,
    /// In portions; `None`: all at once.
    pub pace: Option<Pace>,
}

/// One follower, one coin.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// How the coin is traded.
    pub asset: Asset,
    /// What the engine holds for certain, in 10^-8.
    pub own: i64,
    /// What it holds beside that if no fee was taken of it, in 10^-8: neither sold nor bought again.
    pub unsure: i64,
    /// That is the account's whole position on the coin, for certain.
    pub is_whole: bool,
    /// What the account holds beside it, in 10^-8: somebody else's.
    pub manual: i64,
    /// What it should hold, in 10^-8, unrounded.
    pub target: i64,
    /// Whether and how risk may be added.
    pub opening: Option<Opening>,
    /// Normal and emergency band of a reduction, in basis points.
    pub reduce_bands: [u32; 2],
    /// Reduce at the emergency band.
    pub emergency: bool,
    /// Mark price and leader's price, in 10^-8; 0: none.
    pub fallback: [i64; 2],
    /// Fresh quotes.
    pub quote: Option<Quote>,
}

/// An order before it has an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// Signed size in 10^-8.
    pub size: i64,
    /// Limit.
    pub price: Px,
    /// Lowers what the engine holds.
    pub reduce_only: bool,
    /// Goes without the venue's reduce-only all the same: the account's position is another than the engine's.
    pub plain: bool,
    /// Waits at the venue instead of taking at once.
    pub passive: bool,
    /// As the venue's TWAP: it has no limit.
    pub native: bool,
}

/// What became of one half of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Nothing to do.
    Nothing,
    /// An order.
    Order(Draft),
    /// The order would be below a lot or the venue's minimum: it waits in the target.
    TooSmall,
    /// The market left the entry's band.
    Beyond,
    /// Its next portion is not due, or the market may still come back: it waits.
    Later,
    /// No price to bound it by.
    NoPrice,
    /// Risk may not be added now.
    NotAllowed,
}

/// Both halves; the reduction goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Toward zero.
    pub reduce: Half,
    /// Away from zero.
    pub open: Half,
}

/// Plans the way from `own` to `target`.
#[must_use]
pub fn plan(job: &Job) -> Plan {
    let lot = job.asset.lot();
    let target = job.target - job.target % lot;
    let same_side = target == 0 || job.own == 0 || (target > 0) == (job.own > 0);
    let keep = if same_side { target.abs().min(job.own.abs()) } else { 0 };
    let excess = job.own.abs() - keep;
    let missing = target.abs() - keep - job.unsure;
    let reduce = if excess > 0 { plan_reduction(job, excess) } else { Half::Nothing };
    // The other side opens only behind a full close: otherwise the venue would net it against what is left.
    let closed = job.own == 0 || same_side || matches!(reduce, Half::Order(draft) if draft.size.abs() == job.own.abs());
    let open = match (missing > 0, closed) {
        (false, _) => Half::Nothing,
        (true, false) => Half::TooSmall,
        (true, true) => plan_opening(job, missing, target > 0),
    };
    Plan { reduce, open }
}

fn plan_reduction(job: &Job, excess: i64) -> Half {
    let is_buy = job.own < 0;
    let [normal, emergency] = job.reduce_bands;
    let bands = if job.emergency { [emergency, emergency] } else { [normal, emergency] };
    let Some(price) = reduction(&job.asset, job.quote, job.fallback, is_buy, bands) else { return Half::NoPrice };
    let buys = is_buy != planted(Bug::SignFlipOnClose);
    let order = |size: i64| {
        // The venue judges the account's whole position: where somebody else's part turns it round, or leaves less of it
        // than is to go, it would refuse the exit or cut it.
        let account = job.own.saturating_add(job.manual);
        let turned = job.manual != 0 && (account.signum() != job.own.signum() || account.abs() < size);
        // Venue rule: there is no reduce-only on spot, and no way below zero.
        let plain = turned || job.asset.kind == Kind::Spot;
        let size = if buys { size } else { -size };
        Half::Order(Draft { size, price, reduce_only: true, plain, passive: false, native: false })
    };
    let own = job.own.abs();
    // Venue rule: closing the whole position is exempt from the minimum, on the account's whole position only, and on perps.
    let exempt = job.is_whole && job.asset.kind != Kind::Spot;
    let reference = reference_price(job, price);
    if (excess == own && exempt) || worth(excess, reference) >= MIN_VALUE {
        return order(excess);
    }
    let least = least_size(&job.asset, reference);
    // The nearest size that can be sent and brings the position closer to the target.
    match least {
        least if least < own && least - excess < excess => order(least),
        _ if exempt && own - excess < excess => order(own),
        _ => Half::TooSmall,
    }
}

fn plan_opening(job: &Job, missing: i64, is_buy: bool) -> Half {
    let Some(opening) = job.opening else { return Half::NotAllowed };
    let Some(bound) = bounded(&job.asset, opening.price, is_buy, opening.band_bps) else { return Half::NoPrice };
    let lot = job.asset.lot();
    // An order that rests stays within the limit too.
    let passive = opening.pace.and_then(|pace| pace.passive);
    let native = opening.pace.is_some_and(|pace| pace.native);
    let minimum = if native { MIN_TWAP } else { MIN_VALUE };
    let price = passive.map_or(bound, |price| if is_buy { price.min(bound) } else { price.max(bound) });
    let cheapest = price.raw().min(opening.price).min(reference_price(job, price));
    let portion = opening.pace.map_or(missing, |pace| pace.cut(missing, least_size(&job.asset, cheapest), lot));
    let capped = opening.max_order.map_or(portion, |cap| {
        let dearest = price.raw().max(opening.price);
        let most = i64::try_from(super::sizing::cap_units(cap, dearest) / super::sizing::UNIT).unwrap_or(i64::MAX);
        portion.min(most - most % lot)
    });
    let is_small = capped <= 0 || worth_floor(capped, cheapest) < minimum;
    match (is_beyond(job.quote, bound, is_buy), opening.pace) {
        (true, Some(pace)) if pace.patient => Half::Later,
        (true, _) => Half::Beyond,
        (false, _) if is_small => Half::TooSmall,
        (false, Some(pace)) if pace.later => Half::Later,
        (false, _) => {
            let size = if is_buy { capped } else { -capped };
            let price = if native { Px::ZERO } else { price };
            let passive = native || passive.is_some();
            Half::Order(Draft { size, price, reduce_only: false, plain: false, passive, native })
        }
    }
}

/// The lowest price the venue may value an order at.
fn reference_price(job: &Job, limit: Px) -> i64 {
    job.fallback.into_iter().filter(|price| *price > 0).fold(limit.raw(), i64::min)
}

fn worth_floor(size: i64, price: i64) -> Usd {
    // One unit of 10^-6 dollars less than rounded up is at most rounded down: good enough beside a margin of half a dollar.
    worth(size, price).checked_sub(Usd::from_raw(1)).unwrap_or(Usd::ZERO)
}

/// The smallest size that is worth the minimum, in whole lots.
pub fn least_size(asset: &Asset, price: i64) -> i64 {
    let lot = i128::from(asset.lot());
    if price <= 0 {
        return i64::MAX;
    }
    let units = (i128::from(MIN_VALUE.raw()) * 10_000_000_000) / i128::from(price) + 1;
    i64::try_from((units + lot - 1) / lot * lot).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: i64 = 100_000_000;
    const ASSET: Asset = Asset::new(3, 2, Kind::Perp);

    fn job(own: i64, target: i64) -> Job {
        Job {
            asset: ASSET,
            own,
            unsure: 0,
            is_whole: true,
            manual: 0,
            target,
            opening: Some(Opening { price: 100 * ONE, band_bps: 30, max_order: None, pace: None }),
            reduce_bands: [100, 300],
            emergency: false,
            fallback: [100 * ONE, 100 * ONE],
            quote: Some(Quote { bid: 9_990 * ONE / 100, ask: 10_010 * ONE / 100, ..Quote::default() }),
        }
    }

    fn size(half: Half) -> i64 {
        match half {
            Half::Order(draft) => draft.size,
            _ => 0,
        }
    }

    #[test]
    fn rule_12_increases_round_toward_zero_and_a_full_close_is_exact() {
        let open = plan(&job(0, 123_456_789));
        assert_eq!(size(open.open), 123_000_000);
        let close = plan(&job(123_456_789, 0));
        assert_eq!(size(close.reduce), -123_456_789);
    }

    #[test]
    fn rule_13_an_entry_below_ten_dollars_waits() {
        assert_eq!(plan(&job(0, ONE / 10)).open, Half::TooSmall);
        assert_eq!(size(plan(&job(0, 11 * ONE / 100)).open), 11 * ONE / 100);
    }

    #[test]
    fn rule_13_a_reduction_below_ten_dollars_takes_the_nearest_sendable_size() {
        // 5 dollars too much: 10.5 dollars would overshoot by more than it mends.
        assert_eq!(plan(&job(ONE, 95 * ONE / 100)).reduce, Half::TooSmall);
        // 8 dollars too much: 11 dollars leaves 3 missing, better than 8.
        assert_eq!(size(plan(&job(ONE, 92 * ONE / 100)).reduce), -11 * ONE / 100);
        // A position below the minimum of which most should go: everything goes.
        assert_eq!(size(plan(&job(8 * ONE / 100, 2 * ONE / 100)).reduce), -8 * ONE / 100);
        // The leader is flat: everything goes.
        assert_eq!(size(plan(&job(8 * ONE / 100, 0)).reduce), -8 * ONE / 100);
    }

    #[test]
    fn rule_23_a_flip_closes_first_in_the_same_batch() {
        let flip = plan(&job(ONE, -2 * ONE));
        assert!(matches!(flip.reduce, Half::Order(Draft { size, reduce_only: true, .. }) if size == -ONE));
        assert!(matches!(flip.open, Half::Order(Draft { size, reduce_only: false, .. }) if size == -2 * ONE));
    }

    #[test]
    fn rule_15_an_exit_is_not_held_back_by_what_somebody_else_holds() {
        let plain = |own: i64, manual: i64, target: i64| match plan(&Job {
            manual,
            is_whole: false,
            ..job(own, target)
        })
        .reduce
        {
            Half::Order(draft) => (draft.size, draft.reduce_only, draft.plain),
            other => panic!("{other:?}"),
        };
        assert_eq!(plain(ONE, ONE, 0), (-ONE, true, false), "there is more of it");
        assert_eq!(plain(ONE, -3 * ONE, 0), (-ONE, true, true), "the account is short");
        assert_eq!(plain(ONE, -ONE, 0), (-ONE, true, true), "the account is flat");
        assert_eq!(plain(2 * ONE, -ONE, ONE), (-ONE, true, false), "what is left of it is enough");
        assert_eq!(plain(-2 * ONE, ONE, 0), (2 * ONE, true, true), "and is not");
    }

    #[test]
    fn rule_24_an_entry_is_skipped_when_the_book_left_its_band() {
        let mut late = job(0, ONE);
        late.quote = Some(Quote { bid: 100 * ONE, ask: 10_031 * ONE / 100, ..Quote::default() });
        assert_eq!(plan(&late).open, Half::Beyond);
    }

    #[test]
    fn a_cap_of_one_order_cuts_it_to_whole_lots() {
        let mut capped = job(0, 10 * ONE);
        capped.opening =
            Some(Opening { price: 100 * ONE, band_bps: 30, max_order: Some(Usd::from_raw(200_000_000)), pace: None });
        assert_eq!(size(plan(&capped).open), 199 * ONE / 100);
    }

    proptest! {
        #[test]
        fn a_plan_never_overshoots_never_flips_by_reducing_and_respects_the_minimum(
            own in -20_000i64..20_000, target in -20_000i64..20_000, fraction in 0i64..1_000_000, price in 1i64..100_000
        ) {
            let target = target * ASSET.lot() + fraction * target.signum();
            let mut job = job(own * ASSET.lot(), target);
            job.fallback = [price * ONE, price * ONE];
            job.opening = Some(Opening { price: price * ONE, band_bps: 30, max_order: None, pace: None });
            job.quote = None;
            let plan = plan(&job);
            let reduce = size(plan.reduce);
            prop_assert!(reduce == 0 || (reduce > 0) != (job.own > 0));
            prop_assert!(reduce.abs() <= job.own.abs());
            let left = job.own + reduce;
            prop_assert!((left - target).abs() <= (job.own - target).abs() || size(plan.open) != 0);
            let after = left + size(plan.open);
            prop_assert!(size(plan.open) == 0 || (after - target).abs() < ASSET.lot());
            prop_assert!((after - target).abs() <= (job.own - target).abs());
            for half in [plan.reduce, plan.open] {
                if let Half::Order(draft) = half {
                    let whole = draft.reduce_only && draft.size.abs() == job.own.abs();
                    prop_assert!(whole || worth(draft.size, draft.price.raw()) >= Usd::from_raw(10_000_000));
                    prop_assert_eq!(draft.size % ASSET.lot(), 0);
                }
            }
        }
    }
}
