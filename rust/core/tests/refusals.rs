//! What a refusal means beyond its own order: for whom, and for how long.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, follow, pos};
use serde_json::json;

#[test]
fn a_refused_agent_stops_its_own_follower_alone() {
    let mut world = World::new(1, &[json!({}), json!({})], &[follow(0, 0, json!({})), follow(0, 1, json!({}))]);
    let row = world.leader_trades(0, "ETH", "B", "3200", "1");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    let other = world.queue.remove(1);
    world.reply = Reply::Text("User or API Wallet 0x0000000000000000000000000000000000003000 does not exist.");
    world.settle();
    world.reply = Reply::Fill;
    world.serve(other);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!((world.position(0, "ETH"), world.position(1, "ETH")), (0, pos("1")));
    world.assert_receipts(2, 2);
    world.assert_replay();
}

#[test]
fn a_venue_that_takes_nothing_now_is_asked_again_after_ten_seconds() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Text("Only post-only orders allowed immediately after a network upgrade");
    world.leader_fill(0, "ETH", "A", "3200", "1");
    world.pass(9_000);
    assert_eq!(world.sent.len(), 2, "not hammered");
    world.reply = Reply::Fill;
    world.pass(2_000);
    assert_eq!(world.position(0, "ETH"), 0, "the exit went as soon as it could");
    world.assert_replay();
}

#[test]
fn an_exit_whose_nonce_is_too_high_executes_nothing_and_goes_again_under_another() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Text("Invalid nonce: nonce too high 1795161600000 > 1795161500000");
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    let refused = world.sent.len();
    assert_eq!(refused, 2, "not hammered");
    world.reply = Reply::Fill;
    world.pass(60_000);
    assert_eq!(world.position(0, "ETH"), 0, "an exit is never given up");
    assert!(world.sent.len() > refused);
    world.assert_receipts(2, 1);
    world.assert_replay();
}
