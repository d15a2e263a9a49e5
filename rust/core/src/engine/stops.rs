//! Insurance against a dead engine: for each position that it made, one reduce-only stop rests at the venue, kept in size.
//! It is always last in line: nothing here holds an order, a fence or a first read back.
use super::reads::{MAX_ASKS, STATE_WEIGHT};
use super::resolve::EXPIRY_MARGIN_MS;
use super::send::post_weight;
use super::{Engine, alert_follower};
use crate::commands::{AttemptKind, CoinId, Commands, Level};
use crate::copy::sizing::to_position;
use crate::event::FrameClass;
use crate::feed::account::StopFate;
use crate::feed::answer::{Answer, Status};
use crate::market::Kind;
use crate::num::{Pos, Px, Sz};
use crate::order::attempt::{backoff_ms, proves_absence};
use crate::order::identity::{next_nonce, stop_cloid};
use crate::order::stop::{Stop, StopOrder, StopStage, stop_prices};
use crate::order::text::{Class, classify};
use crate::risk::budget::Purpose;
use crate::state::Asked;
use crate::wire::{Action, CancelByCloid, Cloid, Grouping, Order, Tif};

/// A stop follows its position this much later: an order and what is left of it are one change.
const QUIET_MS: u64 = 500;
/// A new stop of one coin is not placed within this after the one before, whatever its position does.
const PACE_MS: u64 = 5_000;
/// How long an action of a stop may take to reach the venue.
const STOP_TTL_MS: u64 = 5_000;
/// Something outside holds it back: it is looked at again after this.
const HELD_MS: u64 = 1_000;
/// A stop that should rest is asked for after this: somebody may have cancelled it.
const CHECK_MS: u64 = 600_000;
/// Actions of stops without an answer, of all followers: most of the venue's room for posts stays with orders.
const MAX_STOP_POSTS: usize = 8;
/// Stops looked at in one tick.
const TICK_STOPS: usize = 16;
/// What is left of a minute's budget to entries and reads.
const SPARED_WEIGHT: u32 = 240;
const SPARED_MESSAGES: u32 = 200;
/// The wait after a refusal doubles so many times: from 5 s to 21 min.
const MOST_DOUBLINGS: u32 = 8;

/// The stop that a position should have.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    size: i64,
    trigger: Px,
    limit: Px,
}

impl Wanted {
    const fn is(&self, order: &StopOrder) -> bool {
        order.size == self.size && order.trigger == self.trigger.raw()
    }
}

impl Engine {
    fn stop_mut(&mut self, follower: u32, coin: CoinId) -> Option<&mut Stop> {
        self.state.follower_mut(follower)?.stops.get_mut(&coin)
    }

    /// The engine's position on a coin is settled anew: its stop follows. `before`: what the position was.
    pub(super) fn touch_stop(&mut self, follower: u32, coin: CoinId, before: i64, now_ms: u64) {
        let account = self.config.followers.get(follower as usize);
        if account.is_none_or(|account| account.disaster_stop_bps.is_none()) {
            return;
        }
        let Some(state) = self.state.follower_mut(follower) else { return };
        let (own, price) = state.coins.get(&coin).map_or((0, 0), |lot| (lot.own, lot.leader_price));
        if own == 0 && !state.stops.contains_key(&coin) {
            return;
        }
        let stop = state.stops.entry(coin).or_default();
        if own != 0 && (stop.entry == 0 || before.signum() != own.signum()) {
            stop.entry = price;
        }
        if own != before {
            stop.refusals = 0;
        }
        self.look_at_stop(follower, coin, now_ms.saturating_add(QUIET_MS));
    }

    /// The settings changed: every stop is held to them.
    pub(super) fn review_stops(&mut self, follower: u32, now_ms: u64) {
        let Some(state) = self.state.follower(follower) else { return };
        let coins: Vec<(CoinId, i64)> = state.coins.iter().map(|(coin, lot)| (*coin, lot.own)).collect();
        for (coin, own) in coins {
            self.touch_stop(follower, coin, own, now_ms);
            self.look_at_stop(follower, coin, now_ms);
        }
    }

