//! The venue's own TWAPs: started, cut into slices when a test says so, ended.
use hlfast_core::commands::Attempt;
use hlfast_core::num::Pos;
use serde_json::{Value, json};

use super::{Reply, Sent, World, pos};

const PRICE: &str = "100";

/// A TWAP as the venue holds it.
#[derive(Debug, Clone)]
pub struct VenueTwap {
    pub id: u64,
    pub account: String,
    pub coin: String,
    pub is_buy: bool,
    pub size: i64,
    pub executed: i64,
    pub minutes: u64,
    pub placed_ms: u64,
    /// How it ended.
    pub word: Option<&'static str>,
}

impl VenueTwap {
    fn row(&self, word: &str) -> Value {
        let executed = if word == "activated" { 0 } else { self.executed };
        let dollars = Pos::from_raw(executed * 100).to_string();
        json!({"time": self.placed_ms / 1_000, "status": {"status": word}, "twapId": self.id, "state": {
            "coin": self.coin, "user": self.account, "side": if self.is_buy { "B" } else { "A" },
            "sz": Pos::from_raw(self.size).to_string(), "executedSz": Pos::from_raw(executed).to_string(),
            "executedNtl": dollars, "minutes": self.minutes, "reduceOnly": false, "randomize": false,
            "timestamp": self.placed_ms, "trigger": null, "stopPx": null}})
    }
}

/// The action is about a TWAP.
pub fn is_twap(action: &Value) -> bool {
    action["type"].as_str().is_some_and(|kind| kind.starts_with("twap"))
}

impl World {
    pub(super) fn take_twap(&mut self, sent: &Sent, reply: &Reply) -> Value {
        let answer = |status: Value| json!({"status": "ok", "response": {"type": sent.action["type"], "data": {"status": status}}});
        let account = self.account(sent.attempt.follower);
        if sent.action["type"] == "twapCancel" {
            let id = sent.action["t"].as_u64().unwrap();
            let running = self.twaps.iter_mut().find(|twap| twap.id == id && twap.word.is_none());
            let Some(twap) = running else {
                return answer(json!({"error": "TWAP was never placed, already canceled, or filled."}));
            };
            assert_eq!(twap.account, account);
            twap.word = Some("terminated");
            return answer(json!("success"));
        }
        if let Reply::Text(text) = reply {
            return answer(json!({ "error": text }));
        }
        let asked = &sent.action["twap"];
        let id = 77 + self.twaps.len() as u64;
        assert_eq!((&asked["r"], &asked["t"]), (&json!(false), &json!(false)));
        self.twaps.push(VenueTwap {
            id,
            account,
            coin: self.coin_of(asked["a"].as_u64().unwrap()),
            is_buy: asked["b"].as_bool().unwrap(),
            size: pos(asked["s"].as_str().unwrap()),
            executed: 0,
            minutes: asked["m"].as_u64().unwrap(),
            placed_ms: self.now,
            word: None,
        });
        answer(json!({"running": {"twapId": id}}))
    }

    /// The venue executes so much of each TWAP that runs.
    pub fn slice(&mut self, size: &str) {
        for at in 0..self.twaps.len() {
            let twap = &mut self.twaps[at];
            let size = pos(size).min(twap.size - twap.executed);
            if twap.word.is_some() || size == 0 {
                continue;
            }
            twap.executed += size;
            if twap.executed == twap.size {
                twap.word = Some("finished");
            }
            let position = self.positions.entry((twap.account.clone(), twap.coin.clone())).or_default();
            *position += if twap.is_buy { size } else { -size };
            let fill = json!({"coin": twap.coin, "px": PRICE, "sz": Pos::from_raw(size).to_string(), "time": self.now});
            self.slices.push((twap.account.clone(), self.now, json!({"fill": fill, "twapId": twap.id})));
        }
    }

    /// Each TWAP that runs ends this way.
    pub fn end_twaps(&mut self, word: &'static str) {
        self.twaps.iter_mut().filter(|twap| twap.word.is_none()).for_each(|twap| twap.word = Some(word));
    }

    /// Of those that run: account, what was asked for, what was executed.
    pub fn running(&self) -> Vec<(i64, i64)> {
        self.twaps.iter().filter(|twap| twap.word.is_none()).map(|twap| (twap.size, twap.executed)).collect()
    }

    pub(super) fn twap_history(&self, user: &str) -> Value {
        let mine = self.twaps.iter().filter(|twap| twap.account == user).rev();
        let rows =
            mine.flat_map(|twap| twap.word.map(|word| twap.row(word)).into_iter().chain([twap.row("activated")]));
        rows.collect()
    }

    pub(super) fn slice_fills(&self, user: &str, from_ms: u64) -> Value {
        let mine = self.slices.iter().filter(|(account, at, _)| account == user && *at >= from_ms);
        mine.map(|(.., row)| row.clone()).collect()
    }

    /// What the engine believes to hold.
    pub fn engine_position(&self, follower: usize, coin: &str) -> i64 {
        let status = self.status();
        let lot = &status["followers"][follower]["positions"][coin];
        lot["own"].as_str().map_or(0, pos)
    }

    /// What a TWAP's start must be like.
    pub(super) fn check_twap(&self, attempt: &Attempt, action: &Value) {
        assert!(attempt.cloids.is_empty(), "a TWAP has no client id");
        if action["type"] == "twapOrder" {
            let minutes = action["twap"]["m"].as_u64().unwrap();
            assert!((5..=10_080).contains(&minutes));
            assert!(pos(action["twap"]["s"].as_str().unwrap()) >= pos("1"), "100 dollars at 100: {action}");
        }
    }
}
