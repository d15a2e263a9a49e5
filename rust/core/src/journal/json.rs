//! A record as JSON objects, for people and projections. Money and sizes are decimal strings; indices are places in the
//! configuration's lists.
use std::fmt::Display;

use super::start::Start;
use super::step::{RecordedAlert, RecordedAttempt, RecordedReceipt, RecordedSlice, Step, read_step};
use super::{Kind, Record};
use crate::commands::{AttemptKind, CoinId, Level, Road};
use crate::copy::price::Quote;
use crate::engine::quotes_of;
use crate::event::{Event, SourceKind};
use crate::num::Px;
use crate::wire::{write_hex, write_json_string};

/// The objects of one record, all with its sequence: the input first, then attempts, the quotes they were planned by,
/// receipts, alerts, and slices of the venue's TWAPs.
///
/// # Errors
/// A word for what does not hold in the payload.
pub fn objects(record: &Record<'_>) -> Result<Vec<Vec<u8>>, &'static str> {
    match record.kind {
        Kind::Start => Ok(vec![start(record.sequence, &Start::read(record.payload)?)]),
        Kind::Step => {
            let step = read_step(record.payload)?;
            let sequence = record.sequence;
            let mut objects = vec![input(sequence, &step)];
            objects.extend(step.attempts.iter().map(|recorded| attempt(sequence, recorded)));
            if !step.attempts.is_empty() {
                objects.extend(quotes_of(step.input.context).map(|(coin, quote)| quote_object(sequence, coin, quote)));
            }
            objects.extend(step.receipts.iter().map(|recorded| receipt_object(sequence, recorded)));
            objects.extend(step.alerts.iter().map(|recorded| alert(sequence, recorded)));
            objects.extend(step.twap_slices.iter().map(|recorded| twap_slice(sequence, recorded)));
            Ok(objects)
        }
    }
}

/// One object in the making.
struct Object(Vec<u8>);

impl Object {
    fn new(sequence: u64, kind: &str) -> Object {
        Object(b"{".to_vec()).number("sequence", sequence).text("kind", kind)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn number(mut self, key: &str, value: impl Display) -> Object {
        self.key(key);
        self.0.extend_from_slice(value.to_string().as_bytes());
        self
    }

    fn optional(self, key: &str, value: Option<impl Display>) -> Object {
        match value {
            Some(value) => self.number(key, value),
            None => self.number(key, "null"),
        }
    }

    fn text(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        write_json_string(&mut self.0, value);
        self
    }

    fn decimal(self, key: &str, value: impl Display) -> Object {
        self.text(key, &value.to_string())
    }

    /// Bytes from the venue; what is not UTF-8 becomes the replacement character.
    fn bytes(self, key: &str, value: &[u8]) -> Object {
        self.text(key, &String::from_utf8_lossy(value))
    }

    fn hex(mut self, key: &str, value: &[u8]) -> Object {
        self.key(key);
        self.0.extend_from_slice(b"\"0x");
        write_hex(&mut self.0, value);
        self.0.push(b'"');
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

fn start(sequence: u64, start: &Start<'_>) -> Vec<u8> {
    let object = Object::new(sequence, "start")
        .number("epoch", start.epoch)
        .number("now_ms", start.now_ms)
        .text("version", start.version);
    // The settings name accounts and files, never a key.
    match serde_json::from_slice::<serde_json::Value>(start.config) {
        Ok(settings) => object.number("config", settings).end(),
        Err(_) => object.end(),
    }
}

fn input(sequence: u64, step: &Step<'_>) -> Vec<u8> {
    let object = Object::new(sequence, "input").number("now_ms", step.input.now_ms);
    match step.input.event {
        Event::Frame { source, bytes } => object.text("event", "frame").number("source", source).bytes("body", bytes),
        Event::Continue => object.text("event", "continue"),
        Event::HttpAnswer { post_id, status, body } => {
            object.text("event", "http_answer").number("post_id", post_id).number("status", status).bytes("body", body)
        }
        Event::Info { token, status, body } => {
            object.text("event", "info").number("token", token).number("status", status).bytes("body", body)
        }
        Event::Meta { body } => object.text("event", "meta").number("body_bytes", body.len()),
        Event::SourceUp { source, kind } => {
            let feed = match kind {
                SourceKind::User => "user",
                SourceKind::Tape => "tape",
                SourceKind::Lane => "lane",
            };
            object.text("event", "source_up").number("source", source).text("feed", feed)
        }
        Event::SourceDown { source } => object.text("event", "source_down").number("source", source),
        Event::HttpLaneUp { lane } => object.text("event", "http_lane_up").number("lane", lane),
        Event::Reopen => object.text("event", "reopen"),
        Event::Start => object.text("event", "start"),
        Event::Tick => object.text("event", "tick"),
        Event::StopSigner { signer } => object.text("event", "stop_signer").number("signer", signer),
        Event::Operate { request } => object.text("event", "operate").bytes("request", request),
    }
    .end()
}

fn attempt(sequence: u64, recorded: &RecordedAttempt) -> Vec<u8> {
    let attempt = &recorded.attempt;
    let mut object = Object::new(sequence, "attempt")
        .number("follower", attempt.follower)
        .number("signer", attempt.signer)
        .text(
            "does",
            match attempt.kind {
                AttemptKind::Open => "open",
                AttemptKind::Reduce => "reduce",
                AttemptKind::Fence => "fence",
                AttemptKind::Resend => "resend",
                AttemptKind::Stop => "stop",
                AttemptKind::Cancel => "cancel",
                AttemptKind::Setup => "setup",
            },
        )
        .number("lane", attempt.lane)
        .text("road", if attempt.road == Road::Http { "http" } else { "websocket" })
        .number("post_id", attempt.post_id)
        .number("nonce", attempt.nonce)
        .number("expires_after", attempt.expires_after)
        .hex("digest", &attempt.digest);
    object.key("cloids");
    object.0.push(b'[');
    for (at, cloid) in recorded.cloids.iter().enumerate() {
        object.0.extend_from_slice(if at == 0 { b"\"0x" } else { b",\"0x" });
        write_hex(&mut object.0, &cloid.0);
        object.0.push(b'"');
    }
    object.0.push(b']');
    object.end()
}

/// One receipt as its object.
#[must_use]
pub fn receipt_object(sequence: u64, recorded: &RecordedReceipt<'_>) -> Vec<u8> {
    let receipt = &recorded.receipt;
    let numbers = &receipt.numbers;
    Object::new(sequence, "receipt")
        .number("number", receipt.number)
        .number("leader", receipt.leader)
        .number("follower", receipt.follower)
        .number("follow", receipt.follow)
        .text("coin", recorded.coin)
        .number("coin_id", receipt.coin)
        .number("time_ms", receipt.time_ms)
        .number("tid", receipt.tid)
        .number("decision", receipt.decision)
        .optional("merged_into", receipt.merged_into)
        .text("outcome", receipt.outcome.name())
        .text("reason", receipt.reason.name())
        .number("was_unknown", receipt.was_unknown)
        .decimal("leader_before", numbers.leader_before)
        .decimal("leader_after", numbers.leader_after)
        .decimal("leader_price", numbers.leader_price)
        .decimal("entitled_before", numbers.entitled_before)
        .decimal("entitled_after", numbers.entitled_after)
        .decimal("ordered", numbers.ordered)
        .decimal("limit_price", numbers.limit_price)
        .decimal("filled", numbers.filled)
        .decimal("average_price", numbers.average_price)
        .number("nonce", numbers.nonce)
        .number("decided_ms", receipt.decided_ms)
        .number("planned_ms", receipt.planned_ms)
        .number("settled_ms", receipt.settled_ms)
        .end()
}

/// The best prices of a coin when orders were planned by them; zero: that side was empty.
fn quote_object(sequence: u64, coin: CoinId, quote: Quote) -> Vec<u8> {
    Object::new(sequence, "quote")
        .number("coin_id", coin)
        .decimal("bid", Px::from_raw(quote.bid))
        .decimal("ask", Px::from_raw(quote.ask))
        .number("time_ms", quote.time_ms)
        .end()
}

fn alert(sequence: u64, alert: &RecordedAlert<'_>) -> Vec<u8> {
    Object::new(sequence, "alert")
        .text("level", level_name(alert.level))
        .text("code", alert.code)
        .optional("leader", alert.leader)
        .optional("follower", alert.follower)
        .text("text", alert.text)
        .end()
}

/// Null is what nobody knew then.
fn twap_slice(sequence: u64, recorded: &RecordedSlice<'_>) -> Vec<u8> {
    let slice = &recorded.slice;
    let object = Object::new(sequence, "twap_slice")
        .number("follower", slice.follower)
        .text("coin", recorded.coin)
        .number("coin_id", slice.coin)
        .number("nonce", slice.nonce)
        .optional("twap_id", slice.twap_id)
        .optional("time_ms", slice.time_ms)
        .decimal("size", slice.size)
        .decimal("price", slice.price);
    let object = match slice.quote {
        Some(quote) => object.decimal("bid", Px::from_raw(quote.bid)).decimal("ask", Px::from_raw(quote.ask)),
        None => object.number("bid", "null").number("ask", "null"),
    };
    object.optional("quoted_ms", slice.quote.map(|quote| quote.time_ms)).end()
}

/// The name of a level in journals, logs and the database.
#[must_use]
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Critical => "critical",
    }
}
