//! One leader change, edge by edge: what it does to E, and which receipts that settles at once.
use super::gates::{Refusal, View};
use super::receipts::{Ending, bare};
use super::rotation::in_turn;
use super::{Engine, FIRST_CHUNK, LAST_CHUNK, NEXT_CHUNK};
use crate::commands::{CoinId, Commands, Numbers, Outcome, Reason};
use crate::config_check::{CheckedFollow, Mode};
use crate::copy::entitle::{Move, classify};
use crate::copy::sizing::{Basis, opening_ratio, step, to_position};
use crate::num::{Pos, Px};
use crate::planted::{Bug, planted};
use crate::state::{Change, Entry, Held, Pending};

/// An adopted position, or one that takes a new ratio, has no fill whose age could count: it may wait this long for its first order.
pub(super) const ADOPTION_MS: u64 = 30_000;

/// What an edge made of a change.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub reduces: bool,
    /// What an increase added to E.
    pub added: i128,
    pub refusal: Option<Refusal>,
    /// The opening waits for the edge's delay, and its receipt with it where nothing else happens.
    pub delayed: bool,
    pub deadline_ms: u64,
}

impl Engine {
    pub(super) fn first_chunk(&mut self, now_ms: u64, out: &mut Commands) {
        if !self.state.fanouts.is_empty() {
            self.state.chunks = 0;
            self.run_chunk(FIRST_CHUNK, now_ms, out);
        }
    }

    pub(super) fn next_chunk(&mut self, now_ms: u64, out: &mut Commands) {
        self.state.chunks = self.state.chunks.saturating_add(1);
        let size = if self.state.chunks == 1 { NEXT_CHUNK } else { LAST_CHUNK };
        self.run_chunk(size, now_ms, out);
    }

    fn run_chunk(&mut self, size: usize, now_ms: u64, out: &mut Commands) {
        let mut left = size;
        while left > 0 {
            let Some(fanout) = self.state.fanouts.front_mut() else { break };
            let leader = fanout.leader;
            let follows = self.follows_of_leader.get(leader as usize).map_or(&[][..], Vec::as_slice);
            let turns = self.state.leaders.get(leader as usize).map_or(0, |leader| leader.turns);
            let Some(follow) = in_turn(follows, turns, fanout.next) else {
                self.state.fanouts.pop_front();
                continue;
            };
            let fanout_begins = fanout.next == 0;
            if fanout_begins {
                self.state.taken.clear();
            }
            fanout.next = fanout.next.saturating_add(1);
            let last = fanout.next == follows.len();
            // Borrowed out for the call: the change list is the fan-out's, the decision needs all of the engine.
            let changes = std::mem::take(&mut fanout.changes);
            out.changed = true;
            if left == size || fanout_begins {
                self.look(leader, &changes, now_ms);
                self.note_books(&changes, out);
            }
            for (at, change) in changes.iter().enumerate() {
                if let Some(view) = self.views.get(at).copied() {
                    self.decide(follow, change, &view, now_ms, out);
                }
            }
            if let Some(fanout) = self.state.fanouts.front_mut() {
                fanout.changes = changes;
            }
            if last {
                self.state.fanouts.pop_front();
                if let Some(leader) = self.state.leader_mut(leader) {
                    leader.turns = leader.turns.wrapping_add(1);
                }
            }
            if let Some(follower) = self.config.follows.get(follow as usize).map(|edge| edge.follower) {
                self.work(follower, now_ms, out);
            }
            left -= 1;
        }
        self.send_batch(now_ms, out);
        out.more = !self.state.fanouts.is_empty();
    }

