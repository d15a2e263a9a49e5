//! Opens a journal: lock, check, read back, cut what a crash left torn, go on behind it.
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use hlfast_core::journal::{
    FormatError, Link, NO_LINK, Record, SEGMENT_HEADER_LEN, ScanEnd, Scanner, SegmentHeader, VERSION,
};
use hlfast_core::metrics::Metrics;

use crate::failpoint::{self, FIRST_SEGMENT_BYTES};

use super::directory::{Segment, lock, open_file, segment_path, segments, sync_names, zero_fill};
use super::flusher::Spare;
use super::writer::{Journal, Position};
use super::{JournalError, Options, format, io};

/// What recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Records read back.
    pub records: u64,
    /// The last write was cut short by a crash and has been removed.
    pub torn: bool,
}

impl Journal {
    /// Opens or creates the journal in `directory`, takes its lock, and gives every record with a sequence above `after`
    /// to `replay`, in order.
    ///
    /// # Errors
    /// [`JournalError`]: another writer, a damaged or foreign file, a refusal of the system, or what `replay` answered.
    pub fn open(
        directory: &Path,
        options: Options,
        metrics: Arc<Metrics>,
        after: u64,
        replay: &mut dyn FnMut(&Record<'_>) -> Result<(), JournalError>,
    ) -> Result<(Journal, Recovered), JournalError> {
        let lock = lock(directory)?;
        let all = segments(directory)?;
        let newest = all.iter().map(|segment| segment.index).max().unwrap_or(0);
        let (begun, ahead): (Vec<_>, Vec<_>) = all.into_iter().partition(|segment| segment.header.is_some());
        let spare = keep_one_spare(&ahead, options.segment_bytes)?;
        let Some(found) = read_all(&begun, after, replay)? else {
            let index = newest + 1;
            create_first(
                directory,
                index,
                if options.simulated { options.segment_bytes } else { FIRST_SEGMENT_BYTES },
            )?;
            let offset = SEGMENT_HEADER_LEN as u64;
            let position = Position { index, offset, next: 1, newest: index, link: NO_LINK, version: VERSION };
            let journal = Journal::at(directory, lock, &position, spare, options, metrics)?;
            return Ok((journal, Recovered { records: 0, torn: false }));
        };
        sync_names(directory)?;
        let Found { index, offset, next, link, version, .. } = found;
        let position = Position { index, offset, next, newest, link, version };
        let journal = Journal::at(directory, lock, &position, spare, options, metrics)?;
        Ok((journal, Recovered { records: found.records, torn: found.torn }))
    }
}

struct Found {
    index: u64,
    offset: u64,
    next: u64,
    link: Link,
    version: u16,
    records: u64,
    torn: bool,
}

/// Reads every begun segment; `None` when there is none.
fn read_all(
    begun: &[Segment],
    after: u64,
    replay: &mut dyn FnMut(&Record<'_>) -> Result<(), JournalError>,
) -> Result<Option<Found>, JournalError> {
    let mut records = 0;
    let mut link = None;
    refuse_missing(begun, after)?;
    for (at, segment) in begun.iter().enumerate() {
        let Some(header) = segment.header else { continue };
        let later = begun.get(at + 1..).unwrap_or_default();
        let next_first = later.first().and_then(|segment| segment.header).map(|header| header.first);
        // The last one is read even where replay begins behind it: the next record is tied to its last.
        if next_first.is_some_and(|first| first <= after) {
            continue;
        }
        let bytes = std::fs::read(&segment.path).map_err(io("read", &segment.path))?;
        let mut scanner = Scanner::new(&bytes, SEGMENT_HEADER_LEN, header.first).behind(link);
        while let Some(record) = scanner.record() {
            if record.sequence > after {
                records += 1;
                replay(&record)?;
            }
        }
        link = scanner.link();
        let end = scanner.end();
        match next_first {
            Some(first) if first == end.next => {}
            Some(first) if first < end.next => {
                let what = "the next segment begins with a record that this one holds already";
                return Err(format(&segment.path)(corrupt(&end, what)));
            }
            _ => {
                end.check(claimed(later)?).map_err(format(&segment.path))?;
                cut(segment, &end, bytes.len() as u64, later)?;
                let torn = end.torn.is_some() || !later.is_empty();
                return Ok(Some(Found {
                    index: segment.index,
                    offset: end.offset as u64,
                    next: end.next,
                    link: link.unwrap_or(NO_LINK),
                    version: header.version,
                    records,
                    torn,
                }));
            }
        }
    }
    Ok(None)
}

fn corrupt(end: &ScanEnd, what: &'static str) -> FormatError {
    FormatError::Corrupt { offset: end.offset as u64, sequence: end.next, what }
}

/// Refuses to begin in the middle: the records before the oldest segment were compacted away, and no snapshot reaches it.
pub(super) fn refuse_missing<'a>(begun: impl IntoIterator<Item = &'a Segment>, after: u64) -> Result<(), JournalError> {
    let oldest = begun.into_iter().next().and_then(|segment| Some((segment, segment.header?.first)));
    match oldest {
        Some((segment, first)) if first > after + 1 => {
            Err(JournalError::Compacted { path: segment.path.clone(), first, after })
        }
        _ => Ok(()),
    }
}

/// The highest stable sequence that `later` segments or their records claim.
pub(super) fn claimed(later: &[Segment]) -> Result<u64, JournalError> {
    let mut highest = 0;
    for segment in later {
        let Some(header) = segment.header else { continue };
        highest = highest.max(header.synced);
        let bytes = std::fs::read(&segment.path).map_err(io("read", &segment.path))?;
        let mut scanner = Scanner::new(&bytes, SEGMENT_HEADER_LEN, header.first);
        while let Some(record) = scanner.record() {
            highest = highest.max(record.synced);
        }
    }
    Ok(highest)
}

/// Removes what was never on stable storage: the torn rest of `segment`, and segments begun after it.
fn cut(segment: &Segment, end: &ScanEnd, length: u64, later: &[Segment]) -> Result<(), JournalError> {
    for lost in later {
        std::fs::remove_file(&lost.path).map_err(io("remove", &lost.path))?;
    }
    if end.torn.is_none() {
        return Ok(());
    }
    let file = open_file(&segment.path)?;
    zero_fill(&file, end.offset as u64, length).map_err(io("cut", &segment.path))?;
    failpoint::reach("tail_cut");
    file.sync_data().map_err(io("cut", &segment.path))
}

/// Of the segments made ahead one is kept, if it is zeros as it should be; a crash may have left more.
fn keep_one_spare(ahead: &[Segment], segment_bytes: u64) -> Result<Option<Spare>, JournalError> {
    let mut kept = None;
    for segment in ahead {
        let file = open_file(&segment.path)?;
        let filled = file.metadata().map_err(io("read", &segment.path))?.len();
        if kept.is_none() && filled <= segment_bytes && is_zero(&segment.path)? {
            kept = Some(Spare { index: segment.index, file: Arc::new(file), filled });
        } else {
            std::fs::remove_file(&segment.path).map_err(io("remove", &segment.path))?;
        }
    }
    Ok(kept)
}

fn is_zero(path: &Path) -> Result<bool, JournalError> {
    use std::io::Read;
    let mut file = File::open(path).map_err(io("open", path))?;
    let mut block = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut block).map_err(io("read", path))?;
        if read == 0 {
            return Ok(true);
        }
        if block.get(..read).unwrap_or_default().iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

fn create_first(directory: &Path, index: u64, bytes: u64) -> Result<(), JournalError> {
    let path = segment_path(directory, index);
    let file = open_file(&path)?;
    let header = SegmentHeader::new(1, 0).encode();
    zero_fill(&file, 0, bytes)
        .and_then(|()| std::os::unix::fs::FileExt::write_all_at(&file, &header, 0))
        .and_then(|()| file.sync_data())
        .map_err(io("write", &path))?;
    sync_names(directory)
}
