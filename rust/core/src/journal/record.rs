//! One record: header, link, payload, padding.
//!
//! ```text
//! 0..4    CRC32C of bytes 4.. of the record, padding included
//! 4..8    payload length
//! 8..16   sequence, from 1, without gaps
//! 16..24  highest sequence known to be on stable storage when this record was made
//! 24      kind
//! 25      1: a link follows the header; 0: none does (format version 1)
//! 26..32  zero
//! 32..64  link: SHA-256 of the link before, bytes 4..32 of this header, and the payload
//! ..      payload, then zeros up to a multiple of 8
//! ```
//! The links make a chain: a record that was changed, left out or put in by someone who also set the checksums right breaks
//! it, unless every later link is made anew, and then the newest one differs from what was noted of it elsewhere.
use sha2::{Digest, Sha256};

use super::FormatError;

/// Ties a record to all before it.
pub type Link = [u8; LINK_LEN];

/// Bytes of a link.
pub const LINK_LEN: usize = 32;
/// What the first record is tied to.
pub const NO_LINK: Link = [0; LINK_LEN];
/// Offset of the flag that says whether a record has a link.
const LINKED_AT: usize = 25;

/// Bytes before the payload.
pub const HEADER_LEN: usize = 32;
/// Records start on multiples of this.
pub const ALIGN: usize = 8;
/// Longest payload: the largest accepted frame (8 MiB) and a full chunk of attempts fit twice.
pub const MAX_PAYLOAD: usize = 16 << 20;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A process opened the journal: epoch, build and configuration.
    Start = 1,
    /// One step of the core: the input, and what came of it.
    Step = 2,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        match byte {
            1 => Some(Kind::Start),
            2 => Some(Kind::Step),
            _ => None,
        }
    }
}

/// A record read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Running number.
    pub sequence: u64,
    /// Highest sequence known to be on stable storage when this record was made.
    pub synced: u64,
    /// What it holds.
    pub kind: Kind,
    /// Its content.
    pub payload: &'a [u8],
    /// What ties it to the records before it; none in format version 1.
    pub link: Option<Link>,
    covered: &'a [u8],
}

impl Record<'_> {
    /// True when this record has no link, or is tied to `before`.
    #[must_use]
    pub fn follows(&self, before: &Link) -> bool {
        self.link.is_none_or(|link| link == self::link(before, self.covered, self.payload))
    }
}

fn link(before: &Link, header: &[u8], payload: &[u8]) -> Link {
    Sha256::new().chain_update(before).chain_update(header).chain_update(payload).finalize().into()
}

/// Where a record begun with [`begin`] starts in its buffer.
#[derive(Debug)]
#[must_use = "a record that is begun must be sealed"]
pub struct Begun(usize);

/// Reserves a header at the end of `out`; the payload is then appended to `out` and [`seal`]ed.
pub fn begin(out: &mut Vec<u8>) -> Begun {
    let start = out.len();
    out.resize(start + HEADER_LEN + LINK_LEN, 0);
    Begun(start)
}

/// Completes the record begun at `begun`: pads it, ties it to the record whose link is `before`, and writes its header.
/// Answers its own link.
///
/// # Errors
/// [`FormatError::TooLong`]; `out` is then as it was before [`begin`].
pub fn seal(
    out: &mut Vec<u8>,
    begun: Begun,
    kind: Kind,
    sequence: u64,
    synced: u64,
    before: &Link,
) -> Result<Link, FormatError> {
    let Begun(start) = begun;
    let length = out.len().saturating_sub(start + HEADER_LEN + LINK_LEN);
    let Some(length_field) = u32::try_from(length).ok().filter(|_| length <= MAX_PAYLOAD) else {
        out.truncate(start);
        return Err(FormatError::TooLong { length });
    };
    out.resize(start + padded(length), 0);
    let Some(record) = out.get_mut(start..) else {
        return Err(FormatError::TooLong { length });
    };
    put(record, 4, &length_field.to_le_bytes());
    put(record, 8, &sequence.to_le_bytes());
    put(record, 16, &synced.to_le_bytes());
    put(record, 24, &[kind as u8, 1]);
    let payload = record.get(HEADER_LEN + LINK_LEN..HEADER_LEN + LINK_LEN + length).unwrap_or_default();
    let link = link(before, record.get(4..HEADER_LEN).unwrap_or_default(), payload);
    put(record, HEADER_LEN, &link);
    let crc = crc32c::crc32c(record.get(4..).unwrap_or_default());
    put(record, 0, &crc.to_le_bytes());
    Ok(link)
}

/// Whole length on disk of a record with `length` bytes of payload, as this build writes it.
#[must_use]
pub fn padded(length: usize) -> usize {
    extent(length, LINK_LEN)
}

fn extent(length: usize, link: usize) -> usize {
    (HEADER_LEN + link + length).next_multiple_of(ALIGN)
}

/// Reads the record at the start of `bytes`; answers it and its length on disk, or why there is none. Whether it follows the
/// record before it is not looked at.
///
/// # Errors
/// A word for what does not hold. The caller knows whether that is a torn tail or damage.
pub fn parse(bytes: &[u8]) -> Result<(Record<'_>, usize), &'static str> {
    let header = bytes.get(..HEADER_LEN).ok_or("the header is cut short")?;
    let length = length_field(header);
    if length > MAX_PAYLOAD {
        return Err("the length is out of range");
    }
    let tied = link_len(header);
    let whole = bytes.get(..extent(length, tied)).ok_or("the payload is cut short")?;
    if crc32c::crc32c(whole.get(4..).unwrap_or_default()) != u32_at(header, 0) {
        return Err("the checksum differs");
    }
    let kind = Kind::from_byte(header.get(24).copied().unwrap_or(0)).ok_or("the kind is unknown")?;
    let begins = HEADER_LEN + tied;
    let record = Record {
        sequence: u64_at(header, 8),
        synced: u64_at(header, 16),
        kind,
        payload: whole.get(begins..begins + length).unwrap_or_default(),
        link: whole.get(HEADER_LEN..begins).and_then(|link| link.try_into().ok()),
        covered: header.get(4..).unwrap_or_default(),
    };
    Ok((record, whole.len()))
}

/// Sequence and length on disk as the header at the start of `bytes` claims them, unchecked: for hopping over records
/// that were checked before.
#[must_use]
pub fn peek(bytes: &[u8]) -> Option<(u64, usize)> {
    let header = bytes.get(..HEADER_LEN)?;
    let length = length_field(header);
    (length <= MAX_PAYLOAD).then(|| (u64_at(header, 8), extent(length, link_len(header))))
}

fn link_len(header: &[u8]) -> usize {
    if header.get(LINKED_AT).is_some_and(|flag| *flag == 1) { LINK_LEN } else { 0 }
}

fn length_field(header: &[u8]) -> usize {
    usize::try_from(u32_at(header, 4)).unwrap_or(usize::MAX)
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|tail| tail.first_chunk()).map_or(0, |field| u32::from_le_bytes(*field))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|tail| tail.first_chunk()).map_or(0, |field| u64::from_le_bytes(*field))
}
