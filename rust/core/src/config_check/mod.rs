//! What makes settings usable: each value in range, each name known, no account following itself through others.
mod execution;
mod filters;
mod followers;
mod follows;
mod hours;
mod leaders;
mod lending;
mod losses;
mod markets;
mod mode;
mod rebalance;
mod register;
mod surcharges;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Config, ConfigError, Limits, RawConfig};
use execution::check_native_follow;
use followers::check_follower;
use follows::check_follow;
use hours::check_zones;
use leaders::{check_followed, check_leader};
use markets::check_watched;
use register::Register;
use surcharges::check_builder;
use values::{find, index};

pub use filters::{DAY_MS, Filters, LEVERAGE_SCALE, Quality, Side, Window};
pub use followers::CheckedFollower;
pub use follows::{CheckedFollow, Existing, OnLiquidation};
pub use hours::{Hours, Zone};
pub use leaders::CheckedLeader;
pub use lending::Lending;
pub use markets::Markets;
pub use mode::Mode;
pub use rebalance::Rebalance;
pub use values::RATIO_SCALE;

/// `settings`: what `raw` was read from.
pub(crate) fn check(raw: RawConfig, settings: Value) -> Result<Config, ConfigError> {
    check_engine(&raw)?;
    let mut names = Register::default();
    let leaders = raw
        .leaders
        .iter()
        .enumerate()
        .map(|(i, leader)| check_leader(&format!("leaders[{i}]"), leader, names.unless(leader.removed)))
        .collect::<Result<Vec<_>, ConfigError>>()?;
    names.begin_followers();
    let builder = check_builder(raw.builder.as_ref())?;
    let followers = raw
        .followers
        .iter()
        .enumerate()
        .map(|(i, follower)| {
            check_follower(&format!("followers[{i}]"), follower, builder, names.unless(follower.removed))
        })
        .collect::<Result<Vec<_>, ConfigError>>()?;
    let leader_ix = index(leaders.iter().map(|leader| leader.name.as_str()));
    let follower_ix = index(followers.iter().map(|follower| follower.name.as_str()));
    let zones = check_zones(&raw.zones)?;
    let mut seen = BTreeMap::new();
    let mut follows = Vec::with_capacity(raw.follows.len());
    for (i, follow) in raw.follows.iter().enumerate() {
        let at = format!("follows[{i}]");
        let leader = find(&format!("{at}.leader"), &leader_ix, &follow.leader, "leader")?;
        let follower = find(&format!("{at}.follower"), &follower_ix, &follow.follower, "follower")?;
        if let Some(first) = seen.insert((leader, follower), i) {
            return Err(ConfigError::new(
                at,
                format!("repeats follows[{first}]: keep one edge per leader and follower"),
            ));
        }
        let follow = check_follow(&at, follow, leader, follower, &zones)?;
        if raw.venue.limits == Limits::Venue && !follow.removed {
            let before = raw.leaders.iter().take(leader as usize).filter(|leader| !leader.removed).count();
            check_watched(&at, follow.markets, before)?;
        }
        if followers.get(follower as usize).is_some_and(|account| account.execution.is_native()) {
            check_native_follow(&at, &follow)?;
        }
        let shares = leaders.get(leader as usize).is_some_and(|leader| leader.impact_percent.is_some());
        if shares && follow.filters.delay_ms > 0 && !follow.removed {
            let problem = "can't wait: its leader's impact_percent bounds what one event takes at once";
            return Err(ConfigError::new(format!("{at}.delay_ms"), problem));
        }
        follows.push(follow);
    }
    check_followed(&raw.leaders, &follows)?;
    Ok(Config {
        network: raw.network,
        venue: raw.venue,
        journal: raw.journal,
        engine: raw.engine,
        keys: raw.keys,
        metrics: raw.metrics,
        leaders,
        followers,
        follows,
        settings,
    })
}

fn check_engine(raw: &RawConfig) -> Result<(), ConfigError> {
    let e = &raw.engine;
    let within = |name: &str, value: u64, low: u64, high: u64| {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        Err(ConfigError::new(name, format!("{value} is outside {low} to {high}")))
    };
    // The venue takes ten connections per source address in all.
    within("engine.user_connections", e.user_connections.into(), 1, 10)?;
    within("engine.tape_connections", e.tape_connections.into(), 0, 10)?;
    within("engine.lane_connections", e.lane_connections.into(), 0, 64)?;
    within("engine.pool_depth", e.pool_depth.into(), 1, 4_096)?;
    // The venue closes a connection after 60 s of its own silence.
    within("engine.ping_ms", e.ping_ms, 100, 50_000)?;
    within("engine.stall_ms", e.stall_ms, 100, 600_000)?;
    within("engine.reconcile_ms", e.reconcile_ms, 100, 3_600_000)?;
    within("journal.snapshot_every", raw.journal.snapshot_every, 1, 1_000_000_000)?;
    if e.lane_connections == 0 && !e.http_lane {
        return Err(ConfigError::new(
            "engine.lane_connections",
            "0 without http_lane leaves no way out: set one of them",
        ));
    }
    if e.tape && e.tape_connections == 0 {
        return Err(ConfigError::new("engine.tape_connections", "0 while tape is on: set at least 1, or tape = false"));
    }
    if raw.venue.base_url.is_empty() {
        return Err(ConfigError::new("venue.base_url", "is empty: give the venue's URL"));
    }
    if raw.journal.directory.is_empty() {
        return Err(ConfigError::new("journal.directory", "is empty: give a directory on a disk file system"));
    }
    Ok(())
}
