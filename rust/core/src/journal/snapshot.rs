//! A snapshot: the core's state behind a record, so that replay may begin there. It only saves time: the journal alone
//! leads to the same state, so a snapshot that can't be read is passed over.
//!
//! ```text
//! 0..8    "hlfastS\n"
//! 8..10   format version
//! 10..16  zero
//! 16..20  CRC32C of bytes 20..
//! 20..    sequence, epoch, configuration, state
//! ```
use super::cursor::{Cursor, Short, put_bytes, put_u32, put_u64};
use super::record::{put, u32_at};
use super::{FormatError, OLDEST_READABLE, VERSION};

const MAGIC: &[u8; 8] = b"hlfastS\n";
const HEADER_LEN: usize = 20;

/// The state behind one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The last record that the state includes.
    pub sequence: u64,
    /// The opening of the journal in which it was made.
    pub epoch: u32,
    /// The JSON of the settings.
    pub config: &'a [u8],
    /// `Engine::encode_state`.
    pub state: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HEADER_LEN];
        put(&mut out, 0, MAGIC);
        put(&mut out, 8, &VERSION.to_le_bytes());
        put_u64(&mut out, self.sequence);
        put_u32(&mut out, self.epoch);
        put_bytes(&mut out, self.config);
        put_bytes(&mut out, self.state);
        let crc = crc32c::crc32c(out.get(HEADER_LEN..).unwrap_or_default());
        put(&mut out, 16, &crc.to_le_bytes());
        out
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Snapshot<'a>, FormatError> {
        let (Some(header), Some(body)) = (bytes.get(..HEADER_LEN), bytes.get(HEADER_LEN..)) else {
            return Err(FormatError::NotASegment { what: "a snapshot is longer" });
        };
        if !header.starts_with(MAGIC) || crc32c::crc32c(body) != u32_at(header, 16) {
            return Err(FormatError::NotASegment { what: "the snapshot's magic bytes or checksum differ" });
        }
        let found =
            u16::from_le_bytes(header.get(8..).and_then(|tail| tail.first_chunk()).copied().unwrap_or_default());
        if !(OLDEST_READABLE..=VERSION).contains(&found) {
            return Err(FormatError::Version { found });
        }
        let mut cursor = Cursor::new(body);
        let mut fields = || {
            Ok(Snapshot {
                sequence: cursor.u64()?,
                epoch: cursor.u32()?,
                config: cursor.bytes()?,
                state: cursor.bytes()?,
            })
        };
        fields().map_err(|Short| FormatError::NotASegment { what: "the snapshot ends early" })
    }
}
