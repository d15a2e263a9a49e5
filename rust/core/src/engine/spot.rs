//! Spot: balances instead of positions, moved by fees and transfers too; no shorts, no reduce-only, no leverage.
use super::reads::{SECOND_LOOK_MS, STATE_WEIGHT};
use super::{Engine, alert_leader};
use crate::commands::{CoinId, Commands, Level};
use crate::copy::plan::MIN_VALUE;
use crate::copy::sizing::worth;
use crate::feed::frame::FillRow;
use crate::feed::spot::{Balance, parse_balances, parse_mids};
use crate::market::Kind;
use crate::num::{Pos, Px, Round};
use crate::risk::budget::Purpose;
use crate::state::{Asked, Change, LeaderCoin};

/// Venue rule: the base tier's taker fee on spot, taken from the token that is bought, in units of 10^-4: the most there is.
const FEE_BPS: i64 = 7;
/// A balance that is off by this share of what was bought, in units of 10^-4, or by a lot, is off by fees.
const TOLERANCE_BPS: i64 = 12;
const WHOLE_BPS: i64 = 10_000;
/// The spot state carries no time. The served one is about 0.2 s old; so much older counts as sure.
const STATE_AGE_MS: u64 = 1_500;

impl Engine {
    /// Any of an account's edges copies spot.
    pub(super) fn trades_spot(&self, leader: bool, account: u32) -> bool {
        let list = if leader {
            self.follows_of_leader.get(account as usize)
        } else {
            self.follows_of_follower.get(account as usize)
        };
        let mut edges = list.into_iter().flatten().filter_map(|follow| self.config.follows.get(*follow as usize));
        self.needs.spot && edges.any(|edge| edge.markets.has_spot())
    }

    pub(super) fn is_spot(&self, coin: CoinId) -> bool {
        self.state.market.asset(coin).is_some_and(|asset| asset.kind == Kind::Spot)
    }

    /// A token's balance is one, whatever pairs it has: only its own pair against dollars is copied.
    pub(super) fn is_own_pair(&self, coin: CoinId) -> bool {
        self.state.market.asset(coin).is_some_and(|asset| self.state.market.pair_of(asset.base) == Some(coin))
    }

    /// Everything that a leader's ledger starts from was read.
    pub(super) fn is_whole_seeded(&self, leader: u32) -> bool {
        let state = self.state.leaders.get(leader as usize);
        state.is_some_and(|state| {
            state.seeded.iter().all(|seeded| *seeded) && (state.spot_seeded || !self.trades_spot(true, leader))
        })
    }

    /// Fills of a spot pair. Each tells what was there before it, so nothing is missing between them that matters: what moved
    /// the balance otherwise was no trade. What is below a lot can't be sold: it is nothing.
    pub(super) fn apply_spot(
        &mut self,
        leader: u32,
        coin: CoinId,
        fresh: &mut [FillRow],
        known: Option<i64>,
    ) -> Option<Change> {
        order_by_balance(fresh);
        let (first, last) = (*fresh.first()?, *fresh.last()?);
        let end = last.start?.checked_add(Pos::from_size(last.size, last.is_buy))?.raw();
        let (start, end) = (self.above_dust(coin, first.start?.raw()), self.above_dust(coin, end));
        if known.is_none() && self.trades_spot(true, leader) {
            self.first_seen(leader, coin, start, first.price.raw());
        }
        let fills = fresh.iter().map(|row| (row.time_ms, row.tid)).collect();
        let change = self.record(leader, coin, None, [start, end], &last, false, fills);
        // Of spot that nobody copies the ledger knows nothing: whoever begins to copy it finds what is there by a read.
        if !self.trades_spot(true, leader)
            && let Some(state) = self.state.leader_mut(leader)
        {
            state.coins.remove(&coin);
        }
        Some(change)
    }

    fn above_dust(&self, coin: CoinId, size: i64) -> i64 {
        let lot = self.state.market.asset(coin).map_or(1, |asset| asset.lot());
        if size < lot { 0 } else { size }
    }

    /// Too little for an order, so nobody's position.
    pub(super) fn is_dust(&self, coin: CoinId, size: i64) -> bool {
        let Some(coin) = self.state.market.coin(coin) else { return false };
        coin.asset.is_some_and(|asset| asset.kind == Kind::Spot) && worth(size, coin.last_price) < MIN_VALUE
    }

    /// The fee of a buy is taken from what was bought: until a read tells, so much of it may not be there.
    pub(super) fn withhold(&mut self, follower: u32, coin: CoinId, filled: i64) {
        let takes_fee = filled > 0 && self.needs.spot && self.is_spot(coin);
        if let Some(lot) = self.state.lot_mut(follower, coin).filter(|_| takes_fee) {
            let fee = filled.saturating_mul(FEE_BPS) / WHOLE_BPS;
            lot.withheld = lot.withheld.saturating_add(fee).saturating_add(1);
        }
    }

