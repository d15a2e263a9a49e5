//! The core without hands: it decides as it would now, nothing is journalled, signed or sent. A venue that fills every order at
//! its limit answers, so that what follows from an order is seen too.
use std::collections::VecDeque;
use std::path::Path;

use hlfast_core::commands::{Attempt, AttemptKind, Commands};
use hlfast_core::config::Config;
use hlfast_core::engine::Engine;
use hlfast_core::event::{Event, LaneId};
use serde_json::{Value, json};

use crate::runtime::{RuntimeError, differing_setting, look};

/// The one way out. No source has its number.
const LANE: LaneId = 1;
/// Orders of one rehearsal; more than that is no plan that somebody reads.
const MAX_ORDERS: usize = 100_000;

/// One rehearsal. Any thread, one at a time.
pub struct Rehearsal {
    engine: Engine,
    commands: Commands,
    asks: Vec<Vec<u8>>,
    orders: Vec<Value>,
    answers: VecDeque<(u64, Value)>,
    now_ms: u64,
}

impl Rehearsal {
    /// Begins at the end of a journal, which may be written meanwhile, under its own settings; or, without one, from nothing under
    /// these settings (JSON of `hlfast.config.model.Config`).
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn new(config_json: &[u8], directory: Option<&Path>, now_ms: u64) -> Result<Rehearsal, RuntimeError> {
        let found = directory.map(look).transpose()?.flatten();
        let reopens = found.is_some();
        let engine = match found {
            Some(engine) => engine,
            None => Engine::new(Config::from_json(config_json)?)?,
        };
        let mut rehearsal = Rehearsal {
            engine,
            commands: Commands::default(),
            asks: Vec::new(),
            orders: Vec::new(),
            answers: VecDeque::new(),
            now_ms,
        };
        if reopens {
            rehearsal.step(&Event::Reopen);
        }
        rehearsal.step(&Event::HttpLaneUp { lane: LANE });
        Ok(rehearsal)
    }

    /// Metadata, as for a start.
    pub fn load_meta(&mut self, body: &[u8]) {
        self.step(&Event::Meta { body });
    }

    /// Begins: accounts are asked for.
    pub fn start(&mut self) {
        self.step(&Event::Start);
    }

    /// The answer to an ask; status 0: none.
    pub fn info(&mut self, token: u64, status: u16, body: &[u8]) {
        self.step(&Event::Info { token, status, body });
    }

    /// Lets time pass, in venue time; it never runs back.
    pub fn tick(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
        self.step(&Event::Tick);
    }

    /// An operator's request; its answer.
    pub fn operate(&mut self, request: &[u8]) -> Vec<u8> {
        self.one(&Event::Operate { request });
        let answer = std::mem::take(&mut self.commands.answer);
        self.go_on();
        answer
    }

    /// Reads that the core wants, drained.
    pub fn take_asks(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.asks)
    }

    /// Orders since the last call: follower, coin, is_buy, size, limit (none of a TWAP), reduce_only, kind.
    pub fn take_orders(&mut self) -> Value {
        Value::Array(std::mem::take(&mut self.orders))
    }

    /// The core's state as JSON.
    #[must_use]
    pub fn status(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.engine.write_status(self.now_ms, &mut out);
        out
    }

    /// The settings in force and how often they were changed.
    #[must_use]
    pub fn settings(&self) -> (Value, u64) {
        (self.engine.live_settings(), self.engine.revision())
    }

    /// The first setting in which these (JSON) differ from what the journal's file had; `None`: they are the same.
    #[must_use]
    pub fn changed(&self, config_json: &[u8]) -> Option<String> {
        differing_setting(&self.engine.file_settings(), config_json)
    }

    fn step(&mut self, event: &Event<'_>) {
        self.one(event);
        self.go_on();
    }

    /// Further chunks, and the venue's answers, until nothing moves.
    fn go_on(&mut self) {
        loop {
            if self.commands.more {
                self.one(&Event::Continue);
            } else if let Some((post_id, answer)) = self.answers.pop_front() {
                let body = answer.to_string();
                self.one(&Event::HttpAnswer { post_id, status: 200, body: body.as_bytes() });
            } else {
                return;
            }
        }
    }

    fn one(&mut self, event: &Event<'_>) {
        self.engine.step(event, self.now_ms, 0, &mut self.commands);
        for ask in &self.commands.asks {
            let mut json = Vec::new();
            ask.write_json(&mut json);
            self.asks.push(json);
        }
        let attempts = std::mem::take(&mut self.commands.attempts);
        for attempt in &attempts {
            let answer = self.take(attempt);
            self.answers.push_back((attempt.post_id, answer));
        }
    }

    fn take(&mut self, attempt: &Attempt) -> Value {
        let bytes = self.commands.bytes.get(attempt.action.clone()).unwrap_or_default();
        let action: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some(twap) = action.get("twap") {
            if attempt.kind != AttemptKind::Resend && self.orders.len() < MAX_ORDERS {
                let row = self.row(attempt, twap);
                self.orders.push(row);
            }
            return json!({"status": "ok", "response": {"type": "twapOrder", "data": {"status": {"running": {"twapId": 1}}}}});
        }
        let Some(orders) = action.get("orders").and_then(Value::as_array) else {
            return match action.get("cancels").and_then(Value::as_array) {
                Some(cancels) => statuses("cancel", cancels.iter().map(|_| json!("success")).collect()),
                None => json!({"status": "ok", "response": {"type": "default"}}),
            };
        };
        let rests = attempt.kind == AttemptKind::Stop;
        if attempt.kind != AttemptKind::Resend && self.orders.len() < MAX_ORDERS {
            let rows: Vec<Value> = orders.iter().map(|order| self.row(attempt, order)).collect();
            self.orders.extend(rows);
        }
        let filled = |order: &Value| json!({"filled": {"totalSz": order["s"], "avgPx": order["p"], "oid": 1}});
        let resting = |_: &Value| json!({"resting": {"oid": 1}});
        statuses("order", orders.iter().map(|order| if rests { resting(order) } else { filled(order) }).collect())
    }

    fn row(&self, attempt: &Attempt, order: &Value) -> Value {
        let follower = self.engine.config().followers.get(attempt.follower as usize).map(|one| one.name.as_str());
        let asset = order.get("a").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
        let coin = asset.and_then(|id| self.engine.coin_of_asset(id)).unwrap_or_default();
        let kind = match attempt.kind {
            AttemptKind::Open => "open",
            AttemptKind::Reduce => "reduce",
            AttemptKind::Stop => "stop",
            AttemptKind::Fence | AttemptKind::Resend | AttemptKind::Cancel | AttemptKind::Setup => "other",
        };
        json!({"follower": follower, "coin": coin, "is_buy": order.get("b"), "size": order.get("s"), "limit": order.get("p"),
            "reduce_only": order.get("r"), "kind": kind})
    }
}

fn statuses(kind: &str, rows: Vec<Value>) -> Value {
    json!({"status": "ok", "response": {"type": kind, "data": {"statuses": rows}}})
}
