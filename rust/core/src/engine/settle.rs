//! Answers to actions: what was executed, what was refused, and what that means for the position, E and the receipts.
use super::receipts::{cut_short, executed};
use super::work::is_beyond;
use super::{Engine, alert, alert_follower};
use crate::commands::{CoinId, Commands, Level, Outcome, Reason};
use crate::event::FrameClass;
use crate::feed::answer::{Answer, Status, parse_body};
use crate::num::{Px, Sz};
use crate::order::attempt::{InFlight, Phase};
use crate::order::text::{Class, classify};
use crate::planted::{Bug, planted};

/// The venue takes nothing now: ask again after this. Its own rhythm for an exhausted address is one request in 10 s.
const WAIT_MS: u64 = 10_000;
/// So far apart are the coins of a batch that was refused whole.
const APART_MS: u64 = 250;

/// What is proven of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LegResult {
    pub filled: i64,
    pub price: Px,
    pub class: Option<Class>,
}

impl LegResult {
    pub const fn nothing(class: Option<Class>) -> LegResult {
        LegResult { filled: 0, price: Px::ZERO, class }
    }
}

impl Engine {
    pub(super) fn on_http_answer(&mut self, post: u64, status: u16, body: &[u8], now_ms: u64, out: &mut Commands) {
        let mut statuses = Vec::new();
        // Only a 200 is an answer of the exchange; a 5xx may come while the action executes.
        if status >= 500 && planted(Bug::ServerErrorIsDead) {
            self.bury(post, now_ms, out);
            return;
        }
        let answer = if status == 200 { parse_body(body, &mut statuses) } else { Answer::Unknown };
        self.on_answer(post, answer, body, &statuses, now_ms, out);
    }

    pub(super) fn on_answer(
        &mut self,
        post: u64,
        answer: Answer,
        frame: &[u8],
        statuses: &[Status],
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        if answer == Answer::Info {
            return FrameClass::Other;
        }
        if let Some(original) = self.state.fences.remove(&post) {
            out.changed = true;
            self.on_fence_answer(original, answer, frame, now_ms, out);
            return FrameClass::Taken;
        }
        if let Some(original) = self.state.withdrawals.remove(&post) {
            out.changed = true;
            // Whatever it says: the order itself knows.
            self.look_up(original, now_ms, out);
            return FrameClass::Taken;
        }
        let post = self.state.resends.remove(&post).unwrap_or(post);
        let Some(attempt) = self.state.attempts.get(&post) else {
            if self.state.setup_posts.contains_key(&post) {
                return self.on_setup_answer(post, answer, frame, now_ms, out);
            }
            return self.on_stop_answer(post, answer, frame, statuses, now_ms, out);
        };
        out.changed = true;
        let follower = attempt.follower;
        match answer {
            Answer::Statuses => self.on_statuses(post, statuses, frame, now_ms, out),
            Answer::Refused(text) => self.on_refused(post, text.of(frame), now_ms, out),
            Answer::Accepted | Answer::Unknown | Answer::Info => self.doubt(post, now_ms, out),
        }
        self.work(follower, now_ms, out);
        self.send_batch(now_ms, out);
        FrameClass::Taken
    }

    fn on_statuses(&mut self, post: u64, statuses: &[Status], frame: &[u8], now_ms: u64, out: &mut Commands) {
        if self.rest(post, statuses, frame, now_ms) || self.start_twap(post, statuses, now_ms, out) {
            return;
        }
        let results = self.state.attempts.get(&post).and_then(|attempt| self.fold(attempt, statuses, frame));
        match results {
            Some(results) => self.settle(post, &results, now_ms, out),
            None => self.doubt(post, now_ms, out),
        }
    }

