//! Presignatures kept ready, refilled by a thread that never touches Python and lets every other thread go first.
//!
//! A presignature is secret until it is used and deadly when used twice, so: nothing is persisted; a fork finds its pools
//! dead; a repeated r stops its signer; an empty pool, a busy one or a dead one means plain hedged signing, never a wait.
use crate::calm::{Calm, Patience};
use crate::keys::Keyring;
use crate::memory::{self, ForkGuard};
use hlfast_core::sign::{Digest, Presignature, Refill, SignError, Signature, Signer};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Presignatures of one refill step: long enough to share its inversion and its check, short enough (0.4 ms) to yield.
const STEP: usize = 16;
/// The thread looks again by itself after this long: taking from a pool must not cost a system call to wake it.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Values of r remembered per signer beyond those still in the pool.
const REMEMBERED: usize = 256;

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// From the pool.
    Presigned,
    /// The pool was empty or is off.
    Hedged,
}

/// Why nothing was signed. The attempt was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SignFault {
    /// A guard or the verifier stopped this signer for the life of the process.
    #[error("this signer is stopped: one of its signatures failed a check; restart with a new agent key")]
    Stopped,
    /// The process was forked after its keys were loaded.
    #[error("this process is a fork of the one that loaded the keys; start workers by spawn")]
    Forked,
    /// The system gave no randomness.
    #[error("no entropy from the operating system: {0}")]
    Entropy(#[from] io::Error),
    /// Arithmetic refused.
    #[error(transparent)]
    Refused(#[from] SignError),
}

/// Counters since start, and what is ready now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Ready now, over all signers.
    pub ready: u64,
    /// Made since start.
    pub made: u64,
    /// Taken since start.
    pub taken: u64,
    /// Times that nothing was ready.
    pub empty: u64,
    /// Refills that failed: a fault, or no entropy.
    pub failed: u64,
}

#[derive(Default)]
struct Counters {
    made: AtomicU64,
    taken: AtomicU64,
    empty: AtomicU64,
    failed: AtomicU64,
}

struct Slot {
    signer: Arc<Signer>,
    ready: Mutex<Vec<Presignature>>,
    recent: Mutex<VecDeque<[u8; 16]>>,
}

struct Shared {
    slots: Box<[Slot]>,
    keyring: Keyring,
    depth: usize,
    guard: ForkGuard,
    counters: Counters,
    ending: AtomicBool,
    started: u64,
    refills: AtomicU64,
}

/// One bounded pool per signer of a keyring, under the keyring's numbers. Dropping it wipes everything and joins the thread.
pub struct Pools {
    shared: Arc<Shared>,
    refiller: Option<JoinHandle<()>>,
}

