//! Leverage and margin mode of a coin, set before its first entry (rule 27) and never on an open position.
//!
//! What is known to be set costs an entry two look-ups. What is not costs an action, and perhaps a read of the leader, and
//! the entry waits for both; an exit waits for neither. Setting the same thing twice is harmless, so silence is not fenced:
//! it is set again.
use super::send::post_weight;
use super::work::Gate;
use super::{Engine, alert_follower, alert_leader};
use crate::commands::{AttemptKind, CoinId, Commands, Level};
use crate::config_check::CheckedFollow;
use crate::event::{FrameClass, SourceId};
use crate::feed::account::AccountState;
use crate::feed::answer::Answer;
use crate::feed::frame::FillRow;
use crate::market::Kind;
use crate::order::attempt::{ANSWER_MS, OPEN_TTL_MS, backoff_ms};
use crate::order::setup::{Margin, SentSetup, Setup};
use crate::order::text::{Class, classify};
use crate::risk::budget::Purpose;
use crate::state::{Asked, LeaderCoin, Lot};
use crate::wire::Action;

use super::reads::MAX_ASKS;
use super::resolve::EXPIRY_MARGIN_MS;

/// Venue rule: weight of `activeAssetData`.
const READ_WEIGHT: u32 = 20;
/// What preparations leave of a minute's budget to everything else.
const SPARED_WEIGHT: u32 = 480;
const SPARED_MESSAGES: u32 = 400;
/// Preparations without an answer, of all followers.
const MAX_PREPARING: usize = 8;
/// Preparations looked at in one tick.
const TICK_PREPARATIONS: usize = 16;
/// More than this is left to the first entries.
const MAX_PREPARATIONS: usize = 65_536;
/// Coins of a leader's recent fills whose leverage is read ahead.
const HABITS: usize = 16;
/// After a refusal entries are given back for so long; it doubles so many times.
const REFUSED_MS: u64 = 60_000;
const MOST_DOUBLINGS: u32 = 5;

/// What an account should have for a coin.
enum Wanted {
    /// Whatever it has.
    Nothing,
    /// What this leader has, which is not known yet.
    Unread(u32),
    /// This.
    Margin(Margin),
}

/// Whether a coin's first entry may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lent {
    /// Yes, or there is no such entry.
    Ready,
    /// An answer on its way brings the coin back.
    Awaited,
    /// Something outside holds it back.
    Held,
    /// The venue would not have it.
    Refused,
}

impl Engine {
    /// Looks at what the first entry of a coin needs, and has it read and set.
    pub(super) fn lend(&mut self, follower: u32, coin: CoinId, gate: Gate, now_ms: u64, out: &mut Commands) -> Lent {
        let mirrors = self.config.followers.get(follower as usize).is_some_and(|account| account.lending.is_some());
        let Some(state) = self.state.follower(follower).filter(|_| mirrors && gate.open) else { return Lent::Ready };
        // What an exit uncovered (amount 0) is part of an exit.
        let first = state.coins.get(&coin).filter(|lot| is_flat(lot)).and_then(|lot| lot.entries.last());
        let Some(entry) = first.filter(|entry| entry.amount != 0) else { return Lent::Ready };
        let setup = state.setups.get(&coin).copied().unwrap_or_default();
        let wanted = match self.margin_wanted(follower, coin, entry.follow) {
            Wanted::Nothing => return Lent::Ready,
            Wanted::Unread(leader) => {
                self.want_leverage(leader, coin, now_ms);
                self.read_leverages(now_ms, out);
                return Lent::Awaited;
            }
            Wanted::Margin(margin) => margin,
        };
        let stale = setup.stale.is_some_and(|(margin, until_ms)| margin != wanted && until_ms > now_ms);
        match setup {
            Setup { set: Some(set), .. } if set == wanted => Lent::Ready,
            Setup { refused_until_ms, .. } if refused_until_ms > now_ms => Lent::Refused,
            Setup { sent: Some(_), .. } => Lent::Awaited,
            Setup { next_ms, .. } if next_ms > now_ms || stale => Lent::Held,
            _ if !self.may_send_setup(follower) => Lent::Held,
            _ => self.send_setup(follower, coin, wanted, now_ms, out).map_or(Lent::Held, |_| Lent::Awaited),
        }
    }