    /// One result per order, by place (rule 29). `None`: the answer proves nothing.
    fn fold(&self, attempt: &InFlight, statuses: &[Status], frame: &[u8]) -> Option<Vec<LegResult>> {
        let account = self.config.followers.get(attempt.follower as usize)?;
        let result = |status: &Status, size: i64| match status {
            Status::Filled { size: filled, price } => {
                // More than asked would be the venue's error; the position is read again either way.
                let asked = size.saturating_abs();
                let filled = if planted(Bug::FilledInFull) { asked } else { filled.raw().min(asked) };
                Some(LegResult { filled: if size < 0 { -filled } else { filled }, price: *price, class: None })
            }
            Status::Error(text) if attempt.is_passive() && Self::would_take(text.of(frame)) => {
                Some(LegResult::nothing(None))
            }
            Status::Error(text) => {
                Some(LegResult::nothing(Some(classify(text.of(frame), &account.agent, &account.account))))
            }
            Status::Resting | Status::Running { .. } | Status::Word => None,
        };
        match statuses {
            // One error may stand for the whole batch: it failed before any order was looked at.
            [only @ Status::Error(_)] => attempt.legs.iter().map(|leg| result(only, leg.size)).collect(),
            _ if statuses.len() == attempt.legs.len()
                || (planted(Bug::CountOfStatusesIgnored) && statuses.len() > attempt.legs.len()) =>
            {
                statuses.iter().zip(&attempt.legs).map(|(status, leg)| result(status, leg.size)).collect()
            }
            _ => None,
        }
    }

    fn on_refused(&mut self, post: u64, text: &[u8], now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let Some(account) = self.config.followers.get(attempt.follower as usize) else { return };
        match classify(text, &account.agent, &account.account) {
            // Something with this nonce executed, or a fence of ours burned it: the orders know.
            Class::NonceUsed => {
                let only = attempt.phase == Phase::Sent && !attempt.resent;
                if let Some(attempt) = self.state.attempts.get_mut(&post).filter(|_| only) {
                    attempt.nonce_taken = true;
                }
                self.look_up(post, now_ms, out);
            }
            // Too late for this copy; the other one may have been in time.
            Class::TooLate if attempt.resent => self.look_up(post, now_ms, out),
            _ if attempt.resent => self.doubt(post, now_ms, out),
            Class::Unknown => self.on_unknown_text(post, text, now_ms, out),
            class => {
                let legs = attempt.legs.len();
                self.settle(post, &vec![LegResult::nothing(Some(class)); legs], now_ms, out);
            }
        }
    }

    /// A refusal in words that nobody knows proves nothing: on 2025-07-29 the venue answered errors for 37 minutes while the
    /// actions executed. The fence proves it dead; then it is not tried again.
    fn on_unknown_text(&mut self, post: u64, text: &[u8], now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        attempt.refused = true;
        let shown = String::from_utf8_lossy(text.get(..text.len().min(200)).unwrap_or_default()).into_owned();
        let text = format!("The venue refused with {shown:?}.");
        alert_follower(out, Level::Warning, "unknown_text", attempt.follower, text);
        self.doubt(post, now_ms, out);
    }

    /// Ends an attempt: every order's outcome is proven.
    pub(super) fn settle(&mut self, post: u64, results: &[LegResult], now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.remove(&post) else { return };
        out.changed = true;
        self.state.deadlines.remove(&(attempt.deadline_ms, post));
        let follower = attempt.follower;
        // What ran was counted out when it began to.
        let ran = self.state.twaps.remove(&post).is_some_and(|twap| twap.id.is_some());
        let was_unknown = attempt.phase != Phase::Sent && (attempt.former || !attempt.is_passive());
        self.state.fences.retain(|_, fenced| *fenced != post);
        self.state.resends.retain(|_, first| *first != post);
        if let Some(state) = self.state.follower_mut(follower) {
            state.in_flight = state.in_flight.saturating_sub(u32::from(!ran));
            state.unresolved = state.unresolved.saturating_sub(u32::from(attempt.former));
        }
        for result in results {
            self.act_on(follower, result.class, now_ms, out);
        }
        let mut coins: Vec<CoinId> = attempt.legs.iter().map(|leg| leg.coin).collect();
        coins.dedup();
        for coin in &coins {
            self.settle_coin(post, &attempt, results, *coin, was_unknown, now_ms, out);
        }
        if results.iter().all(|result| result.class.is_some()) {
            self.part_ways(follower, &coins);
        }
        // Whatever it left is not tried again for a follower that was stopped meanwhile: its receipts must not wait for that.
        if let Some(reason) = self.state.follower(follower).and_then(|state| state.stopped) {
            self.end_work(follower, reason, now_ms, out);
        }
        self.enforce_after_answer(follower, now_ms, out);
        self.state.waiting.insert(follower);
    }

