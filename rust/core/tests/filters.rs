//! One test per gate of an edge: what it holds back, what it lets pass, that a figure nobody can tell blocks, and that no exit
//! ever meets it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, World, follow, leader_address, pos};
use hlfast_core::commands::Outcome;
use serde_json::{Value, json};

/// A day.
const DAY: u64 = 86_400_000;

fn cold(extra: Value) -> World {
    World::cold(1, &[json!({})], &[follow(0, 0, extra)], "off")
}

fn one(extra: Value) -> World {
    World::new(1, &[json!({})], &[follow(0, 0, extra)])
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

/// A position of the follower's before the gate shuts; then the leader adds, reduces and leaves.
fn exits_pass_where_an_add_ends(world: &mut World, outcome: Outcome, reason: &str) {
    let held = world.position(0, "SOL");
    assert_ne!(held, 0, "something is held before the gate shuts");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(world), (outcome, reason));
    assert_eq!(world.position(0, "SOL"), held);
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), held / 2, "the same fraction of what is held");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn side_takes_one_side_of_the_leader_and_a_flip_closes_the_other() {
    let mut world = one(json!({"side": "long"}));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "side_filtered"));
    world.leader_fill(0, "SOL", "B", "100", "20");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.leader_fill(0, "SOL", "A", "100", "30");
    assert_eq!(world.position(0, "SOL"), 0, "closed, and not opened short");
    assert_eq!(last(&world), (Outcome::Filled, "side_filtered"));
    world.assert_receipts(3, 1);
    world.assert_replay();
    let mut short = one(json!({"side": "short"}));
    short.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&short), (Outcome::Skipped, "side_filtered"));
    short.leader_fill(0, "SOL", "A", "100", "20");
    assert_eq!(short.position(0, "SOL"), pos("-5"));
}

#[test]
fn hours_gate_increases_by_the_venues_clock() {
    // The test's first moment is 08:00:00 UTC.
    assert_eq!(venue::NOW % DAY, 8 * 3_600_000);
    let mut world = one(json!({"hours": ["07:00-08:01"]}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.now += 60_000;
    exits_pass_where_an_add_ends(&mut world, Outcome::Skipped, "outside_hours");
}

#[test]
fn hours_in_a_zone_are_its_wall_clock() {
    let mut settings = venue::config_json(
        1,
        &[json!({})],
        &[follow(0, 0, json!({"hours": ["17:00-18:00"], "hours_zone": "Asia/Tokyo"}))],
        "off",
    );
    settings["zones"] = json!([{"name": "Asia/Tokyo", "offsets": [[0, 32_400]]}]);
    let mut world = World::of(&settings);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.now += 3_600_000;
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "outside_hours"));
}

#[test]
fn a_leader_that_stretches_its_equity_is_not_followed_in() {
    let mut world = cold(json!({"max_leader_leverage": "2"}));
    world.equity.insert(leader_address(0), "1000.0".into());
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"), "once its equity");
    world.leader_fill(0, "ETH", "B", "100", "11");
    assert_eq!(last(&world), (Outcome::Skipped, "leader_leverage"), "2.1 times, over all its coins");
    world.leader_fill(0, "ETH", "A", "100", "11");
    world.now += 90_000;
    exits_pass_where_an_add_ends(&mut world, Outcome::Blocked, "equity_unreadable");
}

#[test]
fn a_market_without_volume_or_open_interest_is_not_entered() {
    let mut world = cold(json!({"min_day_volume_usd": "1000000", "min_open_interest_usd": "500000"}));
    world.figures.contexts.insert("SOL".into(), ["1000000.0", "5000.0", "100.0"]);
    world.figures.contexts.insert("ETH".into(), ["999999.9", "5000.0", "100.0"]);
    world.figures.contexts.insert("BTC".into(), ["2000000.0", "4999.9", "100.0"]);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "low_volume"));
    world.leader_fill(0, "BTC", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "low_open_interest"));
    world.leader_fill(0, "kPEPE", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "market_unread"), "the venue gives no figures of it");
    // The next reads give nothing, and 15 minutes after the last good one it counts no more.
    assert!(world.alerts.is_empty());
    world.figures.contexts.clear();
    world.pass_coarsely(900_000 + 120_000);
    let alerts: Vec<_> = world.alerts.iter().map(|alert| alert.code).collect();
    assert_eq!(alerts, ["figures_unread"], "told once, however often it is tried again");
    exits_pass_where_an_add_ends(&mut world, Outcome::Blocked, "market_unread");
}

