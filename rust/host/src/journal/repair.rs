//! Cuts a damaged journal behind its last good record. The damaged files are kept.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hlfast_core::journal::{FormatError, Scanner};

use super::directory::{Segment, lock, open_file, segments, sync_names, zero_fill};
use super::inspect::survey;
use super::snapshots::{newest_first, sequence_of};
use super::{JournalError, io};

/// So long after the journal's last write an order of a dropped record may still execute: 12 s of a reduction's life, 60 s
/// more of its fence's, and a margin.
const ORDERS_LIVE: Duration = Duration::from_secs(75);

/// What a repair would do, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The damaged segment.
    pub path: PathBuf,
    /// Its first byte that is dropped.
    pub offset: u64,
    /// The first record that is dropped.
    pub sequence: u64,
    /// What is wrong with it.
    pub what: String,
    /// Records behind it that can still be read and are dropped with it.
    pub readable: u64,
    /// Where the damaged files are kept.
    pub kept: PathBuf,
    /// How long to wait until no order of a dropped record can execute any more.
    pub wait: Duration,
}

/// What is to be repaired; `None`: nothing is, or only a torn end that every start cuts by itself.
///
/// # Errors
/// [`JournalError`] for a directory that can't be read or is of another version.
pub fn plan(directory: &Path) -> Result<Option<Repair>, JournalError> {
    let (path, offset, sequence, what) = match survey(directory, &mut |_, _| Ok(())) {
        Ok(_) => return Ok(None),
        Err(JournalError::Format { path, source: FormatError::Corrupt { offset, sequence, what } }) => {
            (path, offset, sequence, what.to_owned())
        }
        Err(other) => return Err(other),
    };
    let dropped = from(directory, &path)?;
    let mut readable = 0;
    let mut newest = SystemTime::UNIX_EPOCH;
    for segment in &dropped {
        let bytes = fs::read(&segment.path).map_err(io("read", &segment.path))?;
        let begins = if segment.path == path { usize::try_from(offset).unwrap_or(usize::MAX) } else { 0 };
        readable += Scanner::new(&bytes, begins, sequence).later_records();
        let written =
            fs::metadata(&segment.path).and_then(|data| data.modified()).map_err(io("read", &segment.path))?;
        newest = newest.max(written);
    }
    let age = SystemTime::now().duration_since(newest).unwrap_or_default();
    let kept = directory.join(format!("damaged-{sequence}"));
    Ok(Some(Repair { path, offset, sequence, what, readable, kept, wait: ORDERS_LIVE.saturating_sub(age) }))
}

/// Does what [`plan`] says: copies the damaged segment, those behind it and snapshots of dropped records, then cuts.
///
/// # Errors
/// [`JournalError`]: the writer still runs, orders of dropped records may still execute, or a file can't be copied. Nothing is
/// cut before everything is copied and stored.
pub fn repair(directory: &Path) -> Result<Option<Repair>, JournalError> {
    let _lock = lock(directory)?;
    let Some(repair) = plan(directory)? else { return Ok(None) };
    if !repair.wait.is_zero() {
        let seconds = repair.wait.as_secs() + 1;
        let text = format!("orders of records that would be dropped may still execute: try again in {seconds} s");
        return Err(JournalError::Refused(text));
    }
    let segments = from(directory, &repair.path)?;
    let mut snapshots = newest_first(directory)?;
    snapshots.retain(|path| sequence_of(path).is_some_and(|sequence| sequence >= repair.sequence));
    fs::create_dir(&repair.kept).map_err(io("create", &repair.kept))?;
    for path in segments.iter().map(|segment| &segment.path).chain(&snapshots) {
        copy(path, &repair.kept)?;
    }
    sync_names(&repair.kept)?;
    sync_names(directory)?;
    for path in snapshots.iter().chain(segments.iter().skip(1).map(|segment| &segment.path)) {
        fs::remove_file(path).map_err(io("remove", path))?;
    }
    let file = open_file(&repair.path)?;
    let length = file.metadata().map_err(io("read", &repair.path))?.len();
    zero_fill(&file, repair.offset, length).and_then(|()| file.sync_data()).map_err(io("cut", &repair.path))?;
    sync_names(directory)?;
    Ok(Some(repair))
}

/// The segment at `path` and those begun after it.
fn from(directory: &Path, path: &Path) -> Result<Vec<Segment>, JournalError> {
    let begun = segments(directory)?.into_iter().filter(|segment| segment.header.is_some());
    Ok(begun.skip_while(|segment| segment.path != path).collect())
}

/// Copies a file into a directory, to stable storage.
pub(super) fn copy(path: &Path, into: &Path) -> Result<(), JournalError> {
    let to = into.join(path.file_name().unwrap_or_default());
    fs::copy(path, &to).map_err(io("copy", path))?;
    open_file(&to)?.sync_all().map_err(io("sync", &to))
}
