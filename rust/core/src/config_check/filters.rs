//! What gates an edge's increases: whose, which market's, and at which hours.
use std::sync::Arc;

use super::hours::{Hours, Zone, check_hours};
use super::values::{coins, factor, limit, within};
use crate::config::{ConfigError, RawFollow, RawSide, RawWindow};
use crate::num::Usd;

/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;
/// Units of a leverage of one.
pub const LEVERAGE_SCALE: i64 = 100_000_000;
/// Waiting longer is no copying any more.
const MAX_DELAY_MS: u64 = 3_600_000;
/// Two candles more than these are read of each coin every few hours: a year is what that is worth.
const MAX_LISTED_DAYS: u32 = 365;

/// Which positions of the leader are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// All.
    #[default]
    Both,
    /// Those above zero.
    Long,
    /// Those below zero.
    Short,
}

/// A stretch of the past that the venue keeps an account's profit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
    /// Since the account began.
    All,
}

impl Window {
    /// Every window, in the order of their numbers.
    pub const ALL: [Window; 4] = [Window::Day, Window::Week, Window::Month, Window::All];
}

/// How good a leader must have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Over this time.
    pub window: Window,
    /// It made money.
    pub only_profitable: bool,
    /// It never lost more than this from a height, in basis points of the account's value at that height.
    pub max_drawdown_bps: Option<u32>,
}

/// What an increase must pass. An absent limit is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filters {
    /// Of the leader's resulting position.
    pub side: Side,
    /// Only these coins; `None`: all.
    pub coins_allow: Option<Vec<String>>,
    /// Not these coins.
    pub coins_block: Vec<String>,
    /// Least value of the leader's resulting position.
    pub min_value: Option<Usd>,
    /// Greatest value of it.
    pub max_value: Option<Usd>,
    /// Only at these hours.
    pub hours: Option<Hours>,
    /// An entry is taken so much later, if the leader still holds it; 0: at once.
    pub delay_ms: u64,
    /// Greatest value of all positions of the leader over its equity, in units of `LEVERAGE_SCALE`.
    pub max_leader_leverage: Option<i64>,
    /// The coin has traded for so long.
    pub min_listed_days: Option<u32>,
    /// Least value traded in a day.
    pub min_day_volume: Option<Usd>,
    /// Least value of all open positions at the venue.
    pub min_open_interest: Option<Usd>,
    /// How good the leader must have been.
    pub quality: Option<Quality>,
    /// Least value that the book offers at its best price.
    pub min_depth: Option<Usd>,
}

pub(super) fn check_filters(at: &str, raw: &RawFollow, zones: &[Arc<Zone>]) -> Result<Filters, ConfigError> {
    coins(at, raw)?;
    let min_value = limit(at, "min_value_usd", raw.min_value_usd.as_deref())?;
    let max_value = limit(at, "max_value_usd", raw.max_value_usd.as_deref())?;
    if let (Some(min), Some(max)) = (min_value, max_value)
        && min > max
    {
        return Err(ConfigError::new(format!("{at}.min_value_usd"), format!("{min} is above max_value_usd {max}")));
    }
    let leverage = raw.max_leader_leverage.as_deref();
    let listed_days = raw.min_listed_days.map(|days| within(at, "min_listed_days", days, 1, MAX_LISTED_DAYS));
    Ok(Filters {
        side: match raw.side {
            RawSide::Both => Side::Both,
            RawSide::Long => Side::Long,
            RawSide::Short => Side::Short,
        },
        coins_allow: raw.coins_allow.clone(),
        coins_block: raw.coins_block.clone(),
        min_value,
        max_value,
        hours: check_hours(at, raw.hours.as_deref(), raw.hours_zone.as_deref(), zones)?,
        delay_ms: raw.delay_ms.map_or(Ok(0), |delay_ms| within(at, "delay_ms", delay_ms, 1, MAX_DELAY_MS))?,
        max_leader_leverage: leverage.map(|text| factor(at, "max_leader_leverage", text)).transpose()?,
        min_listed_days: listed_days.transpose()?,
        min_day_volume: limit(at, "min_day_volume_usd", raw.min_day_volume_usd.as_deref())?,
        min_open_interest: limit(at, "min_open_interest_usd", raw.min_open_interest_usd.as_deref())?,
        quality: check_quality(at, raw)?,
        min_depth: limit(at, "min_depth_usd", raw.min_depth_usd.as_deref())?,
    })
}

fn check_quality(at: &str, raw: &RawFollow) -> Result<Option<Quality>, ConfigError> {
    let asked = raw.only_profitable || raw.max_leader_drawdown_bps.is_some();
    let setting = || format!("{at}.quality_window");
    let window = match (raw.quality_window, asked) {
        (None, false) => return Ok(None),
        (None, true) => {
            let problem = "is missing: only_profitable and max_leader_drawdown_bps judge the leader over it";
            return Err(ConfigError::new(setting(), problem));
        }
        (Some(_), false) => {
            let problem = "judges nothing: set only_profitable or max_leader_drawdown_bps, or remove it";
            return Err(ConfigError::new(setting(), problem));
        }
        (Some(window), true) => window,
    };
    let drawdown = raw.max_leader_drawdown_bps.map(|bps| within(at, "max_leader_drawdown_bps", bps, 1, 10_000));
    Ok(Some(Quality {
        window: match window {
            RawWindow::Day => Window::Day,
            RawWindow::Week => Window::Week,
            RawWindow::Month => Window::Month,
            RawWindow::All => Window::All,
        },
        only_profitable: raw.only_profitable,
        max_drawdown_bps: drawdown.transpose()?,
    }))
}
