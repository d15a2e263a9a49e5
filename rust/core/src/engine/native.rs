//! Openings that the venue itself cuts into slices (rule 33). While its TWAP runs, what is left of it counts as unknown, so that
//! reductions beside it stay safe whatever becomes of it (rule 28); a newer target cancels it first.
use super::Engine;
use super::reads::HISTORY_WEIGHT;
use super::receipts::{Ending, executed};
use super::resolve::EXPIRY_MARGIN_MS;
use super::settle::LegResult;
use super::work::is_beyond;
use crate::commands::{CoinId, Commands, Outcome, Reason, TwapSlice};
use crate::feed::answer::Status;
use crate::feed::twap::{Slice, TwapRow, parse_slices, parse_twap_history};
use crate::num::{Px, Round, Sz, mul_div};
use crate::order::attempt::{InFlight, LOOKUP_LAG_MS, Phase, backoff_ms, proves_absence};
use crate::order::text::{Class, classify};
use crate::order::twap::Twap;
use crate::risk::budget::Purpose;
use crate::state::{Asked, Lot, Pending};
use crate::wire::{Action, Twap as TwapOrder};

/// Venue rule: a slice goes out every so often.
const SLICE_MS: u64 = 30_000;
/// A slice is in the indexer's answers by then.
const SLICE_LAG_MS: u64 = 2_000;
/// A TWAP that should run is asked for after this: somebody may have ended it.
const CHECK_MS: u64 = 300_000;
/// Venue rule: weight of `userTwapSliceFillsByTime`, and of the rows of a few slices.
const SLICES_WEIGHT: u32 = 21;
/// Slices are read last: so much of a minute is left to entries and to reads that something waits for.
const SPARED_WEIGHT: u32 = 240;
/// A fate that can't be read for long is asked for so often.
const RAREST_MS: u64 = 15_000;
/// Until the venue has answered, the machine's own clock stands for its time, and may be ahead of it.
const CLOCK_ERROR_MS: u64 = 120_000;

