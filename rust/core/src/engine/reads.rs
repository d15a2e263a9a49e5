//! What the core wants to know of accounts: asked within the venue's budget, spread over time, compared with what it believes.
use super::drift::own_fills_unread;
use super::{Engine, alert_leader};
use crate::commands::{Ask, CoinId, Commands, Level};
use crate::copy::entitle::{Move, classify};
use crate::event::FrameClass;
use crate::feed::account::{AccountState, parse_margin, parse_order_status, parse_state, parse_stop_status};
use crate::market::{is_outcome_name, is_spot_name};
use crate::num::Pos;
use crate::planted::{Bug, planted};
use crate::risk::budget::Purpose;
use crate::state::{Asked, Change, Fanout, Gap, LeaderCoin};
use crate::wire::Address;

/// Questions without an answer at one time.
pub(super) const MAX_ASKS: usize = 32;
/// A read that differs from what is believed is repeated after this before it counts: the served state is about 0.2 s old, and
/// fills may be on their way.
pub(super) const SECOND_LOOK_MS: u64 = 1_000;
/// After a restart, and whenever a leader's channel comes up, snapshots bring missed fills; positions are compared after that.
pub(super) const SNAPSHOT_FIRST_MS: u64 = 5_000;
/// Venue rule: weights of the requests.
pub(super) const STATE_WEIGHT: u32 = 2;
pub(super) const HISTORY_WEIGHT: u32 = 120;
pub(super) const MODE_WEIGHT: u32 = 20;

impl Engine {
    pub(super) fn on_start(&mut self, now_ms: u64, out: &mut Commands) {
        if self.state.started {
            return;
        }
        out.changed = true;
        self.state.started = true;
        for follower in 0..self.state.followers.len() {
            self.read_at(now_ms, false, index(follower));
        }
        for leader in 0..self.state.leaders.len() {
            let seeded =
                self.state.leaders.get(leader).is_some_and(|leader| leader.seeded.iter().all(|seeded| *seeded));
            let at = if seeded { now_ms.saturating_add(SNAPSHOT_FIRST_MS) } else { now_ms };
            self.read_at(at, true, index(leader));
            self.put_off_look(index(leader), now_ms);
            let owed =
                self.state.leaders.get(leader).is_some_and(|leader| leader.gap != Gap::None || leader.owed_ms > 0);
            if owed && self.is_awake_leader(index(leader)) {
                self.ask_backfill(index(leader), out);
            }
        }
        for coin in 0..index(self.state.market.len()) {
            let traded = self.state.leaders.iter().any(|leader| leader.coins.contains_key(&coin));
            if traded {
                self.subscribe(coin, out);
            }
        }
        self.start_stops(now_ms);
        self.start_surveys(now_ms);
        self.on_tick(now_ms, out);
    }

    pub(super) fn schedule_reads(&mut self, now_ms: u64, out: &mut Commands) {
        if !self.state.started {
            return;
        }
        while let Some(leader) = self.state.backfills.first().copied() {
            if !self.budget.has(HISTORY_WEIGHT, 0, Purpose::Safety) {
                break;
            }
            self.ask_backfill(leader, out);
        }
        self.read_leverages(now_ms, out);
        while self.state.asks.len() < MAX_ASKS {
            let Some((due, leader, account)) = self.state.reads.first().copied().filter(|(due, ..)| *due <= now_ms)
            else {
                break;
            };
            let unread = !leader && !self.is_read(account);
            let purpose = if unread { Purpose::Safety } else { Purpose::Ordinary };
            let weight = STATE_WEIGHT.saturating_mul(index(self.dexs.len())).saturating_add(MODE_WEIGHT);
            if !self.budget.has(weight, 0, purpose) {
                return;
            }
            self.state.reads.remove(&(due, leader, account));
            self.read_account(leader, account, now_ms, out);
        }
        self.ask_surveys(now_ms, out);
    }

