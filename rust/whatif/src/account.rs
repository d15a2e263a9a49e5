//! The follower's account as the modelled venue keeps it. Cash is exact: 10^-16 dollars, price times size without a rounding.
use hlfast_core::num::{Round, div_round};

use crate::market::{Market, Match};
use crate::model::{FUNDING_RATE, Model, RATE};
use crate::record::{Coin, Record};

/// Units of cash per 10^-6 dollars.
pub const CASH: i128 = 10_000_000_000;
/// Venue rule: orders are worth ten dollars at least, but for those that close a whole position.
const LEAST_USD: i128 = 10_000_000 * CASH;

/// Why an order is refused, in the venue's words.
pub const NO_MATCH: &str = "Order could not immediately match against any resting orders.";
const TOO_SMALL: &str = "Order must have minimum value of $10.";
const NO_MARGIN: &str = "Insufficient margin to place order.";
const WOULD_GROW: &str = "Reduce only order would increase position.";

/// How long an order lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Matched at once, or cancelled.
    Immediate,
    /// The same, as a part of a TWAP: it may be as small as it likes.
    Slice,
    /// Rests; never takes.
    Resting,
    /// Sleeps until the middle reaches a price, and is then matched at once.
    Stop { trigger: i64 },
}

/// An order as the venue takes it.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub coin: usize,
    pub life: Life,
    pub cloid: [u8; 16],
    /// Signed.
    pub size: i64,
    pub limit: i64,
    pub reduce_only: bool,
    /// What the leader had paid when it was decided, and the middle price then.
    pub leader: Paid,
    /// A builder's share and a bid, on top of the taker fee, in units of `RATE`.
    pub surcharge: i64,
}

impl Order {
    /// It pays as a maker.
    pub fn rests(&self) -> bool {
        self.life == Life::Resting
    }
}

/// Average price of a leader's fills of one block, and of the middle prices that they were made at.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    pub price: i64,
    pub middle: i64,
}

/// One coin's money, in cash units. `drift + spread + impact` is what executions cost beside the leader's prices.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Received for what was sold, less what was bought.
    pub traded: i128,
    pub volume: i128,
    pub fees: i128,
    /// Received is positive.
    pub funding: i128,
    /// The middle moved between the leader's fill and ours.
    pub drift: i128,
    /// What we paid of the spread, less what the leader did: nothing beside a taker, both halves beside a maker.
    pub spread: i128,
    pub impact: i128,
}

/// One execution.
#[derive(Debug, Clone, Copy)]
pub struct Execution {
    pub size: i64,
    pub price: i64,
    /// In 10^-6 dollars.
    pub fee: i64,
    pub middle: i64,
}

/// Cash, positions and what became of the money.
#[derive(Debug)]
pub struct Account {
    pub cash: i128,
    pub positions: Vec<i64>,
    leverage: Vec<u32>,
    pub tallies: Vec<Tally>,
    /// Times that the venue closed everything.
    pub liquidations: u32,
    pub most_gross: i128,
}

impl Account {
    pub fn new(record: &Record, model: &Model) -> Account {
        let leverage = record.coins.iter().map(|coin| model.leverage.min(coin.max_leverage)).collect();
        Account {
            cash: i128::from(model.equity) * CASH,
            positions: vec![0; record.coins.len()],
            leverage,
            tallies: vec![Tally::default(); record.coins.len()],
            liquidations: 0,
            most_gross: 0,
        }
    }

    pub fn position(&self, coin: usize) -> i64 {
        self.positions.get(coin).copied().unwrap_or(0)
    }

    /// Every coin with a position, and the position.
    pub fn held(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        self.positions.iter().copied().enumerate().filter(|(_, size)| *size != 0)
    }

    pub fn set_leverage(&mut self, coin: usize, leverage: u32) {
        if let Some(slot) = self.leverage.get_mut(coin) {
            *slot = leverage.max(1);
        }
    }

    pub fn leverage(&self, coin: usize) -> u32 {
        self.leverage.get(coin).copied().unwrap_or(1)
    }

    /// Cash and positions at the middle.
    pub fn equity(&self, market: &Market<'_>, now_ms: u64) -> i128 {
        self.held()
            .fold(self.cash, |sum, (coin, size)| sum + i128::from(size) * i128::from(market.middle(coin, now_ms)))
    }

    /// Value of everything executed.
    pub fn volume(&self) -> i128 {
        self.tallies.iter().map(|tally| tally.volume).sum()
    }

    pub fn gross(&self, market: &Market<'_>, now_ms: u64) -> i128 {
        self.held().map(|(coin, size)| value(size, market.middle(coin, now_ms))).sum()
    }

