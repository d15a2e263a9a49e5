//! The settings, checked once. The JSON is that of `hlfast.config.model.Config`; unknown fields are refused.
use serde::Deserialize;
use serde_json::Value;

use crate::config_check::{CheckedFollow, CheckedFollower, CheckedLeader, check};
use crate::config_merge::is_removed;
use crate::sign::Chain;

/// A setting that can't be used, by its full name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// Where, as in `follows[2].ratio`.
    pub setting: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl ConfigError {
    /// An error for one setting.
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> ConfigError {
        ConfigError { setting: setting.into(), problem: problem.into() }
    }
}

/// Which network signatures are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real money.
    Mainnet,
    /// Testnet and every simulator.
    Testnet,
}

impl Network {
    /// As signing names it.
    #[must_use]
    pub const fn chain(self) -> Chain {
        match self {
            Network::Mainnet => Chain::Mainnet,
            Network::Testnet => Chain::Testnet,
        }
    }
}

/// Whether the core keeps within the venue's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limits {
    /// Yes.
    Venue,
    /// No: benches, demo, tests.
    Off,
}

/// Where the venue is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct Venue {
    pub base_url: String,
    pub ws_url: Option<String>,
    pub limits: Limits,
    pub dexs: Vec<String>,
}

/// How the hot path runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct EngineSettings {
    pub user_connections: u32,
    pub tape_connections: u32,
    pub lane_connections: u32,
    pub http_lane: bool,
    pub tape: bool,
    pub busy_poll: bool,
    pub presign: bool,
    pub pool_depth: u32,
    pub ping_ms: u64,
    pub stall_ms: u64,
    pub reconcile_ms: u64,
}

/// When a record is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Before its bytes leave.
    Durable,
    /// At most 10 ms after; survives kill -9, not power loss.
    Relaxed,
}

/// Where decisions are written down.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct Journal {
    pub directory: String,
    pub durability: Durability,
    pub snapshot_every: u64,
}

/// One keystore file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct Keystore {
    pub path: String,
    pub passphrase_file: String,
}

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct Keys {
    pub credentials_directory: Option<String>,
    pub keystores: Vec<Keystore>,
    pub env: Vec<String>,
    pub force_env_on_mainnet: bool,
}

/// The Prometheus endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in hlfast.config.model")]
pub struct Metrics {
    pub enabled: bool,
    pub host: String,
    pub port: u16,
}

