//! The venue's budgets: never exceeded, the reserve kept for what is safe, and what had to wait goes when there is room.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, account_address, follow, pos};
use hlfast_core::commands::Outcome;
use serde_json::json;

fn limited(followers: usize) -> World {
    let accounts = vec![json!({}); followers];
    let follows: Vec<_> = (0..followers).map(|at| follow(0, at, json!({"max_age_ms": 600_000}))).collect();
    let mut world = World::cold(1, &accounts, &follows, "venue");
    world.boot(1);
    world
}

/// Everything that reads of the shell may use: the reserve stays.
fn drain(world: &mut World) {
    while world.engine.reserve_weight(1, world.now) {
        world.spent.push((world.now, 1, 0));
    }
}

#[test]
fn entries_wait_for_the_budget_and_exits_use_the_reserve() {
    let mut world = limited(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    drain(&mut world);
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(world.position(0, "ETH"), 0, "the entry waits");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0, "the exit went");
    world.pass(63_000);
    assert_eq!(world.position(0, "ETH"), pos("5"), "the entry followed when there was room");
    world.assert_receipts(3, 1);
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn a_flip_closes_by_the_reserve_and_its_opening_waits_for_the_budget() {
    let mut world = limited(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    drain(&mut world);
    world.leader_fill(0, "SOL", "A", "100", "30");
    assert_eq!(world.position(0, "SOL"), 0, "the close went");
    assert_eq!(world.receipts.len(), 1, "the flip is not over");
    world.pass(63_000);
    assert_eq!(world.position(0, "SOL"), pos("-10"), "the opening followed when there was room");
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::Filled, "none"));
    world.assert_receipts(2, 1);
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn a_flip_whose_opening_found_no_budget_in_time_is_filled_in_part() {
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, json!({"max_age_ms": 2_000}))], "venue");
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    drain(&mut world);
    world.leader_fill(0, "SOL", "A", "100", "30");
    world.pass(63_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::PartlyFilled, "too_old"));
    world.assert_receipts(2, 1);
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn missing_fills_are_read_when_there_is_room() {
    let mut world = World::cold(3, &[json!({})], &[follow(2, 0, json!({}))], "venue");
    world.boot(3);
    drain(&mut world);
    let histories = |world: &World| world.spent.iter().filter(|(_, weight, _)| *weight == 120).count();
    // Malformed frames that name a leader: each is a reason to read its fills.
    for leader in 0..3 {
        let bad =
            format!(r#"{{"channel":"userFills","data":{{"user":"{}","fills":[5]}}}}"#, venue::leader_address(leader));
        world.step(OwnedEvent::Frame(2, bad.into_bytes()));
    }
    world.pass(200);
    assert_eq!(histories(&world), 2, "two fit into the reserve");
    world.pass(63_000);
    assert_eq!(histories(&world), 3);
    world.leader_fill(2, "ETH", "B", "100", "10");
    assert_eq!(world.outcomes().last().unwrap().0, Outcome::Filled, "the ledger is whole again");
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn fills_before_a_full_snapshot_are_read_though_its_chain_fits() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.now += 1_000;
    let missed = [world.leader_trades(0, "SOL", "B", "100", "4"), world.leader_trades(0, "SOL", "A", "100", "4")];
    world.now += 1_000;
    let side = |at| if at % 2 == 0 { "B" } else { "A" };
    let shown: Vec<_> = (0..2_000).map(|at| world.leader_trades(0, "SOL", side(at), "100", "1")).collect();
    world.history = Some(missed.iter().chain(&shown).cloned().collect());
    world.snapshot(0, &shown);
    world.settle();
    assert!(world.alerts.iter().all(|alert| alert.code != "chain_broken"), "out and back: nothing to be seen");
    world.assert_receipts(2_003, 1);
    world.assert_replay();
    world.leader_fill(0, "SOL", "A", "100", "10");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.outcomes().last().unwrap().0, Outcome::Filled, "the ledger is whole again");
}

