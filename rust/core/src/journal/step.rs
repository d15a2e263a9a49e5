//! The payload of a [`Kind::Step`](super::Kind::Step) record: one input, and what the core made of it.
//!
//! Input and result are one record under one checksum, so a crash leaves either both or neither, and an attempt whose
//! record is missing was never sent. Numbers are little-endian; `bytes` are a length and then the bytes.
use crate::commands::{
    Alert, Attempt, AttemptKind, Commands, Level, Numbers, Outcome, Reason, Receipt, Road, TwapSlice,
};
use crate::copy::price::Quote;
use crate::event::{Event, SourceKind};
use crate::num::{Pos, Px, Sz};
use crate::wire::{Address, Cloid};

use super::cursor::{Cursor, Short, put_bytes, put_u32, put_u64};

/// What a step was given, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Estimated venue time, Unix milliseconds.
    pub now_ms: u64,
    /// The entropy argument.
    pub entropy: u64,
    /// `Commands::context` of the step.
    pub context: &'a [u8],
}

/// An attempt as it is recorded: all but its JSON, which a replay makes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAttempt {
    /// The attempt; its ranges are empty.
    pub attempt: Attempt,
    /// Client ids of its orders.
    pub cloids: Vec<Cloid>,
}

/// A receipt with its coin's name, for readers without an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedReceipt<'a> {
    /// The receipt.
    pub receipt: Receipt,
    /// Name of its coin.
    pub coin: &'a str,
}

/// An alert; its code is text here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAlert<'a> {
    /// How bad.
    pub level: Level,
    /// From a closed set.
    pub code: &'a str,
    /// Index into `Config::leaders`.
    pub leader: Option<u32>,
    /// Index into `Config::followers`.
    pub follower: Option<u32>,
    /// One sentence.
    pub text: &'a str,
}

/// A slice of a TWAP with its coin's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSlice<'a> {
    /// The slice.
    pub slice: TwapSlice,
    /// Name of its coin.
    pub coin: &'a str,
}

/// A whole step, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// What the step was given.
    pub input: Input<'a>,
    /// Attempts, in order.
    pub attempts: Vec<RecordedAttempt>,
    /// Receipts, in order.
    pub receipts: Vec<RecordedReceipt<'a>>,
    /// Alerts, in order.
    pub alerts: Vec<RecordedAlert<'a>>,
    /// Slices of the venue's TWAPs, in order.
    pub twap_slices: Vec<RecordedSlice<'a>>,
}

/// Appends the payload of one step.
pub fn write_step<'n>(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    now_ms: u64,
    entropy: u64,
    commands: &Commands,
    coin_name: impl Fn(u32) -> &'n str,
) {
    put_u64(out, now_ms);
    put_u64(out, entropy);
    write_event(out, event);
    put_bytes(out, &commands.context);
    put_count(out, commands.attempts.len());
    for attempt in &commands.attempts {
        write_attempt(out, attempt, commands.cloids.get(attempt.cloids.clone()).unwrap_or_default());
    }
    put_count(out, commands.receipts.len());
    for receipt in &commands.receipts {
        write_receipt(out, receipt, coin_name(receipt.coin));
    }
    put_count(out, commands.alerts.len());
    for alert in &commands.alerts {
        write_alert(out, alert);
    }
    // Most steps have none, and then nothing stands here, as in journals from before there were any.
    if !commands.twap_slices.is_empty() {
        put_count(out, commands.twap_slices.len());
        for slice in &commands.twap_slices {
            write_slice(out, slice, coin_name(slice.coin));
        }
    }
}

/// Reads a payload that [`write_step`] made.
///
/// # Errors
/// A word for what does not hold.
pub fn read_step(payload: &[u8]) -> Result<Step<'_>, &'static str> {
    let mut cursor = Cursor::new(payload);
    let step = whole_step(&mut cursor).map_err(|Short| "it ends early or holds a value outside its range")?;
    if cursor.is_empty() { Ok(step) } else { Err("bytes follow its end") }
}

/// Reads the input alone.
///
/// # Errors
/// A word for what does not hold.
pub fn read_input(payload: &[u8]) -> Result<Input<'_>, &'static str> {
    input(&mut Cursor::new(payload)).map_err(|Short| "its input ends early or holds a value outside its range")
}

