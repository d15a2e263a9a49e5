//! The venue's budgets per source address, counted over a window that slides with time.
//!
//! What was used is not journalled state: the shell uses some too. A step that looks at it puts it into its context.

use crate::planted::{Bug, planted};

/// Venue rule: REST weight a minute, shared by posts (weight 1 + n/40).
const WEIGHT_PER_MINUTE: u32 = 1_200;
/// Venue rule: WebSocket messages a minute.
const MESSAGES_PER_MINUTE: u32 = 2_000;
/// Kept for what the shell sends itself. Pings: 6 a minute on each of at most 10 connections. The rest renews the
/// subscriptions of one connection that came back.
const SHELL_MESSAGES: u32 = 200;
/// Venue rule: posts without an answer.
pub const MAX_POSTS: usize = 100;
/// Kept for reductions and recovery, in percent.
const RESERVE: u32 = 20;
/// Uses within one second are counted together.
const SLOT_MS: u64 = 1_000;
/// 60 seconds that begin anywhere touch 61 whole ones: what all of these hold bounds every window of a minute. One more for
/// requests that reach the venue later than those before them did.
const SLOTS: usize = 62;

/// What something is for: who may dip into the reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reductions, fences and lookups.
    Safety,
    /// Everything else.
    Ordinary,
}

/// One kind of unit over the last slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    limit: u32,
    used: u32,
    slots: [u16; SLOTS],
}

impl Window {
    const fn empty(limit: u32) -> Window {
        Window { limit, used: 0, slots: [0; SLOTS] }
    }

    const fn has(&self, units: u32, purpose: Purpose) -> bool {
        let limit = match purpose {
            Purpose::Safety => self.limit,
            Purpose::Ordinary => self.limit - self.limit * RESERVE / 100,
        };
        self.used.saturating_add(units) <= limit
    }

    fn add(&mut self, place: usize, units: u32) {
        debug_assert!(self.has(units, Purpose::Safety), "taken without asking");
        if let Some(slot) = self.slots.get_mut(place) {
            let before = *slot;
            *slot = before.saturating_add(u16::try_from(units).unwrap_or(u16::MAX));
            self.used = self.used.saturating_add(u32::from(*slot - before));
        }
    }

    fn forget(&mut self, place: usize) {
        if planted(Bug::WeightNeverReturns) {
            return;
        }
        if let Some(slot) = self.slots.get_mut(place) {
            self.used = self.used.saturating_sub(u32::from(*slot));
            *slot = 0;
        }
    }

    /// Counts all that was used as used at one place.
    fn gather(&mut self, place: usize) {
        let used = std::mem::take(&mut self.used);
        self.slots = [0; SLOTS];
        self.add(place, used);
    }

    fn restore(&mut self, slots: &[[u8; 2]]) {
        self.slots.iter_mut().zip(slots).for_each(|(slot, bytes)| *slot = u16::from_le_bytes(*bytes));
        self.used = self.slots.iter().fold(0, |sum, slot| sum.saturating_add(u32::from(*slot)));
    }
}

/// Both windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    limited: bool,
    /// The newest slot's number: Unix seconds.
    newest: u64,
    weight: Window,
    messages: Window,
}

/// Length of an encoded budget.
pub const ENCODED: usize = 8 + 2 * 2 * SLOTS;

impl Budget {
    /// Nothing used yet; `limited` false lets everything pass.
    #[must_use]
    pub const fn new(limited: bool) -> Budget {
        let messages = Window::empty(MESSAGES_PER_MINUTE - SHELL_MESSAGES);
        Budget { limited, newest: 0, weight: Window::empty(WEIGHT_PER_MINUTE), messages }
    }

    /// The limits are on.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// Moves the windows on; time that runs back leaves them where they are, unless it were a long time until anything
    /// came back: then what was used counts as used now.
    pub fn advance(&mut self, now_ms: u64) {
        let slot = now_ms / SLOT_MS;
        if slot.saturating_add(SLOTS as u64) < self.newest {
            self.weight.gather(place_of(slot));
            self.messages.gather(place_of(slot));
            self.newest = slot;
        }
        let steps = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for number in slot.saturating_sub(steps)..slot {
            let place = place_of(number.saturating_add(1));
            self.weight.forget(place);
            self.messages.forget(place);
        }
        self.newest = self.newest.max(slot);
    }

    /// Whether so much may be taken now, that is since `advance`.
    #[must_use]
    pub const fn has(&self, weight: u32, messages: u32, purpose: Purpose) -> bool {
        !self.limited || (self.weight.has(weight, purpose) && self.messages.has(messages, purpose))
    }

    /// Takes what `has` allowed.
    pub fn take(&mut self, weight: u32, messages: u32) {
        if self.limited {
            let place = place_of(self.newest);
            self.weight.add(place, weight);
            self.messages.add(place, messages);
        }
    }

    /// Weight and messages left.
    #[must_use]
    pub fn left(&self, now_ms: u64) -> (u32, u32) {
        let mut then = *self;
        then.advance(now_ms);
        let left = |window: &Window| window.limit.saturating_sub(window.used);
        (left(&then.weight), left(&then.messages))
    }

