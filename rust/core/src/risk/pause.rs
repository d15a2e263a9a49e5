//! What an operator, a liquidation or a loss forbids, and for how long: until an operator says otherwise.
use serde::{Deserialize, Serialize};

/// How far a pause goes. Ordered: each forbids what the one before it does, and where several hold, the last one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// No increases; reductions go on.
    #[default]
    CloseOnly,
    /// No increases, and what is held is closed.
    Flatten,
    /// Nothing is sent. What the leader closes meanwhile is closed when the freeze ends.
    Freeze,
}

impl Pause {
    /// Every kind, in order.
    pub const ALL: [Pause; 3] = [Pause::CloseOnly, Pause::Flatten, Pause::Freeze];

    /// The name used in requests, the status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Pause::CloseOnly => "close_only",
            Pause::Flatten => "flatten",
            Pause::Freeze => "freeze",
        }
    }
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// How far it goes.
    pub kind: Pause,
    /// Since when, venue time.
    pub since_ms: u64,
    /// What the operator gave as the reason; may be empty.
    pub why: String,
}
