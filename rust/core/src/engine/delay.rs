//! Entries that wait for their edge's delay (rule 18): judged when the leader asks, shrunk with what it gives up meanwhile, and
//! judged again when due.
use super::Engine;
use super::decide::Verdict;
use super::gates::{Refusal, View};
use super::receipts::{Ending, bare};
use super::resolve::TICK_WORK;
use crate::commands::{CoinId, Commands, Outcome, Reason};
use crate::copy::entitle::{Move, classify};
use crate::num::{Round, mul_div};
use crate::state::{Change, DelayKey, Delayed, Gap, Held, Pending};

/// More entries than any hour of delay should gather; beyond it they are blocked.
const MAX_DELAYED: usize = 65_536;

impl Engine {
    /// What an increase adds to E; `None`: it waits.
    #[expect(clippy::too_many_arguments, reason = "one opening, with what its receipt depends on")]
    pub(super) fn take_or_delay(
        &mut self,
        follow: u32,
        change: &Change,
        view: &View,
        from: i64,
        held: &mut Held,
        reduces: bool,
        now_ms: u64,
    ) -> Result<Option<i128>, Refusal> {
        let delay_ms = self.config.follows.get(follow as usize).map_or(0, |edge| edge.filters.delay_ms);
        let due_ms = change.time_ms.saturating_add(delay_ms);
        if delay_ms == 0 {
            return self.increase(follow, change, view, from, held, now_ms).map(Some);
        }
        if due_ms <= now_ms {
            let due = Change { time_ms: due_ms, ..change.clone() };
            return self.increase(follow, &due, view, from, held, now_ms).map(Some);
        }
        self.admit(follow, change, view, from, held, now_ms)?;
        if self.state.delayed.len() >= MAX_DELAYED {
            return Err((Outcome::Blocked, Reason::OutOfRange));
        }
        let mut change = change.clone();
        if reduces {
            // The close of a flip has the receipt.
            change.fills.clear();
        }
        let key = (follow, change.coin, due_ms, change.decision);
        let step = change.after.saturating_sub(from);
        self.state.delayed.insert(key, Delayed { change, step });
        self.state.delay_dues.insert((due_ms, key));
        Ok(None)
    }

    /// A reduction of the leader takes the same part of what waits; with the position it all goes.
    pub(super) fn shrink_delayed(&mut self, follow: u32, change: &Change, now_ms: u64, out: &mut Commands) {
        if self.state.delayed.is_empty() {
            return;
        }
        let waits = (follow, change.coin, 0, 0)..=(follow, change.coin, u64::MAX, u64::MAX);
        let keys: Vec<DelayKey> = self.state.delayed.range(waits).map(|(key, _)| *key).collect();
        for key in keys {
            let closes = self.closes(follow, change);
            let Some(delayed) = self.state.delayed.get_mut(&key) else { continue };
            let legs = [(change.gap_from.unwrap_or(change.before), change.before), (change.before, change.after)];
            for (before, after) in legs {
                delayed.step = match classify(before, after) {
                    Move::None | Move::Increase => delayed.step,
                    Move::Reduce => mul_div(delayed.step, after, before, Round::TowardZero).unwrap_or(0),
                    Move::Flat | Move::Flip => 0,
                };
            }
            if delayed.step == 0 || closes {
                self.end_delayed(key, Ending::new(Outcome::Skipped, Reason::LeaderLeft), now_ms, out);
            }
        }
    }

    /// What waits for an edge, on one coin or on all, is not taken: an operator says so.
    pub(super) fn end_delays(
        &mut self,
        follow: u32,
        only: Option<CoinId>,
        reason: Reason,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let waits = (follow, 0, 0, 0)..=(follow, CoinId::MAX, u64::MAX, u64::MAX);
        let keys: Vec<DelayKey> = self.state.delayed.range(waits).map(|(key, _)| *key).collect();
        for key in keys.into_iter().filter(|key| only.is_none_or(|only| only == key.1)) {
            self.end_delayed(key, Ending::new(Outcome::Blocked, reason), now_ms, out);
        }
    }

