//! Perps that a builder deployed, and perps that leave: what an order names, what is set before it, what an exit still gets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, World, follow, leader_address, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use hlfast_core::config::Config;
use serde_json::{Value, json};

/// The main dex and a builder's, `xyz`, with one coin that is isolated only and one that is not.
fn world() -> World {
    let mut settings = venue::config_json(1, &[json!({"leverage": "mirror"})], &[follow(0, 0, json!({}))], "off");
    settings["venue"]["dexs"] = json!(["xyz"]);
    let mut world = World::of(&settings);
    world.boot(1);
    list(&mut world, false);
    world
}

fn list(world: &mut World, delisted: bool) {
    world.list_dex(&[
        json!({"name": "xyz:TSLA", "szDecimals": 3, "maxLeverage": 10, "onlyIsolated": true, "isDelisted": delisted}),
        json!({"name": "xyz:CL", "szDecimals": 2, "maxLeverage": 20}),
    ]);
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

#[test]
fn a_builders_perp_is_ordered_by_its_own_number_and_set_to_isolated_where_nothing_else_is_allowed() {
    let mut world = world();
    world.leverages.insert((leader_address(0), "xyz:TSLA".into()), ("isolated", 4));
    world.leader_fill(0, "xyz:TSLA", "B", "250", "2");
    let [setup, open] = &world.sent[..] else { panic!("{:?}", world.sent) };
    assert_eq!((setup.attempt.kind, open.attempt.kind), (AttemptKind::Setup, AttemptKind::Open));
    let number: &Value = &json!(110_000);
    assert_eq!((&setup.action["asset"], &setup.action["isCross"]), (number, &json!(false)));
    assert_eq!((&open.action["orders"][0]["a"], world.position(0, "xyz:TSLA")), (number, pos("1")));
    world.leader_fill(0, "xyz:TSLA", "A", "250", "2");
    assert_eq!((last(&world), world.position(0, "xyz:TSLA")), ((Outcome::Filled, "none"), 0));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_coin_that_was_delisted_is_left_but_not_entered() {
    let mut world = world();
    world.leader_fill(0, "xyz:TSLA", "B", "250", "2");
    list(&mut world, true);
    world.leader_fill(0, "xyz:TSLA", "B", "250", "2");
    assert_eq!((last(&world), world.position(0, "xyz:TSLA")), ((Outcome::Skipped, "delisted"), pos("1")));
    world.leader_fill(0, "xyz:TSLA", "A", "250", "4");
    assert_eq!((last(&world), world.position(0, "xyz:TSLA")), ((Outcome::Filled, "none"), 0), "an exit always passes");
    world.assert_replay();
}

#[test]
fn what_the_venue_settled_at_a_delisting_is_believed_and_never_opened_again() {
    let mut world = world();
    world.leader_fill(0, "xyz:TSLA", "B", "250", "4");
    list(&mut world, true);
    world.positions.clear();
    world.leader_positions.clear();
    world.pass(65_000);
    let own = world.status()["followers"][0]["positions"].get("xyz:TSLA").map(|lot| lot["own"].clone());
    assert_eq!((world.position(0, "xyz:TSLA"), own), (0, Some(json!("0"))));
    assert!(world.sent[2..].iter().all(|sent| sent.attempt.kind != AttemptKind::Open), "{:?}", world.sent);
    world.assert_replay();
}

#[test]
fn spot_of_a_leader_whose_own_channel_is_not_watched_is_refused_by_name() {
    let settings = |leader: usize, limits: &str| {
        let follows = [follow(leader, 0, json!({"markets": "all"}))];
        venue::config_json(9, &[json!({})], &follows, limits).to_string().into_bytes()
    };
    let error = Config::from_json(&settings(8, "venue")).unwrap_err().to_string();
    assert!(error.contains("follows[0].markets") && error.contains("number 9"), "{error}");
    assert!(Config::from_json(&settings(7, "venue")).is_ok());
    assert!(Config::from_json(&settings(8, "off")).is_ok(), "another node tells of everybody");
}
