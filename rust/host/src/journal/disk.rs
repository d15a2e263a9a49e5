//! A disk for simulations: a crash takes what no sync covered, whole writes or single sectors, and it can be full.
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::flusher::locked;
use crate::splitmix::SplitMix;

/// A disk writes so much whole; between two of them it may lose power.
const SECTOR: usize = 512;

/// Remembers what lay under each write until a sync.
#[derive(Debug, Default)]
pub(super) struct SimulatedDisk {
    unsynced: Mutex<Vec<Write>>,
    full: AtomicBool,
}

#[derive(Debug)]
struct Write {
    file: Arc<File>,
    offset: u64,
    before: Vec<u8>,
}

impl SimulatedDisk {
    /// Writes, unless the disk is full and nothing was `reserved`.
    pub fn write(&self, file: &Arc<File>, bytes: &[u8], offset: u64, reserved: bool) -> Result<(), Error> {
        if self.full.load(Ordering::Acquire) && !reserved {
            return Err(ErrorKind::StorageFull.into());
        }
        let mut before = vec![0; bytes.len()];
        let mut have = 0;
        while let Some(rest) = before.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + have as u64)? {
                0 => break,
                read => have += read,
            }
        }
        file.write_all_at(bytes, offset)?;
        locked(&self.unsynced).push(Write { file: file.clone(), offset, before });
        Ok(())
    }

    /// Everything written so far is on stable storage.
    pub fn synced(&self) {
        locked(&self.unsynced).clear();
    }

    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    /// The power fails: of each write since the last sync all, nothing or some sectors are there afterwards.
    pub fn lose_power(&self, seed: u64) -> Result<(), Error> {
        let mut random = SplitMix::new(seed);
        for write in locked(&self.unsynced).drain(..).rev() {
            let fate = random.next() % 3;
            for (at, before) in (0u64..).zip(write.before.chunks(SECTOR)) {
                if fate == 0 || (fate == 1 && random.next().is_multiple_of(2)) {
                    write.file.write_all_at(before, write.offset + at * SECTOR as u64)?;
                }
            }
        }
        Ok(())
    }
}