    fn decide(&mut self, follow: u32, change: &Change, view: &View, now_ms: u64, out: &mut Commands) {
        self.shrink_delayed(follow, change, now_ms, out);
        if self.decide_frozen(follow, change, now_ms, out) {
            return;
        }
        let Some(edge) = self.config.follows.get(follow as usize) else { return };
        let (leader, follower, max_age_ms) = (edge.leader, edge.follower, edge.max_age_ms);
        let first = self.state.held(follow, change.coin);
        let net_before = self.net(follower, change.coin);
        let mut held = first;
        let mut verdict = Verdict { deadline_ms: change.time_ms.saturating_add(max_age_ms), ..Verdict::default() };
        self.adopt(follow, change, view, &mut held, &mut verdict, now_ms);
        if let Some(from) = change.gap_from {
            self.fall(follow, follower, change.coin, &mut held, from, change.before);
        }
        let entitled = held.entitled;
        let kind = classify(change.before, change.after);
        self.fall(follow, follower, change.coin, &mut held, change.before, change.after);
        if self.closes(follow, change) {
            self.drop_part(follow, follower, change.coin, &mut held);
        }
        verdict.reduces = held.entitled.unsigned_abs() < entitled.unsigned_abs()
            || (change.gap_from.is_some() && held.entitled != first.entitled);
        self.state.set_held(follow, change.coin, held);
        let opens_from = match kind {
            Move::Increase => Some(change.before),
            Move::Flip => Some(0),
            Move::None | Move::Reduce | Move::Flat => None,
        };
        if let Some(from) = opens_from {
            match self.take_or_delay(follow, change, view, from, &mut held, verdict.reduces, now_ms) {
                Ok(Some(added)) => {
                    verdict.added = verdict.added.saturating_add(added);
                    self.count_taken(leader, change.coin, added);
                }
                Ok(None) => verdict.delayed = true,
                Err(refusal) => verdict.refusal = Some(refusal),
            }
            self.state.set_held(follow, change.coin, held);
        }
        if verdict.reduces && self.account_hold(follower).is_some() {
            self.cut_outward(follower, change.coin, net_before);
        } else if verdict.reduces {
            self.cut_opposition(follower, change, net_before);
            self.uncover(follow, follower, change, net_before);
        }
        self.set_ceiling(follower, change.coin, change.price, net_before, now_ms);
        if verdict.reduces {
            self.uncover_capped(follower, change.coin);
        }
        self.cross_parts(follower, change.coin);
        self.conclude(follow, change, first, kind, &verdict, now_ms, out);
    }

    /// A position from before copying began, once the follower can take it: an increase from flat at the mark.
    fn adopt(
        &mut self,
        follow: u32,
        change: &Change,
        view: &View,
        held: &mut Held,
        verdict: &mut Verdict,
        now_ms: u64,
    ) {
        let Some(edge) = self.config.follows.get(follow as usize) else { return };
        if !held.adopting || !self.is_read(edge.follower) {
            return;
        }
        let leader = edge.leader;
        let position = change.gap_from.unwrap_or(change.before);
        held.adopting = false;
        let adopted = Change { before: 0, after: position, time_ms: now_ms, gap_from: None, ..change.clone() };
        let view = view.at(position, change.price);
        match self.increase(follow, &adopted, &view, 0, held, now_ms) {
            Ok(added) => {
                self.count_taken(leader, change.coin, added);
                verdict.added = added;
                verdict.deadline_ms = now_ms.saturating_add(ADOPTION_MS);
            }
            // What can't be told yet says neither yes nor no: each read of the account asks again.
            Err((Outcome::Blocked, reason)) if reason.is_unread() => (held.adopting, held.ratio) = (true, None),
            // Not taken now is not taken later: until flat or flipped it stays the leader's own.
            Err(_) => held.ignoring = true,
        }
    }

    /// Lowers E, and with it what of this edge still waits to be bought.
    fn fall(&mut self, follow: u32, follower: u32, coin: u32, held: &mut Held, before: i64, after: i64) {
        held.fall(before, after);
        match classify(before, after) {
            Move::None | Move::Increase => {}
            Move::Reduce => self.state.scale_waiting(follower, follow, coin, after, before),
            Move::Flat | Move::Flip => self.state.retain_entries(follower, coin, |entry| !entry.is_part_of(follow)),
        }
    }

    /// Rule 30: the whole part goes, whatever the leader keeps.
    pub(super) fn drop_part(&mut self, follow: u32, follower: u32, coin: u32, held: &mut Held) {
        held.entitled = 0;
        held.ratio = None;
        self.state.retain_entries(follower, coin, |entry| !entry.is_part_of(follow));
    }

    /// The part of an increase that every gate lets pass, added to E; or the gate that says no.
    pub(super) fn increase(
        &self,
        follow: u32,
        change: &Change,
        view: &View,
        from: i64,
        held: &mut Held,
        now_ms: u64,
    ) -> Result<i128, Refusal> {
        let ratio = self.admit(follow, change, view, from, held, now_ms)?;
        self.take(follow, change, from, ratio, held, now_ms)
    }