#[test]
fn a_young_market_is_not_entered_and_grows_old_by_itself() {
    let mut world = cold(json!({"min_listed_days": 10}));
    let days = |count: usize| vec!["100.0".to_owned(); count];
    world.figures.closes.insert("SOL".into(), days(40));
    // Its first day ended ten days ago less a day.
    world.figures.closes.insert("ETH".into(), days(10));
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "market_too_young"));
    world.leader_fill(0, "BTC", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "market_unread"), "no candles came");
    world.now += DAY;
    world.leader_fill(0, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_replay();
}

#[test]
fn rule_19_only_profitable_judges_the_leaders_past_and_never_an_open() {
    let mut world = cold(json!({"quality_window": "week", "only_profitable": true}));
    world.figures.pasts.insert(leader_address(0), vec![("0.0", "1000.0"), ("-50.0", "950.0"), ("1.0", "1001.0")]);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.figures.pasts.insert(leader_address(0), vec![("0.0", "1000.0"), ("100.0", "1100.0"), ("0.0", "1000.0")]);
    world.pass_coarsely(601_000);
    exits_pass_where_an_add_ends(&mut world, Outcome::Skipped, "leader_quality");
    world.figures.pasts.clear();
    world.pass_coarsely(3_700_000);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "quality_unread"), "a past of more than an hour ago is none");
}

#[test]
fn a_leader_that_fell_too_deep_is_not_followed_in() {
    let past = vec![("0.0", "1000.0"), ("100.0", "1100.0"), ("-10.0", "990.0"), ("200.0", "1200.0")];
    for (most, outcome) in [(1_000, (Outcome::Filled, "none")), (999, (Outcome::Skipped, "leader_quality"))] {
        let mut world = cold(json!({"quality_window": "week", "max_leader_drawdown_bps": most}));
        world.figures.pasts.insert(leader_address(0), past.clone());
        world.boot(1);
        world.leader_fill(0, "SOL", "B", "100", "10");
        assert_eq!(last(&world), outcome, "110 lost of 1,100");
    }
    let mut world = cold(json!({"quality_window": "month", "only_profitable": true}));
    world.figures.pasts.insert(leader_address(0), past);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "quality_unread"), "the venue told of a week only");
}

