//! Looks through a whole journal without its lock: every checksum, sequence and link.
use std::path::{Path, PathBuf};

use hlfast_core::journal::{FormatError, Link, NO_LINK, Record, SEGMENT_HEADER_LEN, ScanEnd, Scanner, SegmentHeader};

use super::directory::{Segment, segments};
use super::recover::claimed;
use super::{JournalError, format, io};

/// What a journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Begun segments.
    pub segments: usize,
    /// Whole records.
    pub records: u64,
    /// Sequence of the first record; 0 when there is none.
    pub first: u64,
    /// Sequence of the last record; 0 when there is none.
    pub last: u64,
    /// Link of the last record, which stands for all before it; none in format version 1.
    pub link: Option<Link>,
    /// File, offset and kind of an end that a crash left torn, or that is being written now.
    pub torn: Option<(PathBuf, u64, &'static str)>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its segment.
    pub path: &'a Path,
    /// Its first byte there.
    pub offset: u64,
}

/// Gives every record to `visit`, in order, and answers what there is. Memory: one segment. Any thread, also beside the writer.
///
/// # Errors
/// [`JournalError::Format`] at the first byte that is not as it was written, or what `visit` answered.
pub fn survey(
    directory: &Path,
    visit: &mut dyn FnMut(Place<'_>, &Record<'_>) -> Result<(), JournalError>,
) -> Result<Survey, JournalError> {
    let begun: Vec<_> = segments(directory)?.into_iter().filter(|segment| segment.header.is_some()).collect();
    let mut found = Survey { segments: begun.len(), records: 0, first: 0, last: 0, link: None, torn: None };
    for (at, segment) in begun.iter().enumerate() {
        let Some(header) = segment.header else { continue };
        let bytes = std::fs::read(&segment.path).map_err(io("read", &segment.path))?;
        let end = walk(segment, header, &bytes, &mut found, visit)?;
        let later = begun.get(at + 1..).unwrap_or_default();
        let next_first = later.first().and_then(|next| next.header).map(|next| next.first);
        if next_first.is_some_and(|first| first == end.next) {
            continue;
        }
        end.check(claimed(later)?).map_err(format(&segment.path))?;
        if let Some(first) = next_first.filter(|first| *first < end.next) {
            let source = FormatError::Corrupt {
                offset: end.offset as u64,
                sequence: first,
                what: "the next segment begins with a record that this one holds already",
            };
            return Err(format(&segment.path)(source));
        }
        let torn = end.torn.or_else(|| (!later.is_empty()).then_some("segments follow that were never stored"));
        found.torn = torn.map(|what| (segment.path.clone(), end.offset as u64, what));
        break;
    }
    Ok(found)
}

fn walk(
    segment: &Segment,
    header: SegmentHeader,
    bytes: &[u8],
    found: &mut Survey,
    visit: &mut dyn FnMut(Place<'_>, &Record<'_>) -> Result<(), JournalError>,
) -> Result<ScanEnd, JournalError> {
    let before = (found.records > 0).then(|| found.link.unwrap_or(NO_LINK));
    let mut scanner = Scanner::new(bytes, SEGMENT_HEADER_LEN, header.first).behind(before);
    loop {
        let offset = scanner.offset() as u64;
        let Some(record) = scanner.record() else { return Ok(scanner.end()) };
        visit(Place { path: &segment.path, offset }, &record)?;
        found.records += 1;
        found.last = record.sequence;
        found.link = record.link;
        if found.first == 0 {
            found.first = record.sequence;
        }
    }
}
