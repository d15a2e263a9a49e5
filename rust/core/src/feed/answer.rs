//! Answers of `/exchange`: over a WebSocket post and over HTTP they have the same payload.
use super::frame::Frame;
use super::scan::{FrameError, Scan, Span};
use crate::num::{Px, Sz};

type Result<T> = std::result::Result<T, FrameError>;

/// The result of one order, by its place in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// On the book.
    Resting,
    /// Matched, wholly or (immediate-or-cancel) in part.
    Filled {
        /// How much.
        size: Sz,
        /// At what average price.
        price: Px,
    },
    /// Refused, or nothing matched. The venue's text.
    Error(Span),
    /// A TWAP began.
    Running {
        /// The venue's number of it.
        twap_id: u64,
    },
    /// A word: "success", "waitingForFill", "waitingForTrigger".
    Word,
}

/// What an answer proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One status per order, or per order to cancel, in the buffer.
    Statuses,
    /// Accepted, nothing more to say (`noop`, leverage).
    Accepted,
    /// The whole action was refused; the venue's text.
    Refused(Span),
    /// Nothing: an HTTP-level error, or a shape nobody knows. The outcome is unknown.
    Unknown,
    /// An info answer: not for an action of ours.
    Info,
}

/// Parses the data of channel `post`.
///
/// # Errors
/// When the envelope is malformed. A payload of unknown shape is [`Answer::Unknown`], because its id still counts.
pub fn parse_post(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Frame> {
    let (mut id, mut answer) = (None, None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"id" => id = Some(scan.uint()?),
            b"response" => answer = Some(response(scan, statuses)?),
            _ => scan.skip()?,
        }
    }
    match (id, answer) {
        (Some(id), Some(answer)) => Ok(Frame::Post { id, answer }),
        _ => Err(scan.error("post without id or response")),
    }
}

fn response(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Answer> {
    let (mut kind, mut payload): (&[u8], _) = (b"", None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"type" => kind = scan.string_bytes()?,
            b"payload" => {
                payload = Some(scan.place());
                scan.skip()?;
            }
            _ => scan.skip()?,
        }
    }
    Ok(match (kind, payload) {
        (b"action", Some(at)) => payload_answer(&mut scan.seek(at), statuses),
        (b"info", _) => Answer::Info,
        _ => Answer::Unknown,
    })
}

/// Parses the body of an HTTP answer.
#[must_use]
pub fn parse_body(body: &[u8], statuses: &mut Vec<Status>) -> Answer {
    statuses.clear();
    let mut scan = Scan::new(body);
    // Checked whole before a part of it is believed.
    if scan.skip().and_then(|()| scan.end()).is_err() {
        return Answer::Unknown;
    }
    payload_answer(&mut Scan::new(body), statuses)
}

fn payload_answer(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Answer {
    let answer = envelope(scan, statuses).unwrap_or(Answer::Unknown);
    if answer != Answer::Statuses {
        statuses.clear();
    }
    answer
}

fn envelope(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Answer> {
    let (mut status, mut inner): (&[u8], _) = (b"", None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"status" => status = scan.string_bytes()?,
            b"response" => {
                inner = Some(scan.place());
                scan.skip()?;
            }
            _ => scan.skip()?,
        }
    }
    let Some(at) = inner else { return Ok(Answer::Unknown) };
    let mut inner = scan.seek(at);
    match status {
        b"ok" => accepted(&mut inner, statuses),
        b"err" => inner.string().map(Answer::Refused),
        _ => Ok(Answer::Unknown),
    }
}

fn accepted(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Answer> {
    let (mut kind, mut data): (&[u8], _) = (b"", None);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"type" => kind = scan.string_bytes()?,
            b"data" => {
                data = Some(scan.place());
                scan.skip()?;
            }
            _ => scan.skip()?,
        }
    }
    match (kind, data) {
        (b"default", _) => Ok(Answer::Accepted),
        (b"order" | b"cancel", Some(at)) => order_statuses(&mut scan.seek(at), statuses),
        (b"twapOrder" | b"twapCancel", Some(at)) => twap_status(&mut scan.seek(at), statuses),
        _ => Ok(Answer::Unknown),
    }
}

fn order_statuses(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Answer> {
    let mut found = false;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        if key != b"statuses" {
            scan.skip()?;
            continue;
        }
        found = true;
        let mut first_item = true;
        while scan.element(&mut first_item)? {
            statuses.push(item(scan)?);
        }
    }
    Ok(if found { Answer::Statuses } else { Answer::Unknown })
}

fn twap_status(scan: &mut Scan<'_>, statuses: &mut Vec<Status>) -> Result<Answer> {
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"status" => statuses.push(item(scan)?),
            _ => scan.skip()?,
        }
    }
    Ok(if statuses.len() == 1 { Answer::Statuses } else { Answer::Unknown })
}

fn item(scan: &mut Scan<'_>) -> Result<Status> {
    if scan.peek() == Some(b'"') {
        scan.string()?;
        return Ok(Status::Word);
    }
    let mut status = None;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"error" => status = Some(Status::Error(scan.string()?)),
            b"filled" => status = Some(filled(scan)?),
            b"running" => status = Some(running(scan)?),
            b"resting" => {
                scan.skip()?;
                status = Some(Status::Resting);
            }
            _ => scan.skip()?,
        }
    }
    status.ok_or_else(|| scan.error("status of no known kind"))
}

fn running(scan: &mut Scan<'_>) -> Result<Status> {
    let mut id = None;
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"twapId" => id = Some(scan.uint()?),
            _ => scan.skip()?,
        }
    }
    id.map(|twap_id| Status::Running { twap_id }).ok_or_else(|| scan.error("running without twapId"))
}

fn filled(scan: &mut Scan<'_>) -> Result<Status> {
    let (mut size, mut price) = (None, Px::ZERO);
    let mut first = true;
    while let Some(key) = scan.key(&mut first)? {
        match key {
            b"totalSz" => size = Some(scan.sz()?),
            // An average may have more decimals than a price; it is for the record, not for a decision.
            b"avgPx" => {
                let text = scan.string_bytes()?;
                price =
                    Px::parse_round(text, crate::num::Round::Nearest).map_err(|_| scan.error("bad average price"))?;
            }
            _ => scan.skip()?,
        }
    }
    size.map(|size| Status::Filled { size, price }).ok_or_else(|| scan.error("filled without totalSz"))
}
