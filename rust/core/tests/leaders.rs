//! What leaders do besides trading: liquidations, transfers, orders, leverage; and how old an equity may be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

mod venue;

use hlfast_core::commands::Outcome;
use hlfast_core::event::{FrameClass, SourceKind};
use hlfast_core::feed::frame::{Buffers, parse_frame};
use serde_json::{Value, json};
use venue::{OwnedEvent, World, follow, leader_address, pos, px};

fn leader(world: &World, at: usize) -> Value {
    let mut bytes = Vec::new();
    world.engine.write_status(world.now, &mut bytes);
    serde_json::from_slice::<Value>(&bytes).unwrap()["leaders"][at].clone()
}

fn frame(channel: &str, data: Value) -> OwnedEvent {
    OwnedEvent::Frame(2, json!({"channel": channel, "data": data}).to_string().into_bytes())
}

fn liquidation(leader: usize) -> OwnedEvent {
    frame(
        "user",
        json!({"liquidation": {"lid": 7, "liquidator": leader_address(90), "liquidated_user": leader_address(leader),
        "liquidated_ntl_pos": "5000.0", "liquidated_account_value": "10.0"}}),
    )
}

fn last(world: &World) -> (Outcome, &'static str) {
    *world.outcomes().last().unwrap()
}

#[test]
fn rule_30_a_liquidated_leaders_part_is_closed_at_once_and_the_leader_pauses_until_resumed() {
    let mut world = World::new(2, &[json!({})], &[follow(0, 0, json!({})), follow(1, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "ETH", "A", "100", "4");
    world.leader_fill(1, "SOL", "B", "100", "2");
    world.step(liquidation(0));
    world.settle();
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (pos("1"), 0), "the other leader's part stays");
    assert!(world.alerts.iter().any(|alert| alert.code == "leader_liquidated"));
    assert_eq!(leader(&world, 0)["liquidated"], true);
    world.step(liquidation(0));
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert_eq!(last(&world), (Outcome::Skipped, "nothing_held"));
    world.leader_fill(0, "BTC", "B", "100", "5");
    assert_eq!(last(&world), (Outcome::Blocked, "leader_paused"));
    world.leader_fill(1, "BTC", "B", "100", "5");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "the other leader goes on");
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.pass(6_000);
    world.leader_fill(0, "kPEPE", "B", "100", "5");
    assert_eq!(last(&world), (Outcome::Blocked, "leader_paused"), "a restart does not end the pause");
    assert_eq!(world.operate(json!({"do": "resume", "leader": "L0"}))["ok"], true);
    world.leader_fill(0, "kPEPE", "B", "100", "5");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "an operator does");
    world.assert_replay();
}

/// The first account follows on, the second stands still, the third closes.
#[test]
fn rule_30_on_liquidation_a_follow_may_go_on_or_stand_still() {
    let edge = |at: usize, how: &str| follow(0, at, json!({"on_liquidation": how}));
    let edges = [edge(0, "follow"), edge(1, "hold"), edge(2, "close")];
    let mut world = World::new(1, &[json!({}), json!({}), json!({})], &edges);
    let sol = |world: &World| [0, 1, 2].map(|at| world.position(at, "SOL"));
    world.leader_fill(0, "SOL", "B", "100", "10");
    let mut row = world.leader_trades(0, "SOL", "A", "100", "4");
    row["liquidation"] = json!({"liquidatedUser": leader_address(0), "markPx": "100", "method": "market"});
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(sol(&world), [pos("3"), pos("5"), 0]);
    let reasons = |world: &World| world.receipts.iter().rev().take(3).map(|r| r.reason.name()).collect::<Vec<_>>();
    assert!(reasons(&world).contains(&"frozen"));
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!([0, 1, 2].map(|at| world.position(at, "ETH")), [pos("2"), 0, 0]);
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.pass(6_000);
    world.leader_fill(0, "SOL", "A", "100", "3");
    assert_eq!(sol(&world), [pos("1.5"), pos("5"), 0], "a restart keeps what stands still");
    assert_eq!(world.operate(json!({"do": "resume", "leader": "L0"}))["ok"], true);
    world.pass(1_000);
    assert_eq!(sol(&world), [pos("1.5"), pos("1.5"), 0], "what the leader reduced meanwhile goes when it is resumed");
    world.leader_fill(0, "BTC", "B", "100", "4");
    assert_eq!([0, 1, 2].map(|at| world.position(at, "BTC")), [pos("2"); 3]);
    world.assert_replay();
}