    /// The gate has looked at the account's orders; this goes beside them.
    fn may_send_setup(&self, follower: u32) -> bool {
        let coins = self.state.follower(follower).map_or(0, |state| state.coins.len());
        let weight = post_weight(coins.saturating_mul(2)).saturating_add(post_weight(0));
        self.budget.has(weight, 2, Purpose::Ordinary)
    }

    fn margin_wanted(&self, follower: u32, coin: CoinId, follow: u32) -> Wanted {
        let account = self.config.followers.get(follower as usize);
        let (Some(edge), Some(asset)) = (self.config.follows.get(follow as usize), self.state.market.asset(coin))
        else {
            return Wanted::Nothing;
        };
        let Some(lending) = account.and_then(|account| account.lending).filter(|_| asset.kind == Kind::Perp) else {
            return Wanted::Nothing;
        };
        let leader = self.state.leaders.get(edge.leader as usize).and_then(|leader| leader.coins.get(&coin)?.margin);
        let leverage = lending.leverage.or(leader.map(|margin| margin.leverage));
        // Where the market leaves no choice, the leader has none either.
        let isolated =
            lending.isolated.or(leader.map(|margin| margin.isolated)).or(asset.isolated_only.then_some(true));
        match (leverage, isolated) {
            (Some(leverage), Some(isolated)) => {
                Wanted::Margin(Margin { leverage, isolated }.within(&asset, lending.max))
            }
            _ => Wanted::Unread(edge.leader),
        }
    }

    fn send_setup(
        &mut self,
        follower: u32,
        coin: CoinId,
        margin: Margin,
        now_ms: u64,
        out: &mut Commands,
    ) -> Option<u64> {
        let asset = self.state.market.asset(coin)?.id;
        let (lane, road) = self.lane(follower, None)?;
        let nonce = self.next_nonce_of(follower, now_ms)?;
        let expires_after = now_ms.saturating_add(OPEN_TTL_MS);
        let action = Action::UpdateLeverage { asset, is_cross: !margin.isolated, leverage: margin.leverage };
        let way = (lane, road, AttemptKind::Setup);
        let post = self.hand_out(follower, way, &action, (nonce, expires_after), &[], out);
        self.state.setup_posts.insert(post, (follower, coin));
        let setup = self.state.follower_mut(follower)?.setups.entry(coin).or_default();
        setup.sent = Some(SentSetup {
            margin,
            post,
            lane,
            deadline_ms: now_ms.saturating_add(ANSWER_MS),
            dead_ms: expires_after.saturating_add(EXPIRY_MARGIN_MS),
        });
        Some(post)
    }

    pub(super) fn on_setup_answer(
        &mut self,
        post: u64,
        answer: Answer,
        frame: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        let Some((follower, coin)) = self.state.setup_posts.remove(&post) else { return FrameClass::Other };
        out.changed = true;
        match answer {
            Answer::Accepted => {
                if let Some(setup) = self.setup_mut(follower, coin) {
                    let set = setup.sent.map(|sent| sent.margin);
                    *setup = Setup { set, ..Setup::default() };
                }
            }
            Answer::Refused(text) => self.on_setup_refused(follower, coin, text.of(frame), now_ms, out),
            Answer::Statuses | Answer::Unknown | Answer::Info => self.on_setup_silence(follower, coin, now_ms, out),
        }
        self.work(follower, now_ms, out);
        self.send_batch(now_ms, out);
        FrameClass::Taken
    }

    fn on_setup_refused(&mut self, follower: u32, coin: CoinId, text: &[u8], now_ms: u64, out: &mut Commands) {
        let Some(account) = self.config.followers.get(follower as usize) else { return };
        let class = classify(text, &account.agent, &account.account);
        let name = self.coin_name(coin).to_owned();
        let Some(setup) = self.setup_mut(follower, coin) else { return };
        let sent = setup.sent.take();
        match class {
            Class::Wait(_) | Class::WaitCoin(_) | Class::TooLate | Class::NonceUsed => {
                // Something with this nonce executed: perhaps this.
                setup.set = None;
                setup.next_ms = now_ms.saturating_add(backoff_ms(0));
            }
            class => {
                // Words that nobody knows prove nothing of what is set now.
                setup.set = setup.set.filter(|_| class != Class::Unknown);
                setup.refused_until_ms = now_ms.saturating_add(REFUSED_MS << setup.refusals.min(MOST_DOUBLINGS));
                setup.refusals = setup.refusals.saturating_add(1);
                let shown = String::from_utf8_lossy(text.get(..text.len().min(200)).unwrap_or_default()).into_owned();
                let wanted = sent.map_or(0, |sent| sent.margin.leverage);
                let text =
                    format!("{name}: the venue does not set leverage {wanted}: {shown:?}. Its entries are blocked.");
                alert_follower(out, Level::Warning, "leverage_refused", follower, text);
                self.read_soon(follower, now_ms);
            }
        }
        if !matches!(class, Class::Bug(_) | Class::Unknown) {
            self.act_on(follower, Some(class), now_ms, out);
        }
    }

