//! How an entry is sized, and what becomes of one that is too small.
use super::filters::LEVERAGE_SCALE;
use super::values::{factor, limit, ratio, within};
use crate::config::{ConfigError, RawFollow, RawMode};
use crate::num::Usd;

const MAX_NOTIONAL_USD: i64 = 1_000_000_000;
/// A month of days, and three times the equity: what `risk` takes unless told otherwise.
const VOLATILITY_DAYS: u32 = 30;
const RISK_MAX_LEVERAGE: i64 = 3 * LEVERAGE_SCALE;

/// How a leader's size becomes a follower's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A fixed share, in units of `RATIO_SCALE`.
    Ratio(i64),
    /// Follower equity ÷ leader equity × this weight, in units of `RATIO_SCALE`.
    Equity(i64),
    /// This value per leader position.
    Notional {
        /// The value.
        value: Usd,
        /// Later adds use the same ratio instead of changing nothing.
        scale_adds: bool,
    },
    /// The value whose usual move of a day is this share of the follower's equity.
    Risk {
        /// The share, in basis points.
        risk_bps: u32,
        /// The usual move is that of so many days.
        days: u32,
        /// The value is at most so many times the equity, in units of `LEVERAGE_SCALE`.
        max_leverage: i64,
        /// Later adds use the same ratio instead of changing nothing.
        scale_adds: bool,
    },
}

impl Mode {
    /// A later add of the leader changes nothing.
    #[must_use]
    pub const fn ignores_adds(self) -> bool {
        matches!(self, Mode::Notional { scale_adds: false, .. } | Mode::Risk { scale_adds: false, .. })
    }
}

pub(super) fn check_mode(at: &str, raw: &RawFollow) -> Result<Mode, ConfigError> {
    let (wanted, mode_name) = match raw.mode {
        RawMode::Ratio => ("ratio", "ratio"),
        RawMode::Equity => ("weight", "equity"),
        RawMode::Notional => ("notional_usd", "notional"),
        RawMode::Risk => ("risk_bps", "risk"),
    };
    let given = [
        ("ratio", raw.ratio.is_some()),
        ("weight", raw.weight.is_some()),
        ("notional_usd", raw.notional_usd.is_some()),
        ("risk_bps", raw.risk_bps.is_some()),
    ];
    let of_risk = raw.mode == RawMode::Risk;
    let belongs = [
        ("volatility_days", raw.volatility_days.is_some() && !of_risk),
        ("risk_max_leverage", raw.risk_max_leverage.is_some() && !of_risk),
        ("scale_adds", raw.scale_adds && !of_risk && raw.mode != RawMode::Notional),
    ];
    if given.contains(&(wanted, false)) {
        return Err(ConfigError::new(format!("{at}.{wanted}"), format!("is missing: mode = \"{mode_name}\" needs it")));
    }
    let others = given.into_iter().filter(|(name, _)| *name != wanted).chain(belongs);
    if let Some((name, _)) = others.into_iter().find(|(_, given)| *given) {
        return Err(ConfigError::new(
            format!("{at}.{name}"),
            format!("is not used by mode = \"{mode_name}\": remove it"),
        ));
    }
    match raw.mode {
        RawMode::Ratio => Ok(Mode::Ratio(ratio(at, "ratio", raw.ratio.as_deref())?)),
        RawMode::Equity => Ok(Mode::Equity(ratio(at, "weight", raw.weight.as_deref())?)),
        RawMode::Notional => check_notional(at, raw),
        RawMode::Risk => check_risk(at, raw),
    }
}

fn check_notional(at: &str, raw: &RawFollow) -> Result<Mode, ConfigError> {
    let value = limit(at, "notional_usd", raw.notional_usd.as_deref())?.unwrap_or(Usd::ZERO);
    if value > Usd::from_raw(MAX_NOTIONAL_USD.saturating_mul(1_000_000)) {
        return Err(ConfigError::new(format!("{at}.notional_usd"), format!("{value} is above {MAX_NOTIONAL_USD}")));
    }
    Ok(Mode::Notional { value, scale_adds: raw.scale_adds })
}

fn check_risk(at: &str, raw: &RawFollow) -> Result<Mode, ConfigError> {
    let leverage = raw.risk_max_leverage.as_deref();
    Ok(Mode::Risk {
        // A fifth of the equity on a usual day is no risk but ruin.
        risk_bps: within(at, "risk_bps", raw.risk_bps.unwrap_or_default(), 1, 2_000)?,
        days: within(at, "volatility_days", raw.volatility_days.unwrap_or(VOLATILITY_DAYS), 7, 90)?,
        max_leverage: leverage.map_or(Ok(RISK_MAX_LEVERAGE), |text| factor(at, "risk_max_leverage", text))?,
        scale_adds: raw.scale_adds,
    })
}

pub(super) fn check_round_up(at: &str, raw: &RawFollow) -> Result<Option<Usd>, ConfigError> {
    let setting = || format!("{at}.round_up_max_usd");
    match (raw.round_up, limit(at, "round_up_max_usd", raw.round_up_max_usd.as_deref())?) {
        (false, None) => Ok(None),
        (true, Some(most)) => Ok(Some(most)),
        (true, None) => {
            Err(ConfigError::new(setting(), "is missing: round_up = true needs a cap of what it may add to an entry"))
        }
        (false, Some(_)) => Err(ConfigError::new(setting(), "is only for round_up = true: remove it")),
    }
}