#[test]
fn rule_30_the_liquidating_fill_says_the_same_and_an_old_one_pauses_nobody_again() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "ETH", "B", "100", "10");
    let mut row = world.leader_trades(0, "SOL", "A", "100", "3");
    row["liquidation"] = json!({"liquidatedUser": leader_address(0), "markPx": "100", "method": "market"});
    let frame = World::fills_frame(0, &[row], false);
    world.step(OwnedEvent::Frame(2, frame.clone()));
    world.settle();
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (0, 0), "all of it, not three tenths");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_receipts(3, 1);
    world.operate(json!({"do": "resume", "leader": "L0"}));
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.step(OwnedEvent::Frame(2, frame));
    world.settle();
    assert_eq!(leader(&world, 0)["liquidated"], false);
    world.assert_replay();
}

#[test]
fn rule_30_the_fills_tell_also_when_the_tape_was_first() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    let mut row = world.leader_trades(0, "SOL", "A", "100", "3");
    let mut trade = row.clone();
    trade["users"] = json!([leader_address(90), leader_address(0)]);
    trade.as_object_mut().unwrap().remove("startPosition");
    world.step(OwnedEvent::Frame(3, json!({"channel": "trades", "data": [trade]}).to_string().into_bytes()));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("3.5"));
    row["liquidation"] = json!({"liquidatedUser": leader_address(0)});
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn an_equity_of_long_ago_sizes_nothing() {
    let edge = json!({"mode": "equity", "ratio": null, "weight": "1"});
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, edge)]);
    world.pass(1_000);
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.answer_reads = false;
    world.pass(61_000);
    world.leader_fill(0, "ETH", "B", "100", "2");
    assert_eq!(last(&world), (Outcome::Blocked, "equity_unreadable"));
    world.leader_fill(0, "SOL", "A", "100", "1");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "a reduction needs no equity");
    world.assert_replay();
}

#[test]
fn a_transfer_is_remembered_and_the_equity_read_again() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.pass(1_000);
    let transfer = |time: u64| {
        let row = json!({"time": time, "hash": "0x00", "delta": {"type": "accountClassTransfer", "usdc": "500.0", "toPerp": true}});
        frame("userNonFundingLedgerUpdates", json!({"user": leader_address(0), "nonFundingLedgerUpdates": [row]}))
    };
    let reads = world.spent.len();
    let now = world.now + 1;
    world.now += 2;
    assert_eq!(world.step(transfer(now)), FrameClass::Taken);
    world.pass(40);
    assert_eq!(world.spent.len(), reads + 1);
    assert_eq!(leader(&world, 0)["last_transfer_ms"], now);
    world.step(transfer(now));
    world.pass(40);
    assert_eq!(world.spent.len(), reads + 1, "the same one is no news");
    world.assert_replay();
}

#[test]
fn leverage_and_margin_mode_are_known() {
    let world = World::with_leader(1, &[json!({})], &[follow(0, 0, json!({}))], &[(0, "SOL", "3")]);
    let leader = leader(&world, 0);
    assert_eq!(leader["coins"], json!([{"coin": "SOL", "leverage": 10, "margin_mode": "cross"}]));
    assert_eq!(leader["equity_usd"], "10000");
    assert_eq!(leader["equity_read_ms"], venue::NOW);
}

