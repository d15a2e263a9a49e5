//! Leaders: named once, each address once.
use super::register::Register;
use super::values::{parse_address, within};
use crate::config::{ConfigError, RawLeader};
use crate::wire::Address;

/// Ten times what the best price offers: beyond it the number bounds nothing.
pub(super) const MAX_PERCENT: u32 = 1_000;

/// An address to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLeader {
    /// Its name.
    pub name: String,
    /// Its account.
    pub address: Address,
    /// What an event's increases of all followers may take together of the book's best price, in percent.
    pub impact_percent: Option<u32>,
    /// It is not copied any more; its place stays.
    pub removed: bool,
}

pub(super) fn check_leader(at: &str, raw: &RawLeader, names: &mut Register) -> Result<CheckedLeader, ConfigError> {
    names.name(at, &raw.name)?;
    let address = parse_address(&format!("{at}.address"), &raw.address)?;
    names.account(&format!("{at}.address"), address)?;
    let impact_percent = raw.impact_percent.map(|percent| within(at, "impact_percent", percent, 1, MAX_PERCENT));
    let (name, impact_percent) = (raw.name.clone(), impact_percent.transpose()?);
    Ok(CheckedLeader { name, address, impact_percent, removed: raw.removed })
}