#[test]
fn a_crowd_of_orders_never_exceeds_a_minute() {
    let mut world = limited(40);
    for _ in 0..40 {
        world.leader_fill(0, "SOL", "B", "100", "1");
        world.pass(1_500);
    }
    world.pass(120_000);
    world.assert_budget();
    world.assert_receipts(40, 40);
    for follower in 0..40 {
        assert_eq!(world.position(follower, "SOL"), pos("20"), "all of it arrived in the end");
    }
}

#[test]
fn an_account_short_of_requests_keeps_them_for_its_exits() {
    let mut world = limited(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.requests_left = 90;
    world.pass(600_000 + 31_000);
    assert!(world.alerts.iter().any(|alert| alert.code == "requests_low"));
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::Blocked, "request_budget"));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0, "the exit went");
    // Volume adds to the budget; the next look finds it.
    world.requests_left = 5_000;
    world.pass(61_000 + 31_000);
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(world.position(0, "ETH"), pos("5"));
    world.assert_receipts(4, 1);
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn requests_are_counted_between_two_looks() {
    let mut world = limited(1);
    world.requests_left = 104;
    world.pass(600_000 + 31_000);
    for _ in 0..4 {
        world.leader_fill(0, "SOL", "B", "100", "1");
    }
    assert_eq!(world.position(0, "SOL"), pos("2"), "four orders, and a hundred requests are left");
    world.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::Blocked, "request_budget"));
    world.assert_replay();
}

#[test]
fn a_cap_of_the_gross_counts_what_is_on_its_way() {
    let mut world = World::new(1, &[json!({"max_gross_usd": "600"})], &[follow(0, 0, json!({}))]);
    for coin in ["SOL", "ETH"] {
        let row = world.leader_trades(0, coin, "B", "100", "10");
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    }
    world.settle();
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (pos("5"), pos("1")));
    world.assert_replay();
}

#[test]
fn a_cap_of_the_gross_counts_what_nobody_knows_the_fate_of() {
    let mut world = World::new(1, &[json!({"max_gross_usd": "600"})], &[follow(0, 0, json!({}))]);
    world.reply = Reply::Lost;
    world.leader_fill(0, "SOL", "B", "100", "10");
    (world.reply, world.answer_reads) = (Reply::Silence, false);
    world.pass(4_000);
    let lot = world.status()["followers"][0]["positions"]["SOL"].clone();
    assert_eq!((&lot["own"], &lot["unknown"]), (&json!("0"), &json!(1)), "it filled, and no answer came");
    world.reply = Reply::Fill;
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(world.position(0, "ETH"), pos("1"));
    world.assert_replay();
}

#[test]
fn a_cap_of_the_leverage_counts_all_coins_against_what_the_account_is_worth() {
    let followers = [json!({"max_gross_leverage": "0.06"})];
    let mut world = World::cold(1, &followers, &[follow(0, 0, json!({}))], "off");
    // Worth 10,000: 600 USD together.
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (pos("5"), pos("1")));
    // Worth less: nothing is sold for that, and nothing more is bought.
    world.equity.insert(account_address(0), "5000.0".into());
    world.pass(40_000);
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (pos("5"), pos("1")));
    // An exit passes, and its room is there for the next entry: 300 USD, of which SOL holds none any more.
    world.leader_fill(0, "SOL", "A", "100", "14");
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (0, pos("3")));
    world.assert_replay();
}

#[test]
fn a_cap_of_the_leverage_blocks_entries_while_the_accounts_worth_is_not_known() {
    for (mode, equity) in [("somethingNew", "10000.0"), ("disabled", "0.0")] {
        let followers = [json!({"max_gross_leverage": "3"})];
        let mut world = World::cold(1, &followers, &[follow(0, 0, json!({}))], "off");
        world.figures.modes.insert(account_address(0), mode);
        world.equity.insert(account_address(0), equity.into());
        world.boot(1);
        world.leader_fill(0, "SOL", "B", "100", "10");
        assert_eq!(world.outcomes(), [(Outcome::Blocked, "equity_unreadable")], "{mode} {equity}");
        world.assert_replay();
    }
}
