//! When an open position takes the ratio that its equities give by then.
use super::mode::Mode;
use super::values::{factor, within};
use crate::config::{ConfigError, RawFollow};

const HOUR_MS: u64 = 3_600_000;
/// A year.
const MAX_HOURS: u32 = 8_760;
/// Below one per cent a usual day of prices would do it; a fall never reaches a hundred.
const DRIFT_PERCENT: [i64; 2] = [1, 90];
/// Units of a percent, as `factor` gives them.
const PERCENT: i64 = 100_000_000;
/// Units of a drift of one: twice as large, or nothing left.
const WHOLE: i128 = 100 * PERCENT as i128;

/// What makes an edge's open positions take another ratio. Without either it is fixed until they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rebalance {
    /// Each multiple of this since 1970.
    pub every_ms: Option<u64>,
    /// What the ratio of now may differ by, in `PERCENT`.
    drift: Option<i64>,
}

impl Rebalance {
    /// The ratio of an open position stays.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.every_ms.is_none() && self.drift.is_none()
    }

    /// One of its times lies after `from_ms`, and not after `to_ms`.
    #[must_use]
    pub fn passes(&self, from_ms: u64, to_ms: u64) -> bool {
        self.every_ms.is_some_and(|every| from_ms.checked_div(every) < to_ms.checked_div(every))
    }

    /// What was `then` differs from `now` by as much as it may at most, or by more. Both are above zero.
    #[must_use]
    pub fn is_adrift(&self, then: i64, now: i64) -> bool {
        // 63 bits times 34: in range.
        let apart = i128::from(now.abs_diff(then)).saturating_mul(WHOLE);
        self.drift.is_some_and(|most| apart >= i128::from(then).saturating_mul(most.into()))
    }
}

pub(super) fn check_rebalance(at: &str, raw: &RawFollow, mode: Mode) -> Result<Rebalance, ConfigError> {
    let hours = raw.rebalance_hours.map(|hours| within(at, "rebalance_hours", hours, 1, MAX_HOURS)).transpose()?;
    let percent = raw.rebalance_drift_percent.as_deref();
    let drift = percent.map(|text| factor(at, "rebalance_drift_percent", text)).transpose()?;
    let [least, most] = DRIFT_PERCENT;
    if drift.is_some_and(|drift| !(least.saturating_mul(PERCENT)..=most.saturating_mul(PERCENT)).contains(&drift)) {
        let problem = format!("{} is outside {least} to {most}", percent.unwrap_or_default());
        return Err(ConfigError::new(format!("{at}.rebalance_drift_percent"), problem));
    }
    if matches!(mode, Mode::Equity(_) | Mode::Risk { .. }) {
        let every_ms = hours.map(|hours| u64::from(hours).saturating_mul(HOUR_MS));
        return Ok(Rebalance { every_ms, drift });
    }
    match [("rebalance_hours", hours.is_some()), ("rebalance_drift_percent", drift.is_some())].iter().find(|one| one.1)
    {
        None => Ok(Rebalance::default()),
        Some((name, _)) => Err(ConfigError::new(
            format!("{at}.{name}"),
            "is for modes \"equity\" and \"risk\", whose ratio changes with equities: remove it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_times_are_the_same_for_everybody() {
        let hourly = Rebalance { every_ms: Some(HOUR_MS), drift: None };
        assert!(hourly.passes(HOUR_MS - 1, HOUR_MS) && hourly.passes(5, 9 * HOUR_MS));
        assert!(!hourly.passes(HOUR_MS, 2 * HOUR_MS - 1));
        assert!(!Rebalance::default().passes(0, u64::MAX));
    }

    #[test]
    fn a_drift_is_a_part_of_what_was_and_counts_either_way() {
        let tenth = Rebalance { every_ms: None, drift: Some(10 * PERCENT) };
        for (now, adrift) in
            [(1_100, true), (1_099, false), (901, false), (900, true), (1_000, false), (i64::MAX, true)]
        {
            assert_eq!(tenth.is_adrift(1_000, now), adrift, "{now}");
        }
        assert!(!tenth.is_adrift(i64::MAX, i64::MAX - 1));
        assert!(!Rebalance::default().is_adrift(1, 9));
    }
}
