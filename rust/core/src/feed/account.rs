//! Answers of `/info` that the core asked for. Cold: parsed as trees, every number still exact.
use serde_json::Value;

use super::frame::{FillRow, parse_fills};
use super::scan::Scan;
use crate::num::{Pos, Px, Round, Sz, Usd};
use crate::order::setup::Margin;

/// One position of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionRow {
    /// The coin's name.
    pub coin: String,
    /// Signed size.
    pub size: Pos,
    /// Average entry price.
    pub entry: Option<Px>,
    /// Position value divided by size.
    pub mark: Option<Px>,
    /// How it is borrowed for.
    pub margin: Option<Margin>,
    /// Funding paid on this coin, in 10^-6 dollars: ever, and since the position opened.
    pub funding: Option<(i64, i64)>,
}

/// An account's `clearinghouseState` of one dex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// When it was true.
    pub time_ms: u64,
    /// Account value.
    pub equity: Usd,
    /// Unrealised profit over all positions.
    pub unrealised: Usd,
    /// Coins with a position; a coin without a row is flat.
    pub positions: Vec<PositionRow>,
}

/// Why an answer can't be used.
pub type AnswerError = &'static str;

/// Parses `clearinghouseState`.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_state(body: &[u8]) -> Result<AccountState, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let time_ms = value.get("time").and_then(Value::as_u64).ok_or("no time")?;
    let equity = text(value.pointer("/marginSummary/accountValue")).ok_or("no account value")?;
    let equity = Usd::parse_round(equity, Round::Floor).map_err(|_| "bad account value")?;
    let rows = value.get("assetPositions").and_then(Value::as_array).ok_or("no assetPositions")?;
    let positions = rows.iter().map(position).collect::<Result<_, _>>()?;
    let profits = rows.iter().filter_map(|row| text(row.pointer("/position/unrealizedPnl")));
    let unrealised = profits.filter_map(|text| Usd::parse_round(text, Round::Floor).ok());
    let unrealised = unrealised.fold(Usd::ZERO, |sum, profit| sum.checked_add(profit).unwrap_or(sum));
    Ok(AccountState { time_ms, equity, unrealised, positions })
}

fn position(row: &Value) -> Result<PositionRow, AnswerError> {
    let row = row.get("position").ok_or("row without position")?;
    let coin = row.get("coin").and_then(Value::as_str).ok_or("position without coin")?.to_owned();
    let size = Pos::parse(text(row.get("szi")).ok_or("position without szi")?).map_err(|_| "bad szi")?;
    let entry = text(row.get("entryPx")).and_then(|t| Px::parse_round(t, Round::Nearest).ok());
    let value = text(row.get("positionValue")).and_then(|t| Usd::parse_round(t, Round::Nearest).ok());
    // 10^-6 dollars over 10^-8 coins, kept at 10^-8.
    let mark = value
        .and_then(|value| crate::num::mul_div(value.raw(), 10_000_000_000, size.abs().raw(), Round::Nearest))
        .map(Px::from_raw)
        .filter(|mark| !mark.is_zero());
    let paid = |name| text(row.pointer(name)).and_then(|t| Usd::parse_round(t, Round::Nearest).ok()).map(Usd::raw);
    let funding = paid("/cumFunding/allTime").zip(paid("/cumFunding/sinceOpen"));
    Ok(PositionRow { coin, size, entry, mark, margin: row.get("leverage").and_then(margin), funding })
}

fn margin(leverage: &Value) -> Option<Margin> {
    let times = leverage.get("value").and_then(Value::as_u64).and_then(|times| u32::try_from(times).ok());
    let isolated = match leverage.get("type").and_then(Value::as_str) {
        Some("isolated") => true,
        Some("cross") => false,
        _ => return None,
    };
    Some(Margin { leverage: times.filter(|times| *times > 0)?, isolated })
}

/// Parses `activeAssetData`: how an account borrows for a coin, with or without a position.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_margin(body: &[u8]) -> Result<Margin, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    value.get("leverage").and_then(margin).ok_or("no leverage")
}

pub(super) fn text(value: Option<&Value>) -> Option<&[u8]> {
    value.and_then(Value::as_str).map(str::as_bytes)
}

