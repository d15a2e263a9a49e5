//! The first bytes of a segment.
//!
//! ```text
//! 0..8    "hlfastJ\n"
//! 8..10   format version
//! 10..16  zero
//! 16..24  sequence of the segment's first record
//! 24..32  highest sequence on stable storage when the segment was begun
//! 32..60  zero
//! 60..64  CRC32C of bytes 0..60
//! ```
//! A segment that was made ahead and not begun yet is zeros throughout.
use super::record::{put, u32_at, u64_at};
use super::{FormatError, OLDEST_READABLE, VERSION};

/// Bytes before a segment's first record.
pub const SEGMENT_HEADER_LEN: usize = 64;
const MAGIC: &[u8; 8] = b"hlfastJ\n";

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Sequence of its first record.
    pub first: u64,
    /// Highest sequence on stable storage when it was begun.
    pub synced: u64,
    /// Format version of its records.
    pub version: u16,
}

impl SegmentHeader {
    /// Of a segment that this build begins.
    #[must_use]
    pub fn new(first: u64, synced: u64) -> SegmentHeader {
        SegmentHeader { first, synced, version: VERSION }
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 8, &self.version.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.synced.to_le_bytes());
        let crc = crc32c::crc32c(bytes.get(..60).unwrap_or_default());
        put(&mut bytes, 60, &crc.to_le_bytes());
        bytes
    }

    /// Reads a segment's first bytes; `None` for a segment made ahead and not begun.
    ///
    /// # Errors
    /// [`FormatError::NotASegment`] or [`FormatError::Version`].
    pub fn parse(bytes: &[u8]) -> Result<Option<SegmentHeader>, FormatError> {
        let Some(header) = bytes.get(..SEGMENT_HEADER_LEN) else {
            // The file was created and the machine stopped before its first bytes were written.
            return if bytes.iter().all(|byte| *byte == 0) {
                Ok(None)
            } else {
                Err(not_a_segment("it is shorter than a header"))
            };
        };
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !header.starts_with(MAGIC) {
            return Err(not_a_segment("the magic bytes differ"));
        }
        if crc32c::crc32c(header.get(..60).unwrap_or_default()) != u32_at(header, 60) {
            return Err(not_a_segment("the header's checksum differs"));
        }
        let found =
            u16::from_le_bytes(header.get(8..).and_then(|tail| tail.first_chunk()).copied().unwrap_or_default());
        if !(OLDEST_READABLE..=VERSION).contains(&found) {
            return Err(FormatError::Version { found });
        }
        Ok(Some(SegmentHeader { first: u64_at(header, 16), synced: u64_at(header, 24), version: found }))
    }
}

fn not_a_segment(what: &'static str) -> FormatError {
    FormatError::NotASegment { what }
}
