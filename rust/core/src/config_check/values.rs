//! Single values: money, ratios, bands, addresses, names.
use std::collections::BTreeMap;
use std::fmt::Display;

use crate::config::{ConfigError, RawFollow};
use crate::num::{Px, Usd};
use crate::wire::Address;

/// Units of a ratio of one: finer than eight decimals, so that a small equity ratio keeps its digits.
pub const RATIO_SCALE: i64 = 1_000_000_000_000;
/// A larger ratio, weight or notional is a slip of the pen.
const MAX_RATIO: i64 = 1_000;

pub(super) fn band(at: &str, name: &str, bps: u32, least: u32) -> Result<u32, ConfigError> {
    // The venue refuses prices more than 80 % from its reference; half of that leaves room for its own move.
    if (least..=4_000).contains(&bps) {
        return Ok(bps);
    }
    Err(ConfigError::new(format!("{at}.{name}"), format!("{bps} is outside {least} to 4000 basis points")))
}

/// A whole number in its range.
pub(super) fn limit(at: &str, name: &str, text: Option<&str>) -> Result<Option<Usd>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let setting = || format!("{at}.{name}");
    let value =
        Usd::parse(text.as_bytes()).map_err(|error| ConfigError::new(setting(), format!("{text:?}: {error}")))?;
    if value <= Usd::ZERO {
        return Err(ConfigError::new(
            setting(),
            format!("{text} would allow nothing: give a value above 0, or leave it out for none"),
        ));
    }
    Ok(Some(value))
}

/// A ratio, weight or leverage, in units of 10^-8.
pub(super) fn factor(at: &str, name: &str, text: &str) -> Result<i64, ConfigError> {
    let setting = || format!("{at}.{name}");
    let units =
        Px::parse(text.as_bytes()).map_err(|error| ConfigError::new(setting(), format!("{text:?}: {error}")))?.raw();
    if units == 0 || units > MAX_RATIO.saturating_mul(100_000_000) {
        return Err(ConfigError::new(setting(), format!("{text} is outside 0 (not included) to {MAX_RATIO}")));
    }
    Ok(units)
}

/// As [`factor`], in units of [`RATIO_SCALE`].
pub(super) fn ratio(at: &str, name: &str, text: Option<&str>) -> Result<i64, ConfigError> {
    let units = factor(at, name, text.unwrap_or_default())?.checked_mul(RATIO_SCALE / 100_000_000);
    units.ok_or_else(|| ConfigError::new(format!("{at}.{name}"), "is out of range"))
}

pub(super) fn within<T: PartialOrd + Display>(
    at: &str,
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<T, ConfigError> {
    if (&least..=&most).contains(&&value) {
        return Ok(value);
    }
    Err(ConfigError::new(format!("{at}.{name}"), format!("{value} is outside {least} to {most}")))
}

pub(super) fn coins(at: &str, raw: &RawFollow) -> Result<(), ConfigError> {
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

/// `0x` and 40 hex digits of any case.
pub(super) fn parse_address(setting: &str, text: &str) -> Result<Address, ConfigError> {
    let wrong = || ConfigError::new(setting, format!("{text:?} is not an address: 0x and 40 hex digits"));
    let address = Address::parse(text.as_bytes()).ok_or_else(wrong)?;
    if address == Address([0; 20]) {
        return Err(ConfigError::new(setting, "is the zero address: give the account's own"));
    }
    Ok(address)
}

pub(super) fn index<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u32> {
    names.zip(0u32..).collect()
}

pub(super) fn find(setting: &str, index: &BTreeMap<&str, u32>, name: &str, what: &str) -> Result<u32, ConfigError> {
    index.get(name).copied().ok_or_else(|| ConfigError::new(setting, format!("{name:?} is no {what}'s name")))
}
