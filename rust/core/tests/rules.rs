//! One test per rule of how copying behaves: following, sizing, filters, orders, receipts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, account_address, follow, leader_address, pos, px};
use hlfast_core::commands::Outcome;
use serde_json::{Value, json};

fn one(extra: Value) -> World {
    World::new(1, &[json!({})], &[follow(0, 0, extra)])
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

#[test]
fn rule_1_a_missed_increase_is_not_taken_later_and_reductions_keep_the_fraction() {
    let mut world = one(json!({"max_value_usd": "5000"}));
    world.leader_fill(0, "ETH", "B", "1000", "4");
    assert_eq!(world.position(0, "ETH"), pos("2"));
    world.leader_fill(0, "ETH", "B", "1000", "4");
    assert_eq!(last(&world), (Outcome::Skipped, "above_max_value"));
    world.leader_fill(0, "ETH", "A", "1000", "2");
    assert_eq!(world.position(0, "ETH"), pos("1.5"), "a quarter of what is held, not of what the leader holds");
    world.assert_receipts(3, 1);
}

#[test]
fn rule_1_a_flip_closes_and_opens_in_one_action_close_first() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.leader_fill(0, "SOL", "A", "150", "30");
    let orders = &world.sent[1].orders;
    assert_eq!(orders.len(), 2);
    assert!(orders[0].reduce_only && !orders[0].is_buy && orders[0].size == pos("5"));
    assert!(!orders[1].reduce_only && !orders[1].is_buy && orders[1].size == pos("10"));
    assert_eq!(world.position(0, "SOL"), pos("-10"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn rule_2_a_broken_chain_blocks_entries_and_asks_for_fills_but_reductions_act() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.answer_reads = false;
    let row = world.fill_row("SOL", "B", "150", "5", "15");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(last(&world), (Outcome::Blocked, "leader_dirty"));
    assert!(world.alerts.iter().any(|alert| alert.code == "chain_broken"));
    let row = world.fill_row("SOL", "A", "150", "10", "20");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    assert_eq!(world.position(0, "SOL"), pos("2.5"), "half of what is held");
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn rule_2_fills_of_one_millisecond_are_ordered_by_their_chain() {
    let mut world = one(json!({}));
    let a = world.leader_trades(0, "SOL", "B", "150", "4");
    let b = world.leader_trades(0, "SOL", "B", "151", "4");
    let c = world.leader_trades(0, "SOL", "B", "152", "2");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[b, c, a], false)));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert!(world.alerts.iter().all(|alert| alert.code != "chain_broken"));
    assert_eq!(world.sent.len(), 1, "one decision, one order");
    let merged = world.receipts.iter().filter(|r| r.outcome == Outcome::MergedInto).count();
    assert_eq!(merged, 2);
    world.assert_receipts(3, 1);
}