    fn read_account(&mut self, leader: bool, account: u32, now_ms: u64, out: &mut Commands) {
        let Some(address) = self.address(leader, account) else { return };
        for dex in 0..self.dexs.len() {
            let name = self.dexs.get(dex).map_or("", String::as_str);
            let body = format!("{{\"type\":\"clearinghouseState\",\"user\":\"{address}\",\"dex\":\"{name}\"}}");
            let dex = index(dex);
            let asked = if leader {
                Asked::Leader { leader: account, dex }
            } else {
                Asked::Follower { follower: account, dex }
            };
            self.ask(asked, STATE_WEIGHT, body, out);
        }
        if !leader {
            self.ask_requests(account, now_ms, out);
            self.ask_fees(account, now_ms, out);
        }
        self.ask_money(leader, account, now_ms, out);
        self.ask_balances(leader, account, now_ms, out);
    }

    pub(super) fn address(&self, leader: bool, account: u32) -> Option<Address> {
        if leader {
            self.config.leaders.get(account as usize).map(|leader| leader.address)
        } else {
            self.config.followers.get(account as usize).map(|follower| follower.account)
        }
    }

    pub(super) fn ask(&mut self, asked: Asked, weight: u32, body: String, out: &mut Commands) {
        let token = self.state.next_token;
        self.state.next_token = token.saturating_add(1);
        self.state.asks.insert(token, asked);
        self.state.ask_times.insert(token, self.now_ms);
        self.budget.take(weight, 0);
        out.changed = true;
        out.asks.push(Ask::Info { token, weight, body: body.into_bytes() });
    }

    pub(super) fn ask_order(&mut self, follower: u32, post: u64, leg: u32, cloid: [u8; 16], out: &mut Commands) {
        let Some(address) = self.address(false, follower) else { return };
        let cloid = crate::wire::Cloid(cloid);
        let body = format!("{{\"type\":\"orderStatus\",\"user\":\"{address}\",\"oid\":\"{cloid}\"}}");
        self.ask(Asked::Order { post, leg }, STATE_WEIGHT, body, out);
    }

