//! Reads a segment's records in order and tells a torn tail from damage.
//!
//! A write that a crash interrupted may have reached the disk in any of its parts, so an unreadable record alone
//! proves nothing. Each record carries the highest sequence that was on stable storage when it was made: if any
//! later, readable record says that the unreadable one had been there, it was damaged since, and the journal is refused.
use super::FormatError;
use super::record::{self, ALIGN, HEADER_LEN, Link, NO_LINK, Record};

/// How far sequences of a search for later records may run ahead; a corrupt length can't make the search unbounded.
const LOOKAHEAD: u64 = 1 << 32;

/// Where the readable records of a segment end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanEnd {
    /// Offset of the first byte after the last record.
    pub offset: usize,
    /// Sequence the next record would have.
    pub next: u64,
    /// Why the next record could not be read; `None` when only zeros follow.
    pub torn: Option<&'static str>,
    /// Highest stable sequence that any later, readable record of this segment claims; 0 when there is none.
    pub later_synced: u64,
    /// The next record is whole, but not tied to the ones before it: no crash does that.
    pub untied: bool,
}

impl ScanEnd {
    /// Refuses an end that lies before a record which had been on stable storage. `later_synced` is what later
    /// segments claim (0: there are none).
    ///
    /// # Errors
    /// [`FormatError::Corrupt`].
    pub fn check(&self, later_synced: u64) -> Result<(), FormatError> {
        if self.later_synced.max(later_synced) < self.next && !self.untied {
            return Ok(());
        }
        let what = self.torn.unwrap_or("zeros where a record was");
        Err(FormatError::Corrupt { offset: u64::try_from(self.offset).unwrap_or(u64::MAX), sequence: self.next, what })
    }
}

/// Walks over the records of one segment held in memory.
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    offset: usize,
    next: u64,
    link: Option<Link>,
    untied: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at `offset` (a multiple of 8), where the record `next` is expected.
    #[must_use]
    pub fn new(bytes: &'a [u8], offset: usize, next: u64) -> Scanner<'a> {
        Scanner { bytes, offset, next, link: (next == 1).then_some(NO_LINK), untied: false }
    }

    /// Holds the first record to the link before it; `None`: that one isn't known.
    #[must_use]
    pub fn behind(self, link: Option<Link>) -> Scanner<'a> {
        Scanner { link: link.or(self.link), ..self }
    }

    /// Link of the record read last; `None` when none was read and the one before is not known.
    #[must_use]
    pub fn link(&self) -> Option<Link> {
        self.link
    }

    /// Offset of the record that [`Scanner::record`] would read next.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The next record, or `None` at the end; [`Scanner::end`] then says what kind of end it is.
    pub fn record(&mut self) -> Option<Record<'a>> {
        let (record, length) = record::parse(self.bytes.get(self.offset..)?).ok()?;
        if record.sequence != self.next {
            return None;
        }
        if self.link.is_some_and(|before| !record.follows(&before)) {
            self.untied = true;
            return None;
        }
        self.link = Some(record.link.unwrap_or(NO_LINK));
        self.offset += length;
        self.next += 1;
        Some(record)
    }

    /// Judges the place where reading stopped.
    #[must_use]
    pub fn end(&self) -> ScanEnd {
        let tail = self.bytes.get(self.offset..).unwrap_or_default();
        let clean = ScanEnd { offset: self.offset, next: self.next, torn: None, later_synced: 0, untied: self.untied };
        if is_zero(tail) {
            return clean;
        }
        let torn = match record::parse(tail) {
            Ok(_) if self.untied => "its link does not follow from the records before it",
            Ok(_) => "the sequence differs",
            Err(what) => what,
        };
        ScanEnd { torn: Some(torn), later_synced: self.later_synced(tail), ..clean }
    }

    /// Whole records somewhere behind the place where reading stopped.
    #[must_use]
    pub fn later_records(&self) -> u64 {
        let mut count = 0;
        self.search(self.bytes.get(self.offset..).unwrap_or_default(), &mut |_| count += 1);
        count
    }

    fn later_synced(&self, tail: &[u8]) -> u64 {
        let mut highest = 0;
        self.search(tail, &mut |record| highest = highest.max(record.synced));
        highest
    }

    fn search(&self, tail: &[u8], found: &mut dyn FnMut(&Record<'_>)) {
        let mut at = ALIGN;
        while at + HEADER_LEN <= tail.len() {
            let rest = tail.get(at..).unwrap_or_default();
            match self.later(rest) {
                Some((record, length)) => {
                    found(&record);
                    at += length;
                }
                None => at += ALIGN,
            }
        }
    }

    /// A record at the start of `rest` that is certainly later than the one awaited. The cheap tests come first: most
    /// places hold no record.
    fn later<'b>(&self, rest: &'b [u8]) -> Option<(Record<'b>, usize)> {
        let (sequence, length) = record::peek(rest)?;
        let plausible = sequence > self.next && sequence - self.next < LOOKAHEAD && length <= rest.len();
        if !plausible {
            return None;
        }
        record::parse(rest).ok()
    }
}

/// True when `bytes` are zeros; by blocks, because a segment's unused rest is tens of megabytes.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|block| ZEROS.starts_with(block))
}