    fn end_delayed(&mut self, key: DelayKey, ending: Ending, now_ms: u64, out: &mut Commands) {
        let Some(Delayed { change, .. }) = self.state.delayed.remove(&key) else { return };
        let (follow, _, due_ms, _) = key;
        self.state.delay_dues.remove(&(due_ms, key));
        let Some(&(time_ms, tid)) = change.fills.first() else { return };
        let numbers = self.numbers(follow, &change, self.state.held(follow, change.coin));
        let pending = Pending { numbers, ..bare(follow, change.decision, time_ms, tid, now_ms) };
        self.merge_other_fills(follow, &change, now_ms, out);
        self.finish(change.coin, &pending, ending, now_ms, out);
    }

    /// Judges what is due, against the leader's state of now.
    pub(super) fn take_due(&mut self, now_ms: u64, out: &mut Commands) {
        // An event on its way has moved the ledger, and not yet what waits for it.
        if self.state.delay_dues.is_empty() || !self.state.fanouts.is_empty() {
            return;
        }
        self.refresh_lists();
        for _ in 0..TICK_WORK {
            let Some((due_ms, key)) = self.state.delay_dues.first().copied().filter(|(due, _)| *due <= now_ms) else {
                return;
            };
            out.changed = true;
            self.state.delay_dues.remove(&(due_ms, key));
            if let Some(change) = self.change_when_due(key) {
                self.note_books(std::slice::from_ref(&change), out);
                self.decide_due(key.0, &change, now_ms, out);
            } else {
                self.end_delayed(key, Ending::new(Outcome::Skipped, Reason::LeaderLeft), now_ms, out);
            }
        }
    }

    /// The leader's step as if it were taken now: what is left of it, up to where the leader stands. `None`: it stands elsewhere.
    fn change_when_due(&mut self, key: DelayKey) -> Option<Change> {
        let (follow, coin, due_ms, _) = key;
        let edge = self.config.follows.get(follow as usize)?;
        let leader = self.state.leaders.get(edge.leader as usize)?;
        let position = leader.coins.get(&coin).map_or(0, |entry| entry.position);
        let dirty = leader.gap != Gap::None;
        let step = self.state.delayed.get(&key)?.step;
        let holds = step != 0 && (position > 0) == (step > 0) && position.unsigned_abs() >= step.unsigned_abs();
        if !holds {
            return None;
        }
        let Delayed { change, .. } = self.state.delayed.remove(&key)?;
        let before = position.saturating_sub(step);
        Some(Change { before, after: position, time_ms: due_ms, dirty, gap_from: None, ..change })
    }

    fn decide_due(&mut self, follow: u32, change: &Change, now_ms: u64, out: &mut Commands) {
        let Some(edge) = self.config.follows.get(follow as usize) else { return };
        let (leader, follower) = (edge.leader, edge.follower);
        let deadline_ms = change.time_ms.saturating_add(edge.max_age_ms);
        let view = self.view(leader, change, now_ms);
        let first = self.state.held(follow, change.coin);
        let net_before = self.net(follower, change.coin);
        let mut held = first;
        let ratio = self.judge(follow, change, &view, &held, now_ms);
        let taken = ratio.and_then(|ratio| self.take(follow, change, change.before, ratio, &mut held, now_ms));
        let (added, refusal) = taken.map_or_else(|refusal| (0, Some(refusal)), |added| (added, None));
        self.state.set_held(follow, change.coin, held);
        self.set_ceiling(follower, change.coin, change.price, net_before, now_ms);
        self.cross_parts(follower, change.coin);
        let verdict = Verdict { added, refusal, deadline_ms, ..Verdict::default() };
        self.conclude(follow, change, first, Move::Increase, &verdict, now_ms, out);
        self.work(follower, now_ms, out);
    }
}
