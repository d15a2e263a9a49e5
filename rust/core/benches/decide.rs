//! From a leader's frame to a decision, in the core alone: parsed, deduplicated, judged, sized, planned, hashed. Not signed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "bench code")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use hlfast_core::commands::Commands;
use hlfast_core::event::Event;
use hlfast_core::order::identity::{CloidParts, cloid_message, cloid_of};
use hlfast_core::sign::{Chain, Digest, keccak256, l1_digest};
use hlfast_core::wire::{Action, Address, Cloid, Grouping, Order, Tif, encode_action};
use serde_json::{Value, json};
use venue::crowd::{CROWD, copy_to_crowd, crowd, filled};
use venue::{OwnedEvent, World, follow};

#[path = "../tests/venue/mod.rs"]
mod venue;

const USER_SOURCE: u32 = 2;
const LANE: u32 = 1;

/// Steps distinct fills that open and close by turns; only the fills' own steps are timed. What they order is filled in full.
fn copy(world: &mut World, fills: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let mut out = Commands::default();
    for number in 0..fills {
        let side = if number % 2 == 0 { "B" } else { "A" };
        world.now += 1;
        let row = world.leader_trades(0, "ETH", side, "3000", "2");
        let bytes = World::fills_frame(0, &[row], false);
        let started = Instant::now();
        let _ =
            world.engine.step(&Event::Frame { source: USER_SOURCE, bytes: black_box(&bytes) }, world.now, 0, &mut out);
        spent += started.elapsed();
        assert!(out.changed, "every fill is news");
        let posts: Vec<u64> = out.attempts.iter().map(|attempt| attempt.post_id).collect();
        for id in posts {
            let _ =
                world.engine.step(&Event::Frame { source: LANE, bytes: filled(id).as_bytes() }, world.now, 0, &mut out);
            assert_eq!(out.receipts.len(), 1, "filled, and said so");
        }
    }
    spent
}

fn world(policy: Value) -> World {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, policy)]);
    world.step(OwnedEvent::Tick);
    world.settle();
    world
}

/// As `copy`, for a leader with a crowd behind it: all chunks of the event, to the last follower's digest.
fn decide_for_crowd(world: &mut World, fills: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for number in 0..fills {
        let side = if number % 2 == 0 { "B" } else { "A" };
        let orders = copy_to_crowd(world, "ETH", side, &mut |engine, event, now_ms, out| {
            let started = Instant::now();
            let _ = engine.step(black_box(event), now_ms, 0, out);
            spent += started.elapsed();
        });
        assert_eq!(orders, CROWD, "everybody follows");
    }
    spent
}

/// What a decision's step does besides deciding, and what the row of signing times too: the order's client id, the action's bytes,
/// its digest.
fn seal(order: &mut Order, attempt: u32, msgpack: &mut Vec<u8>, json: &mut Vec<u8>) -> Digest {
    let (follower, leader) = (Address([1; 20]), Address([2; 20]));
    let parts = CloidParts { follower: &follower, leader: &leader, event: (1, venue::NOW, 7), leg: 0, attempt };
    order.cloid = Some(Cloid(cloid_of(&keccak256(&cloid_message(&parts, Chain::Testnet)))));
    msgpack.clear();
    json.clear();
    let action = Action::Order { orders: std::slice::from_ref(order), grouping: Grouping::Na, builder: None };
    encode_action(black_box(&action), msgpack, json);
    l1_digest(msgpack, venue::NOW, None, Some(venue::NOW + 3_000), Chain::Testnet)
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    let (price, size) = ("3009".parse().unwrap(), "1".parse().unwrap());
    let mut order = Order { asset: 1, is_buy: true, price, size, reduce_only: false, tif: Tif::Ioc, cloid: None };
    let (mut msgpack, mut text, mut attempt) = (Vec::new(), Vec::new(), 0u32);
    group.bench_function("one order named, encoded, hashed", |b| {
        b.iter(|| {
            attempt += 1;
            seal(&mut order, attempt, &mut msgpack, &mut text)
        });
    });
    for (name, policy) in
        [("one fill, one follower", json!({})), ("one fill, skipped by policy", json!({"coins_block": ["ETH"]}))]
    {
        let mut world = world(policy);
        group.bench_function(name, |b| b.iter_custom(|fills| copy(&mut world, fills)));
    }
    group.sample_size(10);
    for (name, guarded) in
        [("one fill, 1,000 followers", false), ("one fill, 1,000 followers, all filters and caps", true)]
    {
        let mut world = crowd(guarded);
        group.bench_function(name, |b| b.iter_custom(|fills| decide_for_crowd(&mut world, fills)));
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
