//! Rule 27: leverage and margin mode are set before the first entry of a coin, and never on an open position.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, follow, leader_address, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

fn world(account: Value, edge: Value) -> World {
    World::new(1, &[account], &[follow(0, 0, edge)])
}

fn mirroring() -> World {
    world(json!({"leverage": "mirror"}), json!({}))
}

fn lend(world: &mut World, coin: &str, kind: &'static str, times: u64) {
    world.leverages.insert((leader_address(0), coin.to_owned()), (kind, times));
}

/// Kinds of what was sent since, in order.
fn kinds(world: &World, since: usize) -> Vec<AttemptKind> {
    world.sent[since..].iter().map(|sent| sent.attempt.kind).collect()
}

fn of(world: &World, at: usize) -> (bool, u64) {
    let action = &world.sent[at].action;
    (action["isCross"].as_bool().unwrap(), action["leverage"].as_u64().unwrap())
}

#[test]
fn rule_27_the_leaders_leverage_is_set_before_the_first_entry_and_then_known() {
    let mut world = mirroring();
    lend(&mut world, "ETH", "isolated", 5);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(kinds(&world, 0), [AttemptKind::Setup, AttemptKind::Open]);
    assert_eq!((of(&world, 0), world.position(0, "ETH")), ((false, 5), pos("0.5")));
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.leader_fill(0, "ETH", "A", "3200", "2");
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(kinds(&world, 2), [AttemptKind::Open, AttemptKind::Reduce, AttemptKind::Open], "it is known");
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none"); 4]);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn rule_27_what_is_known_beforehand_is_prepared_and_costs_the_entry_nothing() {
    let mut world = World::cold(1, &[json!({"leverage": "mirror"})], &[follow(0, 0, json!({}))], "off");
    world.leader_positions.insert((leader_address(0), "ETH".into()), pos("4"));
    lend(&mut world, "ETH", "cross", 7);
    world.boot(1);
    world.pass(100);
    assert_eq!((kinds(&world, 0), of(&world, 0)), (vec![AttemptKind::Setup], (true, 7)), "no entry asked for it");
    world.leader_fill(0, "ETH", "A", "3200", "4");
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(kinds(&world, 1), [AttemptKind::Open]);
    world.assert_replay();
}

#[test]
fn rule_27_coins_of_a_leaders_recent_fills_are_read_ahead() {
    let mut world = World::cold(1, &[json!({"leverage": "mirror"})], &[follow(0, 0, json!({}))], "off");
    lend(&mut world, "SOL", "isolated", 3);
    world.meta();
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.now -= 5_000;
    let history = world.fill_row("SOL", "B", "150", "1", "0");
    world.now += 5_000;
    world.snapshot(0, &[history]);
    world.step(OwnedEvent::Start);
    world.settle();
    world.pass(200);
    assert_eq!((kinds(&world, 0), of(&world, 0)), (vec![AttemptKind::Setup], (false, 3)));
    world.leader_fill(0, "SOL", "B", "150", "4");
    assert_eq!(kinds(&world, 1), [AttemptKind::Open]);
    world.assert_replay();
}

#[test]
fn rule_27_it_is_the_least_of_leader_cap_and_market_and_an_isolated_market_is_respected() {
    for (account, kind, times, wanted) in [
        (json!({"leverage": "mirror"}), "cross", 40, (true, 10)),
        (json!({"leverage": "mirror", "max_leverage": 3}), "cross", 40, (true, 3)),
        (json!({"leverage": "mirror", "max_leverage": 8}), "isolated", 5, (false, 5)),
        (json!({"leverage": 4}), "isolated", 9, (false, 4)),
        (json!({"leverage": 4, "margin": "cross"}), "isolated", 9, (true, 4)),
        (json!({"leverage": "mirror", "margin": "isolated"}), "cross", 6, (false, 6)),
    ] {
        let mut world = world(account.clone(), json!({}));
        lend(&mut world, "ETH", kind, times);
        world.leader_fill(0, "ETH", "B", "3200", "1");
        assert_eq!(of(&world, 0), wanted, "{account}");
    }
    for mode in
        [json!({"onlyIsolated": true}), json!({"marginMode": "strictIsolated"}), json!({"marginMode": "noCross"})]
    {
        let mut world = world(json!({"leverage": 4, "margin": "cross"}), json!({}));
        let mut entry = json!({"name": "BTC", "szDecimals": 5, "maxLeverage": 10});
        venue::merge(&mut entry, mode);
        world.step(OwnedEvent::Meta(json!({"universe": [entry]}).to_string().into_bytes()));
        world.leader_fill(0, "BTC", "B", "97000", "1");
        assert_eq!(of(&world, 0), (false, 4));
    }
}

#[test]
fn rule_27_nothing_is_read_or_set_where_the_account_keeps_what_it_has() {
    for account in [json!({"leverage": "leave"}), json!({})] {
        let mut world = world(account, json!({}));
        lend(&mut world, "ETH", "isolated", 5);
        world.leader_fill(0, "ETH", "B", "3200", "1");
        world.pass(31_000);
        assert_eq!(kinds(&world, 0), [AttemptKind::Open]);
    }
}

