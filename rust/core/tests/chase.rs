//! Rule 26: an order that missed is tried again by another quote, and what a connection makes possible waits for the tick.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, follow, pos, px};
use hlfast_core::event::SourceKind;
use serde_json::json;

const MISSED: Reply = Reply::Text("Order could not immediately match against any resting orders.");

fn missed_entry(extra: serde_json::Value) -> World {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, extra)]);
    world.quote("SOL", "99.9", "100.1");
    world.reply = MISSED;
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.sent.len(), 1);
    world
}

#[test]
fn rule_26_a_missed_entry_is_tried_again_when_the_ask_changes_but_not_at_once() {
    let mut world = missed_entry(json!({}));
    world.quote("SOL", "99.9", "100.2");
    world.pass(240);
    assert_eq!(world.sent.len(), 1, "no hotter than every 250 ms");
    world.pass(20);
    assert_eq!(world.sent.len(), 2);
    world.pass(400);
    assert_eq!(world.sent.len(), 2, "the same quote is no reason");
    world.reply = Reply::Fill;
    world.quote("SOL", "99.9", "100.3");
    world.pass(20);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn rule_26_an_ask_beyond_the_limit_is_waited_out() {
    let mut world = missed_entry(json!({}));
    world.quote("SOL", "100.3", "100.4");
    world.pass(600);
    assert_eq!(world.sent.len(), 1);
    assert!(world.receipts.is_empty(), "the market may come back");
    world.reply = Reply::Fill;
    world.quote("SOL", "100.0", "100.2");
    world.pass(40);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn rule_26_a_missed_reduction_follows_the_bid() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.quote("SOL", "100", "100.1");
    world.reply = MISSED;
    world.leader_fill(0, "SOL", "A", "100", "5");
    world.quote("SOL", "95", "95.1");
    world.pass(260);
    assert_eq!(world.sent.len(), 3);
    assert_eq!(world.sent[2].orders[0].price, px("94.05"), "one percent below the bid of now");
    world.assert_replay();
}

#[test]
fn rule_26_a_book_that_never_fills_is_not_chased_for_ever() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = MISSED;
    world.leader_fill(0, "SOL", "A", "100", "10");
    for at in 0..200 {
        world.quote("SOL", if at % 2 == 0 { "100" } else { "99.9" }, "100.1");
        world.pass(100);
    }
    // One by the fill, nine by quotes within some seconds, then every five seconds.
    assert!((11..=15).contains(&(world.sent.len() - 1)), "{} in 20 s", world.sent.len() - 1);
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn what_a_lane_or_metadata_make_possible_goes_with_the_tick() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({"max_age_ms": 60_000}))]);
    world.step(OwnedEvent::Down(1));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert!(world.sent.is_empty(), "no way out");
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.meta();
    world.step(OwnedEvent::Up(4, SourceKind::Tape));
    assert!(world.sent.is_empty(), "the shell takes no sends from these");
    world.step(OwnedEvent::Tick);
    assert_eq!(world.sent.len(), 1);
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}
