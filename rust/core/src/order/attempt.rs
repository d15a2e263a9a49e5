//! An action that was sent and what is known of it.
use serde::{Deserialize, Serialize};

use super::surcharge::Surcharge;
use crate::commands::{AttemptKind, CoinId};
use crate::event::LaneId;

/// An answer later than this is no longer waited for: the outcome is unknown. The venue answers within 1 s (p99).
pub const ANSWER_MS: u64 = 2_000;
/// How long an entry may take to reach the book.
pub const OPEN_TTL_MS: u64 = 3_000;
/// How long a reduction may take: late is better than never.
pub const REDUCE_TTL_MS: u64 = 12_000;
/// A fence lives longer than what it fences.
pub const FENCE_TTL_MS: u64 = 60_000;
/// The venue keeps the 100 highest nonces of a signer; half of that can't let the floor overtake the oldest in flight.
pub const MAX_IN_FLIGHT: u32 = 50;
/// `orderStatus` may lag by this much behind the chain.
pub const LOOKUP_LAG_MS: u64 = 5_000;

/// Whether the venue's not knowing an order, twice, proves that it never was. It does when the last question came after the
/// index had caught up: what counts is when it was asked, for an answer may be made then and arrive much later.
#[must_use]
pub const fn proves_absence(since_ms: u64, misses: u32, asked_ms: u64) -> bool {
    misses >= 2 && asked_ms >= since_ms.saturating_add(LOOKUP_LAG_MS)
}

/// One order of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The coin.
    pub coin: CoinId,
    /// Signed size in 10^-8.
    pub size: i64,
    /// Limit price in 10^-8.
    pub price: i64,
    /// Lowers what the engine holds.
    pub reduce_only: bool,
    /// Goes without the venue's reduce-only all the same.
    pub plain: bool,
    /// Client order id.
    pub cloid: [u8; 16],
    /// Waits in the book.
    pub passive: bool,
    /// Executed size, once a lookup told.
    pub found: Option<i64>,
}

/// How much is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Sent; the answer is expected.
    Sent,
    /// Silence. A `noop` with the same nonce is to prove that it can't execute any more.
    Fencing {
        /// The fence in flight.
        post: Option<u64>,
        /// Fences sent so far.
        tries: u32,
    },
    /// Its orders wait in the book until its deadline.
    Resting,
    /// The nonce was used, or its orders were cancelled: they are asked for by client id.
    Lookup {
        /// Since when.
        since_ms: u64,
        /// "Not known" so far.
        misses: u32,
    },
}

/// An action without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Whose.
    pub follower: u32,
    /// Where it went.
    pub lane: LaneId,
    /// Opens or reduces.
    pub reduces: bool,
    /// Its nonce.
    pub nonce: u64,
    /// When the venue stops accepting it.
    pub expires_after: u64,
    /// When it was handed out.
    pub sent_ms: u64,
    /// Its orders.
    pub legs: Vec<Leg>,
    /// What it pays beside the venue's fee.
    pub surcharge: Surcharge,
    /// How much is known.
    pub phase: Phase,
    /// When it is looked at again.
    pub deadline_ms: u64,
    /// Sent by a former process.
    pub former: bool,
    /// The venue refused it in words that nobody knows: once it is proven dead, it is not tried again.
    pub refused: bool,
    /// The venue refused its only copy because its nonce was used, and no fence of ours was sent: by whom?
    pub nonce_taken: bool,
    /// It went out a second time over another lane: a refusal of one copy says nothing of the other.
    pub resent: bool,
}

impl InFlight {
    /// Its orders wait in the book.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.legs.iter().any(|leg| leg.passive)
    }

    /// What kind of attempt it was.
    #[must_use]
    pub const fn kind(&self) -> AttemptKind {
        if self.reduces { AttemptKind::Reduce } else { AttemptKind::Open }
    }
}

/// Waits between attempts at the same thing: 1, 2, 5, 5 … seconds.
#[must_use]
pub const fn backoff_ms(tries: u32) -> u64 {
    match tries {
        0 | 1 => 1_000,
        2 => 2_000,
        _ => 5_000,
    }
}
