//! One leader's fills and what is known of their coins, checked once and then run through the core as often as wanted.
use hlfast_core::num::{Round, mul_div};
use hlfast_core::wire::Address;
use serde::Deserialize;

use crate::model::RATE;

/// What makes a record unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record: {0}")]
pub struct RecordError(pub String);

/// Whether a print was at the ask or at the bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The leader crossed the spread.
    Taker,
    /// He rested.
    Maker,
    /// The row does not say: its price counts as the middle.
    Unknown,
}

/// One fill. Prices, sizes and positions in 10^-8; an array in JSON, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Fill {
    /// Place of the coin.
    pub coin: usize,
    /// Venue time.
    pub time_ms: u64,
    /// Price.
    pub price: i64,
    /// Signed size: a sell is negative.
    pub size: i64,
    /// Position before.
    pub start: i64,
    /// How it was made.
    pub role: Role,
    /// The leader was liquidated.
    pub liquidated: bool,
}

impl Fill {
    /// The middle price at this fill: a taker's print is half a spread off it on his side, a maker's on the other.
    pub(crate) fn middle(&self, half_spread: i64) -> i64 {
        let away = match self.role {
            Role::Taker => half_spread.saturating_mul(self.size.signum()),
            Role::Maker => half_spread.saturating_mul(-self.size.signum()),
            Role::Unknown => 0,
        };
        mul_div(self.price, RATE, RATE.saturating_add(away), Round::Nearest).unwrap_or(self.price).max(1)
    }
}

/// A recorded book, best levels first; an array in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Book {
    /// Venue time.
    pub time_ms: u64,
    /// Price and size.
    pub bids: Vec<(i64, i64)>,
    /// Price and size.
    pub asks: Vec<(i64, i64)>,
}

/// A coin and its market.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coin {
    /// Its name in feeds.
    pub name: String,
    /// Decimals of a size.
    pub size_decimals: u32,
    /// The most leverage the venue allows.
    pub max_leverage: u32,
    /// Half the spread, in units of `RATE`.
    pub half_spread: i64,
    /// Dollars (10^-6) on one side within ten basis points behind the touch.
    pub depth: i64,
    /// Middle prices from elsewhere (candles, tape): time and price, ascending.
    #[serde(default)]
    pub prices: Vec<(u64, i64)>,
    /// Recorded hourly funding: end of the hour and rate, ascending.
    #[serde(default)]
    pub funding: Vec<(u64, i64)>,
    /// Recorded books, ascending.
    #[serde(default)]
    pub books: Vec<Book>,
    /// Recorded days: start and closing price, ascending. Without any, they are made of the known prices.
    #[serde(default)]
    pub days: Vec<(u64, i64)>,
    /// Dollars traded in a day and open, in 10^-6; none: not known, and the engine is not told.
    #[serde(default)]
    pub activity: Option<(i64, i64)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    leader: String,
    coins: Vec<Coin>,
    fills: Vec<Fill>,
}

/// A record that can be replayed.
#[derive(Debug, Clone)]
pub struct Record {
    pub(crate) leader: Address,
    pub(crate) coins: Vec<Coin>,
    pub(crate) fills: Vec<Fill>,
    /// Per coin, middle prices: the leader's prints and what was recorded beside them.
    pub(crate) paths: Vec<Vec<(u64, i64)>>,
}

impl Record {
    /// Reads and checks a record: see `hlfast.research.whatif.record` for its fields.
    ///
    /// # Errors
    /// The first thing that is wrong, and where.
    pub fn from_json(json: &[u8]) -> Result<Record, RecordError> {
        let raw: Raw = serde_json::from_slice(json).map_err(|error| RecordError(error.to_string()))?;
        let leader = Address::parse(raw.leader.as_bytes()).ok_or_else(|| RecordError("leader is no address".into()))?;
        check(&raw)?;
        let paths = paths(&raw);
        Ok(Record { leader, coins: raw.coins, fills: raw.fills, paths })
    }

    /// The positions that the leader held before his first fill of each coin.
    pub(crate) fn first_positions(&self) -> Vec<i64> {
        let mut first = vec![None; self.coins.len()];
        for fill in &self.fills {
            if let Some(slot) = first.get_mut(fill.coin) {
                slot.get_or_insert(fill.start);
            }
        }
        first.into_iter().map(Option::unwrap_or_default).collect()
    }
}

fn check(raw: &Raw) -> Result<(), RecordError> {
    let refuse = |what: String| Err(RecordError(what));
    if raw.fills.is_empty() {
        return refuse("it has no fills".into());
    }
    let mut held: Vec<Option<i64>> = vec![None; raw.coins.len()];
    let mut last = 0;
    for (at, fill) in raw.fills.iter().enumerate() {
        let Some(slot) = held.get_mut(fill.coin) else {
            return refuse(format!("fills[{at}] names coin {}, which is not there", fill.coin));
        };
        if fill.price <= 0 || fill.size == 0 || fill.time_ms == 0 {
            return refuse(format!("fills[{at}] has no price, size or time"));
        }
        if fill.time_ms < last {
            return refuse(format!("fills[{at}] is older than the one before"));
        }
        if slot.is_some_and(|position| position != fill.start) {
            return refuse(format!("fills[{at}] starts elsewhere than the fill before ended"));
        }
        last = fill.time_ms;
        *slot = Some(
            fill.start.checked_add(fill.size).ok_or_else(|| RecordError(format!("fills[{at}] leaves the range")))?,
        );
    }
    for (at, coin) in raw.coins.iter().enumerate() {
        if coin.size_decimals > 6
            || coin.max_leverage == 0
            || coin.depth <= 0
            || !(0..RATE / 10).contains(&coin.half_spread)
        {
            return refuse(format!("coins[{at}] ({}) has impossible decimals, leverage, spread or depth", coin.name));
        }
        let rising = coin.prices.is_sorted_by_key(|point| point.0) && coin.prices.iter().all(|point| point.1 > 0);
        if !rising || !coin.funding.is_sorted_by_key(|hour| hour.0) || !coin.books.is_sorted_by_key(|book| book.time_ms)
        {
            return refuse(format!(
                "coins[{at}] ({}) has prices, funding, books or days that are not in order",
                coin.name
            ));
        }
    }
    Ok(())
}

/// Of several points of one time the last counts.
fn paths(raw: &Raw) -> Vec<Vec<(u64, i64)>> {
    let mut paths: Vec<Vec<(u64, i64)>> = raw.coins.iter().map(|coin| coin.prices.clone()).collect();
    for fill in &raw.fills {
        let half = raw.coins.get(fill.coin).map_or(0, |coin| coin.half_spread);
        if let Some(path) = paths.get_mut(fill.coin) {
            path.push((fill.time_ms, fill.middle(half)));
        }
    }
    for path in &mut paths {
        // Stable: among equal times the leader's own last print stays last.
        path.sort_by_key(|point| point.0);
        let mut kept: Vec<(u64, i64)> = Vec::with_capacity(path.len());
        for point in path.drain(..) {
            match kept.last_mut() {
                Some(last) if last.0 == point.0 => *last = point,
                _ => kept.push(point),
            }
        }
        *path = kept;
    }
    paths
}
