//! Answers of `/info` that gates and sizing judge by: a market's day, its candles, a leader's past. Cold, exact, bounded.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account::{AnswerError, text};
use crate::config_check::DAY_MS;
use crate::num::{Px, Round, Sz, Usd, div_round, notional};

/// Units of a usual move of the whole price.
pub const MOVE_SCALE: i64 = 1_000_000_000;
/// A usual move made of fewer days says little.
const LEAST_DAYS: usize = 7;
/// Prices of so long ago are of another market.
const STALE_MS: u64 = 3 * DAY_MS;
/// More rows than any answer has.
const MAX_ROWS: usize = 5_000;

/// A market's last 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The coin's name.
    pub coin: String,
    /// Value traded in 24 hours.
    pub day_volume: Usd,
    /// Value of all open positions at the mark.
    pub open_interest: Usd,
    /// Mark price.
    pub mark: Px,
}

/// Parses `metaAndAssetCtxs`. A market without these figures is left out.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_contexts(body: &[u8]) -> Result<Vec<Context>, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let names = value.pointer("/0/universe").and_then(Value::as_array).ok_or("no universe")?;
    let rows = value.get(1).and_then(Value::as_array).ok_or("no contexts")?;
    if names.len() != rows.len() {
        return Err("as many contexts as coins are due");
    }
    Ok(names.iter().zip(rows).filter_map(|(name, row)| context(name, row)).collect())
}

fn context(name: &Value, row: &Value) -> Option<Context> {
    let coin = name.get("name").and_then(Value::as_str)?.to_owned();
    let mark = Px::parse_round(text(row.get("markPx"))?, Round::Nearest).ok()?;
    let day_volume = Usd::parse_round(text(row.get("dayNtlVlm"))?, Round::Floor).ok()?;
    let open = Sz::parse_round(text(row.get("openInterest"))?, Round::Floor).ok()?;
    Some(Context { coin, day_volume, open_interest: notional(mark, open, Round::Floor)?, mark })
}

/// Days of one market, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candles {
    /// The end of the oldest day; 0: there is none.
    pub listed_ms: u64,
    /// The end of the newest whole day.
    newest_ms: u64,
    /// Closing prices of whole days, in 10^-8.
    closes: Vec<i64>,
}

/// Parses `candleSnapshot` of one-day candles. The day that is not over is left out.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_candles(body: &[u8], now_ms: u64) -> Result<Candles, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let rows = value.as_array().ok_or("no candles")?;
    if rows.len() > MAX_ROWS {
        return Err("more candles than the venue gives");
    }
    let mut candles = Candles { listed_ms: 0, newest_ms: 0, closes: Vec::new() };
    for row in rows {
        let start = row.get("t").and_then(Value::as_u64).ok_or("candle without time")?;
        let end = start.saturating_add(DAY_MS);
        if end <= candles.newest_ms {
            return Err("candles out of order");
        }
        if candles.listed_ms == 0 {
            candles.listed_ms = end;
        }
        if end <= now_ms {
            let close = Px::parse_round(text(row.get("c")).ok_or("candle without close")?, Round::Nearest);
            candles.closes.push(close.map_err(|_| "bad close")?.raw());
            candles.newest_ms = end;
        }
    }
    Ok(candles)
}

impl Candles {
    /// The usual move of a day: the root of the mean square of the last `days` daily returns, in [`MOVE_SCALE`]ths of the
    /// price. `None` where there are fewer than seven of them, or the newest is older than three days.
    #[must_use]
    pub fn usual_move(&self, days: u32, now_ms: u64) -> Option<i64> {
        let wanted = usize::try_from(days).ok()?.checked_add(1)?;
        let closes = self.closes.get(self.closes.len().saturating_sub(wanted)..)?;
        if closes.len() <= LEAST_DAYS || self.newest_ms.saturating_add(STALE_MS) < now_ms {
            return None;
        }
        let pairs = closes.iter().zip(closes.iter().skip(1));
        let squares = pairs.map(|(before, after)| {
            let change = i128::from(*after).checked_sub(i128::from(*before))?.checked_mul(i128::from(MOVE_SCALE))?;
            let change = div_round(change, i128::from(*before), Round::Nearest)?;
            change.checked_mul(change)
        });
        let sum = squares.sum::<Option<i128>>()?;
        let mean = sum.checked_div(i128::try_from(closes.len().saturating_sub(1)).ok()?)?;
        i64::try_from(mean.isqrt()).ok()
    }
}

/// What an account made over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Profit, unrealised, fees and funding included, deposits and withdrawals not, in 10^-6 dollars.
    pub profit: i64,
    /// The most it lost from a height, in basis points of its value at that height.
    pub drawdown_bps: u32,
}

/// Parses `portfolio`: perps alone, over a day, a week, a month and all time. A window that can't be judged is `None`.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_pasts(body: &[u8]) -> Result<[Option<Past>; 4], AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let periods = value.as_array().ok_or("no periods")?;
    let find = |name: &str| {
        let period = periods.iter().find(|period| period.get(0).and_then(Value::as_str) == Some(name));
        past(period?.get(1)?)
    };
    Ok(["perpDay", "perpWeek", "perpMonth", "perpAllTime"].map(find))
}

