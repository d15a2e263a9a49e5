//! Leaders: named once, each address once.
use super::follows::CheckedFollow;
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

/// Followers move the market that they buy in: a leader has as many as its books bear.
pub(super) fn check_followed(raw: &[RawLeader], follows: &[CheckedFollow]) -> Result<(), ConfigError> {
    let mut counts = vec![0u32; raw.len()];
    for edge in follows.iter().filter(|edge| !edge.removed) {
        if let Some(count) = counts.get_mut(edge.leader as usize) {
            *count = count.saturating_add(1);
        }
    }
    for (at, (leader, count)) in raw.iter().zip(counts).enumerate() {
        if let Some(most) = leader.max_followers.filter(|most| count > *most) {
            let problem = format!("is {most}, and {count} follow it: leave some out, or raise it");
            return Err(ConfigError::new(format!("leaders[{at}].max_followers"), problem));
        }
    }
    Ok(())
}

pub(super) fn check_leader(at: &str, raw: &RawLeader, names: &mut Register) -> Result<CheckedLeader, ConfigError> {
    names.name(at, &raw.name)?;
    let address = parse_address(&format!("{at}.address"), &raw.address)?;
    names.account(&format!("{at}.address"), address)?;
    if raw.max_followers == Some(0) {
        return Err(ConfigError::new(format!("{at}.max_followers"), "0 would allow nobody: leave it out for no limit"));
    }
    let impact_percent = raw.impact_percent.map(|percent| within(at, "impact_percent", percent, 1, MAX_PERCENT));
    let (name, impact_percent) = (raw.name.clone(), impact_percent.transpose()?);
    Ok(CheckedLeader { name, address, impact_percent, removed: raw.removed })
}
