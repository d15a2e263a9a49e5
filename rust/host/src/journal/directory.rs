//! The directory's files: names, lock, segment list.
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hlfast_core::journal::{SEGMENT_HEADER_LEN, SegmentHeader};

use super::{JournalError, format, io};

const EXTENSION: &str = "hlj";

/// A segment file and what its first bytes say; `header` is `None` for one that is made ahead.
#[derive(Debug)]
pub(super) struct Segment {
    pub index: u64,
    pub path: PathBuf,
    pub header: Option<SegmentHeader>,
}

pub(super) fn segment_path(directory: &Path, index: u64) -> PathBuf {
    directory.join(format!("{index:08}.{EXTENSION}"))
}

pub(super) fn reserve_path(directory: &Path) -> PathBuf {
    directory.join("reserve")
}

/// All segments: the begun ones in the order of their records, then those made ahead. The index is only a name: a
/// segment made ahead may be begun after the reserve, which has a higher one.
pub(super) fn segments(directory: &Path) -> Result<Vec<Segment>, JournalError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory).map_err(io("list", directory))? {
        let path = entry.map_err(io("list", directory))?.path();
        let named = path.extension().is_some_and(|extension| extension == EXTENSION);
        let index = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let (true, Some(index)) = (named, index) else { continue };
        let header = SegmentHeader::parse(&first_bytes(&path)?).map_err(format(&path))?;
        segments.push(Segment { index, path, header });
    }
    segments
        .sort_by_key(|segment| (segment.header.is_none(), segment.header.map(|header| header.first), segment.index));
    Ok(segments)
}

fn first_bytes(path: &Path) -> Result<Vec<u8>, JournalError> {
    let file = File::open(path).map_err(io("open", path))?;
    let mut bytes = vec![0; SEGMENT_HEADER_LEN];
    let mut have = 0;
    while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, have as u64).map_err(io("read", path))? {
            0 => break,
            read => have += read,
        }
    }
    bytes.truncate(have);
    Ok(bytes)
}

/// Creates the directory when it is missing and takes its lock, which the kernel drops with the process.
pub(super) fn lock(directory: &Path) -> Result<File, JournalError> {
    fs::create_dir_all(directory).map_err(io("create", directory))?;
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            return Err(JournalError::InUse { directory: directory.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => return Err(JournalError::Io { doing: "lock", path, source }),
    }
    file.set_len(0).map_err(io("write", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(io("write", &path))?;
    Ok(file)
}

/// Makes created, renamed and removed names durable.
pub(super) fn sync_names(directory: &Path) -> Result<(), JournalError> {
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(io("sync", directory))
}

/// Opens a file for reading and writing, creating it (owner only) when it is missing.
pub(super) fn open_file(path: &Path) -> Result<File, JournalError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(io("open", path))
}

/// Writes zeros from `from` up to `to`.
pub(super) fn zero_fill(file: &File, from: u64, to: u64) -> std::io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).unwrap_or(usize::MAX).min(ZEROS.len());
        file.write_all_at(ZEROS.get(..length).unwrap_or_default(), at)?;
        at += length as u64;
    }
    Ok(())
}