#[test]
fn mistake_delay_that_sleeps_and_then_does_nothing() {
    let mut world = one(json!({"delay_ms": 5_000}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert!(world.sent.is_empty() && world.receipts.is_empty(), "it waits, and has no receipt yet");
    world.pass(4_980);
    assert!(world.sent.is_empty());
    world.pass(20);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0, "an exit does not wait");
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn rule_18_a_delayed_entry_is_dropped_when_the_leader_left_and_shrinks_when_it_reduced() {
    let mut world = one(json!({"delay_ms": 5_000}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(1_000);
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!(last(&world), (Outcome::Skipped, "nothing_held"));
    world.pass(4_000);
    assert_eq!(world.position(0, "SOL"), pos("2"), "half of the four that are left");
    world.leader_fill(0, "ETH", "B", "100", "10");
    world.pass(1_000);
    world.leader_fill(0, "ETH", "A", "100", "10");
    assert!(world.outcomes().contains(&(Outcome::Skipped, "leader_left")));
    world.pass(10_000);
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn rule_18_a_delayed_entry_is_judged_again_against_the_leaders_state_then() {
    let mut world = one(json!({"delay_ms": 5_000, "max_value_usd": "1500"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(1_000);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.outcomes(), [(Outcome::Skipped, "above_max_value")], "refused at once");
    world.pass(5_000);
    assert_eq!(world.outcomes()[1], (Outcome::Skipped, "above_max_value"), "2,000 dollars when it was due");
    assert!(world.sent.is_empty());
    world.assert_receipts(2, 1);
}

#[test]
fn a_delayed_flip_closes_at_once_and_opens_when_due_also_over_a_restart() {
    let mut world = one(json!({"delay_ms": 5_000}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(5_000);
    world.leader_fill(0, "SOL", "A", "100", "20");
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(last(&world), (Outcome::Filled, "delayed"), "the close has the receipt");
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, hlfast_core::event::SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.pass(5_000);
    assert_eq!(world.position(0, "SOL"), pos("-5"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_delayed_entry_ends_with_a_pause_and_with_a_flatten() {
    for (request, reason) in [
        (json!({"do": "pause", "leader": "L0"}), "paused"),
        (json!({"do": "flatten", "follower": "F0"}), "flattened"),
        (json!({"do": "kill", "kind": "freeze"}), "frozen"),
    ] {
        let mut world = one(json!({"delay_ms": 5_000}));
        world.leader_fill(0, "SOL", "B", "100", "10");
        world.step(OwnedEvent::Operate(request.to_string().into_bytes()));
        assert_eq!(world.outcomes(), [(Outcome::Blocked, reason)], "{request}");
        world.pass(10_000);
        assert!(world.sent.is_empty());
        world.assert_receipts(1, 1);
        world.assert_replay();
    }
}

#[test]
fn a_delayed_entry_that_comes_up_too_late_expires() {
    let mut world = one(json!({"delay_ms": 5_000}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.now += 7_001;
    world.step(OwnedEvent::Tick);
    assert_eq!(world.outcomes(), [(Outcome::Expired, "too_old")]);
    assert!(world.sent.is_empty());
}

#[test]
fn lists_follow_coins_that_the_table_learns_later() {
    let mut world = World::cold(
        1,
        &[json!({})],
        &[follow(0, 0, json!({"coins_block": ["NEWX"], "coins_allow": ["SOL", "LATER"]}))],
        "off",
    );
    world.boot(1);
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "coin_filtered"));
    world.list("LATER");
    world.leader_fill(0, "LATER", "B", "100", "10");
    assert_eq!(world.position(0, "LATER"), pos("5"));
    world.list("NEWX");
    world.leader_fill(0, "NEWX", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "coin_filtered"));
    world.assert_replay();
}

#[test]
fn mistake_a_list_that_is_skipped_when_there_is_no_other_filter() {
    for list in [json!({"coins_allow": ["ETH"]}), json!({"coins_block": ["SOL"]})] {
        let mut world = one(list);
        world.leader_fill(0, "SOL", "B", "100", "10");
        assert_eq!(world.outcomes(), [(Outcome::Skipped, "coin_filtered")]);
    }
}

#[test]
fn mistake_a_filter_that_also_blocks_the_close() {
    // Every gate of this edge says no from here on; what is held still goes in step with the leader.
    let mut world = cold(json!({
        "coins_block": ["ETH"], "side": "long", "hours": ["08:00-08:01"], "max_leader_leverage": "1", "min_listed_days": 365,
        "min_day_volume_usd": "1", "min_open_interest_usd": "1", "quality_window": "week", "only_profitable": true, "min_value_usd": "500"
    }));
    world.equity.insert(leader_address(0), "1000.0".into());
    world.figures.contexts.insert("SOL".into(), ["1.0", "1.0", "100.0"]);
    world.figures.closes.insert("SOL".into(), vec!["1.0".to_owned(); 400]);
    world.figures.pasts.insert(leader_address(0), vec![("0.0", "1.0"), ("1.0", "1.0")]);
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"), "{:?}", world.outcomes());
    world.figures = venue::Figures::default();
    world.now += 4 * 3_600_000;
    for (size, left) in [("4", "3"), ("5", "0.5"), ("1", "0")] {
        world.leader_fill(0, "SOL", "A", "100", size);
        assert_eq!(world.position(0, "SOL"), pos(left));
    }
    world.assert_receipts(4, 1);
    world.assert_replay();
}
