//! The venue's budgets per source address, as buckets that refill with time.
//!
//! Levels are not journalled state: the shell takes from them too. A step that looks at them puts them into its context.

/// Venue rule: REST weight a minute, shared by posts (weight 1 + n/40).
const WEIGHT_PER_MINUTE: u64 = 1_200;
/// Venue rule: WebSocket messages a minute.
const MESSAGES_PER_MINUTE: u64 = 2_000;
/// Venue rule: posts without an answer.
pub const MAX_POSTS: usize = 100;
/// Kept for reductions and recovery, in percent.
const RESERVE: u64 = 20;

/// What something is for: who may dip into the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reductions, fences and lookups.
    Safety,
    /// Everything else.
    Ordinary,
}

/// A bucket that refills evenly. Levels are in units times 60,000, so that a millisecond refills a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    per_minute: u64,
    level: u64,
    at_ms: u64,
}

impl Bucket {
    const fn full(per_minute: u64) -> Bucket {
        Bucket { per_minute, level: per_minute * 60_000, at_ms: 0 }
    }

    const fn level_at(&self, now_ms: u64) -> u64 {
        let refilled = self.level.saturating_add(now_ms.saturating_sub(self.at_ms).saturating_mul(self.per_minute));
        let most = self.per_minute * 60_000;
        if refilled < most { refilled } else { most }
    }

    const fn has(&self, units: u64, purpose: Purpose, now_ms: u64) -> bool {
        let floor = match purpose {
            Purpose::Safety => 0,
            Purpose::Ordinary => self.per_minute * 600 * RESERVE,
        };
        self.level_at(now_ms) >= floor.saturating_add(units.saturating_mul(60_000))
    }

    const fn take(&mut self, units: u64, now_ms: u64) {
        self.level = self.level_at(now_ms).saturating_sub(units.saturating_mul(60_000));
        self.at_ms = if now_ms > self.at_ms { now_ms } else { self.at_ms };
    }
}

/// Both buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    limited: bool,
    weight: Bucket,
    messages: Bucket,
}

/// Length of an encoded budget.
pub const ENCODED: usize = 32;

impl Budget {
    /// Full buckets; `limited` false lets everything pass.
    #[must_use]
    pub const fn new(limited: bool) -> Budget {
        Budget { limited, weight: Bucket::full(WEIGHT_PER_MINUTE), messages: Bucket::full(MESSAGES_PER_MINUTE) }
    }

    /// The limits are on.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether so much may be taken now.
    #[must_use]
    pub const fn has(&self, weight: u64, messages: u64, purpose: Purpose, now_ms: u64) -> bool {
        !self.limited || (self.weight.has(weight, purpose, now_ms) && self.messages.has(messages, purpose, now_ms))
    }

    /// Takes it, down to nothing.
    pub const fn take(&mut self, weight: u64, messages: u64, now_ms: u64) {
        if self.limited {
            self.weight.take(weight, now_ms);
            self.messages.take(messages, now_ms);
        }
    }

    /// Whole units of weight and messages left.
    #[must_use]
    pub const fn left(&self, now_ms: u64) -> (u64, u64) {
        (self.weight.level_at(now_ms) / 60_000, self.messages.level_at(now_ms) / 60_000)
    }

    /// The levels, for a step's context.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for word in [self.weight.level, self.weight.at_ms, self.messages.level, self.messages.at_ms] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// Levels from a context.
    pub fn restore(&mut self, bytes: &[u8; ENCODED]) {
        let words = bytes.as_chunks::<8>().0;
        let places =
            [&mut self.weight.level, &mut self.weight.at_ms, &mut self.messages.level, &mut self.messages.at_ms];
        for (place, word) in places.into_iter().zip(words) {
            *place = u64::from_le_bytes(*word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_allows_what_the_venue_allows_and_no_more() {
        let mut budget = Budget::new(true);
        let mut taken = 0;
        while budget.has(1, 1, Purpose::Safety, 1_000) {
            budget.take(1, 1, 1_000);
            taken += 1;
        }
        assert_eq!(taken, WEIGHT_PER_MINUTE);
        assert!(!budget.has(1, 1, Purpose::Safety, 1_049), "20 weight a second: one each 50 ms");
        assert!(budget.has(1, 1, Purpose::Safety, 1_050));
    }

    #[test]
    fn a_fifth_is_kept_for_reductions() {
        let mut budget = Budget::new(true);
        let mut taken = 0;
        while budget.has(1, 1, Purpose::Ordinary, 0) {
            budget.take(1, 1, 0);
            taken += 1;
        }
        assert_eq!(taken, WEIGHT_PER_MINUTE * 4 / 5);
        assert!(budget.has(1, 1, Purpose::Safety, 0));
    }

    #[test]
    fn levels_survive_a_context_and_off_means_off() {
        let mut budget = Budget::new(true);
        budget.take(700, 3, 5_000);
        let mut bytes = Vec::new();
        budget.encode(&mut bytes);
        let mut other = Budget::new(true);
        other.restore(bytes.as_slice().try_into().unwrap());
        assert_eq!(budget, other);
        let mut off = Budget::new(false);
        off.take(1_000_000, 1_000_000, 0);
        assert!(off.has(1_000_000, 1_000_000, Purpose::Ordinary, 0));
    }
}
