//! The venue's budgets per source address, as sums over the last minute.
//!
//! What was taken is not journalled state: the shell takes from them too. A step that looks at them puts them into its context.

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

/// Seconds that count: the venue's minute, one for the running second, and one for requests that reach the venue later than
/// those before them did.
const SLOTS: usize = 62;
const SLOTS_S: u64 = SLOTS as u64;

/// What was taken in each of the last seconds. A bucket that refills would let twice the limit into one minute: its level
/// and what flows in meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    per_minute: u64,
    newest_s: u64,
    taken: [u16; SLOTS],
}

impl Window {
    const fn empty(per_minute: u64) -> Window {
        Window { per_minute, newest_s: 0, taken: [0; SLOTS] }
    }

    fn slot(second: u64) -> usize {
        usize::try_from(second % SLOTS_S).unwrap_or(0)
    }

    fn left_at(&self, now_ms: u64) -> u64 {
        // Slots of the seconds since the newest one hold what is a minute old by now.
        let stale = (now_ms / 1_000).saturating_sub(self.newest_s).min(SLOTS_S);
        let fresh = (stale..SLOTS_S).filter_map(|age| self.newest_s.saturating_add(stale).checked_sub(age));
        let used = fresh.filter_map(|second| self.taken.get(Window::slot(second))).map(|taken| u64::from(*taken));
        self.per_minute.saturating_sub(used.sum())
    }

    fn has(&self, units: u64, purpose: Purpose, now_ms: u64) -> bool {
        let floor = match purpose {
            Purpose::Safety => 0,
            Purpose::Ordinary => self.per_minute * RESERVE / 100,
        };
        self.left_at(now_ms) >= floor.saturating_add(units)
    }

    fn take(&mut self, units: u64, now_ms: u64) {
        let now_s = (now_ms / 1_000).max(self.newest_s);
        for passed in 0..(now_s - self.newest_s).min(SLOTS_S) {
            if let Some(slot) = self.taken.get_mut(Window::slot(now_s - passed)) {
                *slot = 0;
            }
        }
        self.newest_s = now_s;
        if let Some(slot) = self.taken.get_mut(Window::slot(now_s)) {
            *slot = slot.saturating_add(u16::try_from(units).unwrap_or(u16::MAX));
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.newest_s.to_le_bytes());
        out.extend(self.taken.iter().flat_map(|taken| taken.to_le_bytes()));
    }

    fn restore(&mut self, bytes: &[u8]) {
        let Some((newest, taken)) = bytes.split_first_chunk::<8>() else { return };
        self.newest_s = u64::from_le_bytes(*newest);
        for (slot, word) in self.taken.iter_mut().zip(taken.as_chunks::<2>().0) {
            *slot = u16::from_le_bytes(*word);
        }
    }
}

/// Both windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    limited: bool,
    weight: Window,
    messages: Window,
}

const ENCODED_WINDOW: usize = 8 + 2 * SLOTS;
/// Length of an encoded budget.
pub const ENCODED: usize = 2 * ENCODED_WINDOW;

impl Budget {
    /// Nothing taken yet; `limited` false lets everything pass.
    #[must_use]
    pub const fn new(limited: bool) -> Budget {
        Budget { limited, weight: Window::empty(WEIGHT_PER_MINUTE), messages: Window::empty(MESSAGES_PER_MINUTE) }
    }

    /// The limits are on.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether so much may be taken now.
    #[must_use]
    pub fn has(&self, weight: u64, messages: u64, purpose: Purpose, now_ms: u64) -> bool {
        !self.limited || (self.weight.has(weight, purpose, now_ms) && self.messages.has(messages, purpose, now_ms))
    }

    /// Takes it, down to nothing.
    pub fn take(&mut self, weight: u64, messages: u64, now_ms: u64) {
        if self.limited {
            self.weight.take(weight, now_ms);
            self.messages.take(messages, now_ms);
        }
    }

    /// Whole units of weight and messages left.
    #[must_use]
    pub fn left(&self, now_ms: u64) -> (u64, u64) {
        (self.weight.left_at(now_ms), self.messages.left_at(now_ms))
    }

    /// What was taken, for a step's context.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.weight.encode(out);
        self.messages.encode(out);
    }

    /// What a context says was taken.
    pub fn restore(&mut self, bytes: &[u8; ENCODED]) {
        let (weight, messages) = bytes.split_at(ENCODED_WINDOW);
        self.weight.restore(weight);
        self.messages.restore(messages);
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
        assert!(!budget.has(1, 1, Purpose::Safety, 62_999), "a minute later at the earliest, and a second of margin");
        assert!(budget.has(1, 1, Purpose::Safety, 63_000));
    }

    #[test]
    fn no_minute_holds_more_than_the_limit_whatever_the_pattern() {
        let mut budget = Budget::new(true);
        let mut taken: Vec<u64> = Vec::new();
        // Bursts, silences and a steady drip, over five minutes.
        for now_ms in (0..300_000u64).step_by(20) {
            let wanted = if now_ms % 37_000 < 400 { 60 } else { u64::from(now_ms % 60 == 0) };
            for _ in 0..wanted {
                if budget.has(1, 1, Purpose::Safety, now_ms) {
                    budget.take(1, 1, now_ms);
                    taken.push(now_ms);
                }
            }
            let minute = taken.iter().rev().take_while(|at| **at + 60_000 > now_ms).count();
            assert!(minute <= 1_200, "{minute} at {now_ms}");
        }
        assert!(taken.len() > 4_000, "the limit is used, too: {}", taken.len());
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
