//! The runtime's keys: which signer of the core is which key, the pools, and the verifier behind them.
use std::io;
use std::sync::Arc;

use hlfast_core::commands::{Attempt, AttemptKind};
use hlfast_core::metrics::Metrics;
use hlfast_core::sign::{Signature, Signer};
use hlfast_core::wire::Address;

use crate::calm::Calm;
use crate::keys::Keyring;
use crate::pool::{Made, Pools};
use crate::verify::{Fault, Sent, Verifier};

/// Signatures that may wait for verification; a fan-out to 1,000 followers fits four times.
const VERIFY_QUEUE: usize = 4_096;

/// Keys, pools, verifier.
pub(super) struct Signing {
    keyring: Keyring,
    /// Place in the keyring for each signer of the core; `None`: no key.
    places: Vec<Option<usize>>,
    pool_depth: usize,
    threads: Option<(Pools, Verifier)>,
    /// Signatures are RFC 6979 alone and no thread runs, so that a simulation's bytes are the same each time.
    simulated: bool,
    calm: Calm,
    signatures: Vec<Option<Signature>>,
    faults: Vec<(u32, String)>,
}

impl Signing {
    /// `pool_depth` is `None` when every signature is to be hedged.
    pub fn new(signers: usize, pool_depth: Option<u32>, simulated: bool) -> Signing {
        let pool_depth = pool_depth.map_or(0, |depth| usize::try_from(depth).unwrap_or(usize::MAX));
        Signing {
            keyring: Keyring::new(),
            places: vec![None; signers],
            pool_depth,
            threads: None,
            simulated,
            calm: Calm::default(),
            signatures: Vec::new(),
            faults: Vec::new(),
        }
    }

    pub fn add(&mut self, signers: Vec<Arc<Signer>>) -> Vec<String> {
        let add = |signer: Arc<Signer>| {
            let address = signer.address().to_string();
            self.keyring.add(signer);
            address
        };
        signers.into_iter().map(add).collect()
    }

    /// The core's signers that no key is loaded for.
    pub fn missing<'a>(&'a self, signers: &'a [Address]) -> impl Iterator<Item = (u32, Address)> + 'a {
        let missing = |(_, address): &(u32, &Address)| self.keyring.index_of(address).is_none();
        (0..).zip(signers).filter(missing).map(|(signer, address)| (signer, *address))
    }

    /// Starts the threads. Keys added later are used from the next call on, which wipes the pools and begins new ones.
    pub fn arm(&mut self, signers: &[Address]) -> io::Result<()> {
        let found = self.take_faults();
        self.faults.extend(found);
        self.threads = None;
        self.places = signers.iter().map(|address| self.keyring.index_of(address)).collect();
        if self.simulated {
            return Ok(());
        }
        let pools = Pools::start(&self.keyring, self.pool_depth, self.calm.clone())?;
        let verifier = Verifier::start(&self.keyring, VERIFY_QUEUE, self.calm.clone())?;
        self.threads = Some((pools, verifier));
        Ok(())
    }

    /// Keeps the threads off the cores for the next milliseconds: orders leave now, in monotonic time.
    pub fn disturb(&self, now_ns: u64) {
        self.calm.disturb(now_ns);
    }

    /// Signs every attempt that is not `withheld`; [`Signing::signatures`] then has one place for each. A signer that can't
    /// sign is reported by [`Signing::take_faults`].
    pub fn sign(&mut self, attempts: &[Attempt], withheld: impl Fn(AttemptKind) -> bool, metrics: &Metrics) {
        self.signatures.clear();
        for attempt in attempts {
            let signature = if withheld(attempt.kind) { None } else { self.sign_one(attempt, metrics) };
            self.signatures.push(signature);
        }
    }

    fn sign_one(&mut self, attempt: &Attempt, metrics: &Metrics) -> Option<Signature> {
        let place = usize::try_from(attempt.signer).ok().and_then(|signer| self.places.get(signer).copied().flatten());
        if self.simulated
            && let Some(signer) = place.and_then(|index| self.keyring.signer(index))
        {
            return Some(signer.sign_deterministic(&attempt.digest));
        }
        let (Some(index), Some((pools, verifier))) = (place, &self.threads) else {
            self.faults.push((attempt.signer, "no key is loaded for it".to_owned()));
            return None;
        };
        match pools.sign(index, &attempt.digest) {
            Ok((signature, made)) => {
                metrics.signatures.add(usize::from(made == Made::Hedged), 1);
                // A full queue leaves this one unchecked, and the verifier counts it.
                let _ = verifier.submit(Sent { index, digest: attempt.digest, signature });
                Some(signature)
            }
            Err(fault) => {
                self.faults.push((attempt.signer, fault.to_string()));
                None
            }
        }
    }

    /// One place for each attempt given to [`Signing::sign`].
    pub fn signatures(&self) -> impl Iterator<Item = Option<&Signature>> {
        self.signatures.iter().map(Option::as_ref)
    }

    /// Signers that must not be used any more, each once, with the reason.
    pub fn take_faults(&mut self) -> Vec<(u32, String)> {
        if let Some((_, verifier)) = &self.threads {
            for fault in verifier.take_faults() {
                let (index, what) = match fault {
                    Fault::WrongSigner { index } => (index, "a signature that was sent recovers to another address"),
                    Fault::RepeatedNonce { index } => (index, "a nonce of a signature came twice: replace its key"),
                };
                let signer = self.places.iter().position(|place| *place == Some(index));
                if let Some(signer) = signer.and_then(|signer| u32::try_from(signer).ok()) {
                    self.faults.push((signer, what.to_owned()));
                }
            }
        }
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|(signer, _)| *signer);
        faults.dedup_by_key(|(signer, _)| *signer);
        faults
    }

    /// Wakes the pools' thread: after a fan-out, not during it.
    pub fn refill(&self) {
        if let Some((pools, _)) = &self.threads {
            pools.refill();
        }
    }

    pub fn publish(&self, metrics: &Metrics) {
        let Some((pools, verifier)) = &self.threads else { return };
        let counts = pools.counts();
        metrics.pool_ready.set(counts.ready);
        metrics.pool_made.set(counts.made);
        metrics.pool_empty.set(counts.empty);
        metrics.pool_failed.set(counts.failed);
        let (checked, dropped) = verifier.counts();
        metrics.verified.set(checked);
        metrics.unverified.set(dropped);
    }
}
