//! Silence after a send is *unknown*: fence it, ask for it, and only then go on. Also what a new process does first.
use super::native::next_reading;
use super::reads::STATE_WEIGHT;
use super::rotation::after;
use super::send::post_weight;
use super::settle::LegResult;
use super::{Engine, alert_follower};
use crate::commands::{Commands, Level, Reason};
use crate::event::SourceId;
use crate::feed::account::Fate;
use crate::feed::answer::Answer;
use crate::num::Px;
use crate::order::attempt::{ANSWER_MS, Phase, backoff_ms, proves_absence};
use crate::order::text::{Class, classify};
use crate::planted::{Bug, planted};
use crate::risk::budget::Purpose;
use crate::state::{Asked, Gap, Lot};

/// Block time may run behind our estimate by this much; an expiry counts only after it.
pub(super) const EXPIRY_MARGIN_MS: u64 = 2_000;
/// Followers worked on in one tick, for budget and lanes that came back.
pub(super) const TICK_WORK: usize = 128;

impl Engine {
    /// An outcome is unknown: nothing replaces it until it is settled, but reductions pass it by (rule 28).
    pub(super) fn doubt(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        if attempt.phase == Phase::Sent {
            attempt.phase = Phase::Fencing { post: None, tries: 0 };
            let (follower, nonce) = (attempt.follower, attempt.nonce);
            let text = format!("The outcome of nonce {nonce} is unknown; it is fenced now.");
            alert_follower(out, Level::Warning, "outcome_unknown", follower, text);
            if let Some(state) = self.state.follower_mut(follower) {
                state.coins.values_mut().filter(|lot| lot.in_flight == Some(post)).for_each(Lot::doubt);
            }
            self.state.waiting.insert(follower);
            if self.resend(post, now_ms, out) {
                return;
            }
        }
        out.changed = true;
        self.fence(post, now_ms, out);
    }

    /// The same action over another lane, once, while there is time for its answer: one of both executes, and either's answer
    /// is the truth. False: it has to be fenced.
    fn resend(&mut self, post: u64, now_ms: u64, out: &mut Commands) -> bool {
        let Some(attempt) = self.state.attempts.get(&post) else { return false };
        let in_time = now_ms.saturating_add(ANSWER_MS) <= attempt.expires_after;
        let can = self.state.started && self.budget.has(post_weight(attempt.legs.len()), 1, Purpose::Safety);
        let frozen = self.is_account_frozen(attempt.follower);
        if !in_time || !can || frozen || attempt.resent || attempt.refused || !self.send_again(post, out) {
            return false;
        }
        self.set_deadline(post, now_ms.saturating_add(ANSWER_MS));
        out.changed = true;
        true
    }

    fn fence(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let Phase::Fencing { tries, .. } = attempt.phase else { return };
        // Its answer came to a former process: there is nothing to fence, and its number tells.
        if self.state.twaps.get(&post).is_some_and(|twap| twap.id.is_some()) {
            self.look_up(post, now_ms, out);
            return;
        }
        let overdue = now_ms > attempt.expires_after.saturating_add(EXPIRY_MARGIN_MS);
        // A fence that can't get through is not needed for ever: an expired action can't execute, so its orders can be asked for.
        let frozen = self.is_account_frozen(attempt.follower);
        if overdue && (tries >= 3 || frozen) {
            self.look_up(post, now_ms, out);
            return;
        }
        let mut wait = backoff_ms(0);
        let can = self.state.started && !frozen && self.budget.has(post_weight(0), 1, Purpose::Safety);
        if can && let Some(fence) = self.send_fence(post, out) {
            wait = ANSWER_MS.saturating_add(backoff_ms(tries));
            if let Some(attempt) = self.state.attempts.get_mut(&post) {
                attempt.phase = Phase::Fencing { post: Some(fence), tries: tries.saturating_add(1) };
            }
        }
        self.set_deadline(post, now_ms.saturating_add(wait));
        out.changed = true;
    }

