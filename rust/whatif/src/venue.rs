//! The venue's side of every conversation with the core: bodies read, answers written.
use std::fmt::Write;

use hlfast_core::num::{Pos, Px, Usd};
use hlfast_core::wire::{Address, Cloid};
use serde_json::Value;

use crate::account::{Account, CASH, Execution, Life, Order, Paid};
use crate::market::Market;
use crate::record::{Coin, Record};
use crate::replay::ReplayError;
use crate::twaps::Asked;

/// Units of `RATE` in a basis point, and in a tenth of one.
const BPS: i64 = 10_000;
const TENTH_BPS: i64 = 1_000;
/// Venue fact (2026-08): a bid of one basis point makes an order about so much earlier.
const EARLIER_MS: u64 = 45;

/// Asset ids of a record's coins, as the metadata that the core is given numbers them.
pub struct Assets {
    ids: Vec<(u32, usize)>,
    /// Builder-deployed dexs, in the order of the settings.
    dexs: Vec<String>,
}

/// An action of the follower.
#[derive(Debug)]
pub enum Action {
    /// `earlier_ms`: what the bid in it saves of the way.
    Orders {
        orders: Vec<Order>,
        earlier_ms: u64,
    },
    /// Client ids of what is taken back.
    Cancels(Vec<[u8; 16]>),
    Leverage {
        coin: usize,
        leverage: u32,
    },
    Twap(Asked),
    TwapCancel {
        id: usize,
    },
    Nothing,
}

impl Assets {
    pub fn new(record: &Record, dexs: &[String]) -> Result<Assets, ReplayError> {
        let mut counts = vec![0u32; dexs.len().saturating_add(1)];
        let mut ids = Vec::with_capacity(record.coins.len());
        for (place, coin) in record.coins.iter().enumerate() {
            let dex = match coin.name.split_once(':') {
                None => 0,
                Some((dex, _)) => {
                    let found = dexs.iter().position(|known| known == dex).map(|at| at.saturating_add(1));
                    found.ok_or_else(|| {
                        ReplayError::Settings(format!("venue.dexs lacks {dex}, which lists {}", coin.name))
                    })?
                }
            };
            let Some(count) = counts.get_mut(dex) else { continue };
            // Venue rule: the main dex counts from 0, builder dexs from 100000 + 10000 each.
            let base = if dex == 0 { 0 } else { 100_000 + 10_000 * u32::try_from(dex).unwrap_or(u32::MAX) };
            ids.push((base.saturating_add(*count), place));
            *count += 1;
        }
        ids.sort_unstable();
        Ok(Assets { ids, dexs: dexs.to_vec() })
    }

    /// An `allPerpMetas` answer.
    pub fn metadata(&self, coins: &[Coin]) -> Vec<u8> {
        let of = |dex: &str| {
            let mine = coins.iter().filter(|coin| coin.name.split_once(':').map_or("", |(dex, _)| dex) == dex);
            let rows = mine.map(|coin| {
                serde_json::json!({"name": coin.name, "szDecimals": coin.size_decimals, "maxLeverage": coin.max_leverage})
            });
            serde_json::json!({"universe": rows.collect::<Vec<_>>()})
        };
        let metas: Vec<Value> = std::iter::once("").chain(self.dexs.iter().map(String::as_str)).map(of).collect();
        Value::from(metas).to_string().into_bytes()
    }

