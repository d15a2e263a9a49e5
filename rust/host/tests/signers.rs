//! Pools, verifier and keyring together: nothing twice, nothing after a fork, nothing from a stopped signer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
use hlfast_core::sign::{Secret, Signature, Signer, recover};
use hlfast_host::calm::Calm;
use hlfast_host::keys::Keyring;
use hlfast_host::pool::{Made, Pools, SignFault};
use hlfast_host::verify::{Fault, Sent, Verifier};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn keyring(count: u8) -> Keyring {
    let mut keyring = Keyring::new();
    for seed in 1..=count {
        keyring.add(Arc::new(Signer::new(&Secret::take(&mut [seed; 32])).unwrap()));
    }
    keyring
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "nothing happened for 20 s");
        std::thread::yield_now();
    }
}

#[test]
fn a_full_pool_signs_for_the_right_signer_and_never_repeats_an_r() {
    let keyring = keyring(3);
    let pools = Pools::start(&keyring, 24, Calm::default()).unwrap();
    let mut seen = HashSet::new();
    let mut presigned = 0;
    for round in 0..4u8 {
        wait_until(|| pools.counts().ready == 72);
        for index in 0..3 {
            for n in 0..10u8 {
                let digest = [round * 16 + n; 32];
                let (signature, made) = pools.sign(index, &digest).unwrap();
                presigned += usize::from(made == Made::Presigned);
                assert!(seen.insert(signature.r));
                assert_eq!(recover(&digest, &signature).unwrap(), keyring.signer(index).unwrap().address());
            }
        }
        pools.refill();
    }
    assert!(presigned > 60, "{presigned}");
    assert_eq!(pools.counts().taken, presigned as u64);
}

#[test]
fn without_a_pool_every_signature_is_hedged() {
    let keyring = keyring(1);
    let pools = Pools::start(&keyring, 0, Calm::default()).unwrap();
    let (first, made) = pools.sign(0, &[1; 32]).unwrap();
    let (second, _) = pools.sign(0, &[1; 32]).unwrap();
    assert_eq!(made, Made::Hedged);
    assert_ne!(first.r, second.r);
    assert_eq!(pools.counts().empty, 2);
    assert!(matches!(pools.sign(1, &[1; 32]), Err(SignFault::Stopped)));
}

#[test]
fn a_stopped_signer_signs_no_more_and_the_others_go_on() {
    let keyring = keyring(2);
    let pools = Pools::start(&keyring, 4, Calm::default()).unwrap();
    keyring.stop(0);
    assert!(matches!(pools.sign(0, &[1; 32]), Err(SignFault::Stopped)));
    assert!(pools.take(0).is_none());
    assert!(pools.sign(1, &[1; 32]).is_ok());
}

#[test]
fn the_verifier_stops_a_signer_whose_signature_recovers_to_another() {
    let keyring = keyring(2);
    let verifier = Verifier::start(&keyring, 16, Calm::default()).unwrap();
    let good = keyring.signer(0).unwrap().sign_deterministic(&[1; 32]);
    assert!(verifier.submit(Sent { index: 0, digest: [1; 32], signature: good }));
    assert!(verifier.submit(Sent { index: 1, digest: [1; 32], signature: good }));
    wait_until(|| verifier.counts().0 == 2);
    assert_eq!(verifier.take_faults(), [Fault::WrongSigner { index: 1 }]);
    assert!(keyring.is_stopped(1) && !keyring.is_stopped(0));
}

#[test]
fn the_verifier_stops_a_signer_that_repeats_a_nonce() {
    let keyring = keyring(1);
    let verifier = Verifier::start(&keyring, 16, Calm::default()).unwrap();
    let signature = keyring.signer(0).unwrap().sign_deterministic(&[1; 32]);
    // Signing one digest twice is what deterministic signing does: no fault.
    verifier.submit(Sent { index: 0, digest: [1; 32], signature });
    verifier.submit(Sent { index: 0, digest: [1; 32], signature });
    wait_until(|| verifier.counts().0 == 2);
    assert_eq!(verifier.take_faults(), []);
    verifier.submit(Sent { index: 0, digest: [2; 32], signature: Signature { s: [1; 32], ..signature } });
    wait_until(|| verifier.counts().0 == 3);
    assert!(verifier.take_faults().contains(&Fault::RepeatedNonce { index: 0 }));
    assert!(keyring.is_stopped(0));
}

#[test]
fn a_forked_child_finds_its_pools_dead() {
    let keyring = keyring(1);
    let pools = Pools::start(&keyring, 8, Calm::default()).unwrap();
    wait_until(|| pools.counts().ready == 8);
    // SAFETY: the child calls nothing that another thread may have locked, and leaves without unwinding.
    #[allow(unsafe_code)]
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let dead = pools.take(0).is_none() && matches!(pools.sign(0, &[1; 32]), Err(SignFault::Forked));
            libc::_exit(i32::from(!dead));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        assert_eq!(libc::WEXITSTATUS(status), 0, "the child could use its parent's presignatures");
    }
    assert!(pools.take(0).is_some());
}
