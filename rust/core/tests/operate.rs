//! What an operator asks for at run time: pauses, the kill switch, flatten.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, follow, pos};
use hlfast_core::commands::Outcome;
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

fn two_leaders() -> World {
    World::new(2, &[json!({}), json!({})], &[follow(0, 0, json!({})), follow(1, 0, json!({})), follow(0, 1, json!({}))])
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

fn said(answer: &Value) -> &str {
    assert_eq!(answer["ok"], true, "{answer}");
    answer["said"][0].as_str().unwrap()
}

fn restart(world: &mut World) {
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Up(3, SourceKind::Tape));
    world.step(OwnedEvent::Start);
    world.settle();
}

#[test]
fn rule_32_a_paused_leader_is_reduced_but_not_increased_and_nobody_else_notices() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let answer = world.operate(json!({"do": "pause", "leader": "l0", "why": "holiday"}));
    assert!(said(&answer).contains("L0") && said(&answer).contains("holiday"), "{answer}");
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Blocked, "paused"));
    world.leader_fill(0, "SOL", "A", "100", "7");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("2.5"), pos("2.5")));
    world.leader_fill(1, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    restart(&mut world);
    world.pass(6_000);
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Blocked, "paused"), "a restart keeps it");
    assert_eq!(world.operate(json!({"do": "resume", "leader": "L0"}))["changed"], true);
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    assert_eq!(world.position(1, "ETH"), pos("2"), "what was missed is not taken later");
    world.assert_replay();
}

#[test]
fn one_edge_or_one_follower_is_paused_alone() {
    let mut world = two_leaders();
    world.operate(json!({"do": "pause", "leader": "L0", "follower": "F1"}));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("1"), 0));
    world.operate(json!({"do": "pause", "follower": "F0"}));
    world.leader_fill(1, "SOL", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "paused"));
    let status = world.status();
    assert_eq!(status["follows"][2]["pause"]["kind"], "close_only");
    assert_eq!(status["follows"][1]["held_back"], json!({"kind": "close_only", "reason": "paused"}));
    assert_eq!(status["followers"][0]["pause"]["kind"], "close_only");
    let refused = world.operate(json!({"do": "resume", "leader": "L1"}));
    assert!(refused["refused"].as_str().unwrap().contains("not paused"), "{refused}");
    world.assert_replay();
}

#[test]
fn rule_32_flatten_closes_the_part_of_the_paused_leader_alone() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "B", "100", "4");
    world.operate(json!({"do": "pause", "leader": "L0", "kind": "flatten"}));
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("2"), 0));
    world.operate(json!({"do": "resume", "leader": "L0"}));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("3"), pos("1")), "the next increase counts");
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("2.5"), pos("0.5")));
    world.assert_replay();
}

#[test]
fn what_is_too_much_for_one_action_goes_in_several() {
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, json!({}))], "off");
    let coins: Vec<String> = (0..90).map(|at| format!("C{at}")).collect();
    world.coins.extend(coins.iter().cloned());
    world.boot(1);
    coins.iter().for_each(|coin| world.leader_fill(0, coin, "B", "100", "2"));
    assert!(coins.iter().all(|coin| world.position(0, coin) == pos("1")));
    let sent = world.sent.len();
    world.operate(json!({"do": "pause", "follower": "F0", "kind": "flatten"}));
    let orders: Vec<usize> = world.sent[sent..].iter().map(|sent| sent.orders.len()).collect();
    assert_eq!((orders.len(), orders.iter().sum::<usize>()), (3, 90), "{orders:?}");
    assert!(orders.iter().all(|orders| *orders <= 40), "{orders:?}");
    assert!(coins.iter().all(|coin| world.position(0, coin) == 0));
    world.assert_replay();
}

