//! One follower's work: for each coin whose lane is free, from target to orders; all of them in one action.
use super::Engine;
use super::receipts::{Ending, executed};
use super::send::post_weight;
use super::setup::Lent;
use crate::commands::{CoinId, Commands, Outcome, Reason};
use crate::copy::plan::{Half, Job, Opening, Plan, plan};
use crate::copy::price::{QUOTE_AGE_MS, Quote};
use crate::copy::sizing::{UNIT, to_position};
use crate::market::Kind;
use crate::order::attempt::{MAX_IN_FLIGHT, Phase, backoff_ms};
use crate::planted::{Bug, planted};
use crate::risk::budget::{MAX_POSTS, Purpose};
use crate::risk::pause::Pause;
use crate::state::{Entry, Follower, Lot, Pending};

/// What may be sent for a follower now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    pub reduce: bool,
    pub open: bool,
    /// What protects may be placed: everything that an opening needs, but no pause forbids it.
    pub place: bool,
}

impl Engine {
    /// Plans everything a follower wants and can have now. Orders go to the batch.
    pub(super) fn work(&mut self, follower: u32, now_ms: u64, out: &mut Commands) {
        let Some(state) = self.state.follower(follower) else { return };
        let mut coins = std::mem::take(&mut self.batch.coins);
        coins.clear();
        coins.extend(
            state.coins.iter().filter(|(coin, lot)| self.is_free(follower, **coin, lot)).map(|(coin, _)| *coin),
        );
        if coins.is_empty() {
            self.state.waiting.remove(&follower);
            self.batch.coins = coins;
            return;
        }
        out.changed = true;
        let mut gate = self.gate(follower, now_ms);
        let mut waits = false;
        self.batch.begin();
        for coin in &coins {
            if self.batch.is_full() {
                self.close_action(follower, now_ms);
                self.batch.begin();
                gate = self.gate(follower, now_ms);
            }
            waits |= self.work_coin(follower, *coin, gate, now_ms, out);
        }
        self.batch.coins = coins;
        if waits {
            self.state.waiting.insert(follower);
        } else {
            self.state.waiting.remove(&follower);
        }
        self.close_action(follower, now_ms);
        while self.batch.begin_passive() {
            self.close_action(follower, now_ms);
        }
    }

    /// It wants something, its lane is free, and nothing unknown stands in the way of all that it could send.
    fn is_free(&self, follower: u32, coin: CoinId, lot: &Lot) -> bool {
        lot.wants && lot.in_flight.is_none() && (lot.doubted.is_empty() || self.is_reducible(follower, coin, lot))
    }

    /// Part of what the engine holds for certain is more than the target.
    pub(super) fn is_reducible(&self, follower: u32, coin: CoinId, lot: &Lot) -> bool {
        let own = i128::from(self.certain(lot, coin)).saturating_mul(UNIT);
        let net = self.target(follower, coin);
        own != 0 && ((net > 0) != (own > 0) || net.unsigned_abs() < own.unsigned_abs())
    }

    /// What the engine still holds of a coin whatever became of its unknown orders: never more than `own`, never past zero. Of a
    /// spot token also whatever the venue kept as its fee, and in whole lots: less can't be sold.
    fn certain(&self, lot: &Lot, coin: CoinId) -> i64 {
        let [sold, bought] = self.flying(lot, coin);
        if let Some(asset) = self.state.market.asset(coin).filter(|asset| asset.kind == Kind::Spot) {
            let sure = lot.own.saturating_sub(lot.withheld).saturating_add(sold).max(0);
            return sure.saturating_sub(sure % asset.lot());
        }
        if lot.own > 0 { lot.own.saturating_add(sold).max(0) } else { lot.own.saturating_add(bought).min(0) }
    }