    /// Fixes the ratio when a position opens, whatever becomes of the opening itself; then asks the gates.
    pub(super) fn admit(
        &self,
        follow: u32,
        change: &Change,
        view: &View,
        from: i64,
        held: &mut Held,
        now_ms: u64,
    ) -> Result<i64, Refusal> {
        let edge = self.config.follows.get(follow as usize).ok_or((Outcome::Skipped, Reason::OutOfRange))?;
        if held.ignoring || held.adopting {
            return Err((Outcome::Skipped, Reason::ExistingPosition));
        }
        let first = held.ratio.is_none();
        if first {
            held.ratio = self.ratio(edge, change.coin, change.price, change.after, now_ms).ok();
        }
        let ratio = self.judge(follow, change, view, held, now_ms)?;
        if edge.mode.ignores_adds() && (from != 0 || !first) {
            return Err((Outcome::Skipped, Reason::AddIgnored));
        }
        Ok(ratio)
    }

    /// The gates of an edge, and the ratio of what passes them.
    pub(super) fn judge(
        &self,
        follow: u32,
        change: &Change,
        view: &View,
        held: &Held,
        now_ms: u64,
    ) -> Result<i64, Refusal> {
        let edge = self.config.follows.get(follow as usize).ok_or((Outcome::Skipped, Reason::OutOfRange))?;
        self.filters(follow, edge, change, view)?;
        self.safety(follow, edge, change, now_ms)?;
        // A ratio that could not be read when the position opened is fixed by the first increase that can.
        match held.ratio {
            Some(ratio) => Ok(ratio),
            None => {
                let ratio = self.ratio(edge, change.coin, change.price, change.after, now_ms);
                ratio.map_err(|reason| (Outcome::Blocked, reason))
            }
        }
    }

    /// What passed the gates becomes part of E, within the edge's caps and while it is young.
    pub(super) fn take(
        &self,
        follow: u32,
        change: &Change,
        from: i64,
        ratio: i64,
        held: &mut Held,
        now_ms: u64,
    ) -> Result<i128, Refusal> {
        let skipped = |reason| (Outcome::Skipped, reason);
        let edge = self.config.follows.get(follow as usize).ok_or(skipped(Reason::OutOfRange))?;
        if now_ms > change.time_ms.saturating_add(edge.max_age_ms) {
            return Err((Outcome::Expired, Reason::TooOld));
        }
        let delta = change.after.checked_sub(from).ok_or(skipped(Reason::OutOfRange))?;
        let wanted = step(ratio, if edge.inverse { -delta } else { delta });
        let added = self.fit(follow, edge, change, held.entitled, wanted, now_ms)?;
        held.entitled = held.entitled.checked_add(added).ok_or(skipped(Reason::OutOfRange))?;
        Ok(added)
    }

    /// What of an increase the edge's caps and the book leave, raised to the venue's minimum where the edge says so.
    pub(super) fn fit(
        &self,
        follow: u32,
        edge: &CheckedFollow,
        change: &Change,
        entitled: i128,
        wanted: i128,
        now_ms: u64,
    ) -> Result<i128, Refusal> {
        let added = self.clip(follow, edge, change, entitled, wanted)?;
        let added = self.raise(follow, edge, change, entitled, added);
        if self.needs.book { self.within_book(edge, change, added, now_ms) } else { Ok(added) }
    }

    /// The ratio that an edge's sizing gives now of a leader's position at a price.
    pub(super) fn ratio(
        &self,
        edge: &CheckedFollow,
        coin: CoinId,
        price: i64,
        position: i64,
        now_ms: u64,
    ) -> Result<i64, Reason> {
        let spot = self.needs.spot && self.is_spot(coin);
        let leader = || match self.state.leaders.get(edge.leader as usize)? {
            leader if spot => leader.purse.of_spot_leader(self.oldest_ms(now_ms)),
            leader => self.leader_equity(leader, now_ms),
        };
        let follower = || match self.state.follower(edge.follower)? {
            state if spot => state.purse.of_spot_follower(self.oldest_ms(now_ms)),
            _ => self.follower_equity(edge.follower, coin, now_ms),
        };
        let basis = match edge.mode {
            Mode::Ratio(_) | Mode::Notional { .. } => Basis::default(),
            Mode::Equity(_) => Basis { leader_equity: leader(), follower_equity: follower(), ..Basis::default() },
            Mode::Risk { days, .. } => {
                let usual_move = self.usual_move(coin, days, now_ms);
                Basis { follower_equity: follower(), usual_move, ..Basis::default() }
            }
        };
        opening_ratio(edge.mode, &basis, price, position)
    }

