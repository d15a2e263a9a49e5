//! Stops of losses (rule 31): they trip by day and from the best, per account and per follow, over transfers and restarts, and
//! hold until an operator resets them. Exits always pass.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{World, account_address, follow, pos};
use hlfast_core::commands::Outcome;
use hlfast_core::engine::{Engine, StateError};
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;
/// Longer than the rhythm of reads, and than that of transfers.
const READ_MS: u64 = 70_000;

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

fn limited(limits: Value) -> World {
    let mut world = World::new(2, &[limits], &[follow(0, 0, json!({})), follow(1, 0, json!({}))]);
    world.pass_coarsely(READ_MS);
    world
}

/// From now on the account is worth so much, and that is read.
fn is_worth(world: &mut World, dollars: &str) {
    world.equity.insert(account_address(0), dollars.to_owned());
    world.pass_coarsely(READ_MS);
}

fn tripped(world: &World) -> usize {
    world.alerts.iter().filter(|alert| alert.code == "latch_tripped").count()
}

fn restart(world: &mut World) {
    world.restart_on(&[(1, SourceKind::Lane)]);
    world.pass_coarsely(READ_MS);
}

#[test]
fn rule_31_a_daily_loss_closes_the_account_for_entries_until_an_operator_resets_it() {
    let mut world = limited(json!({"max_daily_loss_usd": "500"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    is_worth(&mut world, "9501");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((last(&world), tripped(&world)), ((Outcome::Filled, "none"), 0));
    is_worth(&mut world, "9500");
    assert_eq!(tripped(&world), 1);
    world.leader_fill(1, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "daily_loss"));
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!((last(&world), world.position(0, "SOL")), ((Outcome::Filled, "none"), pos("3")), "exits pass");
    restart(&mut world);
    world.now += DAY_MS;
    is_worth(&mut world, "12000");
    world.leader_fill(1, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "daily_loss"), "neither a restart, a day nor a gain lifts it");
    let refused = world.operate(json!({"do": "resume", "follower": "F0"}));
    assert_eq!(refused["ok"], false);
    assert!(refused["fix"].as_str().unwrap().contains("--reset"), "{refused}");
    assert_eq!(world.operate(json!({"do": "resume", "follower": "F0", "reset": true}))["ok"], true);
    world.leader_fill(1, "ETH", "B", "100", "2");
    assert_eq!((last(&world), tripped(&world)), ((Outcome::Filled, "none"), 1));
    is_worth(&mut world, "11500");
    assert_eq!(tripped(&world), 2, "it counts anew from where it was reset");
    world.assert_replay();
}

#[test]
fn rule_31_money_that_comes_or_goes_is_no_profit_and_no_loss() {
    let mut world = limited(json!({"max_daily_loss_usd": "500"}));
    let moved = |world: &mut World, kind: &str, usd: &str| {
        let rows = world.figures.ledger.entry(account_address(0)).or_insert_with(|| Some(Vec::new()));
        rows.as_mut().unwrap().push((world.now + 1, json!({"type": kind, "usdc": usd, "nonce": 1, "fee": "0.0"})));
    };
    moved(&mut world, "withdraw", "4000");
    is_worth(&mut world, "6000");
    assert_eq!(tripped(&world), 0, "a withdrawal is no loss");
    moved(&mut world, "deposit", "600");
    is_worth(&mut world, "6101");
    assert_eq!(tripped(&world), 0);
    is_worth(&mut world, "6100");
    assert_eq!(tripped(&world), 1, "a deposit hides none");
    world.assert_replay();
}

/// A row of the account's ledger, of so long ago.
fn row(world: &mut World, ago_ms: u64, delta: Value) {
    let rows = world.figures.ledger.entry(account_address(0)).or_insert_with(|| Some(Vec::new()));
    rows.as_mut().unwrap().push((world.now - ago_ms, delta));
}

/// The account state and the ledger are served a little old, each by its own time: one shows a transfer before the other does.
#[test]
fn rule_31_a_transfer_that_one_read_shows_before_the_other_trips_and_hides_nothing() {
    let mut world = limited(json!({"max_daily_loss_usd": "500", "max_drawdown_usd": "500"}));
    let deposit = |usd: &str| json!({"type": "deposit", "usdc": usd});
    let withdrawal = json!({"type": "withdraw", "usdc": "4000", "nonce": 1, "fee": "1.0"});
    world.pass_coarsely(READ_MS);
    let reads = world.reads.len();
    world.equity.insert(account_address(0), "6000".into());
    while !world.reads[reads..]
        .iter()
        .any(|(_, read)| read["type"] == "clearinghouseState" && read["user"] == account_address(0))
    {
        world.pass_coarsely(1_000);
    }
    row(&mut world, 300, withdrawal);
    world.pass_coarsely(READ_MS);
    assert_eq!(tripped(&world), 0, "the worth knew the withdrawal first");
    row(&mut world, 0, deposit("4000"));
    world.pass_coarsely(2_000);
    world.equity.insert(account_address(0), "10000".into());
    world.pass_coarsely(READ_MS);
    assert_eq!(tripped(&world), 0, "the ledger knew the deposit first");
    is_worth(&mut world, "9501");
    assert_eq!(tripped(&world), 0, "and the best is what it was");
    is_worth(&mut world, "9500");
    assert_eq!(tripped(&world), 1);
    world.assert_replay();
}

#[test]
fn rule_31_money_that_moves_in_an_unknown_way_is_neither_lost_nor_earned() {
    let mut world = limited(json!({"max_drawdown_usd": "500"}));
    row(&mut world, 0, json!({"type": "borrowLend", "token": "USDC", "amount": "2000"}));
    is_worth(&mut world, "8000");
    assert_eq!(tripped(&world), 0);
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "transfer_unknown").count(), 1);
    is_worth(&mut world, "7500");
    assert_eq!(tripped(&world), 1);
    world.assert_replay();
}

