//! Nonces and client order ids: both follow from what was journalled, never from a wall clock.
use crate::sign::{Chain, keccak256};
use crate::wire::Address;

/// The venue accepts nonces two days back; one hour keeps a late event's nonce well inside.
const NONCE_BACK_MS: u64 = 3_600_000;

/// The next nonce of a signer: the event's time where possible, never repeated, never far in the past or future.
#[must_use]
pub const fn next_nonce(event_ms: u64, now_ms: u64, last: u64) -> u64 {
    let wanted = if event_ms < now_ms { event_ms } else { now_ms };
    let floor = now_ms.saturating_sub(NONCE_BACK_MS);
    let wanted = if wanted > floor { wanted } else { floor };
    let after_last = last.saturating_add(1);
    if wanted > after_last { wanted } else { after_last }
}

/// What a client order id is made of.
#[derive(Debug, Clone, Copy)]
pub struct CloidParts<'a> {
    /// The follower's account.
    pub follower: &'a Address,
    /// The leader's account.
    pub leader: &'a Address,
    /// Asset id, fill time and trade id of the decision's first fill.
    pub event: (u32, u64, u64),
    /// Place within the action.
    pub leg: u32,
    /// Orders sent for this follower and coin before.
    pub attempt: u32,
}

/// Length of the hashed message.
pub const CLOID_MESSAGE: usize = 8 + 1 + 20 + 20 + 4 + 8 + 8 + 4 + 4;

/// The message whose Keccak-256 starts with the client order id.
#[must_use]
pub fn cloid_message(parts: &CloidParts<'_>, chain: Chain) -> [u8; CLOID_MESSAGE] {
    let mut message = [0u8; CLOID_MESSAGE];
    let chain = [match chain {
        Chain::Mainnet => b'a',
        Chain::Testnet => b'b',
    }];
    let (asset, time_ms, tid) = parts.event;
    let fields: [&[u8]; 9] = [
        b"hlfast/1",
        &chain,
        &parts.follower.0,
        &parts.leader.0,
        &asset.to_be_bytes(),
        &time_ms.to_be_bytes(),
        &tid.to_be_bytes(),
        &parts.leg.to_be_bytes(),
        &parts.attempt.to_be_bytes(),
    ];
    let mut rest = message.as_mut_slice();
    for field in fields {
        let Some((place, after)) = rest.split_at_mut_checked(field.len()) else { break };
        place.copy_from_slice(field);
        rest = after;
    }
    message
}

/// The client order id of a stop: of another kind of message than an order's, and of a nonce that its signer uses once.
#[must_use]
pub fn stop_cloid(follower: &Address, asset: u32, nonce: u64, chain: Chain) -> [u8; 16] {
    let parts = CloidParts { follower, leader: &Address([0; 20]), event: (asset, nonce, 0), leg: 0, attempt: 0 };
    let mut message = cloid_message(&parts, chain);
    message.iter_mut().zip(b"hlfast/s").for_each(|(place, byte)| *place = *byte);
    cloid_of(&keccak256(&message))
}

/// The client order id in a hash.
#[must_use]
pub fn cloid_of(hash: &[u8; 32]) -> [u8; 16] {
    let mut cloid = [0u8; 16];
    cloid.iter_mut().zip(hash).for_each(|(place, byte)| *place = *byte);
    cloid
}
