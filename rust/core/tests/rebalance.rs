//! Open positions that take their ratio anew: when, by how much, and when not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, account_address, follow, leader_address, merge, pos};
use hlfast_core::commands::{Level, Outcome};
use serde_json::{Value, json};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// A round of looks, and the reads before it.
const ROUND: u64 = 2 * MINUTE;

fn edge(leader: usize, extra: Value) -> Value {
    let mut edge = json!({"mode": "equity", "ratio": null, "weight": "1"});
    merge(&mut edge, extra);
    follow(leader, 0, edge)
}

/// One leader and one follower of 10,000 dollars each, and four SOL that were copied.
fn copied(extra: Value) -> World {
    let mut world = World::new(1, &[json!({})], &[edge(0, extra)]);
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(world.position(0, "SOL"), pos("4"));
    world
}

fn hourly() -> Value {
    json!({"rebalance_hours": 1})
}

fn by_a_quarter() -> Value {
    json!({"rebalance_drift_percent": "25"})
}

fn worth(world: &mut World, follower: &str) {
    world.equity.insert(account_address(0), follower.into());
}

fn rounds(world: &mut World) {
    world.pass_coarsely(ROUND);
}

fn told(world: &World) -> Vec<&str> {
    world.alerts.iter().filter(|alert| alert.code == "rebalanced").map(|alert| alert.text.as_str()).collect()
}

#[test]
fn at_its_hour_a_position_takes_the_ratio_of_its_equities_and_at_no_other_time() {
    let mut world = copied(hourly());
    worth(&mut world, "15000.0");
    world.pass_coarsely(HOUR - ROUND);
    assert_eq!(
        (world.position(0, "SOL"), world.sent.len()),
        (pos("4"), 1),
        "money alone sends nothing before its time"
    );
    world.pass_coarsely(2 * ROUND);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("6"), 2));
    assert_eq!(told(&world), ["F0 of L0 takes another ratio: SOL 4 to 6."]);
    assert_eq!(world.alerts.last().unwrap().level, Level::Info);
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("9"), "an add has it too");
    worth(&mut world, "5000.0");
    world.pass_coarsely(HOUR);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("3"), 4));
    world.leader_fill(0, "SOL", "A", "100", "3");
    assert_eq!(world.position(0, "SOL"), pos("1.5"));
    world.leader_fill(0, "SOL", "A", "100", "3");
    assert_eq!(world.position(0, "SOL"), 0);
    world.pass_coarsely(HOUR + ROUND);
    assert_eq!(world.sent.len(), 6);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn by_drift_it_does_so_either_way_once_the_ratio_of_now_is_far_enough() {
    let mut world = copied(by_a_quarter());
    for (follower, held, sent) in [
        ("12400.0", "4", 1),
        ("12500.0", "5", 2),
        // A quarter of what it is now.
        ("9376.0", "5", 2),
        ("9375.0", "3.75", 3),
    ] {
        worth(&mut world, follower);
        rounds(&mut world);
        assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos(held), sent), "{follower}");
    }
    world.equity.insert(leader_address(0), "20000.0".into());
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("1.87"), "the leader is worth twice as much");
    assert!(world.sent.last().unwrap().orders[0].reduce_only);
    assert_eq!(world.status()["follows"][0]["ratios"]["SOL"], "0.46875");
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn an_increase_is_gated_like_an_entry_and_a_reduction_is_an_exit() {
    let listed = |coins: Value| move |config: &mut Value| config["follows"][0]["coins_block"] = coins;
    let mut world = copied(by_a_quarter());
    assert_eq!(world.configure(json!({}), listed(json!(["SOL"])))["ok"], true);
    worth(&mut world, "20000.0");
    rounds(&mut world);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("4"), 1), "the coin is blocked");
    worth(&mut world, "5000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("2"), "and what is to go goes");
    worth(&mut world, "20000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    assert_eq!(world.configure(json!({}), listed(json!([])))["ok"], true);
    world.pass_coarsely(MINUTE / 2);
    assert_eq!(world.position(0, "SOL"), pos("8"), "nothing of it was lost");
    world.assert_replay();
}

#[test]
fn caps_cut_what_it_grows_by_and_what_they_cut_is_not_taken_later() {
    let mut world = copied(json!({"rebalance_drift_percent": "25", "max_position_usd": "500"}));
    worth(&mut world, "20000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    worth(&mut world, "40000.0");
    rounds(&mut world);
    world.leader_fill(0, "SOL", "A", "100", "2");
    rounds(&mut world);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("2.5"), 3));
    let mut account = World::new(1, &[json!({"max_gross_usd": "600"})], &[edge(0, by_a_quarter())]);
    account.leader_fill(0, "SOL", "B", "100", "4");
    worth(&mut account, "20000.0");
    rounds(&mut account);
    assert_eq!(account.position(0, "SOL"), pos("6"), "the account's bound the target");
    account.assert_replay();
}

