//! What accounts are worth: read by account mode and per dex, and taken by whoever sizes or gates by it.
use super::Engine;
use super::reads::{MODE_WEIGHT, STATE_WEIGHT, index};
use crate::commands::{CoinId, Commands};
use crate::config_check::{DAY_MS, LEVERAGE_SCALE, Mode};
use crate::copy::equity::{AccountMode, DexMoney, Purse, SpotMoney};
use crate::feed::account::AccountState;
use crate::feed::money::{parse_mode, parse_spot};
use crate::num::{Px, Round, Usd, mul_div};
use crate::risk::budget::Purpose;
use crate::state::{Asked, Leader, Survey};

impl Engine {
    /// Beside an account's positions: where its money is, and what of it lies outside the dexs.
    pub(super) fn ask_money(&mut self, leader: bool, account: u32, now_ms: u64, out: &mut Commands) {
        if !self.needs_equity(leader, account) {
            return;
        }
        let Some(address) = self.address(leader, account) else { return };
        let Some(purse) = self.purse(leader, account) else { return };
        let (unknown, needs_spot) = (purse.mode.is_none(), purse.needs_spot());
        // People change it with one click; most never do.
        let stale = purse.mode_ms.saturating_add(DAY_MS) <= now_ms;
        let spare = self.budget.has(MODE_WEIGHT.saturating_mul(10), 0, Purpose::Ordinary);
        if unknown || (stale && spare) {
            let body = format!("{{\"type\":\"userAbstraction\",\"user\":\"{address}\"}}");
            self.ask(Asked::Mode { leader, account }, MODE_WEIGHT, body, out);
        }
        if needs_spot {
            if !leader && self.watches_losses(account) {
                self.ask_mids(now_ms, out);
            }
            let body = format!("{{\"type\":\"spotClearinghouseState\",\"user\":\"{address}\"}}");
            self.ask(Asked::Spot { leader, account }, STATE_WEIGHT, body, out);
        }
    }

    /// Whether any of an account's edges sizes or gates by what it is worth.
    fn needs_equity(&self, leader: bool, account: u32) -> bool {
        let leveraged = || self.config.followers.get(account as usize).is_some_and(|a| a.max_gross_leverage.is_some());
        if !leader && (self.watches_losses(account) || leveraged()) {
            return true;
        }
        let list = if leader {
            self.follows_of_leader.get(account as usize)
        } else {
            self.follows_of_follower.get(account as usize)
        };
        let mut edges = list.into_iter().flatten().filter_map(|follow| self.config.follows.get(*follow as usize));
        edges.any(|edge| match edge.mode {
            Mode::Equity(_) => true,
            Mode::Risk { .. } if !leader => true,
            _ => leader && edge.filters.max_leader_leverage.is_some(),
        })
    }

    fn purse(&self, leader: bool, account: u32) -> Option<&Purse> {
        if leader {
            self.state.leaders.get(account as usize).map(|leader| &leader.purse)
        } else {
            self.state.follower(account).map(|follower| &follower.purse)
        }
    }

    fn purse_mut(&mut self, leader: bool, account: u32) -> Option<&mut Purse> {
        if leader {
            self.state.leader_mut(account).map(|leader| &mut leader.purse)
        } else {
            self.state.follower_mut(account).map(|follower| &mut follower.purse)
        }
    }

    pub(super) fn note_dex_money(&mut self, leader: bool, account: u32, dex: u32, read: &AccountState, now_ms: u64) {
        let money = DexMoney { value: read.equity.raw(), unrealised: read.unrealised.raw(), read_ms: now_ms };
        let Some(purse) = self.purse_mut(leader, account) else { return };
        let known = purse.mode.is_some();
        purse.note_dex(dex, money);
        if known && purse.mode.is_none() {
            self.read_at(now_ms, leader, account);
        }
    }

    pub(super) fn on_mode(&mut self, leader: bool, account: u32, body: &[u8], now_ms: u64) -> bool {
        let Ok(mode) = parse_mode(body) else { return false };
        let Some(purse) = self.purse_mut(leader, account) else { return true };
        let changed = purse.mode.replace(mode) != Some(mode);
        purse.mode_ms = now_ms;
        if changed && purse.needs_spot() {
            self.read_at(now_ms, leader, account);
        }
        if leader && mode == AccountMode::Portfolio {
            self.need_marks(now_ms);
        }
        true
    }

    /// Collateral is worth what its perps cost: the main dex's marks are read from now on.
    fn need_marks(&mut self, now_ms: u64) {
        if !self.is_due(Survey::Contexts(0)) {
            self.survey_at(now_ms, Survey::Contexts(0));
        }
    }

    pub(super) fn on_spot(&mut self, leader: bool, account: u32, body: &[u8], now_ms: u64) -> bool {
        let mark = |name: &str| {
            let facts = &self.state.market.coin(self.state.market.find(name.as_bytes())?)?.facts;
            super::figures::is_context_fresh(facts.context_ms, now_ms).then_some(Px::from_raw(facts.mark))
        };
        let Ok((dollars, collateral)) = parse_spot(body, mark) else { return false };
        let tokens = self.worth_of_tokens(body);
        let collateral = collateral.map(|usd| usd.raw());
        let money = SpotMoney { dollars: dollars.raw(), collateral, tokens, read_ms: now_ms };
        let Some(purse) = self.purse_mut(leader, account) else { return true };
        let known = purse.mode.is_some();
        purse.note_spot(money);
        if known && purse.mode.is_none() {
            self.read_at(now_ms, leader, account);
        }
        if !leader {
            self.weigh_tokens(account, now_ms);
        }
        true
    }

    /// An equity of long ago is none: two reads were due since.
    pub(super) fn oldest_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.config.engine.reconcile_ms.saturating_mul(2))
    }

    pub(super) fn leader_equity(&self, leader: &Leader, now_ms: u64) -> Option<i64> {
        leader.purse.of_leader(self.oldest_ms(now_ms))
    }

    /// What a follower's positions may be worth together by `max_gross_leverage`; `None`: its worth can't be told, or is nothing.
    pub(super) fn leverage_cap(&self, follower: u32, leverage: i64, now_ms: u64) -> Option<Usd> {
        let (oldest, spot) = (self.oldest_ms(now_ms), self.trades_spot(false, follower));
        let (_, worth, _) = self.state.follower(follower)?.purse.in_all(oldest, spot)?;
        mul_div(worth.max(0), leverage, LEVERAGE_SCALE, Round::Floor).filter(|cap| *cap > 0).map(Usd::from_raw)
    }

    /// What backs a follower's positions on a coin.
    pub(super) fn follower_equity(&self, follower: u32, coin: CoinId, now_ms: u64) -> Option<i64> {
        let dex = index(self.dex_of(coin)?);
        self.state.follower(follower)?.purse.of_follower(dex, self.oldest_ms(now_ms))
    }
}
