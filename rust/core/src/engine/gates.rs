//! What keeps an increase from happening (rule 16: increases only): the edge's policy, and whether it is safe.
use super::Engine;
use super::figures::{is_context_fresh, is_past_fresh};
use crate::commands::{CoinId, Outcome, Reason};
use crate::config_check::{CheckedFollow, DAY_MS, Filters, LEVERAGE_SCALE, Quality, Side};
use crate::copy::sizing::worth;
use crate::feed::figures::Past;
use crate::market::{Kind, is_outcome_name};
use crate::num::{Round, Usd, mul_div};
use crate::state::{Change, Leader};

/// How an increase ends that a gate holds back.
pub(super) type Refusal = (Outcome, Reason);

/// What the gates of every edge ask of one change: looked up once, compared a thousand times. Valid within a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    market: Result<Kind, Reason>,
    is_own_pair: bool,
    /// Of the leader's position after the change.
    value: Usd,
    is_long: bool,
    leverage: Result<i64, Reason>,
    day_volume: Usd,
    open_interest: Usd,
    has_context: bool,
    /// The end of the coin's first day; 0: unknown.
    listed_ms: u64,
    has_candles: bool,
    past: [Option<Past>; 4],
    now_ms: u64,
}

/// The coins that each edge's lists name, as places in the coin table: names are compared when a coin is new.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Coins in the table when this was made.
    coins: usize,
    /// Per edge, ascending.
    allow: Vec<Option<Vec<CoinId>>>,
    block: Vec<Vec<CoinId>>,
}

impl Lists {
    /// Whether an edge's lists let a coin be entered. No list allows every coin; an edge that is not there none.
    pub fn allow(&self, follow: u32, coin: CoinId) -> bool {
        let Some((allow, block)) = self.allow.get(follow as usize).zip(self.block.get(follow as usize)) else {
            return false;
        };
        allow.as_ref().is_none_or(|list| list.binary_search(&coin).is_ok()) && block.binary_search(&coin).is_err()
    }
}

impl Engine {
    /// Looks the lists' names up anew.
    pub(super) fn resolve_lists(&mut self) {
        let market = &self.state.market;
        let places = |names: &[String]| {
            let mut places: Vec<CoinId> = names.iter().filter_map(|name| market.find(name.as_bytes())).collect();
            places.sort_unstable();
            places
        };
        let filters = || self.config.follows.iter().map(|edge| &edge.filters);
        let allow = filters().map(|filters| filters.coins_allow.as_deref().map(places)).collect();
        let block = filters().map(|filters| places(&filters.coins_block)).collect();
        self.lists = Lists { coins: market.len(), allow, block };
    }

    /// Coins are new or settings were put in place since the lists were resolved.
    pub(super) fn refresh_lists(&mut self) {
        if self.lists.coins != self.state.market.len() || self.lists.block.len() != self.config.follows.len() {
            self.resolve_lists();
        }
    }

    /// The views of a leader's changes, in their order, for the edges that the running step decides.
    pub(super) fn look(&mut self, leader: u32, changes: &[Change], now_ms: u64) {
        self.refresh_lists();
        let mut views = std::mem::take(&mut self.views);
        views.clear();
        views.extend(changes.iter().map(|change| self.view(leader, change, now_ms)));
        self.views = views;
    }

    pub(super) fn view(&self, leader: u32, change: &Change, now_ms: u64) -> View {
        let coin = self.state.market.coin(change.coin);
        let market = match coin.and_then(|coin| coin.asset) {
            None if coin.is_some_and(|coin| is_outcome_name(&coin.name)) => Err(Reason::OutcomeMarket),
            None => Err(Reason::UnknownCoin),
            Some(asset) if asset.delisted => Err(Reason::Delisted),
            Some(asset) => Ok(asset.kind),
        };
        let is_own_pair = market != Ok(Kind::Spot) || self.is_own_pair(change.coin);
        let state = self.state.leaders.get(leader as usize);
        let leverage = match state {
            Some(state) if self.needs.leverage => self.leverage(state, now_ms),
            _ => Ok(0),
        };
        let facts = coin.map(|coin| &coin.facts);
        let past = state.filter(|state| is_past_fresh(state.past_ms, now_ms)).map(|state| state.past);
        View {
            market,
            is_own_pair,
            value: worth(change.after, change.price),
            is_long: change.after > 0,
            leverage,
            day_volume: facts.map_or(Usd::ZERO, |facts| facts.day_volume),
            open_interest: facts.map_or(Usd::ZERO, |facts| facts.open_interest),
            has_context: facts.is_some_and(|facts| is_context_fresh(facts.context_ms, now_ms)),
            listed_ms: facts.map_or(0, |facts| facts.listed_ms),
            has_candles: facts.is_some_and(|facts| facts.candles_ms > 0),
            past: past.unwrap_or_default(),
            now_ms,
        }
    }