    pub(super) fn on_info(
        &mut self,
        token: u64,
        status: u16,
        body: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> FrameClass {
        if let Some(class) = self.on_look(token, status, body, now_ms, out) {
            self.first_chunk(now_ms, out);
            return class;
        }
        let Some(asked) = self.state.asks.remove(&token) else { return FrameClass::Other };
        // Lost with a snapshot of a former version: long ago at worst, or as good as that.
        let asked_ms = self.state.ask_times.remove(&token).unwrap_or(0);
        out.changed = true;
        let good = status == 200;
        let done = match asked {
            Asked::Leader { leader, dex } => good && self.on_leader_state(leader, dex, body, now_ms, out),
            Asked::Follower { follower, dex } => good && self.on_follower_state(follower, dex, body, now_ms, out),
            Asked::Backfill { leader } => good && self.on_backfill(leader, body, asked_ms, now_ms, out),
            Asked::Order { post, leg } => {
                let fate = if good { parse_order_status(body).ok() } else { None };
                self.on_order_fate(post, leg, fate, asked_ms, now_ms, out);
                true
            }
            Asked::Stop { follower, coin, cloid } => {
                let fate = if good { parse_stop_status(body).ok() } else { None };
                self.on_stop_fate((follower, coin, cloid), fate, asked_ms, now_ms, out);
                true
            }
            Asked::Twap { post } => {
                self.on_twaps(post, good.then_some(body), asked_ms, now_ms, out);
                true
            }
            Asked::Slices { post } => {
                self.on_slices(post, if good { body } else { b"" }, now_ms, out);
                true
            }
            Asked::Mode { leader, account } => good && self.on_mode(leader, account, body, now_ms),
            Asked::Spot { leader, account } => {
                good && self.on_spot(leader, account, body, now_ms)
                    && self.on_balances(leader, account, body, now_ms, out)
            }
            Asked::Mids => good && self.on_mids(body, now_ms, out),
            Asked::Requests { follower } => good && self.on_requests(follower, body, now_ms, out),
            Asked::Transfers { follower } => good && self.on_transfers_read(follower, body, now_ms, out),
            Asked::Fees { follower } => good && self.on_fees(follower, body),
            Asked::OwnFills { follower, since_ms } => good && self.on_own_fills(follower, since_ms, body, now_ms, out),
            Asked::Survey(survey) => good && self.on_survey(survey, body, now_ms),
            Asked::Leverage { leader, coin } => {
                let margin = if good { parse_margin(body).ok() } else { None };
                self.on_leverage(leader, coin, margin, now_ms, out)
            }
        };
        if !done {
            self.ask_again(asked, now_ms, out);
        }
        self.first_chunk(now_ms, out);
        self.on_tick(now_ms, out);
        if done { FrameClass::Taken } else { FrameClass::Bad }
    }

    /// No answer, or one that can't be used: the account is read anew in a second.
    fn ask_again(&mut self, asked: Asked, now_ms: u64, out: &mut Commands) {
        let at = now_ms.saturating_add(SECOND_LOOK_MS);
        match asked {
            Asked::Leader { leader, .. } => self.read_at(at, true, leader),
            Asked::Follower { follower, .. } | Asked::Requests { follower } => self.read_at(at, false, follower),
            Asked::Mode { leader, account } | Asked::Spot { leader, account } => self.read_at(at, leader, account),
            // What fills that can't be read now did is found by comparing positions; they themselves are read later.
            Asked::Backfill { leader } => {
                let due = now_ms.saturating_add(self.config.engine.reconcile_ms);
                let gap = self.state.leader_mut(leader).map(|state| {
                    state.owed_ms = if planted(Bug::MissingFillsForgotten) { 0 } else { due };
                    state.gap
                });
                alert_leader(
                    out,
                    Level::Warning,
                    "backfill_failed",
                    leader,
                    "Missing fills could not be read; positions are compared.".into(),
                );
                gap == Some(Gap::Fills) && self.backfill_done(leader, now_ms)
            }
            Asked::Transfers { follower } => self.transfers_unread(follower, at),
            Asked::Fees { follower } => self.fees_unread(follower, now_ms),
            Asked::OwnFills { follower, .. } => own_fills_unread(follower, out),
            Asked::Survey(survey) => self.survey_again(survey, now_ms, out),
            Asked::Order { .. } | Asked::Stop { .. } | Asked::Leverage { .. } | Asked::Mids => false,
            Asked::Twap { .. } | Asked::Slices { .. } => false,
        };
    }

    /// The dex that lists a perp, by its place in the settings.
    pub(super) fn dex_of(&self, coin: CoinId) -> Option<usize> {
        let name = self.coin_name(coin);
        if is_spot_name(name) || is_outcome_name(name) {
            return None;
        }
        let dex = name.split_once(':').map_or("", |(dex, _)| dex);
        self.dexs.iter().position(|known| known == dex)
    }

    pub(super) fn on_leader_state(
        &mut self,
        leader: u32,
        dex: u32,
        body: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let Ok(read) = parse_state(body) else { return false };
        self.put_off_look(leader, now_ms);
        self.note_dex_money(true, leader, dex, &read, now_ms);
        let Some(state) = self.state.leader_mut(leader) else { return true };
        let first = !state.seeded.get(dex as usize).copied().unwrap_or(true);
        let found = self.found_positions(leader, dex, &read);
        let mut again = false;
        for (coin, position, entry_price) in found {
            if first {
                self.seed(leader, coin, position, entry_price, &read);
                if position != 0 {
                    self.subscribe(coin, out);
                }
            } else {
                again |= self.compare(leader, coin, position, read.time_ms, now_ms, out);
            }
        }
        self.note_leverage(leader, &read);
        let gap = self.state.leader_mut(leader).map(|state| {
            if let Some(seeded) = state.seeded.get_mut(dex as usize) {
                *seeded = true;
            }
            if state.gap == Gap::Positions && state.seeded.iter().all(|seeded| *seeded) {
                state.gap = Gap::None;
            }
            state.gap
        });
        if first {
            self.push_adoptions(leader, now_ms);
        }
        let is_whole = gap != Some(Gap::None) || self.mark_read(leader, dex, read.time_ms, again);
        if dex == 0 && !again && gap == Some(Gap::None) {
            self.settle_owed_fills(leader, read.time_ms, now_ms, out);
        }
        if dex == 0 {
            let wait = match gap {
                _ if again => SECOND_LOOK_MS,
                Some(Gap::Positions) => SECOND_LOOK_MS,
                _ if self.owes_soon(leader, now_ms) => SECOND_LOOK_MS,
                _ if !is_whole || self.state.unheard.contains_key(&leader) => SNAPSHOT_FIRST_MS,
                _ => self.config.engine.reconcile_ms,
            };
            self.read_at(now_ms.saturating_add(wait), true, leader);
        }
        true
    }

    /// Notes up to when a dex's ledger is known to be whole. False: a tape came up after that, and can't move it yet.
    fn mark_read(&mut self, leader: u32, dex: u32, read_ms: u64, differs: bool) -> bool {
        let youngest_tape = self.state.tapes.values().copied().max().unwrap_or(0);
        let Some(whole) = self.state.leader_mut(leader).and_then(|state| state.whole_ms.get_mut(dex as usize)) else {
            return true;
        };
        if !differs {
            *whole = read_ms.max(*whole);
        }
        *whole >= youngest_tape
    }

    fn note_leverage(&mut self, leader: u32, read: &AccountState) {
        for row in &read.positions {
            let Some(coin) = self.state.market.find(row.coin.as_bytes()) else { continue };
            if let Some(entry) = self.state.leader_mut(leader).and_then(|state| state.coins.get_mut(&coin)) {
                entry.entry_price = row.entry.map_or(0, |entry| entry.raw());
            }
            if let Some(margin) = row.margin {
                self.learn_margin(leader, coin, margin);
            }
        }
    }

    /// Every coin of a dex that the read or the ledger knows, with the read's position.
    fn found_positions(&mut self, leader: u32, dex: u32, read: &AccountState) -> Vec<(CoinId, i64, i64)> {
        let mut found: Vec<(CoinId, i64, i64)> = Vec::new();
        for row in &read.positions {
            let Some(coin) = self.state.market.intern(row.coin.as_bytes()) else { continue };
            if let (Some(mark), Some(entry)) = (row.mark, self.state.market.coin_mut(coin)) {
                entry.last_price = mark.raw();
            }
            found.push((coin, row.size.raw(), row.entry.map_or(0, |entry| entry.raw())));
        }
        let known: Vec<CoinId> = self
            .state
            .leaders
            .get(leader as usize)
            .map(|leader| leader.coins.keys().copied().collect())
            .unwrap_or_default();
        for coin in known {
            if self.dex_of(coin) == Some(dex as usize) && !found.iter().any(|(other, ..)| *other == coin) {
                found.push((coin, 0, 0));
            }
        }
        found
    }

    /// The first read: what the ledger starts from. Fills that came before it know better.
    fn seed(&mut self, leader: u32, coin: CoinId, position: i64, entry_price: i64, read: &AccountState) {
        let mark = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
        let Some(state) = self.state.leader_mut(leader) else { return };
        if state.coins.contains_key(&coin) {
            return;
        }
        let entry = LeaderCoin { position, last_ms: read.time_ms, entry_price, ..LeaderCoin::default() };
        state.coins.insert(coin, entry);
        if position != 0 {
            self.mark_existing(leader, coin, mark, entry_price);
        }
    }

    /// A change without fills: it leaves no receipt.
    pub(super) fn silent_change(&mut self, coin: CoinId, before: i64, after: i64, now_ms: u64) -> Change {
        let price = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
        let decision = self.state.decision();
        Change {
            coin,
            decision,
            gap_from: None,
            before,
            after,
            price,
            time_ms: now_ms,
            dirty: false,
            forced: false,
            fills: Vec::new(),
        }
    }

    /// A later read. True: it differs and must be looked at again soon.
    fn compare(
        &mut self,
        leader: u32,
        coin: CoinId,
        position: i64,
        read_ms: u64,
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let Some(state) = self.state.leader_mut(leader) else { return false };
        let gap = state.gap;
        let entry = state.coins.entry(coin).or_default();
        if entry.position == position || entry.last_ms >= read_ms {
            entry.suspect = None;
            return false;
        }
        let confirmed = entry.suspect == Some(position);
        entry.suspect = Some(position);
        match (gap, confirmed) {
            // Fills were read and it still differs: believe the account. What came between the two reads is owed a receipt.
            (Gap::Positions, _) => {
                entry.last_ms = read_ms;
                if state.owed_ms == 0 {
                    state.owed_ms = now_ms.saturating_add(SECOND_LOOK_MS);
                }
                self.reconcile_leader(leader, coin, position, now_ms, out);
                false
            }
            (Gap::None, true) => {
                let from_ms = self.known_until(leader);
                let name = self.coin_name(coin).to_owned();
                let text = format!(
                    "{name}: the account holds {}, and no feed brought the fills. They are read, entries wait.",
                    Pos::from_raw(position)
                );
                alert_leader(out, Level::Warning, "fills_missed", leader, text);
                self.begin_gap(leader, from_ms, out);
                false
            }
            _ => true,
        }
    }

    /// The ledger takes over a position that no fill explains. Reductions act; increases are not taken (rule 2).
    pub(super) fn reconcile_leader(
        &mut self,
        leader: u32,
        coin: CoinId,
        position: i64,
        now_ms: u64,
        out: &mut Commands,
    ) {
        let Some(entry) = self.state.leader_mut(leader).map(|state| state.coins.entry(coin).or_default()) else {
            return;
        };
        let before = std::mem::replace(&mut entry.position, position);
        entry.suspect = None;
        let mut change = self.silent_change(coin, before, position, now_ms);
        change.dirty = true;
        if let Some(entry) = self.state.leader_mut(leader).and_then(|state| state.coins.get_mut(&coin)) {
            entry.gap_decision = Some(change.decision);
        }
        let name = self.coin_name(coin).to_owned();
        let text = format!(
            "{name}: the position is {}, the ledger said {}. The account is believed.",
            Pos::from_raw(position),
            Pos::from_raw(before)
        );
        alert_leader(out, Level::Warning, "leader_reconciled", leader, text);
        out.changed = true;
        if classify(before, position) != Move::None {
            self.state.fanouts.push_back(Fanout { leader, changes: vec![change], next: 0 });
        }
    }

    fn on_follower_state(&mut self, follower: u32, dex: u32, body: &[u8], now_ms: u64, out: &mut Commands) -> bool {
        let Ok(read) = parse_state(body) else { return false };
        let was_read = self.is_read(follower);
        self.note_dex_money(false, follower, dex, &read, now_ms);
        let Some(state) = self.state.follower_mut(follower) else { return true };
        let first = !std::mem::replace(state.read.get_mut(dex as usize).unwrap_or(&mut true), true);
        let mut coins: Vec<CoinId> = state.coins.keys().copied().collect();
        let mut again = false;
        for row in &read.positions {
            if let Some(coin) = self.state.market.intern(row.coin.as_bytes())
                && !coins.contains(&coin)
            {
                coins.push(coin);
            }
        }
        for coin in coins.into_iter().filter(|coin| self.dex_of(*coin) == Some(dex as usize)).collect::<Vec<_>>() {
            let name = self.coin_name(coin);
            let actual = read.positions.iter().find(|row| row.coin == name).map_or(0, |row| row.size.raw());
            again |= self.compare_follower(follower, coin, actual, read.time_ms, first, out);
        }
        self.note_margins(follower, &read);
        self.note_costs(follower, &read);
        self.judge_follows(follower, now_ms, out);
        self.weigh(follower, now_ms);
        if dex == 0 {
            let wait = if again { SECOND_LOOK_MS } else { self.config.engine.reconcile_ms };
            self.read_at(now_ms.saturating_add(wait), false, follower);
        }
        self.welcome(follower, was_read, now_ms);
        true
    }

    /// What begins once an account's positions are known, and what can be adopted only since something else was told.
    pub(super) fn welcome(&mut self, follower: u32, was_read: bool, now_ms: u64) {
        if !self.is_read(follower) {
            return;
        }
        self.adopt_for(follower, now_ms);
        if !was_read {
            self.state.waiting.insert(follower);
            self.prepare_for(follower);
        }
    }
}

pub(super) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
