//! Spot leaders: balances that fees and transfers move, no shorts, no reduce-only, and nothing sold that is not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, account_address, follow, leader_address, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use serde_json::{Value, json};

const HYPE: &str = "@107";

/// A world with spot pairs, in which the leader and the follower have so much of a token before copying begins.
fn holding(edge: Value, account: Value, leader: &str, follower: &str) -> World {
    let mut world = World::cold(1, &[account], &[follow(0, 0, edge)], "off");
    world.leader_positions.insert((leader_address(0), HYPE.into()), pos(leader));
    world.positions.insert((account_address(0), HYPE.into()), pos(follower));
    world.list_spot();
    world.boot(1);
    world
}

fn spot(edge: Value) -> World {
    let mut all = json!({"markets": "spot"});
    venue::merge(&mut all, edge);
    holding(all, json!({}), "0", "0")
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

#[test]
fn a_spot_leader_is_copied_in_and_out_without_a_gap_though_fees_break_his_chain() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "100");
    let order = &world.sent[0].action["orders"][0];
    assert_eq!(
        (&order["a"], &order["r"], &order["s"], &order["p"]),
        (&json!(10_107), &json!(false), &json!("50"), &json!("30.09"))
    );
    assert_eq!(world.position(0, HYPE), pos("49.965"), "the venue took its fee of it");
    world.leader_fill(0, HYPE, "B", "30", "20");
    assert_eq!(world.position(0, HYPE), pos("59.958"));
    world.leader_fill(0, HYPE, "A", "30", "59.958");
    assert_eq!(world.sent.last().unwrap().attempt.kind, AttemptKind::Reduce);
    assert!((pos("29.9")..pos("30.1")).contains(&world.position(0, HYPE)), "{}", world.position(0, HYPE));
    world.leader_fill(0, HYPE, "A", "30", "59.958");
    assert!((0..pos("0.1")).contains(&world.position(0, HYPE)), "all that can be sold is: {}", world.position(0, HYPE));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none"); 4]);
    assert!(world.alerts.is_empty(), "{:?}", world.alerts);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn several_rows_of_one_buy_are_one_decision_though_each_starts_below_where_the_last_ended() {
    let mut world = spot(json!({}));
    let rows = [world.leader_trades(0, HYPE, "B", "30", "60"), world.leader_trades(0, HYPE, "B", "30.01", "40")];
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &rows, false)));
    world.settle();
    assert_eq!(world.sent.len(), 1);
    assert!((pos("49.9")..=pos("50")).contains(&world.sent[0].orders[0].size), "{}", world.sent[0].orders[0].size);
    assert!(world.alerts.is_empty(), "{:?}", world.alerts);
    world.assert_receipts(2, 1);
}

#[test]
fn a_read_takes_the_fee_out_of_what_is_held_and_out_of_nothing_else() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "2000");
    world.pass(32_000);
    assert!(world.alerts.iter().all(|alert| alert.code != "position_drift"), "{:?}", world.alerts);
    let status = world.status();
    assert_eq!(status["followers"][0]["positions"][HYPE]["own"], "999.3");
    assert_eq!(status["followers"][0]["positions"][HYPE]["manual"], "0");
    assert_eq!(world.sent.len(), 1, "a fee is not bought again");
    world.leader_fill(0, HYPE, "A", "30", "1998.6");
    assert_eq!(world.position(0, HYPE), 0, "to the last lot");
    world.assert_replay();
}

#[test]
fn perps_are_the_default_and_a_leaders_spot_trades_disturb_nothing() {
    let mut world = holding(json!({}), json!({}), "77", "0");
    world.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "not_a_perp"));
    world.leader_fill(0, HYPE, "A", "30", "5");
    assert_eq!(last(&world), (Outcome::Skipped, "nothing_held"));
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!((last(&world), world.position(0, "ETH")), ((Outcome::Filled, "none"), pos("0.5")));
    assert!(world.alerts.is_empty(), "{:?}", world.alerts);
    assert!(world.asked("spotClearinghouseState").is_empty());
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn markets_leave_out_what_is_not_named() {
    let mut world = spot(json!({}));
    world.leader_fill(0, "ETH", "B", "3200", "1");
    assert_eq!(last(&world), (Outcome::Skipped, "not_spot"));
    let mut both = spot(json!({"markets": "all"}));
    both.leader_fill(0, "ETH", "B", "3200", "1");
    both.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!((both.position(0, "ETH"), both.position(0, HYPE)), (pos("0.5"), pos("4.9965")));
}

