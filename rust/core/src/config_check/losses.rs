//! Limits of losses: each above zero, and what happens at one only where there is one.
use super::values::limit;
use crate::config::{ConfigError, RawOnTrip};
use crate::risk::latches::LossLimits;

/// A larger share is no limit.
const MOST_BPS: u32 = 10_000;

pub(super) fn check_losses(
    at: &str,
    daily: Option<&str>,
    drawdown: Option<&str>,
    drawdown_bps: Option<u32>,
    on_trip: Option<RawOnTrip>,
) -> Result<LossLimits, ConfigError> {
    if let Some(bps) = drawdown_bps.filter(|bps| !(1..=MOST_BPS).contains(bps)) {
        let problem = format!("{bps} is outside 1 to {MOST_BPS} basis points: leave it out for no limit");
        return Err(ConfigError::new(format!("{at}.max_drawdown_bps"), problem));
    }
    let limits = LossLimits {
        daily: limit(at, "max_daily_loss_usd", daily)?,
        drawdown: limit(at, "max_drawdown_usd", drawdown)?,
        drawdown_bps,
        flattens: on_trip == Some(RawOnTrip::Flatten),
    };
    if on_trip.is_some() && limits.is_none() {
        let problem = "is only for a limit of losses: set max_daily_loss_usd or max_drawdown_usd, or leave it out";
        return Err(ConfigError::new(format!("{at}.on_trip"), problem));
    }
    Ok(limits)
}