#[test]
fn orders_belong_to_the_owner_of_their_connection() {
    let mut world = World::new(2, &[json!({})], &[follow(0, 0, json!({}))]);
    let update = json!({"order": {"coin": "ETH", "side": "B", "limitPx": "3195.0", "sz": "0.0", "oid": 4, "timestamp": 5, "origSz": "1"},
        "status": "filled", "statusTimestamp": 1234});
    let orders = || frame("orderUpdates", json!([update, update]));
    assert_eq!(world.step(orders()), FrameClass::Other, "nobody's so far");
    let subscription = json!({"type": "orderUpdates", "user": leader_address(1)});
    let ack = frame("subscriptionResponse", json!({"method": "subscribe", "subscription": subscription}));
    assert_eq!(world.step(ack), FrameClass::Ack);
    assert_eq!(world.step(orders()), FrameClass::Taken);
    assert_eq!((&leader(&world, 1)["last_order_ms"], &leader(&world, 1)["order_updates"]), (&json!(1234), &json!(2)));
    assert_eq!(leader(&world, 0)["order_updates"], 0);
    assert!(world.sent.is_empty() && world.receipts.is_empty());
}

#[test]
fn broken_forms_are_refused_by_name() {
    let cases = [
        (r#"{"channel":"orderUpdates","data":[{"status":"open","statusTimestamp":1}]}"#, "order update incomplete"),
        (
            r#"{"channel":"orderUpdates","data":[{"order":{"coin":"E","side":"X"},"status":"open"}]}"#,
            "side is neither A nor B",
        ),
        (r#"{"channel":"orderUpdates","data":{}}"#, "expected an array"),
        (
            r#"{"channel":"userNonFundingLedgerUpdates","data":{"nonFundingLedgerUpdates":[]}}"#,
            "ledger updates incomplete",
        ),
        (
            r#"{"channel":"userNonFundingLedgerUpdates","data":{"nonFundingLedgerUpdates":[{}]}}"#,
            "ledger update without time",
        ),
        (r#"{"channel":"subscriptionResponse","data":{"subscription":{"user":"0x12"}}}"#, "bad address"),
    ];
    for (text, wanted) in cases {
        assert_eq!(parse_frame(text.as_bytes(), &mut Buffers::default()).unwrap_err().what, wanted, "{text}");
    }
}

#[test]
fn fills_that_could_not_be_read_are_read_later_and_get_their_receipts() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    // A frame is lost, and the venue does not say what was in it.
    let lost = world.leader_trades(0, "SOL", "A", "100", "4");
    world.history = None;
    world.pass(62_000);
    assert!(world.alerts.iter().any(|alert| alert.code == "backfill_failed"));
    assert_eq!(world.position(0, "SOL"), pos("3"), "the account is believed meanwhile");
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Filled, "none"), "and entries go on");
    world.assert_receipts(2, 1);
    let failed = world.alerts.iter().filter(|alert| alert.code == "backfill_failed").count();
    world.pass(300_000);
    let more = world.alerts.iter().filter(|alert| alert.code == "backfill_failed").count() - failed;
    assert!((5..=10).contains(&more), "about every 30 s: {more}");
    world.history = Some(vec![lost]);
    world.pass(62_000);
    assert_eq!(last(&world).0, Outcome::MergedInto);
    world.assert_receipts(3, 1);
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Filled, "none"));
    world.assert_replay();
}

#[test]
fn a_deleveraged_leader_is_followed_by_the_book_and_not_at_the_price_of_its_fill() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.quote("SOL", "149.9", "150.1");
    let mut row = world.leader_trades(0, "SOL", "A", "97.5", "4");
    row["dir"] = json!("Auto-Deleveraging");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    let order = world.sent.last().unwrap().orders[0].clone();
    assert!(order.reduce_only && !order.is_buy);
    assert_eq!(order.price, px("148.41"), "the best bid less 1 %, in five digits");
    assert_eq!(world.position(0, "SOL"), pos("3"));
}
