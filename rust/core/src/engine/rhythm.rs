//! When accounts are read: each has one next time, whoever wants it.
use super::Engine;
use super::reads::SECOND_LOOK_MS;
use crate::event::SourceId;
use crate::planted::{Bug, planted};

impl Engine {
    /// Has an account read at a time, or earlier if that was wanted before: one read of an account waits, however many
    /// reasons there are, or each reason would go on for ever as a rhythm of its own. Always true.
    pub(super) fn read_at(&mut self, at_ms: u64, leader: bool, account: u32) -> bool {
        // Nothing of it is of interest any more.
        let is_awake = if leader { self.is_awake_leader(account) } else { self.is_awake_follower(account) };
        if !is_awake {
            return true;
        }
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

    /// Leaders traded while nobody read this tape to us. For those on the tape alone only a read can say that nothing is missing.
    pub(super) fn on_tape_up(&mut self, source: SourceId, now_ms: u64) {
        self.state.tapes.insert(source, now_ms);
        if self.state.started {
            self.hasten_reads(now_ms.saturating_add(SECOND_LOOK_MS), true);
        }
    }

    /// Nothing of ours came through for a while: what became of the accounts (a stop that was hit, a hand that closed) is read.
    /// The orders that were on their way are asked for one by one (`doubt`).
    pub(super) fn on_lane_up(&mut self, source: SourceId, now_ms: u64) {
        if self.state.lanes.contains(&source) {
            return;
        }
        if self.state.started && self.state.lanes.is_empty() {
            self.hasten_reads(now_ms, false);
        }
        self.state.lanes.push(source);
    }

    fn hasten_reads(&mut self, at_ms: u64, leaders: bool) {
        let is_later = |(due, leader, _): &(u64, bool, u32)| *leader == leaders && *due > at_ms;
        let later: Vec<_> = self.state.reads.iter().copied().filter(is_later).collect();
        for (due, leader, account) in later {
            self.state.reads.remove(&(due, leader, account));
            self.state.reads.insert((at_ms, leader, account));
        }
    }
}