#[test]
fn rule_2_the_public_tape_moves_a_whole_ledger_and_the_fills_confirm_it() {
    let mut world = one(json!({}));
    let row = world.leader_trades(0, "ETH", "B", "3200", "2");
    let mut trade = row.clone();
    trade["users"] = json!([leader_address(0), account_address(77)]);
    trade.as_object_mut().unwrap().remove("startPosition");
    let tape = |rows: Vec<Value>| json!({"channel": "trades", "data": rows}).to_string().into_bytes();
    world.step(OwnedEvent::Frame(3, tape(vec![trade.clone()])));
    world.settle();
    assert_eq!(world.position(0, "ETH"), pos("1"), "the tape was first");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(world.sent.len(), 1, "the copy confirms and trades nothing");
    let mut old = trade;
    old["time"] = json!(venue::NOW - 60_000);
    old["tid"] = json!(999);
    world.step(OwnedEvent::Frame(3, tape(vec![old])));
    world.settle();
    assert_eq!(world.sent.len(), 1, "a trade from before the subscription is no news");
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn rule_3_a_second_delivery_is_no_news_also_after_a_restart() {
    let mut world = one(json!({}));
    let row = world.leader_trades(0, "ETH", "B", "3200", "2");
    let frame = World::fills_frame(0, &[row], false);
    for _ in 0..3 {
        world.step(OwnedEvent::Frame(2, frame.clone()));
        world.settle();
    }
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, hlfast_core::event::SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.step(OwnedEvent::Frame(2, frame));
    world.settle();
    assert_eq!(world.position(0, "ETH"), pos("1"));
    world.assert_receipts(1, 1);
}

#[test]
fn rule_4_snapshots_are_state_and_after_a_gap_exits_act_and_old_entries_do_not() {
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, json!({}))], "off");
    let history = world.fill_row("ETH", "B", "3000", "7", "0");
    world.now += 1_000;
    world.meta();
    world.step(OwnedEvent::Up(1, hlfast_core::event::SourceKind::Lane));
    world.snapshot(0, &[history]);
    world.step(OwnedEvent::Start);
    world.settle();
    assert!(world.sent.is_empty() && world.receipts.is_empty(), "the first snapshot is history");
    world.now += 1_000;
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.leader_fill(0, "ETH", "B", "3000", "2");
    // Missed while the connection was away, found in the next snapshot (newest first).
    world.now += 1_000;
    let exit = world.leader_trades(0, "SOL", "A", "150", "10");
    let entry = world.leader_trades(0, "ETH", "B", "3000", "2");
    world.now += 10_000;
    world.snapshot(0, &[entry, exit]);
    world.settle();
    assert_eq!(world.position(0, "SOL"), 0, "exits at once");
    assert_eq!(world.position(0, "ETH"), pos("1"), "the entry is too old");
    assert!(world.outcomes().contains(&(Outcome::Expired, "too_old")));
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn rule_7_existing_positions_are_ignored_until_flat_or_adopted() {
    let held = [(0, "SOL", "10")];
    let edge = |existing: Value| [follow(0, 0, existing)];
    let mut ignore = World::with_leader(1, &[json!({})], &edge(json!({})), &held);
    ignore.leader_fill(0, "SOL", "B", "100", "5");
    assert_eq!(last(&ignore), (Outcome::Skipped, "existing_position"));
    ignore.leader_fill(0, "SOL", "A", "100", "15");
    ignore.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(ignore.position(0, "SOL"), pos("2"), "followed once it was flat");
    ignore.assert_receipts(3, 1);

    let adopt = World::with_leader(1, &[json!({})], &edge(json!({"existing": "adopt"})), &held);
    assert_eq!(adopt.position(0, "SOL"), pos("5"), "adopted at the start");
    assert!(adopt.receipts.is_empty(), "no fill, no receipt");
    adopt.assert_replay();

    let within = edge(json!({"existing": "adopt_within", "adopt_band_bps": 50}));
    assert_eq!(World::with_leader(1, &[json!({})], &within, &held).position(0, "SOL"), pos("5"));
}

#[test]
fn rule_7_what_cannot_be_told_yet_postpones_an_adoption() {
    let held = [(0, "SOL", "10")];
    let equity = json!({"mode": "equity", "ratio": null, "weight": "0.5", "existing": "adopt"});
    let mut sized = World::with_leader(1, &[json!({})], &[follow(0, 0, equity)], &held);
    sized.pass(31_000);
    assert_eq!(sized.position(0, "SOL"), pos("5"), "the account's mode was not known at its first read");
    sized.assert_replay();

    let limited = json!({"max_drawdown_usd": "500"});
    let edge = [follow(0, 0, json!({"existing": "adopt"}))];
    let mut watched = World::with_leader(1, &[limited], &edge, &held);
    assert_eq!(watched.position(0, "SOL"), 0, "its losses are told by the next read");
    watched.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&watched), (Outcome::Skipped, "existing_position"));
    watched.pass(31_000);
    assert_eq!(watched.position(0, "SOL"), pos("6"), "all that the leader holds then");
    watched.assert_replay();

    let mut refused =
        World::with_leader(1, &[json!({})], &[follow(0, 0, json!({"existing": "adopt", "side": "short"}))], &held);
    refused.pass(31_000);
    refused.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&refused), (Outcome::Skipped, "existing_position"), "a gate that said no is not asked again");
}