fn whole_step<'a>(cursor: &mut Cursor<'a>) -> Result<Step<'a>, Short> {
    Ok(Step {
        input: input(cursor)?,
        attempts: list(cursor, read_attempt)?,
        receipts: list(cursor, read_receipt)?,
        alerts: list(cursor, read_alert)?,
        twap_slices: if cursor.is_empty() { Vec::new() } else { list(cursor, read_slice)? },
    })
}

fn input<'a>(cursor: &mut Cursor<'a>) -> Result<Input<'a>, Short> {
    let (now_ms, entropy) = (cursor.u64()?, cursor.u64()?);
    Ok(Input { event: read_event(cursor)?, now_ms, entropy, context: cursor.bytes()? })
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_u32(out, u32::try_from(count).unwrap_or(u32::MAX));
}

fn list<'a, T>(cursor: &mut Cursor<'a>, read: impl Fn(&mut Cursor<'a>) -> Result<T, Short>) -> Result<Vec<T>, Short> {
    let count = cursor.u32()?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(cursor)?);
    }
    Ok(items)
}

fn write_event(out: &mut Vec<u8>, event: &Event<'_>) {
    match event {
        Event::Frame { source, bytes } => {
            out.push(1);
            put_u32(out, *source);
            put_bytes(out, bytes);
        }
        Event::Continue => out.push(2),
        Event::HttpAnswer { post_id, status, body } => {
            out.push(3);
            put_u64(out, *post_id);
            out.extend_from_slice(&status.to_le_bytes());
            put_bytes(out, body);
        }
        Event::Info { token, status, body } => {
            out.push(4);
            put_u64(out, *token);
            out.extend_from_slice(&status.to_le_bytes());
            put_bytes(out, body);
        }
        Event::Meta { body } => {
            out.push(5);
            put_bytes(out, body);
        }
        Event::SourceUp { source, kind } => {
            out.push(6);
            put_u32(out, *source);
            out.push(match kind {
                SourceKind::User => 0,
                SourceKind::Tape => 1,
                SourceKind::Lane => 2,
            });
        }
        Event::SourceDown { source } => {
            out.push(7);
            put_u32(out, *source);
        }
        Event::HttpLaneUp { lane } => {
            out.push(8);
            put_u32(out, *lane);
        }
        Event::Reopen => out.push(9),
        Event::Start => out.push(10),
        Event::Tick => out.push(11),
        Event::StopSigner { signer } => {
            out.push(12);
            put_u32(out, *signer);
        }
        Event::Operate { request } => {
            out.push(13);
            put_bytes(out, request);
        }
    }
}

fn read_event<'a>(cursor: &mut Cursor<'a>) -> Result<Event<'a>, Short> {
    Ok(match cursor.u8()? {
        1 => Event::Frame { source: cursor.u32()?, bytes: cursor.bytes()? },
        2 => Event::Continue,
        3 => Event::HttpAnswer { post_id: cursor.u64()?, status: cursor.u16()?, body: cursor.bytes()? },
        4 => Event::Info { token: cursor.u64()?, status: cursor.u16()?, body: cursor.bytes()? },
        5 => Event::Meta { body: cursor.bytes()? },
        6 => Event::SourceUp { source: cursor.u32()?, kind: source_kind(cursor.u8()?)? },
        7 => Event::SourceDown { source: cursor.u32()? },
        8 => Event::HttpLaneUp { lane: cursor.u32()? },
        9 => Event::Reopen,
        10 => Event::Start,
        11 => Event::Tick,
        12 => Event::StopSigner { signer: cursor.u32()? },
        13 => Event::Operate { request: cursor.bytes()? },
        _ => return Err(Short),
    })
}

fn source_kind(byte: u8) -> Result<SourceKind, Short> {
    match byte {
        0 => Ok(SourceKind::User),
        1 => Ok(SourceKind::Tape),
        2 => Ok(SourceKind::Lane),
        _ => Err(Short),
    }
}

