//! The payload of a [`Kind::Start`](super::Kind::Start) record: who writes from here on, under which settings.
use super::cursor::{Cursor, Short, put_bytes, put_u32, put_u64};

/// A process opened the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start<'a> {
    /// Counts openings, from 1.
    pub epoch: u32,
    /// Estimated venue time, Unix milliseconds.
    pub now_ms: u64,
    /// The build.
    pub version: &'a str,
    /// The JSON of the settings.
    pub config: &'a [u8],
}

impl<'a> Start<'a> {
    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_u32(out, self.epoch);
        put_u64(out, self.now_ms);
        put_bytes(out, self.version.as_bytes());
        put_bytes(out, self.config);
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// A word for what does not hold.
    pub fn read(payload: &'a [u8]) -> Result<Start<'a>, &'static str> {
        let mut cursor = Cursor::new(payload);
        let mut fields = || {
            Ok(Start { epoch: cursor.u32()?, now_ms: cursor.u64()?, version: cursor.text()?, config: cursor.bytes()? })
        };
        fields().map_err(|Short| "it ends early or holds a value outside its range")
    }
}
