//! What leaders do besides trading: liquidations, transfers, orders, leverage; and how old an equity may be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, World, account_address, follow, leader_address, pos, px};
use hlfast_core::commands::Outcome;
use hlfast_core::event::{FrameClass, SourceKind};
use hlfast_core::feed::frame::{Buffers, parse_frame};
use serde_json::{Value, json};

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

/// As the venue wrote such a row on 2025-10-10: somebody else is liquidated, by the backstop, and this account pays no fee.
fn deleveraging(world: &mut World, coin: &str, price: &str, size: &str) -> Value {
    let mut row = world.leader_trades(0, coin, "A", price, size);
    row["dir"] = json!("Auto-Deleveraging");
    row["fee"] = json!("0.0");
    row["liquidation"] = by_backstop();
    row
}

fn by_backstop() -> Value {
    json!({"liquidatedUser": "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14", "markPx": "149", "method": "backstop"})
}

/// A row of the follower's: so much of five SOL was sold for it.
fn own_sale(world: &World, price: &str, size: &str, liquidation: &Value) -> Value {
    json!({"coin": "SOL", "px": price, "sz": size, "side": "A", "time": world.now, "startPosition": "5", "dir": "?",
        "closedPnl": "0.0", "hash": "0x0", "oid": 1, "crossed": true, "fee": "0.0", "tid": 1, "liquidation": liquidation})
}

fn told(world: &World, code: &str) -> usize {
    world.alerts.iter().filter(|alert| alert.code == code).count()
}

#[test]
fn rule_30_a_deleveraged_leaders_part_on_that_coin_is_closed_by_the_book_and_the_leader_pauses() {
    let edges = ["close", "follow", "hold"].map(|how| json!({"on_liquidation": how}));
    let edges: Vec<Value> = (0..3).zip(edges).map(|(at, how)| follow(0, at, how)).collect();
    let mut world = World::new(1, &[json!({}), json!({}), json!({})], &edges);
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.leader_fill(0, "ETH", "B", "100", "4");
    world.quote("SOL", "149.9", "150.1");
    let sent = world.sent.len();
    let row = deleveraging(&mut world, "SOL", "97.5", "4");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, std::slice::from_ref(&row), false)));
    world.settle();
    let held = |world: &World, coin: &str| [0, 1, 2].map(|at| world.position(at, coin));
    assert_eq!(held(&world, "SOL"), [0, pos("3"), pos("5")], "closed whole, reduced by its share, left alone");
    assert_eq!(held(&world, "ETH"), [pos("2"); 3], "the leader could pay: it still means what it holds elsewhere");
    for order in world.sent[sent..].iter().map(|sent| &sent.orders[0]) {
        assert!(order.reduce_only && !order.is_buy);
        assert_eq!(order.price, px("145.41"), "the best bid less 3 %, in five digits: not the price of that row");
    }
    assert_eq!((told(&world, "leader_deleveraged"), told(&world, "leader_liquidated")), (1, 0));
    world.leader_fill(0, "BTC", "B", "100", "4");
    assert_eq!(held(&world, "BTC"), [0, pos("2"), 0], "no entries until it is resumed, but where it is followed");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    assert_eq!(world.operate(json!({"do": "resume", "leader": "L0"}))["ok"], true);
    world.pass(1_000);
    world.leader_fill(0, "BTC", "B", "100", "4");
    assert_eq!(held(&world, "BTC"), [pos("2"), pos("4"), pos("2")]);
    assert_eq!(held(&world, "SOL"), [0, pos("3"), pos("3")]);
    world.assert_replay();
}

#[test]
fn rule_30_a_liquidation_after_a_deleveraging_still_closes_everything() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.leader_fill(0, "ETH", "B", "100", "4");
    let row = deleveraging(&mut world, "SOL", "140", "4");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.settle();
    assert_eq!((world.position(0, "SOL"), world.position(0, "ETH")), (0, pos("2")));
    world.now += 50;
    world.step(liquidation(0));
    world.settle();
    assert_eq!(world.position(0, "ETH"), 0);
    assert_eq!((told(&world, "leader_deleveraged"), told(&world, "leader_liquidated")), (1, 1));
    world.assert_replay();
}

/// A trade against somebody who is being liquidated in the book, or a backstop's that opens, is the leader's own wish.
#[test]
fn rule_30_the_other_side_of_a_liquidation_is_an_ordinary_trade() {
    for (side, method, left) in [("A", "market", "3"), ("B", "backstop", "7")] {
        let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
        world.leader_fill(0, "SOL", "B", "100", "10");
        let mut row = world.leader_trades(0, "SOL", side, "100", "4");
        let other = "0x360878d351f05975e25f1807a27895e1e5e004fb";
        row["liquidation"] = json!({"liquidatedUser": other, "markPx": "100", "method": method});
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
        world.settle();
        assert_eq!((world.position(0, "SOL"), leader(&world, 0)["liquidated"].clone()), (pos(left), json!(false)));
    }
}