    /// It may be set, or become so while it lives: only the same thing may be set again at once.
    fn on_setup_silence(&mut self, follower: u32, coin: CoinId, now_ms: u64, out: &mut Commands) {
        let name = self.coin_name(coin).to_owned();
        let Some(setup) = self.setup_mut(follower, coin) else { return };
        let Some(sent) = setup.sent.take() else { return };
        setup.set = None;
        setup.stale = Some((sent.margin, sent.dead_ms));
        setup.next_ms = if setup.silences == 0 { 0 } else { now_ms.saturating_add(backoff_ms(setup.silences)) };
        setup.silences = setup.silences.saturating_add(1);
        self.state.setup_posts.remove(&sent.post);
        self.state.waiting.insert(follower);
        out.changed = true;
        let text = format!("{name}: whether leverage {} is set is unknown; it is set again.", sent.margin.leverage);
        alert_follower(out, Level::Warning, "leverage_unknown", follower, text);
    }

    fn setup_mut(&mut self, follower: u32, coin: CoinId) -> Option<&mut Setup> {
        self.state.follower_mut(follower)?.setups.get_mut(&coin)
    }

    /// Ends those that nobody answered, and prepares what no entry waits for.
    pub(super) fn tend_setups(&mut self, now_ms: u64, out: &mut Commands) {
        self.silence_setups(now_ms, out, |sent| sent.deadline_ms <= now_ms);
        for _ in 0..TICK_PREPARATIONS {
            let spare = self.budget.has(
                post_weight(0).saturating_add(SPARED_WEIGHT),
                SPARED_MESSAGES.saturating_add(1),
                Purpose::Ordinary,
            );
            if !spare || self.state.setup_posts.len() >= MAX_PREPARING {
                return;
            }
            let Some((follower, coin)) = self.state.preparations.pop_front() else { return };
            out.changed = true;
            if let Some(margin) = self.preparable(follower, coin, now_ms) {
                self.send_setup(follower, coin, margin, now_ms, out);
            }
        }
    }

    pub(super) fn lose_setups(&mut self, lane: SourceId, now_ms: u64, out: &mut Commands) {
        self.silence_setups(now_ms, out, |sent| sent.lane == lane);
    }

    fn silence_setups(&mut self, now_ms: u64, out: &mut Commands, which: impl Fn(&SentSetup) -> bool) {
        if self.state.setup_posts.is_empty() {
            return;
        }
        let sent = |(follower, coin)| self.state.follower(follower)?.setups.get(&coin)?.sent;
        let posts = self.state.setup_posts.values().copied();
        let silent: Vec<(u32, CoinId)> = posts.filter(|at| sent(*at).is_none_or(|sent| which(&sent))).collect();
        for (follower, coin) in silent {
            self.on_setup_silence(follower, coin, now_ms, out);
        }
    }

    /// What to set ahead of a first entry, if anything; whoever can't take it now is served by that entry.
    fn preparable(&self, follower: u32, coin: CoinId, now_ms: u64) -> Option<Margin> {
        let state = self.state.follower(follower)?;
        let lot = state.coins.get(&coin);
        if !self.gate(follower, now_ms).open || lot.is_some_and(|lot| !is_flat(lot) || !lot.entries.is_empty()) {
            return None;
        }
        let setup = state.setups.get(&coin).copied().unwrap_or_default();
        let idle = setup.sent.is_none() && setup.next_ms <= now_ms && setup.refused_until_ms <= now_ms;
        let follows = self.follows_of_follower.get(follower as usize)?.iter().copied();
        let mut active = follows.filter(|follow| self.hold(*follow).is_none());
        let wanted = active.find_map(|follow| match self.margin_wanted(follower, coin, follow) {
            Wanted::Margin(margin) => Some(margin),
            Wanted::Nothing | Wanted::Unread(_) => None,
        });
        let stale = setup.stale.is_some_and(|(_, until_ms)| until_ms > now_ms);
        wanted.filter(|wanted| idle && !stale && setup.set != Some(*wanted))
    }