    /// Checks and executes one order.
    pub fn trade(
        &mut self,
        order: &Order,
        asset: &Coin,
        model: &Model,
        market: &Market<'_>,
        now_ms: u64,
    ) -> Result<Execution, &'static str> {
        let held = self.position(order.coin);
        let mut size = order.size;
        if order.reduce_only {
            if held == 0 || (held > 0) == (size > 0) {
                return Err(WOULD_GROW);
            }
            size = size.clamp(-held.saturating_abs(), held.saturating_abs());
        }
        let closes = order.reduce_only && size == -held;
        if !closes && order.life != Life::Slice && value(order.size, market.middle(order.coin, now_ms)) < LEAST_USD {
            return Err(TOO_SMALL);
        }
        if !self.has_margin(order.coin, size, market, now_ms) {
            return Err(NO_MARGIN);
        }
        let found = market.take(order.coin, size, order.limit, now_ms).ok_or(NO_MATCH)?;
        Ok(self.book(order, asset, model, size.signum(), &found))
    }

    /// Somebody else's price came to an order that waited: it is executed at its own, as far as it may be.
    pub fn meet(&mut self, order: &Order, asset: &Coin, model: &Model, price: i64) -> Option<Execution> {
        let held = self.position(order.coin);
        let most = if order.reduce_only { held.saturating_abs() } else { i64::MAX };
        let size = i64::try_from(order.size.unsigned_abs()).unwrap_or(i64::MAX).min(most);
        let grows = order.reduce_only && (held > 0) == (order.size > 0);
        if size == 0 || grows {
            return None;
        }
        let found = Match { size, price, touch: price, middle: price };
        Some(self.book(order, asset, model, order.size.signum(), &found))
    }

    /// What an order adds to the position needs initial margin beside what the others hold.
    fn has_margin(&self, coin: usize, size: i64, market: &Market<'_>, now_ms: u64) -> bool {
        let held = self.position(coin);
        let after = held.saturating_add(size);
        if after.unsigned_abs() <= held.unsigned_abs() {
            return true;
        }
        let used: i128 = self
            .held()
            .filter(|(other, _)| *other != coin)
            .map(|(other, size)| value(size, market.middle(other, now_ms)) / i128::from(self.leverage(other)))
            .sum();
        let wanted = value(after, market.middle(coin, now_ms)) / i128::from(self.leverage(coin));
        used.saturating_add(wanted) <= self.equity(market, now_ms)
    }

    fn book(&mut self, order: &Order, asset: &Coin, model: &Model, sign: i64, found: &Match) -> Execution {
        let size = found.size * sign;
        let base = if order.rests() { model.maker } else { model.taker };
        let rate = if asset.name.contains(':') { base.saturating_mul(model.builder_factor) } else { base };
        let worth = value(size, found.price);
        // Venue rule: fees are charged with six decimals, cut.
        let fee = i64::try_from(worth * i128::from(rate.saturating_add(order.surcharge)) / i128::from(RATE) / CASH)
            .unwrap_or(i64::MAX);
        let cost = |from: i64, to: i64| i128::from(size) * i128::from(to - from);
        let traded = -i128::from(size) * i128::from(found.price);
        self.cash += traded - i128::from(fee) * CASH;
        if let (Some(tally), Some(slot)) = (self.tallies.get_mut(order.coin), self.positions.get_mut(order.coin)) {
            *slot = slot.saturating_add(size);
            tally.traded += traded;
            tally.volume += worth;
            tally.fees += i128::from(fee) * CASH;
            tally.drift += cost(order.leader.middle, found.middle);
            tally.spread += cost(found.middle, found.touch) - cost(order.leader.middle, order.leader.price);
            tally.impact += cost(found.touch, found.price);
        }
        Execution { size, price: found.price, fee, middle: found.middle }
    }

    /// One hour's funding on every position, at the middle.
    pub fn fund(&mut self, model: &Model, market: &Market<'_>, hour_ms: u64) {
        for coin in 0..self.positions.len() {
            let size = self.position(coin);
            if size == 0 {
                continue;
            }
            let rate = market.funding(coin, hour_ms).unwrap_or(model.funding);
            let worth = i128::from(size) * i128::from(market.middle(coin, hour_ms));
            let paid = div_round(worth * i128::from(rate), i128::from(FUNDING_RATE), Round::Nearest).unwrap_or(0);
            self.cash -= paid;
            if let Some(tally) = self.tallies.get_mut(coin) {
                tally.funding -= paid;
            }
        }
    }

    /// Below the maintenance margin (venue rule: half of the initial margin at the most leverage) everything goes.
    pub fn is_liquidated(&self, coins: &[Coin], market: &Market<'_>, now_ms: u64) -> bool {
        let mut needed = 0;
        for (coin, size) in self.held() {
            let most = coins.get(coin).map_or(1, |coin| coin.max_leverage);
            needed += value(size, market.middle(coin, now_ms)) / i128::from(most) / 2;
        }
        needed > 0 && self.equity(market, now_ms) < needed
    }
}

/// What a size is worth, unsigned, in cash units.
pub fn value(size: i64, price: i64) -> i128 {
    i128::from(size.unsigned_abs()) * i128::from(price)
}
