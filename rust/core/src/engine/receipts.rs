//! Receipts: one per leader fill and follow edge, written once.
use super::Engine;
use crate::commands::{CoinId, Commands, Numbers, Outcome, Reason, Receipt};
use crate::feed::frame::FillRow;
use crate::planted::{Bug, planted};
use crate::state::{Change, Pending};

/// How something ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub outcome: Outcome,
    pub reason: Reason,
    pub merged_into: Option<u64>,
}

impl Ending {
    pub const fn new(outcome: Outcome, reason: Reason) -> Ending {
        Ending { outcome, reason, merged_into: None }
    }

    pub const fn merged(into: u64) -> Ending {
        Ending { outcome: Outcome::MergedInto, reason: Reason::None, merged_into: Some(into) }
    }
}

/// Everything that was ordered for it was executed: all of it, or what was left of it when a part was given back.
pub(super) fn executed(pending: &Pending) -> Ending {
    match pending.given_back {
        _ if planted(Bug::GivenBackUnsaid) => Ending::new(Outcome::Filled, pending.reason),
        Reason::None => Ending::new(Outcome::Filled, pending.reason),
        reason => Ending::new(Outcome::PartlyFilled, reason),
    }
}

/// It ends before all of it was executed.
pub(super) fn cut_short(pending: &Pending, outcome: Outcome, reason: Reason) -> Ending {
    Ending::new(if pending.numbers.filled.is_zero() { outcome } else { Outcome::PartlyFilled }, reason)
}

impl Engine {
    pub(super) fn finish(&mut self, coin: CoinId, pending: &Pending, ending: Ending, now_ms: u64, out: &mut Commands) {
        out.changed = true;
        if planted(Bug::ReceiptTwice) && pending.was_unknown {
            let once = Pending { was_unknown: false, ..pending.clone() };
            self.finish(coin, &once, ending, now_ms, out);
        }
        if !pending.from_fill {
            return;
        }
        let Some(edge) = self.config.follows.get(pending.follow as usize) else { return };
        let number = self.state.receipts.saturating_add(1);
        self.state.receipts = number;
        out.receipts.push(Receipt {
            number,
            leader: edge.leader,
            follower: edge.follower,
            follow: pending.follow,
            coin,
            time_ms: pending.time_ms,
            tid: pending.tid,
            decision: pending.decision,
            merged_into: ending.merged_into,
            outcome: ending.outcome,
            reason: ending.reason,
            was_unknown: pending.was_unknown,
            numbers: pending.numbers,
            decided_ms: pending.decided_ms,
            planned_ms: pending.planned_ms,
            settled_ms: now_ms,
        });
    }

    /// The other fills of a decision say where the numbers are.
    pub(super) fn merge_other_fills(&mut self, follow: u32, change: &Change, now_ms: u64, out: &mut Commands) {
        for &(time_ms, tid) in change.fills.iter().skip(1) {
            let pending = bare(follow, change.decision, time_ms, tid, now_ms);
            self.finish(change.coin, &pending, Ending::merged(change.decision), now_ms, out);
        }
    }

    /// Receipts of a fill found after the ledger had passed it.
    pub(super) fn late_receipts(
        &mut self,
        leader: u32,
        coin: CoinId,
        row: &FillRow,
        gap_decision: Option<u64>,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let decision = self.state.decision();
        let ending = gap_decision.map_or(Ending::new(Outcome::Skipped, Reason::LeaderDirty), Ending::merged);
        for at in 0..self.follows_of_leader.get(leader as usize).map_or(0, Vec::len) {
            let Some(follow) = self.follows_of_leader.get(leader as usize).and_then(|list| list.get(at)).copied()
            else {
                continue;
            };
            let pending = bare(follow, decision, row.time_ms, row.tid, now_ms);
            self.finish(coin, &pending, ending, now_ms, out);
        }
    }
}

pub(super) fn bare(follow: u32, decision: u64, time_ms: u64, tid: u64, now_ms: u64) -> Pending {
    Pending {
        follow,
        decision,
        time_ms,
        tid,
        from_fill: true,
        reduces: false,
        enters: false,
        reason: Reason::None,
        missed: Reason::None,
        given_back: Reason::None,
        post: None,
        was_unknown: false,
        complete: false,
        numbers: Numbers::default(),
        decided_ms: now_ms,
        planned_ms: 0,
    }
}
