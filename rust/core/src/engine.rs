//! The one door: an event comes in, commands go out.
use crate::commands::{CoinId, Commands};
use crate::config::{Config, ConfigError};
use crate::event::{Event, FrameClass};
use crate::wire::Address;

/// A snapshot that is not of this engine or this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("snapshot: {0}")]
pub struct StateError(pub &'static str);

/// All state of one process, moved only by `step`.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    signers: Vec<Address>,
}

impl Engine {
    /// An engine with no history.
    ///
    /// # Errors
    /// A setting that the engine can't work with.
    pub fn new(config: Config) -> Result<Engine, ConfigError> {
        let signers = config.followers.iter().map(|follower| follower.agent).collect();
        Ok(Engine { config, signers })
    }

    /// Moves the state by one event. `now_ms` is the estimated venue time in Unix milliseconds; the core draws no entropy of
    /// its own. The same state, event, time, entropy and context give the same commands.
    pub fn step(&mut self, event: &Event<'_>, now_ms: u64, entropy: u64, out: &mut Commands) -> FrameClass {
        out.clear();
        let _ = (event, now_ms, entropy);
        FrameClass::Other
    }

    /// At replay, before each `step`: gives back the `Commands::context` that was journalled beside the event.
    ///
    /// # Errors
    /// When the bytes are no context.
    pub fn restore_context(&mut self, context: &[u8]) -> Result<(), StateError> {
        if context.is_empty() { Ok(()) } else { Err(StateError("unknown context")) }
    }

    /// Appends the whole state. The encoding starts with a version.
    pub fn encode_state(&self, out: &mut Vec<u8>) {
        out.push(1);
    }

    /// Replaces the state by an encoded one of the same configuration.
    ///
    /// # Errors
    /// When the bytes are torn, of another version, or of another configuration.
    pub fn decode_state(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        if bytes == [1] { Ok(()) } else { Err(StateError("unknown version")) }
    }

    /// Takes REST weight for a read of the shell; false means wait. Not a decision, so not journalled.
    pub fn reserve_weight(&mut self, weight: u32, now_ms: u64) -> bool {
        let _ = (weight, now_ms);
        true
    }

    /// Agent addresses; `Attempt::signer` is an index into these. One per follower, in their order.
    #[must_use]
    pub fn signers(&self) -> &[Address] {
        &self.signers
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A coin's name.
    #[must_use]
    pub fn coin_name(&self, coin: CoinId) -> &str {
        let _ = coin;
        ""
    }

    /// Appends a JSON object: readiness, recovery, leaders, followers, positions, unresolved attempts, lanes, budgets. Cold.
    pub fn write_status(&self, now_ms: u64, out: &mut Vec<u8>) {
        let _ = now_ms;
        out.extend_from_slice(b"{}");
    }
}
