//! Which fills are known: the last few thousand identities of a leader, and a floor below which nothing is news.
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

/// Identities kept per leader. A snapshot has 2,000 rows, so two of them fit.
pub const CAPACITY: usize = 4_096;

/// Hashes keys that are hashes already, or small whole numbers, without a seed: the same in every process.
#[derive(Debug, Default, Clone)]
pub struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            if let Some(place) = word.get_mut(..chunk.len()) {
                place.copy_from_slice(chunk);
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = mix(self.0 ^ word);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
}

/// Builds [`PlainHasher`]s.
pub type PlainState = BuildHasherDefault<PlainHasher>;

/// A bijection of 64 bits that spreads every input bit (the finaliser of MurmurHash3).
#[inline]
const fn mix(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// A fill's identity: coin, block time and trade id. The leader is whoever keeps the set.
#[must_use]
pub fn identity(coin: u32, time_ms: u64, tid: u64) -> u64 {
    mix(mix(mix(u64::from(coin).wrapping_add(1)) ^ time_ms) ^ tid)
}

/// The last identities, oldest forgotten first. Grows with use: an idle leader costs nothing.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(from = "VecDeque<u64>", into = "VecDeque<u64>")]
pub struct Seen {
    order: VecDeque<u64>,
    set: HashSet<u64, PlainState>,
}

impl From<VecDeque<u64>> for Seen {
    fn from(order: VecDeque<u64>) -> Seen {
        Seen { set: order.iter().copied().collect(), order }
    }
}

impl From<Seen> for VecDeque<u64> {
    fn from(seen: Seen) -> VecDeque<u64> {
        seen.order
    }
}

impl Seen {
    /// True if the identity is known.
    #[must_use]
    pub fn contains(&self, identity: u64) -> bool {
        self.set.contains(&identity)
    }

    /// Remembers; false if it was known.
    pub fn insert(&mut self, identity: u64) -> bool {
        if !self.set.insert(identity) {
            return false;
        }
        if self.order.len() >= CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        self.order.push_back(identity);
        true
    }
}
