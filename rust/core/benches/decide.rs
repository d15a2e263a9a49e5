//! From a leader's frame to a decision, in the core alone: parsed, deduplicated, judged, sized, planned, hashed. Not signed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "bench code")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use hlfast_core::commands::Commands;
use hlfast_core::event::Event;
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

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
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
