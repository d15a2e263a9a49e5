//! What is assumed of the venue and of the way to it.
use serde::Deserialize;

/// Units of a rate of one: a basis point is 10,000 of them.
pub const RATE: i64 = 100_000_000;
/// Depth is counted within so many units of `RATE` behind the touch: ten basis points.
pub const DEPTH_BAND: i64 = 100_000;
/// Units of an hourly funding rate of one.
pub const FUNDING_RATE: i64 = 1_000_000_000_000;

/// One set of assumptions. Money is in 10^-6 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// From a leader's fill until the engine sees it.
    pub see_ms: u64,
    /// From a decision until its order meets the book.
    pub order_ms: u64,
    /// From there until the engine reads the answer; below the 2 s after which silence is unknown.
    pub answer_ms: u64,
    /// The follower's taker fee, in units of `RATE`.
    pub taker: i64,
    /// What it pays where its order rested.
    pub maker: i64,
    /// How many times as much a builder-deployed dex takes.
    pub builder_factor: i64,
    /// Of the engine's entropy: what it draws (the jitter of portions) is the same each time.
    pub seed: u64,
    /// What the follower begins with.
    pub equity: i64,
    /// What the leader begins with.
    pub leader_equity: i64,
    /// Leverage of every coin, as far as the coin allows it.
    pub leverage: u32,
    /// Hourly funding where no rate was recorded, in units of `FUNDING_RATE`; longs pay when it is above zero.
    pub funding: i64,
    /// A recorded book stands for the present one while it is not older.
    pub book_age_ms: u64,
}

/// The core treats a longer silence as unknown, and the model loses no answers.
const MOST_ROUND_TRIP_MS: u64 = 1_900;

impl Model {
    /// Reads and checks the JSON of a model.
    ///
    /// # Errors
    /// The field that is wrong, and its range.
    pub fn from_json(json: &[u8]) -> Result<Model, String> {
        let model: Model = serde_json::from_slice(json).map_err(|error| format!("model: {error}"))?;
        let within = |name: &str, value: i64, low: i64, high: i64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("model.{name}: {value} is outside {low} to {high}"))
            }
        };
        if model.order_ms.saturating_add(model.answer_ms) > MOST_ROUND_TRIP_MS {
            return Err(format!(
                "model.order_ms: with answer_ms at most {MOST_ROUND_TRIP_MS}: put the rest into see_ms"
            ));
        }
        within("see_ms", i64::try_from(model.see_ms).unwrap_or(i64::MAX), 0, 3_600_000)?;
        within("taker", model.taker, 0, RATE / 10)?;
        within("maker", model.maker, 0, RATE / 10)?;
        within("builder_factor", model.builder_factor, 1, 10)?;
        within("equity", model.equity, 1, 1_000_000_000_000_000_000)?;
        within("leader_equity", model.leader_equity, 1, 1_000_000_000_000_000_000)?;
        within("leverage", model.leverage.into(), 1, 100)?;
        within("funding", model.funding, -FUNDING_RATE / 10, FUNDING_RATE / 10)?;
        Ok(model)
    }
}
