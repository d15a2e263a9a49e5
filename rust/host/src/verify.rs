//! Every signature that was sent is recovered once more, off the hot path: a fault must not go unseen twice.
use crate::calm::{Calm, Patience};
use crate::keys::Keyring;
use crate::memory;
use hlfast_core::sign::{Digest, Signature, recover};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Signatures per signer whose r is remembered.
const REMEMBERED: usize = 256;
/// Faults kept for the caller; the signer is stopped at the first one anyway.
const FAULTS_MAX: usize = 64;

/// One signature that left the process.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// The signer's number in the keyring.
    pub index: usize,
    /// What was signed.
    pub digest: Digest,
    /// What was sent.
    pub signature: Signature,
}

/// What the verifier found. Its signer is already stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another address, or none, comes back from the signature.
    WrongSigner {
        /// The signer's number.
        index: usize,
    },
    /// One r under two digests: whoever saw both has the key.
    RepeatedNonce {
        /// The signer's number.
        index: usize,
    },
}

/// A thread with a bounded queue.
pub struct Verifier {
    queue: Option<SyncSender<Sent>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ending: AtomicBool,
    checked: AtomicU64,
    dropped: AtomicU64,
    faults: Mutex<Vec<Fault>>,
}

impl Verifier {
    /// Starts the thread. Beyond `capacity` waiting signatures further ones go unchecked and are counted.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(keyring: &Keyring, capacity: usize, calm: Calm) -> io::Result<Verifier> {
        let (queue, waiting) = sync_channel(capacity);
        let shared = Arc::new(Shared::default());
        let worker = Worker { keyring: keyring.share(), shared: Arc::clone(&shared), seen: HashMap::new() };
        let thread = thread::Builder::new().name("hlfast-verify".into()).spawn(move || worker.run(&waiting, calm))?;
        Ok(Verifier { queue: Some(queue), shared, thread: Some(thread) })
    }

    /// Hands over one signature; never waits. False when the queue is full.
    pub fn submit(&self, sent: Sent) -> bool {
        let taken = match self.queue.as_ref().map(|queue| queue.try_send(sent)) {
            Some(Ok(())) => true,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => false,
        };
        if !taken {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Signatures checked since start, and those that found the queue full.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.checked.load(Ordering::Relaxed), self.shared.dropped.load(Ordering::Relaxed))
    }

    /// Faults found since the last call.
    #[must_use]
    pub fn take_faults(&self) -> Vec<Fault> {
        std::mem::take(&mut *self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.queue = None;
        self.shared.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // What the thread found is in `faults`; its own end says nothing more.
            let _ = thread.join();
        }
    }
}

struct Worker {
    keyring: Keyring,
    shared: Arc<Shared>,
    seen: HashMap<usize, VecDeque<([u8; 32], Digest)>>,
}

impl Worker {
    fn run(mut self, waiting: &Receiver<Sent>, calm: Calm) {
        memory::lower_priority();
        let mut patience = Patience::new(calm);
        // Polled, not blocked on: waking a blocked receiver would cost the hot path a system call.
        loop {
            let ending = self.shared.ending.load(Ordering::Acquire);
            while let Ok(sent) = waiting.try_recv() {
                patience.give_way();
                self.check(&sent);
            }
            patience.restore();
            if ending {
                return;
            }
            thread::park_timeout(LOOK_AGAIN);
        }
    }

    fn check(&mut self, sent: &Sent) {
        let wanted = self.keyring.signer(sent.index).map(|signer| signer.address());
        if recover(&sent.digest, &sent.signature).ok() != wanted || wanted.is_none() {
            self.fault(Fault::WrongSigner { index: sent.index }, sent.index);
        }
        let seen = self.seen.entry(sent.index).or_default();
        // The same digest may be signed again with the same r: deterministic signing does just that.
        let repeated = seen.iter().any(|(r, digest)| *r == sent.signature.r && *digest != sent.digest);
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back((sent.signature.r, sent.digest));
        if repeated {
            self.fault(Fault::RepeatedNonce { index: sent.index }, sent.index);
        }
        self.shared.checked.fetch_add(1, Ordering::Relaxed);
    }

    fn fault(&self, fault: Fault, index: usize) {
        self.keyring.stop(index);
        let mut faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < FAULTS_MAX {
            faults.push(fault);
        }
    }
}
