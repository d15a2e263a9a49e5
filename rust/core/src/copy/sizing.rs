//! The arithmetic of E, the entitled position: 128-bit whole numbers in 10^-20 coins, so that it is unrounded for every purpose.
use crate::commands::Reason;
use crate::config_check::{LEVERAGE_SCALE, Mode, RATIO_SCALE};
use crate::num::{Px, Round, Sz, Usd};

/// Units of E per unit (10^-8) of a position.
pub const UNIT: i128 = RATIO_SCALE as i128;

/// E · after / before, toward zero. The caller knows that |after| ≤ |before| and before ≠ 0.
#[must_use]
pub const fn scale_down(entitled: i128, after: i64, before: i64) -> i128 {
    rescale(entitled, after, before)
}

/// E · after / before, toward zero; where it grows it may saturate. Nothing where `before` is zero.
#[must_use]
pub const fn rescale(entitled: i128, after: i64, before: i64) -> i128 {
    let (after, before) = (after as i128, before as i128);
    if before == 0 {
        return 0;
    }
    // Split, so that no product leaves 128 bits on the way down: |entitled / before · after| ≤ |entitled|, and the rest is below
    // 2^63 · 2^63.
    let (whole, rest) = (entitled / before, entitled % before);
    whole.saturating_mul(after).saturating_add(rest.saturating_mul(after) / before)
}

/// What a leader's step adds to E.
#[must_use]
pub const fn step(ratio: i64, delta: i64) -> i128 {
    // Two 64-bit factors: never out of range.
    ratio as i128 * delta as i128
}

/// E as a position, toward zero.
#[must_use]
pub fn to_position(entitled: i128) -> Option<i64> {
    i64::try_from(entitled / UNIT).ok()
}

/// What a ratio is made of beside the leader's position. Equities are in 10^-6 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Basis {
    /// What the leader is worth.
    pub leader_equity: Option<i64>,
    /// What backs the follower's position.
    pub follower_equity: Option<i64>,
    /// The coin's usual move of a day, in `MOVE_SCALE`ths of the price.
    pub usual_move: Option<i64>,
}

/// The ratio that a position opens with, in 10^-12. Price and position are in 10^-8.
///
/// # Errors
/// `EquityUnreadable`, `VolatilityUnread` or `OutOfRange`: the increase is not taken.
pub fn opening_ratio(mode: Mode, basis: &Basis, price: i64, position: i64) -> Result<i64, Reason> {
    let positive = |equity: Option<i64>| equity.filter(|e| *e > 0).ok_or(Reason::EquityUnreadable);
    let units = match mode {
        Mode::Ratio(ratio) => Some(i128::from(ratio)),
        Mode::Equity(weight) => {
            let (leader, follower) = (positive(basis.leader_equity)?, positive(basis.follower_equity)?);
            i128::from(weight).checked_mul(i128::from(follower)).and_then(|p| p.checked_div(i128::from(leader)))
        }
        Mode::Notional { value, .. } => share(i128::from(value.raw()), price, position),
        Mode::Risk { risk_bps, max_leverage, .. } => {
            let equity = i128::from(positive(basis.follower_equity)?);
            let usual = basis.usual_move.ok_or(Reason::VolatilityUnread)?;
            // equity · bps · 10^-4 ÷ (usual · 10^-9): a factor of 10^5. A coin that never moved is bound by the leverage.
            let risky = equity.saturating_mul(i128::from(risk_bps)).saturating_mul(100_000);
            let risky = risky.checked_div(i128::from(usual)).unwrap_or(i128::MAX);
            let most = equity.saturating_mul(i128::from(max_leverage)) / i128::from(LEVERAGE_SCALE);
            share(risky.min(most), price, position)
        }
    };
    let ratio = units.and_then(|units| i64::try_from(units).ok());
    ratio.filter(|ratio| *ratio > 0).ok_or(Reason::OutOfRange)
}

/// A value in 10^-6 dollars over what a position is worth, in 10^-12.
fn share(value: i128, price: i64, position: i64) -> Option<i128> {
    // value · 10^-6 ÷ (price · 10^-8 · position · 10^-8) in units of 10^-12: a factor of 10^22.
    let worth = i128::from(price).checked_mul(i128::from(position.unsigned_abs()))?;
    value.checked_mul(10i128.pow(22))?.checked_div(worth)
}

/// The most E that a dollar cap allows at a price, toward zero. A price of zero allows nothing.
#[must_use]
pub fn cap_units(cap: Usd, price: i64) -> i128 {
    if price <= 0 {
        return 0;
    }
    // 10^-6 dollars ÷ 10^-8 a coin in units of 10^-20: a factor of 10^22. Caps above 10^10 dollars bind nowhere.
    let scaled = i128::from(cap.raw()).checked_mul(10i128.pow(22));
    scaled.map_or(i128::MAX / 4, |scaled| scaled / i128::from(price))
}