    /// Has a stop looked at by this time.
    fn look_at_stop(&mut self, follower: u32, coin: CoinId, at_ms: u64) {
        let Some(stop) = self.stop_mut(follower, coin) else { return };
        if stop.due_ms != 0 && stop.due_ms <= at_ms {
            return;
        }
        let later = std::mem::replace(&mut stop.due_ms, at_ms);
        self.state.stop_dues.remove(&(later, follower, coin));
        self.state.stop_dues.insert((at_ms, follower, coin));
    }

    /// Looks at the stops whose time has come.
    pub(super) fn tend_stops(&mut self, now_ms: u64, out: &mut Commands) {
        if !self.state.started {
            return;
        }
        for _ in 0..TICK_STOPS {
            let next = self.state.stop_dues.first().copied().filter(|(due, ..)| *due <= now_ms);
            let Some((due, follower, coin)) = next else { return };
            self.state.stop_dues.remove(&(due, follower, coin));
            if let Some(stop) = self.stop_mut(follower, coin) {
                stop.due_ms = 0;
            }
            out.changed = true;
            if let Some(at) = self.tend_stop(follower, coin, now_ms, out) {
                self.look_at_stop(follower, coin, at);
            }
        }
    }

    /// One step towards the one stop that is wanted, and when to look again. The new one is placed before the old one is
    /// cancelled: an engine that dies between both leaves two, and what only reduces can't take more than there is. Where a
    /// part of the account is somebody else's there would be more, so there the old one goes first.
    fn tend_stop(&mut self, follower: u32, coin: CoinId, now_ms: u64, out: &mut Commands) -> Option<u64> {
        if let Some(at) = self.pursue_stops(follower, coin, now_ms, out) {
            return Some(at);
        }
        let wanted = self.wanted_stop(follower, coin);
        let state = self.state.follower(follower)?;
        let lot = state.coins.get(&coin)?;
        // The outcome of the order brings the stop back, a restart the follower. A TWAP may run for hours: its position is
        // protected as it grows.
        let unsure = lot.in_flight.is_some() || lot.doubted.iter().any(|post| !self.is_running(*post));
        if state.stopped.is_some() || unsure {
            return None;
        }
        let stop = state.stops.get(&coin)?;
        let stray = stop.orders.iter().find(|order| wanted.is_none_or(|wanted| !wanted.is(order)));
        let stray = stray.map(|order| order.cloid);
        if let Some(wanted) = wanted.filter(|wanted| !stop.orders.iter().any(|order| wanted.is(order))) {
            if now_ms < stop.next_ms {
                return Some(stop.next_ms);
            }
            let room = if lot.manual == 0 { 1 } else { 0 };
            if stop.orders.len() <= room {
                return self.place_stop(follower, coin, wanted, now_ms, out);
            }
        }
        match stray {
            Some(_) if now_ms < stop.cancel_ms => Some(stop.cancel_ms),
            Some(cloid) => self.cancel_stop(follower, coin, cloid, now_ms, out),
            None if stop.orders.is_empty() => {
                if lot.own == 0 && !self.state.is_adrift(follower, coin) {
                    self.state.follower_mut(follower)?.stops.remove(&coin);
                }
                None
            }
            None => Some(now_ms.saturating_add(CHECK_MS)),
        }
    }

    /// What there should be for what the engine holds. Nothing where somebody else's part turns the account to the other side:
    /// there is nothing to reduce.
    fn wanted_stop(&self, follower: u32, coin: CoinId) -> Option<Wanted> {
        let bps = self.config.followers.get(follower as usize)?.disaster_stop_bps?;
        let state = self.state.follower(follower)?;
        let lot = state.coins.get(&coin)?;
        let asset = self.state.market.asset(coin).filter(|asset| !asset.delisted && asset.kind == Kind::Perp)?;
        let size = asset.floor_size(Sz::from_raw(lot.own.saturating_abs()));
        if size.is_zero() || lot.own.saturating_add(lot.manual).signum() != lot.own.signum() {
            return None;
        }
        let [trigger, limit] = stop_prices(&asset, state.stops.get(&coin)?.entry, lot.own > 0, bps)?;
        Some(Wanted { size: if lot.own > 0 { -size.raw() } else { size.raw() }, trigger, limit })
    }