impl Engine {
    /// The action that starts an attempt's TWAP; `None`: it has orders.
    pub(super) fn twap_action(&self, post: u64, attempt: &InFlight) -> Option<Action<'static>> {
        let twap = self.state.twaps.get(&post)?;
        let asset = self.state.market.asset(attempt.legs.first()?.coin)?.id;
        Some(Action::TwapOrder(TwapOrder {
            asset,
            is_buy: twap.size > 0,
            size: Sz::from_raw(twap.size.saturating_abs()),
            reduce_only: false,
            minutes: twap.minutes,
            randomize: twap.randomize,
        }))
    }

    /// The venue runs it now.
    pub(super) fn is_running(&self, post: u64) -> bool {
        let rests = self.state.attempts.get(&post).is_some_and(|attempt| attempt.phase == Phase::Resting);
        rests && self.state.twaps.contains_key(&post)
    }

    pub(super) fn running_twaps(&self) -> usize {
        self.state.twaps.keys().filter(|post| self.is_running(**post)).count()
    }

    /// The answer to a TWAP's start. False: it is no such answer.
    pub(super) fn start_twap(&mut self, post: u64, statuses: &[Status], now_ms: u64, out: &mut Commands) -> bool {
        let [Status::Running { twap_id }] = *statuses else { return false };
        if !self.state.twaps.contains_key(&post) {
            return false;
        }
        self.run_twap(post, twap_id, now_ms, now_ms, out);
        true
    }

    /// It runs under this number: its slices are counted from now on. What runs is no action in flight any more.
    fn run_twap(&mut self, post: u64, id: u64, placed_ms: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        let Some(twap) = self.state.twaps.get_mut(&post) else { return };
        let was_former = std::mem::take(&mut attempt.former);
        attempt.phase = Phase::Resting;
        if twap.id.is_none() {
            twap.until_ms = placed_ms.saturating_add(twap.duration_ms());
            twap.counted_ms = attempt.sent_ms.min(placed_ms).saturating_sub(CLOCK_ERROR_MS);
        }
        twap.look_ms = now_ms.saturating_add(CHECK_MS);
        let (first, unwanted) = (twap.id.replace(id).is_none(), twap.unwanted);
        if let Some(state) = self.state.followers.get_mut(attempt.follower as usize) {
            state.in_flight = state.in_flight.saturating_sub(u32::from(first));
            state.unresolved = state.unresolved.saturating_sub(u32::from(was_former));
            state.coins.values_mut().filter(|lot| lot.in_flight == Some(post)).for_each(Lot::doubt);
        }
        self.note_number(post, id);
        self.state.fences.retain(|_, fenced| *fenced != post);
        out.changed = true;
        if unwanted {
            self.withdraw(post, now_ms, out);
        } else {
            self.set_deadline(post, now_ms.saturating_add(SLICE_LAG_MS));
        }
    }

    /// The venue's numbers grow: what begins on this coin later has a higher one.
    fn note_number(&mut self, post: u64, id: u64) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let Some(coin) = attempt.legs.first().map(|leg| leg.coin) else { return };
        let newest = self.state.newest_twaps.entry((attempt.follower, coin)).or_default();
        *newest = id.max(*newest);
    }

    /// The target of a coin is another one: its TWAPs are not wanted any more, also those of which nothing is known yet.
    pub(super) fn disown_twaps(&mut self, posts: &[u64]) {
        for post in posts {
            if let Some(twap) = self.state.twaps.get_mut(post) {
                twap.unwanted = true;
            }
        }
    }

    /// A running TWAP's time to be looked at.
    pub(super) fn follow_twap(&mut self, post: u64, now_ms: u64, out: &mut Commands) {
        let Some(twap) = self.state.twaps.get(&post) else { return };
        let (unwanted, until_ms) = (twap.unwanted, twap.until_ms);
        let age_ms = now_ms.saturating_sub(until_ms.saturating_sub(twap.duration_ms()));
        let next = now_ms.saturating_add(SLICE_MS - age_ms % SLICE_MS).saturating_add(SLICE_LAG_MS);
        let over = now_ms >= until_ms.saturating_add(SLICE_LAG_MS) || now_ms >= twap.look_ms;
        if unwanted {
            self.withdraw(post, now_ms, out);
            return;
        }
        if over {
            self.ask_twap(post, out);
        } else {
            self.ask_slices(post, out);
        }
        let end = until_ms.saturating_add(SLICE_LAG_MS);
        let at = if now_ms >= end { next_reading(end, now_ms) } else { next.min(end) };
        self.set_deadline(post, at);
    }

    /// Whether it runs, or how it ended, and what was executed of it. One answer tells that of all of an account's TWAPs.
    pub(super) fn ask_twap(&mut self, post: u64, out: &mut Commands) {
        let Some(follower) = self.follower_of(post) else { return };
        let told = |asked: &Asked| matches!(asked, Asked::Twap { post } if self.follower_of(*post) == Some(follower));
        // It is a tenth of the minute: what is kept for reductions, and what the shell's clock is read by, stays free of it.
        if self.state.asks.values().any(told) || !self.budget.has(HISTORY_WEIGHT, 0, Purpose::Ordinary) {
            return;
        }
        if let Some(address) = self.address(false, follower) {
            let body = format!("{{\"type\":\"twapHistory\",\"user\":\"{address}\"}}");
            self.ask(Asked::Twap { post }, HISTORY_WEIGHT, body, out);
        }
    }

    fn follower_of(&self, post: u64) -> Option<u32> {
        self.state.attempts.get(&post).map(|attempt| attempt.follower)
    }

    fn ask_slices(&mut self, post: u64, out: &mut Commands) {
        let Some((attempt, twap)) = self.state.attempts.get(&post).zip(self.state.twaps.get(&post)) else { return };
        let (follower, from_ms) = (attempt.follower, twap.counted_ms.saturating_add(1));
        let known = self.state.asks.values().any(|asked| *asked == Asked::Slices { post });
        let spare = self.budget.has(SLICES_WEIGHT.saturating_add(SPARED_WEIGHT), 0, Purpose::Ordinary);
        if let Some(address) = self.address(false, follower).filter(|_| spare && !known) {
            let kind = "userTwapSliceFillsByTime";
            let body = format!("{{\"type\":\"{kind}\",\"user\":\"{address}\",\"startTime\":{from_ms}}}");
            self.ask(Asked::Slices { post }, SLICES_WEIGHT, body, out);
        }
    }

    /// What the venue says was executed since it was asked last.
    pub(super) fn on_slices(&mut self, post: u64, body: &[u8], now_ms: u64, out: &mut Commands) {
        let Some(twap) = self.state.twaps.get(&post) else { return };
        let counted_ms = twap.counted_ms;
        let Some(slices) = twap.id.and_then(|id| parse_slices(body, id).ok()) else { return };
        let sum = slices.iter().fold(Slice::default(), Slice::and);
        if sum.size <= 0 || sum.time_ms <= counted_ms {
            return;
        }
        for slice in &slices {
            self.record_slice(post, Some(slice.time_ms), (slice.size, slice.value), now_ms, out);
        }
        self.count_slices(post, sum.size, sum.value, now_ms);
        if let Some(twap) = self.state.twaps.get_mut(&post) {
            twap.counted_ms = sum.time_ms;
        }
        out.changed = true;
        // All of it: it is over before its time.
        if self.state.attempts.get(&post).is_some_and(|attempt| attempt.legs.iter().all(|leg| leg.size == 0)) {
            if let Some(twap) = self.state.twaps.get_mut(&post) {
                twap.look_ms = now_ms;
            }
            self.ask_twap(post, out);
            self.set_deadline(post, now_ms.saturating_add(backoff_ms(0)));
        }
    }

    /// Writes down what was executed of a TWAP, and the market as it is known now.
    fn record_slice(
        &mut self,
        post: u64,
        time_ms: Option<u64>,
        (size, value): (i64, i64),
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some((attempt, twap)) = self.state.attempts.get(&post).zip(self.state.twaps.get(&post)) else { return };
        let Some(coin) = attempt.legs.first().map(|leg| leg.coin) else { return };
        let (follower, nonce, twap_id) = (attempt.follower, attempt.nonce, twap.id);
        let quote = self.quote(coin, now_ms, out);
        let (size, price) = (Sz::from_raw(size), price_of(value, size));
        out.twap_slices.push(TwapSlice { follower, coin, nonce, twap_id, time_ms, size, price, quote });
        out.changed = true;
    }

    /// So much more of a TWAP was executed: the engine's position has it, and what is left of the TWAP is less.
    fn count_slices(&mut self, post: u64, size: i64, value: i64, now_ms: u64) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        let (Some(twap), Some(leg)) = (self.state.twaps.get_mut(&post), attempt.legs.first_mut()) else { return };
        // More than asked would be the venue's error; the position is read again either way.
        let size = size.min(leg.size.saturating_abs());
        if size <= 0 {
            return;
        }
        let moved = if leg.size < 0 { -size } else { size };
        leg.size = leg.size.saturating_sub(moved);
        twap.executed = twap.executed.saturating_add(size);
        twap.value = twap.value.saturating_add(value);
        let average = price_of(twap.value, twap.executed);
        let (follower, coin) = (attempt.follower, leg.coin);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let before = lot.own;
        lot.settled_ms = now_ms;
        for pending in lot.pending.iter_mut().filter(|pending| pending.post == Some(post)) {
            let numbers = &mut pending.numbers;
            numbers.filled = numbers.filled.checked_add(Sz::from_raw(size)).unwrap_or(numbers.filled);
            numbers.average_price = average;
        }
        self.move_own(follower, coin, before.saturating_add(moved), price_of(value, size).raw());
        self.touch_stop(follower, coin, before, now_ms);
    }

    /// What the venue says of an account's TWAPs; `None`: no usable answer.
    pub(super) fn on_twaps(&mut self, post: u64, body: Option<&[u8]>, asked_ms: u64, now_ms: u64, out: &mut Commands) {
        let Some(rows) = body.and_then(|body| parse_twap_history(body).ok()) else { return };
        for post in self.told_with(post, asked_ms) {
            self.on_twap(post, &rows, asked_ms, now_ms, out);
        }
    }

    /// The TWAPs that an answer about one of them tells of: those of its account that were placed, or looked for, by then.
    fn told_with(&self, post: u64, asked_ms: u64) -> Vec<u64> {
        let whose = self.follower_of(post);
        let is_told = |attempt: &InFlight| match attempt.phase {
            Phase::Lookup { since_ms, .. } => since_ms <= asked_ms,
            phase => phase == Phase::Resting,
        };
        let posts = self.state.twaps.keys().copied();
        let its = posts.filter(|other| whose.is_some() && self.follower_of(*other) == whose);
        its.filter(|other| *other == post || self.state.attempts.get(other).is_some_and(is_told)).collect()
    }

    fn on_twap(&mut self, post: u64, rows: &[TwapRow], asked_ms: u64, now_ms: u64, out: &mut Commands) {
        let mine: Vec<&TwapRow> = rows.iter().filter(|row| self.is_row_of(post, row)).collect();
        let ended = mine.iter().find(|row| row.ended.is_some());
        let placed_ms = mine.first().map_or(now_ms, |row| row.placed_ms);
        let id = mine.iter().find_map(|row| row.id).or(self.state.twaps.get(&post).and_then(|twap| twap.id));
        match (ended, id) {
            (Some(row), _) => self.end_twap(post, Some(row), now_ms, out),
            (None, Some(id)) if !mine.is_empty() => self.go_on_with_twap(post, id, placed_ms, now_ms, out),
            // It runs under a number that nobody tells: it stays unknown, and is asked for again.
            (None, None) if !mine.is_empty() => {}
            (None, _) => self.miss_twap(post, asked_ms, now_ms, out),
        }
    }

    /// By its number, or where that is not known or not told, by all that the action said and when it was placed.
    fn is_row_of(&self, post: u64, row: &TwapRow) -> bool {
        let Some((attempt, twap)) = self.state.attempts.get(&post).zip(self.state.twaps.get(&post)) else {
            return false;
        };
        if let Some((told, known)) = row.id.zip(twap.id) {
            return told == known;
        }
        let Some(coin) = attempt.legs.first().map(|leg| leg.coin) else { return false };
        // The venue holds an action to its expiry by its own clock. How long before that it was sent says ours, which may be
        // far ahead when a process begins: where a former TWAP's number is known, a higher one is later for certain.
        let newest = self.state.newest_twaps.get(&(attempt.follower, coin)).copied();
        let is_later = match row.id.zip(newest) {
            Some((id, newest)) => id > newest,
            None => row.placed_ms >= attempt.sent_ms.saturating_sub(CLOCK_ERROR_MS),
        };
        row.coin == self.coin_name(coin)
            && (row.is_buy, row.size.raw(), row.minutes) == (twap.size > 0, twap.size.saturating_abs(), twap.minutes)
            && is_later
            && row.placed_ms <= attempt.expires_after.saturating_add(EXPIRY_MARGIN_MS)
    }

    /// It still runs. One that was cancelled may be shown so for a moment; after that it is cancelled again.
    fn go_on_with_twap(&mut self, post: u64, id: u64, placed_ms: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let unwanted = self.state.twaps.get(&post).is_some_and(|twap| twap.unwanted && twap.id.is_some());
        match attempt.phase {
            Phase::Lookup { since_ms, .. } if unwanted && now_ms < since_ms.saturating_add(LOOKUP_LAG_MS) => {}
            Phase::Lookup { .. } if unwanted => self.withdraw(post, now_ms, out),
            Phase::Lookup { .. } => self.run_twap(post, id, placed_ms, now_ms, out),
            _ => {
                if let Some(twap) = self.state.twaps.get_mut(&post) {
                    twap.look_ms = now_ms.saturating_add(CHECK_MS);
                }
            }
        }
    }

    /// The venue does not know it: after a while that proves that it never began.
    fn miss_twap(&mut self, post: u64, asked_ms: u64, now_ms: u64, out: &mut Commands) {
        let Some(attempt) = self.state.attempts.get_mut(&post) else { return };
        let Phase::Lookup { since_ms, misses } = attempt.phase else { return };
        let misses = misses.saturating_add(1);
        attempt.phase = Phase::Lookup { since_ms, misses };
        if proves_absence(since_ms, misses, asked_ms) {
            if attempt.nonce_taken {
                let (follower, nonce) = (attempt.follower, attempt.nonce);
                self.suspect_another_engine(follower, nonce, now_ms, out);
            }
            self.end_twap(post, None, now_ms, out);
        }
    }

    /// It is over, or never began. What it left is given back, unless a newer target waits for it.
    fn end_twap(&mut self, post: u64, row: Option<&TwapRow>, now_ms: u64, out: &mut Commands) {
        let Some(twap) = self.state.twaps.get(&post) else { return };
        let (executed, value, unwanted) = (twap.executed, twap.value, twap.unwanted);
        if let Some(row) = row {
            let more = row.executed.raw().saturating_sub(executed);
            let cost = row.value.raw().saturating_sub(value).max(0);
            if let Some(twap) = self.state.twaps.get_mut(&post) {
                twap.id = twap.id.or(row.id);
            }
            if let Some(id) = row.id {
                self.note_number(post, id);
            }
            if more > 0 {
                self.record_slice(post, None, (more, cost), now_ms, out);
            }
            self.count_slices(post, more, cost, now_ms);
        }
        let Some(attempt) = self.state.attempts.get(&post) else { return };
        let (follower, coin) = (attempt.follower, attempt.legs.first().map(|leg| leg.coin));
        let said = row.and_then(|row| row.ended.as_deref()).unwrap_or_default();
        let class = match row {
            None if attempt.refused => Some(Class::Unknown),
            None => None,
            Some(_) if unwanted => None,
            Some(_) => Some(Class::Skip(self.end_reason(follower, said))),
        };
        self.settle(post, &[LegResult::nothing(class)], now_ms, out);
        if let Some(coin) = coin.filter(|_| unwanted) {
            self.end_superseded(follower, coin, now_ms, out);
        }
        self.read_soon(follower, now_ms);
        self.work(follower, now_ms, out);
        self.send_batch(now_ms, out);
    }

    /// Where an exit ended a TWAP and leaves nothing to be opened, its entries got what they got.
    fn end_superseded(&mut self, follower: u32, coin: CoinId, now_ms: u64, out: &mut Commands) {
        let target = self.target(follower, coin);
        let Some(lot) = self.state.lot_mut(follower, coin).filter(|lot| !is_beyond(target, lot.own)) else { return };
        let got = |pending: &Pending| {
            pending.post.is_none() && pending.enters && !pending.reduces && !pending.numbers.filled.is_zero()
        };
        let done: Vec<Pending> = lot.pending.extract_if(.., |pending| got(pending)).collect();
        for pending in done {
            let ending = match (pending.complete, pending.given_back) {
                (true, _) => executed(&pending),
                (false, Reason::None) => Ending::new(Outcome::PartlyFilled, Reason::Superseded),
                (false, reason) => Ending::new(Outcome::PartlyFilled, reason),
            };
            self.finish(coin, &pending, ending, now_ms, out);
        }
    }

    fn end_reason(&self, follower: u32, said: &str) -> Reason {
        let account = self.config.followers.get(follower as usize);
        match account.map(|account| classify(said.as_bytes(), &account.agent, &account.account)) {
            Some(Class::Skip(reason) | Class::Wait(reason) | Class::WaitCoin(reason) | Class::Bug(reason)) => reason,
            _ => Reason::TwapEnded,
        }
    }

    /// What cancels a TWAP; `None`: it has no number (yet), or is none.
    pub(super) fn twap_cancel(&self, post: u64, coin: CoinId) -> Option<Action<'static>> {
        let twap_id = self.state.twaps.get(&post)?.id?;
        Some(Action::TwapCancel { asset: self.state.market.asset(coin)?.id, twap_id })
    }

    /// Remembers what a TWAP's action asks for. Its order has no limit: the venue bounds each slice.
    pub(super) fn note_twap(&mut self, post: u64, follower: u32, size: i64) {
        let execution = self.execution(follower);
        self.state.twaps.insert(post, Twap::new(size, execution.minutes(), execution.randomizes()));
    }
}

/// When a fate that is looked for since a time is asked for again: soon, and less often the longer that takes.
pub(super) fn next_reading(since_ms: u64, now_ms: u64) -> u64 {
    now_ms.saturating_add(now_ms.saturating_sub(since_ms).clamp(backoff_ms(0), RAREST_MS))
}

/// 10^-6 dollars over 10^-8 coins, in 10^-8.
fn price_of(value: i64, size: i64) -> Px {
    mul_div(value, 10_000_000_000, size, Round::Nearest).map_or(Px::ZERO, Px::from_raw)
}
