//! What a replay found, as JSON of whole numbers: money in 10^-6 dollars, prices and sizes in 10^-8.
use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that a report is made from.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// When the record was over and everything had its answer.
    pub end_ms: u64,
    /// Fills that the engine was given.
    pub fills: u64,
    /// Receipts that it wrote; as many as fills when nothing is left open.
    pub receipts_written: u64,
    /// Orders that met the venue, and what it refused by its own words.
    pub orders: u64,
    /// Text of a refusal → how many.
    pub refused: BTreeMap<&'static str, u64>,
    /// Alert code → how many.
    pub alerts: BTreeMap<&'static str, u64>,
    /// Follower's value at the end, positions at the middle.
    pub equity: i64,
    /// Largest sum of all positions' values.
    pub most_gross: i64,
    /// Times that the account was liquidated.
    pub liquidations: u32,
    /// By place of the coin.
    pub coins: Vec<CoinOutcome>,
    /// Where wanted: time, follower's value, gross.
    pub curve: Vec<(u64, i64, i64)>,
    /// Where wanted: time, coin, signed size, price, fee, middle, forced.
    pub executions: Vec<(u64, usize, i64, i64, i64, i64, bool)>,
    /// Where wanted: time, follower's and leader's equity as the engine read them.
    pub equities: Vec<(u64, i64, i64)>,
    /// Where wanted: receipts as the journal's objects, a line each.
    #[serde(skip)]
    pub receipts: Vec<u8>,
}

/// What one coin came to. `traded` plus the position at the middle, less fees, plus funding is its profit.
#[derive(Debug, Default, Serialize)]
pub struct CoinOutcome {
    /// Position at the end.
    pub size: i64,
    /// Middle price at the end.
    pub middle: i64,
    /// Received for what was sold, less what was bought.
    pub traded: i64,
    /// Executed value.
    pub volume: i64,
    /// Paid.
    pub fees: i64,
    /// Received is positive.
    pub funding: i64,
    /// Cost of the middle's move between the leader's fills and ours.
    pub drift: i64,
    /// What was paid of the spread, less what the leader paid.
    pub spread: i64,
    /// Cost of walking the book.
    pub impact: i64,
}

impl Outcome {
    /// As a JSON object; the same outcome is the same bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Whole numbers, texts and lists: nothing that JSON can't hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