#[test]
fn what_was_missed_or_closed_by_somebody_is_not_opened_by_it() {
    let mut world = copied(by_a_quarter());
    world.quote("SOL", "104", "104.1");
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(world.outcomes().last(), Some(&(Outcome::Skipped, "price_beyond_band")));
    world.positions.insert((account_address(0), "SOL".into()), pos("1"));
    rounds(&mut world);
    worth(&mut world, "20000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("2"), "twice the one that is left");
    world.positions.insert((account_address(0), "SOL".into()), 0);
    rounds(&mut world);
    worth(&mut world, "40000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn an_order_on_its_way_or_unknown_is_waited_for() {
    let mut world = copied(by_a_quarter());
    world.pass_coarsely(40_000);
    worth(&mut world, "20000.0");
    world.pass_coarsely(79_000);
    assert_eq!(world.sent.len(), 1, "read after the round of the first minute");
    world.reply = Reply::Silence;
    world.leader_fill(0, "SOL", "A", "100", "1");
    world.pass(2_000);
    assert_eq!((told(&world).len(), &world.status()["follows"][0]["entitled"]["SOL"]), (0, &json!("3")));
    world.reply = Reply::Fill;
    rounds(&mut world);
    assert_eq!((world.position(0, "SOL"), told(&world).len()), (pos("6"), 1));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn an_equity_that_nobody_can_tell_is_waited_for_and_the_time_is_not_lost() {
    let mut world = copied(hourly());
    worth(&mut world, "15000.0");
    world.pass_coarsely(HOUR - ROUND);
    world.figures.modes.insert(leader_address(0), "somethingNew");
    world.equity.insert(leader_address(0), "4000.0".into());
    world.pass_coarsely(2 * ROUND);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("4"), 1));
    world.figures.modes.clear();
    rounds(&mut world);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("15"), 2));
    rounds(&mut world);
    assert_eq!(world.sent.len(), 2, "once");
    world.assert_replay();
}

#[test]
fn who_is_held_back_takes_no_ratio_until_he_is_let_go_on() {
    let pauses = [
        (json!({"do": "pause", "follower": "F0"}), json!({"do": "resume", "follower": "F0"})),
        (json!({"do": "pause", "leader": "L0", "kind": "freeze"}), json!({"do": "resume", "leader": "L0"})),
        (json!({"do": "kill", "why": "t"}), json!({"do": "resume", "kill": true})),
    ];
    for (pause, resume) in pauses {
        let mut world = copied(by_a_quarter());
        assert_eq!(world.operate(pause.clone())["ok"], true, "{pause}");
        for equity in ["20000.0", "5000.0"] {
            worth(&mut world, equity);
            rounds(&mut world);
            assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("4"), 1), "{pause}");
        }
        assert_eq!(world.operate(resume)["ok"], true);
        rounds(&mut world);
        assert_eq!(world.position(0, "SOL"), pos("2"), "{pause}");
        world.assert_replay();
    }
}

#[test]
fn an_ended_follow_takes_no_ratio() {
    let mut world = World::new(2, &[json!({})], &[edge(0, by_a_quarter()), edge(1, by_a_quarter())]);
    world.leader_fill(0, "SOL", "B", "100", "4");
    let ended = world.configure(json!({}), |config| {
        config["follows"].as_array_mut().unwrap().remove(0);
        config["leaders"].as_array_mut().unwrap().remove(0);
    });
    assert_eq!(ended["ok"], true, "{ended}");
    worth(&mut world, "20000.0");
    rounds(&mut world);
    assert_eq!(world.position(0, "SOL"), pos("4"));
    world.assert_replay();
}

#[test]
fn a_leader_with_a_gap_is_waited_for() {
    for gap in [false, true] {
        let mut world = copied(by_a_quarter());
        world.pass_coarsely(40_000);
        worth(&mut world, "20000.0");
        // Read after the round of this minute; the next one sees it, and whatever is asked for meanwhile has no answer.
        world.pass_coarsely(25_000);
        assert_eq!(world.sent.len(), 1);
        world.answer_reads = false;
        if gap {
            let mut row = world.leader_trades(0, "SOL", "B", "100", "4");
            row["startPosition"] = json!("9");
            world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
        }
        world.pass_coarsely(57_000);
        assert_eq!(world.sent.len() > 1, !gap);
        world.assert_replay();
    }
}

#[test]
fn a_restart_keeps_the_times() {
    let mut world = copied(hourly());
    worth(&mut world, "20000.0");
    world.pass_coarsely(HOUR / 2);
    world.restart();
    rounds(&mut world);
    assert_eq!(world.sent.len(), 1, "not because of the restart");
    // Down while its time comes.
    world.now += HOUR;
    world.restart();
    rounds(&mut world);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("8"), 2), "once, and late");
    world.restart();
    rounds(&mut world);
    assert_eq!(world.sent.len(), 2);
    world.assert_replay();
}

