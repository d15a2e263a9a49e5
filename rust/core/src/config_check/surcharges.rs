//! What orders may pay beside the venue's fee.
use super::values::{parse_address, within};
use crate::config::{ConfigError, RawBuilder, RawFollower};
use crate::wire::{Address, Builder};

/// Venue rule: a builder takes at most 0.1 % on perps, and bids beyond 8 basis points only order what is in one bucket.
const MOST_BUILDER_TENTHS_BPS: u32 = 100;
const MOST_PRIORITY_BPS: u32 = 8;

pub(super) fn check_builder(raw: Option<&RawBuilder>) -> Result<Option<Builder>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let address: Address = parse_address("builder.address", &raw.address)?;
    let fee = within("builder", "fee_tenths_bps", raw.fee_tenths_bps, 1, MOST_BUILDER_TENTHS_BPS)?;
    Ok(Some(Builder { address, fee }))
}

/// The follower's own fee in the place of everybody's; 0: its orders name no builder.
pub(super) fn builder_of(at: &str, raw: &RawFollower, all: Option<Builder>) -> Result<Option<Builder>, ConfigError> {
    match (raw.builder_fee_tenths_bps, all) {
        (None, all) => Ok(all),
        (Some(_), None) => Err(ConfigError::new(
            format!("{at}.builder_fee_tenths_bps"),
            "has nobody to go to: write [builder] with its address, or remove it",
        )),
        (Some(fee), Some(builder)) => {
            let fee = within(at, "builder_fee_tenths_bps", fee, 0, MOST_BUILDER_TENTHS_BPS)?;
            Ok((fee > 0).then_some(Builder { fee, ..builder }))
        }
    }
}

pub(super) fn priority_of(at: &str, raw: &RawFollower) -> Result<Option<u32>, ConfigError> {
    raw.max_priority_bps.map(|bps| within(at, "max_priority_bps", bps, 1, MOST_PRIORITY_BPS)).transpose()
}
