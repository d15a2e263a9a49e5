//! Rule 35: a receipt says what became of all that its decision added, also when orders missed on the way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, follow, pos};
use hlfast_core::commands::Outcome;
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

const NO_MATCH: &str = "Order could not immediately match against any resting orders. asset=2";

fn one(account: Value, extra: Value) -> World {
    World::new(1, &[account], &[follow(0, 0, extra)])
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

#[test]
fn a_flip_whose_opening_expired_is_filled_in_part_also_when_its_close_missed_after_that() {
    let mut world = one(json!({}), json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Text(NO_MATCH);
    world.leader_fill(0, "SOL", "A", "100", "30");
    world.pass(2_500);
    assert_eq!(world.sent.last().unwrap().orders.len(), 1, "the opening is too old: the close alone");
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(last(&world), (Outcome::PartlyFilled, "too_old"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_flip_of_which_nothing_was_executed_is_merged_into_the_exit_that_takes_its_close_over() {
    let mut world = one(json!({}), json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Text(NO_MATCH);
    world.leader_fill(0, "SOL", "A", "100", "30");
    world.leader_fill(0, "SOL", "B", "100", "20");
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(
        world.outcomes().iter().map(|outcome| outcome.0).collect::<Vec<_>>(),
        [Outcome::Filled, Outcome::MergedInto, Outcome::Filled]
    );
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn a_flip_whose_opening_a_gate_refused_still_says_so_when_its_close_missed_once() {
    let mut world = one(json!({}), json!({"max_value_usd": "1500"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Text(NO_MATCH);
    world.leader_fill(0, "SOL", "A", "100", "30");
    world.reply = Reply::Fill;
    world.pass(2_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(last(&world), (Outcome::Filled, "above_max_value"));
    world.assert_replay();
}

#[test]
fn an_order_cut_by_its_cap_is_filled_in_part_when_the_market_leaves_before_the_next() {
    let mut world = one(json!({"max_order_usd": "200"}), json!({}));
    let row = world.leader_trades(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.quote("SOL", "101.0", "101.1");
    world.settle();
    assert_eq!(world.sent.len(), 1);
    assert_eq!(last(&world), (Outcome::PartlyFilled, "price_beyond_band"));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn an_order_cut_by_its_cap_is_filled_in_part_when_a_newer_decision_takes_the_rest_over() {
    let mut world = one(json!({"max_order_usd": "200"}), json!({}));
    let rows: Vec<Value> = ["10", "2"].iter().map(|size| world.leader_trades(0, "SOL", "B", "100", size)).collect();
    for row in rows {
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    }
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("5.97"), "three orders of at most 1.99");
    assert_eq!(world.outcomes(), [(Outcome::PartlyFilled, "superseded"), (Outcome::Filled, "none")]);
    world.assert_replay();
}

#[test]
fn what_was_bought_before_its_follower_was_stopped_is_filled_in_part() {
    let mut world = one(json!({}), json!({}));
    world.reply = Reply::Part(0.5);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::StopSigner(0));
    assert_eq!(last(&world), (Outcome::PartlyFilled, "signer_stopped"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn an_entry_given_back_beside_a_newer_one_that_stays_is_no_part_of_that() {
    let mut world = one(json!({}), json!({}));
    world.reply = Reply::Silence;
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Down(1));
    world.pass(3_000);
    world.leader_fill(0, "SOL", "B", "100", "0.01");
    world.reply = Reply::Fill;
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.pass(20_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(world.outcomes(), [(Outcome::Expired, "too_old"), (Outcome::Carried, "none")]);
    world.assert_receipts(2, 1);
    world.assert_replay();
}