    /// One order may have had its whole batch refused, and would again: from now on each coin is tried by itself.
    fn part_ways(&mut self, follower: u32, coins: &[CoinId]) {
        for (place, coin) in (1..).zip(coins.iter().skip(1)) {
            let Some(lot) = self.state.lot_mut(follower, *coin) else { continue };
            lot.retry_ms = lot.retry_ms.saturating_add(APART_MS * place);
            let due = lot.retry_ms;
            self.state.due.insert((due, follower));
        }
    }

    /// What a refusal means beyond its own order.
    pub(super) fn act_on(&mut self, follower: u32, class: Option<Class>, now_ms: u64, out: &mut Commands) {
        match class {
            Some(Class::Wait(_)) => {
                if let Some(state) = self.state.follower_mut(follower) {
                    state.hold_until_ms =
                        now_ms.saturating_add(if planted(Bug::WaitsForEver) { 3_600_000 } else { WAIT_MS });
                    // Perhaps its requests are used up: look at once.
                    state.requests_ms = 0;
                }
                self.read_soon(follower, now_ms);
            }
            Some(Class::StopFollower) if planted(Bug::OneStopsAll) => {
                for each in (0..).take(self.state.followers.len()) {
                    self.stop_follower(each, Reason::FollowerStopped, now_ms, out);
                }
            }
            Some(Class::StopFollower) => self.stop_follower(follower, Reason::FollowerStopped, now_ms, out),
            Some(Class::Foreign) if !self.state.breaker => {
                self.state.breaker = true;
                let text = "The venue recovered a signer that is none of ours: the signed bytes are wrong. No entries until a restart.";
                alert(out, Level::Critical, "breaker", text.into());
            }
            Some(Class::Bug(reason)) => {
                let text = format!("The venue found fault with an order of ours: {}.", reason.name());
                alert_follower(out, Level::Warning, "order_invalid", follower, text);
            }
            // Perhaps the venue has closed the position, as it does when it delists a coin.
            Some(Class::Skip(Reason::ReduceOnly) | Class::WaitCoin(_)) => self.read_soon(follower, now_ms),
            Some(class @ (Class::WithoutBuilder | Class::WithoutPriority)) => self.drop_surcharge(follower, class, out),
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one coin of one attempt")]
    fn settle_coin(
        &mut self,
        post: u64,
        attempt: &InFlight,
        results: &[LegResult],
        coin: CoinId,
        was_unknown: bool,
        now_ms: u64,
        out: &mut Commands,
    ) {
        // A looked-up order tells its limit, not what it cost.
        if !was_unknown {
            self.learn_drift(post, attempt, results, coin, now_ms);
        }
        let gone = self.forget_the_gone(attempt, results, coin, now_ms);
        let legs = attempt.legs.iter().zip(results).filter(|(leg, _)| leg.coin == coin && !(gone && leg.reduce_only));
        let full = legs.clone().all(|(leg, result)| leg.size == result.filled);
        let traded = legs.clone().fold(0i64, |sum, (_, result)| sum.saturating_add(result.filled.saturating_abs()));
        let price = legs.clone().map(|(_, result)| result.price).rfind(|price| !price.is_zero());
        let class = legs.filter(|(leg, result)| leg.size != result.filled).find_map(|(_, result)| result.class);
        let Some(lot) = self.state.lot_mut(attempt.follower, coin) else { return };
        let before = lot.own;
        let mut own = before;
        for (_, result) in attempt.legs.iter().zip(results).filter(|(leg, _)| leg.coin == coin) {
            own = own.saturating_add(result.filled);
            self.withhold(attempt.follower, coin, result.filled);
            self.move_own(attempt.follower, coin, own, result.price.raw());
        }
        let Some(lot) = self.state.lot_mut(attempt.follower, coin) else { return };
        lot.in_flight = lot.in_flight.filter(|flying| *flying != post);
        lot.doubted.retain(|doubted| *doubted != post);
        lot.settled_ms = now_ms;
        lot.wants = true;
        for pending in lot.pending.iter_mut().filter(|pending| pending.post == Some(post)) {
            let numbers = &mut pending.numbers;
            numbers.filled = numbers.filled.checked_add(Sz::from_raw(traded)).unwrap_or(numbers.filled);
            numbers.average_price = price.unwrap_or(numbers.average_price);
            pending.was_unknown |= was_unknown;
            pending.complete = full;
        }
        let newer = lot.pending.last().is_some_and(|pending| pending.planned_ms == 0);
        self.touch_stop(attempt.follower, coin, before, now_ms);
        let Some(lot) = self.state.lot_mut(attempt.follower, coin) else { return };
        if full {
            lot.misses = 0;
            lot.chases = false;
            lot.retry_ms = 0;
            lot.slicing.rested = false;
            lot.emergency &= lot.own != 0;
            // A flip's opening that could not go with its close: the entry and its receipt wait for it.
            if lot.entries.iter().any(|entry| entry.behind && entry.post == Some(post)) {
                lot.let_go(post, |pending| pending.complete = false);
                return;
            }
            // An order cut by the account's cap of one order, or a portion, is followed by the next one.
            let own = lot.own;
            let account = self.config.followers.get(attempt.follower as usize);
            let cut = account.is_some_and(|account| account.max_order.is_some() || account.execution.is_sliced());
            let rest = cut && is_beyond(self.target(attempt.follower, coin), own);
            let Some(lot) = self.state.lot_mut(attempt.follower, coin) else { return };
            if rest {
                lot.let_go(post, |_| {});
                return;
            }
            self.state.retain_entries(attempt.follower, coin, |entry| entry.post != Some(post));
            self.finish_covered(attempt.follower, coin, post, None, now_ms, out);
            self.uncover_rest(attempt.follower, coin);
            return;
        }
        // What nobody sold to an order that waited is taken from the book now.
        if class.is_none() && attempt.is_passive() {
            lot.let_go(post, |_| {});
            lot.retry_ms = now_ms;
            self.uncover_capped(attempt.follower, coin);
            return;
        }
        self.settle_rest(attempt.follower, coin, post, class, newer, now_ms, out);
    }

    /// A flip whose close found nothing to reduce while its opening was executed: what it was to close had gone before, by a stop
    /// of ours or by somebody's hand, and what there is now is what it opened. True: so it was. Where the close found a part, or a
    /// lookup only tells that it found none, the book may have been thin: the stop is asked for first.
    fn forget_the_gone(&mut self, attempt: &InFlight, results: &[LegResult], coin: CoinId, now_ms: u64) -> bool {
        let nothing = Some(Class::Skip(Reason::ReduceOnly));
        let of_coin = || attempt.legs.iter().zip(results).filter(|(leg, _)| leg.coin == coin);
        let opened = of_coin().find(|(leg, result)| !leg.reduce_only && result.filled != 0);
        let closed = of_coin().find(|(leg, result)| leg.reduce_only && result.filled != leg.size);
        let (Some((_, opened)), Some((_, closed))) = (opened, closed) else { return false };
        if closed.filled != 0 || closed.class != nothing {
            self.doubt_stop(attempt.follower, coin, now_ms);
            return false;
        }
        let Some(lot) = self.state.lot_mut(attempt.follower, coin).filter(|lot| lot.manual == 0) else { return false };
        let before = lot.own;
        self.move_own(attempt.follower, coin, 0, opened.price.raw());
        self.account_stop(attempt.follower, coin, before, now_ms);
        true
    }

    /// The part of an order that was not executed.
    #[expect(clippy::too_many_arguments, reason = "one coin of one attempt")]
    fn settle_rest(
        &mut self,
        follower: u32,
        coin: CoinId,
        post: u64,
        class: Option<Class>,
        newer: bool,
        now_ms: u64,
        out: &mut Commands,
    ) {
        if let Some(lot) = self.state.lot_mut(follower, coin) {
            lot.chases = matches!(class, None | Some(Class::Retry(_)));
        }
        let retry = match class {
            // Partly filled, or proven dead: the same thing again.
            None | Some(Class::Retry(_) | Class::Wait(_) | Class::WaitCoin(_)) => true,
            Some(Class::TooLate | Class::NonceUsed) => true,
            Some(Class::WithoutBuilder | Class::WithoutPriority) => true,
            Some(Class::Skip(_) | Class::Bug(_) | Class::StopFollower | Class::Foreign | Class::Unknown) => false,
        };
        if retry {
            let Some(lot) = self.state.lot_mut(follower, coin) else { return };
            let missed = match class {
                Some(Class::Retry(reason) | Class::Wait(reason) | Class::WaitCoin(reason)) => Some(reason),
                _ => None,
            };
            lot.let_go(post, |pending| pending.missed = missed.unwrap_or(pending.missed));
            self.back_off(follower, coin, now_ms);
            self.uncover_capped(follower, coin);
            if let Some(Class::WaitCoin(_)) = class {
                self.rest_coin(follower, coin, now_ms);
                return;
            }
            // A newer leader event is a reason to look at the book again at once; and the book said nothing yet.
            let unseen = matches!(class, Some(Class::WithoutBuilder | Class::WithoutPriority));
            if (newer || unseen)
                && let Some(lot) = self.state.lot_mut(follower, coin)
            {
                lot.retry_ms = now_ms;
            }
            return;
        }
        let reason = match class {
            Some(Class::Skip(reason) | Class::Bug(reason)) => reason,
            Some(Class::StopFollower) => Reason::FollowerStopped,
            Some(Class::Foreign) => Reason::Breaker,
            _ => Reason::UnknownText,
        };
        self.give_back(follower, coin, |entry| (entry.post == Some(post)).then_some(reason));
        self.finish_covered(follower, coin, post, Some(reason), now_ms, out);
        // Exits never expire: whatever is still to be reduced is tried again, at the slowest pace.
        if let Some(lot) = self.state.lot_mut(follower, coin) {
            lot.misses = lot.misses.saturating_add(2);
        }
        self.back_off(follower, coin, now_ms);
        if newer && let Some(lot) = self.state.lot_mut(follower, coin) {
            lot.retry_ms = now_ms;
        }
    }

    /// The venue takes nothing of a coin: it is tried again as late as a follower of whom it takes nothing, or on a newer event.
    fn rest_coin(&mut self, follower: u32, coin: CoinId, now_ms: u64) {
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        lot.retry_ms = now_ms.saturating_add(WAIT_MS);
        let due = lot.retry_ms;
        self.state.due.insert((due, follower));
    }

    /// Ends the receipts that an action carried, as executed or for what it was rejected.
    fn finish_covered(
        &mut self,
        follower: u32,
        coin: CoinId,
        post: u64,
        rejected: Option<Reason>,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        // The list keeps its memory: the next decision of the coin is on the hot path.
        let covered: Vec<_> = lot.pending.extract_if(.., |pending| pending.post == Some(post)).collect();
        for pending in covered {
            let ending = match rejected {
                None => executed(&pending),
                Some(reason) => cut_short(&pending, Outcome::Rejected, reason),
            };
            self.finish(coin, &pending, ending, now_ms, out);
        }
    }

    /// Nothing more is sent for this follower. Its work ends blocked; E keeps what is held.
    pub(super) fn stop_follower(&mut self, follower: u32, reason: Reason, now_ms: u64, out: &mut Commands) {
        let Some(state) = self.state.follower_mut(follower) else { return };
        if state.stopped.is_some() {
            return;
        }
        state.stopped = Some(reason);
        out.changed = true;
        let text = format!("Nothing is sent for this follower any more: {}.", reason.name());
        alert_follower(out, Level::Critical, "follower_stopped", follower, text);
        self.end_work(follower, reason, now_ms, out);
    }

    /// Ends what nothing in flight stands for: parts that wait are given back, receipts say why.
    fn end_work(&mut self, follower: u32, reason: Reason, now_ms: u64, out: &mut Commands) {
        let Some(state) = self.state.follower_mut(follower) else { return };
        let coins: Vec<CoinId> = state.coins.keys().copied().collect();
        for coin in coins {
            self.give_back(follower, coin, |entry| entry.post.is_none().then_some(reason));
            let Some(lot) = self.state.lot_mut(follower, coin) else { continue };
            let (keep, done): (Vec<_>, Vec<_>) =
                std::mem::take(&mut lot.pending).into_iter().partition(|pending| pending.post.is_some());
            lot.pending = keep;
            for pending in done {
                let ending = cut_short(&pending, Outcome::Blocked, reason);
                self.finish(coin, &pending, ending, now_ms, out);
            }
        }
    }

    pub(super) fn on_stop_signer(&mut self, signer: u32, now_ms: u64, out: &mut Commands) {
        self.stop_follower(signer, Reason::SignerStopped, now_ms, out);
    }
}