    /// Reads the JSON of an action.
    pub fn action(&self, json: &[u8], leaders: &[Paid]) -> Result<Action, ReplayError> {
        let unknown = || ReplayError::NotModelled(String::from_utf8_lossy(json).chars().take(200).collect());
        let value: Value = serde_json::from_slice(json).map_err(|_| unknown())?;
        match value.get("type").and_then(Value::as_str) {
            Some("order") => {
                let rows = value.get("orders").and_then(Value::as_array).ok_or_else(unknown)?;
                let bid = value.pointer("/grouping/p").and_then(Value::as_i64).unwrap_or(0);
                let share = value.pointer("/builder/f").and_then(Value::as_i64).unwrap_or(0);
                let surcharge = bid.saturating_add(share.saturating_mul(TENTH_BPS));
                let order = |row| self.order(row, leaders).map(|order| Order { surcharge, ..order });
                let orders = rows.iter().map(order).collect::<Option<Vec<_>>>().ok_or_else(unknown)?;
                Ok(Action::Orders { orders, earlier_ms: u64::try_from(bid / BPS).unwrap_or(0) * EARLIER_MS })
            }
            Some("updateLeverage") => {
                let coin = self.coin(value.get("asset")).ok_or_else(unknown)?;
                let leverage = value.get("leverage").and_then(Value::as_u64).ok_or_else(unknown)?;
                Ok(Action::Leverage { coin, leverage: u32::try_from(leverage).unwrap_or(1) })
            }
            Some("cancelByCloid") => {
                let rows = value.get("cancels").and_then(Value::as_array).ok_or_else(unknown)?;
                let ids = rows.iter().map(|row| cloid(row.get("cloid")?)).collect::<Option<Vec<_>>>();
                ids.map(Action::Cancels).ok_or_else(unknown)
            }
            Some("twapOrder") => self.twap(value.get("twap"), leaders).map(Action::Twap).ok_or_else(unknown),
            Some("twapCancel") => {
                let id = value.get("t").and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok());
                id.map(|id| Action::TwapCancel { id }).ok_or_else(unknown)
            }
            Some("noop") => Ok(Action::Nothing),
            _ => Err(unknown()),
        }
    }

    fn coin(&self, id: Option<&Value>) -> Option<usize> {
        let id = u32::try_from(id?.as_u64()?).ok()?;
        let at = self.ids.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.ids.get(at).map(|(_, place)| *place)
    }

    /// `None` for what the core never asks for. That the venue may move the slices is not modelled.
    fn twap(&self, twap: Option<&Value>, leaders: &[Paid]) -> Option<Asked> {
        let twap = twap?;
        let coin = self.coin(twap.get("a"))?;
        let size: Pos = twap.get("s")?.as_str()?.parse().ok()?;
        let is_buy = twap.get("b")?.as_bool()?;
        (!twap.get("r")?.as_bool()?).then_some(Asked {
            coin,
            size: if is_buy { size.raw() } else { -size.raw() },
            minutes: twap.get("m")?.as_u64()?,
            leader: leaders.get(coin).copied()?,
        })
    }

    /// `None` for a kind of order that the model has no book for.
    fn order(&self, row: &Value, leaders: &[Paid]) -> Option<Order> {
        let life = match row.pointer("/t/limit/tif").and_then(Value::as_str) {
            Some("Ioc") => Life::Immediate,
            Some("Alo") => Life::Resting,
            Some(_) => return None,
            None => {
                let trigger: Px = row.pointer("/t/trigger/triggerPx")?.as_str()?.parse().ok()?;
                Life::Stop { trigger: trigger.raw() }
            }
        };
        let coin = self.coin(row.get("a"))?;
        let text = |name| row.get(name).and_then(Value::as_str);
        let size: Pos = text("s")?.parse().ok()?;
        let limit: Px = text("p")?.parse().ok()?;
        let is_buy = row.get("b")?.as_bool()?;
        Some(Order {
            coin,
            life,
            cloid: cloid(row.get("c")?)?,
            size: if is_buy { size.raw() } else { -size.raw() },
            limit: limit.raw(),
            reduce_only: row.get("r")?.as_bool()?,
            leader: leaders.get(coin).copied()?,
            surcharge: 0,
        })
    }
}

/// A client order id of JSON.
pub fn cloid(value: &Value) -> Option<[u8; 16]> {
    Cloid::parse(value.as_str()?.as_bytes()).map(|cloid| cloid.0)
}

