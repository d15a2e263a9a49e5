//! The edges: how an entry is sized, what gates it, how far its prices may go.
use super::values::{band, limit, ratio};
use crate::config::{ConfigError, RawExisting, RawFollow, RawMode};
use crate::num::Usd;

const MAX_NOTIONAL_USD: i64 = 1_000_000_000;

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
}

/// What happens to a position that the leader held before copying began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing until it is flat or flipped.
    Ignore,
    /// Copied at once.
    Adopt,
    /// Copied if the price is within this many basis points of the leader's entry.
    AdoptWithin(u32),
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFollow {
    /// Index of the leader.
    pub leader: u32,
    /// Index of the follower.
    pub follower: u32,
    /// Sizing.
    pub mode: Mode,
    /// Positions from before.
    pub existing: Existing,
    /// Only these coins; `None`: all.
    pub coins_allow: Option<Vec<String>>,
    /// Not these coins.
    pub coins_block: Vec<String>,
    /// Least value of the leader's resulting position.
    pub min_value: Option<Usd>,
    /// Greatest value of it.
    pub max_value: Option<Usd>,
    /// Cap of this edge's part of one order.
    pub max_order: Option<Usd>,
    /// Cap of this edge's part of one coin.
    pub max_position: Option<Usd>,
    /// An older entry expires.
    pub max_age_ms: u64,
    /// Around the leader's price.
    pub entry_band_bps: u32,
    /// Around the best quote.
    pub reduce_band_bps: u32,
    /// When it must go.
    pub emergency_band_bps: u32,
}

pub(super) fn check_follow(
    at: &str,
    raw: &RawFollow,
    leader: u32,
    follower: u32,
) -> Result<CheckedFollow, ConfigError> {
    let existing = match (raw.existing, raw.adopt_band_bps) {
        (RawExisting::Ignore, None) => Existing::Ignore,
        (RawExisting::Adopt, None) => Existing::Adopt,
        (RawExisting::AdoptWithin, Some(bps)) => Existing::AdoptWithin(band(at, "adopt_band_bps", bps, 1)?),
        (RawExisting::AdoptWithin, None) => {
            return Err(ConfigError::new(
                format!("{at}.adopt_band_bps"),
                "is missing: existing = \"adopt_within\" needs it",
            ));
        }
        (_, Some(_)) => {
            return Err(ConfigError::new(
                format!("{at}.adopt_band_bps"),
                "is only for existing = \"adopt_within\": remove it",
            ));
        }
    };
    check_coins(at, raw)?;
    let min_value = limit(at, "min_value_usd", raw.min_value_usd.as_deref())?;
    let max_value = limit(at, "max_value_usd", raw.max_value_usd.as_deref())?;
    if let (Some(min), Some(max)) = (min_value, max_value)
        && min > max
    {
        return Err(ConfigError::new(format!("{at}.min_value_usd"), format!("{min} is above max_value_usd {max}")));
    }
    if !(1..=3_600_000).contains(&raw.max_age_ms) {
        return Err(ConfigError::new(
            format!("{at}.max_age_ms"),
            format!("{} is outside 1 to 3600000", raw.max_age_ms),
        ));
    }
    let reduce_band_bps = band(at, "reduce_band_bps", raw.reduce_band_bps, 1)?;
    let emergency_band_bps = band(at, "emergency_band_bps", raw.emergency_band_bps, 1)?;
    if emergency_band_bps < reduce_band_bps {
        return Err(ConfigError::new(
            format!("{at}.emergency_band_bps"),
            "is below reduce_band_bps: an emergency must reach further",
        ));
    }
    Ok(CheckedFollow {
        leader,
        follower,
        mode: check_mode(at, raw)?,
        existing,
        coins_allow: raw.coins_allow.clone(),
        coins_block: raw.coins_block.clone(),
        min_value,
        max_value,
        max_order: limit(at, "max_order_usd", raw.max_order_usd.as_deref())?,
        max_position: limit(at, "max_position_usd", raw.max_position_usd.as_deref())?,
        max_age_ms: raw.max_age_ms,
        entry_band_bps: band(at, "entry_band_bps", raw.entry_band_bps, 0)?,
        reduce_band_bps,
        emergency_band_bps,
    })
}

fn check_mode(at: &str, raw: &RawFollow) -> Result<Mode, ConfigError> {
    let (wanted, mode_name) = match raw.mode {
        RawMode::Ratio => ("ratio", "ratio"),
        RawMode::Equity => ("weight", "equity"),
        RawMode::Notional => ("notional_usd", "notional"),
    };
    let given = [("ratio", &raw.ratio), ("weight", &raw.weight), ("notional_usd", &raw.notional_usd)];
    for (name, value) in given {
        match (name == wanted, value) {
            (true, None) => {
                return Err(ConfigError::new(
                    format!("{at}.{name}"),
                    format!("is missing: mode = \"{mode_name}\" needs it"),
                ));
            }
            (false, Some(_)) => {
                return Err(ConfigError::new(
                    format!("{at}.{name}"),
                    format!("is not used by mode = \"{mode_name}\": remove it"),
                ));
            }
            _ => {}
        }
    }
    if raw.scale_adds && raw.mode != RawMode::Notional {
        return Err(ConfigError::new(format!("{at}.scale_adds"), "is only for mode = \"notional\": remove it"));
    }
    match raw.mode {
        RawMode::Ratio => Ok(Mode::Ratio(ratio(at, "ratio", raw.ratio.as_deref())?)),
        RawMode::Equity => Ok(Mode::Equity(ratio(at, "weight", raw.weight.as_deref())?)),
        RawMode::Notional => {
            let value = limit(at, "notional_usd", raw.notional_usd.as_deref())?.unwrap_or(Usd::ZERO);
            if value > Usd::from_raw(MAX_NOTIONAL_USD.saturating_mul(1_000_000)) {
                return Err(ConfigError::new(
                    format!("{at}.notional_usd"),
                    format!("{value} is above {MAX_NOTIONAL_USD}"),
                ));
            }
            Ok(Mode::Notional { value, scale_adds: raw.scale_adds })
        }
    }
}

fn check_coins(at: &str, raw: &RawFollow) -> Result<(), ConfigError> {
    let allow = raw.coins_allow.as_deref();
    if allow.is_some_and(<[String]>::is_empty) {
        return Err(ConfigError::new(
            format!("{at}.coins_allow"),
            "is empty and would allow no coin: name coins, or leave it out for every coin",
        ));
    }
    for (name, list) in [("coins_allow", allow.unwrap_or(&[])), ("coins_block", &raw.coins_block)] {
        if let Some(bad) = list.iter().find(|coin| coin.is_empty() || coin.len() > 64) {
            return Err(ConfigError::new(format!("{at}.{name}"), format!("{bad:?} is not a coin name")));
        }
    }
    match raw.coins_block.iter().find(|coin| allow.is_some_and(|list| list.contains(coin))) {
        Some(both) => {
            Err(ConfigError::new(format!("{at}.coins_block"), format!("{both} is also in coins_allow: decide for one")))
        }
        None => Ok(()),
    }
}