/// What a position is worth, in whole 10^-6 dollars, rounded up; saturates.
#[must_use]
pub fn worth(position: i64, price: i64) -> Usd {
    let size = Sz::from_raw(i64::try_from(position.unsigned_abs()).unwrap_or(i64::MAX));
    crate::num::notional(Px::from_raw(price), size, Round::Ceil).unwrap_or(Usd::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: i64 = 100_000_000;

    #[test]
    fn notional_ratio_is_value_over_position_value() {
        let mode = Mode::Notional { value: Usd::from_raw(500_000_000), scale_adds: false };
        // 500 dollars of a 2 coin position at 100: a quarter of a coin each... 500 / 200 = 2.5.
        assert_eq!(opening_ratio(mode, &Basis::default(), 100 * ONE, -2 * ONE), Ok(2_500_000_000_000));
        assert_eq!(opening_ratio(mode, &Basis::default(), 0, ONE), Err(Reason::OutOfRange));
    }

    #[test]
    fn equity_ratio_needs_both_equities_above_zero() {
        let mode = Mode::Equity(RATIO_SCALE / 2);
        let basis = |leader_equity, follower_equity| Basis { leader_equity, follower_equity, ..Basis::default() };
        assert_eq!(opening_ratio(mode, &basis(Some(1_000), Some(100)), 1, 1), Ok(RATIO_SCALE / 20));
        for (leader, follower) in
            [(None, Some(1)), (Some(1), None), (Some(0), Some(1)), (Some(1), Some(0)), (Some(-5), Some(1))]
        {
            assert_eq!(opening_ratio(mode, &basis(leader, follower), 1, 1), Err(Reason::EquityUnreadable));
        }
    }

    #[test]
    fn a_risk_ratio_risks_the_same_part_of_the_equity_on_every_coin_within_the_leverage() {
        let risk = |usual, equity| {
            let mode = Mode::Risk { risk_bps: 100, days: 30, max_leverage: 3 * LEVERAGE_SCALE, scale_adds: false };
            let basis = Basis { follower_equity: equity, usual_move: usual, ..Basis::default() };
            // The leader's position is worth 1,000 dollars.
            opening_ratio(mode, &basis, 100 * ONE, 10 * ONE)
        };
        let equity = Some(10_000_000_000);
        // 1 % of 10,000 dollars on a usual move of 4 %: 2,500 dollars, two and a half times the leader's.
        assert_eq!(risk(Some(40_000_000), equity), Ok(5 * RATIO_SCALE / 2));
        assert_eq!(risk(Some(10_000_000), equity), Ok(10 * RATIO_SCALE));
        // 0.1 % a day would be ten times the equity: three times is the most.
        assert_eq!(risk(Some(1_000_000), equity), Ok(30 * RATIO_SCALE));
        assert_eq!(risk(Some(0), equity), Ok(30 * RATIO_SCALE));
        assert_eq!(risk(None, equity), Err(Reason::VolatilityUnread));
        assert_eq!(risk(Some(1), Some(0)), Err(Reason::EquityUnreadable));
        assert_eq!(risk(Some(1), None), Err(Reason::EquityUnreadable));
    }

    #[test]
    fn a_cap_in_dollars_is_a_size_at_a_price() {
        assert_eq!(cap_units(Usd::from_raw(1_000_000_000), 50 * ONE), 20 * i128::from(ONE) * UNIT);
        assert_eq!(cap_units(Usd::MAX, 0), 0);
    }

    proptest! {
        #[test]
        fn scaling_down_never_grows_never_flips_and_is_exact_to_a_unit(
            entitled in -(1i128 << 120)..(1i128 << 120), before in 1i64.., share in 0u32..=1_000_000
        ) {
            let after = i64::try_from(i128::from(before) * i128::from(share) / 1_000_000).unwrap();
            let scaled = scale_down(entitled, after, before);
            prop_assert!(scaled.unsigned_abs() <= entitled.unsigned_abs());
            prop_assert!(scaled == 0 || (scaled > 0) == (entitled > 0));
            prop_assert_eq!(scale_down(entitled, before, before), entitled);
            prop_assert_eq!(scale_down(entitled, 0, before), 0);
            if entitled.unsigned_abs() < 1 << 60 {
                prop_assert_eq!(scaled, entitled * i128::from(after) / i128::from(before));
            }
        }
    }
}
