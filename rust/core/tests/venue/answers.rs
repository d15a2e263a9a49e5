//! What the venue answers to reads: positions, orders, where money is; volumes, candles, pasts.
use std::collections::BTreeMap;

use hlfast_core::num::Pos;
use serde_json::{Value, json};

use super::{OwnedEvent, Reply, World};

/// A day.
pub const DAY: u64 = 86_400_000;

/// A token's name, number and amount.
pub type Token = (&'static str, u64, &'static str);

/// Answers that a test gives the venue; what is not given is answered with `null`, which no read takes.
#[derive(Default)]
pub struct Figures {
    /// Account → `userAbstraction`; `disabled` if not given.
    pub modes: BTreeMap<String, &'static str>,
    /// Account → dollars and tokens.
    pub spot: BTreeMap<String, (&'static str, Vec<Token>)>,
    /// Coin → day volume, open interest, mark.
    pub contexts: BTreeMap<String, [&'static str; 3]>,
    /// Coin → closes of the days up to yesterday, oldest first.
    pub closes: BTreeMap<String, Vec<String>>,
    /// Account → `perpWeek` as points of (profit, value), an hour apart.
    pub pasts: BTreeMap<String, Vec<(&'static str, &'static str)>>,
    /// Account → money that came and went: time and `delta`; `None`: the read fails.
    pub ledger: BTreeMap<String, Option<Vec<(u64, Value)>>>,
    /// Account → its newest fills.
    pub own_fills: BTreeMap<String, Vec<Value>>,
    /// (account, dex) → account value, where it is not that of the main dex.
    pub dex_equity: BTreeMap<(String, String), &'static str>,
}

impl Figures {
    pub fn answer(&self, request: &Value, coins: &[String], now_ms: u64) -> Option<Value> {
        let user = request["user"].as_str().unwrap_or_default();
        Some(match request["type"].as_str()? {
            "userAbstraction" => json!(self.modes.get(user).copied().unwrap_or("disabled")),
            "spotClearinghouseState" => {
                let (dollars, tokens) = self.spot.get(user).cloned().unwrap_or(("0.0", vec![]));
                let dollars = json!({"coin": "USDC", "token": 0, "total": dollars, "hold": "0.0"});
                let tokens =
                    tokens.iter().map(|(coin, token, total)| json!({"coin": coin, "token": token, "total": total}));
                json!({"balances": std::iter::once(dollars).chain(tokens).collect::<Vec<_>>()})
            }
            "userNonFundingLedgerUpdates" => match self.ledger.get(user) {
                None => json!([]),
                Some(None) => Value::Null,
                Some(Some(rows)) => {
                    let from = request["startTime"].as_u64().unwrap();
                    let rows = rows.iter().filter(|(time, _)| *time >= from);
                    rows.map(|(time, delta)| json!({"time": time, "hash": "0x0", "delta": delta})).collect()
                }
            },
            "userFills" => self.own_fills.get(user).cloned().unwrap_or_default().into(),
            "userFees" => json!({"userCrossRate": "0.00045", "userAddRate": "0.00015"}),
            "metaAndAssetCtxs" if self.contexts.is_empty() => Value::Null,
            "metaAndAssetCtxs" => {
                let names: Vec<Value> = coins.iter().map(|name| json!({"name": name})).collect();
                let contexts: Vec<Value> = coins.iter().map(|name| self.context(name)).collect();
                json!([{"universe": names}, contexts])
            }
            "candleSnapshot" => self.candles(&request["req"], now_ms),
            "portfolio" => match self.pasts.get(user) {
                None => Value::Null,
                Some(points) => {
                    let at = |hours: usize| now_ms - 7 * DAY + hours as u64 * 3_600_000;
                    let profits: Vec<Value> =
                        points.iter().enumerate().map(|(i, (profit, _))| json!([at(i), profit])).collect();
                    let values: Vec<Value> =
                        points.iter().enumerate().map(|(i, (_, value))| json!([at(i), value])).collect();
                    json!([["day", {}], ["perpWeek", {"pnlHistory": profits, "accountValueHistory": values, "vlm": "0.0"}]])
                }
            },
            _ => return None,
        })
    }

    fn context(&self, coin: &str) -> Value {
        match self.contexts.get(coin) {
            None => json!({"dayNtlVlm": "0.0", "openInterest": "0.0", "markPx": null}),
            Some([volume, interest, mark]) => json!({"dayNtlVlm": volume, "openInterest": interest, "markPx": mark}),
        }
    }

    fn candles(&self, request: &Value, now_ms: u64) -> Value {
        let Some(closes) = self.closes.get(request["coin"].as_str().unwrap()) else { return Value::Null };
        let today = now_ms / DAY * DAY;
        let from = request["startTime"].as_u64().unwrap();
        let days = closes.iter().rev().zip(1u64..).map(|(close, ago)| (today - ago * DAY, close.clone()));
        let mut rows: Vec<(u64, String)> = days.filter(|(start, _)| start + DAY > from).collect();
        rows.reverse();
        rows.push((today, closes.last().unwrap().clone()));
        rows.iter().map(|(start, close)| json!({"t": start, "T": start + DAY - 1, "i": "1d", "c": close})).collect()
    }
}

impl World {
    /// Answers what is on its way in one of the ways that a random history draws, 0 to 4; then as usual again.
    pub fn answer_by(&mut self, way: usize) {
        self.reply = match way {
            0 => Reply::Part(0.5),
            1 => Reply::Text("Order could not immediately match against any resting orders."),
            2 => Reply::Lost,
            3 => Reply::Silence,
            _ => Reply::Fill,
        };
        self.settle();
        self.reply = Reply::Fill;
    }

    fn lent(&self, account: &str, coin: &str, otherwise: u64) -> (&'static str, u64) {
        let known = self.leverages.get(&(account.to_owned(), coin.to_owned()));
        known.copied().unwrap_or(("cross", otherwise))
    }

    pub(super) fn info(&self, request: &Value) -> Value {
        let user = request["user"].as_str().unwrap_or_default().to_owned();
        match request["type"].as_str().unwrap() {
            "orderStatus" if self.stop(&request["oid"]).is_some() => {
                self.stop(&request["oid"]).unwrap().status(self.now)
            }
            "clearinghouseState" => {
                let all = self.positions.iter().chain(&self.leader_positions);
                let dex = request["dex"].as_str().unwrap_or_default().to_owned();
                let rows: Vec<Value> = all
                    .filter(|((account, coin), size)| *account == user && **size != 0 && self.is_on_dex(coin, &dex))
                    .map(|((_, coin), size)| {
                        let worth = Pos::from_raw(size.abs()).to_string().parse::<f64>().unwrap() * 100.0;
                        let (kind, times) = self.lent(&user, coin, 10);
                        json!({"type": "oneWay", "position": {"coin": coin, "szi": Pos::from_raw(*size).to_string(), "entryPx": "100.0",
                            "positionValue": format!("{worth:.4}"), "unrealizedPnl": "0.0", "leverage": {"type": kind, "value": times}}})
                    })
                    .collect();
                let of_dex = self.figures.dex_equity.get(&(user.clone(), dex)).map(|equity| (*equity).to_owned());
                let equity = of_dex.or_else(|| self.equity.get(&user).cloned()).unwrap_or_else(|| "10000.0".into());
                json!({"marginSummary": {"accountValue": equity}, "assetPositions": rows, "time": self.now})
            }
            "spotClearinghouseState" if self.balances(&user).is_some() => self.balances(&user).unwrap(),
            "allMids" => {
                let mut mids = json!({"@107": "30.0", "@230": "30.0", "PURR/USDC": "0.2", "BTC": "97000.0"});
                self.mids.iter().for_each(|(coin, price)| mids[coin] = json!(price));
                mids
            }
            "activeAssetData" => {
                let (kind, times) = self.lent(&user, request["coin"].as_str().unwrap(), 20);
                json!({"leverage": {"type": kind, "value": times}})
            }
            "orderStatus" => match self.cloids.get(request["oid"].as_str().unwrap()) {
                None => json!({"status": "unknownOid"}),
                Some((size, filled)) => {
                    let open = self.passive.get(request["oid"].as_str().unwrap()).is_some_and(|(.., open)| *open);
                    let status = match (size == filled, open) {
                        (true, _) => "filled",
                        (false, true) => "open",
                        (false, false) => self.gone,
                    };
                    json!({"status": "order", "order": {"order": {"origSz": Pos::from_raw(*size).to_string(),
                        "sz": Pos::from_raw(size - filled).to_string()}, "status": status, "statusTimestamp": self.now}})
                }
            },
            "twapHistory" => self.twap_history(&user),
            "userTwapSliceFillsByTime" => self.slice_fills(&user, request["startTime"].as_u64().unwrap()),
            "userFillsByTime" => self.history.clone().map_or(Value::Null, Value::Array),
            "userRateLimit" => {
                let used = 10_000 - self.requests_left;
                json!({"cumVlm": "0.0", "nRequestsUsed": used, "nRequestsCap": 10_000, "nRequestsSurplus": 0})
            }
            other => {
                self.figures.answer(request, &self.coins, self.now).unwrap_or_else(|| panic!("unexpected read {other}"))
            }
        }
    }

    /// The answer to a read that was not answered when it was asked.
    pub fn read_again(&self, request: &Value) -> Value {
        self.info(request)
    }

    /// The venue lists a coin.
    pub fn list(&mut self, coin: &str) {
        self.coins.push(coin.to_owned());
        self.meta();
    }

    /// As `pass`, with a tick each second.
    pub fn pass_coarsely(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += 1_000;
            self.step(OwnedEvent::Tick);
            self.settle();
        }
    }
}

/// A row of fills as the venue writes it: its fields in the venue's order, others behind them.
pub fn in_wire_order(row: &Value) -> String {
    const ORDER: [&str; 17] = [
        "coin",
        "px",
        "sz",
        "side",
        "time",
        "startPosition",
        "dir",
        "closedPnl",
        "hash",
        "oid",
        "crossed",
        "fee",
        "tid",
        "cloid",
        "liquidation",
        "feeToken",
        "twapId",
    ];
    let fields = row.as_object().unwrap();
    let known = ORDER.iter().filter_map(|key| fields.get_key_value(*key));
    let others = fields.iter().filter(|(key, _)| !ORDER.contains(&key.as_str()));
    let written: Vec<String> = known.chain(others).map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", written.join(","))
}
