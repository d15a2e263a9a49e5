//! How orders are sent: who goes first, and what they pay beside the venue's fee.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, config_json, follow, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

const BUILDER: &str = "0x00000000000000000000000000000000000000b1";

fn many(followers: usize) -> World {
    let follows: Vec<Value> = (0..followers).map(|at| follow(0, at, json!({}))).collect();
    World::new(1, &vec![json!({}); followers], &follows)
}

/// A world whose orders name a builder.
fn built(followers: &[Value]) -> World {
    let follows: Vec<Value> = (0..followers.len()).map(|at| follow(0, at, json!({}))).collect();
    let mut config = config_json(1, followers, &follows, "off");
    config["builder"] = json!({"address": BUILDER, "fee_tenths_bps": 25});
    let mut world = World::of(&config);
    world.boot(1);
    world
}

#[test]
fn the_first_place_moves_on_with_each_event_of_a_leader() {
    let mut world = many(3);
    let mut firsts = Vec::new();
    for _ in 0..6 {
        let sent = world.sent.len();
        world.leader_fill(0, "ETH", "B", "3200", "1");
        let order: Vec<u32> = world.sent[sent..].iter().map(|sent| sent.attempt.follower).collect();
        assert_eq!(order.len(), 3, "everybody was served: {order:?}");
        firsts.push(order[0]);
    }
    assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
    world.assert_replay();
}

#[test]
fn whoever_waits_for_budget_is_served_in_turns() {
    let follows: Vec<Value> = (0..3).map(|at| follow(0, at, json!({"max_age_ms": 600_000}))).collect();
    let mut world = World::cold(1, &vec![json!({}); 3], &follows, "venue");
    world.boot(1);
    let mut firsts = Vec::new();
    for _ in 0..3 {
        while world.engine.reserve_weight(1, world.now) {}
        let sent = world.sent.len();
        world.leader_fill(0, "ETH", "B", "3200", "1");
        assert_eq!(world.sent.len(), sent, "all three wait");
        world.pass(63_000);
        firsts.push(world.sent[sent].attempt.follower);
    }
    let mut distinct = firsts.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct, [0, 1, 2], "served first: {firsts:?}");
    world.assert_replay();
}

#[test]
fn orders_name_the_builder_and_exits_go_without_one_that_is_not_approved() {
    let mut world = built(&[json!({})]);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(world.sent[0].action["builder"], json!({"b": BUILDER, "f": 25}));
    // The digest of every attempt is checked against the bytes that are sent, builder included, by the venue of these tests.
    world.reply = Reply::RefuseWith("/builder", "Builder fee has not been approved.");
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(world.position(0, "ETH"), 0, "an exit waits for no approval");
    assert_eq!(world.sent.len(), 3, "refused, then at once without");
    assert!(world.sent[2].action.get("builder").is_none());
    let alerts: Vec<_> = world.alerts.iter().filter(|alert| alert.code == "builder_refused").collect();
    assert_eq!(alerts.len(), 1);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert!(world.sent[3].action.get("builder").is_none(), "not asked again until a restart");
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none"); 3]);
    world.assert_replay();
}

#[test]
fn a_follower_has_its_own_fee_or_none_and_stops_have_none() {
    let followers = [
        json!({"builder_fee_tenths_bps": 7}),
        json!({"builder_fee_tenths_bps": 0}),
        json!({"disaster_stop_bps": 1_000}),
    ];
    let mut world = built(&followers);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.pass(1_000);
    let fee = |at: usize| world.sent[at].action["builder"]["f"].as_u64();
    assert_eq!([fee(0), fee(1), fee(2), fee(3)], [Some(7), None, Some(25), None]);
    assert_eq!(world.open_stops(2).len(), 1, "what closes for a dead engine must not hang on an approval");
}

/// Entries that are executed 20 basis points above the leader's price, half a second after his fill.
fn run_away(world: &mut World, times: usize) {
    for _ in 0..times {
        let row = world.leader_trades(0, "SOL", "B", "100", "10");
        world.now += 500;
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
        world.settle();
    }
}

#[test]
fn an_entry_bids_where_the_price_runs_away_and_a_reduction_never() {
    let follows = [follow(0, 0, json!({"entry_band_bps": 20})), follow(0, 1, json!({"entry_band_bps": 20}))];
    let mut world = World::new(1, &[json!({"max_priority_bps": 5}), json!({})], &follows);
    run_away(&mut world, 12);
    let of = |world: &World, follower: u32| -> Vec<Value> {
        let mine = world.sent.iter().filter(|sent| sent.attempt.follower == follower);
        mine.map(|sent| sent.action["grouping"].clone()).collect()
    };
    let groupings = of(&world, 0);
    assert_eq!(groupings[0], json!("na"), "nothing is known yet");
    assert_eq!(*groupings.last().unwrap(), json!({"p": 50_000}));
    assert!(of(&world, 1).iter().all(|grouping| *grouping == "na"), "off unless asked for");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(*of(&world, 0).last().unwrap(), json!("na"));
    world.assert_replay();
}

#[test]
fn a_bid_without_stake_is_dropped_and_the_entry_goes_at_once() {
    let mut world = World::new(1, &[json!({"max_priority_bps": 8})], &[follow(0, 0, json!({"entry_band_bps": 20}))]);
    run_away(&mut world, 12);
    world.reply = Reply::RefuseWith("/grouping/p", "Insufficient delegatable balance for priority order");
    let before = world.position(0, "SOL");
    run_away(&mut world, 1);
    assert_eq!(world.position(0, "SOL") - before, pos("5"));
    assert_eq!(world.sent.last().unwrap().action["grouping"], "na");
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "priority_refused").count(), 1);
    world.assert_replay();
}

#[test]
fn a_second_copy_pays_what_the_first_one_paid() {
    let mut world = built(&[json!({})]);
    world.step(OwnedEvent::Up(11, SourceKind::Lane));
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "A", "3200", "1");
    world.reply = Reply::RefuseWith("/builder", "Builder fee has not been approved.");
    world.leader_fill(0, "SOL", "B", "100", "1");
    assert!(world.sent.last().unwrap().action.get("builder").is_none());
    world.reply = Reply::Fill;
    world.pass(2_100);
    // That its digest is the first copy's is checked by the venue of these tests.
    let second = world.sent.iter().find(|sent| sent.attempt.kind == AttemptKind::Resend).unwrap();
    assert_eq!(second.action["builder"]["f"], 25);
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_replay();
}
