//! What makes settings usable: each value in range, each name known, no account following itself through others.
use std::collections::BTreeMap;

use crate::config::{Config, ConfigError, RawConfig, RawExisting, RawFollow, RawFollower, RawMode};
use crate::num::{Px, Usd};
use crate::wire::Address;

/// Units of a ratio of one: finer than eight decimals, so that a small equity ratio keeps its digits.
pub const RATIO_SCALE: i64 = 1_000_000_000_000;
/// A larger ratio, weight or notional is a slip of the pen.
const MAX_RATIO: i64 = 1_000;
const MAX_NOTIONAL_USD: i64 = 1_000_000_000;

/// An address to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedLeader {
    /// Its name.
    pub name: String,
    /// Its account.
    pub address: Address,
}

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
    /// How far from the entry a stop rests at the venue; `None`: there is none.
    pub disaster_stop_bps: Option<u32>,
}

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

pub(crate) fn check(raw: RawConfig) -> Result<Config, ConfigError> {
    check_engine(&raw)?;
    let mut names = Register::default();
    let leaders = raw
        .leaders
        .iter()
        .enumerate()
        .map(|(i, leader)| {
            let at = format!("leaders[{i}]");
            names.name(&at, &leader.name)?;
            let address = parse_address(&format!("{at}.address"), &leader.address)?;
            names.account(&format!("{at}.address"), address)?;
            Ok(CheckedLeader { name: leader.name.clone(), address })
        })
        .collect::<Result<Vec<_>, ConfigError>>()?;
    names.begin_followers();
    let followers = raw
        .followers
        .iter()
        .enumerate()
        .map(|(i, follower)| check_follower(&format!("followers[{i}]"), follower, &mut names))
        .collect::<Result<Vec<_>, ConfigError>>()?;
    let leader_ix = index(leaders.iter().map(|leader| leader.name.as_str()));
    let follower_ix = index(followers.iter().map(|follower| follower.name.as_str()));
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
        follows.push(check_follow(&at, follow, leader, follower)?);
    }
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

fn check_follower(at: &str, raw: &RawFollower, names: &mut Register) -> Result<CheckedFollower, ConfigError> {
    names.name(at, &raw.name)?;
    let account = parse_address(&format!("{at}.account"), &raw.account)?;
    names.account(&format!("{at}.account"), account)?;
    let agent = parse_address(&format!("{at}.agent"), &raw.agent)?;
    names.agent(&format!("{at}.agent"), agent)?;
    Ok(CheckedFollower {
        name: raw.name.clone(),
        account,
        agent,
        vault: raw.vault,
        max_order: limit(at, "max_order_usd", raw.max_order_usd.as_deref())?,
        max_position: limit(at, "max_position_usd", raw.max_position_usd.as_deref())?,
        max_gross: limit(at, "max_gross_usd", raw.max_gross_usd.as_deref())?,
        disaster_stop_bps: raw.disaster_stop_bps.map(|bps| stop_distance(at, bps)).transpose()?,
    })
}

fn check_follow(at: &str, raw: &RawFollow, leader: u32, follower: u32) -> Result<CheckedFollow, ConfigError> {
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

fn stop_distance(at: &str, bps: u32) -> Result<u32, ConfigError> {
    // Nearer than 1 % it would fire in the course of a day; further than 90 % there is next to nothing left to save.
    if (100..=9_000).contains(&bps) {
        return Ok(bps);
    }
    let problem = format!("{bps} is outside 100 to 9000 basis points: leave it out for no stop");
    Err(ConfigError::new(format!("{at}.disaster_stop_bps"), problem))
}

fn band(at: &str, name: &str, bps: u32, least: u32) -> Result<u32, ConfigError> {
    // The venue refuses prices more than 80 % from its reference; half of that leaves room for its own move.
    if (least..=4_000).contains(&bps) {
        return Ok(bps);
    }
    Err(ConfigError::new(format!("{at}.{name}"), format!("{bps} is outside {least} to 4000 basis points")))
}

fn limit(at: &str, name: &str, text: Option<&str>) -> Result<Option<Usd>, ConfigError> {
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

fn ratio(at: &str, name: &str, text: Option<&str>) -> Result<i64, ConfigError> {
    let setting = || format!("{at}.{name}");
    let text = text.unwrap_or_default();
    let units =
        Px::parse(text.as_bytes()).map_err(|error| ConfigError::new(setting(), format!("{text:?}: {error}")))?.raw();
    if units == 0 || units > MAX_RATIO.saturating_mul(100_000_000) {
        return Err(ConfigError::new(setting(), format!("{text} is outside 0 (not included) to {MAX_RATIO}")));
    }
    units.checked_mul(RATIO_SCALE / 100_000_000).ok_or_else(|| ConfigError::new(setting(), "is out of range"))
}

/// `0x` and 40 hex digits of any case.
pub(crate) fn parse_address(setting: &str, text: &str) -> Result<Address, ConfigError> {
    let wrong = || ConfigError::new(setting, format!("{text:?} is not an address: 0x and 40 hex digits"));
    let address = Address::parse(text.as_bytes()).ok_or_else(wrong)?;
    if address == Address([0; 20]) {
        return Err(ConfigError::new(setting, "is the zero address: give the account's own"));
    }
    Ok(address)
}

fn index<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u32> {
    names.zip(0u32..).collect()
}

fn find(setting: &str, index: &BTreeMap<&str, u32>, name: &str, what: &str) -> Result<u32, ConfigError> {
    index.get(name).copied().ok_or_else(|| ConfigError::new(setting, format!("{name:?} is no {what}'s name")))
}

/// Names and addresses taken so far, whatever their case.
#[derive(Default)]
struct Register {
    names: BTreeMap<String, String>,
    addresses: BTreeMap<Address, (String, bool)>,
}

impl Register {
    fn name(&mut self, at: &str, name: &str) -> Result<(), ConfigError> {
        if name.is_empty() || name.len() > 64 {
            return Err(ConfigError::new(format!("{at}.name"), "must have 1 to 64 characters"));
        }
        match self.names.insert(name.to_lowercase(), at.to_owned()) {
            Some(first) => Err(ConfigError::new(
                format!("{at}.name"),
                format!("{name:?} is also the name of {first}: names differ in more than case"),
            )),
            None => Ok(()),
        }
    }

    /// A leader and a follower may share a name, two of a kind may not.
    fn begin_followers(&mut self) {
        self.names.clear();
    }

    fn account(&mut self, setting: &str, address: Address) -> Result<(), ConfigError> {
        self.take(setting, address, false)
    }

    fn agent(&mut self, setting: &str, address: Address) -> Result<(), ConfigError> {
        self.take(setting, address, true)
    }

    fn take(&mut self, setting: &str, address: Address, agent: bool) -> Result<(), ConfigError> {
        let Some((first, first_agent)) = self.addresses.insert(address, (setting.to_owned(), agent)) else {
            return Ok(());
        };
        let problem = match (first_agent, agent) {
            (true, true) => format!("is also {first}: each follower needs its own agent, one nonce counter each"),
            (false, false) if first.starts_with("leaders") != setting.starts_with("leaders") => {
                format!("is also {first}: an account that copies is never copied (no cycles)")
            }
            (false, false) => format!("is also {first}: list each account once"),
            _ => format!("is also {first}: an agent's address is never an account's"),
        };
        Err(ConfigError::new(setting, problem))
    }
}
