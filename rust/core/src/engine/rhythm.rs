//! When accounts are read: each has one next time, whoever wants it.
use super::Engine;
use super::reads::SECOND_LOOK_MS;
use crate::planted::{Bug, planted};

impl Engine {
    /// Has an account read at a time, or earlier if that was wanted before: one read of an account waits, however many
    /// reasons there are, or each reason would go on for ever as a rhythm of its own. Always true.
    pub(super) fn read_at(&mut self, at_ms: u64, leader: bool, account: u32) -> bool {
        let waits = self.state.reads.iter().find(|(_, kind, who)| (*kind, *who) == (leader, account)).copied();
        match waits {
            _ if planted(Bug::ReadsMultiply) => {}
            Some((due, ..)) if due <= at_ms => return true,
            Some(later) => {
                self.state.reads.remove(&later);
            }
            None => {}
        }
        self.state.reads.insert((at_ms, leader, account))
    }

    pub(super) fn read_soon(&mut self, follower: u32, now_ms: u64) {
        self.read_at(now_ms.saturating_add(SECOND_LOOK_MS), false, follower);
    }
}