#[test]
fn a_liquidated_account_opens_nothing_until_it_is_resumed_and_its_exits_pass() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "ETH", "B", "100", "4");
    world.now += 1_000;
    let me = account_address(0);
    let liquidation = json!({"liquidatedUser": me, "markPx": "70", "method": "market"});
    let row = own_sale(&world, "70", "5", &liquidation);
    world.figures.own_fills.insert(me.clone(), vec![row]);
    world.positions.insert((me, "SOL".into()), 0);
    world.pass_coarsely(70_000);
    assert_eq!((told(&world, "position_drift"), told(&world, "follower_liquidated")), (1, 1));
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(last(&world), (Outcome::Blocked, "paused"));
    world.leader_fill(0, "ETH", "A", "100", "2");
    assert_eq!((last(&world), world.position(0, "ETH")), ((Outcome::Filled, "none"), pos("1")));
    assert_eq!(world.operate(json!({"do": "resume", "follower": "F0"}))["ok"], true);
    world.pass_coarsely(70_000);
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((last(&world), world.position(0, "SOL")), ((Outcome::Filled, "none"), pos("1")), "and none of the old");
    world.assert_replay();
}

#[test]
fn a_deleveraged_account_is_told_of_and_goes_on() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.now += 1_000;
    let row = own_sale(&world, "97.5", "2", &by_backstop());
    world.figures.own_fills.insert(account_address(0), vec![row]);
    world.positions.insert((account_address(0), "SOL".into()), pos("3"));
    world.pass_coarsely(70_000);
    assert_eq!((told(&world, "follower_deleveraged"), told(&world, "follower_liquidated")), (1, 0));
    assert_eq!(world.position(0, "SOL"), pos("3"), "what it closed is not opened again");
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((last(&world), world.position(0, "SOL")), ((Outcome::Filled, "none"), pos("4")));
    world.assert_replay();
}

#[test]
fn fills_that_a_believed_account_was_ahead_of_do_not_move_the_ledger_back() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    let opened = world.leader_trades(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, std::slice::from_ref(&opened), false)));
    world.settle();
    let missed = world.leader_trades(0, "SOL", "A", "100", "6");
    world.pass(40_000);
    assert_eq!(world.position(0, "SOL"), pos("2"), "the account was believed");
    // Both fills come at last, and once more with the next subscription.
    for _ in 0..2 {
        world.snapshot(0, &[missed.clone(), opened.clone()]);
        world.pass(5_000);
    }
    assert_eq!(world.position(0, "SOL"), pos("2"));
    assert_eq!(world.status()["follows"][0]["entitled"]["SOL"], "2");
    assert_eq!(world.alerts.iter().filter(|alert| alert.code == "leader_reconciled").count(), 1);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_fill_between_the_read_of_fills_and_that_of_positions_gets_its_receipt() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    // No feed brings either; the second one comes when the fills were read, and before the position is.
    let missed = world.leader_trades(0, "SOL", "A", "100", "4");
    world.history = Some(vec![missed.clone()]);
    let later = world.leader_trades(0, "SOL", "A", "100", "2");
    while !world.alerts.iter().any(|alert| alert.code == "leader_reconciled") {
        world.history = Some(vec![missed.clone()]);
        world.step(OwnedEvent::Tick);
        world.pass(100);
    }
    assert_eq!(world.position(0, "SOL"), pos("2"), "the account was believed");
    world.history = Some(vec![later, missed]);
    world.pass(62_000);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn a_chain_that_breaks_while_missing_fills_are_read_has_them_read_again() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    let lost: Vec<Value> = ["4", "2"]
        .map(|size| {
            world.now += 10;
            let lost = world.leader_trades(0, "SOL", "A", "100", size);
            // Each is known by the next fill's start; the answer to the first break knows nothing of the second loss.
            world.now += 10;
            let next = world.leader_trades(0, "SOL", "B", "100", "1");
            world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[next], false)));
            lost
        })
        .to_vec();
    world.history = Some(lost[..1].to_vec());
    world.settle();
    world.history = Some(lost);
    world.pass(62_000);
    assert_eq!(world.position(0, "SOL"), pos("2.14"), "six tenths, then five sevenths");
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn fills_behind_a_lost_snapshot_get_their_receipts_though_the_position_is_what_it_was() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Down(2));
    let missed = [("B", "4"), ("A", "4")].map(|(side, size)| world.leader_trades(0, "SOL", side, "100", size));
    world.step(OwnedEvent::Up(2, SourceKind::User));
    world.history = Some(missed.to_vec());
    world.pass(40_000);
    world.assert_receipts(3, 1);
    assert_eq!((world.position(0, "SOL"), world.sent.len()), (pos("5"), 1));
    // The snapshot that came makes a read of fills needless.
    let asked = world.asked("userFillsByTime").len();
    assert_eq!(asked, 1);
    world.step(OwnedEvent::Up(2, SourceKind::User));
    world.snapshot(0, &missed);
    world.pass(40_000);
    assert_eq!(world.asked("userFillsByTime").len(), asked);
    world.assert_replay();
}

#[test]
fn a_leader_position_that_no_fill_explains_is_believed_after_a_second_look() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_positions.insert((leader_address(0), "SOL".into()), 0);
    world.pass(40_000);
    assert_eq!(world.position(0, "SOL"), 0, "the exit acts");
    assert!(world.alerts.iter().any(|alert| alert.code == "leader_reconciled"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}
