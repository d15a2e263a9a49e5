//! The venue's own TWAPs: an order cut into slices, each taken from the book within a bound around the middle.
use hlfast_core::num::{Pos, Px, Sz};
use serde_json::{Value, json};

use crate::account::{CASH, Life, NO_MATCH, Order, Paid, value};
use crate::market::lot;
use crate::replay::{Happening, Replay};
use crate::venue;

/// Venue rules: a slice at the start and one each 30 s until the end, within 3 % of the mark. One that finds nobody is made
/// good by the next ones, up to three times their size. A TWAP is worth 100 dollars at least.
const SLICE_MS: u64 = 30_000;
const BOUND_PERCENT: i64 = 3;
const CATCH_UP: i64 = 3;
const LEAST_USD: i128 = 100_000_000 * CASH;
const TOO_SMALL: &str = "TWAP order must have minimum value of $100.";
const NEVER: &str = "TWAP was never placed, already canceled, or filled.";

/// What an action asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub coin: usize,
    /// Signed.
    pub size: i64,
    pub minutes: u64,
    /// What the leader had paid when it was decided.
    pub leader: Paid,
}

/// One TWAP; its number is its place, from 1.
#[derive(Debug)]
struct Twap {
    asked: Asked,
    placed_ms: u64,
    tried: i64,
    /// Unsigned.
    executed: i64,
    /// In cash units.
    worth: i128,
    /// How it ended, and why if by an error.
    ended: Option<(&'static str, Option<&'static str>)>,
}

impl Twap {
    fn planned(&self) -> i64 {
        i64::try_from(self.asked.minutes * 60_000 / SLICE_MS + 1).unwrap_or(i64::MAX)
    }

    fn whole(&self) -> i64 {
        self.asked.size.saturating_abs()
    }

    /// What the slice that is tried now makes, in whole lots.
    fn due(&self, lot: i64) -> i64 {
        let planned = self.planned();
        let share = |slices: i64| i128::from(self.whole()) * i128::from(slices) / i128::from(planned.max(1));
        let target = if self.tried >= planned { i128::from(self.whole()) } else { share(self.tried) };
        let most = (share(1) + 1) * i128::from(CATCH_UP);
        let size = (target - i128::from(self.executed)).clamp(0, most);
        let size = i64::try_from(size).unwrap_or(0);
        ((size + lot - 1) / lot * lot).min(self.whole() - self.executed)
    }

    fn row(&self, id: usize, name: &str, has_ended: bool) -> Value {
        let (word, why) = self.ended.filter(|_| has_ended).unwrap_or(("activated", None));
        let mut status = json!({"status": word});
        if let (Some(why), Some(status)) = (why, status.as_object_mut()) {
            status.insert("description".to_owned(), why.into());
        }
        let (executed, worth) = if has_ended { (self.executed, self.worth) } else { (0, 0) };
        json!({"time": self.placed_ms / 1_000, "twapId": id, "status": status, "state": {
            "coin": name,
            "side": if self.asked.size > 0 { "B" } else { "A" },
            "sz": Pos::from_raw(self.whole()).to_string(),
            "executedSz": Sz::from_raw(executed).to_string(),
            "executedNtl": venue::usd(worth).to_string(),
            "minutes": self.asked.minutes,
            "timestamp": self.placed_ms,
        }})
    }
}

/// All TWAPs of a replay and what they executed.
#[derive(Debug, Default)]
pub struct Twaps {
    all: Vec<Twap>,
    /// When and by which number, and the row.
    slices: Vec<(u64, Value)>,
}

impl Twaps {
    pub fn are_running(&self) -> bool {
        self.all.iter().any(|twap| twap.ended.is_none())
    }

    fn running(&mut self, id: usize) -> Option<&mut Twap> {
        self.all.get_mut(id.checked_sub(1)?).filter(|twap| twap.ended.is_none())
    }

    /// The answer to `userTwapSliceFillsByTime`.
    pub fn slices(&self, since_ms: u64) -> String {
        let rows = self.slices.iter().filter(|(time_ms, _)| *time_ms >= since_ms).map(|(_, row)| row.clone());
        Value::from(rows.collect::<Vec<_>>()).to_string()
    }
}