#[test]
fn rule_31_another_mode_of_the_account_is_no_loss() {
    let mut world = limited(json!({"max_drawdown_usd": "500"}));
    world.figures.modes.insert(account_address(0), "unifiedAccount");
    world.figures.spot.insert(account_address(0), ("10000", vec![]));
    is_worth(&mut world, "0.0");
    world.pass_coarsely(READ_MS);
    assert_eq!((tripped(&world), world.status()["followers"][0]["losses_unread"].clone()), (0, json!(false)));
    world.figures.spot.insert(account_address(0), ("9500", vec![]));
    world.pass_coarsely(READ_MS);
    assert_eq!(tripped(&world), 1);
    world.assert_replay();
}

/// A unified account that copies spot: dollars become tokens and back; what the tokens lose is lost.
#[test]
fn rule_31_a_spot_purchase_is_no_loss_and_the_fall_of_what_it_bought_is_one() {
    let account = json!({"max_daily_loss_usd": "500"});
    let mut world = World::cold(1, &[account], &[follow(0, 0, json!({"markets": "spot"}))], "off");
    world.list_spot();
    world.figures.modes.insert(account_address(0), "unifiedAccount");
    world.dollars.insert(account_address(0), "10000");
    world.boot(1);
    world.pass_coarsely(2 * READ_MS);
    world.leader_fill(0, "@107", "B", "30", "400");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.dollars.insert(account_address(0), "4000");
    world.pass_coarsely(2 * READ_MS);
    assert_eq!(tripped(&world), 0, "6,000 dollars became 200 tokens");
    let losses = world.status()["followers"][0]["losses"].clone();
    assert!(pos(losses["today_usd"].as_str().unwrap()) < pos("10"), "no more than the fee: {losses}");
    world.mids.insert("@107".into(), "27.6");
    world.pass_coarsely(2 * READ_MS);
    assert_eq!(tripped(&world), 0);
    world.mids.insert("@107".into(), "27.4");
    world.pass_coarsely(2 * READ_MS);
    assert_eq!(tripped(&world), 1, "200 tokens fell by 2.6 dollars");
    world.leader_fill(0, "@107", "B", "27.4", "100");
    assert_eq!(last(&world), (Outcome::Blocked, "daily_loss"));
    world.leader_fill(0, "@107", "A", "27.4", "500");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "exits pass");
    world.assert_replay();
}

