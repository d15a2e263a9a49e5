//! The one writer: buffers records, hands them to the kernel in one write a group, rolls over to the next segment.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hlfast_core::journal::{Kind, Link, SEGMENT_HEADER_LEN, SegmentHeader, VERSION, record};
use hlfast_core::metrics::Metrics;

use crate::failpoint;

use super::directory::{open_file, reserve_path, segment_path, sync_names};
use super::flusher::{Flusher, Shared, Spare, is_full, locked};
use super::{Durability, JournalError, Options, format, io};

/// Records that led to no send wait in memory until this many bytes are together, a send needs them gone, or a tick.
pub const BUFFER_BYTES: usize = 64 << 10;

/// The journal, open for writing. One thread at a time.
#[derive(Debug)]
pub struct Journal {
    durability: Durability,
    shared: Arc<Shared>,
    segment: Arc<File>,
    path: PathBuf,
    /// Size that the current segment was made with; writes beyond it would append.
    size: u64,
    offset: u64,
    buffer: Vec<u8>,
    next: u64,
    /// Of the newest record.
    link: Link,
    in_reserve: bool,
    flusher: Option<Flusher>,
    lock: Option<File>,
}

/// Where writing goes on after recovery.
#[derive(Debug)]
pub(super) struct Position {
    pub index: u64,
    pub offset: u64,
    pub next: u64,
    pub newest: u64,
    pub link: Link,
    /// Format version of the segment.
    pub version: u16,
}

impl Journal {
    pub(super) fn at(
        directory: &Path,
        lock: File,
        position: &Position,
        spare: Option<Spare>,
        options: Options,
        metrics: Arc<Metrics>,
    ) -> Result<Journal, JournalError> {
        let path = segment_path(directory, position.index);
        let segment = Arc::new(open_file(&path)?);
        let length = segment.metadata().map_err(io("read", &path))?.len();
        // A segment of the version before is full: no file holds records of two.
        let size = if position.version == VERSION { length } else { position.offset };
        let shared = Arc::new(Shared::new(
            directory.to_owned(),
            options.segment_bytes,
            segment.clone(),
            position.newest,
            options.simulated,
            metrics,
        ));
        shared.written.store(position.next - 1, Ordering::Release);
        shared.left.store(size.saturating_sub(position.offset), Ordering::Relaxed);
        *locked(&shared.spare) = spare;
        let flusher = if options.simulated {
            None
        } else {
            Some(Flusher::start(shared.clone()).map_err(io("start the thread for", directory))?)
        };
        Ok(Journal {
            durability: options.durability,
            shared,
            segment,
            path,
            size,
            offset: position.offset,
            buffer: Vec::with_capacity(2 * BUFFER_BYTES),
            next: position.next,
            link: position.link,
            in_reserve: false,
            flusher,
            lock: Some(lock),
        })
    }