#[test]
fn rule_9_and_10_modes_size_and_the_ratio_is_fixed_when_the_position_opens() {
    let mut world = one(json!({"mode": "equity", "ratio": null, "weight": "1"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("10"), "equal equities");
    world.equity.insert(account_address(0), "20000.0".into());
    world.pass(31_000);
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("12"), "a deposit changes nothing before the position is flat");
    world.leader_fill(0, "SOL", "A", "100", "12");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("4"), "now twice the leader");
    world.assert_replay();

    let mut notional = one(json!({"mode": "notional", "ratio": null, "notional_usd": "500"}));
    notional.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(notional.position(0, "SOL"), pos("5"));
    notional.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(last(&notional), (Outcome::Skipped, "add_ignored"));
    notional.leader_fill(0, "SOL", "A", "100", "1");
    assert_eq!(notional.position(0, "SOL"), pos("2.5"));

    let mut scaled = one(json!({"mode": "notional", "ratio": null, "notional_usd": "500", "scale_adds": true}));
    scaled.leader_fill(0, "SOL", "B", "100", "1");
    scaled.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!(scaled.position(0, "SOL"), pos("10"));
}

#[test]
fn rule_10_unreadable_equity_blocks_increases_and_divides_nothing() {
    let mut world =
        World::cold(1, &[json!({})], &[follow(0, 0, json!({"mode": "equity", "ratio": null, "weight": "1"}))], "off");
    world.equity.insert(leader_address(0), "0.0".into());
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "equity_unreadable"));
}

#[test]
fn rule_13_entries_below_ten_dollars_are_carried_and_go_once() {
    let mut world = one(json!({}));
    for _ in 0..3 {
        world.leader_fill(0, "SOL", "B", "100", "0.08");
    }
    assert_eq!(world.sent.len(), 1, "4 + 4 dollars wait, 12 go");
    assert_eq!(world.position(0, "SOL"), pos("0.12"));
    let outcomes: Vec<_> = world.outcomes();
    assert_eq!(outcomes[0], (Outcome::Carried, "below_minimum"));
    assert_eq!(outcomes[1], (Outcome::Carried, "below_minimum"));
    assert_eq!(outcomes[2], (Outcome::Filled, "none"));
    world.leader_fill(0, "SOL", "A", "100", "0.04");
    assert_eq!(last(&world), (Outcome::Carried, "below_minimum"));
    world.leader_fill(0, "SOL", "A", "100", "0.2");
    assert_eq!(world.position(0, "SOL"), 0, "flat means flat, however small");
    world.assert_receipts(5, 1);
}

#[test]
fn rule_14_several_leaders_are_netted_once_per_follower() {
    let follows = [follow(0, 0, json!({})), follow(1, 0, json!({"ratio": "1"}))];
    let mut world = World::new(2, &[json!({})], &follows);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "A", "100", "3");
    assert_eq!(world.position(0, "SOL"), pos("2"));
    assert!(world.sent[1].orders[0].reduce_only, "netting that lowers risk is reduce-only");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("-3"), "the other leader's part stays");
    world.leader_fill(1, "SOL", "B", "100", "3");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn rule_15_a_manual_position_blocks_entries_and_is_never_traded() {
    let mut world = World::cold(1, &[json!({})], &[follow(0, 0, json!({}))], "off");
    world.positions.insert((account_address(0), "SOL".into()), pos("3"));
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "manual_position"));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("3"));
    assert!(world.sent.is_empty());
}