    /// A leader's leverage of a coin became known, or another: followers that will need it are prepared.
    pub(super) fn learn_margin(&mut self, leader: u32, coin: CoinId, margin: Margin) {
        let seeded = self.is_seeded(leader, coin);
        let Some(state) = self.state.leader_mut(leader) else { return };
        let entry = match state.coins.get_mut(&coin) {
            Some(entry) => entry,
            // Without a position in a whole read it is flat.
            None if seeded => state.coins.entry(coin).or_insert_with(LeaderCoin::default),
            None => return,
        };
        if entry.margin.replace(margin) == Some(margin) {
            return;
        }
        self.refresh_lists();
        for follow in self.follows_of_leader.get(leader as usize).into_iter().flatten() {
            let Some(edge) = self.config.follows.get(*follow as usize) else { continue };
            let room = self.state.preparations.len() < MAX_PREPARATIONS;
            if room && self.borrows_by(edge) && self.is_read(edge.follower) && self.lists.allow(*follow, coin) {
                self.state.preparations.push_back((edge.follower, coin));
            }
        }
    }

    /// A follower became ready: what is known of its leaders is prepared for it.
    pub(super) fn prepare_for(&mut self, follower: u32) {
        self.refresh_lists();
        for follow in self.follows_of_follower.get(follower as usize).into_iter().flatten() {
            let Some(edge) = self.config.follows.get(*follow as usize) else { continue };
            let leader = self.state.leaders.get(edge.leader as usize).filter(|_| self.borrows_by(edge));
            let known = leader.into_iter().flat_map(|leader| &leader.coins).filter(|(_, entry)| entry.margin.is_some());
            let listed = known.map(|(coin, _)| *coin).filter(|coin| self.lists.allow(*follow, *coin));
            let room = MAX_PREPARATIONS.saturating_sub(self.state.preparations.len());
            let coins: Vec<CoinId> = listed.take(room).collect();
            self.state.preparations.extend(coins.into_iter().map(|coin| (follower, coin)));
        }
    }

    /// How an account borrows for what it holds is in each read of it.
    pub(super) fn note_margins(&mut self, follower: u32, read: &AccountState) {
        if self.config.followers.get(follower as usize).is_none_or(|account| account.lending.is_none()) {
            return;
        }
        for row in &read.positions {
            let (Some(coin), Some(margin)) = (self.state.market.find(row.coin.as_bytes()), row.margin) else {
                continue;
            };
            let Some(state) = self.state.follower_mut(follower) else { return };
            let setup = state.setups.entry(coin).or_default();
            if setup.sent.is_none() {
                setup.set = Some(margin);
            }
        }
    }

    fn borrows_by(&self, edge: &CheckedFollow) -> bool {
        self.config.followers.get(edge.follower as usize).is_some_and(|account| account.lending.is_some())
    }

    fn mirrors(&self, leader: u32) -> bool {
        let follows = self.follows_of_leader.get(leader as usize).into_iter().flatten();
        let mut edges = follows.filter_map(|follow| self.config.follows.get(*follow as usize));
        edges.any(|edge| {
            let account = self.config.followers.get(edge.follower as usize);
            account.and_then(|account| account.lending).is_some_and(|l| l.leverage.is_none() || l.isolated.is_none())
        })
    }

    /// Coins that a leader traded of late will be traded again: how it borrows for them is read ahead.
    pub(super) fn note_habits(&mut self, leader: u32, frame: &[u8], rows: &[FillRow], now_ms: u64) {
        if !self.mirrors(leader) {
            return;
        }
        let mut coins: Vec<CoinId> = Vec::new();
        for row in rows {
            let Some(coin) = self.state.market.find(row.coin.of(frame)) else { continue };
            let perp = self.state.market.asset(coin).is_some_and(|asset| asset.kind == Kind::Perp && !asset.delisted);
            if perp && !coins.contains(&coin) {
                coins.push(coin);
            }
            if coins.len() >= HABITS {
                break;
            }
        }
        coins.into_iter().for_each(|coin| self.want_leverage_at(now_ms, leader, coin));
    }