    /// When a record counts as written down.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Sequence that the next record will have.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Highest sequence known to be on stable storage.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.shared.synced.load(Ordering::Acquire)
    }

    /// The disk is full and the emergency reserve is in use: only what lowers risk may still be recorded and sent.
    #[must_use]
    pub fn in_reserve(&self) -> bool {
        self.in_reserve
    }

    /// Adds a record to the buffer; `payload` appends its content. Nothing is written yet unless the buffer is full.
    ///
    /// # Errors
    /// [`JournalError::Stopped`] after an earlier failure; [`JournalError::Format`] for a payload that is too long.
    pub fn append(&mut self, kind: Kind, payload: impl FnOnce(&mut Vec<u8>)) -> Result<u64, JournalError> {
        self.check()?;
        let begun = record::begin(&mut self.buffer);
        payload(&mut self.buffer);
        let sequence = self.next;
        let synced = self.synced();
        self.link =
            record::seal(&mut self.buffer, begun, kind, sequence, synced, &self.link).map_err(format(&self.path))?;
        self.next += 1;
        self.shared.metrics.journal_records.add(1);
        if self.buffer.len() >= BUFFER_BYTES {
            self.write()?;
        }
        Ok(sequence)
    }

    /// Hands everything buffered to the kernel in one write. After it the records survive `kill -9`.
    ///
    /// # Errors
    /// [`JournalError`]; nothing that depends on the records may then be sent.
    pub fn write(&mut self) -> Result<(), JournalError> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let ends = self.offset + self.buffer.len() as u64 > self.size;
        let written = if self.leaves_reserve() || ends { self.roll() } else { self.write_here() };
        self.settle(written)
    }

    /// Counts a write that succeeded; turns to the reserve when the disk was full; stops the journal otherwise.
    fn settle(&mut self, written: Result<(), JournalError>) -> Result<(), JournalError> {
        let written = match written {
            Err(error) if is_full(&error) && !self.in_reserve => self.turn_to_reserve(),
            other => other,
        };
        if let Err(error) = written {
            self.shared.fail(error.to_string());
            return Err(error);
        }
        failpoint::reach("written");
        let length = self.buffer.len() as u64;
        self.offset += length;
        self.buffer.clear();
        self.shared.left.store(self.size.saturating_sub(self.offset), Ordering::Relaxed);
        self.shared.metrics.journal_bytes.add(length);
        self.shared.written.store(self.next - 1, Ordering::Release);
        Ok(())
    }

    /// Puts everything written on stable storage, on the calling thread: about 0.15 ms.
    ///
    /// # Errors
    /// [`JournalError::Stopped`]: a sync that failed once is never tried again, for the kernel may have dropped the pages.
    pub fn sync(&self) -> Result<(), JournalError> {
        if let Err(error) = self.shared.sync() {
            self.shared.fail(format!("fdatasync of {}: {error}", self.path.display()));
        }
        self.check()
    }

    /// Leaves a snapshot, taken behind the newest record, to be stored once that record is.
    pub fn offer_snapshot(&self, bytes: Vec<u8>) {
        *locked(&self.shared.snapshot) = Some((self.next - 1, bytes));
    }

    /// Writes, syncs and stores everything that waits: the orderly end.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn settle_down(&mut self) -> Result<(), JournalError> {
        self.write()?;
        self.sync()?;
        self.shared.store_snapshot()
    }

    /// True when a sync must come before anything is sent.
    #[must_use]
    pub fn needs_sync(&self) -> bool {
        self.durability == Durability::Durable && self.shared.written.load(Ordering::Acquire) > self.synced()
    }

    fn check(&self) -> Result<(), JournalError> {
        if !self.shared.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(JournalError::Stopped { why: locked(&self.shared.why).clone() })
    }

    fn write_here(&self) -> Result<(), JournalError> {
        if failpoint::is_next("mid_record") {
            let half = self.buffer.get(..self.buffer.len() / 2).unwrap_or_default();
            self.shared.write_at(&self.segment, half, self.offset, self.in_reserve).map_err(io("write", &self.path))?;
        }
        failpoint::reach("mid_record");
        self.shared.write_at(&self.segment, &self.buffer, self.offset, self.in_reserve).map_err(io("write", &self.path))
    }

    /// There is room for a whole segment again.
    fn leaves_reserve(&self) -> bool {
        self.in_reserve && !self.shared.full.load(Ordering::Acquire)
    }

    /// Goes on in the spare segment, or in a new one when none is there yet. On a full disk the spare's blocks, as far as it
    /// has any, only prolong the reserve.
    fn roll(&mut self) -> Result<(), JournalError> {
        let is_left = self.leaves_reserve();
        let taken = locked(&self.shared.spare).take();
        let spare = match taken {
            Some(spare) => spare,
            None => self.make_segment()?,
        };
        let path = segment_path(&self.shared.directory, spare.index);
        self.begin_segment(spare.file, path, spare.filled.max(self.shared.segment_bytes))?;
        self.in_reserve &= !is_left;
        Ok(())
    }

    fn make_segment(&self) -> Result<Spare, JournalError> {
        // The spare's lock keeps the flusher from choosing the same index.
        let _spare = locked(&self.shared.spare);
        self.shared.room().map_err(io("make", &self.shared.directory))?;
        let index = self.shared.newest.load(Ordering::Acquire) + 1;
        let file = Arc::new(open_file(&segment_path(&self.shared.directory, index))?);
        sync_names(&self.shared.directory)?;
        self.shared.newest.store(index, Ordering::Release);
        Ok(Spare { index, file, filled: 0 })
    }

    /// Writes the segment's header and the buffered group behind it in one write.
    fn begin_segment(&mut self, file: Arc<File>, path: PathBuf, size: u64) -> Result<(), JournalError> {
        let first = record::peek(&self.buffer).map_or(self.next, |(sequence, _)| sequence);
        let header = SegmentHeader::new(first, self.synced()).encode();
        let mut group = Vec::with_capacity(header.len() + self.buffer.len());
        group.extend_from_slice(&header);
        group.extend_from_slice(&self.buffer);
        if let Err(error) = self.shared.write_at(&file, &group, 0, self.in_reserve) {
            // A header without its whole group must not look like a begun segment.
            file.set_len(0).map_err(io("cut", &path))?;
            return Err(io("write", &path)(error));
        }
        failpoint::reach("segment_begun");
        let mut files = locked(&self.shared.files);
        let full = std::mem::replace(&mut files.current, file.clone());
        files.retired.push(full);
        drop(files);
        self.segment = file;
        self.path = path;
        self.size = size;
        self.offset = SEGMENT_HEADER_LEN as u64;
        Ok(())
    }

    /// The disk is full: the zero-filled reserve becomes the next segment. A rename needs no new blocks.
    fn turn_to_reserve(&mut self) -> Result<(), JournalError> {
        // Part of the group may have reached the segment: cut it, the whole group goes to the reserve.
        self.segment.set_len(self.offset).map_err(io("cut", &self.path))?;
        let reserve = reserve_path(&self.shared.directory);
        // As in `make_segment`: under the flusher's own choice the rename would put the reserve in the place of its spare,
        // and what is written to a file without a name is lost.
        let spare = locked(&self.shared.spare);
        let index = self.shared.newest.fetch_add(1, Ordering::AcqRel) + 1;
        drop(spare);
        let path = segment_path(&self.shared.directory, index);
        std::fs::rename(&reserve, &path).map_err(io("rename", &reserve))?;
        sync_names(&self.shared.directory)?;
        let file = Arc::new(open_file(&path)?);
        let size = file.metadata().map_err(io("read", &path))?.len();
        self.in_reserve = true;
        self.shared.full.store(true, Ordering::Release);
        self.begin_segment(file, path, size)
    }
}

