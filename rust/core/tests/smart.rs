//! Rule 33: openings in portions, by time, by depth, and resting first. A newer target replaces what is left; an exit waits for nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, follow, pos, px};
use hlfast_core::commands::{AttemptKind, Outcome};
use serde_json::{Value, json};

fn account(execution: &Value) -> Value {
    json!({ "execution": execution })
}

fn twap() -> Value {
    json!({"style": "twap", "seconds": 60, "slices": 6, "jitter_percent": 0, "max_slippage_bps": 100})
}

fn smart(extra: Value) -> Value {
    let mut base = json!({"style": "smart", "seconds": 30, "depth_percent": 50});
    venue::merge(&mut base, extra);
    base
}

fn world(execution: &Value) -> World {
    World::new(1, &[account(execution)], &[follow(0, 0, json!({}))])
}

fn sizes(world: &World) -> Vec<i64> {
    world
        .sent
        .iter()
        .flat_map(|sent| &sent.orders)
        .map(|order| if order.is_buy { order.size } else { -order.size })
        .collect()
}

#[test]
fn equal_portions_over_the_duration_and_one_receipt() {
    let mut world = world(&twap());
    world.leader_fill(0, "SOL", "B", "100", "12");
    assert_eq!(sizes(&world), [pos("1")], "the first one at once");
    world.pass(9_900);
    assert_eq!(world.sent.len(), 1);
    world.pass(200);
    assert_eq!(world.sent.len(), 2);
    world.pass(50_000);
    assert_eq!(sizes(&world), vec![pos("1"); 6]);
    assert_eq!(world.position(0, "SOL"), pos("6"));
    world.assert_receipts(1, 1);
    assert_eq!(world.receipts[0].outcome, Outcome::Filled);
    world.assert_replay();
}

#[test]
fn no_portion_is_below_the_minimum_order() {
    let mut world = world(&twap());
    world.leader_fill(0, "SOL", "B", "100", "0.5");
    world.pass(60_000);
    assert_eq!(sizes(&world), [pos("0.11"), pos("0.14")], "12.5 dollars are one order of 11 and no rest below 10.5");
}

#[test]
fn a_newer_target_replaces_what_is_left() {
    let mut world = world(&twap());
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.pass(10_100);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.pass(61_000);
    assert_eq!(world.position(0, "SOL"), pos("12"), "what was missing of both, spread anew");
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_reduction_pre_empts_the_portions() {
    let mut world = world(&twap());
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.pass(20_100);
    assert_eq!(world.position(0, "SOL"), pos("3"));
    world.leader_fill(0, "SOL", "A", "100", "12");
    assert_eq!(world.position(0, "SOL"), 0, "at once and whole");
    world.pass(61_000);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_market_beyond_the_slippage_limit_is_waited_out_and_the_rest_given_back_in_the_end() {
    let mut world = world(&twap());
    world.leader_fill(0, "SOL", "B", "100", "12");
    for _ in 0..40 {
        world.quote("SOL", "101.4", "101.5");
        world.pass(1_000);
    }
    assert_eq!(world.sent.len(), 1, "1.5 % is beyond 1 %");
    for _ in 0..10 {
        world.quote("SOL", "99.9", "100.1");
        world.pass(1_000);
    }
    assert!(world.sent.len() >= 2, "the market came back in time");
    let bought = world.position(0, "SOL");
    for _ in 0..20 {
        world.quote("SOL", "101.4", "101.5");
        world.pass(1_000);
    }
    assert_eq!(world.position(0, "SOL"), bought);
    assert_eq!(world.outcomes(), [(Outcome::PartlyFilled, "price_beyond_band")]);
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!(world.position(0, "SOL"), bought / 2, "half of what is held");
    world.assert_replay();
}

#[test]
fn portions_by_depth_take_a_share_of_what_is_shown() {
    let mut world = world(&smart(json!({})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(sizes(&world), [pos("0.5")], "half of the one that is offered");
    for _ in 0..4 {
        world.pass(1_000);
        world.quote("SOL", "99.9", "100.1");
    }
    assert_eq!(sizes(&world), vec![pos("0.5"); 4]);
    world.pass(2_000);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn a_portion_rests_is_taken_back_and_then_takes() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(world.sent[0].orders[0].price, px("99.9"), "at the bid");
    assert_eq!(world.resting(), 1);
    world.pass(2_900);
    assert_eq!(world.sent.len(), 1);
    world.take_resting("SOL", "0.2");
    world.quote("SOL", "99.9", "100.1");
    world.pass(200);
    assert_eq!(world.sent[1].attempt.kind, AttemptKind::Cancel);
    assert_eq!(world.resting(), 0);
    assert_eq!(world.sent[2].orders[0].size, pos("0.3"), "what nobody sold, from the book");
    assert_eq!(world.position(0, "SOL"), pos("0.5"));
    world.assert_receipts(1, 1);
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    world.assert_replay();
}

#[test]
fn an_exit_passes_an_order_that_rests_and_takes_it_back() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "1");
    world.take_resting("SOL", "0.5");
    world.pass(3_100);
    assert_eq!(world.position(0, "SOL"), pos("0.5"));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.resting(), 1);
    world.leader_fill(0, "SOL", "A", "100", "3");
    assert_eq!((world.position(0, "SOL"), world.resting()), (0, 0));
    world.pass(5_000);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn an_exit_that_meets_its_own_resting_order_closes_what_that_had_bought() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "1");
    world.take_resting("SOL", "0.2");
    world.meet_own("SOL");
    world.leader_fill(0, "SOL", "A", "100", "1");
    world.pass(5_000);
    assert_eq!((world.position(0, "SOL"), world.resting()), (0, 0));
    world.assert_receipts(2, 1);
    assert!(world.alerts.iter().all(|alert| alert.code != "position_drift"));
    world.assert_replay();
}

#[test]
fn the_kill_switch_takes_back_what_rests() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(world.resting(), 1);
    world.operate(json!({"do": "kill"}));
    assert_eq!(world.resting(), 0);
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), 0, "and nothing is bought instead");
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn what_rested_when_the_process_ended_is_taken_back_by_the_next_one() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.leader_fill(0, "SOL", "B", "100", "1");
    world.take_resting("SOL", "0.2");
    world.restart();
    world.pass(10_000);
    assert_eq!(world.resting(), 0);
    assert!(world.position(0, "SOL") >= pos("0.2"));
    world.leader_fill(0, "SOL", "A", "100", "1");
    world.pass(100);
    assert_eq!(world.position(0, "SOL"), 0, "what was executed is known");
    world.assert_receipts(2, 1);
}

#[test]
fn a_post_only_order_that_would_take_is_followed_by_one_that_does() {
    let mut world = world(&smart(json!({"passive_ms": 3_000})));
    world.quote("SOL", "99.9", "100.1");
    world.reply = Reply::Text("Post only order would have immediately matched, bbo was 99.8@99.9. asset=2");
    let row = world.leader_trades(0, "SOL", "B", "100", "1");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    let refused = world.queue.remove(0);
    world.serve(refused);
    world.reply = Reply::Fill;
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("0.5"));
    assert!(world.alerts.iter().all(|alert| alert.code != "order_invalid"));
}