    /// What the outside allows: account read, signer alive, a way out, nonces, the venue's budget.
    pub(super) fn gate(&self, follower: u32, now_ms: u64) -> Gate {
        let shut = Gate { reduce: false, open: false, place: false };
        let Some(state) = self.state.follower(follower) else { return shut };
        let ready = self.state.started
            && state.stopped.is_none()
            && state.hold_until_ms <= now_ms
            && state.in_flight < MAX_IN_FLIGHT
            && self.is_read(follower)
            && (!self.state.lanes.is_empty() || !self.state.http_lanes.is_empty());
        let hold = self.account_hold(follower);
        if !ready || hold.is_some_and(|hold| hold.kind == Pause::Freeze) || self.has_full_lanes() {
            return shut;
        }
        let may_open = state.unresolved == 0 && !self.state.breaker && self.has_requests(follower);
        // A coin takes two orders at most: a close and an opening.
        let weight = post_weight(state.coins.len().saturating_mul(2));
        let has = |purpose| self.budget.has(weight, 1, purpose);
        let place = may_open && has(Purpose::Ordinary);
        Gate { reduce: has(Purpose::Safety), open: place && hold.is_none(), place }
    }

    /// Posts that may still be answered fill the venue's room for them; an unknown one only while its fence is on its way.
    fn has_full_lanes(&self) -> bool {
        let stops = self.state.stop_posts.len().saturating_add(self.state.setup_posts.len());
        if !self.budget.is_limited() || self.state.attempts.len().saturating_add(stops) < MAX_POSTS {
            return false;
        }
        let unanswered = self.state.attempts.values().filter(|attempt| attempt.phase == Phase::Sent).count();
        unanswered.saturating_add(self.state.fences.len()).saturating_add(stops) >= MAX_POSTS
    }

    pub(super) fn is_read(&self, follower: u32) -> bool {
        let spot = self.needs.spot && self.trades_spot(false, follower);
        let is_read = |state: &Follower| state.read.iter().all(|read| *read) && (!spot || state.spot_read);
        self.state.follower(follower).is_some_and(is_read)
    }