#[test]
fn rule_16_filters_gate_increases_only() {
    let cases = [
        (json!({"coins_allow": ["ETH"]}), "coin_filtered"),
        (json!({"coins_block": ["SOL"]}), "coin_filtered"),
        (json!({"min_value_usd": "1001"}), "below_min_value"),
        (json!({"max_value_usd": "999"}), "above_max_value"),
    ];
    for (extra, reason) in cases {
        let mut world = one(extra.clone());
        world.leader_fill(0, "SOL", "B", "100", "10");
        assert_eq!(last(&world), (Outcome::Skipped, reason));
        world.leader_fill(0, "SOL", "A", "100", "5");
        assert_eq!(last(&world), (Outcome::Skipped, "nothing_held"));
    }
    // Held, and then the value falls below the minimum: the exit passes.
    let mut world = one(json!({"min_value_usd": "1000"}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "SOL", "A", "50", "5");
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    world.leader_fill(0, "SOL", "A", "50", "5");
    assert_eq!(world.position(0, "SOL"), 0);
}

#[test]
fn caps_of_edge_and_account_cut_entries_and_never_exits() {
    let cases = [
        (json!({"max_order_usd": "300"}), json!({}), "3"),
        (json!({"max_position_usd": "200"}), json!({}), "2"),
        (json!({}), json!({"max_position_usd": "150"}), "1.5"),
        (json!({}), json!({"max_gross_usd": "100"}), "1"),
    ];
    for (edge, account, wanted) in cases {
        let mut world = World::new(1, std::slice::from_ref(&account), &[follow(0, 0, edge.clone())]);
        world.leader_fill(0, "SOL", "B", "100", "10");
        assert_eq!(world.position(0, "SOL"), pos(wanted), "{edge} {account}");
        assert_eq!(last(&world), (Outcome::Filled, "none"));
        world.leader_fill(0, "SOL", "A", "100", "10");
        assert_eq!(world.position(0, "SOL"), 0);
    }
}

#[test]
fn account_caps_bound_the_target_not_the_entitled_position() {
    let mut world = World::new(1, &[json!({"max_position_usd": "150"})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("1.5"));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Carried, "cap"));
    world.leader_fill(0, "SOL", "A", "50", "10");
    assert_eq!(world.position(0, "SOL"), pos("1.5"), "five are still wanted, and a lower price buys nothing by itself");
    world.leader_fill(0, "SOL", "A", "50", "8");
    assert_eq!(world.position(0, "SOL"), pos("1"));
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn a_cap_of_one_order_makes_several_orders() {
    let mut world = World::new(1, &[json!({"max_order_usd": "201"})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert!(world.sent.len() == 3 && world.sent.iter().all(|sent| sent.orders[0].size <= pos("2")));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    world.assert_replay();
}

#[test]
fn rule_16_an_exit_that_uncovers_the_other_side_cuts_it_to_the_cap() {
    let follows = [follow(0, 0, json!({"ratio": "1"})), follow(1, 0, json!({"ratio": "1"}))];
    let mut world = World::new(2, &[json!({"max_position_usd": "400"})], &follows);
    world.leader_fill(0, "SOL", "B", "100", "4");
    world.leader_fill(1, "SOL", "A", "100", "8");
    assert_eq!(world.position(0, "SOL"), pos("-4"), "net at the cap");
    world.leader_fill(0, "SOL", "A", "100", "4");
    assert_eq!(world.position(0, "SOL"), pos("-4"), "the exit may not raise the net above the cap");
}

#[test]
fn rule_20_entries_expire_by_age_and_give_their_part_back_exits_never() {
    let mut world = one(json!({}));
    let old = world.leader_trades(0, "SOL", "B", "100", "10");
    world.now += 2_001;
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[old], false)));
    assert_eq!(last(&world), (Outcome::Expired, "too_old"));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    let old = world.leader_trades(0, "SOL", "A", "100", "20");
    world.now += 600_000;
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[old], false)));
    world.settle();
    assert_eq!(world.position(0, "SOL"), 0);
}