    /// An account that holds a little less of a token than the engine bought: that was the fee. True: so it is.
    pub(super) fn take_fee(&mut self, follower: u32, coin: CoinId, actual: i64) -> bool {
        let Some(asset) = self.state.market.asset(coin).filter(|asset| asset.kind == Kind::Spot) else { return false };
        let Some(lot) = self.state.lot_mut(follower, coin) else { return false };
        let own = actual.saturating_sub(lot.manual);
        let most = asset.lot().saturating_add(lot.own.saturating_mul(TOLERANCE_BPS) / WHOLE_BPS);
        let is_fee = lot.own > 0 && own >= 0 && own <= lot.own && lot.own.saturating_sub(own) <= most;
        if is_fee {
            lot.withheld = 0;
            lot.suspect = None;
            self.move_own(follower, coin, own, 0);
        }
        is_fee
    }

    /// Beside an account's positions: its balances, and what they are worth. Prices first: without them nothing is valued or
    /// adopted.
    pub(super) fn ask_balances(&mut self, leader: bool, account: u32, now_ms: u64, out: &mut Commands) {
        if !self.trades_spot(leader, account) {
            return;
        }
        let spot = Asked::Spot { leader, account };
        let wants_spot = !self.state.asks.values().any(|other| *other == spot);
        self.ask_mids(now_ms, out);
        let Some(address) = self.address(leader, account).filter(|_| self.state.mids_ms > 0) else { return };
        if wants_spot && self.budget.has(STATE_WEIGHT, 0, Purpose::Safety) {
            let body = format!("{{\"type\":\"spotClearinghouseState\",\"user\":\"{address}\"}}");
            self.ask(spot, STATE_WEIGHT, body, out);
        }
    }

    /// Prices of spot pairs, where those of the last read are old.
    pub(super) fn ask_mids(&mut self, now_ms: u64, out: &mut Commands) {
        let fresh = self.state.mids_ms.saturating_add(self.config.engine.reconcile_ms / 2) > now_ms;
        let asked = self.state.asks.values().any(|other| *other == Asked::Mids);
        if !fresh && !asked && self.budget.has(STATE_WEIGHT, 0, Purpose::Safety) {
            self.ask(Asked::Mids, STATE_WEIGHT, "{\"type\":\"allMids\",\"dex\":\"\"}".to_owned(), out);
        }
    }

    /// Prices of pairs that no leader traded yet: what is held from before can be valued and adopted by them.
    pub(super) fn on_mids(&mut self, body: &[u8], now_ms: u64, out: &mut Commands) -> bool {
        let market = &mut self.state.market;
        let parsed = parse_mids(body, |name, price| {
            let coin = market.find(name.as_bytes()).and_then(|coin| market.coin_mut(coin));
            if let Some(coin) = coin.filter(|coin| coin.asset.is_some_and(|asset| asset.kind == Kind::Spot)) {
                coin.last_price = price.raw();
            }
        });
        if parsed.is_err() {
            return false;
        }
        if std::mem::replace(&mut self.state.mids_ms, now_ms) == 0 {
            (0..).take(self.state.leaders.len()).for_each(|leader| self.ask_balances(true, leader, now_ms, out));
            (0..).take(self.state.followers.len()).for_each(|follower| self.ask_balances(false, follower, now_ms, out));
        }
        true
    }

    /// Tokens at the last prices of their pairs: what is known, and whether that is all.
    pub(super) fn worth_of_tokens(&self, body: &[u8]) -> (i64, bool) {
        let Ok(rows) = parse_balances(body) else { return (0, false) };
        let value = |row: &Balance| {
            let coin = self.state.market.coin(self.state.market.pair_of(row.token)?)?;
            let price = Px::from_raw(coin.last_price);
            if price.is_zero() { None } else { crate::num::notional(price, row.total, Round::Floor) }
        };
        rows.iter().filter(|row| !row.total.is_zero()).fold((0, true), |(sum, whole), row| match value(row) {
            Some(usd) => (usd.raw().saturating_add(sum), whole),
            None => (sum, false),
        })
    }