impl Pools {
    /// Starts refilling to `depth` presignatures a signer; 0 means that every signature is hedged and no thread runs.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(keyring: &Keyring, depth: usize, calm: Calm) -> io::Result<Pools> {
        let slot = |signer: &Arc<Signer>| Slot {
            signer: Arc::clone(signer),
            // Full capacity at once: a vector that grows leaves copies of what it held.
            ready: Mutex::new(Vec::with_capacity(depth + STEP)),
            recent: Mutex::new(VecDeque::with_capacity(if depth == 0 { 0 } else { REMEMBERED })),
        };
        let shared = Arc::new(Shared {
            slots: keyring.signers().map(slot).collect(),
            keyring: keyring.share(),
            depth,
            guard: ForkGuard::new(),
            counters: Counters::default(),
            ending: AtomicBool::new(false),
            started: memory::process_start(),
            refills: AtomicU64::new(0),
        });
        let refiller = if depth == 0 || shared.slots.is_empty() {
            None
        } else {
            let shared = Arc::clone(&shared);
            Some(thread::Builder::new().name("hlfast-presign".into()).spawn(move || shared.run(calm))?)
        };
        Ok(Pools { shared, refiller })
    }

    /// A presignature, if one is ready. Never waits.
    #[must_use]
    pub fn take(&self, index: usize) -> Option<Presignature> {
        let slot = self.shared.slots.get(index)?;
        let taken = if self.shared.guard.same_process() && !self.shared.keyring.is_stopped(index) {
            // Held elsewhere only while the refiller appends; the caller signs hedged rather than wait for it.
            slot.ready.try_lock().ok().and_then(|mut ready| ready.pop())
        } else {
            None
        };
        let counter = if taken.is_some() { &self.shared.counters.taken } else { &self.shared.counters.empty };
        counter.fetch_add(1, Ordering::Relaxed);
        taken
    }

    /// Signs with a presignature when one is ready, else hedged with fresh entropy.
    ///
    /// # Errors
    /// `Stopped` and `Forked` are final; nothing was signed.
    pub fn sign(&self, index: usize, digest: &Digest) -> Result<(Signature, Made), SignFault> {
        if !self.shared.guard.same_process() {
            return Err(SignFault::Forked);
        }
        let slot = self.shared.slots.get(index).ok_or(SignFault::Stopped)?;
        if self.shared.keyring.is_stopped(index) {
            return Err(SignFault::Stopped);
        }
        match self.take(index) {
            Some(ready) => Ok((slot.signer.sign_presigned(digest, ready)?, Made::Presigned)),
            None => Ok((slot.signer.sign_hedged(digest, memory::entropy()?), Made::Hedged)),
        }
    }

    /// Wakes the refiller: call after a fan-out has been written.
    pub fn refill(&self) {
        if let Some(refiller) = &self.refiller {
            refiller.thread().unpark();
        }
    }

    /// Counters for metrics.
    #[must_use]
    pub fn counts(&self) -> PoolCounts {
        let counters = &self.shared.counters;
        let ready =
            self.shared.slots.iter().filter_map(|slot| slot.ready.try_lock().ok()).map(|ready| ready.len() as u64);
        PoolCounts {
            ready: ready.sum(),
            made: counters.made.load(Ordering::Relaxed),
            taken: counters.taken.load(Ordering::Relaxed),
            empty: counters.empty.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Pools {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        // In a fork the thread does not exist: there is nobody to join.
        if self.shared.guard.same_process()
            && let Some(refiller) = self.refiller.take()
        {
            refiller.thread().unpark();
            // A refiller that panicked has nothing more to say; the pools die here either way.
            let _ = refiller.join();
        }
    }
}

impl Shared {
    fn run(&self, calm: Calm) {
        memory::lower_priority();
        let mut patience = Patience::new(calm);
        while !self.ending.load(Ordering::Acquire) {
            let mut full = true;
            for index in 0..self.slots.len() {
                if self.ending.load(Ordering::Acquire) {
                    return;
                }
                full &= self.top_up(index, &mut patience);
            }
            if full {
                patience.restore();
                thread::park_timeout(LOOK_AGAIN);
            }
        }
    }

    /// One step for one signer; true when nothing is missing, or nothing can be made.
    fn top_up(&self, index: usize, patience: &mut Patience) -> bool {
        let Some(slot) = self.slots.get(index) else { return true };
        let ready = lock(&slot.ready).len();
        let missing = self.depth.saturating_sub(ready);
        if missing == 0 || self.keyring.is_stopped(index) {
            return true;
        }
        patience.give_way();
        match self.make(slot, missing.min(STEP)) {
            Ok(fresh) if self.is_new(slot, &fresh) => {
                self.counters.made.fetch_add(fresh.len() as u64, Ordering::Relaxed);
                lock(&slot.ready).extend(fresh);
                missing <= STEP
            }
            Ok(_) => self.halt(index),
            Err(SignFault::Entropy(_)) => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(_) => self.halt(index),
        }
    }

    fn make(&self, slot: &Slot, count: usize) -> Result<Vec<Presignature>, SignFault> {
        let refill = Refill {
            entropy: memory::entropy()?,
            pid: std::process::id(),
            started: self.started,
            counter: self.refills.fetch_add(1, Ordering::Relaxed),
        };
        let mut fresh = Vec::with_capacity(count);
        slot.signer.presign(&refill, count, &mut fresh)?;
        Ok(fresh)
    }

    /// No r of the pool's recent generations may come again: it would mean that two messages share a nonce.
    fn is_new(&self, slot: &Slot, fresh: &[Presignature]) -> bool {
        let mut recent = lock(&slot.recent);
        for presignature in fresh {
            let mut start = [0u8; 16];
            start.copy_from_slice(&presignature.r()[..16]);
            if recent.contains(&start) {
                return false;
            }
            if recent.len() >= REMEMBERED.max(self.depth * 2) {
                recent.pop_front();
            }
            recent.push_back(start);
        }
        true
    }

    fn halt(&self, index: usize) -> bool {
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        self.keyring.stop(index);
        if let Some(slot) = self.slots.get(index) {
            lock(&slot.ready).clear();
        }
        true
    }
}

/// A poisoned lock only means that a thread died between two whole operations on a vector: its content is still whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
