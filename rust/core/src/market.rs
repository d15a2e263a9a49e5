//! Coins: ids, decimals, legal prices and sizes.
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::commands::CoinId;
use crate::feed::seen::PlainState;
use crate::num::{Px, Sz, Usd};

/// More coins than the venue will have for years; beyond it names are refused, not stored.
const MAX_COINS: usize = 20_000;

/// What kind of market it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Perpetual, of the main dex or a builder's.
    Perp,
    /// Spot pair.
    Spot,
    /// Outcome.
    Outcome,
}

/// How a coin is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// The number in actions.
    pub id: u32,
    /// Decimals of a size.
    pub size_decimals: u32,
    /// Perpetual, spot or outcome.
    pub kind: Kind,
    /// No longer traded.
    pub delisted: bool,
    /// The most times that the venue lends; 0: it does not say.
    pub max_leverage: u32,
    /// Cross margin is not allowed.
    pub isolated_only: bool,
    /// Of a spot pair: the token that is traded. Pairs share a token's balance.
    pub base: u32,
    /// Quoted in dollars (token 0).
    pub in_dollars: bool,
}

/// One coin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Coin {
    /// Its name in feeds, case included.
    pub name: String,
    /// How it is traded; unknown until metadata names it.
    pub asset: Option<Asset>,
    /// The last price a leader traded at, or the mark of the last account read. Units of 10^-8; 0: none yet.
    pub last_price: i64,
    /// Its quotes and trades are subscribed.
    pub subscribed: bool,
    /// What was read of its market.
    pub facts: Facts,
}

/// What gates and sizing ask of a coin's market; each figure with the time it was read, 0: never.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Value traded in 24 hours.
    pub day_volume: Usd,
    /// Value of all open positions, at the mark.
    pub open_interest: Usd,
    /// Mark price in 10^-8.
    pub mark: i64,
    /// When these were read.
    pub context_ms: u64,
    /// The usual move of a day over so many days, in `MOVE_SCALE`ths of the price; one for each number of days in the settings.
    pub moves: Vec<(u32, i64)>,
    /// The end of the oldest day whose candle was seen: the coin is at least that old.
    pub listed_ms: u64,
    /// When candles were read.
    pub candles_ms: u64,
}

/// All coins met so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Coin>", into = "Vec<Coin>")]
pub struct Market {
    coins: Vec<Coin>,
    index: HashMap<Vec<u8>, CoinId, PlainState>,
}

impl Clone for Market {
    fn clone(&self) -> Market {
        Market::from(self.coins.clone())
    }
}

impl From<Vec<Coin>> for Market {
    fn from(coins: Vec<Coin>) -> Market {
        let index = coins.iter().zip(0..).map(|(coin, id)| (coin.name.clone().into_bytes(), id)).collect();
        Market { coins, index }
    }
}

impl From<Market> for Vec<Coin> {
    fn from(market: Market) -> Vec<Coin> {
        market.coins
    }
}

impl Market {
    /// A coin by name, if it was met before.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<CoinId> {
        self.index.get(name).copied()
    }

    /// A coin by name, met now if not before. `None` for a name that can't be one.
    pub fn intern(&mut self, name: &[u8]) -> Option<CoinId> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        let text = std::str::from_utf8(name).ok()?;
        let plain = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if !plain || self.coins.len() >= MAX_COINS {
            return None;
        }
        let id = CoinId::try_from(self.coins.len()).ok()?;
        self.coins.push(Coin {
            name: text.to_owned(),
            asset: None,
            last_price: 0,
            subscribed: false,
            facts: Facts::default(),
        });
        self.index.insert(name.to_vec(), id);
        Some(id)
    }

    /// The coin.
    #[must_use]
    pub fn coin(&self, id: CoinId) -> Option<&Coin> {
        self.coins.get(usize::try_from(id).ok()?)
    }

    /// The coin.
    pub fn coin_mut(&mut self, id: CoinId) -> Option<&mut Coin> {
        self.coins.get_mut(usize::try_from(id).ok()?)
    }

    /// How the coin is traded.
    #[must_use]
    pub fn asset(&self, id: CoinId) -> Option<Asset> {
        self.coin(id)?.asset
    }

    /// The pair that a spot token's balance is counted as: its oldest one against dollars.
    #[must_use]
    pub fn pair_of(&self, token: u32) -> Option<CoinId> {
        let asset = |coin: &Coin| coin.asset.filter(|a| a.kind == Kind::Spot && a.in_dollars && a.base == token);
        let pairs = (0..).zip(&self.coins).filter_map(|(coin, entry)| Some((asset(entry)?.id, coin)));
        pairs.min().map(|(_, coin)| coin)
    }

    /// The number of coins.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coins.len()
    }

    /// No coin is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
    }

    /// Takes in a `meta`, `allPerpMetas` or `spotMeta` answer. Coins keep their place; ids are looked up by name again.
    ///
    /// # Errors
    /// What is malformed; nothing is changed then.
    pub fn load(&mut self, body: &[u8]) -> Result<(), &'static str> {
        let value: Value = serde_json::from_slice(body).map_err(|_| "metadata is not JSON")?;
        let mut assets = Vec::new();
        if let Some(metas) = value.as_array() {
            for (dex, meta) in metas.iter().enumerate() {
                // The page shows [meta, contexts] pairs, older captures bare metas.
                let meta = meta.get(0).unwrap_or(meta);
                if !meta.is_null() {
                    perps(meta, dex, &mut assets)?;
                }
            }
        } else if value.get("tokens").is_some() {
            spots(&value, &mut assets)?;
        } else {
            perps(&value, 0, &mut assets)?;
        }
        for (name, asset) in assets {
            let id = self.intern(name.as_bytes()).ok_or("metadata with an impossible coin name")?;
            if let Some(coin) = self.coin_mut(id) {
                coin.asset = Some(asset);
            }
        }
        Ok(())
    }
}

