//! Which fills are known: the newest identities of a leader, and a floor below which nothing is news.
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

/// Identities kept per leader. The venue gives the newest 10,000 fills of an account and no others (2026-08): whatever it can
/// deliver again is known.
pub const CAPACITY: usize = 10_240;

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

/// The newest identities by their fills' time, however late they were found. What was forgotten is known for ever: nothing up
/// to its time is news. Grows with use: an idle leader costs nothing.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// Time and identity, ascending.
    known: VecDeque<(u64, u64)>,
    /// The newest time that was forgotten.
    floor_ms: u64,
}

impl Seen {
    /// True if a fill of this time and identity is known.
    #[must_use]
    pub fn contains(&self, time_ms: u64, identity: u64) -> bool {
        self.place(time_ms, identity).is_none()
    }

    /// Remembers; false if it was known.
    pub fn insert(&mut self, time_ms: u64, identity: u64) -> bool {
        self.insert_among(time_ms, identity, CAPACITY)
    }

    fn insert_among(&mut self, time_ms: u64, identity: u64, capacity: usize) -> bool {
        let Some(place) = self.place(time_ms, identity) else { return false };
        self.known.insert(place, (time_ms, identity));
        if self.known.len() > capacity
            && let Some((oldest_ms, _)) = self.known.pop_front()
        {
            self.floor_ms = oldest_ms;
        }
        true
    }

    /// Where it belongs; `None`: it is there, or was. News is newer than all that is known, nearly always.
    fn place(&self, time_ms: u64, identity: u64) -> Option<usize> {
        let new = (time_ms, identity);
        match self.known.back() {
            _ if time_ms <= self.floor_ms => None,
            Some(newest) if *newest >= new => self.known.binary_search(&new).err(),
            _ => Some(self.known.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reading_of_all_that_the_venue_has_finds_each_fill_once_and_forgets_none_of_them() {
        let fills: Vec<(u64, u64)> = (0..10_000u64).map(|at| (1_000 + at / 480, at)).collect();
        let news = |seen: &mut Seen, from: usize| {
            fills[from..].iter().filter(|(at, id)| seen.insert(*at, identity(0, *at, *id))).count()
        };
        let mut seen = Seen::default();
        // A snapshot of the newest first, then everything, then both again.
        assert_eq!(news(&mut seen, 8_000), 2_000);
        assert_eq!(news(&mut seen, 0), 8_000);
        assert_eq!(news(&mut seen, 8_000), 0);
        assert_eq!(news(&mut seen, 0), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_news_twice_and_nothing_young_is_lost(times in proptest::collection::vec(1u64..300, 0..400)) {
            const FEW: usize = 50;
            let mut seen = Seen::default();
            let mut all = BTreeSet::new();
            for (at, time_ms) in (0u64..).zip(times) {
                let fill = (time_ms, identity(0, time_ms, at % 3));
                let known = seen.contains(fill.0, fill.1);
                prop_assert_eq!(seen.insert_among(fill.0, fill.1, FEW), !known);
                if all.insert(fill) {
                    let younger = all.range((time_ms + 1, 0)..).count();
                    prop_assert!(!known || younger + 3 > FEW, "lost though only {} are younger", younger);
                } else {
                    prop_assert!(known, "twice");
                }
            }
        }
    }
}
