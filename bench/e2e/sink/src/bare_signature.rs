//! The yardstick: one recoverable libsecp256k1 signature over a 32-byte digest, nothing else around it.
//!
//! `bare_signature [COUNT]` prints one JSON line with the median and the quickest of COUNT signatures in nanoseconds.

use std::hint::black_box;
use std::time::Instant;

use secp256k1::{Message, SecretKey};

const DEFAULT_COUNT: usize = 2_000;

fn main() {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_COUNT).max(1);
    let key = SecretKey::from_secret_bytes([0x42; 32]).expect("a constant inside the group order");
    let mut digest = [0x17_u8; 32];
    let mut samples: Vec<u128> = Vec::with_capacity(count);
    for index in 0..count {
        digest[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let started = Instant::now();
        let signature = secp256k1::ecdsa::RecoverableSignature::sign_ecdsa_recoverable(
            Message::from_digest(black_box(digest)),
            black_box(&key),
        );
        samples.push(started.elapsed().as_nanos());
        black_box(signature);
    }
    samples.sort_unstable();
    println!(r#"{{"count":{count},"median_ns":{},"best_ns":{}}}"#, samples[count / 2], samples[0]);
}