    /// Plans one coin. True: something outside holds it back.
    fn work_coin(&mut self, follower: u32, coin: CoinId, gate: Gate, now_ms: u64, out: &mut Commands) -> bool {
        let expired = self.expire_entries(follower, coin, now_ms);
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        let doubted = lot.is_some_and(|lot| !lot.doubted.is_empty());
        let certain = lot.map_or(0, |lot| self.certain(lot, coin));
        let gate = Gate { open: gate.open && !doubted, ..gate };
        let lent = self.lend(follower, coin, gate, now_ms, out);
        let why = |entry: &Entry| (entry.post.is_none() && entry.amount != 0).then_some(Reason::LeverageRefused);
        let refused = lent == Lent::Refused && self.give_back(follower, coin, why);
        let gate = Gate { open: gate.open && lent == Lent::Ready, ..gate };
        let Some(asset) = self.state.market.asset(coin) else { return true };
        let quote = self.quote(coin, now_ms, out);
        let net = self.target(follower, coin);
        let mark = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
        let opening = self.opening(follower, coin, gate, net, quote, now_ms);
        let reduce_bands = self.reduce_bands(follower);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return false };
        // An expiry is dealt with at once; everything else keeps its distance to an unchanged book.
        if lot.retry_ms > now_ms && !expired && !refused {
            let due = lot.next_expiry_ms().min(lot.retry_ms);
            self.state.due.insert((due, follower));
            return false;
        }
        lot.tried_quote = quote.map_or([0; 2], |quote| [quote.bid, quote.ask]);
        let Some(target) = to_position(net) else { return false };
        let job = Job {
            asset,
            own: certain,
            unsure: if asset.kind == Kind::Spot { lot.own.saturating_sub(certain) } else { 0 },
            is_whole: lot.manual == 0 && !doubted,
            manual: lot.manual,
            target,
            opening,
            reduce_bands,
            emergency: lot.emergency || net / UNIT == 0 || lot.misses >= 2,
            fallback: [mark, lot.leader_price],
            quote,
        };
        let first = plan(&job);
        let there_already = matches!(first.open, Half::Order(_)) && self.may_have_been_stopped(follower, coin);
        if (doubted || there_already) && !matches!(first.reduce, Half::Order(_)) {
            self.wait_for_outcome(follower, coin, now_ms);
            return false;
        }
        if first.open == Half::Later && !matches!(first.reduce, Half::Order(_)) {
            self.wait_for_slice(follower, coin, now_ms);
            return false;
        }
        let plan = self.replan(follower, coin, gate, &job, first, now_ms);
        let blocked = self.take_plan(follower, coin, gate, plan, now_ms);
        if blocked {
            let due = self.state.lot_mut(follower, coin).map_or(u64::MAX, |lot| lot.next_expiry_ms());
            if due < u64::MAX {
                self.state.due.insert((due, follower));
            }
            return lent != Lent::Awaited;
        }
        self.settle_plan(follower, coin, plan, now_ms, out);
        false
    }

    /// Nothing can be sent beside what is unknown; its outcome, or time, brings the coin back.
    fn wait_for_outcome(&mut self, follower: u32, coin: CoinId, now_ms: u64) {
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        lot.retry_ms = now_ms.saturating_add(backoff_ms(0));
        let due = lot.retry_ms;
        self.state.due.insert((due, follower));
    }

    /// An opening that may not be gives its part of E back; then the reduction in front of it has another target, or none.
    /// What an exit uncovered (amount 0) is no such part: it goes by the book, on its own.
    fn replan(&mut self, follower: u32, coin: CoinId, gate: Gate, job: &Job, first: Plan, now_ms: u64) -> Plan {
        let manual = self.is_left_to_others(follower, coin);
        let refused = first.open == Half::Beyond || (first.open == Half::NotAllowed && manual);
        let reason = if manual { Reason::ManualPosition } else { Reason::PriceBeyondBand };
        let why = |entry: &Entry| (entry.post.is_none() && (manual || entry.amount != 0)).then_some(reason);
        if !refused || !self.give_back(follower, coin, why) {
            return first;
        }
        let net = self.target(follower, coin);
        let Some(target) = to_position(net) else { return first };
        let opening = self.opening(follower, coin, gate, net, job.quote, now_ms);
        let second = plan(&Job { target, opening, ..*job });
        let open = if matches!(second.open, Half::Order(_)) { second.open } else { first.open };
        Plan { open, reduce: second.reduce }
    }

    /// Puts the plan's orders into the batch. True: there are some, and the gate holds all of them back.
    fn take_plan(&mut self, follower: u32, coin: CoinId, gate: Gate, plan: Plan, now_ms: u64) -> bool {
        let has_entries = self.state.lot_mut(follower, coin).is_some_and(|lot| !lot.entries.is_empty());
        // One action of a coin at a time: what would rest waits behind the close in front of it, as does what was opened once
        // and would be again if the position had gone by a stop.
        let rests_behind = plan.reduce != Half::Nothing
            && (matches!(plan.open, Half::Order(draft) if draft.passive) || self.may_have_been_stopped(follower, coin));
        let waits = has_entries
            && (matches!(plan.open, Half::NoPrice | Half::Later)
                || rests_behind
                || (plan.open == Half::NotAllowed && !gate.open));
        let behind = waits && !self.is_left_to_others(follower, coin);
        if let Some(lot) = self.state.lot_mut(follower, coin) {
            lot.entries.iter_mut().filter(|e| e.post.is_none()).for_each(|entry| entry.behind = behind);
        }
        let mut held_back = waits;
        let mut sent = false;
        for (half, allowed) in [(plan.reduce, gate.reduce), (plan.open, gate.open)] {
            match half {
                Half::Order(draft) if rests_behind && !draft.reduce_only => {}
                Half::Order(draft) if allowed => {
                    self.batch.push(coin, draft);
                    sent = true;
                    if !draft.reduce_only {
                        self.count_slice(follower, coin, draft.passive, now_ms);
                    }
                }
                Half::Order(_) | Half::NoPrice => held_back = true,
                _ => {}
            }
        }
        held_back && !sent
    }

    /// What a plan means for entries and receipts.
    fn settle_plan(&mut self, follower: u32, coin: CoinId, plan: Plan, now_ms: u64, out: &mut Commands) {
        let ordered = matches!(plan.reduce, Half::Order(_)) || matches!(plan.open, Half::Order(_));
        // Below the minimum the part stays in the target; an order that does not open has no part to wait for.
        if plan.open == Half::TooSmall || (plan.open == Half::Nothing && !ordered) {
            self.keep_entries(follower, coin);
        }
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        lot.wants = false;
        // What an unknown order carries ends with that order.
        let free = lot.pending.iter().filter(|pending| pending.post.is_none()).count();
        let only_lead = free == 1 && lot.pending.last().is_some_and(|newest| newest.post.is_none());
        if free == 0 || (only_lead && ordered) {
            return;
        }
        let (mut kept, mut done): (Vec<_>, Vec<_>) =
            std::mem::take(&mut lot.pending).into_iter().partition(|pending| pending.post.is_some());
        let small = plan.reduce == Half::TooSmall || plan.open == Half::TooSmall;
        let lead = done.pop();
        if ordered {
            kept.extend(lead.clone());
        }
        lot.pending = kept;
        let Some(lead) = lead else { return };
        // An order that the account's cap of one order cut is followed by the next: its decision is not done yet.
        let waits: Vec<u64> = lot.entries.iter().map(|entry| entry.decision).collect();
        for older in done.drain(..) {
            let opens = matches!(plan.open, Half::Order(_));
            let older = Pending { complete: older.complete && !waits.contains(&older.decision), ..older };
            self.finish(coin, &older, ending_before(&older, &lead, opens), now_ms, out);
        }
        if ordered {
            return;
        }
        let capped = self.target(follower, coin) != self.net(follower, coin);
        let ending = ending_without_order(&lead, small, capped);
        self.finish(coin, &lead, ending, now_ms, out);
    }

    /// Entries stay in E but no longer wait: nothing will be given back.
    fn keep_entries(&mut self, follower: u32, coin: CoinId) {
        self.state.retain_entries(follower, coin, |entry| entry.post.is_some());
    }

    /// Entries whose time is over give their part of E back. True if there were any.
    fn expire_entries(&mut self, follower: u32, coin: CoinId, now_ms: u64) -> bool {
        self.give_back(follower, coin, |entry| {
            let over = entry.post.is_none() && entry.deadline_ms < now_ms;
            over.then_some(Reason::TooOld)
        })
    }

    /// Gives parts of E back, newest first, as far as they were not bought, for the reason that `why` has for an entry. What was
    /// bought of a part, by an order or of another edge, stays; what a leader's reduction asked for meanwhile is no purchase. At least
    /// the distance between Σ E and what the engine holds, without what is being sold of it, in the part's direction, is not bought;
    /// what is more than that is given back only where Σ E is this edge's alone: beside another's it may cover that. True if there
    /// was any such entry.
    pub(super) fn give_back(&mut self, follower: u32, coin: CoinId, why: impl Fn(&Entry) -> Option<Reason>) -> bool {
        let mut net = self.net(follower, coin);
        let Some(lot) = self.state.follower(follower).and_then(|state| state.coins.get(&coin)) else { return false };
        if !lot.entries.iter().any(|entry| why(entry).is_some()) {
            return false;
        }
        let mut missing = net.saturating_sub(i128::from(self.certain(lot, coin)).saturating_mul(UNIT));
        let gone: Vec<(Entry, i128, Reason)> = self
            .state
            .waiting(follower, coin)
            .into_iter()
            .filter_map(|(entry, unbought)| Some((entry, unbought, why(&entry)?)))
            .collect();
        self.state.retain_entries(follower, coin, |entry| why(entry).is_none());
        for (entry, unbought, reason) in gone.into_iter().rev() {
            let mut held = self.state.held(entry.follow, coin);
            let toward = |value: i128| if entry.amount < 0 { value.saturating_neg() } else { value };
            let whole = if net == held.entitled { unbought } else { 0 };
            let open = toward(entry.amount).min(toward(missing)).max(whole);
            let back = open.min(toward(held.entitled)).max(0);
            held.entitled = held.entitled.saturating_sub(toward(back));
            missing = missing.saturating_sub(toward(back));
            net = net.saturating_sub(toward(back));
            self.state.set_held(entry.follow, coin, held);
            if back > 0
                && let Some(lot) = self.state.lot_mut(follower, coin)
            {
                lot.note_given_back(entry.decision, reason);
            }
        }
        self.settle_ceiling(follower, coin);
        self.uncover_rest(follower, coin);
        true
    }

    /// What is in E stays in E: where no part waits any more and the target lies beyond what is held, an exit uncovered the
    /// difference while something larger, now given back, stood before it. It is opened like everything an exit uncovers.
    pub(super) fn uncover_rest(&mut self, follower: u32, coin: CoinId) {
        let (target, left) = (self.target(follower, coin), self.is_left_to_others(follower, coin));
        let spot = self.is_spot(coin);
        let newest = self.follows_of_follower.get(follower as usize).and_then(|follows| follows.last()).copied();
        let (Some(lot), Some(follow)) = (self.state.lot_mut(follower, coin), newest) else { return };
        let waits = !lot.entries.is_empty() || lot.in_flight.is_some() || !lot.doubted.is_empty();
        // What a fee took of a spot token is not bought again.
        if !waits && !left && !spot && is_beyond(target, lot.own) {
            let price = lot.leader_price;
            lot.entries.push(Entry::uncovered(follow, price));
        }
    }

    /// What a cap of the account held back has no part that waits. Another leader's larger part may have made room for both and be
    /// gone, by its exit or while its order found nothing: then what is left within the target goes like what an exit uncovers.
    pub(super) fn uncover_capped(&mut self, follower: u32, coin: CoinId) {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        if lot.is_some_and(|lot| lot.ceiling.is_some()) && self.account_hold(follower).is_none() {
            self.uncover_rest(follower, coin);
        }
    }

    /// Where the account has caps, E alone can't say that the rest is not bought any more: with no part
    /// left that waits, the cap's room ends at what is held, until a leader's event opens it again.
    pub(super) fn settle_ceiling(&mut self, follower: u32, coin: CoinId) {
        let target = self.target(follower, coin);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let own = i128::from(lot.own).saturating_mul(UNIT);
        let waits = !lot.entries.is_empty() || lot.in_flight.is_some() || !lot.doubted.is_empty();
        if lot.ceiling.is_some() && !waits && is_beyond(target, lot.own) {
            lot.ceiling = Some(own.saturating_abs());
        }
    }

    /// Risk may be added when a part of E waits for it. What an exit uncovered goes like an exit: by the book, in an exit's
    /// band; without a fresh quote by the mark or the leader's price, and after two misses, in the emergency band.
    fn opening(
        &self,
        follower: u32,
        coin: CoinId,
        gate: Gate,
        net: i128,
        quote: Option<Quote>,
        now_ms: u64,
    ) -> Option<Opening> {
        let lot = self.state.follower(follower)?.coins.get(&coin)?;
        let newest = lot.entries.last()?;
        if !gate.open || self.is_left_to_others(follower, coin) {
            return None;
        }
        let edge = self.config.follows.get(newest.follow as usize)?;
        let account = self.config.followers.get(follower as usize)?;
        if newest.amount == 0 {
            // The venue opens nothing on a delisted coin: what an exit uncovered there stays in E until its leader leaves it too.
            if self.state.market.asset(coin).is_some_and(|asset| asset.delisted) {
                return None;
            }
            let [normal, emergency] = self.reduce_bands(follower);
            let best = quote.and_then(|quote| quote.opposite(net > 0));
            let mark = self.state.market.coin(coin).map(|coin| coin.last_price).filter(|mark| *mark > 0);
            let price = best.or(mark).unwrap_or(newest.price);
            let band_bps = if best.is_some() && lot.misses < 2 { normal } else { emergency };
            return Some(Opening { price, band_bps, max_order: None, pace: None });
        }
        let band_bps = account.execution.slippage_bps.unwrap_or(edge.entry_band_bps);
        let pace = self.pace(follower, coin, newest, net > 0, quote, now_ms);
        Some(Opening { price: newest.price, band_bps, max_order: account.max_order, pace })
    }

    /// Rule 15: somebody else holds a part of the account's position on the coin, and the settings leave the coin to him.
    pub(super) fn is_left_to_others(&self, follower: u32, coin: CoinId) -> bool {
        let lot = self.state.follower(follower).and_then(|state| state.coins.get(&coin));
        let shares = self.config.followers.get(follower as usize).is_some_and(|account| account.allows_manual);
        !shares && lot.is_some_and(|lot| lot.manual != 0 && !self.is_dust(coin, lot.manual))
    }

    /// The widest bands of a follower's edges: an exit of one must not wait for the other's.
    fn reduce_bands(&self, follower: u32) -> [u32; 2] {
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        let edges = follows.filter_map(|follow| self.config.follows.get(*follow as usize));
        edges.fold([1, 1], |[n, e], edge| [n.max(edge.reduce_band_bps), e.max(edge.emergency_band_bps)])
    }

    /// A fresh quote, noted in the step's context either way.
    pub(super) fn quote(&mut self, coin: CoinId, now_ms: u64, out: &mut Commands) -> Option<Quote> {
        let quote = self.quotes.get(coin as usize).copied().unwrap_or_default();
        self.note_quote(coin, quote, out);
        let fresh = quote.time_ms > 0 && now_ms.saturating_sub(quote.time_ms) <= QUOTE_AGE_MS;
        fresh.then_some(quote)
    }

    /// The most that a coin's orders without an outcome may sell (not above zero) and buy.
    pub(super) fn flying(&self, lot: &Lot, coin: CoinId) -> [i64; 2] {
        let posts = lot.doubted.iter().chain(&lot.in_flight);
        let legs = posts.filter_map(|post| self.state.attempts.get(post)).flat_map(|attempt| &attempt.legs);
        legs.filter(|leg| leg.coin == coin).fold([0i64; 2], |[sold, bought], leg| {
            [sold.saturating_add(leg.size.min(0)), bought.saturating_add(leg.size.max(0))]
        })
    }

    /// Tries again later, waiting longer each time.
    pub(super) fn back_off(&mut self, follower: u32, coin: CoinId, now_ms: u64) {
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        lot.wants = !planted(Bug::LostResidual);
        lot.misses = lot.misses.saturating_add(1);
        lot.retry_ms = now_ms.saturating_add(backoff_ms(lot.misses));
        let due = lot.retry_ms.min(lot.next_expiry_ms());
        self.state.due.insert((due, follower));
    }
}

