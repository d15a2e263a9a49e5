//! Answers to what the engine asks of accounts, orders and markets.
use std::fmt::Write;

use hlfast_core::num::{Pos, Px, Sz};
use serde_json::{Value, json};

use crate::account::CASH;
use crate::replay::{HOUR_MS, Replay, ReplayError};
use crate::resting::Fate;
use crate::venue::{self, Shown};

const DAY_MS: u64 = 24 * HOUR_MS;
/// The windows of the venue's portfolio.
const WINDOWS: [(&str, u64); 4] =
    [("perpDay", DAY_MS), ("perpWeek", 7 * DAY_MS), ("perpMonth", 30 * DAY_MS), ("perpAllTime", u64::MAX)];
/// The venue gives about so many points a window.
const POINTS: usize = 100;

impl Replay<'_> {
    /// The answer to a read.
    pub fn read(&mut self, request: &[u8]) -> Result<String, ReplayError> {
        let unknown = || ReplayError::NotModelled(String::from_utf8_lossy(request).into_owned());
        let request: Value = serde_json::from_slice(request).map_err(|_| unknown())?;
        let text = |name| request.get(name).and_then(Value::as_str).unwrap_or_default();
        let of_leader = venue::user_of(&request) == Some(self.record.leader);
        match text("type") {
            "clearinghouseState" => Ok(self.state(of_leader, text("dex"))),
            // One balance for all dexs: the model's margin is one, too.
            "userAbstraction" => Ok(r#""unifiedAccount""#.to_owned()),
            "spotClearinghouseState" => Ok(self.spot(of_leader)),
            "userRateLimit" => Ok(venue::requests(&self.account, self.requests)),
            // Nobody moves money during a replay.
            "userNonFundingLedgerUpdates" => Ok("[]".to_owned()),
            "userFees" => Ok(format!(r#"{{"userCrossRate":"{}"}}"#, Px::from_raw(self.model.taker))),
            // The record has no fills that the engine was not given.
            "userFillsByTime" => Ok("[]".to_owned()),
            "userFills" if !of_leader => Ok(self.seizures(text("user"))),
            "userTwapSliceFillsByTime" if !of_leader => {
                let since_ms = request.get("startTime").and_then(Value::as_u64).ok_or_else(unknown)?;
                Ok(self.twaps.slices(since_ms))
            }
            "twapHistory" if !of_leader => Ok(self.twap_history()),
            "orderStatus" => self.order_status(&request).ok_or_else(unknown),
            "metaAndAssetCtxs" => Ok(self.contexts(text("dex"))),
            "candleSnapshot" => self.candles(&request).ok_or_else(unknown),
            "portfolio" if of_leader => Ok(self.portfolio()),
            _ => Err(unknown()),
        }
    }

    /// Fills that the engine asks for to learn who reduced a position: nobody but the venue did.
    fn seizures(&self, user: &str) -> String {
        let rows = self.seized.iter().enumerate().map(|(at, (time_ms, coin, held, price))| {
            json!({
                "coin": self.record.coins.get(*coin).map_or("", |coin| coin.name.as_str()),
                "px": Px::from_raw(*price).to_string(),
                "sz": Pos::from_raw(*held).abs().to_string(),
                "side": if *held > 0 { "A" } else { "B" },
                "time": time_ms,
                "startPosition": Pos::from_raw(*held).to_string(),
                "tid": at + 1,
                "liquidation": {"liquidatedUser": user, "markPx": Px::from_raw(*price).to_string(), "method": "market"},
            })
        });
        Value::from(rows.collect::<Vec<_>>()).to_string()
    }

    fn equity(&self, of_leader: bool) -> i128 {
        if of_leader {
            self.leader.equity(&self.market, self.now_ms)
        } else {
            self.account.equity(&self.market, self.now_ms)
        }
    }

    fn state(&mut self, of_leader: bool, dex: &str) -> String {
        if self.keeps && of_leader && dex.is_empty() {
            let raw = |of_leader| venue::usd(self.equity(of_leader)).raw();
            let row = (self.now_ms, raw(false), raw(true));
            self.outcome.equities.push(row);
        }
        let leverage = |coin| self.account.leverage(coin);
        let shown = Shown {
            coins: &self.record.coins,
            positions: if of_leader { &self.leader.positions } else { &self.account.positions },
            leverage: &leverage,
            equity: self.equity(of_leader),
            now_ms: self.now_ms,
        };
        shown.state(dex, &self.market)
    }

    fn spot(&self, of_leader: bool) -> String {
        let dollars = venue::usd(self.equity(of_leader));
        format!(r#"{{"balances":[{{"coin":"USDC","token":0,"total":"{dollars}","hold":"0.0"}}]}}"#)
    }

    /// Only orders that wait are ever asked for: the model loses no answers.
    fn order_status(&self, request: &Value) -> Option<String> {
        let waiting = self.resting.find(&venue::cloid(request.get("oid")?)?)?;
        let size = i64::try_from(waiting.order.size.unsigned_abs()).ok()?;
        let word = match waiting.fate {
            Fate::Open => "open",
            Fate::Filled => "filled",
            Fate::Cancelled => "canceled",
        };
        let (original, left) = (Sz::from_raw(size), Sz::from_raw(size - waiting.filled));
        Some(format!(
            r#"{{"status":"order","order":{{"order":{{"origSz":"{original}","sz":"{left}"}},"status":"{word}","statusTimestamp":{}}}}}"#,
            self.now_ms
        ))
    }

    /// Coins of which the record says nothing have no figures, and the engine treats them as unread.
    fn contexts(&self, dex: &str) -> String {
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for (at, coin) in self.record.coins.iter().enumerate() {
            if coin.name.split_once(':').map_or("", |(dex, _)| dex) != dex {
                continue;
            }
            names.push(json!({"name": coin.name}));
            let mark = self.market.middle(at, self.now_ms);
            rows.push(match coin.activity {
                None => json!({}),
                Some((volume, open)) => {
                    let coins = i128::from(open) * CASH / i128::from(mark.max(1));
                    json!({
                        "dayNtlVlm": hlfast_core::num::Usd::from_raw(volume).to_string(),
                        "openInterest": Sz::from_raw(i64::try_from(coins).unwrap_or(i64::MAX)).to_string(),
                        "markPx": Px::from_raw(mark).to_string(),
                    })
                }
            });
        }
        json!([{"universe": names}, rows]).to_string()
    }

    fn candles(&self, request: &Value) -> Option<String> {
        let request = request.get("req")?;
        let coin = request.get("coin")?.as_str()?;
        let since = request.get("startTime")?.as_u64()?;
        (request.get("interval")?.as_str()? == "1d").then_some(())?;
        let at = self.record.coins.iter().position(|known| known.name == coin)?;
        let days = self.market.days(at, self.now_ms);
        let rows = days.iter().filter(|day| day.0 + DAY_MS > since);
        Some(
            Value::from(
                rows.map(|(t, close)| json!({"t": t, "c": Px::from_raw(*close).to_string()})).collect::<Vec<_>>(),
            )
            .to_string(),
        )
    }

    /// The leader's equity, once an hour at most.
    pub fn note_past(&mut self) {
        if self.past.last().is_none_or(|last| last.0.saturating_add(HOUR_MS) <= self.now_ms) {
            let equity = venue::usd(self.equity(true)).raw();
            self.past.push((self.now_ms, equity));
        }
    }

    /// His profit since the record began: of what was before nothing is known.
    fn portfolio(&self) -> String {
        let begun = self.past.first().map_or(0, |point| point.1);
        let mut windows = String::new();
        for (name, span) in WINDOWS {
            let since = self.now_ms.saturating_sub(span);
            let points: Vec<_> = self.past.iter().filter(|point| point.0 >= since).collect();
            let every = points.len().div_ceil(POINTS).max(1);
            let (mut values, mut profits) = (String::new(), String::new());
            for (at, (time_ms, equity)) in points.iter().step_by(every).enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let usd = hlfast_core::num::Usd::from_raw;
                let _ = write!(values, r#"{comma}[{time_ms},"{}"]"#, usd(*equity));
                let _ = write!(profits, r#"{comma}[{time_ms},"{}"]"#, usd(equity - begun));
            }
            let comma = if windows.is_empty() { "" } else { "," };
            let _ = write!(
                windows,
                r#"{comma}["{name}",{{"accountValueHistory":[{values}],"pnlHistory":[{profits}],"vlm":"0"}}]"#
            );
        }
        format!("[{windows}]")
    }
}
