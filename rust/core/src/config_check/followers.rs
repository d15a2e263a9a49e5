//! Followers: one account and one agent each, and what the account may hold.
use super::execution::{check_execution, check_native};
use super::lending::{Lending, lending_of};
use super::losses::check_losses;
use super::register::Register;
use super::surcharges::{builder_of, priority_of};
use super::values::{factor, limit, parse_address};
use crate::config::{ConfigError, RawFollower, RawManual};
use crate::copy::pace::Execution;
use crate::num::Usd;
use crate::risk::latches::LossLimits;
use crate::wire::{Address, Builder};

/// An account that copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFollower {
    /// Its name.
    pub name: String,
    /// The account traded for.
    pub account: Address,
    /// The signer.
    pub agent: Address,
    /// The account goes into the hash.
    pub vault: bool,
    /// Cap of one order.
    pub max_order: Option<Usd>,
    /// Cap of one coin's net position.
    pub max_position: Option<Usd>,
    /// Cap of all positions together.
    pub max_gross: Option<Usd>,
    /// Cap of all positions together, in units of `LEVERAGE_SCALE` of what the account is worth.
    pub max_gross_leverage: Option<i64>,
    /// How far from the entry a stop rests at the venue; `None`: there is none.
    pub disaster_stop_bps: Option<u32>,
    /// Coins on which somebody else holds a part are entered all the same.
    pub allows_manual: bool,
    /// How it borrows; `None`: as it does.
    pub lending: Option<Lending>,
    /// Who gets a share of its fees.
    pub builder: Option<Builder>,
    /// The most it bids to be earlier.
    pub max_priority_bps: Option<u32>,
    /// In which portions openings go.
    pub execution: Execution,
    /// What the account may lose.
    pub losses: LossLimits,
    /// It does not copy any more; its place stays.
    pub removed: bool,
}

pub(super) fn check_follower(
    at: &str,
    raw: &RawFollower,
    builder: Option<Builder>,
    names: &mut Register,
) -> Result<CheckedFollower, ConfigError> {
    names.name(at, &raw.name)?;
    let account = parse_address(&format!("{at}.account"), &raw.account)?;
    names.account(&format!("{at}.account"), account)?;
    let agent = parse_address(&format!("{at}.agent"), &raw.agent)?;
    names.agent(&format!("{at}.agent"), agent)?;
    let account = CheckedFollower {
        name: raw.name.clone(),
        account,
        agent,
        vault: raw.vault,
        max_order: limit(at, "max_order_usd", raw.max_order_usd.as_deref())?,
        max_position: limit(at, "max_position_usd", raw.max_position_usd.as_deref())?,
        max_gross: limit(at, "max_gross_usd", raw.max_gross_usd.as_deref())?,
        max_gross_leverage: raw
            .max_gross_leverage
            .as_deref()
            .map(|text| factor(at, "max_gross_leverage", text))
            .transpose()?,
        disaster_stop_bps: raw.disaster_stop_bps.map(|bps| stop_distance(at, bps)).transpose()?,
        allows_manual: raw.manual == Some(RawManual::Allow),
        lending: lending_of(at, raw)?,
        builder: builder_of(at, raw, builder)?,
        max_priority_bps: priority_of(at, raw)?,
        execution: check_execution(at, raw.execution.as_ref())?,
        losses: check_losses(
            at,
            raw.max_daily_loss_usd.as_deref(),
            raw.max_drawdown_usd.as_deref(),
            raw.max_drawdown_bps,
            raw.on_trip,
        )?,
        removed: raw.removed,
    };
    check_native(at, &account)?;
    Ok(account)
}

fn stop_distance(at: &str, bps: u32) -> Result<u32, ConfigError> {
    // Nearer than 1 % it would fire in the course of a day; further than 90 % there is next to nothing left to save.
    if (100..=9_000).contains(&bps) {
        return Ok(bps);
    }
    let problem = format!("{bps} is outside 100 to 9000 basis points: leave it out for no stop");
    Err(ConfigError::new(format!("{at}.disaster_stop_bps"), problem))
}
