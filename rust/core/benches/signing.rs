//! Signing against its yardstick, a bare libsecp256k1 recoverable signature: every row is read as a ratio to the first.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench fails by panicking")]
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hlfast_core::sign::{Chain, Presignature, Refill, Secret, Signer, keccak256, keccak256_many, l1_digest};
use hlfast_core::wire::{Action, Cloid, Grouping, Order, Tif, encode_action, write_body};
use std::hint::black_box;

const NONCE: u64 = 1_790_000_000_000;
const EXPIRY: Option<u64> = Some(1_790_000_005_000);

struct Bench {
    signer: Signer,
    order: Order,
    counter: u64,
}

impl Bench {
    fn new() -> Bench {
        let (price, size) = ("1670.1".parse().unwrap(), "0.0147".parse().unwrap());
        let cloid = Some(Cloid([7; 16]));
        let order = Order { asset: 4, is_buy: true, price, size, reduce_only: false, tif: Tif::Ioc, cloid };
        Bench { signer: Signer::new(&Secret::take(&mut [7; 32])).unwrap(), order, counter: 0 }
    }

    fn presign(&mut self, count: usize) -> Vec<Presignature> {
        self.counter += 1;
        let mut made = Vec::new();
        self.signer
            .presign(&Refill { entropy: [1; 32], pid: 1, started: 1, counter: self.counter }, count, &mut made)
            .unwrap();
        made
    }

    fn action(&self) -> Action<'_> {
        Action::Order { orders: std::slice::from_ref(&self.order), grouping: Grouping::Na, builder: None }
    }
}

fn signing(c: &mut Criterion) {
    let mut bench = Bench::new();
    let mut group = c.benchmark_group("sign");
    let context = secp256k1::Secp256k1::signing_only();
    let key = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
    group.bench_function("bare libsecp256k1 recoverable signature", |b| {
        b.iter(|| context.sign_ecdsa_recoverable(secp256k1::Message::from_digest(black_box([9; 32])), &key));
    });
    group.bench_function("deterministic", |b| b.iter(|| bench.signer.sign_deterministic(black_box(&[9; 32]))));
    group.bench_function("pool empty: hedged", |b| b.iter(|| bench.signer.sign_hedged(black_box(&[9; 32]), [3; 32])));
    let signer = Signer::new(&Secret::take(&mut [7; 32])).unwrap();
    group.bench_function("one order, presigned, signed and encoded", |b| {
        let (mut msgpack, mut json, mut body) =
            (Vec::with_capacity(512), Vec::with_capacity(512), Vec::with_capacity(1024));
        let order = bench.order;
        b.iter_batched(
            || bench.presign(1).pop().unwrap(),
            |presignature| {
                msgpack.clear();
                json.clear();
                body.clear();
                let action =
                    Action::Order { orders: std::slice::from_ref(&order), grouping: Grouping::Na, builder: None };
                encode_action(black_box(&action), &mut msgpack, &mut json);
                let digest = l1_digest(&msgpack, NONCE, None, EXPIRY, Chain::Mainnet);
                let signature = signer.sign_presigned(&digest, presignature).unwrap();
                write_body(&json, NONCE, &signature, None, EXPIRY, &mut body);
                body.len()
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("sixteen presignatures made", |b| b.iter(|| bench.presign(16)));
    group.finish();
}

fn parts(c: &mut Criterion) {
    let bench = Bench::new();
    let mut group = c.benchmark_group("parts");
    let (mut msgpack, mut json) = (Vec::with_capacity(512), Vec::with_capacity(512));
    group.bench_function("encode one order", |b| {
        b.iter(|| {
            msgpack.clear();
            json.clear();
            encode_action(black_box(&bench.action()), &mut msgpack, &mut json);
        });
    });
    group.bench_function("keccak, one message of 120 bytes", |b| b.iter(|| keccak256(black_box(&[1; 120]))));
    let messages = [&[1u8; 120][..]; 64];
    let mut hashes = [[0u8; 32]; 64];
    group.bench_function("keccak, 64 messages of 120 bytes", |b| {
        b.iter(|| keccak256_many(black_box(&messages), &mut hashes))
    });
    group.finish();
}

criterion_group!(benches, signing, parts);
criterion_main!(benches);
