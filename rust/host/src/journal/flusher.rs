//! The journal's own thread: syncs what was written without one, and makes the next segment ahead of its use.
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hlfast_core::metrics::Metrics;

use crate::failpoint;

use super::directory::{open_file, reserve_path, segment_path, sync_names, zero_fill};
use super::disk::SimulatedDisk;
use super::{JournalError, io, snapshots};

/// Rest between two rounds: what `relaxed` may lose at power loss is this and one sync, within the 10 ms that are promised.
const ROUND: Duration = Duration::from_millis(6);
/// Zeros written a round: gentle, because a hot sync waits behind them.
const GENTLE: u64 = 256 << 10;
/// Zeros written a round when the current segment is about to end: a sync behind them waits half a second on a slow disk.
const HURRY: u64 = 4 << 20;
/// "About to end": room for a few fan-outs to a thousand followers. A spare that is not whole by then can be used as it is.
const HURRY_BELOW: u64 = 1 << 20;
/// Rounds to wait before trying again on a full disk (about a second).
const FULL_ROUNDS: u32 = 150;

/// A segment in the making; ready when `filled` has reached the size wanted.
#[derive(Debug)]
pub(super) struct Spare {
    pub index: u64,
    pub file: Arc<File>,
    pub filled: u64,
}

/// Bytes kept for reductions while the disk is full: some thousand records of one reducing action each.
const RESERVE_BYTES: u64 = 4 << 20;

/// Files that may hold unsynced records.
#[derive(Debug)]
pub(super) struct Files {
    pub current: Arc<File>,
    /// Full segments whose last records are not known to be stored.
    pub retired: Vec<Arc<File>>,
}

/// What the writer and the flusher share.
#[derive(Debug)]
pub(super) struct Shared {
    pub directory: PathBuf,
    pub segment_bytes: u64,
    pub files: Mutex<Files>,
    pub spare: Mutex<Option<Spare>>,
    /// Index of the newest segment that exists or is in the making.
    pub newest: AtomicU64,
    /// Highest sequence handed to the kernel.
    pub written: AtomicU64,
    /// Highest sequence known to be on stable storage.
    pub synced: AtomicU64,
    /// Bytes free in the current segment.
    pub left: AtomicU64,
    /// The disk has no room for the next segment.
    pub full: AtomicBool,
    pub failed: AtomicBool,
    pub why: Mutex<String>,
    stop: AtomicBool,
    /// A snapshot to store once the record it stands behind is.
    pub snapshot: Mutex<Option<(u64, Vec<u8>)>>,
    /// Held while one is written: the next would be written into the same unfinished file.
    storing: Mutex<()>,
    pub metrics: Arc<Metrics>,
    /// `None`: the system's.
    pub disk: Option<SimulatedDisk>,
}