#[test]
fn parts_of_one_coin_go_in_one_order_and_add_up() {
    let half = |leader| edge(leader, json!({"weight": "0.5", "rebalance_drift_percent": "25"}));
    let mut world = World::new(3, &[json!({})], &[half(0), half(1), half(2)]);
    world.leader_fill(0, "SOL", "B", "100", "8");
    world.leader_fill(1, "SOL", "B", "100", "4");
    world.leader_fill(2, "SOL", "A", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("5"), 3));
    for (equity, held, sent) in [("20000.0", "10", 4), ("10000.0", "5", 5)] {
        worth(&mut world, equity);
        rounds(&mut world);
        assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos(held), sent));
        assert_eq!(world.engine.contradiction(), None);
    }
    world.assert_replay();
}

/// As many days that go up and down by 4 %.
fn four_percent(times: usize) -> Vec<String> {
    (0..40).map(|day| if day % 2 == 0 { "100.0".to_owned() } else { format!("{}.0", 100 + 4 * times) }).collect()
}

#[test]
fn a_position_sized_by_risk_is_as_large_as_its_risk_again_and_what_the_leader_sold_stays_sold() {
    let risk = json!({"mode": "risk", "ratio": null, "risk_bps": 100, "rebalance_hours": 24});
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, risk)], "off");
    world.figures.closes.insert("SOL".into(), four_percent(1));
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "7");
    assert_eq!(world.position(0, "SOL"), pos("25.48"));
    rounds(&mut world);
    world.leader_fill(0, "SOL", "A", "100", "3.5");
    assert_eq!(world.position(0, "SOL"), pos("12.74"));
    // Twice the move, half the money's worth of it, next day; twice the money makes up for it.
    world.figures.closes.insert("SOL".into(), four_percent(2));
    world.now += 24 * HOUR;
    world.pass_coarsely(2 * ROUND);
    let calm = world.position(0, "SOL");
    assert!((pos("6.4")..pos("6.7")).contains(&calm), "{calm}");
    worth(&mut world, "20000.0");
    world.now += 24 * HOUR;
    world.pass_coarsely(2 * ROUND);
    let rich = world.position(0, "SOL");
    assert!((rich - 2 * calm).abs() <= pos("0.01"), "{rich}");
    world.leader_fill(0, "SOL", "B", "100", "7");
    world.leader_fill(0, "SOL", "A", "100", "10.5");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn new_settings_are_looked_at_at_once_and_none_stops_it() {
    let set = |hours: Value, drift: Value, weight: &'static str| {
        move |config: &mut Value| {
            let edge = &mut config["follows"][0];
            edge["rebalance_hours"] = hours;
            edge["rebalance_drift_percent"] = drift;
            edge["weight"] = json!(weight);
        }
    };
    let mut world = copied(json!({}));
    let said = world.configure(json!({}), set(json!(null), json!(null), "0.5"));
    assert_eq!(said["said"], json!(["only policies changed: nothing moves by that"]));
    rounds(&mut world);
    assert_eq!(world.sent.len(), 1, "an allocation counts from the next position on");
    let said = world.configure(json!({}), set(json!(null), json!("10"), "0.5"));
    assert_eq!(said["said"], json!(["only policies changed: nothing moves by that but what is rebalanced"]));
    world.pass_coarsely(1_000);
    assert_eq!(world.position(0, "SOL"), pos("2"), "unless positions are rebalanced");
    // Off over one of its times, and on again: that time is past.
    worth(&mut world, "10900.0");
    world.configure(json!({}), set(json!(null), json!(null), "0.5"));
    world.pass_coarsely(HOUR);
    world.configure(json!({}), set(json!(1), json!(null), "0.5"));
    world.pass_coarsely(MINUTE / 2);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.pass_coarsely(HOUR);
    assert_eq!(world.position(0, "SOL"), pos("2.18"));
    world.assert_replay();
}

#[test]
fn many_are_looked_at_over_several_ticks() {
    let followers = 200;
    let accounts: Vec<Value> = (0..followers).map(|_| json!({})).collect();
    let sized = |at| {
        let mut edge = json!({"mode": "equity", "ratio": null, "weight": "1"});
        merge(&mut edge, by_a_quarter());
        follow(0, at, edge)
    };
    let follows: Vec<Value> = (0..followers).map(sized).collect();
    let mut world = World::new(1, &accounts, &follows);
    world.leader_fill(0, "SOL", "B", "100", "4");
    world.equity.insert(leader_address(0), "5000.0".into());
    world.pass_coarsely(MINUTE / 2);
    let (before, steps) = (world.sent.len(), world.steps.len());
    rounds(&mut world);
    assert_eq!(world.sent.len() - before, followers);
    assert_eq!(world.steps[steps..].iter().map(|step| step.digests.len()).max(), Some(128));
    assert!((0..followers).all(|at| world.position(at, "SOL") == pos("8")));
}
