//! Background threads that step aside while orders leave: each of their slices would take a core from a fan-out or from
//! whoever reads it.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock::monotonic_ns;

/// So long after the last orders were handed out the fan-out counts as over; a chunk of 128 takes 0.4 ms.
const QUIET_NS: u64 = 3_000_000;
/// Most time that a backlog steps aside: then it is worked off whatever happens, for pools and queues are bounded.
const PATIENCE: Duration = Duration::from_millis(20);
const NAP: Duration = Duration::from_micros(500);

/// When orders last left; written by the hot path, read by the threads behind it.
#[derive(Debug, Clone, Default)]
pub struct Calm(Arc<AtomicU64>);

impl Calm {
    /// Orders leave now, in monotonic time.
    pub fn disturb(&self, now_ns: u64) {
        self.0.store(now_ns.saturating_add(QUIET_NS), Ordering::Relaxed);
    }

    fn is_disturbed(&self) -> bool {
        monotonic_ns() < self.0.load(Ordering::Relaxed)
    }
}

/// One thread's readiness to wait.
#[derive(Debug)]
pub struct Patience {
    calm: Calm,
    left: Duration,
}

impl Patience {
    /// Of a thread that has nothing to do yet.
    #[must_use]
    pub fn new(calm: Calm) -> Patience {
        Patience { calm, left: PATIENCE }
    }

    /// Sleeps while orders leave, as far as patience goes. Call before each piece of work.
    pub fn give_way(&mut self) {
        while !self.left.is_zero() && self.calm.is_disturbed() {
            thread::sleep(NAP);
            self.left = self.left.saturating_sub(NAP);
        }
    }

    /// The backlog is done: the next one may wait again.
    pub fn restore(&mut self) {
        self.left = PATIENCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_while_no_orders_leave() {
        let mut patience = Patience::new(Calm::default());
        patience.give_way();
        assert_eq!(patience.left, PATIENCE);
    }

    #[test]
    fn a_backlog_waits_for_orders_but_not_for_ever() {
        let calm = Calm::default();
        calm.disturb(monotonic_ns().saturating_add(3_600_000_000_000));
        let mut patience = Patience::new(calm);
        patience.give_way();
        assert!(patience.left.is_zero());
        patience.give_way();
        patience.restore();
        assert_eq!(patience.left, PATIENCE);
    }
}
