//! The edges: how an entry is sized, what gates it, how far its prices may go.
use std::sync::Arc;

use super::filters::{Filters, check_filters};
use super::hours::Zone;
use super::leaders::MAX_PERCENT;
use super::losses::check_losses;
use super::markets::{Markets, check_markets};
use super::mode::{Mode, check_mode, check_round_up};
use super::rebalance::{Rebalance, check_rebalance};
use super::values::{band, limit, within};
use crate::config::{ConfigError, RawExisting, RawFollow, RawOnLiquidation};
use crate::num::Usd;
use crate::risk::latches::LossLimits;

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

/// What becomes of a part when the venue liquidates or deleverages its leader (rule 30).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLiquidation {
    /// It is closed at once, and nothing more is opened after the leader until an operator resumes it.
    Close,
    /// As any other reduction.
    Follow,
    /// It stays as it is, and nothing more is opened after the leader until an operator resumes it.
    Hold,
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
    /// When an open position's ratio is taken anew.
    pub rebalance: Rebalance,
    /// The follower takes the other side.
    pub inverse: bool,
    /// Which kinds of markets.
    pub markets: Markets,
    /// Positions from before.
    pub existing: Existing,
    /// What an increase must pass.
    pub filters: Filters,
    /// An entry below the venue's minimum is raised to it by at most this; `None`: it waits.
    pub round_up_max: Option<Usd>,
    /// Cap of this edge's part of one order.
    pub max_order: Option<Usd>,
    /// Cap of one increase: a part of what the book offers at its best price, in percent.
    pub max_depth_percent: Option<u32>,
    /// Cap of this edge's part of one coin.
    pub max_position: Option<Usd>,
    /// Cap of this edge's parts of all coins together.
    pub max_gross: Option<Usd>,
    /// An older entry expires.
    pub max_age_ms: u64,
    /// Around the leader's price.
    pub entry_band_bps: u32,
    /// Around the best quote.
    pub reduce_band_bps: u32,
    /// When it must go.
    pub emergency_band_bps: u32,
    /// What its part may lose.
    pub losses: LossLimits,
    /// What becomes of its part when the venue liquidates the leader.
    pub on_liquidation: OnLiquidation,
    /// It is not followed any more: what it holds goes as the leader reduces it.
    pub removed: bool,
}

pub(super) fn check_follow(
    at: &str,
    raw: &RawFollow,
    leader: u32,
    follower: u32,
    zones: &[Arc<Zone>],
) -> Result<CheckedFollow, ConfigError> {
    let reduce_band_bps = band(at, "reduce_band_bps", raw.reduce_band_bps, 1)?;
    let emergency_band_bps = band(at, "emergency_band_bps", raw.emergency_band_bps, 1)?;
    if emergency_band_bps < reduce_band_bps {
        return Err(ConfigError::new(
            format!("{at}.emergency_band_bps"),
            "is below reduce_band_bps: an emergency must reach further",
        ));
    }
    let mode = check_mode(at, raw)?;
    Ok(CheckedFollow {
        leader,
        follower,
        mode,
        rebalance: check_rebalance(at, raw, mode)?,
        inverse: raw.inverse,
        markets: check_markets(at, raw)?,
        existing: check_existing(at, raw)?,
        filters: check_filters(at, raw, zones)?,
        round_up_max: check_round_up(at, raw)?,
        max_order: limit(at, "max_order_usd", raw.max_order_usd.as_deref())?,
        max_depth_percent: raw
            .max_depth_percent
            .map(|percent| within(at, "max_depth_percent", percent, 1, MAX_PERCENT))
            .transpose()?,
        max_position: limit(at, "max_position_usd", raw.max_position_usd.as_deref())?,
        max_gross: limit(at, "max_gross_usd", raw.max_gross_usd.as_deref())?,
        max_age_ms: within(at, "max_age_ms", raw.max_age_ms, 1, 3_600_000)?,
        entry_band_bps: band(at, "entry_band_bps", raw.entry_band_bps, 0)?,
        reduce_band_bps,
        emergency_band_bps,
        losses: check_losses(
            at,
            raw.max_daily_loss_usd.as_deref(),
            raw.max_drawdown_usd.as_deref(),
            None,
            raw.on_trip,
        )?,
        on_liquidation: match raw.on_liquidation {
            None | Some(RawOnLiquidation::Close) => OnLiquidation::Close,
            Some(RawOnLiquidation::Follow) => OnLiquidation::Follow,
            Some(RawOnLiquidation::Hold) => OnLiquidation::Hold,
        },
        removed: raw.removed,
    })
}

fn check_existing(at: &str, raw: &RawFollow) -> Result<Existing, ConfigError> {
    match (raw.existing, raw.adopt_band_bps) {
        (RawExisting::Ignore, None) => Ok(Existing::Ignore),
        (RawExisting::Adopt, None) => Ok(Existing::Adopt),
        (RawExisting::AdoptWithin, Some(bps)) => Ok(Existing::AdoptWithin(band(at, "adopt_band_bps", bps, 1)?)),
        (RawExisting::AdoptWithin, None) => {
            Err(ConfigError::new(format!("{at}.adopt_band_bps"), "is missing: existing = \"adopt_within\" needs it"))
        }
        (_, Some(_)) => {
            Err(ConfigError::new(format!("{at}.adopt_band_bps"), "is only for existing = \"adopt_within\": remove it"))
        }
    }
}