#[test]
fn rule_31_a_drawdown_counts_from_the_best_and_may_flatten() {
    let mut world = limited(json!({"max_drawdown_bps": 1_000, "on_trip": "flatten"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "ETH", "A", "100", "4");
    is_worth(&mut world, "12000");
    world.now += 2 * DAY_MS;
    is_worth(&mut world, "10801");
    assert_eq!((world.position(0, "SOL"), tripped(&world)), (pos("5"), 0));
    is_worth(&mut world, "10800");
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH"), tripped(&world)), (0, 0, 1));
    assert_eq!(world.status()["followers"][0]["losses"]["trip"]["latch"], "drawdown");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "drawdown"));
    world.assert_replay();
}

#[test]
fn rule_31_a_follows_own_loss_stops_that_follow_alone() {
    let limits = json!({"max_daily_loss_usd": "90"});
    let mut world = World::new(2, &[json!({})], &[follow(0, 0, limits), follow(1, 0, json!({}))]);
    world.pass_coarsely(READ_MS);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "B", "100", "4");
    world.pass_coarsely(READ_MS);
    assert_eq!(tripped(&world), 0);
    world.leader_fill(0, "SOL", "A", "80", "9");
    world.pass_coarsely(READ_MS);
    assert_eq!((world.position(0, "SOL"), tripped(&world)), (pos("2.5"), 1));
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Blocked, "daily_loss"));
    world.leader_fill(1, "ETH", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "the other leader's is copied");
    world.leader_fill(0, "SOL", "A", "80", "1");
    assert_eq!((last(&world), world.position(0, "SOL")), ((Outcome::Filled, "none"), pos("2")));
    let scope = json!({"do": "resume", "leader": "L0", "follower": "F0", "reset": true});
    assert_eq!(world.operate(scope)["ok"], true);
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_replay();
}

/// What came with a version stands at the end of the state, and is empty where nobody uses it.
#[test]
fn snapshots_of_the_versions_before_are_gone_on_with() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "0.1");
    assert_eq!(world.status()["follows"][0]["entitled"]["SOL"], "0.05", "too little to be bought yet");
    let mut now = Vec::new();
    world.engine.encode_state(&mut now);
    for (version, lists) in [(22, 17), (23, 16), (24, 11), (25, 10), (26, 9), (27, 4), (28, 3), (29, 2)] {
        let (former, added) = now.split_at(now.len() - lists);
        assert_eq!(added, vec![0; lists]);
        let mut restored = Engine::new(world.engine.config().clone()).unwrap();
        let damaged = restored.decode_state(former);
        assert_eq!(damaged, Err(StateError::Damaged), "the lists are missing");
        restored.decode_state(&[&[version], &former[1..]].concat()).unwrap();
        let mut again = Vec::new();
        restored.encode_state(&mut again);
        assert_eq!(again, now);
    }
}

#[test]
fn rule_31_losses_that_nobody_can_tell_block_entries_and_never_exits() {
    let mut world = World::cold(2, &[json!({"max_daily_loss_usd": "500"})], &[follow(0, 0, json!({}))], "off");
    world.boot(2);
    world.pass_coarsely(READ_MS);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.figures.ledger.insert(account_address(0), None);
    world.pass_coarsely(700_000);
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "losses_unread").count(), 1);
    world.leader_fill(0, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "losses_unread"));
    world.leader_fill(0, "SOL", "A", "100", "4");
    assert_eq!((last(&world), world.position(0, "SOL")), ((Outcome::Filled, "none"), pos("3")));
    world.figures.ledger.clear();
    world.pass_coarsely(READ_MS);
    world.leader_fill(0, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_replay();
}