    /// What was used, for a step's context.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0u8; ENCODED];
        let (newest, slots) = bytes.split_at_mut(8);
        newest.copy_from_slice(&self.newest.to_le_bytes());
        let used = self.weight.slots.iter().chain(&self.messages.slots);
        slots.as_chunks_mut::<2>().0.iter_mut().zip(used).for_each(|(place, slot)| *place = slot.to_le_bytes());
        out.extend_from_slice(&bytes);
    }

    /// What was used, from a context.
    pub fn restore(&mut self, bytes: &[u8; ENCODED]) {
        let Some((newest, slots)) = bytes.split_first_chunk::<8>() else { return };
        self.newest = u64::from_le_bytes(*newest);
        let (weight, messages) = slots.as_chunks::<2>().0.split_at(SLOTS);
        self.weight.restore(weight);
        self.messages.restore(messages);
    }
}

fn place_of(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(budget: &mut Budget, purpose: Purpose) -> u32 {
        let mut taken = 0;
        while budget.has(1, 1, purpose) {
            budget.take(1, 1);
            taken += 1;
        }
        taken
    }

    #[test]
    fn what_was_used_comes_back_after_a_minute_and_no_earlier() {
        let mut budget = Budget::new(true);
        budget.advance(1_999);
        assert_eq!(drain(&mut budget, Purpose::Safety), WEIGHT_PER_MINUTE);
        for later in [2_000, 30_000, 62_999] {
            budget.advance(later);
            assert!(!budget.has(1, 0, Purpose::Safety), "{later}: the minute has not passed for all of it");
        }
        budget.advance(63_000);
        assert_eq!(drain(&mut budget, Purpose::Safety), WEIGHT_PER_MINUTE);
    }

    #[test]
    fn a_clock_that_was_an_hour_ahead_keeps_nothing_for_an_hour() {
        let mut budget = Budget::new(true);
        budget.advance(3_600_000);
        budget.take(1_000, 0);
        budget.advance(10_000);
        assert_eq!(drain(&mut budget, Purpose::Safety), 200, "what was used is not forgotten");
        budget.advance(71_999);
        assert!(!budget.has(1, 0, Purpose::Safety));
        budget.advance(72_000);
        assert_eq!(drain(&mut budget, Purpose::Safety), WEIGHT_PER_MINUTE);
    }

    #[test]
    fn a_fifth_is_kept_for_reductions() {
        let mut budget = Budget::new(true);
        assert_eq!(drain(&mut budget, Purpose::Ordinary), WEIGHT_PER_MINUTE * 4 / 5);
        assert_eq!(drain(&mut budget, Purpose::Safety), WEIGHT_PER_MINUTE / 5);
    }

    #[test]
    fn messages_leave_room_for_pings_and_subscriptions() {
        let mut budget = Budget::new(true);
        assert!(budget.has(0, 1_800, Purpose::Safety));
        assert!(!budget.has(0, 1_801, Purpose::Safety));
        budget.take(0, 1_800);
        assert_eq!(budget.left(0), (1_200, 0));
        assert_eq!(budget.left(62_000), (1_200, 1_800));
    }

    #[test]
    fn use_survives_a_context_and_off_means_off() {
        let mut budget = Budget::new(true);
        budget.advance(5_000);
        budget.take(700, 3);
        budget.advance(9_000);
        budget.take(1, 2);
        let mut bytes = Vec::new();
        budget.encode(&mut bytes);
        let mut other = Budget::new(true);
        other.restore(bytes.as_slice().try_into().unwrap());
        assert_eq!(budget, other);
        let mut off = Budget::new(false);
        off.take(1_000_000, 1_000_000);
        assert!(off.has(1_000_000, 1_000_000, Purpose::Ordinary));
    }

    proptest! {
        #[test]
        fn no_minute_ever_holds_more_than_the_venue_allows(
            acts in proptest::collection::vec((0u64..9_000, 1u32..200, 0u32..300, any::<bool>(), -50i64..5), 1..400)
        ) {
            let mut budget = Budget::new(true);
            let mut taken: Vec<(u64, u32, u32)> = Vec::new();
            let mut now = 1_795_161_600_000u64;
            for (wait, weight, messages, safety, back) in acts {
                now += wait;
                // The clock may be set back a little; what counts is when things really happened.
                budget.advance(now.saturating_add_signed(back.min(0)));
                let purpose = if safety { Purpose::Safety } else { Purpose::Ordinary };
                if budget.has(weight, messages, purpose) {
                    budget.take(weight, messages);
                    taken.push((now.saturating_add_signed(back.min(0)), weight, messages));
                }
            }
            for (at, ..) in &taken {
                let window = taken.iter().filter(|(then, ..)| (*at..=at + 60_000).contains(then));
                let (weight, messages) = window.fold((0, 0), |(w, m), (_, dw, dm)| (w + dw, m + dm));
                prop_assert!(weight <= WEIGHT_PER_MINUTE, "{weight} in the minute from {at}");
                prop_assert!(messages <= MESSAGES_PER_MINUTE - SHELL_MESSAGES, "{messages} in the minute from {at}");
            }
        }
    }
}