#[test]
fn rule_20_an_entry_that_finds_nothing_is_tried_again_then_given_back() {
    let mut world = one(json!({}));
    world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(3_000);
    assert_eq!(world.sent.len(), 2, "once more after a second, then the age of 2 s ends it");
    assert_eq!(world.outcomes(), [(Outcome::Expired, "no_match")]);
    world.reply = Reply::Fill;
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), 0, "given back, not taken later");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "nothing_held"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn rule_20_an_entry_that_found_nothing_ends_by_itself_when_a_reduction_leaves_nothing_of_it() {
    let mut world = one(json!({}));
    world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.sent.len(), 1, "nothing is held: there is nothing to close");
    let first = world.receipts.iter().find(|receipt| receipt.decision == 1 || receipt.outcome == Outcome::Expired);
    assert_eq!(first.map(|receipt| (receipt.outcome, receipt.reason.name())), Some((Outcome::Expired, "no_match")));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn rule_20_a_flip_whose_opening_left_the_band_is_filled_in_part() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.quote("SOL", "99.0", "99.1");
    world.leader_fill(0, "SOL", "A", "100", "30");
    assert_eq!(world.sent.last().unwrap().orders.len(), 1, "the close alone");
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(last(&world), (Outcome::PartlyFilled, "price_beyond_band"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn rule_20_a_flip_given_back_is_filled_in_part_also_when_its_exit_uncovers_another_leader() {
    let mut world = World::new(2, &[json!({})], &[follow(0, 0, json!({})), follow(1, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "20");
    world.leader_fill(1, "SOL", "A", "100", "8");
    world.quote("SOL", "99.0", "99.1");
    world.leader_fill(0, "SOL", "A", "100", "40");
    assert_eq!(world.position(0, "SOL"), pos("-4"), "the other leader's part alone");
    assert_eq!(last(&world), (Outcome::PartlyFilled, "price_beyond_band"));
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn rule_21_with_an_action_in_flight_only_the_newest_target_waits() {
    let mut world = one(json!({}));
    let frames: Vec<_> = ["10", "10", "10"].iter().map(|sz| world.leader_trades(0, "SOL", "B", "100", sz)).collect();
    for row in frames {
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    }
    assert_eq!(world.sent.len(), 1);
    world.settle();
    assert_eq!(world.sent.len(), 2, "the two later ones are one order");
    assert_eq!(world.position(0, "SOL"), pos("15"));
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn rule_24_prices_are_bounded_by_leader_and_quotes() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "2");
    world.quote("SOL", "99.9", "100.4");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Skipped, "price_beyond_band"));
    world.quote("SOL", "99.9", "100.2");
    world.leader_fill(0, "SOL", "A", "100", "1");
    let order = world.sent.last().unwrap().orders[0].clone();
    assert_eq!(order.price, px("98.901"), "best bid less 1 %");
    world.leader_fill(0, "SOL", "A", "100", "3");
    let order = world.sent.last().unwrap().orders[0].clone();
    assert_eq!(order.price, px("96.903"), "flat: the emergency band");
    world.assert_replay();
}

#[test]
fn rule_26_a_partial_fill_is_completed_and_counted_once() {
    let mut world = one(json!({}));
    world.reply = Reply::Part(0.4);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.reply = Reply::Fill;
    world.pass(1_100);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none")]);
    assert_eq!(world.receipts[0].numbers.filled.raw(), pos("5"));
}

#[test]
fn rule_26_a_reduction_is_tried_until_it_is_done_wider_after_two_misses() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Text("Order could not immediately match against any resting orders.");
    world.quote("SOL", "100", "100.1");
    world.leader_fill(0, "SOL", "A", "100", "5");
    for _ in 0..6 {
        world.quote("SOL", "100", "100.1");
        world.pass(1_000);
    }
    let prices: Vec<i64> = world.sent.iter().skip(1).map(|sent| sent.orders[0].price).collect();
    assert_eq!(&prices[..3], [px("99"), px("99"), px("97")]);
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_receipts(2, 1);
}

#[test]
fn rule_29_one_error_stands_for_the_batch_and_a_wrong_count_is_unknown() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    let row = world.leader_trades(0, "SOL", "A", "100", "20");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    let flip = world.queue.remove(0);
    assert_eq!(flip.orders.len(), 2);
    let answer = |statuses: Value| {
        json!({"channel": "post", "data": {"id": flip.attempt.post_id, "response": {"type": "action",
            "payload": {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}}}})
        .to_string()
        .into_bytes()
    };
    let three = json!([{"error": "a"}, {"error": "b"}, {"error": "c"}]);
    world.step(OwnedEvent::Frame(1, answer(three)));
    assert!(world.alerts.iter().any(|alert| alert.code == "outcome_unknown"));
    world.step(OwnedEvent::Frame(1, answer(json!([{"error": "Price must be divisible by tick size. asset=2"}]))));
    assert_eq!(last(&world), (Outcome::Rejected, "invalid"));
}