fn write_attempt(out: &mut Vec<u8>, attempt: &Attempt, cloids: &[Cloid]) {
    put_u32(out, attempt.follower);
    put_u32(out, attempt.signer);
    put_u32(out, attempt.lane);
    out.push(u8::from(attempt.road == Road::Http));
    out.push(match attempt.kind {
        AttemptKind::Open => 0,
        AttemptKind::Reduce => 1,
        AttemptKind::Fence => 2,
        AttemptKind::Resend => 3,
        AttemptKind::Stop => 4,
        AttemptKind::Cancel => 5,
        AttemptKind::Setup => 6,
    });
    put_u64(out, attempt.post_id);
    put_u64(out, attempt.nonce);
    put_u64(out, attempt.expires_after);
    out.push(u8::from(attempt.vault.is_some()));
    out.extend_from_slice(&attempt.vault.map_or([0; 20], |vault| vault.0));
    out.extend_from_slice(&attempt.digest);
    put_count(out, cloids.len());
    for cloid in cloids {
        out.extend_from_slice(&cloid.0);
    }
}

fn read_attempt(cursor: &mut Cursor<'_>) -> Result<RecordedAttempt, Short> {
    let attempt = Attempt {
        follower: cursor.u32()?,
        signer: cursor.u32()?,
        lane: cursor.u32()?,
        road: if cursor.flag()? { Road::Http } else { Road::WebSocket },
        kind: match cursor.u8()? {
            0 => AttemptKind::Open,
            1 => AttemptKind::Reduce,
            2 => AttemptKind::Fence,
            3 => AttemptKind::Resend,
            4 => AttemptKind::Stop,
            5 => AttemptKind::Cancel,
            6 => AttemptKind::Setup,
            _ => return Err(Short),
        },
        post_id: cursor.u64()?,
        nonce: cursor.u64()?,
        expires_after: cursor.u64()?,
        vault: {
            let present = cursor.flag()?;
            let vault = cursor.array()?;
            present.then_some(Address(vault))
        },
        digest: cursor.array()?,
        action: 0..0,
        cloids: 0..0,
    };
    Ok(RecordedAttempt { attempt, cloids: list(cursor, |cursor| cursor.array().map(Cloid))? })
}

fn write_receipt(out: &mut Vec<u8>, receipt: &Receipt, coin: &str) {
    for number in [receipt.number, receipt.time_ms, receipt.tid, receipt.decision] {
        put_u64(out, number);
    }
    for index in [receipt.leader, receipt.follower, receipt.follow, receipt.coin] {
        put_u32(out, index);
    }
    put_bytes(out, coin.as_bytes());
    out.push(u8::from(receipt.merged_into.is_some()));
    put_u64(out, receipt.merged_into.unwrap_or(0));
    out.extend_from_slice(&[receipt.outcome as u8, receipt.reason as u8, u8::from(receipt.was_unknown)]);
    for time_ms in [receipt.decided_ms, receipt.planned_ms, receipt.settled_ms] {
        put_u64(out, time_ms);
    }
    write_numbers(out, &receipt.numbers);
}

fn read_receipt<'a>(cursor: &mut Cursor<'a>) -> Result<RecordedReceipt<'a>, Short> {
    let [number, time_ms, tid, decision] = [cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.u64()?];
    let [leader, follower, follow, coin] = [cursor.u32()?, cursor.u32()?, cursor.u32()?, cursor.u32()?];
    let name = cursor.text()?;
    let (merged, into) = (cursor.flag()?, cursor.u64()?);
    let outcome = Outcome::ALL.get(usize::from(cursor.u8()?)).copied().ok_or(Short)?;
    let reason = Reason::ALL.get(usize::from(cursor.u8()?)).copied().ok_or(Short)?;
    let was_unknown = cursor.flag()?;
    let [decided_ms, planned_ms, settled_ms] = [cursor.u64()?, cursor.u64()?, cursor.u64()?];
    let receipt = Receipt {
        number,
        leader,
        follower,
        follow,
        coin,
        time_ms,
        tid,
        decision,
        merged_into: merged.then_some(into),
        outcome,
        reason,
        was_unknown,
        numbers: read_numbers(cursor)?,
        decided_ms,
        planned_ms,
        settled_ms,
    };
    Ok(RecordedReceipt { receipt, coin: name })
}

