//! Snapshot files: `snapshot-<sequence>`, whole before they get their name, the newest two kept.
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failpoint;

use super::directory::{open_file, sync_names};
use super::{JournalError, io};

/// The newest may be of a build that can't be gone back from, or damaged; the one before is the spare.
const KEPT: usize = 2;

/// Stores a snapshot taken behind record `sequence`, which must be on stable storage.
pub(super) fn store(directory: &Path, sequence: u64, bytes: &[u8]) -> Result<(), JournalError> {
    let unfinished = directory.join("snapshot.new");
    let mut file = open_file(&unfinished)?;
    file.set_len(0)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .map_err(io("write", &unfinished))?;
    let path = directory.join(format!("snapshot-{sequence:020}"));
    failpoint::reach("snapshot_half");
    fs::rename(&unfinished, &path).map_err(io("rename", &unfinished))?;
    sync_names(directory)?;
    failpoint::reach("snapshot_named");
    for old in newest_first(directory)?.iter().skip(KEPT) {
        fs::remove_file(old).map_err(io("remove", old))?;
    }
    Ok(())
}

/// Snapshot files, the newest first; none when the directory doesn't exist yet.
pub fn newest_first(directory: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io("list", directory)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(io("list", directory))?.path();
        if sequence_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort_unstable_by(|a, b| b.cmp(a));
    Ok(paths)
}

/// The record that a snapshot file stands behind, by its name.
pub(super) fn sequence_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("snapshot-")?.parse().ok()
}
