//! The engine from frame to answer, named after the rules of how copying behaves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, follow, pos, px};
use hlfast_core::commands::Outcome;
use serde_json::json;

#[test]
fn a_leader_fill_becomes_a_follower_order_and_one_receipt() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3200.5", "1");
    assert_eq!(world.sent.len(), 1);
    let order = &world.sent[0].orders[0];
    assert_eq!((order.size, order.price, order.reduce_only), (pos("0.5"), px("3210.1"), false));
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    world.leader_fill(0, "ETH", "A", "3300", "0.5");
    assert_eq!(world.position(0, "ETH"), pos("0.25"));
    world.leader_fill(0, "ETH", "A", "3300", "0.5");
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn rule_28_silence_is_unknown_and_is_fenced_before_anything_new() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(world.sent.len(), 1);
    world.pass(2_100);
    assert_eq!(world.sent.len(), 2, "one fence, nothing else");
    assert_eq!(world.sent[1].attempt.nonce, world.sent[0].attempt.nonce);
    assert!(world.sent[1].orders.is_empty());
    assert_eq!(world.position(0, "ETH"), 0);
    world.pass(3_000);
    assert_eq!(world.outcomes(), [(Outcome::Expired, "too_old")], "the entry is too old once its fate is known");
    world.assert_replay();
}

#[test]
fn a_lost_answer_is_looked_up_by_client_id_and_counted_once() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.reply = Reply::Lost;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.pass(5_000);
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    assert!(world.receipts[0].was_unknown);
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn a_follower_whose_agent_came_back_closes_what_its_leader_closed_meanwhile() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Text("User or API Wallet 0x0000000000000000000000000000000000003000 does not exist.");
    world.leader_fill(0, "ETH", "A", "3200", "0.5");
    world.leader_fill(0, "ETH", "A", "3200", "0.5");
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::Blocked, "follower_stopped"));
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    world.reply = Reply::Fill;
    world.pass(60_000);
    assert_eq!(world.position(0, "ETH"), pos("0.5"), "stopped until a restart");
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(11, hlfast_core::event::SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.pass(1_000);
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn a_restart_fences_first_and_then_goes_on() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.reply = Reply::Lost;
    let row = world.leader_trades(0, "ETH", "B", "3200", "1");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, std::slice::from_ref(&row), false)));
    world.settle();
    world.step(OwnedEvent::Reopen);
    world.reply = Reply::Fill;
    world.step(OwnedEvent::Up(11, hlfast_core::event::SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.snapshot(0, &[row]);
    world.pass(3_000);
    assert_eq!(world.position(0, "ETH"), pos("0.5"), "sent once");
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn an_increase_of_one_leader_against_the_net_lets_the_other_side_grow_by_no_cheaper_price() {
    let follows = [follow(0, 0, json!({"ratio": "1"})), follow(1, 0, json!({"ratio": "1"}))];
    let mut world = World::new(2, &[json!({"max_position_usd": "400"})], &follows);
    world.leader_fill(0, "SOL", "A", "100", "9");
    assert_eq!(world.position(0, "SOL"), pos("-4"));
    world.leader_fill(1, "SOL", "B", "50", "1");
    assert_eq!(world.position(0, "SOL"), pos("-4"), "a leader's purchase sells nothing");
    world.leader_fill(0, "SOL", "A", "50", "1");
    assert_eq!(world.position(0, "SOL"), pos("-8"), "an event that moves the net outward does, at the price of now");
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn a_reduction_is_no_purchase_of_a_part_that_waits() {
    // What fills of the addition's last order before it is too old, and what the reduced position is then.
    for (part, held) in [(0.0, "7.5"), (0.4, "9.5")] {
        let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
        world.leader_fill(0, "SOL", "B", "100", "20");
        world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
        world.leader_fill(0, "SOL", "B", "100", "20");
        if part > 0.0 {
            world.reply = Reply::Part(part);
        }
        world.leader_fill(0, "SOL", "A", "100", "10");
        assert_eq!(world.status()["follows"][0]["entitled"]["SOL"], "15", "three quarters of both");
        world.quote("SOL", "101.0", "101.1");
        world.reply = Reply::Fill;
        world.pass(6_000);
        assert_eq!(world.position(0, "SOL"), pos(held), "three quarters of what was held, and what was bought since");
        assert_eq!(world.status()["follows"][0]["entitled"]["SOL"], held);
        assert_eq!(world.outcomes().len(), 3);
        world.assert_receipts(3, 1);
        world.assert_replay();
    }
}

/// A leader's trades, one frame each, before the venue answers anything.
fn trade_unanswered(world: &mut World, trades: &[(&str, &str)]) {
    for (side, size) in trades {
        let row = world.leader_trades(0, "SOL", side, "100", size);
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    }
}

#[test]
fn what_a_reduction_takes_of_an_order_on_its_way_is_bought_of_no_later_part() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    trade_unanswered(&mut world, &[("B", "20"), ("B", "40"), ("A", "30")]);
    assert_eq!((world.queue.len(), world.status()["follows"][0]["entitled"]["SOL"].as_str()), (1, Some("15")));
    world.quote("SOL", "101.0", "101.1");
    world.settle();
    world.pass(3_000);
    assert_eq!(world.position(0, "SOL"), pos("5"), "half of the first: the second never was");
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn what_an_order_brings_of_a_part_that_is_gone_is_bought_of_no_other() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    trade_unanswered(&mut world, &[("B", "10"), ("A", "10"), ("B", "40")]);
    // The first order is executed when its leader is out already, and in again at a price that is gone.
    world.quote("SOL", "101.0", "101.1");
    world.settle();
    world.pass(3_000);
    assert_eq!(world.status()["follows"][0]["entitled"].get("SOL"), None);
    assert_eq!(world.position(0, "SOL"), 0, "nothing of the second part was bought");
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn a_coin_keeps_its_name_when_the_universe_is_listed_anew() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "ETH", "B", "3000", "2");
    let universe = json!([
        {"name": "NEW", "szDecimals": 0, "maxLeverage": 3},
        {"name": "BTC", "szDecimals": 5, "maxLeverage": 10},
        {"name": "SOL", "szDecimals": 2, "maxLeverage": 10},
        {"name": "ETH", "szDecimals": 4, "maxLeverage": 10},
    ]);
    // The venue of these tests reads the asset's number by its own list.
    world.coins = ["NEW", "BTC", "SOL", "ETH"].map(str::to_owned).to_vec();
    world.step(OwnedEvent::Meta(json!({ "universe": universe }).to_string().into_bytes()));
    world.leader_fill(0, "BTC", "B", "60000", "0.1");
    world.leader_fill(0, "ETH", "A", "3000", "2");
    assert_eq!(world.sent.iter().map(|sent| sent.orders[0].coin.as_str()).collect::<Vec<_>>(), ["ETH", "BTC", "ETH"]);
    assert_eq!(world.position(0, "ETH"), 0);
}