fn write_numbers(out: &mut Vec<u8>, numbers: &Numbers) {
    let scaled = [
        numbers.leader_before.raw(),
        numbers.leader_after.raw(),
        numbers.leader_price.raw(),
        numbers.entitled_before.raw(),
        numbers.entitled_after.raw(),
        numbers.ordered.raw(),
        numbers.limit_price.raw(),
        numbers.filled.raw(),
        numbers.average_price.raw(),
    ];
    for value in scaled {
        out.extend_from_slice(&value.to_le_bytes());
    }
    put_u64(out, numbers.nonce);
}

fn read_numbers(cursor: &mut Cursor<'_>) -> Result<Numbers, Short> {
    Ok(Numbers {
        leader_before: Pos::from_raw(cursor.i64()?),
        leader_after: Pos::from_raw(cursor.i64()?),
        leader_price: Px::from_raw(cursor.i64()?),
        entitled_before: Pos::from_raw(cursor.i64()?),
        entitled_after: Pos::from_raw(cursor.i64()?),
        ordered: Pos::from_raw(cursor.i64()?),
        limit_price: Px::from_raw(cursor.i64()?),
        filled: Sz::from_raw(cursor.i64()?),
        average_price: Px::from_raw(cursor.i64()?),
        nonce: cursor.u64()?,
    })
}

fn write_alert(out: &mut Vec<u8>, alert: &Alert) {
    out.push(match alert.level {
        Level::Info => 0,
        Level::Warning => 1,
        Level::Critical => 2,
    });
    for index in [alert.leader, alert.follower] {
        out.push(u8::from(index.is_some()));
        put_u32(out, index.unwrap_or(0));
    }
    put_bytes(out, alert.code.as_bytes());
    put_bytes(out, alert.text.as_bytes());
}

fn read_alert<'a>(cursor: &mut Cursor<'a>) -> Result<RecordedAlert<'a>, Short> {
    let level = match cursor.u8()? {
        0 => Level::Info,
        1 => Level::Warning,
        2 => Level::Critical,
        _ => return Err(Short),
    };
    let mut index = || {
        let (present, index) = (cursor.flag()?, cursor.u32()?);
        Ok(present.then_some(index))
    };
    let (leader, follower) = (index()?, index()?);
    Ok(RecordedAlert { level, code: cursor.text()?, leader, follower, text: cursor.text()? })
}

fn write_slice(out: &mut Vec<u8>, slice: &TwapSlice, coin: &str) {
    put_u32(out, slice.follower);
    put_u32(out, slice.coin);
    put_bytes(out, coin.as_bytes());
    put_u64(out, slice.nonce);
    for number in [slice.twap_id, slice.time_ms] {
        out.push(u8::from(number.is_some()));
        put_u64(out, number.unwrap_or(0));
    }
    let quote = slice.quote.unwrap_or_default();
    out.push(u8::from(slice.quote.is_some()));
    put_u64(out, quote.time_ms);
    for value in [slice.size.raw(), slice.price.raw(), quote.bid, quote.ask, quote.bid_size, quote.ask_size] {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

fn read_slice<'a>(cursor: &mut Cursor<'a>) -> Result<RecordedSlice<'a>, Short> {
    let (follower, coin, name, nonce) = (cursor.u32()?, cursor.u32()?, cursor.text()?, cursor.u64()?);
    let mut number = || {
        let (present, number) = (cursor.flag()?, cursor.u64()?);
        Ok(present.then_some(number))
    };
    let (twap_id, time_ms, quoted_ms) = (number()?, number()?, number()?);
    let [size, price] = [cursor.i64()?, cursor.i64()?];
    let [bid, ask, bid_size, ask_size] = [cursor.i64()?, cursor.i64()?, cursor.i64()?, cursor.i64()?];
    let slice = TwapSlice {
        follower,
        coin,
        nonce,
        twap_id,
        time_ms,
        size: Sz::from_raw(size),
        price: Px::from_raw(price),
        quote: quoted_ms.map(|time_ms| Quote { bid, ask, bid_size, ask_size, time_ms }),
    };
    Ok(RecordedSlice { slice, coin: name })
}