/// A post's answer as the socket brings it.
pub fn post_frame(post: u64, payload: &str) -> Vec<u8> {
    format!(r#"{{"channel":"post","data":{{"id":{post},"response":{{"type":"action","payload":{payload}}}}}}}"#)
        .into_bytes()
}

/// What became of one order when it met the venue.
pub enum Met {
    Done(Execution),
    Waits([u8; 16]),
    Refused(&'static str),
}

/// The payload for orders: one status each.
pub fn order_payload(results: &[Met]) -> String {
    let mut statuses = String::new();
    for result in results {
        if !statuses.is_empty() {
            statuses.push(',');
        }
        // Writing into a string does not fail.
        let _ = match result {
            Met::Waits(cloid) => {
                write!(statuses, r#"{{"resting":{{"oid":1,"cloid":"{}"}}}}"#, Cloid(*cloid))
            }
            Met::Done(done) => write!(
                statuses,
                r#"{{"filled":{{"totalSz":"{}","avgPx":"{}","oid":1}}}}"#,
                Pos::from_raw(done.size).abs(),
                Px::from_raw(done.price)
            ),
            Met::Refused(text) => write!(statuses, r#"{{"error":"{text}"}}"#),
        };
    }
    payload("order", &statuses)
}

/// The payload for cancels: whether each was open.
pub fn cancel_payload(results: &[bool]) -> String {
    let gone = r#"{"error":"Order was never placed, already canceled, or filled."}"#;
    let words: Vec<&str> = results.iter().map(|open| if *open { r#""success""# } else { gone }).collect();
    payload("cancel", &words.join(","))
}

/// The payload for a TWAP's beginning or end.
pub fn twap_payload(kind: &str, status: &Value) -> String {
    format!(r#"{{"status":"ok","response":{{"type":"{kind}","data":{{"status":{status}}}}}}}"#)
}

fn payload(kind: &str, statuses: &str) -> String {
    format!(r#"{{"status":"ok","response":{{"type":"{kind}","data":{{"statuses":[{statuses}]}}}}}}"#)
}

/// The payload for what has nothing to say.
pub const DONE: &str = r#"{"status":"ok","response":{"type":"default"}}"#;

/// One account's positions, for a `clearinghouseState`.
pub struct Shown<'a> {
    pub coins: &'a [Coin],
    pub positions: &'a [i64],
    pub leverage: &'a dyn Fn(usize) -> u32,
    /// In cash units.
    pub equity: i128,
    pub now_ms: u64,
}

impl Shown<'_> {
    /// The answer for one dex. Entry prices are not kept: the middle stands for them.
    pub fn state(&self, dex: &str, market: &Market<'_>) -> String {
        let mut rows = String::new();
        for (at, size) in self.positions.iter().copied().enumerate().filter(|(_, size)| *size != 0) {
            let Some(coin) = self.coins.get(at) else { continue };
            if coin.name.split_once(':').map_or("", |(dex, _)| dex) != dex {
                continue;
            }
            let middle = market.middle(at, self.now_ms);
            let worth = usd(crate::account::value(size, middle));
            let leverage = (self.leverage)(at);
            let _ = write!(
                rows,
                r#"{}{{"type":"oneWay","position":{{"coin":"{}","szi":"{}","entryPx":"{}","positionValue":"{worth}","unrealizedPnl":"0.0","leverage":{{"type":"cross","value":{leverage}}}}}}}"#,
                if rows.is_empty() { "" } else { "," },
                coin.name,
                Pos::from_raw(size),
                Px::from_raw(middle),
            );
        }
        let (equity, time) = (usd(self.equity), self.now_ms);
        format!(r#"{{"marginSummary":{{"accountValue":"{equity}"}},"assetPositions":[{rows}],"time":{time}}}"#)
    }
}

/// What an account may still send: ten thousand requests, and one for each dollar that it traded.
pub fn requests(account: &Account, used: u64) -> String {
    let earned = 10_000 + account.volume() / CASH / 1_000_000;
    format!(r#"{{"cumVlm":"0.0","nRequestsUsed":{used},"nRequestsCap":{earned},"nRequestsSurplus":0}}"#)
}

/// Cash units as dollars.
pub fn usd(cash: i128) -> Usd {
    Usd::from_raw(i64::try_from(cash.div_euclid(CASH)).unwrap_or(i64::MAX))
}

/// Whose state a read asks for.
pub fn user_of(request: &Value) -> Option<Address> {
    Address::parse(request.get("user")?.as_str()?.as_bytes())
}