#[test]
fn rule_16_a_frozen_account_sends_nothing_and_its_exits_go_when_it_thaws() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.operate(json!({"do": "pause", "follower": "F0", "kind": "freeze"}));
    let sent = world.sent.len();
    world.leader_fill(0, "SOL", "A", "100", "5");
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert!(world.alerts.iter().any(|alert| alert.code == "reduction_frozen" && alert.follower == Some(0)));
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert!(world.sent.iter().skip(sent).all(|sent| sent.attempt.follower == 1));
    let mine: Vec<_> =
        world.receipts.iter().filter(|r| r.follower == 0).map(|r| (r.outcome, r.reason.name())).collect();
    assert_eq!(mine[1..], [(Outcome::Blocked, "frozen"); 3]);
    restart(&mut world);
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), pos("5"), "a restart keeps it");
    world.operate(json!({"do": "resume", "follower": "F0"}));
    assert_eq!(
        world.position(0, "SOL"),
        pos("1.25"),
        "half of the half, as the leader reduced; the increase was missed"
    );
    world.assert_receipts(4, 2);
    world.assert_replay();
}

#[test]
fn a_frozen_leader_holds_nobody_elses_exit_back() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "B", "100", "4");
    world.operate(json!({"do": "pause", "leader": "L0", "kind": "freeze"}));
    world.leader_fill(0, "SOL", "A", "100", "10");
    world.leader_fill(1, "SOL", "A", "100", "4");
    assert_eq!(world.position(0, "SOL"), pos("5"), "the other leader's part is gone, the frozen one stays");
    world.operate(json!({"do": "resume", "leader": "L0"}));
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (0, 0));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("1"));
    world.assert_replay();
}

#[test]
fn an_order_in_flight_at_a_pause_is_settled_and_not_tried_again() {
    let mut world = two_leaders();
    world.reply = Reply::Part(0.5);
    let row = world.leader_trades(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.step(OwnedEvent::Operate(json!({"do": "pause", "all": true}).to_string().into_bytes()));
    world.settle();
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (pos("2.5"), pos("2.5")));
    assert_eq!(world.outcomes(), [(Outcome::PartlyFilled, "paused"); 2]);
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!((world.position(0, "SOL"), world.position(1, "SOL")), (0, 0));
    world.assert_receipts(2, 2);
    world.assert_replay();
}

#[test]
fn rule_16_kill_stops_increases_everywhere_until_its_own_lifting() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    let answer = world.operate(json!({"do": "kill", "why": "odd fills"}));
    assert!(said(&answer).contains("odd fills"), "{answer}");
    assert!(world.alerts.iter().any(|alert| alert.code == "killed"));
    world.leader_fill(1, "ETH", "B", "100", "3");
    assert_eq!(last(&world), (Outcome::Blocked, "killed"));
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert_eq!(world.position(0, "SOL"), pos("2.5"), "reductions go on");
    restart(&mut world);
    world.pass(6_000);
    world.leader_fill(1, "BTC", "B", "100", "3");
    assert_eq!(last(&world), (Outcome::Blocked, "killed"));
    let refused = world.operate(json!({"do": "resume", "all": true}));
    assert!(refused["fix"].as_str().unwrap().contains("--kill"), "{refused}");
    assert_eq!(world.operate(json!({"do": "resume", "kill": true}))["ok"], true);
    world.leader_fill(1, "ETH", "B", "100", "3");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_replay();
}

#[test]
fn rule_16_kill_flatten_closes_and_kill_freeze_sends_nothing() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "ETH", "A", "100", "10");
    world.operate(json!({"do": "kill", "kind": "freeze"}));
    let sent = world.sent.len();
    world.leader_fill(0, "SOL", "A", "100", "10");
    world.pass(5_000);
    assert_eq!(world.sent.len(), sent);
    world.operate(json!({"do": "kill", "kind": "flatten"}));
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH"), world.position(1, "SOL")), (0, 0, 0));
    world.assert_replay();
}

#[test]
fn no_exit_uncovers_the_other_side_of_a_paused_account() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "A", "100", "16");
    assert_eq!(world.position(0, "SOL"), pos("-3"));
    world.operate(json!({"do": "pause", "follower": "F0"}));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("-3"), "five more short would be an increase");
    world.leader_fill(1, "SOL", "B", "100", "8");
    assert_eq!(world.position(0, "SOL"), pos("-1.5"), "half of what is held");
    world.assert_replay();
}