#[test]
fn a_pair_that_is_not_the_tokens_own_and_an_outcome_are_skipped_by_name() {
    let mut world = spot(json!({"markets": "all"}));
    world.leader_fill(0, "@230", "B", "30", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "spot_pair"));
    let row = world.fill_row("#10", "B", "0.5", "100", "0");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(last(&world), (Outcome::Skipped, "outcome_market"));
    assert!(world.sent.is_empty());
    world.assert_receipts(2, 1);
}

#[test]
fn rule_7_tokens_from_before_are_ignored_or_adopted_at_todays_price() {
    let mut world = holding(json!({"markets": "spot"}), json!({}), "100", "0");
    world.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "existing_position"));
    let mut adopting = holding(json!({"markets": "spot", "existing": "adopt"}), json!({}), "100", "0");
    adopting.pass(100);
    assert_eq!(adopting.position(0, HYPE), pos("49.965"));
    adopting.leader_fill(0, HYPE, "A", "30", "100");
    assert!(adopting.position(0, HYPE) < pos("0.1"));
    adopting.assert_replay();
}

#[test]
fn a_balance_that_moved_without_a_trade_trades_nothing_and_has_fills_read() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "100");
    world.leader_positions.insert((leader_address(0), HYPE.into()), pos("20"));
    world.history = Some(vec![]);
    world.pass(33_000);
    assert_eq!(world.sent.len(), 1, "tokens that went to another place are not sold");
    assert!(world.alerts.iter().any(|alert| alert.code == "leader_balance_moved"));
    assert_eq!(world.asked("userFillsByTime").len(), 1);
    world.leader_fill(0, HYPE, "A", "30", "10");
    assert!((pos("24.9")..pos("25.1")).contains(&world.position(0, HYPE)), "half of what he has there");
    world.assert_replay();
}

#[test]
fn a_missed_sale_is_found_by_its_balance_and_acts() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "100");
    let sale = world.leader_trades(0, HYPE, "A", "31", "99.93");
    world.history = Some(vec![sale]);
    world.pass(33_000);
    assert!(world.position(0, HYPE) < pos("0.1"), "{}", world.position(0, HYPE));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn tokens_that_the_follower_had_are_his_and_dust_blocks_nothing() {
    let mut world = holding(json!({"markets": "spot"}), json!({}), "0", "5");
    world.leader_fill(0, HYPE, "B", "30", "100");
    assert_eq!(last(&world), (Outcome::Blocked, "manual_position"));
    let mut dusty = holding(json!({"markets": "spot"}), json!({}), "0", "0.3");
    dusty.leader_fill(0, HYPE, "B", "30", "100");
    dusty.leader_fill(0, HYPE, "A", "30", "99.93");
    assert!((pos("0.3")..pos("0.4")).contains(&dusty.position(0, HYPE)), "{}", dusty.position(0, HYPE));
    let mut sharing = holding(json!({"markets": "spot"}), json!({"manual": "allow"}), "0", "5");
    sharing.leader_fill(0, HYPE, "B", "30", "100");
    sharing.leader_fill(0, HYPE, "A", "30", "99.93");
    assert!((pos("5")..pos("5.1")).contains(&sharing.position(0, HYPE)), "{}", sharing.position(0, HYPE));
    sharing.assert_replay();
}

