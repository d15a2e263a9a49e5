//! Leaders: named once, each address once.
use super::register::Register;
use super::values::parse_address;
use crate::config::{ConfigError, RawLeader};
use crate::wire::Address;

/// An address to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLeader {
    /// Its name.
    pub name: String,
    /// Its account.
    pub address: Address,
    /// It is not copied any more; its place stays.
    pub removed: bool,
}

pub(super) fn check_leader(at: &str, raw: &RawLeader, names: &mut Register) -> Result<CheckedLeader, ConfigError> {
    names.name(at, &raw.name)?;
    let address = parse_address(&format!("{at}.address"), &raw.address)?;
    names.account(&format!("{at}.address"), address)?;
    Ok(CheckedLeader { name: raw.name.clone(), address, removed: raw.removed })
}