/// What only simulations do.
impl Journal {
    /// What the journal's own thread does every few milliseconds, where there is no such thread.
    pub fn round(&self) {
        if self.flusher.is_none() {
            self.shared.turn();
        }
    }

    /// Ends as a killed process does: what waits in memory is gone, the lock is free. With a seed the power fails too, and
    /// takes some of what was not synced. Only for a simulated disk; another one keeps what the kernel has.
    ///
    /// # Errors
    /// [`JournalError::Io`]: the files could not be put back.
    pub fn crash(&mut self, power_fails: Option<u64>) -> Result<(), JournalError> {
        self.buffer.clear();
        self.shared.fail("killed by the simulation".to_owned());
        if let (Some(disk), Some(seed)) = (&self.shared.disk, power_fails) {
            disk.lose_power(seed).map_err(io("restore", &self.path))?;
        }
        self.lock = None;
        Ok(())
    }

    /// Whether the disk is a simulated one.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.shared.disk.is_some()
    }

    /// Fills the simulated disk up, or makes room again.
    pub fn set_disk_full(&self, full: bool) {
        if let Some(disk) = &self.shared.disk {
            disk.set_full(full);
        }
    }
}

#[cfg(test)]
impl Journal {
    pub(super) fn write_on_a_full_disk(&mut self) -> Result<(), JournalError> {
        self.settle(Err(io("write", &self.path)(std::io::ErrorKind::StorageFull.into())))
    }

    pub(super) fn simulate_failure(&self) {
        self.shared.fail("a test says so".to_owned());
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // An orderly end loses nothing; after a failure there is nobody left to tell, and the next start finds out.
        if self.write().is_ok() {
            let _ = self.sync();
        }
    }
}
