//! Takes a leader's fills to decisions, one frame at a time: what `bench/micro/instructions.py` counts under callgrind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "bench code")]
use hlfast_core::commands::Commands;
use hlfast_core::engine::Engine;
use hlfast_core::event::Event;
use serde_json::json;
use std::hint::black_box;
use venue::{OwnedEvent, World, follow};

#[path = "../tests/venue/mod.rs"]
mod venue;

/// Collected alone: what a frame costs in the core, from its first byte to the digest of the follower's action.
#[inline(never)]
fn decide_fill(engine: &mut Engine, frame: &[u8], now_ms: u64, out: &mut Commands) {
    let _ = engine.step(&Event::Frame { source: 2, bytes: black_box(frame) }, now_ms, 0, out);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(64), |text| text.parse())?;
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.step(OwnedEvent::Tick);
    world.settle();
    let mut out = Commands::default();
    let mut orders = 0;
    for number in 0..count {
        world.now += 1;
        let row = world.leader_trades(0, "ETH", if number % 2 == 0 { "B" } else { "A" }, "3000", "2");
        let frame = World::fills_frame(0, &[row], false);
        decide_fill(&mut world.engine, &frame, world.now, &mut out);
        let posts: Vec<u64> = out.attempts.iter().map(|attempt| attempt.post_id).collect();
        orders += posts.len();
        for id in posts {
            let answer = json!({"channel": "post", "data": {"id": id, "response": {"type": "action", "payload": {
                "status": "ok", "response": {"type": "order", "data": {"statuses": [
                    {"filled": {"totalSz": "1", "avgPx": "3000", "oid": 1}}]}}}}}});
            let event = OwnedEvent::Frame(1, answer.to_string().into_bytes());
            let _ = world.engine.step(&event.borrow(), world.now, 0, &mut out);
        }
    }
    println!("{count} fills, {orders} orders");
    Ok(())
}
