//! A TWAP that the venue runs by itself.
use serde::{Deserialize, Serialize};

/// What the engine knows of it beside its action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twap {
    /// Signed size that was asked for, in 10^-8.
    pub size: i64,
    /// How long it runs.
    pub minutes: u32,
    /// The venue moves its slices.
    pub randomize: bool,
    /// The venue's number; `None`: not known (yet).
    pub id: Option<u64>,
    /// So much of it is in the engine's position, in 10^-8 without sign.
    pub executed: i64,
    /// What that cost, in 10^-6 dollars.
    pub value: i64,
    /// Slices up to this time are in it.
    pub counted_ms: u64,
    /// When it is to be over.
    pub until_ms: u64,
    /// When it is asked whether it still runs.
    pub look_ms: u64,
    /// The target is another one now: it is to be cancelled.
    pub unwanted: bool,
}

impl Twap {
    /// How long it runs, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        u64::from(self.minutes).saturating_mul(60_000)
    }

    /// One that is about to be sent.
    #[must_use]
    pub const fn new(size: i64, minutes: u32, randomize: bool) -> Twap {
        Twap {
            size,
            minutes,
            randomize,
            id: None,
            executed: 0,
            value: 0,
            counted_ms: 0,
            until_ms: 0,
            look_ms: 0,
            unwanted: false,
        }
    }
}
