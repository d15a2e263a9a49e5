//! The journal's format: bytes in, bytes out. Files, locks and syncs belong to `hlfast-host`.
//!
//! A journal is a row of segments. A segment is a [`segment::SegmentHeader`] and then records, each on an 8-byte
//! boundary, each with its length, a CRC32C, a running sequence, the sequence that was known to be on stable storage
//! when it was made, and a link to the record before it. What follows the last record is zeros, written ahead of use.
mod cursor;
pub mod json;
pub mod record;
pub mod scan;
pub mod segment;
pub mod snapshot;
pub mod start;
pub mod step;
#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;

pub use record::{HEADER_LEN, Kind, LINK_LEN, Link, MAX_PAYLOAD, NO_LINK, Record};
pub use scan::{ScanEnd, Scanner};
pub use segment::{SEGMENT_HEADER_LEN, SegmentHeader};
pub use snapshot::Snapshot;
pub use start::Start;

/// Version of the format written by this build: 2, whose records are tied to each other. The version before it stays readable.
pub const VERSION: u16 = 2;
/// Oldest version that this build reads.
pub const OLDEST_READABLE: u16 = 1;

/// Why bytes are not a journal that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A record that had been on stable storage no longer matches its checksum: damage, not a torn write.
    #[error(
        "record {sequence} at byte {offset} is damaged ({what}), although it had been on stable storage: restore the file from a copy, or see what `hlfast journal repair` would drop"
    )]
    Corrupt {
        /// Byte offset inside the segment.
        offset: u64,
        /// Sequence that was expected there.
        sequence: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The segment was written by another format version.
    #[error(
        "format version {found} is not readable by this build, which reads {OLDEST_READABLE} to {VERSION}: use the release that wrote it"
    )]
    Version {
        /// Version found.
        found: u16,
    },
    /// The first bytes are not those of a segment.
    #[error("not a journal segment: {what}")]
    NotASegment {
        /// What does not hold.
        what: &'static str,
    },
    /// A payload is longer than a record may be.
    #[error("a record of {length} bytes exceeds the {MAX_PAYLOAD} that a journal record may hold")]
    TooLong {
        /// Bytes asked for.
        length: usize,
    },
    /// A record's payload ends early or holds a value outside its range; the checksum was right, so a defect wrote it.
    #[error("the payload of record {sequence} cannot be read: {what}")]
    Payload {
        /// The record.
        sequence: u64,
        /// What does not hold.
        what: &'static str,
    },
}