impl Replay<'_> {
    /// A TWAP reaches the venue: its first slice goes at once.
    pub fn begin_twap(&mut self, post: u64, asked: Asked) {
        self.outcome.orders += 1;
        if value(asked.size, self.market.middle(asked.coin, self.now_ms)) < LEAST_USD {
            *self.outcome.refused.entry(TOO_SMALL).or_default() += 1;
            self.answer(post, &venue::twap_payload("twapOrder", &json!({"error": TOO_SMALL})));
            return;
        }
        let placed_ms = self.now_ms;
        self.twaps.all.push(Twap { asked, placed_ms, tried: 0, executed: 0, worth: 0, ended: None });
        let id = self.twaps.all.len();
        self.answer(post, &venue::twap_payload("twapOrder", &json!({"running": {"twapId": id}})));
        self.later(0, Happening::Slice(id));
    }

    /// A TWAP is taken back; what it executed stays.
    pub fn cancel_twap(&mut self, post: u64, id: usize) {
        let status = match self.twaps.running(id) {
            Some(twap) => {
                twap.ended = Some(("terminated", None));
                json!("success")
            }
            None => json!({"error": NEVER}),
        };
        self.answer(post, &venue::twap_payload("twapCancel", &status));
    }

    /// The time of a TWAP's next slice.
    pub fn slice(&mut self, id: usize) {
        let Some(twap) = self.twaps.running(id) else { return };
        twap.tried += 1;
        let asked = twap.asked;
        let Some(asset) = self.record.coins.get(asked.coin) else { return };
        let size = twap.due(lot(asset));
        let error = if size > 0 { self.trade_slice(id, &asked, size) } else { None };
        let Some(twap) = self.twaps.running(id) else { return };
        match error {
            Some(text) => twap.ended = Some(("error", Some(text))),
            None if twap.executed >= twap.whole() || twap.tried >= twap.planned() => {
                twap.ended = Some(("finished", None));
            }
            None => self.later(SLICE_MS, Happening::Slice(id)),
        }
        self.liquidate();
        self.sample();
    }

    /// Why the whole TWAP must end; `None`: it goes on.
    fn trade_slice(&mut self, id: usize, asked: &Asked, size: i64) -> Option<&'static str> {
        let asset = self.record.coins.get(asked.coin)?;
        let middle = self.market.middle(asked.coin, self.now_ms);
        let (sign, away) = (asked.size.signum(), middle / 100 * BOUND_PERCENT);
        let order = Order {
            coin: asked.coin,
            life: Life::Slice,
            cloid: [0; 16],
            size: size * sign,
            limit: middle.saturating_add(away * sign),
            reduce_only: false,
            leader: asked.leader,
            surcharge: 0,
        };
        match self.account.trade(&order, asset, self.model, &self.market, self.now_ms) {
            Err(NO_MATCH) => None,
            Err(text) => Some(text),
            Ok(done) => {
                self.note(asked.coin, &done, false);
                let (time_ms, size) = (self.now_ms, done.size.saturating_abs());
                let price = Px::from_raw(done.price).to_string();
                let fill =
                    json!({"coin": asset.name, "px": price, "sz": Sz::from_raw(size).to_string(), "time": time_ms});
                self.twaps.slices.push((time_ms, json!({"fill": fill, "twapId": id})));
                if let Some(twap) = self.twaps.running(id) {
                    twap.executed += size;
                    twap.worth += value(size, done.price);
                }
                None
            }
        }
    }

    /// The answer to `twapHistory`: newest first, how each ended before its beginning.
    pub fn twap_history(&self) -> String {
        let name = |twap: &Twap| self.record.coins.get(twap.asked.coin).map_or("", |coin| coin.name.as_str());
        let rows = self.twaps.all.iter().enumerate().rev().flat_map(|(at, twap)| {
            let ended = twap.ended.map(|_| twap.row(at + 1, name(twap), true));
            ended.into_iter().chain([twap.row(at + 1, name(twap), false)])
        });
        Value::from(rows.collect::<Vec<_>>()).to_string()
    }
}