    fn want_leverage(&mut self, leader: u32, coin: CoinId, now_ms: u64) {
        let asked = Asked::Leverage { leader, coin };
        if !self.state.asks.values().any(|other| *other == asked) {
            self.want_leverage_at(now_ms, leader, coin);
        }
    }

    fn want_leverage_at(&mut self, at_ms: u64, leader: u32, coin: CoinId) {
        let waits = self.state.leverage_reads.iter().any(|(_, who, what)| (*who, *what) == (leader, coin));
        if !waits {
            self.state.leverage_reads.insert((at_ms, leader, coin));
        }
    }

    /// Reads leaders' leverages: at once where an entry waits, else while there is budget to spare.
    pub(super) fn read_leverages(&mut self, now_ms: u64, out: &mut Commands) {
        let due = self.state.leverage_reads.iter().take_while(|(due, ..)| *due <= now_ms).copied();
        for (due, leader, coin) in due.collect::<Vec<_>>() {
            let spared = if self.awaits_leverage(leader, coin) { 0 } else { SPARED_WEIGHT };
            let has = self.budget.has(READ_WEIGHT.saturating_add(spared), 0, Purpose::Ordinary);
            if !has || self.state.asks.len() >= MAX_ASKS || !self.state.started {
                continue;
            }
            self.state.leverage_reads.remove(&(due, leader, coin));
            let Some(address) = self.address(true, leader) else { continue };
            let name = self.coin_name(coin);
            let body = format!("{{\"type\":\"activeAssetData\",\"user\":\"{address}\",\"coin\":\"{name}\"}}");
            self.ask(Asked::Leverage { leader, coin }, READ_WEIGHT, body, out);
        }
    }

    fn awaits_leverage(&self, leader: u32, coin: CoinId) -> bool {
        let follows = self.follows_of_leader.get(leader as usize).into_iter().flatten();
        let edges = follows.filter_map(|follow| self.config.follows.get(*follow as usize));
        let mut lots = edges.filter_map(|edge| self.state.follower(edge.follower)?.coins.get(&coin));
        lots.any(|lot| !lot.entries.is_empty() && is_flat(lot))
    }

    /// The answer about a leader's leverage; `None`: no usable one. Whoever waits for it is looked at.
    pub(super) fn on_leverage(
        &mut self,
        leader: u32,
        coin: CoinId,
        margin: Option<Margin>,
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let Some(margin) = margin else {
            if self.awaits_leverage(leader, coin) {
                self.want_leverage_at(now_ms.saturating_add(backoff_ms(0)), leader, coin);
            }
            let text = format!("{}: the leader's leverage could not be read.", self.coin_name(coin));
            alert_leader(out, Level::Warning, "leverage_unread", leader, text);
            return false;
        };
        self.learn_margin(leader, coin, margin);
        for follow in self.follows_of_leader.get(leader as usize).into_iter().flatten() {
            let Some(edge) = self.config.follows.get(*follow as usize) else { continue };
            let lot = self.state.follower(edge.follower).and_then(|state| state.coins.get(&coin));
            if lot.is_some_and(|lot| lot.wants) {
                self.state.waiting.insert(edge.follower);
            }
        }
        true
    }

    /// A new process: what was on its way may have been set, and nothing of it is answered any more.
    pub(super) fn reopen_setups(&mut self) {
        self.state.setup_posts.clear();
        self.state.preparations.clear();
        self.state.leverage_reads.clear();
        let setups = self.state.followers.iter_mut().flat_map(|follower| follower.setups.values_mut());
        for setup in setups {
            if let Some(sent) = setup.sent.take() {
                *setup = Setup { stale: Some((sent.margin, sent.dead_ms)), ..Setup::default() };
            }
        }
    }
}

/// Nothing is held, and nothing that could become a position is on its way.
fn is_flat(lot: &Lot) -> bool {
    lot.own == 0 && lot.manual == 0 && lot.in_flight.is_none() && lot.doubted.is_empty()
}
