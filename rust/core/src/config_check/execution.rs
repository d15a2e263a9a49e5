//! How an account's openings are executed.
use super::followers::CheckedFollower;
use super::follows::CheckedFollow;
use crate::config::{ConfigError, RawExecution, RawStyle};
use crate::copy::pace::{Execution, Style};
use crate::copy::plan::MIN_TWAP;

/// Checks `followers[i].execution`; left out: all at once.
pub(super) fn check_execution(at: &str, raw: Option<&RawExecution>) -> Result<Execution, ConfigError> {
    let Some(raw) = raw else { return Ok(Execution::default()) };
    let at = format!("{at}.execution");
    let foreign = |names: &[(&str, bool)], style: &str| match names.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => {
            Err(ConfigError::new(format!("{at}.{name}"), format!("is not used by style = \"{style}\": remove it")))
        }
    };
    let by_time = [("slices", raw.slices.is_some()), ("jitter_percent", raw.jitter_percent.is_some())];
    let by_depth = [
        ("depth_percent", raw.depth_percent.is_some()),
        ("passive_ms", raw.passive_ms.is_some()),
        ("improvement_bps", raw.improvement_bps.is_some()),
    ];
    if raw.style != RawStyle::NativeTwap {
        foreign(&[("randomize", raw.randomize.is_some())], raw.style.name())?;
    }
    let style = match raw.style {
        RawStyle::Immediate => {
            foreign(&by_time, "immediate")?;
            foreign(&by_depth, "immediate")?;
            foreign(&[("seconds", raw.seconds.is_some())], "immediate")?;
            Style::Immediate
        }
        RawStyle::Twap => {
            foreign(&by_depth, "twap")?;
            Style::Twap {
                slices: whole(&at, "slices", raw.slices, 2, 1_000)?,
                jitter_percent: raw.jitter_percent.map_or(Ok(20), |p| whole(&at, "jitter_percent", Some(p), 0, 90))?,
            }
        }
        RawStyle::NativeTwap => {
            foreign(&by_time, "native_twap")?;
            foreign(&by_depth, "native_twap")?;
            // Venue rule: a slice goes up to 3 % from the mark, and nobody can say otherwise.
            foreign(&[("max_slippage_bps", raw.max_slippage_bps.is_some())], "native_twap")?;
            Style::NativeTwap { randomize: raw.randomize.unwrap_or(false) }
        }
        RawStyle::Smart => {
            foreign(&by_time, "smart")?;
            Style::Smart {
                depth_percent: whole(&at, "depth_percent", raw.depth_percent, 1, 100)?,
                passive_ms: raw.passive_ms.map_or(Ok(0), |ms| whole(&at, "passive_ms", Some(ms), 100, 60_000))?.into(),
                improvement_bps: raw
                    .improvement_bps
                    .map_or(Ok(0), |bps| whole(&at, "improvement_bps", Some(bps), 1, 1_000))?,
            }
        }
    };
    if raw.improvement_bps.is_some() && raw.passive_ms.is_none() {
        let problem = "needs passive_ms: only an order that rests can be better than the leader's price";
        return Err(ConfigError::new(format!("{at}.improvement_bps"), problem));
    }
    let duration_ms = match style {
        Style::Immediate => 0,
        Style::NativeTwap { .. } => native_duration_ms(&at, raw.seconds)?,
        _ => u64::from(whole(&at, "seconds", raw.seconds, 1, 86_400)?).saturating_mul(1_000),
    };
    if let Style::Twap { slices, .. } = style
        && duration_ms / u64::from(slices) < 100
    {
        return Err(ConfigError::new(
            format!("{at}.slices"),
            "come more often than every 100 ms: take fewer, or longer",
        ));
    }
    let slippage_bps =
        raw.max_slippage_bps.map(|bps| whole(&at, "max_slippage_bps", Some(bps), 1, 4_000)).transpose()?;
    Ok(Execution { style, duration_ms, slippage_bps })
}

/// Venue rule: a TWAP runs for so many whole minutes, five at least.
fn native_duration_ms(at: &str, seconds: Option<u32>) -> Result<u64, ConfigError> {
    let seconds = whole(at, "seconds", seconds, 300, 86_400)?;
    if !seconds.is_multiple_of(60) {
        let problem = format!("{seconds} is no whole minute: the venue's TWAP counts minutes");
        return Err(ConfigError::new(format!("{at}.seconds"), problem));
    }
    Ok(u64::from(seconds).saturating_mul(1_000))
}

/// What an account whose openings are the venue's TWAPs can't have: the venue's action has no place for it.
pub(super) fn check_native(at: &str, account: &CheckedFollower) -> Result<(), ConfigError> {
    if !account.execution.is_native() {
        return Ok(());
    }
    let no = |name: &str, problem: &str| Err(ConfigError::new(format!("{at}.{name}"), problem));
    if account.builder.is_some() {
        return no("builder_fee_tenths_bps", "can't be paid by the venue's TWAP: write 0, or change execution.style");
    }
    if account.max_priority_bps.is_some() {
        return no("max_priority_bps", "can't be bid by the venue's TWAP: leave it out, or change execution.style");
    }
    if account.max_order.is_some_and(|most| most < MIN_TWAP) {
        return no(
            "max_order_usd",
            "is below 100.50, the venue's least TWAP and half a dollar: nothing would be opened",
        );
    }
    Ok(())
}

/// What a follow of such an account can't have.
pub(super) fn check_native_follow(at: &str, follow: &CheckedFollow) -> Result<(), ConfigError> {
    let no = |name: &str, problem: &str| Err(ConfigError::new(format!("{at}.{name}"), problem));
    if follow.markets.has_spot() {
        return no("markets", "has spot, but its account opens by native_twap, which is for perpetuals here");
    }
    if follow.round_up_max.is_some() {
        return no(
            "round_up_max_usd",
            "raises to an order's minimum, but its account opens by native_twap of 100 dollars",
        );
    }
    Ok(())
}

fn whole(at: &str, name: &str, value: Option<u32>, low: u32, high: u32) -> Result<u32, ConfigError> {
    let setting = || format!("{at}.{name}");
    match value {
        None => Err(ConfigError::new(setting(), "is missing: this style needs it")),
        Some(value) if (low..=high).contains(&value) => Ok(value),
        Some(value) => Err(ConfigError::new(setting(), format!("{value} is outside {low} to {high}"))),
    }
}
