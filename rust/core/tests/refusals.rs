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

/// Long 0.5 ETH and 5 SOL.
fn with_two_positions() -> World {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!((world.position(0, "ETH"), world.position(0, "SOL")), (pos("0.5"), pos("5")));
    world
}

#[test]
fn an_exit_of_a_halted_coin_is_tried_again_after_ten_seconds_and_holds_no_other_coin() {
    let mut world = with_two_positions();
    world.reply = Reply::Text("Trading is halted.");
    world.leader_fill(0, "ETH", "A", "3200", "1");
    let refused = world.sent.len();
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!((world.position(0, "ETH"), world.position(0, "SOL")), (pos("0.5"), 0), "at once");
    world.leader_fill(0, "BTC", "B", "97000", "0.1");
    assert_eq!(world.position(0, "BTC"), pos("0.05"));
    world.pass(9_000);
    assert_eq!(world.sent.len(), refused + 2, "the halted coin is not hammered");
    world.pass(2_000);
    assert_eq!(world.position(0, "ETH"), 0, "the exit went as soon as it could");
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn exits_of_one_event_go_but_for_the_halted_coin_and_what_follows_goes_at_once() {
    let mut world = with_two_positions();
    world.reply = Reply::RefuseCoin("ETH", "Trading is halted.");
    let rows =
        [("ETH", "3200", "1"), ("SOL", "100", "5")].map(|(coin, px, sz)| world.leader_trades(0, coin, "A", px, sz));
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &rows, false)));
    world.settle();
    assert_eq!((world.position(0, "ETH"), world.position(0, "SOL")), (pos("0.5"), pos("2.5")));
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert_eq!(world.position(0, "SOL"), 0, "at once");
    world.reply = Reply::Fill;
    world.pass(9_000);
    assert_eq!(world.position(0, "ETH"), pos("0.5"), "the halted coin is not hammered");
    world.pass(2_000);
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn a_twap_of_a_halted_coin_that_does_not_begin_holds_no_exit() {
    let account = json!({"execution": {"style": "native_twap", "seconds": 300}});
    let mut world = World::new(1, &[account], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.slice("6");
    world.pass(30_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("6"));
    world.reply = Reply::Text("Trading is halted.");
    world.leader_fill(0, "ETH", "B", "3200", "12");
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "100", "12");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (0, 0), "at once");
    world.pass(9_000);
    assert_eq!(world.running(), [], "not hammered");
    world.pass(2_000);
    assert_eq!(world.running(), [(pos("6"), 0)], "it begins as soon as it can");
    world.leader_fill(0, "ETH", "A", "3200", "12");
    world.pass(20_000);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn exits_of_a_batch_that_is_refused_whole_go_one_by_one() {
    for text in ["Trading is halted.", "Order has invalid size."] {
        let mut world = with_two_positions();
        // For the fault of one of its orders, perhaps.
        world.reply = Reply::RefuseWith("/orders/1", text);
        let rows = [("ETH", "3200", "1"), ("SOL", "100", "10")];
        let rows = rows.map(|(coin, px, sz)| world.leader_trades(0, coin, "A", px, sz));
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &rows, false)));
        world.settle();
        assert_eq!((world.position(0, "ETH"), world.position(0, "SOL")), (pos("0.5"), pos("5")), "{text}");
        world.pass(12_000);
        assert_eq!((world.position(0, "ETH"), world.position(0, "SOL")), (0, 0), "{text}");
        world.assert_receipts(4, 1);
        world.assert_replay();
    }
}

#[test]
fn an_opening_beyond_a_coins_open_interest_holds_no_exit() {
    let mut world = with_two_positions();
    world.reply = Reply::Text("Order would increase open interest too quickly. asset=1");
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0);
    world.leader_fill(0, "ETH", "A", "3200", "2");
    assert_eq!(world.position(0, "ETH"), 0, "its own coin's neither: a newer event is a reason to try");
    world.pass(20_000);
    world.assert_receipts(5, 1);
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