/// The target is further out than the position, on the same side.
pub(super) fn is_beyond(target: i128, own: i64) -> bool {
    let held = i128::from(own).saturating_mul(UNIT);
    target.unsigned_abs() > held.unsigned_abs() && (own == 0 || (own > 0) == (target > 0))
}

/// A decision that a later one of the same coin takes over. An entry that was given back, or that found nothing and that a
/// reduction leaves nothing to be bought of, ends by itself: nobody takes it over.
fn ending_before(older: &Pending, lead: &Pending, opens: bool) -> Ending {
    if older.complete {
        return executed(older);
    }
    if !older.numbers.filled.is_zero() {
        let reason = if older.given_back == Reason::None { Reason::Superseded } else { older.given_back };
        return Ending::new(Outcome::PartlyFilled, reason);
    }
    // Its close goes on with the newer decision.
    if older.reduces {
        return Ending::merged(lead.decision);
    }
    if older.enters && older.missed == Reason::NoMatch && !lead.enters && !opens {
        return Ending::new(Outcome::Expired, Reason::NoMatch);
    }
    ending_given_back(older).unwrap_or_else(|| Ending::merged(lead.decision))
}

/// An entry of which nothing was bought in time.
fn ending_given_back(entry: &Pending) -> Option<Ending> {
    if !entry.enters {
        return None;
    }
    match entry.given_back {
        Reason::None => None,
        reason @ (Reason::ManualPosition | Reason::LeverageRefused) => Some(Ending::new(Outcome::Blocked, reason)),
        Reason::PriceBeyondBand if entry.numbers.ordered.is_zero() => {
            Some(Ending::new(Outcome::Skipped, Reason::PriceBeyondBand))
        }
        // An order that found nothing explains more than the age that ended it.
        _ if entry.missed == Reason::NoMatch => Some(Ending::new(Outcome::Expired, Reason::NoMatch)),
        reason => Some(Ending::new(Outcome::Expired, reason)),
    }
}

/// A decision that needs no order (any more).
fn ending_without_order(lead: &Pending, small: bool, capped: bool) -> Ending {
    if lead.complete {
        return executed(lead);
    }
    if !lead.numbers.filled.is_zero() {
        let why = [lead.given_back, lead.missed, lead.reason].into_iter().find(|reason| *reason != Reason::None);
        return Ending::new(Outcome::PartlyFilled, why.unwrap_or(Reason::None));
    }
    if let Some(ending) = ending_given_back(lead) {
        return ending;
    }
    let reason = match (lead.reason, small, capped) {
        (Reason::None, true, _) => Reason::BelowMinimum,
        (Reason::None, false, true) => Reason::Cap,
        (gate, ..) => gate,
    };
    Ending::new(Outcome::Carried, reason)
}