fn past(period: &Value) -> Option<Past> {
    let profits = history(period.get("pnlHistory")?)?;
    let values = history(period.get("accountValueHistory")?)?;
    let (first, last) = (profits.first()?.1, profits.last()?.1);
    let (mut height, mut drawdown_bps) = (*profits.first()?, 0u32);
    for &(time_ms, profit) in &profits {
        if profit >= height.1 {
            height = (time_ms, profit);
            continue;
        }
        // The value of the account when it stood highest: the last one known by then.
        let known = values.iter().take_while(|(at, _)| *at <= height.0).last().or(values.first())?;
        let lost = i128::from(height.1).checked_sub(i128::from(profit))?.checked_mul(10_000)?;
        let bps = if known.1 > 0 { div_round(lost, i128::from(known.1), Round::Ceil)? } else { i128::from(u32::MAX) };
        drawdown_bps = drawdown_bps.max(u32::try_from(bps).unwrap_or(u32::MAX));
    }
    Some(Past { profit: last.checked_sub(first)?, drawdown_bps })
}

/// `[[ms, "dollars"]…]` in order of time.
fn history(rows: &Value) -> Option<Vec<(u64, i64)>> {
    let rows = rows.as_array().filter(|rows| rows.len() <= MAX_ROWS)?;
    let point = |row: &Value| {
        let dollars = Usd::parse_round(text(row.get(1))?, Round::Nearest).ok()?;
        Some((row.get(0)?.as_u64()?, dollars.raw()))
    };
    let points = rows.iter().map(point).collect::<Option<Vec<_>>>()?;
    points.is_sorted_by_key(|(time_ms, _)| *time_ms).then_some(points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn days(closes: &[&str]) -> Vec<u8> {
        let row = |(day, close): (u64, &&str)| json!({"t": day * DAY_MS, "c": close});
        Value::from((0u64..).zip(closes).map(row).collect::<Vec<_>>()).to_string().into_bytes()
    }

    #[test]
    fn contexts_are_values_in_dollars_and_a_coin_without_figures_is_left_out() {
        let body = json!([
            {"universe": [{"name": "BTC"}, {"name": "DEAD"}]},
            [{"openInterest": "24469.14838", "dayNtlVlm": "3631161834.2844824791", "markPx": "70736.0"},
             {"openInterest": "1", "dayNtlVlm": "0.0", "markPx": null}]
        ]);
        let found = parse_contexts(body.to_string().as_bytes()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].open_interest, Usd::parse(b"1730849679.807680").unwrap());
        assert_eq!(found[0].day_volume, Usd::parse(b"3631161834.284482").unwrap());
        assert!(parse_contexts(br#"[{"universe":[{"name":"BTC"}]},[]]"#).is_err());
    }

    #[test]
    fn mistake_parse_errors_read_as_zero() {
        for broken in [r#"[{"t": 0, "c": "x"}]"#, r#"[{"t": 0}]"#, r#"[{"c": "1"}]"#, r#"{"a": 1}"#, ""] {
            assert!(parse_candles(broken.as_bytes(), 10 * DAY_MS).is_err(), "{broken}");
        }
        let period = json!({"pnlHistory": [[1, "0.0"], [2, "?"]], "accountValueHistory": [[1, "5.0"]]});
        let pasts = parse_pasts(json!([["perpDay", period]]).to_string().as_bytes()).unwrap();
        assert_eq!(pasts, [None; 4], "a window that can't be read is no window without profit");
    }

    #[test]
    fn the_usual_move_is_the_root_mean_square_of_daily_returns() {
        // +10 % and back by turns: returns of 10 % and −9.0909 %.
        let body = days(&["100", "110", "100", "110", "100", "110", "100", "110", "100"]);
        let candles = parse_candles(&body, 9 * DAY_MS).unwrap();
        // √((10 %² + 9.0909 %²) / 2) = 9.5563 %.
        let by_hand = Some(95_562_709);
        assert_eq!(candles.usual_move(8, 9 * DAY_MS), by_hand);
        assert_eq!(candles.usual_move(30, 9 * DAY_MS), by_hand, "what there is, from seven days on");
        assert_eq!(candles.usual_move(8, 13 * DAY_MS), None, "a market that stopped");
        let young = parse_candles(&days(&["1", "1", "1", "1", "1", "1", "1"]), 7 * DAY_MS).unwrap();
        assert_eq!(young.usual_move(30, 7 * DAY_MS), None, "six returns");
    }

    #[test]
    fn the_day_that_is_not_over_counts_for_the_age_only() {
        let candles = parse_candles(&days(&["1", "2"]), DAY_MS + 1).unwrap();
        assert_eq!((candles.closes.len(), candles.listed_ms), (1, DAY_MS));
    }

    #[test]
    fn a_past_is_profit_and_the_deepest_fall_from_a_height() {
        let period = json!({
            "pnlHistory": [[1, "10.0"], [2, "110.0"], [3, "60.0"], [4, "90.0"]],
            "accountValueHistory": [[1, "1000.0"], [2, "500.0"], [3, "450.0"], [4, "480.0"]]
        });
        let pasts = parse_pasts(json!([["day", {}], ["perpWeek", period]]).to_string().as_bytes()).unwrap();
        assert_eq!(pasts, [None, Some(Past { profit: 80_000_000, drawdown_bps: 1_000 }), None, None]);
    }
}