    /// An account's balances. False: they can't be used yet, and are asked for again.
    pub(super) fn on_balances(
        &mut self,
        leader: bool,
        account: u32,
        body: &[u8],
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        if !self.trades_spot(leader, account) || self.state.mids_ms == 0 {
            return true;
        }
        let Ok(rows) = parse_balances(body) else { return false };
        let mut found: Vec<(CoinId, i64, i64)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(coin) = self.state.market.pair_of(row.token) else { continue };
            found.push((coin, row.total.raw(), row.entry.raw()));
        }
        if leader {
            self.on_leader_balances(account, found, now_ms, out)
        } else {
            self.on_own_balances(account, &found, now_ms, out)
        }
    }

    fn on_leader_balances(
        &mut self,
        leader: u32,
        found: Vec<(CoinId, i64, i64)>,
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let Some(state) = self.state.leaders.get(leader as usize) else { return true };
        let first = !state.spot_seeded;
        let read_ms = now_ms.saturating_sub(STATE_AGE_MS);
        let known: Vec<CoinId> = state.coins.keys().copied().filter(|coin| self.is_own_pair(*coin)).collect();
        let gone = known.into_iter().filter(|coin| !found.iter().any(|(other, ..)| other == coin));
        let mut again = false;
        for (coin, total, entry_price) in found.iter().copied().chain(gone.map(|coin| (coin, 0, 0)).collect::<Vec<_>>())
        {
            let position = self.above_dust(coin, total);
            if first {
                self.seed_spot(leader, coin, position, entry_price, read_ms, out);
            } else {
                again |= self.compare_balance(leader, coin, position, read_ms, out);
            }
        }
        if let Some(state) = self.state.leader_mut(leader) {
            state.spot_seeded = true;
        }
        if first {
            self.push_adoptions(leader, now_ms);
        }
        if again {
            self.read_at(now_ms.saturating_add(SECOND_LOOK_MS), true, leader);
        }
        true
    }

    fn seed_spot(
        &mut self,
        leader: u32,
        coin: CoinId,
        position: i64,
        entry_price: i64,
        read_ms: u64,
        out: &mut Commands,
    ) {
        let mark = self.state.market.coin(coin).map_or(0, |coin| coin.last_price);
        let Some(state) = self.state.leader_mut(leader) else { return };
        if state.coins.contains_key(&coin) || position == 0 {
            return;
        }
        state.coins.insert(coin, LeaderCoin { position, last_ms: read_ms, ..LeaderCoin::default() });
        self.mark_existing(leader, coin, mark, entry_price);
        self.subscribe(coin, out);
    }

    /// A leader's balance that no fill explains: fills are read, and what is left of the difference was no trade. True: it is
    /// looked at again soon.
    fn compare_balance(&mut self, leader: u32, coin: CoinId, actual: i64, read_ms: u64, out: &mut Commands) -> bool {
        let lot = self.state.market.asset(coin).map_or(1, |asset| asset.lot());
        let Some(entry) = self.state.leader_mut(leader).map(|state| state.coins.entry(coin).or_default()) else {
            return false;
        };
        if entry.last_ms >= read_ms {
            entry.suspect = None;
            return false;
        }
        let before = entry.position;
        let most = lot.saturating_add(before.saturating_mul(TOLERANCE_BPS) / WHOLE_BPS);
        let is_fee = before.saturating_sub(actual).saturating_abs() <= most;
        if !is_fee && entry.suspect != Some(actual) {
            entry.suspect = Some(actual);
            return true;
        }
        (entry.suspect, entry.position) = (None, actual);
        if !is_fee {
            let text = format!(
                "{}: the balance is {}, the ledger said {}. Fills are read; what they don't explain was no trade.",
                self.coin_name(coin),
                Pos::from_raw(actual),
                Pos::from_raw(before)
            );
            alert_leader(out, Level::Info, "leader_balance_moved", leader, text);
            self.ask_backfill(leader, out);
        }
        false
    }

    fn on_own_balances(
        &mut self,
        follower: u32,
        found: &[(CoinId, i64, i64)],
        now_ms: u64,
        out: &mut Commands,
    ) -> bool {
        let was_read = self.is_read(follower);
        let Some(state) = self.state.follower_mut(follower) else { return true };
        let first = !std::mem::replace(&mut state.spot_read, true);
        let mut coins: Vec<CoinId> = state.coins.keys().copied().collect();
        coins.retain(|coin| self.is_own_pair(*coin));
        let new = found.iter().map(|(coin, ..)| *coin).filter(|coin| !coins.contains(coin)).collect::<Vec<_>>();
        coins.extend(new);
        let mut again = false;
        for coin in coins {
            let actual = found.iter().find(|(other, ..)| *other == coin).map_or(0, |(_, total, _)| *total);
            again |= self.compare_follower(follower, coin, actual, now_ms.saturating_sub(STATE_AGE_MS), first, out);
        }
        if again {
            self.read_soon(follower, now_ms);
        }
        self.welcome(follower, was_read, now_ms);
        true
    }
}

/// One order's fills may share a millisecond and stand in any order: a balance rises through buys and falls through sales.
fn order_by_balance(rows: &mut [FillRow]) {
    rows.sort_by_key(|row| row.time_ms);
    for same in rows.chunk_by_mut(|a, b| a.time_ms == b.time_ms && a.is_buy == b.is_buy) {
        same.sort_by_key(|row| {
            let start = row.start.map_or(0, Pos::raw);
            if row.is_buy { start } else { start.saturating_neg() }
        });
    }
}