    /// All perp positions of a leader at the last prices, over its equity.
    fn leverage(&self, leader: &Leader, now_ms: u64) -> Result<i64, Reason> {
        let equity = self.leader_equity(leader, now_ms).filter(|equity| *equity > 0).ok_or(Reason::EquityUnreadable)?;
        let gross = leader.coins.iter().try_fold(Usd::ZERO, |sum, (coin, entry)| {
            let coin = self.state.market.coin(*coin).filter(|coin| coin.asset.is_some_and(|a| a.kind == Kind::Perp));
            coin.map_or(Some(sum), |coin| sum.checked_add(worth(entry.position, coin.last_price)))
        });
        let leverage = gross.and_then(|gross| mul_div(gross.raw(), LEVERAGE_SCALE, equity, Round::Ceil));
        leverage.ok_or(Reason::OutOfRange)
    }

    /// Policy (rule 16: increases only). Values are of the leader's position after the change (rule 17).
    pub(super) fn filters(
        &self,
        follow: u32,
        edge: &CheckedFollow,
        change: &Change,
        view: &View,
    ) -> Result<(), Refusal> {
        match view.market.map_err(skipped)? {
            Kind::Perp if !edge.markets.has_perps() => return Err(skipped(Reason::NotSpot)),
            Kind::Spot if !edge.markets.has_spot() => return Err(skipped(Reason::NotAPerp)),
            Kind::Spot if !view.is_own_pair => return Err(skipped(Reason::SpotPair)),
            Kind::Outcome => return Err(skipped(Reason::OutcomeMarket)),
            Kind::Perp | Kind::Spot => {}
        }
        if !self.lists.allow(follow, change.coin) {
            return Err(skipped(Reason::CoinFiltered));
        }
        view.check(&edge.filters)
    }

    pub(super) fn safety(
        &self,
        follow: u32,
        edge: &CheckedFollow,
        change: &Change,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let block = |reason| Err((Outcome::Blocked, reason));
        let Some(follower) = self.state.follower(edge.follower) else { return block(Reason::FollowerStopped) };
        if let Some(reason) = follower.stopped {
            return block(reason);
        }
        if self.state.breaker {
            return block(Reason::Breaker);
        }
        if let Some(hold) = self.hold(follow) {
            return block(hold.reason);
        }
        if self.is_unjudged(edge.follower) {
            return block(Reason::LossesUnread);
        }
        if self.is_worth_unknown(edge.follower, now_ms) {
            return block(Reason::EquityUnreadable);
        }
        if change.dirty {
            return block(Reason::LeaderDirty);
        }
        if !self.has_requests(edge.follower) {
            return block(Reason::RequestBudget);
        }
        if self.is_left_to_others(edge.follower, change.coin) {
            return block(Reason::ManualPosition);
        }
        Ok(())
    }
}

impl View {
    /// The same, had the leader's position ended elsewhere.
    pub fn at(&self, position: i64, price: i64) -> View {
        View { value: worth(position, price), is_long: position > 0, ..*self }
    }

    /// What depends on the settings alone, cheapest first. Policy skips; a figure that can't be told blocks.
    fn check(&self, filters: &Filters) -> Result<(), Refusal> {
        let side = match filters.side {
            Side::Both => true,
            Side::Long => self.is_long,
            Side::Short => !self.is_long,
        };
        if !side {
            return Err(skipped(Reason::SideFiltered));
        }
        if filters.min_value.is_some_and(|min| self.value < min) {
            return Err(skipped(Reason::BelowMinValue));
        }
        if filters.max_value.is_some_and(|max| self.value > max) {
            return Err(skipped(Reason::AboveMaxValue));
        }
        if filters.hours.as_ref().is_some_and(|hours| !hours.contains(self.now_ms)) {
            return Err(skipped(Reason::OutsideHours));
        }
        if let Some(most) = filters.max_leader_leverage
            && self.leverage.map_err(blocked)? > most
        {
            return Err(skipped(Reason::LeaderLeverage));
        }
        self.check_market(filters)?;
        filters.quality.map_or(Ok(()), |quality| self.check_past(quality))
    }

    fn check_market(&self, filters: &Filters) -> Result<(), Refusal> {
        if let Some(days) = filters.min_listed_days {
            let old_ms = self.listed_ms.saturating_add(u64::from(days).saturating_mul(DAY_MS));
            match (self.has_candles, self.listed_ms) {
                (false, _) => return Err(blocked(Reason::MarketUnread)),
                (true, listed) if listed == 0 || self.now_ms < old_ms => {
                    return Err(skipped(Reason::MarketTooYoung));
                }
                (true, _) => {}
            }
        }
        let floors = [
            (filters.min_day_volume, self.day_volume, Reason::LowVolume),
            (filters.min_open_interest, self.open_interest, Reason::LowOpenInterest),
        ];
        for (floor, found, reason) in floors {
            match floor {
                Some(_) if !self.has_context => return Err(blocked(Reason::MarketUnread)),
                Some(floor) if found < floor => return Err(skipped(reason)),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_past(&self, quality: Quality) -> Result<(), Refusal> {
        let past = self.past.get(quality.window as usize).copied().flatten().ok_or(blocked(Reason::QualityUnread))?;
        let lost = quality.only_profitable && past.profit <= 0;
        if lost || quality.max_drawdown_bps.is_some_and(|most| past.drawdown_bps > most) {
            return Err(skipped(Reason::LeaderQuality));
        }
        Ok(())
    }
}

const fn skipped(reason: Reason) -> Refusal {
    (Outcome::Skipped, reason)
}

const fn blocked(reason: Reason) -> Refusal {
    (Outcome::Blocked, reason)
}