    /// Places are risk's business, as openings are; taking one back is always right. Both leave budget to everything else.
    fn may_send_stop(&self, follower: u32, places: bool, now_ms: u64) -> bool {
        let (weight, messages) = (post_weight(1).saturating_add(SPARED_WEIGHT), SPARED_MESSAGES.saturating_add(1));
        let spare = self.budget.has(weight, messages, Purpose::Ordinary);
        let gate = self.gate(follower, now_ms);
        let gate = if places { gate.place } else { gate.reduce };
        spare && gate && self.state.stop_posts.len() < MAX_STOP_POSTS
    }

    fn place_stop(
        &mut self,
        follower: u32,
        coin: CoinId,
        wanted: Wanted,
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<u64> {
        if !self.may_send_stop(follower, true, now_ms) {
            return Some(now_ms.saturating_add(HELD_MS));
        }
        let asset = self.state.market.asset(coin)?.id;
        let account = self.config.followers.get(follower as usize)?.account;
        let nonce = self.next_nonce_of(follower, now_ms)?;
        let cloid = stop_cloid(&account, asset, nonce, self.config.network.chain());
        let order = Order {
            asset,
            is_buy: wanted.size > 0,
            price: wanted.limit,
            size: Sz::from_raw(wanted.size.saturating_abs()),
            reduce_only: true,
            tif: Tif::Trigger { is_market: true, price: wanted.trigger, take_profit: false },
            cloid: Some(Cloid(cloid)),
        };
        let action = Action::Order { orders: &[order], grouping: Grouping::Na, builder: None };
        let until_ms = self.send_stop((follower, coin, cloid), AttemptKind::Stop, &action, nonce, now_ms, out)?;
        let stop = self.stop_mut(follower, coin)?;
        stop.next_ms = now_ms.saturating_add(PACE_MS);
        let (size, trigger) = (wanted.size, wanted.trigger.raw());
        let stage = StopStage::Sent { places: true, until_ms };
        stop.orders.push(StopOrder { cloid, size, trigger, accounted: false, stage });
        Some(until_ms)
    }

    fn cancel_stop(
        &mut self,
        follower: u32,
        coin: CoinId,
        cloid: [u8; 16],
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<u64> {
        if !self.may_send_stop(follower, false, now_ms) {
            return Some(now_ms.saturating_add(HELD_MS));
        }
        let asset = self.state.market.asset(coin)?.id;
        let nonce = self.next_nonce_of(follower, now_ms)?;
        // Venue rule: a fast cancel is refused for trigger orders.
        let cancels = [CancelByCloid { asset, cloid: Cloid(cloid) }];
        let action = Action::CancelByCloid { cancels: &cancels, fast: false };
        let until_ms = self.send_stop((follower, coin, cloid), AttemptKind::Cancel, &action, nonce, now_ms, out)?;
        let order = self.stop_mut(follower, coin)?.orders.iter_mut().find(|order| order.cloid == cloid)?;
        order.stage = StopStage::Sent { places: false, until_ms };
        Some(until_ms)
    }

    pub(super) fn next_nonce_of(&mut self, follower: u32, now_ms: u64) -> Option<u64> {
        let state = self.state.follower_mut(follower)?;
        state.last_nonce = next_nonce(now_ms, now_ms, state.last_nonce);
        Some(state.last_nonce)
    }

    /// Hands an action out; when it can't execute any more.
    fn send_stop(
        &mut self,
        of: (u32, CoinId, [u8; 16]),
        kind: AttemptKind,
        action: &Action<'_>,
        nonce: u64,
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<u64> {
        let (follower, _, cloid) = of;
        let (lane, road) = self.lane(follower, None)?;
        let expires_after = now_ms.saturating_add(STOP_TTL_MS);
        let way = (lane, road, kind);
        let post = self.hand_out(follower, way, action, (nonce, expires_after), &[Cloid(cloid)], out);
        self.state.stop_posts.insert(post, of);
        Some(expires_after.saturating_add(EXPIRY_MARGIN_MS))
    }

    /// Asks for the orders whose fate is not known; when to look again, while there are any. No fence: what has expired can't
    /// execute, so the client id tells.
    fn pursue_stops(&mut self, follower: u32, coin: CoinId, now_ms: u64, out: &mut Commands) -> Option<u64> {
        let stop = self.stop_mut(follower, coin)?;
        let mut asked = Vec::new();
        let mut next: Option<u64> = None;
        for order in &mut stop.orders {
            let at = match order.stage {
                StopStage::Resting { since_ms } if now_ms < since_ms.saturating_add(CHECK_MS) => continue,
                StopStage::Sent { until_ms, .. } if now_ms < until_ms => until_ms,
                StopStage::Resting { .. } | StopStage::Sent { .. } => {
                    order.stage = StopStage::Lookup { since_ms: now_ms, misses: 0 };
                    asked.push(order.cloid);
                    now_ms.saturating_add(backoff_ms(0))
                }
                StopStage::Lookup { .. } => {
                    asked.push(order.cloid);
                    now_ms.saturating_add(backoff_ms(0))
                }
            };
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        for cloid in asked {
            self.state.stop_posts.retain(|_, (.., of)| *of != cloid);
            self.ask_stop(follower, coin, cloid, out);
        }
        next
    }

    fn ask_stop(&mut self, follower: u32, coin: CoinId, cloid: [u8; 16], out: &mut Commands) {
        let asked = Asked::Stop { follower, coin, cloid };
        let known = self.state.asks.values().any(|other| *other == asked);
        if known || self.state.asks.len() >= MAX_ASKS / 2 || !self.budget.has(STATE_WEIGHT, 0, Purpose::Ordinary) {
            return;
        }
        let Some(address) = self.address(false, follower) else { return };
        let body = format!("{{\"type\":\"orderStatus\",\"user\":\"{address}\",\"oid\":\"{}\"}}", Cloid(cloid));
        self.ask(asked, STATE_WEIGHT, body, out);
    }

    /// The venue's answer to an action of a stop.
    pub(super) fn on_stop_answer(
        &mut self,
        post: u64,
        answer: Answer,
        frame: &[u8],
        statuses: &[Status],
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        let Some((follower, coin, cloid)) = self.state.stop_posts.remove(&post) else { return FrameClass::Other };
        out.changed = true;
        let order = self.stop_mut(follower, coin).and_then(|s| s.orders.iter_mut().find(|o| o.cloid == cloid));
        let Some(order) = order else { return FrameClass::Taken };
        let StopStage::Sent { places, .. } = order.stage else { return FrameClass::Taken };
        let lookup = StopStage::Lookup { since_ms: now_ms, misses: 0 };
        match (answer, statuses, places) {
            (Answer::Statuses, [Status::Resting | Status::Word], true) => {
                order.stage = StopStage::Resting { since_ms: now_ms };
                if let Some(stop) = self.stop_mut(follower, coin) {
                    stop.refusals = 0;
                }
            }
            (Answer::Statuses, [Status::Word], false) => {
                self.forget_stop(follower, coin, cloid);
                if let Some(stop) = self.stop_mut(follower, coin) {
                    stop.refusals = 0;
                }
            }
            // It woke at once.
            (Answer::Statuses, [Status::Filled { .. }], true) => order.stage = lookup,
            (Answer::Statuses, &[Status::Error(text)], _) | (Answer::Refused(text), ..) => {
                if !places {
                    order.stage = lookup;
                }
                self.on_stop_refused((follower, coin, cloid), places, text.of(frame), now_ms, out);
            }
            // It proves nothing: the order is asked for once the action can't execute any more.
            _ => {}
        }
        self.look_at_stop(follower, coin, now_ms);
        FrameClass::Taken
    }

    fn on_stop_refused(
        &mut self,
        (follower, coin, cloid): (u32, CoinId, [u8; 16]),
        places: bool,
        text: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(account) = self.config.followers.get(follower as usize) else { return };
        let class = classify(text, &account.agent, &account.account);
        match class {
            // A venue that wants to be left alone is left alone by stops: exits find out for themselves.
            Class::Wait(_) | Class::WaitCoin(_) | Class::Bug(_) | Class::Unknown => {}
            class => self.act_on(follower, Some(class), now_ms, out),
        }
        if !places {
            // What is looked up and still rests is cancelled again, but not at the pace of the answers.
            if let Some(stop) = self.stop_mut(follower, coin) {
                stop.refusals = stop.refusals.saturating_add(1);
                stop.cancel_ms = now_ms.saturating_add(PACE_MS << stop.refusals.min(MOST_DOUBLINGS));
            }
            return;
        }
        // Words that nobody knows, or a used nonce, prove nothing: as without an answer.
        if !matches!(class, Class::Unknown | Class::NonceUsed) {
            self.forget_stop(follower, coin, cloid);
        }
        let name = self.coin_name(coin).to_owned();
        let Some(stop) = self.stop_mut(follower, coin) else { return };
        let first = stop.refusals == 0;
        stop.refusals = stop.refusals.saturating_add(1);
        stop.next_ms = now_ms.saturating_add(PACE_MS << stop.refusals.min(MOST_DOUBLINGS));
        if first {
            let shown = String::from_utf8_lossy(text.get(..text.len().min(200)).unwrap_or_default()).into_owned();
            let text = format!("{name}: the venue does not take the stop: {shown:?}. It is tried again.");
            alert_follower(out, Level::Warning, "disaster_stop_refused", follower, text);
        }
    }

    fn forget_stop(&mut self, follower: u32, coin: CoinId, cloid: [u8; 16]) {
        if let Some(stop) = self.stop_mut(follower, coin) {
            stop.orders.retain(|order| order.cloid != cloid);
        }
    }

    /// What the venue says of one stop; `None`: no usable answer.
    pub(super) fn on_stop_fate(
        &mut self,
        (follower, coin, cloid): (u32, CoinId, [u8; 16]),
        fate: Option<StopFate>,
        asked_ms: u64,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let order = self.stop_mut(follower, coin).and_then(|s| s.orders.iter_mut().find(|o| o.cloid == cloid));
        let Some(order) = order else { return };
        let StopStage::Lookup { since_ms, misses } = order.stage else { return };
        match fate {
            None => return,
            Some(StopFate::Unknown) => {
                let misses = misses.saturating_add(1);
                order.stage = StopStage::Lookup { since_ms, misses };
                if !proves_absence(since_ms, misses, asked_ms) {
                    return;
                }
                self.forget_stop(follower, coin, cloid);
            }
            Some(StopFate::Open) => {
                order.accounted = false;
                order.stage = StopStage::Resting { since_ms: now_ms };
            }
            Some(StopFate::Gone) => self.forget_stop(follower, coin, cloid),
            Some(StopFate::Filled) => {
                let order = order.clone();
                self.forget_stop(follower, coin, cloid);
                self.on_stop_filled(follower, coin, &order, now_ms, out);
            }
        }
        self.look_at_stop(follower, coin, now_ms);
    }

    /// A stop closed what the engine held. Like everything that somebody else closed, it is not opened again.
    fn on_stop_filled(&mut self, follower: u32, coin: CoinId, order: &StopOrder, now_ms: u64, out: &mut Commands) {
        if !order.accounted {
            self.take_hit(follower, coin, order, now_ms);
        }
        let text = format!(
            "{}: the stop at {} was hit and closed up to {}. It is not opened again before the leader's next entry.",
            self.coin_name(coin),
            Px::from_raw(order.trigger),
            Pos::from_raw(order.size.saturating_abs())
        );
        alert_follower(out, Level::Critical, "disaster_stop_filled", follower, text);
        self.withdraw_coin(follower, coin, now_ms, out);
        self.read_soon(follower, now_ms);
    }

    /// Takes what a stop traded out of the engine's position. The venue cuts what reduces only to what there was, so it ends at
    /// flat at most; further only where an order has gone to the other side meanwhile, as far as E is there.
    fn take_hit(&mut self, follower: u32, coin: CoinId, order: &StopOrder, now_ms: u64) {
        let target = to_position(self.target(follower, coin)).unwrap_or(0);
        let Some(lot) = self.state.lot_mut(follower, coin) else { return };
        let before = lot.own;
        let left = before.saturating_add(order.size);
        let turned = left.signum() == target.signum() && before.signum() != left.signum();
        let after = match (turned, left > 0, before.signum()) {
            (true, true, _) => left.min(target),
            (true, false, _) => left.max(target),
            (false, _, 1) => left.clamp(0, before),
            (false, _, -1) => left.clamp(before, 0),
            (false, ..) => 0,
        };
        lot.settled_ms = now_ms;
        lot.suspect = None;
        if after != before && target.signum() == before.signum() {
            self.shrink_entitled(follower, coin, before, after);
        }
        self.move_own(follower, coin, after, order.trigger);
        self.settle_ceiling(follower, coin);
        // What it found is not known: it closed anything from nothing to its size.
        let [nothing, whole] = [before, left].map(|end| end.saturating_sub(after));
        self.state.widen_adrift(follower, coin, [nothing.min(whole), nothing.max(whole)]);
        self.touch_stop(follower, coin, before, now_ms);
    }

    pub(super) fn is_stop_unproven(&self, follower: u32, coin: CoinId) -> bool {
        self.state.follower(follower).and_then(|state| state.stops.get(&coin)).is_some_and(Stop::is_unproven)
    }

    /// An order missed, and a stop may have been why: it is asked for, or a read is to tell what it left. Nothing is opened then
    /// that may be there already.
    pub(super) fn may_have_been_stopped(&self, follower: u32, coin: CoinId) -> bool {
        let Some(state) = self.state.follower(follower) else { return false };
        let missed = state.coins.get(&coin).is_some_and(|lot| lot.misses > 0);
        missed && (state.stops.get(&coin).is_some_and(Stop::is_asked_for) || self.state.is_adrift(follower, coin))
    }

    /// An account read differs from what is believed: perhaps its stop was hit.
    pub(super) fn doubt_stop(&mut self, follower: u32, coin: CoinId, now_ms: u64) {
        if let Some(stop) = self.stop_mut(follower, coin) {
            stop.doubt(now_ms);
            self.look_at_stop(follower, coin, now_ms);
        }
    }

    /// An account read after a stop was hit: of what it closed, and of orders that crossed it, the account shows the sum. True: it
    /// lies where a stop of that size can have brought it, and is the engine's.
    pub(super) fn take_adrift(&mut self, follower: u32, coin: CoinId, actual: i64, now_ms: u64) -> bool {
        let [below, above] = self.state.take_adrift(follower, coin);
        let Some(lot) = self.state.lot_mut(follower, coin).filter(|_| below != above) else { return false };
        let before = lot.own;
        let beyond = actual.saturating_sub(before);
        let found = lot.manual == 0 && beyond != 0 && (below..=above).contains(&beyond);
        if found {
            lot.suspect = None;
            lot.wants = true;
            let price = lot.leader_price;
            self.state.waiting.insert(follower);
            self.move_own(follower, coin, actual, price);
        }
        self.touch_stop(follower, coin, before, now_ms);
        found
    }

    /// The read was believed: what a stop may have closed is in it.
    pub(super) fn account_stop(&mut self, follower: u32, coin: CoinId, before: i64, now_ms: u64) {
        if let Some(stop) = self.stop_mut(follower, coin) {
            stop.orders.iter_mut().for_each(|order| order.accounted = true);
        }
        self.doubt_stop(follower, coin, now_ms);
        self.touch_stop(follower, coin, before, now_ms);
    }

    /// A new process: nothing of the former one's is answered any more.
    pub(super) fn reopen_stops(&mut self) {
        self.state.stop_posts.clear();
        self.state.stop_dues.clear();
        let stops = self.state.followers.iter_mut().flat_map(|follower| follower.stops.values_mut());
        stops.for_each(|stop| stop.due_ms = 0);
    }

    /// What rested when the former process ended may have been hit since: all are asked for.
    pub(super) fn start_stops(&mut self, now_ms: u64) {
        for follower in (0..).take(self.state.followers.len()) {
            let coins = self.state.follower(follower).map(|state| state.stops.keys().copied().collect::<Vec<_>>());
            for coin in coins.unwrap_or_default() {
                self.doubt_stop(follower, coin, now_ms);
            }
        }
    }
}
