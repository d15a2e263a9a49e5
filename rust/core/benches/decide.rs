//! From a leader's frame to a decision, in the core alone: parsed, deduplicated, judged, sized, planned, hashed. Not signed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "bench code")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use hlfast_core::commands::Commands;
use hlfast_core::event::Event;
use serde_json::{Value, json};
use venue::{OwnedEvent, World, follow};

#[path = "../tests/venue/mod.rs"]
mod venue;

const USER_SOURCE: u32 = 2;
const LANE: u32 = 1;
const CROWD: usize = 1_000;

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

/// The venue's answer to a post of one order.
fn filled(id: u64) -> String {
    format!(
        r#"{{"channel":"post","data":{{"id":{id},"response":{{"type":"action","payload":{{"status":"ok","response":{{"type":"order","data":{{"statuses":[{{"filled":{{"totalSz":"1","avgPx":"3000","oid":1}}}}]}}}}}}}}}}}}"#
    )
}

/// As `copy`, for a leader with a crowd behind it: all chunks of the event, to the last follower's digest.
fn copy_to_crowd(world: &mut World, fills: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let mut out = Commands::default();
    for number in 0..fills {
        let side = if number % 2 == 0 { "B" } else { "A" };
        world.now += 1_000;
        let row = world.leader_trades(0, "ETH", side, "3000", "2");
        let bytes = World::fills_frame(0, &[row], false);
        let mut posts: Vec<u64> = Vec::new();
        let mut event = Event::Frame { source: USER_SOURCE, bytes: black_box(&bytes) };
        loop {
            let started = Instant::now();
            let _ = world.engine.step(&event, world.now, 0, &mut out);
            spent += started.elapsed();
            posts.extend(out.attempts.iter().map(|attempt| attempt.post_id));
            if !out.more {
                break;
            }
            event = Event::Continue;
        }
        assert_eq!(posts.len(), CROWD, "everybody follows");
        for id in posts {
            let _ =
                world.engine.step(&Event::Frame { source: LANE, bytes: filled(id).as_bytes() }, world.now, 0, &mut out);
        }
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
    let follows: Vec<Value> = (0..CROWD).map(|at| follow(0, at, json!({}))).collect();
    let mut crowd = World::new(1, &vec![json!({}); CROWD], &follows);
    group.sample_size(10);
    group.bench_function("one fill, 1,000 followers", |b| b.iter_custom(|fills| copy_to_crowd(&mut crowd, fills)));
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