/// Locks; a panic of another holder is no reason to panic too, for each critical section leaves the data whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(
        directory: PathBuf,
        segment_bytes: u64,
        current: Arc<File>,
        newest: u64,
        simulated: bool,
        metrics: Arc<Metrics>,
    ) -> Shared {
        Shared {
            directory,
            segment_bytes,
            files: Mutex::new(Files { current, retired: Vec::new() }),
            spare: Mutex::new(None),
            newest: AtomicU64::new(newest),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            left: AtomicU64::new(0),
            full: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            why: Mutex::new(String::new()),
            stop: AtomicBool::new(false),
            snapshot: Mutex::new(None),
            storing: Mutex::new(()),
            metrics,
            disk: simulated.then(SimulatedDisk::default),
        }
    }

    /// Writes to a file, of which the bytes there were `reserved` before the disk was full or not.
    pub fn write_at(&self, file: &Arc<File>, bytes: &[u8], offset: u64, reserved: bool) -> std::io::Result<()> {
        match &self.disk {
            None => file.write_all_at(bytes, offset),
            Some(disk) => disk.write(file, bytes, offset, reserved),
        }
    }

    /// Refuses when a simulated disk is full; the system's own says so when it is written to.
    pub fn room(&self) -> std::io::Result<()> {
        if self.disk.as_ref().is_some_and(SimulatedDisk::is_full) { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Records the first failure. Whatever the disk holds now, only a new start may find out.
    pub fn fail(&self, why: String) {
        let mut first = locked(&self.why);
        if !self.failed.swap(true, Ordering::AcqRel) {
            *first = why;
        }
    }

    /// Puts everything written so far on stable storage.
    pub fn sync(&self) -> std::io::Result<()> {
        let written = self.written.load(Ordering::Acquire);
        if written <= self.synced.load(Ordering::Acquire) {
            return Ok(());
        }
        let (current, retired) = {
            let files = locked(&self.files);
            (files.current.clone(), files.retired.clone())
        };
        failpoint::reach("before_sync");
        let begun = Instant::now();
        for file in &retired {
            file.sync_data()?;
        }
        current.sync_data()?;
        self.metrics.journal_sync.record_shared(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if !retired.is_empty() {
            // A roll meanwhile only added to the list; both threads may have synced the same files, which is harmless.
            locked(&self.files).retired.retain(|file| !retired.iter().any(|done| Arc::ptr_eq(done, file)));
        }
        if let Some(disk) = &self.disk {
            disk.synced();
        }
        self.synced.fetch_max(written, Ordering::AcqRel);
        failpoint::reach("after_sync");
        Ok(())
    }

    fn round(&self) {
        if self.failed.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.sync() {
            self.fail(format!("fdatasync in {}: {error}", self.directory.display()));
            return;
        }
        // One that can't be stored is only missed at the next start; the journal itself has everything.
        let _ = self.store_snapshot();
    }

    /// A round, and a step of the preparations.
    pub fn turn(&self) {
        self.round();
        // On a full disk the segment in use still has room; the writer turns to the reserve when it has not.
        let _ = self.prepare();
    }

    /// Stores the snapshot that waits, if the journal is on stable storage up to it. One that is being stored is whole on
    /// return.
    pub fn store_snapshot(&self) -> Result<(), JournalError> {
        let _one_at_a_time = locked(&self.storing);
        let waiting = locked(&self.snapshot).take_if(|(sequence, _)| *sequence <= self.synced.load(Ordering::Acquire));
        let Some((sequence, bytes)) = waiting else { return Ok(()) };
        snapshots::store(&self.directory, sequence, &bytes)
    }

    /// One step towards a whole reserve and a whole spare.
    fn prepare(&self) -> Result<(), JournalError> {
        self.room().map_err(io("prepare", &self.directory))?;
        let reserve = reserve_path(&self.directory);
        if !reserve.exists() {
            return make_reserve(&self.directory, &reserve);
        }
        let Some((file, path)) = self.zero_more()? else { return Ok(()) };
        file.sync_data().map_err(io("sync", &path))
    }

    /// Adds some zeros to the spare. The lock is held meanwhile, so that the writer never takes a spare whose blocks are
    /// being zeroed under it; the sync comes after.
    fn zero_more(&self) -> Result<Option<(Arc<File>, PathBuf)>, JournalError> {
        let mut spare = locked(&self.spare);
        if spare.is_none() {
            let index = self.newest.load(Ordering::Acquire) + 1;
            let file = Arc::new(open_file(&segment_path(&self.directory, index))?);
            sync_names(&self.directory)?;
            failpoint::reach("segment_named");
            self.newest.store(index, Ordering::Release);
            *spare = Some(Spare { index, file, filled: 0 });
        }
        let Some(spare) = spare.as_mut().filter(|spare| spare.filled < self.segment_bytes) else {
            self.full.store(false, Ordering::Release);
            return Ok(None);
        };
        let missing = self.segment_bytes - spare.filled;
        let step = if self.left.load(Ordering::Relaxed) < HURRY_BELOW { HURRY } else { GENTLE };
        let to = spare.filled + step.min(missing);
        let path = segment_path(&self.directory, spare.index);
        zero_fill(&spare.file, spare.filled, to).map_err(io("write", &path))?;
        spare.filled = to;
        Ok(Some((spare.file.clone(), path)))
    }
}

/// Runs the rounds until dropped.
#[derive(Debug)]
pub(super) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub fn start(shared: Arc<Shared>) -> std::io::Result<Flusher> {
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("hlfast-journal".to_owned()).spawn(move || run(&own))?;
        Ok(Flusher { shared, thread: Some(thread) })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread returns nothing; a panic in it was already printed.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared) {
    let mut resting = 0;
    while !shared.stop.load(Ordering::Acquire) {
        shared.round();
        if resting > 0 {
            resting -= 1;
        } else {
            match shared.prepare() {
                Ok(()) => {}
                // The segment in use still has room; the writer turns to the reserve when it has not.
                Err(_) => resting = FULL_ROUNDS,
            }
        }
        std::thread::park_timeout(ROUND);
    }
}

pub(super) fn is_full(error: &JournalError) -> bool {
    let JournalError::Io { source, .. } = error else { return false };
    matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Makes the reserve whole before it gets its name.
fn make_reserve(directory: &Path, reserve: &Path) -> Result<(), JournalError> {
    let unfinished = reserve.with_extension("new");
    let file = open_file(&unfinished)?;
    zero_fill(&file, 0, RESERVE_BYTES).and_then(|()| file.sync_data()).map_err(io("write", &unfinished))?;
    std::fs::rename(&unfinished, reserve).map_err(io("rename", &unfinished))?;
    sync_names(directory)
}
