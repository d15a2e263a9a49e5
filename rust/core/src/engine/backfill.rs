//! Fills that a leader's feeds did not bring: when they are read, and when that is done.
use super::reads::{HISTORY_WEIGHT, SECOND_LOOK_MS, SNAPSHOT_FIRST_MS, index};
use super::{Engine, alert_leader};
use crate::commands::{Commands, Level};
use crate::feed::account::parse_backfill;
use crate::planted::{Bug, planted};
use crate::risk::budget::Purpose;
use crate::state::{Asked, Gap, Leader};

impl Engine {
    /// Up to when a leader's fills are known.
    pub(super) fn known_until(&self, leader: u32) -> u64 {
        self.state.leaders.get(leader as usize).map_or(0, |leader| leader.cursor_ms.max(leader.baseline_ms))
    }

    /// Fills after `from_ms` are missing: entries wait until they and the positions were read.
    pub(super) fn begin_gap(&mut self, leader: u32, from_ms: u64, out: &mut Commands) {
        let again_ms = self.now_ms.saturating_add(SECOND_LOOK_MS);
        let Some(state) = self.state.leader_mut(leader) else { return };
        if state.gap != Gap::None {
            // The reading under way may have begun before these were missed: they are read once it is over.
            if state.owed_ms == 0 {
                state.owed_ms = again_ms;
                out.changed = true;
            }
            return;
        }
        state.gap = Gap::Fills;
        state.gap_from_ms = from_ms;
        out.changed = true;
        self.ask_backfill(leader, out);
    }

    /// A leaders' channel is up: its snapshots are to bring what was missed, also of a position that is what it was before.
    pub(super) fn await_snapshots(&mut self, now_ms: u64) {
        let due_ms = now_ms.saturating_add(SNAPSHOT_FIRST_MS);
        for leader in 0..index(self.state.leaders.len()) {
            let had_one = self.state.leaders.get(leader as usize).is_some_and(|state| state.had_snapshot);
            if had_one && self.is_awake_leader(leader) {
                self.state.unheard.insert(leader, due_ms);
            }
        }
    }

    /// Reads a leader's missing fills, as soon as the budget has room for the answer's weight.
    pub(super) fn ask_backfill(&mut self, leader: u32, out: &mut Commands) {
        out.changed = true;
        if !self.budget.has(HISTORY_WEIGHT, 0, Purpose::Safety) {
            self.state.backfills.insert(leader);
            return;
        }
        self.state.backfills.remove(&leader);
        let Some(address) = self.address(true, leader) else { return };
        let Some(state) = self.state.leaders.get(leader as usize) else { return };
        let since = if state.counted_ms > 0 { state.cursor_ms.min(state.counted_ms) } else { state.cursor_ms };
        // One minute back: blocks of one time may have been seen in part.
        let from = since.max(state.baseline_ms).saturating_sub(60_000);
        let body = format!(
            "{{\"type\":\"userFillsByTime\",\"user\":\"{address}\",\"startTime\":{from},\"aggregateByTime\":false}}"
        );
        self.ask(Asked::Backfill { leader }, HISTORY_WEIGHT, body, out);
    }

    /// Fills were read, or can't be: positions are compared next.
    pub(super) fn backfill_done(&mut self, leader: u32, now_ms: u64) -> bool {
        if let Some(state) = self.state.leader_mut(leader) {
            state.gap = Gap::Positions;
        }
        self.read_at(now_ms, true, leader)
    }

    /// Takes what a reading brought. False: it is no list of fills.
    pub(super) fn on_backfill(
        &mut self,
        leader: u32,
        body: &[u8],
        asked_ms: u64,
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let mut rows = Vec::new();
        if parse_backfill(body, &mut rows).is_err() {
            return false;
        }
        if planted(Bug::BackfillIgnored) {
            rows.clear();
        }
        // The reading begins before what was known last, so that is in it, as long as the venue keeps it.
        let reads_gap = |state: &&Leader| state.gap == Gap::Fills;
        let from_ms = self.state.leaders.get(leader as usize).filter(reads_gap).map_or(0, |state| state.gap_from_ms);
        if from_ms > 0 && !rows.is_empty() && rows.iter().all(|row| row.time_ms > from_ms) {
            let text =
                "More fills were missed than the venue keeps: what is older can't be read. The account is believed.";
            alert_leader(out, Level::Warning, "fills_unrecoverable", leader, text.into());
        }
        self.state.unheard.remove(&leader);
        let gap = self.state.leader_mut(leader).map(|state| {
            // What was missed after the question may not be in the answer.
            if asked_ms.saturating_add(SECOND_LOOK_MS) >= state.owed_ms {
                state.owed_ms = 0;
            }
            state.gap
        });
        self.apply_news(leader, None, body, &mut rows, now_ms, out);
        if gap == Some(Gap::Fills) {
            self.backfill_done(leader, now_ms);
        }
        true
    }

    /// Missing fills are to be read within the second.
    pub(super) fn owes_soon(&self, leader: u32, now_ms: u64) -> bool {
        let owed_ms = self.state.leaders.get(leader as usize).map_or(0, |state| state.owed_ms);
        owed_ms > now_ms && owed_ms <= now_ms.saturating_add(SECOND_LOOK_MS)
    }

    /// Positions are the ledger's: no fill is missing, but those that could not be read.
    pub(super) fn settle_owed_fills(&mut self, leader: u32, read_ms: u64, now_ms: u64, out: &mut Commands) {
        let reading =
            self.state.asks.values().any(|asked| matches!(asked, Asked::Backfill { leader: of } if *of == leader));
        let Some(state) = self.state.leaders.get(leader as usize) else { return };
        let due_ms = if state.owed_ms > 0 { Some(state.owed_ms) } else { self.state.unheard.get(&leader).copied() };
        match due_ms {
            None => {
                if let Some(state) = self.state.leader_mut(leader) {
                    state.counted_ms = read_ms;
                }
            }
            Some(due_ms) if now_ms >= due_ms && !reading => self.ask_backfill(leader, out),
            Some(_) => {}
        }
    }
}
