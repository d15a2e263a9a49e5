//! Moves old segments out of a journal. Nobody does it unasked.
use std::fs;
use std::path::{Path, PathBuf};

use hlfast_core::journal::Snapshot;

use super::directory::{segments, sync_names};
use super::repair::copy;
use super::snapshots::newest_first;
use super::{JournalError, io};

/// Moves the segments whose records all lie before the older of two readable snapshots and up to `read`, the record up to
/// which every projection has read; answers their new paths. Any process, also beside the writer: it writes to newer ones.
///
/// # Errors
/// [`JournalError`]: fewer than two readable snapshots, or a file that can't be copied. A segment goes only after its copy is
/// on stable storage.
pub fn archive(directory: &Path, to: &Path, read: u64) -> Result<Vec<PathBuf>, JournalError> {
    let mut stand: Vec<u64> = Vec::new();
    for path in newest_first(directory)? {
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        stand.extend(Snapshot::parse(&bytes).map(|snapshot| snapshot.sequence));
    }
    let Some(older) = stand.get(1) else {
        let text =
            format!("{}: two readable snapshots must stand behind what goes, {} do", directory.display(), stand.len());
        return Err(JournalError::Refused(text));
    };
    let upto = read.min(*older);
    fs::create_dir_all(to).map_err(io("create", to))?;
    let begun: Vec<_> = segments(directory)?.into_iter().filter(|segment| segment.header.is_some()).collect();
    let mut moved = Vec::new();
    for pair in begun.windows(2) {
        let [segment, next] = pair else { continue };
        // The segment that holds record `upto` stays: the next start ties on to it.
        if next.header.is_none_or(|header| header.first > upto) {
            break;
        }
        copy(&segment.path, to)?;
        sync_names(to)?;
        fs::remove_file(&segment.path).map_err(io("remove", &segment.path))?;
        moved.push(to.join(segment.path.file_name().unwrap_or_default()));
    }
    sync_names(directory)?;
    Ok(moved)
}