#[test]
fn a_sale_beside_an_unknown_one_sells_only_what_is_sure() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "100");
    world.reply = Reply::Lost;
    world.leader_fill(0, HYPE, "A", "30", "49.965");
    world.reply = Reply::Fill;
    world.leader_fill(0, HYPE, "A", "30", "49.965");
    world.pass(8_000);
    assert!((0..pos("0.1")).contains(&world.position(0, HYPE)), "{}", world.position(0, HYPE));
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn what_is_worth_less_than_the_minimum_stays_until_there_is_more() {
    let mut world = spot(json!({}));
    world.leader_fill(0, HYPE, "B", "30", "1");
    assert_eq!(world.position(0, HYPE), pos("0.49965"));
    world.leader_fill(0, HYPE, "A", "15", "0.9993");
    assert_eq!(last(&world), (Outcome::Carried, "below_minimum"), "there is no exemption on spot");
    world.assert_receipts(2, 1);
}

#[test]
fn equities_are_dollars_and_tokens_at_their_prices() {
    let edge = json!({"markets": "spot", "mode": "equity", "ratio": null, "weight": "1"});
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, edge)], "off");
    world.dollars.insert(leader_address(0), "7000.0");
    world.dollars.insert(account_address(0), "1000.0");
    world.leader_positions.insert((leader_address(0), "PURR/USDC".into()), pos("15000"));
    world.list_spot();
    world.boot(1);
    world.leader_fill(0, HYPE, "B", "30", "100");
    assert_eq!(world.sent[0].orders[0].size, pos("10"), "1,000 of 7,000 and 15,000 tokens at 0.2");
    world.assert_replay();
}

#[test]
fn tokens_that_are_rebalanced_are_bought_and_sold_as_ever() {
    let edge =
        json!({"markets": "spot", "mode": "equity", "ratio": null, "weight": "1", "rebalance_drift_percent": "25"});
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, edge)], "off");
    world.dollars.insert(leader_address(0), "7000.0");
    world.dollars.insert(account_address(0), "700.0");
    world.list_spot();
    world.boot(1);
    world.leader_fill(0, HYPE, "B", "30", "100");
    assert_eq!(world.sent[0].orders[0].size, pos("10"));
    // 1,400 and the tokens, of 10,000 with the leader's.
    world.dollars.insert(account_address(0), "1400.0");
    world.pass_coarsely(120_000);
    assert_eq!(world.sent.len(), 2);
    assert!((pos("16.9")..=pos("17.1")).contains(&world.position(0, HYPE)), "{}", world.position(0, HYPE));
    world.dollars.insert(account_address(0), "700.0");
    world.pass_coarsely(120_000);
    assert_eq!(world.sent.len(), 3);
    assert!((pos("12")..=pos("12.2")).contains(&world.position(0, HYPE)), "{}", world.position(0, HYPE));
    world.leader_fill(0, HYPE, "A", "30", "100");
    assert!(world.position(0, HYPE) < pos("0.34"), "a rest below ten dollars");
    assert_eq!(world.engine.contradiction(), None);
    world.assert_replay();
}

#[test]
fn balances_are_read_anew_after_a_restart_before_anything_is_opened() {
    let mut world = spot(json!({"max_age_ms": 60_000}));
    world.leader_fill(0, HYPE, "B", "30", "100");
    world.answer_reads = false;
    world.restart();
    world.leader_fill(0, HYPE, "B", "30", "100");
    assert_eq!(world.sent.len(), 1, "its balances are not known yet");
    world.answer_reads = true;
    let reads = world.reads.clone();
    for (token, request) in reads.iter().rev().take(6) {
        let answer = world.read_again(request);
        world.step(OwnedEvent::Info(*token, 200, answer.to_string().into_bytes()));
    }
    world.settle();
    world.pass(2_000);
    assert!(world.position(0, HYPE) > pos("99"), "{}", world.position(0, HYPE));
}

#[test]
fn spot_that_is_copied_from_now_on_begins_like_a_start() {
    let mut world = holding(json!({}), json!({}), "100", "0");
    world.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "not_a_perp"));
    world.configure(json!({}), |config| config["follows"][0]["markets"] = json!("all"));
    world.pass(65_000);
    world.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "existing_position"));
    world.leader_fill(0, HYPE, "A", "30", "119.986");
    world.leader_fill(0, HYPE, "B", "30", "10");
    assert_eq!((last(&world), world.position(0, HYPE)), ((Outcome::Filled, "none"), pos("4.9965")));
    world.assert_replay();
}