/// A number of times, or a word for it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawLeverage {
    Times(u32),
    Word(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMargin {
    Mirror,
    Cross,
    Isolated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMarkets {
    Perps,
    Spot,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawManual {
    Block,
    Allow,
}

/// Who gets a share of every fee.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBuilder {
    pub address: String,
    pub fee_tenths_bps: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLeader {
    pub name: String,
    pub address: String,
    pub impact_percent: Option<u32>,
    pub max_followers: Option<u32>,
    #[serde(default)]
    pub removed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawOnTrip {
    CloseOnly,
    Flatten,
}

/// What becomes of a follow's part when the venue liquidates or deleverages its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawOnLiquidation {
    Close,
    Follow,
    Hold,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFollower {
    pub name: String,
    pub account: String,
    pub agent: String,
    pub vault: bool,
    pub max_order_usd: Option<String>,
    pub max_position_usd: Option<String>,
    pub max_gross_usd: Option<String>,
    pub max_gross_leverage: Option<String>,
    pub disaster_stop_bps: Option<u32>,
    pub leverage: Option<RawLeverage>,
    pub margin: Option<RawMargin>,
    pub max_leverage: Option<u32>,
    pub manual: Option<RawManual>,
    pub builder_fee_tenths_bps: Option<u32>,
    pub max_priority_bps: Option<u32>,
    pub execution: Option<RawExecution>,
    pub max_daily_loss_usd: Option<String>,
    pub max_drawdown_usd: Option<String>,
    pub max_drawdown_bps: Option<u32>,
    pub on_trip: Option<RawOnTrip>,
    #[serde(default)]
    pub removed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawStyle {
    Immediate,
    Twap,
    NativeTwap,
    Smart,
}

impl RawStyle {
    pub const fn name(self) -> &'static str {
        match self {
            RawStyle::Immediate => "immediate",
            RawStyle::Twap => "twap",
            RawStyle::NativeTwap => "native_twap",
            RawStyle::Smart => "smart",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExecution {
    pub style: RawStyle,
    pub seconds: Option<u32>,
    pub slices: Option<u32>,
    pub jitter_percent: Option<u32>,
    pub depth_percent: Option<u32>,
    pub passive_ms: Option<u32>,
    pub improvement_bps: Option<u32>,
    pub randomize: Option<bool>,
    pub max_slippage_bps: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMode {
    Ratio,
    Equity,
    Notional,
    Risk,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawSide {
    #[default]
    Both,
    Long,
    Short,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawWindow {
    Day,
    Week,
    Month,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawExisting {
    Ignore,
    Adopt,
    AdoptWithin,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFollow {
    pub leader: String,
    pub follower: String,
    pub mode: RawMode,
    pub ratio: Option<String>,
    pub weight: Option<String>,
    pub notional_usd: Option<String>,
    pub risk_bps: Option<u32>,
    pub volatility_days: Option<u32>,
    pub risk_max_leverage: Option<String>,
    pub scale_adds: bool,
    pub rebalance_hours: Option<u32>,
    pub rebalance_drift_percent: Option<String>,
    #[serde(default)]
    pub inverse: bool,
    pub markets: Option<RawMarkets>,
    #[serde(default)]
    pub round_up: bool,
    pub round_up_max_usd: Option<String>,
    pub existing: RawExisting,
    pub adopt_band_bps: Option<u32>,
    pub coins_allow: Option<Vec<String>>,
    pub coins_block: Vec<String>,
    pub min_value_usd: Option<String>,
    pub max_value_usd: Option<String>,
    #[serde(default)]
    pub side: RawSide,
    pub hours: Option<Vec<String>>,
    pub hours_zone: Option<String>,
    pub delay_ms: Option<u64>,
    pub max_leader_leverage: Option<String>,
    pub min_listed_days: Option<u32>,
    pub min_day_volume_usd: Option<String>,
    pub min_open_interest_usd: Option<String>,
    pub min_depth_usd: Option<String>,
    pub max_depth_percent: Option<u32>,
    pub quality_window: Option<RawWindow>,
    #[serde(default)]
    pub only_profitable: bool,
    pub max_leader_drawdown_bps: Option<u32>,
    pub max_order_usd: Option<String>,
    pub max_position_usd: Option<String>,
    pub max_gross_usd: Option<String>,
    pub max_age_ms: u64,
    pub entry_band_bps: u32,
    pub reduce_band_bps: u32,
    pub emergency_band_bps: u32,
    pub max_daily_loss_usd: Option<String>,
    pub max_drawdown_usd: Option<String>,
    pub on_trip: Option<RawOnTrip>,
    pub on_liquidation: Option<RawOnLiquidation>,
    #[serde(default)]
    pub removed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawZone {
    pub name: String,
    pub offsets: Vec<(i64, i32)>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawConfig {
    pub network: Network,
    pub venue: Venue,
    pub journal: Journal,
    pub leaders: Vec<RawLeader>,
    pub followers: Vec<RawFollower>,
    pub follows: Vec<RawFollow>,
    #[serde(default)]
    pub zones: Vec<RawZone>,
    pub engine: EngineSettings,
    pub keys: Keys,
    pub metrics: Metrics,
    pub builder: Option<RawBuilder>,
}

/// Everything the engine needs, valid by construction.
#[derive(Debug, Clone)]
pub struct Config {
    /// Network of signatures.
    pub network: Network,
    /// Where the venue is.
    pub venue: Venue,
    /// Where decisions are written down.
    pub journal: Journal,
    /// How the hot path runs.
    pub engine: EngineSettings,
    /// Where keys are.
    pub keys: Keys,
    /// The Prometheus endpoint.
    pub metrics: Metrics,
    /// Leaders, in the order of the settings.
    pub leaders: Vec<CheckedLeader>,
    /// Followers, in the order of the settings.
    pub followers: Vec<CheckedFollower>,
    /// Edges, in the order of the settings.
    pub follows: Vec<CheckedFollow>,
    pub(crate) settings: Value,
}

impl Config {
    /// Reads and checks the JSON of `hlfast.config.model.Config`.
    ///
    /// # Errors
    /// The first setting that is missing, unknown or wrong, by name.
    pub fn from_json(json: &[u8]) -> Result<Config, ConfigError> {
        let settings: Value =
            serde_json::from_slice(json).map_err(|error| ConfigError::new("configuration", error.to_string()))?;
        for name in ["leaders", "followers", "follows"] {
            let rows = settings.get(name).and_then(Value::as_array);
            if let Some(at) = rows.and_then(|rows| rows.iter().position(is_removed)) {
                return Err(ConfigError::new(
                    format!("{name}[{at}].removed"),
                    "is not for settings: leave the row out",
                ));
            }
        }
        Config::from_merged(settings)
    }

    /// Reads and checks settings that may keep places of what was removed: those of a running engine.
    ///
    /// # Errors
    /// As for [`Config::from_json`].
    pub fn from_merged(settings: Value) -> Result<Config, ConfigError> {
        let raw =
            RawConfig::deserialize(&settings).map_err(|error| ConfigError::new("configuration", error.to_string()))?;
        check(raw, settings)
    }

    /// The settings as they were given, with the places of what was removed.
    #[must_use]
    pub fn settings(&self) -> &Value {
        &self.settings
    }
}
