//! What `/info` says of TWAPs that the venue runs. Cold: parsed as trees, every number still exact.
use std::collections::BTreeMap;

use serde_json::Value;

use super::account::{AnswerError, text};
use crate::copy::sizing::worth;
use crate::num::{Px, Round, Sz, Usd};

/// One row of `twapHistory`: a TWAP as it was when its status changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwapRow {
    /// The venue's number, where the row names it.
    pub id: Option<u64>,
    /// The coin's name.
    pub coin: String,
    /// Buy, otherwise sell.
    pub is_buy: bool,
    /// What was asked for.
    pub size: Sz,
    /// How long it was to run.
    pub minutes: u32,
    /// When it was placed.
    pub placed_ms: u64,
    /// What was executed of it.
    pub executed: Sz,
    /// For how many dollars.
    pub value: Usd,
    /// How it ended, in the venue's words; `None`: it has not.
    pub ended: Option<String>,
}

/// Parses `twapHistory`.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_twap_history(body: &[u8]) -> Result<Vec<TwapRow>, AnswerError> {
    let rows: Vec<Value> = serde_json::from_slice(body).map_err(|_| "not a list")?;
    rows.iter().map(history_row).collect()
}

fn history_row(row: &Value) -> Result<TwapRow, AnswerError> {
    let state = row.get("state").ok_or("row without state")?;
    let size = |name| Sz::parse(text(state.get(name)).ok_or("TWAP without sizes")?).map_err(|_| "bad TWAP size");
    let value = text(state.get("executedNtl")).and_then(|text| Usd::parse_round(text, Round::Nearest).ok());
    let word = row.pointer("/status/status").and_then(Value::as_str).ok_or("TWAP without status")?;
    let said = row.pointer("/status/description").and_then(Value::as_str).unwrap_or(word);
    Ok(TwapRow {
        id: row.get("twapId").and_then(Value::as_u64),
        coin: state.get("coin").and_then(Value::as_str).ok_or("TWAP without coin")?.to_owned(),
        is_buy: state.get("side").and_then(Value::as_str).ok_or("TWAP without side")? == "B",
        size: size("sz")?,
        minutes: whole(state.get("minutes")).and_then(|minutes| minutes.try_into().ok()).ok_or("TWAP without time")?,
        placed_ms: whole(state.get("timestamp")).ok_or("TWAP without timestamp")?,
        executed: size("executedSz")?,
        value: value.ok_or("TWAP without value")?,
        ended: (!matches!(word, "activated" | "waitingForTrigger")).then(|| said.to_owned()),
    })
}

fn whole(value: Option<&Value>) -> Option<u64> {
    value.and_then(Value::as_u64)
}

/// What a TWAP executed in one block, or in several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slice {
    /// When, or when last; 0: nothing was.
    pub time_ms: u64,
    /// How much, in 10^-8.
    pub size: i64,
    /// For how many dollars, in 10^-6.
    pub value: i64,
}

impl Slice {
    /// Both together.
    #[must_use]
    pub fn and(self, other: &Slice) -> Slice {
        Slice {
            time_ms: self.time_ms.max(other.time_ms),
            size: self.size.saturating_add(other.size),
            value: self.value.saturating_add(other.value),
        }
    }
}

/// Venue rule: an answer has so many rows at most.
const MOST_ROWS: usize = 2_000;

/// The slices of one TWAP as `userTwapSliceFillsByTime` lists them, oldest first: what a slice took of several orders is one.
/// A full answer may end within a block: its last moment is left to the next reading.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_slices(body: &[u8], id: u64) -> Result<Vec<Slice>, AnswerError> {
    let rows: Vec<Value> = serde_json::from_slice(body).map_err(|_| "not a list")?;
    let time = |row: &Value| whole(row.pointer("/fill/time")).ok_or("slice without time");
    let last_ms = rows.iter().map(time).collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(0);
    let mut slices = BTreeMap::<u64, Slice>::new();
    for row in rows.iter().filter(|row| whole(row.get("twapId")) == Some(id)) {
        let at_ms = time(row)?;
        if rows.len() >= MOST_ROWS && at_ms == last_ms {
            continue;
        }
        let size = Sz::parse(text(row.pointer("/fill/sz")).ok_or("slice without size")?).map_err(|_| "bad size")?;
        let price = Px::parse(text(row.pointer("/fill/px")).ok_or("slice without price")?).map_err(|_| "bad price")?;
        let execution = Slice { time_ms: at_ms, size: size.raw(), value: worth(size.raw(), price.raw()).raw() };
        let slice = slices.entry(at_ms).or_default();
        *slice = slice.and(&execution);
    }
    Ok(slices.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_says_what_was_executed_and_how_it_ended() {
        let state = json!({"coin": "ETH", "user": "0x1", "side": "B", "sz": "2.5", "executedSz": "1.0", "executedNtl": "3000.5",
            "minutes": 30, "reduceOnly": false, "randomize": false, "timestamp": 7, "trigger": null, "stopPx": null});
        let rows = json!([
            {"time": 9, "state": state, "status": {"status": "error", "description": "Trading is halted."}},
            {"time": 8, "state": state, "status": {"status": "activated"}, "twapId": 5},
        ]);
        let rows = parse_twap_history(rows.to_string().as_bytes()).unwrap();
        assert_eq!(rows[0].ended.as_deref(), Some("Trading is halted."));
        assert_eq!((rows[1].ended.as_deref(), rows[1].id, rows[1].placed_ms), (None, Some(5), 7));
        assert_eq!((rows[1].executed.raw(), rows[1].value.raw()), (100_000_000, 3_000_500_000));
        assert!(parse_twap_history(b"[{}]").is_err() && parse_twap_history(b"{}").is_err());
    }

    #[test]
    fn a_slice_is_a_block_of_one_twap_and_a_full_answers_last_moment_comes_again() {
        let row = |id: u64, time: u64| json!({"fill": {"px": "100", "sz": "0.5", "time": time}, "twapId": id});
        let few = json!([row(5, 3), row(5, 1), row(6, 2), row(5, 3)]);
        let slices = parse_slices(few.to_string().as_bytes(), 5).unwrap();
        let half = Slice { time_ms: 1, size: 50_000_000, value: 50_000_000 };
        assert_eq!(slices, [half, Slice { time_ms: 3, size: 100_000_000, value: 100_000_000 }]);
        assert_eq!(half.and(&slices[1]), Slice { time_ms: 3, size: 150_000_000, value: 150_000_000 });
        let full: Vec<Value> = (0..2_000).map(|at| row(5, if at < 1_998 { 1 } else { 2 })).collect();
        let slices = parse_slices(Value::from(full).to_string().as_bytes(), 5).unwrap();
        assert_eq!((slices.len(), slices[0].size, slices[0].time_ms), (1, 1_998 * 50_000_000, 1));
        assert!(parse_slices(b"[{\"twapId\":5}]", 5).is_err());
    }
}