#[test]
fn rule_27_an_open_position_keeps_its_leverage() {
    let mut world = mirroring();
    lend(&mut world, "ETH", "cross", 5);
    world.leader_fill(0, "ETH", "B", "3200", "2");
    lend(&mut world, "ETH", "cross", 9);
    world.pass(31_000);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.leader_fill(0, "ETH", "A", "3200", "6");
    let setups = world.sent.iter().filter(|sent| sent.attempt.kind == AttemptKind::Setup).count();
    assert_eq!((setups, world.position(0, "ETH")), (1, pos("-1.5")), "not for an add, not for a flip");
    world.leader_fill(0, "ETH", "B", "3200", "3");
    let sent = world.sent.len();
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!((kinds(&world, sent), of(&world, sent).1), (vec![AttemptKind::Setup, AttemptKind::Open], 9));
    // The venue of these tests fails on any change of an open position.
    world.assert_replay();
}

#[test]
fn an_unknown_setting_is_set_again_while_its_entry_waits_and_exits_pass() {
    let mut world = world(json!({"leverage": 5, "margin": "cross"}), json!({"max_age_ms": 10_000}));
    world.leader_fill(0, "SOL", "B", "150", "10");
    let sent = world.sent.len();
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "150", "10");
    assert_eq!(world.position(0, "SOL"), 0, "an exit waits for no setting");
    world.pass(1_900);
    assert_eq!(kinds(&world, sent), [AttemptKind::Setup, AttemptKind::Reduce], "the entry waits");
    world.pass(200);
    assert_eq!(kinds(&world, sent + 2), [AttemptKind::Setup, AttemptKind::Open]);
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "leverage_unknown").count(), 1);
    world.assert_replay();
}

#[test]
fn an_entry_never_goes_before_its_setting_is_known_however_long_that_takes() {
    let mut world = mirroring();
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.pass(20_000);
    assert!(kinds(&world, 0).iter().all(|kind| *kind == AttemptKind::Setup));
    assert!(world.sent.len() <= 3, "no entry waits any more: {}", world.sent.len());
    assert_eq!(world.outcomes(), [(Outcome::Expired, "too_old")]);
    world.assert_replay();
}

#[test]
fn a_lane_that_is_lost_has_its_setting_sent_over_another_at_once() {
    let mut world = mirroring();
    world.step(OwnedEvent::Up(11, SourceKind::Lane));
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    let lane = world.sent[0].attempt.lane;
    world.reply = Reply::Fill;
    world.step(OwnedEvent::Down(lane));
    world.pass(40);
    assert_eq!(kinds(&world, 0), [AttemptKind::Setup, AttemptKind::Setup, AttemptKind::Open]);
    assert_ne!(world.sent[1].attempt.lane, lane);
    world.assert_replay();
}

#[test]
fn a_refused_setting_blocks_entries_by_name_until_it_is_tried_again() {
    let mut world = mirroring();
    world.reply = Reply::RefuseWith("/leverage", "Invalid leverage value asset=1");
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(kinds(&world, 0), [AttemptKind::Setup], "not tried for every entry");
    assert_eq!(world.outcomes(), [(Outcome::Blocked, "leverage_refused"); 2]);
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "leverage_refused").count(), 1);
    world.leader_fill(0, "SOL", "B", "150", "10");
    assert_eq!(world.position(0, "SOL"), 0, "each coin by itself");
    world.reply = Reply::Fill;
    world.pass(61_000);
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn a_venue_that_stops_the_account_over_a_setting_stops_it() {
    let mut world = mirroring();
    world.reply = Reply::RefuseWith("/leverage", "Vault not registered: 0x1");
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert!(world.alerts.iter().any(|alert| alert.code == "follower_stopped"));
    assert_eq!(world.outcomes(), [(Outcome::Blocked, "follower_stopped")]);
    world.assert_replay();
}

#[test]
fn a_setting_on_its_way_when_the_engine_died_is_made_again() {
    let mut world = world(json!({"leverage": 5, "margin": "cross"}), json!({"max_age_ms": 60_000}));
    world.reply = Reply::Silence;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    world.step(OwnedEvent::Reopen);
    world.reply = Reply::Fill;
    world.step(OwnedEvent::Up(21, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.snapshot(0, &[]);
    world.pass(3_000);
    assert_eq!(kinds(&world, 0), [AttemptKind::Setup, AttemptKind::Setup, AttemptKind::Open]);
    assert_eq!(world.position(0, "ETH"), pos("0.5"));
    world.assert_replay();
}

#[test]
fn a_leverage_that_cannot_be_read_holds_the_entry_back_and_is_read_again() {
    let mut world = world(json!({"leverage": "mirror"}), json!({"max_age_ms": 5_000}));
    world.answer_reads = false;
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert!(world.sent.is_empty());
    let token = world.asked("activeAssetData")[0];
    world.step(OwnedEvent::Info(token, 503, b"busy".to_vec()));
    assert!(world.alerts.iter().any(|alert| alert.code == "leverage_unread"));
    world.answer_reads = true;
    world.pass(1_100);
    assert_eq!(kinds(&world, 0), [AttemptKind::Setup, AttemptKind::Open]);
    world.assert_replay();
}

#[test]
fn preparations_leave_the_venues_minute_to_everything_else() {
    let accounts = vec![json!({"leverage": "mirror"}); 30];
    let follows: Vec<Value> = (0..30).map(|at| follow(0, at, json!({}))).collect();
    let mut world = World::cold(1, &accounts, &follows, "venue");
    for coin in ["ETH", "SOL", "BTC"] {
        world.leader_positions.insert((leader_address(0), coin.into()), pos("4"));
    }
    world.boot(1);
    world.pass(190_000);
    let set = world.leverages.keys().filter(|(account, _)| *account != leader_address(0)).count();
    assert_eq!(set, 90, "every follower and coin");
    world.assert_budget();
    world.assert_replay();
}