#[test]
fn flatten_closes_a_coin_and_the_leaders_next_increase_is_copied() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "ETH", "B", "100", "10");
    let answer = world.operate(json!({"do": "flatten", "follower": "F0", "coin": "sol"}));
    assert!(said(&answer).contains("5 SOL"), "{answer}");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH"), world.position(1, "SOL")), (0, pos("5"), pos("5")));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("1"));
    world.operate(json!({"do": "flatten", "follower": "F0"}));
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (0, 0));
    for (request, named) in [
        (json!({"do": "flatten", "follower": "F7"}), "F7"),
        (json!({"do": "flatten", "follower": "F0", "coin": "DOGE"}), "DOGE"),
    ] {
        let refused = world.operate(request);
        assert!(refused["refused"].as_str().unwrap().contains(named), "{refused}");
    }
    world.assert_replay();
}

#[test]
fn the_part_of_an_account_that_is_not_the_engines_is_never_flattened() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.positions.insert((venue::account_address(0), "SOL".into()), pos("8"));
    world.pass(62_000);
    world.operate(json!({"do": "kill", "kind": "flatten"}));
    world.pass(2_000);
    assert_eq!(world.position(0, "SOL"), pos("3"));
    world.assert_replay();
}

#[test]
fn a_refused_request_changes_nothing_and_is_not_recorded() {
    let mut world = two_leaders();
    let steps = world.steps.len();
    for request in ["", "{}", r#"{"do":"pause"}"#, r#"{"do":"pause","leader":"L9"}"#, r#"{"do":"resume","all":true}"#] {
        world.step(OwnedEvent::Operate(request.as_bytes().to_vec()));
        let answer: Value = serde_json::from_slice(&world.answer).unwrap();
        assert_eq!(answer["ok"], false);
        assert!(!answer["fix"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.steps.len(), steps);
}

#[test]
fn what_a_flattened_leader_had_covered_is_opened_as_part_of_that_exit() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "A", "100", "16");
    world.operate(json!({"do": "pause", "leader": "L0", "kind": "flatten"}));
    assert_eq!(world.position(0, "SOL"), pos("-8"), "the other leader's part, whole");
    world.assert_replay();
}

/// A leader trades, and nothing of what that leads to is answered.
fn trade(world: &mut World, leader: usize, side: &str, size: &str) {
    let row = world.leader_trades(leader, "SOL", side, "100", size);
    world.step(OwnedEvent::Frame(2, World::fills_frame(leader, &[row], false)));
}

fn operate_unanswered(world: &mut World, request: &Value) {
    world.step(OwnedEvent::Operate(request.to_string().into_bytes()));
}

#[test]
fn an_entry_that_a_pause_ends_does_not_stand_for_what_is_being_sold() {
    let mut world = two_leaders();
    world.leader_fill(0, "SOL", "B", "100", "4");
    operate_unanswered(&mut world, &json!({"do": "flatten", "follower": "F0"}));
    trade(&mut world, 1, "B", "6");
    operate_unanswered(&mut world, &json!({"do": "pause", "leader": "L1", "follower": "F0"}));
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), 0, "two were sold, and none is bought for a paused leader");
    world.assert_replay();
}

#[test]
fn what_a_flattened_edge_had_covered_is_opened_once_its_own_order_is_proven_dead() {
    let mut world = two_leaders();
    trade(&mut world, 1, "A", "4");
    trade(&mut world, 0, "B", "2");
    operate_unanswered(&mut world, &json!({"do": "pause", "leader": "L0"}));
    operate_unanswered(&mut world, &json!({"do": "pause", "leader": "L1", "follower": "F0", "kind": "flatten"}));
    world.reply = Reply::Text("Order could not immediately match against any resting orders.");
    world.settle();
    world.reply = Reply::Fill;
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), pos("1"), "the other leader's part, which his pause left in E");
    world.assert_replay();
}
