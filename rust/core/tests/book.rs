//! What the book bears: a floor, a bound of one increase, and one budget per leader event over all followers. Exits never ask.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, World, follow, pos};
use hlfast_core::commands::Outcome;
use hlfast_core::config::Config;
use serde_json::{Value, json};

/// One leader, so many followers with the same edge; `share`: the leader's impact_percent.
fn world(followers: usize, edge: &Value, share: Option<u32>) -> World {
    let follows: Vec<Value> = (0..followers).map(|at| follow(0, at, edge.clone())).collect();
    let mut settings = venue::config_json(1, &vec![json!({}); followers], &follows, "off");
    settings["leaders"][0]["impact_percent"] = json!(share);
    let mut world = World::of(&settings);
    world.boot(1);
    world
}

/// So many coins are offered at 100, and as many bid for at 99.99.
fn offer(world: &mut World, size: &str) {
    let side = |price: &str| json!({"px": price, "sz": size, "n": 1});
    let data = json!({"coin": "SOL", "time": world.now, "bbo": [side("99.99"), side("100")]});
    world.step(OwnedEvent::Frame(3, json!({"channel": "bbo", "data": data}).to_string().into_bytes()));
}

fn held(world: &World, followers: usize) -> Vec<i64> {
    (0..followers).map(|at| world.position(at, "SOL")).collect()
}

#[test]
fn a_thin_book_is_not_entered_and_always_left() {
    let mut world = world(1, &json!({"min_depth_usd": "500"}), None);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.outcomes(), [(Outcome::Blocked, "book_unread")], "nobody told of a book");
    offer(&mut world, "4.9");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Skipped, "thin_book"));
    offer(&mut world, "5");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.pass(3_000);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Blocked, "book_unread"), "that quote is too old");
    offer(&mut world, "0.1");
    world.leader_fill(0, "SOL", "A", "100", "40");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn one_increase_takes_its_part_of_what_is_offered_and_no_more_later() {
    let mut world = world(1, &json!({"max_depth_percent": 25}), None);
    offer(&mut world, "8");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("2"), "a quarter of eight, not five");
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), pos("2"), "what was cut is not taken later");
    offer(&mut world, "0.2");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Skipped, "impact"), "five dollars are no order");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("1"), "an exit takes its part of what is held, whatever is bid");
    world.assert_replay();
}

#[test]
fn all_followers_share_the_budget_of_an_event_and_take_turns() {
    let mut world = world(4, &json!({}), Some(50));
    offer(&mut world, "20");
    world.leader_fill(0, "SOL", "B", "100", "8");
    assert_eq!(held(&world, 4), ["4", "4", "2", "0"].map(pos), "ten of twenty, four each while they last");
    let last = world.receipts.iter().find(|receipt| receipt.follower == 3).unwrap();
    assert_eq!((last.outcome, last.reason.name()), (Outcome::Skipped, "impact"));
    world.leader_fill(0, "SOL", "A", "100", "8");
    assert_eq!(held(&world, 4), [0; 4], "no budget for exits");
    offer(&mut world, "20");
    world.leader_fill(0, "SOL", "B", "100", "8");
    assert_eq!(held(&world, 4), ["2", "0", "4", "4"].map(pos), "two turns on: the third was first");
    world.assert_receipts(3, 4);
    world.assert_replay();
}

#[test]
fn each_event_and_each_coin_has_a_budget_of_its_own() {
    let mut world = world(2, &json!({}), Some(10));
    for _ in 0..3 {
        offer(&mut world, "20");
        world.leader_fill(0, "SOL", "B", "100", "2");
    }
    assert_eq!(held(&world, 2).iter().sum::<i64>(), pos("6"), "two of each twenty");
    world.assert_replay();
}

#[test]
fn what_an_event_may_take_holds_over_its_chunks() {
    // More followers than one step decides for.
    let mut world = world(200, &json!({}), Some(100));
    offer(&mut world, "30");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(held(&world, 200).iter().sum::<i64>(), pos("30"));
    world.assert_receipts(1, 200);
    world.assert_replay();
}

#[test]
fn an_edge_that_waits_has_no_part_in_an_events_budget() {
    let mut settings = venue::config_json(1, &[json!({})], &[follow(0, 0, json!({"delay_ms": 500}))], "off");
    assert!(Config::from_json(settings.to_string().as_bytes()).is_ok());
    settings["leaders"][0]["impact_percent"] = json!(50);
    let error = Config::from_json(settings.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.contains("follows[0].delay_ms") && error.contains("impact_percent"), "{error}");
    settings["follows"][0]["delay_ms"] = Value::Null;
    settings["leaders"][0]["impact_percent"] = json!(0);
    assert!(Config::from_json(settings.to_string().as_bytes()).unwrap_err().to_string().contains("impact_percent"));
}