/// Parses `userFees`: what a taker pays on perps, in 10^-8 of the value.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_taker_rate(body: &[u8]) -> Result<i64, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let rate = text(value.get("userCrossRate")).ok_or("no taker rate")?;
    Px::parse_round(rate, Round::Ceil).map(Px::raw).map_err(|_| "bad taker rate")
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The venue does not know the client id.
    Unknown,
    /// Not settled yet.
    Open,
    /// Over: so much was executed.
    Over(Sz),
}

/// Parses `orderStatus`.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_order_status(body: &[u8]) -> Result<Fate, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    match value.get("status").and_then(Value::as_str) {
        Some("unknownOid") => return Ok(Fate::Unknown),
        Some("order") => {}
        _ => return Err("no status"),
    }
    let status = order_word(&value)?;
    let size = |name| {
        let found = text(value.pointer(name)).ok_or("order without sizes")?;
        Sz::parse(found).map_err(|_| "bad order size")
    };
    let original = size("/order/order/origSz")?;
    let rest = size("/order/order/sz")?;
    match status {
        "open" | "triggered" => Ok(Fate::Open),
        "filled" => Ok(Fate::Over(original)),
        // A refused order executed nothing, whatever its sizes say.
        word if is_refusal(word) => Ok(Fate::Over(Sz::ZERO)),
        _ => original.checked_sub(rest).map(Fate::Over).ok_or("order with more left than it had"),
    }
}

fn is_refusal(word: &str) -> bool {
    word == "rejected" || word.ends_with("Rejected")
}

fn order_word(value: &Value) -> Result<&str, AnswerError> {
    value.pointer("/order/status").and_then(Value::as_str).ok_or("no order status")
}

/// What became of an order that rested. Its sizes can't tell how much: the venue takes from what is left of a resting reduce-only
/// order whatever its position loses otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopFate {
    /// The venue does not know the client id.
    Unknown,
    /// It rests, or has just woken.
    Open,
    /// It woke and was executed, whole or as far as the book went.
    Filled,
    /// Cancelled or refused; nothing was executed.
    Gone,
}

/// Parses the `orderStatus` of an order that rested.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_stop_status(body: &[u8]) -> Result<StopFate, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    match value.get("status").and_then(Value::as_str) {
        Some("unknownOid") => return Ok(StopFate::Unknown),
        Some("order") => {}
        _ => return Err("no status"),
    }
    let part = woke_and_shrank(&value);
    Ok(match order_word(&value)? {
        "open" | "triggered" => StopFate::Open,
        "filled" => StopFate::Filled,
        word if part && !is_refusal(word) => StopFate::Filled,
        _ => StopFate::Gone,
    })
}

/// The book was too thin for a stop that woke: the venue calls off what is left of it, under the word of one cancel or another.
/// One that still waited for its price is a trigger to its end.
fn woke_and_shrank(value: &Value) -> bool {
    let size = |name| text(value.pointer(name)).and_then(|text| Sz::parse(text).ok());
    let sizes = size("/order/order/sz").zip(size("/order/order/origSz"));
    let waited = value.pointer("/order/order/isTrigger").and_then(Value::as_bool);
    waited == Some(false) && sizes.is_some_and(|(left, original)| left < original)
}

/// Parses `userFillsByTime`; the rows' coins are spans of `body`.
///
/// # Errors
/// The first malformed row.
pub fn parse_backfill(body: &[u8], rows: &mut Vec<FillRow>) -> Result<(), AnswerError> {
    rows.clear();
    let mut scan = Scan::new(body);
    let parsed = parse_fills(&mut scan, rows).and_then(|()| scan.end());
    parsed.map_err(|error| {
        rows.clear();
        error.what
    })
}

/// Parses `userRateLimit`: the requests left, below zero when more were sent than the volume allows.
///
/// # Errors
/// What is missing or malformed.
pub fn parse_requests_left(body: &[u8]) -> Result<i64, AnswerError> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "not JSON")?;
    let number = |name| value.get(name).and_then(Value::as_i64);
    let (used, cap) = number("nRequestsUsed").zip(number("nRequestsCap")).ok_or("no request counts")?;
    // Bought ones stand beside the cap that volume earned; older answers don't name them.
    let all = cap.checked_add(number("nRequestsSurplus").unwrap_or(0));
    all.and_then(|all| all.checked_sub(used)).ok_or("request counts out of range")
}