#[test]
fn refusals_by_class_stop_skip_wait_or_trip_the_breaker() {
    let mut margin = one(json!({}));
    margin.reply = Reply::Text("Insufficient margin to place order. asset=2");
    margin.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&margin), (Outcome::Rejected, "margin"));
    margin.reply = Reply::Fill;
    margin.pass(10_000);
    assert_eq!(margin.sent.len(), 1, "a refused entry is given back");

    let mut gone = one(json!({}));
    gone.reply = Reply::Refuse("User or API Wallet 0x0000000000000000000000000000000000003000 does not exist.");
    gone.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&gone), (Outcome::Rejected, "follower_stopped"));
    gone.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&gone), (Outcome::Blocked, "follower_stopped"));
    assert_eq!(gone.sent.len(), 1);
    gone.assert_receipts(2, 1);

    let mut foreign = one(json!({}));
    foreign.reply = Reply::Refuse("User or API Wallet 0x00000000000000000000000000000000000099ff does not exist.");
    foreign.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&foreign), (Outcome::Rejected, "breaker"));
    foreign.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&foreign), (Outcome::Blocked, "breaker"));
    assert!(foreign.alerts.iter().any(|alert| alert.code == "breaker"));
}

#[test]
fn rule_35_every_fill_and_edge_has_exactly_one_receipt_in_a_wide_fan_out() {
    let followers: Vec<Value> = (0..300).map(|_| json!({})).collect();
    let follows: Vec<Value> = (0..300).map(|i| follow(0, i, json!({}))).collect();
    let mut world = World::new(1, &followers, &follows);
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.sent.len(), 300);
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.assert_receipts(2, 300);
    assert!((0..300).all(|follower| world.position(follower, "SOL") == pos("3")));
    world.assert_replay();
}

#[test]
fn a_stopped_signer_is_never_used() {
    let mut world = one(json!({}));
    world.step(OwnedEvent::StopSigner(0));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "signer_stopped"));
    assert!(world.sent.is_empty());
}

#[test]
fn an_unknown_coin_and_a_delisted_one_are_skipped_by_name() {
    let mut world = one(json!({}));
    world.leader_fill(0, "NOSUCH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "unknown_coin"));
    world.leader_fill(0, "OLDX", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Skipped, "delisted"));
}

#[test]
fn without_a_way_out_entries_wait_and_expire_and_exits_wait() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Down(1));
    world.leader_fill(0, "SOL", "A", "100", "5");
    world.pass(5_000);
    world.leader_fill(0, "ETH", "B", "100", "5");
    world.pass(3_000);
    assert_eq!(last(&world), (Outcome::Expired, "too_old"));
    assert_eq!(world.sent.len(), 1);
    world.step(OwnedEvent::Up(9, hlfast_core::event::SourceKind::Lane));
    world.pass(1_000);
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    assert_eq!(world.position(0, "ETH"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}