fn perps(meta: &Value, dex: usize, assets: &mut Vec<(String, Asset)>) -> Result<(), &'static str> {
    let universe = meta.get("universe").and_then(Value::as_array).ok_or("metadata without universe")?;
    // Main dex: the index. Builder dexs: 100000 + 10000 each, their index within.
    let base = if dex == 0 { 0 } else { 100_000usize.saturating_add(dex.saturating_mul(10_000)) };
    for (place, entry) in universe.iter().enumerate() {
        let name = entry.get("name").and_then(Value::as_str).ok_or("coin without name")?;
        let size_decimals = decimals(entry, 6)?;
        let id = u32::try_from(base.saturating_add(place)).map_err(|_| "coin id out of range")?;
        let flag = |name| entry.get(name).and_then(Value::as_bool).unwrap_or(false);
        let max_leverage = entry.get("maxLeverage").and_then(Value::as_u64).and_then(|most| u32::try_from(most).ok());
        // The flag is the older spelling; each mode that there is allows isolated margin alone.
        let isolated_only = flag("onlyIsolated") || entry.get("marginMode").is_some_and(Value::is_string);
        let asset = Asset {
            delisted: flag("isDelisted"),
            max_leverage: max_leverage.unwrap_or(0),
            isolated_only,
            ..Asset::new(id, size_decimals, Kind::Perp)
        };
        assets.push((name.to_owned(), asset));
    }
    Ok(())
}

fn spots(meta: &Value, assets: &mut Vec<(String, Asset)>) -> Result<(), &'static str> {
    let tokens = meta.get("tokens").and_then(Value::as_array).ok_or("spot metadata without tokens")?;
    let universe = meta.get("universe").and_then(Value::as_array).ok_or("spot metadata without universe")?;
    for pair in universe {
        let name = pair.get("name").and_then(Value::as_str).ok_or("pair without name")?;
        let index = pair.get("index").and_then(Value::as_u64).ok_or("pair without index")?;
        let base = pair.pointer("/tokens/0").and_then(Value::as_u64).ok_or("pair without tokens")?;
        let token = tokens.iter().find(|t| t.get("index").and_then(Value::as_u64) == Some(base));
        let size_decimals = decimals(token.ok_or("pair of an unknown token")?, 8)?;
        let id = u32::try_from(index.saturating_add(10_000)).map_err(|_| "pair id out of range")?;
        let quote = pair.pointer("/tokens/1").and_then(Value::as_u64);
        let base = u32::try_from(base).map_err(|_| "token out of range")?;
        let asset = Asset { base, in_dollars: quote == Some(0), ..Asset::new(id, size_decimals, Kind::Spot) };
        assets.push((name.to_owned(), asset));
    }
    Ok(())
}

fn decimals(entry: &Value, most: u32) -> Result<u32, &'static str> {
    let found = entry.get("szDecimals").and_then(Value::as_u64).and_then(|d| u32::try_from(d).ok());
    found.filter(|d| *d <= most).ok_or("coin with bad szDecimals")
}

impl Asset {
    /// A listed one of which nothing more is known.
    #[must_use]
    pub const fn new(id: u32, size_decimals: u32, kind: Kind) -> Asset {
        Asset {
            id,
            size_decimals,
            kind,
            delisted: false,
            max_leverage: 0,
            isolated_only: false,
            base: 0,
            in_dollars: true,
        }
    }

    /// The smallest step of a size, in units of 10^-8.
    #[must_use]
    pub const fn lot(&self) -> i64 {
        10i64.pow(8u32.saturating_sub(self.size_decimals))
    }

    /// The size cut down to whole lots.
    #[must_use]
    pub const fn floor_size(&self, size: Sz) -> Sz {
        Sz::from_raw(size.raw() - size.raw() % self.lot())
    }

    /// The nearest legal price that is no worse than `bound`: at or below it for a buy, at or above it for a sell.
    ///
    /// Legal (venue rule): a whole number, or at most five significant digits and at most 6 − d decimals (spot: 8 − d).
    #[must_use]
    pub fn price_within(&self, bound: Px, is_buy: bool) -> Px {
        let units = bound.raw();
        if units <= 0 {
            return Px::ZERO;
        }
        let most: u32 = if matches!(self.kind, Kind::Perp) { 6 } else { 8 };
        let by_decimals = 10i64.pow(8u32.saturating_sub(most.saturating_sub(self.size_decimals)));
        let by_digits = 10i64.pow(units.ilog10().saturating_sub(4));
        let whole = 100_000_000;
        let tick = by_decimals.max(by_digits).min(whole);
        let floor = units - units % tick;
        let price = if is_buy || floor == units { floor } else { floor.saturating_add(tick) };
        Px::from_raw(price)
    }
}

/// Whether a name is a spot pair's: of a feed's names these alone begin with `@` or hold a slash.
#[must_use]
pub fn is_spot_name(name: &str) -> bool {
    name.starts_with('@') || name.contains('/')
}

/// Whether a name is an outcome's.
#[must_use]
pub fn is_outcome_name(name: &str) -> bool {
    name.starts_with('#')
}