    /// What a defect does: an unknown outcome counts as none.
    pub(super) fn bury(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let legs = self.state.attempts.get(&post).map_or(0, |attempt| attempt.legs.len());
        self.settle(post, &vec![LegResult::nothing(None); legs], now_ms, out);
    }

    pub(super) fn set_deadline(&mut self, post: u64, at_ms: u64) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        self.state.deadlines.remove(&(attempt.deadline_ms, post));
        attempt.deadline_ms = at_ms;
        self.state.deadlines.insert((at_ms, post));
    }

    pub(super) fn on_fence_answer(&mut self, post: u64, answer: Answer, frame: &[u8], now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let (follower, legs) = (attempt.follower, attempt.legs.len());
        let Some(account) = self.config.followers.get(follower as usize) else { return };
        match answer {
            // The fence took the nonce: the action can never execute.
            Answer::Accepted => {
                let class = attempt.refused.then_some(Class::Unknown);
                self.settle(post, &vec![LegResult::nothing(class); legs], now_ms, out);
                self.work(follower, now_ms, out);
                self.send_batch(now_ms, out);
            }
            Answer::Refused(text) => match classify(text.of(frame), &account.agent, &account.account) {
                Class::NonceUsed if planted(Bug::UsedNonceIsDead) => self.bury(post, now_ms, out),
                Class::NonceUsed | Class::TooLate => self.look_up(post, now_ms, out),
                Class::StopFollower | Class::Foreign => {
                    self.stop_follower(follower, Reason::FollowerStopped, now_ms, out);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// The nonce is used or too old: only the orders themselves can tell.
    pub(super) fn look_up(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        if !matches!(attempt.phase, Phase::Lookup { .. }) {
            attempt.phase = Phase::Lookup { since_ms: now_ms, misses: 0 };
        }
        out.changed = true;
        self.ask_orders(post, now_ms, out);
    }

    fn ask_orders(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let asked = self.state.asks.values().any(|asked| matches!(asked, Asked::Order { post: of, .. } if *of == post));
        if asked {
            if planted(Bug::LookupForgotten) {
                return;
            }
            // The answer may take longer than this, and say nothing: whoever looks then must look again.
            self.set_deadline(post, now_ms.saturating_add(backoff_ms(0)));
            return;
        }
        let follower = attempt.follower;
        if self.state.twaps.contains_key(&post) {
            let since_ms = if let Phase::Lookup { since_ms, .. } = attempt.phase { since_ms } else { now_ms };
            self.ask_twap(post, out);
            self.set_deadline(post, next_reading(since_ms, now_ms));
            return;
        }
        let open: Vec<(u32, [u8; 16])> =
            (0..).zip(&attempt.legs).filter(|(_, leg)| leg.found.is_none()).map(|(at, leg)| (at, leg.cloid)).collect();
        let weight = STATE_WEIGHT.saturating_mul(u32::try_from(open.len()).unwrap_or(u32::MAX));
        if self.budget.has(weight, 0, Purpose::Safety) {
            for (leg, cloid) in open {
                self.ask_order(follower, post, leg, cloid, out);
            }
        }
        self.set_deadline(post, now_ms.saturating_add(backoff_ms(0)));
    }

    pub(super) fn on_order_fate(
        &mut self,
        post: u64,
        leg: u32,
        fate: Option<Fate>,
        asked_ms: u64,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        let Phase::Lookup { since_ms, misses, .. } = attempt.phase else { return };
        let Some(order) = attempt.legs.get_mut(leg as usize) else { return };
        out.changed = true;
        match fate {
            Some(Fate::Over(size)) => {
                let size = size.raw().min(order.size.saturating_abs());
                order.found = Some(if order.size < 0 { -size } else { size });
            }
            Some(Fate::Unknown) => {
                let misses = misses.saturating_add(1);
                attempt.phase = Phase::Lookup { since_ms, misses };
                if proves_absence(since_ms, misses, asked_ms) || planted(Bug::NotFoundIsDead) {
                    order.found = Some(0);
                }
            }
            Some(Fate::Open) if order.passive => {
                self.withdraw(post, now_ms, out);
                return;
            }
            Some(Fate::Open) | None => {}
        }
        let Some(results) = attempt.legs.iter().map(|leg| leg.found).collect::<Option<Vec<i64>>>() else { return };
        let (follower, refused) = (attempt.follower, attempt.refused.then_some(Class::Unknown));
        let (nonce, stolen) = (
            attempt.nonce,
            attempt.nonce_taken && !planted(Bug::OtherEngineUnnoticed) && results.iter().all(|found| *found == 0),
        );
        let result = |(filled, price)| LegResult { filled, price: Px::from_raw(price), class: refused };
        let prices: Vec<i64> = attempt.legs.iter().map(|leg| leg.price).collect();
        let results: Vec<LegResult> = results.into_iter().zip(prices).map(result).collect();
        if stolen {
            self.suspect_another_engine(follower, nonce, now_ms, out);
        }
        self.settle(post, &results, now_ms, out);
        self.read_soon(follower, now_ms);
        self.work(follower, now_ms, out);
        self.send_batch(now_ms, out);
    }

    /// A nonce that only this engine could have given out carried something else: the key signs elsewhere too, most likely for a
    /// copy of this journal. Neither knows what the other trades; what is planned anew might be there already.
    pub(super) fn suspect_another_engine(&mut self, follower: u32, nonce: u64, now_ms: u64, out: &mut Commands) {
        let text = format!(
            "Nonce {nonce} was used by somebody else. Does another engine run with this key? Stop it, then start this one again."
        );
        alert_follower(out, Level::Critical, "nonce_taken", follower, text);
        self.stop_follower(follower, Reason::SignerStopped, now_ms, out);
    }

    /// Posts in flight on a lane that died are unknown; fences on it are sent again over another.
    pub(super) fn lose_lane(&mut self, lane: SourceId, now_ms: u64, out: &mut Commands) {
        let lost: Vec<u64> = self
            .state
            .attempts
            .iter()
            .filter(|(_, a)| a.lane == lane && a.phase == Phase::Sent)
            .map(|(post, _)| *post)
            .collect();
        for post in lost {
            self.doubt(post, now_ms, out);
        }
        self.lose_setups(lane, now_ms, out);
    }

    pub(super) fn on_reopen(&mut self, out: &mut Commands) {
        out.changed = true;
        self.reopen_stops();
        self.reopen_latches();
        self.silence.reopen();
        self.reopen_setups();
        let state = &mut self.state;
        state.started = false;
        state.breaker = false;
        state.asks.clear();
        state.ask_times.clear();
        state.fences.clear();
        state.resends.clear();
        state.withdrawals.clear();
        state.lanes.clear();
        state.http_lanes.clear();
        state.tapes.clear();
        state.reads.clear();
        state.surveys.clear();
        state.backfills.clear();
        state.deadlines.clear();
        if planted(Bug::UnknownForgottenAtRestart) {
            state.attempts.clear();
            for lot in state.followers.iter_mut().flat_map(|follower| follower.coins.values_mut()) {
                lot.in_flight = None;
            }
        }
        if planted(Bug::DedupeInMemoryOnly) {
            for leader in &mut state.leaders {
                leader.seen = crate::feed::seen::Seen::default();
                for coin in leader.coins.values_mut() {
                    coin.last_ms = 0;
                }
            }
        }
        for follower in &mut state.followers {
            follower.read.iter_mut().for_each(|read| *read = false);
            follower.spot_read = false;
            follower.unresolved = 0;
            follower.hold_until_ms = 0;
            // A key may have been mended since: whoever still can't sign is stopped again.
            follower.stopped = None;
            follower.without_builder = false;
            follower.without_priority = false;
            for lot in follower.coins.values_mut() {
                lot.doubt();
                lot.pending.iter_mut().for_each(|pending| pending.was_unknown |= pending.post.is_some());
            }
        }
        for (post, attempt) in &mut state.attempts {
            attempt.former = true;
            // At once, whatever the time is: until the venue has told it, it is the host's, which may be hours ahead.
            attempt.deadline_ms = 0;
            if let Some(follower) = state.followers.get_mut(attempt.follower as usize) {
                follower.unresolved = follower.unresolved.saturating_add(1);
            }
            // An answer of the former process's questions can't come any more.
            attempt.phase = Phase::Fencing { post: None, tries: 0 };
            state.deadlines.insert((0, *post));
        }
        for leader in 0..u32::try_from(state.leaders.len()).unwrap_or(u32::MAX) {
            if let Some(leader) = state.leader_mut(leader)
                && leader.gap != Gap::None
            {
                leader.gap = Gap::Fills;
            }
        }
        let subscribed: Vec<u32> = (0..).take(state.market.len()).collect();
        for coin in subscribed {
            if let Some(entry) = state.market.coin_mut(coin) {
                entry.subscribed = false;
            }
        }
    }

    pub(super) fn on_tick(&mut self, now_ms: u64, out: &mut Commands) {
        while let Some((due, post)) = self.state.deadlines.first().copied().filter(|(due, _)| *due <= now_ms) {
            self.state.deadlines.remove(&(due, post));
            out.changed = true;
            self.on_deadline(post, now_ms, out);
        }
        self.take_due(now_ms, out);
        self.rebalance(now_ms, out);
        while let Some((due, follower)) = self.state.due.first().copied().filter(|(due, _)| *due <= now_ms) {
            self.state.due.remove(&(due, follower));
            out.changed = true;
            self.work(follower, now_ms, out);
        }
        self.chase_quotes(now_ms, out);
        self.work_waiting(now_ms, out);
        self.send_batch(now_ms, out);
        // Behind the orders: what is prepared can wait, and an account's nonces rise as they leave.
        self.tend_setups(now_ms, out);
        self.schedule_reads(now_ms, out);
        self.tend_stops(now_ms, out);
        self.let_go_ended(out);
        self.tend_latches(now_ms, out);
        self.tend_silence(now_ms, out);
        if !self.state.fanouts.is_empty() {
            // A former process, or a shell that stopped asking: the event goes on.
            out.more = true;
        }
    }

    fn on_deadline(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        match attempt.phase {
            Phase::Sent if planted(Bug::SilenceIsDead) => self.bury(post, now_ms, out),
            Phase::Sent => self.doubt(post, now_ms, out),
            Phase::Fencing { .. } => self.fence(post, now_ms, out),
            Phase::Resting if self.state.twaps.contains_key(&post) => self.follow_twap(post, now_ms, out),
            Phase::Resting => self.withdraw(post, now_ms, out),
            Phase::Lookup { .. } => self.ask_orders(post, now_ms, out),
        }
    }

    /// Budget, lanes or an account came back: reductions first, and among equals everybody is the first in turn.
    fn work_waiting(&mut self, now_ms: u64, out: &mut Commands) {
        if self.state.waiting.is_empty() {
            return;
        }
        let mut left = TICK_WORK;
        let mut first = None;
        for reductions in [true, false] {
            for follower in after(&self.state.waiting, self.state.first_served) {
                let gate = self.gate(follower, now_ms);
                let allowed = if reductions { gate.reduce && self.has_reduction(follower) } else { gate.place };
                if left == 0 || !allowed {
                    continue;
                }
                left -= 1;
                first = first.or(Some(follower));
                self.state.waiting.remove(&follower);
                self.work(follower, now_ms, out);
            }
        }
        if let Some(first) = first {
            self.state.first_served = first;
            out.changed = true;
        }
    }

    fn has_reduction(&self, follower: u32) -> bool {
        let Some(state) = self.state.follower(follower) else { return false };
        let free = |lot: &&Lot| lot.wants && lot.in_flight.is_none();
        state.coins.iter().filter(|(_, lot)| free(lot)).any(|(coin, lot)| self.is_reducible(follower, *coin, lot))
    }
}