    /// An edge's exit may turn the net to the other side: what it had covered is then opened, as part of the exit. It adds
    /// nothing to E, so nothing is ever given back, and like every exit it does not expire.
    pub(super) fn uncover(&mut self, follow: u32, follower: u32, change: &Change, net_before: i128) {
        let net = self.net(follower, change.coin);
        let turned = net != 0 && (net > 0) != (net_before > 0);
        if !turned && net.unsigned_abs() <= net_before.unsigned_abs() {
            return;
        }
        if let Some(lot) = self.state.lot_entry(follower, change.coin) {
            let price = change.price;
            lot.entries.push(Entry::uncovered(follow, price));
        }
    }

    pub(super) fn numbers(&self, follow: u32, change: &Change, first: Held) -> Numbers {
        let position = |entitled| Pos::from_raw(to_position(entitled).unwrap_or(0));
        Numbers {
            leader_before: Pos::from_raw(change.gap_from.unwrap_or(change.before)),
            leader_after: Pos::from_raw(change.after),
            leader_price: Px::from_raw(change.price),
            entitled_before: position(first.entitled),
            entitled_after: position(self.state.held(follow, change.coin).entitled),
            ..Numbers::default()
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a receipt tells")]
    pub(super) fn conclude(
        &mut self,
        follow: u32,
        change: &Change,
        first: Held,
        kind: Move,
        verdict: &Verdict,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(edge) = self.config.follows.get(follow as usize) else { return };
        let (follower, bare_fill) = (edge.follower, change.fills.first().copied());
        let (time_ms, tid) = bare_fill.unwrap_or((change.time_ms, 0));
        let pending = Pending {
            from_fill: bare_fill.is_some(),
            reduces: verdict.reduces,
            enters: verdict.added != 0,
            reason: match verdict.refusal {
                Some((_, reason)) => reason,
                None if verdict.delayed => Reason::Delayed,
                None => Reason::None,
            },
            numbers: self.numbers(follow, change, first),
            ..bare(follow, change.decision, time_ms, tid, now_ms)
        };
        if verdict.delayed && !pending.reduces {
            return;
        }
        self.merge_other_fills(follow, change, now_ms, out);
        if !pending.reduces && !pending.enters {
            if pending.from_fill {
                self.finish(change.coin, &pending, without_effect(first, kind, verdict), now_ms, out);
            }
            return;
        }
        let stopped = self.state.follower(follower).and_then(|follower| follower.stopped);
        let Some(lot) = self.state.lot_entry(follower, change.coin) else { return };
        // Also of a stopped follower: once it is let go on, what its leaders closed meanwhile is closed.
        lot.wants = true;
        lot.retry_ms = 0;
        lot.leader_price = change.price;
        lot.emergency = change.forced || (lot.emergency && lot.own != 0);
        if let Some(reason) = stopped {
            self.finish(change.coin, &pending, Ending::new(Outcome::Blocked, reason), now_ms, out);
            return;
        }
        let Some(lot) = self.state.lot_entry(follower, change.coin) else { return };
        lot.pending.push(pending);
        if verdict.added != 0 {
            let over_ms = if planted(Bug::StaleEntries) { u64::MAX } else { verdict.deadline_ms };
            let deadline_ms = self.begin_slices(follower, change.coin, over_ms, now_ms);
            let (amount, price) = (verdict.added, change.price);
            if let Some(lot) = self.state.lot_entry(follower, change.coin) {
                let decision = change.decision;
                lot.entries.push(Entry { follow, decision, amount, deadline_ms, price, post: None, behind: false });
            }
            // What another edge gave up was there at once.
            let now = self.state.held(follow, change.coin).position;
            self.state.note_bought(follower, follow, change.coin, [first.position, now], true);
        }
        // What rests is soon over anyhow; a TWAP is replaced by one of all that is missing now.
        if verdict.reduces || (verdict.added != 0 && self.execution(follower).is_native()) {
            self.withdraw_coin(follower, change.coin, now_ms, out);
        }
    }
}

fn without_effect(first: Held, kind: Move, verdict: &Verdict) -> Ending {
    if let Some((outcome, reason)) = verdict.refusal {
        return Ending::new(outcome, reason);
    }
    let reason = match kind {
        Move::None => Reason::NoChange,
        _ if first.ignoring || first.adopting => Reason::ExistingPosition,
        _ => Reason::NothingHeld,
    };
    Ending::new(Outcome::Skipped, reason)
}
