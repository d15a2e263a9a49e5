//! Several leaders in one account (rule 14): one net order, a virtual position for each leader, and nobody touched by what happens to
//! another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "test code")]

use std::sync::atomic::{AtomicU64, Ordering};

use crate::venue::{OwnedEvent, Reply, World, account_address, follow, leader_address, pos, px};
use hlfast_core::commands::Outcome;
use hlfast_core::event::SourceKind;
use hlfast_core::num::Pos;
use proptest::prelude::*;
use serde_json::{Value, json};

/// One account that copies so many leaders, each in full.
fn followed(leaders: usize, account: Value) -> World {
    let follows: Vec<Value> = (0..leaders).map(|leader| follow(leader, 0, json!({"ratio": "1"}))).collect();
    World::new(leaders, &[account], &follows)
}

/// What is held for each edge of a coin.
fn parts(world: &World, coin: &str) -> Vec<i64> {
    let status = world.status();
    let held = |edge: &Value| edge["held"].get(coin).map_or(0, |held| pos(held.as_str().unwrap()));
    status["follows"].as_array().unwrap().iter().map(held).collect()
}

fn consistent(world: &World) {
    assert_eq!(world.engine.contradiction(), None);
}

#[test]
fn rule_14_two_leaders_are_one_order_and_its_execution_is_shared_pro_rata() {
    let mut world = followed(2, json!({}));
    let rows = [world.leader_trades(0, "SOL", "B", "100", "6"), world.leader_trades(1, "SOL", "B", "100", "2")];
    for (leader, row) in rows.iter().enumerate() {
        world.step(OwnedEvent::Frame(2, World::fills_frame(leader, std::slice::from_ref(row), false)));
    }
    // The first one's order finds nothing; by then the second one has bought too, and both go as one.
    world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
    let first = world.queue.remove(0);
    world.serve(first);
    world.reply = Reply::Part(0.5);
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("4"), "half of one order for eight");
    assert_eq!(parts(&world, "SOL"), [pos("3"), pos("1")]);
    consistent(&world);
    world.assert_replay();
}

#[test]
fn rule_14_what_an_exit_uncovered_is_priced_like_an_exit_when_the_book_is_silent() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "A", "100", "6");
    world.leader_fill(1, "SOL", "B", "100", "2");
    // The price falls by two percent while nobody trades and no quote comes.
    world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
    world.leader_fill(1, "SOL", "A", "100", "2");
    world.pass(60_000);
    let limit = world.sent.last().unwrap().orders[0].price;
    assert_eq!(limit, px("97"), "the emergency band of 300 bps, as for every exit without a quote");
    // A fresh quote is better known than the last price; an exit that missed twice has the emergency band all the same.
    world.quote("SOL", "98", "98.1");
    world.reply = Reply::Fill;
    world.pass(10_000);
    assert_eq!(parts(&world, "SOL"), [pos("-6"), 0]);
    consistent(&world);
    world.assert_replay();
}

#[test]
fn rule_14_a_reduction_is_the_part_of_the_leader_that_asked() {
    let mut world = followed(3, json!({}));
    for leader in 0..3 {
        world.leader_fill(leader, "SOL", "B", "100", "2");
    }
    world.leader_fill(1, "SOL", "A", "100", "1.5");
    assert_eq!(parts(&world, "SOL"), [pos("2"), pos("0.5"), pos("2")]);
    world.leader_fill(0, "SOL", "A", "100", "2");
    assert_eq!(parts(&world, "SOL"), [0, pos("0.5"), pos("2")]);
    assert_eq!(world.position(0, "SOL"), pos("2.5"));
    consistent(&world);
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn rule_14_a_part_that_is_closed_uncovers_the_other_side_within_the_accounts_caps() {
    let mut world = followed(2, json!({"max_position_usd": "900"}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(1, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("-5"));
    world.operate(json!({"do": "pause", "leader": "L0", "kind": "flatten"}));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("-9"), "what the long part had covered, up to the cap");
    consistent(&world);
    world.assert_replay();
}

#[test]
fn rule_14_opposite_parts_of_an_account_that_is_flattened_go_without_an_order() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(1, "SOL", "A", "100", "5");
    let sent = world.sent.len();
    world.operate(json!({"do": "pause", "follower": "F0", "kind": "flatten"}));
    world.settle();
    assert_eq!((parts(&world, "SOL"), world.sent.len()), (vec![0, 0], sent));
    consistent(&world);
    world.assert_replay();
}

#[test]
fn rule_14_opposite_leaders_hold_their_parts_in_an_account_that_holds_the_net() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    let sent = world.sent.len();
    world.leader_fill(1, "SOL", "A", "110", "3");
    assert_eq!(world.position(0, "SOL"), pos("2"));
    assert_eq!(parts(&world, "SOL"), [pos("5"), pos("-3")]);
    assert_eq!(world.sent.len(), sent + 1, "one order of three");
    world.leader_fill(1, "SOL", "A", "110", "2");
    assert_eq!((world.position(0, "SOL"), parts(&world, "SOL")), (0, vec![pos("5"), pos("-5")]));
    world.leader_fill(0, "SOL", "A", "120", "5");
    assert_eq!((world.position(0, "SOL"), parts(&world, "SOL")), (pos("-5"), vec![0, pos("-5")]));
    consistent(&world);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn what_each_edge_paid_and_took_in_adds_up_to_the_accounts_executions() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(1, "SOL", "A", "110", "3");
    world.leader_fill(0, "SOL", "A", "120", "5");
    world.leader_fill(1, "SOL", "B", "90", "3");
    assert_eq!((world.position(0, "SOL"), parts(&world, "SOL")), (0, vec![0, 0]));
    let cash: Vec<f64> = world.status()["follows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["cash_usd"].as_str().unwrap().parse().unwrap())
        .collect();
    let paid = |(is_buy, value): (bool, f64)| if is_buy { -value } else { value };
    let orders = world.sent.iter().flat_map(|sent| &sent.orders);
    let values =
        orders.map(|o| (o.is_buy, Pos::from_raw(o.size).to_string().parse::<f64>().unwrap() * o.price as f64 / 1e8));
    let all: f64 = values.map(paid).sum();
    assert!((cash.iter().sum::<f64>() - all).abs() < 1e-5, "{cash:?} of {all}");
    // Bought at 100, sold at 120; sold at 110, bought at 90: each within the bands of its orders.
    assert!(cash.iter().zip([100.0, 60.0]).all(|(cash, profit)| (cash - profit).abs() < 20.0), "{cash:?}");
    world.assert_replay();
}

#[test]
fn rule_14_pausing_stopping_liquidating_or_losing_one_leader_touches_its_part_only() {
    let paused = |world: &mut World| world.operate(json!({"do": "pause", "leader": "L0", "kind": "flatten"}));
    let ended = |world: &mut World| {
        let row = world.leader_trades(0, "SOL", "A", "100", "2");
        let mut row = row.clone();
        row["liquidation"] = json!({"liquidatedUser": leader_address(0), "markPx": "100", "method": "market"});
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    };
    let lost = |world: &mut World| {
        // A broken chain: the leader's entries are blocked, and the account is believed in the end.
        world.leader_positions.insert((leader_address(0), "SOL".into()), 0);
        world.pass(40_000);
    };
    type Blow<'a> = (&'a str, &'a dyn Fn(&mut World));
    let blows: [Blow<'_>; 3] = [("paused", &|world| drop(paused(world))), ("liquidated", &ended), ("lost", &lost)];
    for (name, blow) in blows {
        let mut world = followed(3, json!({}));
        for leader in 0..3 {
            world.leader_fill(leader, "SOL", "B", "100", "4");
            world.leader_fill(leader, "ETH", "A", "1000", "1");
        }
        blow(&mut world);
        world.settle();
        world.pass(2_000);
        assert_eq!(parts(&world, "SOL"), [0, pos("4"), pos("4")], "{name}");
        assert_eq!(world.position(0, "SOL"), pos("8"), "{name}");
        world.leader_fill(1, "SOL", "B", "100", "1");
        world.leader_fill(2, "ETH", "B", "1000", "1");
        assert_eq!(parts(&world, "SOL"), [0, pos("5"), pos("4")], "{name}: the others go on");
        assert_eq!(parts(&world, "ETH")[1..], [pos("-1"), 0], "{name}");
        consistent(&world);
        world.assert_replay();
    }
}

#[test]
fn rule_14_caps_bound_each_leaders_part_before_netting_and_the_net_after() {
    let follows = [follow(0, 0, json!({"ratio": "1", "max_position_usd": "300"})), follow(1, 0, json!({"ratio": "1"}))];
    let mut world = World::new(2, &[json!({"max_position_usd": "500"})], &follows);
    world.leader_fill(0, "SOL", "B", "100", "9");
    assert_eq!(parts(&world, "SOL"), [pos("3"), 0], "the edge's cap");
    world.leader_fill(1, "SOL", "B", "100", "9");
    assert_eq!(world.position(0, "SOL"), pos("5"), "the account's cap");
    assert_eq!(parts(&world, "SOL"), [pos("3"), pos("2")]);
    let edges = world.status();
    assert_eq!(edges["follows"][1]["entitled"]["SOL"], "9", "it binds the target, not what the edge is entitled to");
    consistent(&world);
}

/// All that is copied of one leader into one account, with what is on its way and what nobody knows the fate of.
#[test]
fn a_cap_of_one_leaders_parts_counts_all_its_coins_and_never_stops_an_exit() {
    let follows = [follow(0, 0, json!({"ratio": "1", "max_gross_usd": "800"})), follow(1, 0, json!({"ratio": "1"}))];
    let mut world = World::new(2, &[json!({})], &follows);
    world.reply = Reply::Silence;
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.reply = Reply::Fill;
    world.leader_fill(0, "ETH", "A", "100", "9");
    assert_eq!(parts(&world, "ETH"), [pos("-3"), 0], "500 of SOL are unknown, so 300 are left");
    world.leader_fill(0, "BTC", "B", "100", "1");
    assert_eq!(world.outcomes().last().unwrap(), &(Outcome::Skipped, "cap"));
    world.leader_fill(1, "BTC", "B", "100", "1");
    assert_eq!(parts(&world, "BTC"), [0, pos("1")], "another leader's parts are not its own");
    world.leader_fill(0, "ETH", "B", "100", "6");
    assert_eq!(parts(&world, "ETH"), [pos("-1"), 0], "an exit passes");
    world.leader_fill(0, "BTC", "B", "100", "4");
    assert_eq!(parts(&world, "BTC"), [pos("2"), pos("1")], "and makes room");
    world.assert_replay();
}

#[test]
fn a_manual_trade_is_in_no_leaders_part_and_what_somebody_closed_is_shared_out() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "6");
    world.leader_fill(1, "SOL", "B", "100", "2");
    let account = (account_address(0), "SOL".to_owned());
    world.positions.insert(account.clone(), pos("11"));
    world.pass(35_000);
    assert_eq!(parts(&world, "SOL"), [pos("6"), pos("2")], "three are the owner's own");
    assert_eq!(world.status()["followers"][0]["positions"]["SOL"]["manual"], "3");
    world.positions.insert(account, pos("4"));
    world.pass(65_000);
    assert_eq!(parts(&world, "SOL"), [pos("3"), pos("1")], "half of what the engine held was closed by somebody");
    consistent(&world);
    world.assert_replay();
}

const COINS: [&str; 3] = ["SOL", "ETH", "BTC"];
const LANES: [u32; 2] = [1, 4];

/// Of all histories of this process.
static EVENTS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone)]
enum Act {
    Trade { leader: usize, coin: usize, lots: i64, liquidated: bool },
    Answer(usize),
    Pass(u64),
    Manual { follower: usize, coin: usize, lots: i64 },
    Hold { leader: usize, kind: usize },
    Silent { leader: usize, coin: usize },
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => (0usize..5, 0usize..3, -40i64..=40, 0u32..40).prop_map(|(leader, coin, lots, luck)| Act::Trade {
            leader, coin, lots, liquidated: luck == 0
        }),
        4 => (0usize..5).prop_map(Act::Answer),
        4 => (20u64..4_000).prop_map(Act::Pass),
        1 => (0usize..2, 0usize..3, -30i64..=30).prop_map(|(follower, coin, lots)| Act::Manual { follower, coin, lots }),
        1 => (0usize..5, 0usize..4).prop_map(|(leader, kind)| Act::Hold { leader, kind }),
        1 => (0usize..5, 0usize..3).prop_map(|(leader, coin)| Act::Silent { leader, coin }),
        1 => Just(Act::Restart),
    ]
}

/// Two accounts of so many leaders: one copies plainly, the other by every way of sizing and gating, within caps.
fn crowd(leaders: usize) -> World {
    let plain =
        (0..leaders).map(|leader| follow(leader, 0, json!({"ratio": (["0.37", "1", "0.5", "2", "0.1"][leader])})));
    let mixed = [
        json!({"mode": "notional", "ratio": null, "notional_usd": "700", "scale_adds": true}),
        json!({"inverse": true, "ratio": "0.5"}),
        json!({"mode": "equity", "ratio": null, "weight": "0.3", "max_position_usd": "400"}),
        json!({"ratio": "0.05", "round_up": true, "round_up_max_usd": "9"}),
        json!({"ratio": "0.4", "delay_ms": 1_500, "side": "long", "max_order_usd": "300"}),
    ];
    let mixed = (0..leaders).map(|leader| follow(leader, 1, mixed[leader].clone()));
    let follows: Vec<Value> = plain.chain(mixed).collect();
    let followers = [json!({}), json!({"max_position_usd": "900", "max_gross_usd": "1500"})];
    let mut world = World::cold(leaders, &followers, &follows, "off");
    world.boot(leaders);
    world.step(OwnedEvent::Up(LANES[1], SourceKind::Lane));
    world
}

fn play(world: &mut World, act: &Act, leaders: usize) -> usize {
    match act {
        Act::Trade { lots: 0, .. } => return 0,
        Act::Trade { leader, coin, lots, liquidated } => {
            let leader = leader % leaders;
            let size = Pos::from_raw(lots.abs() * 10_000_000).to_string();
            let side = if *lots > 0 { "B" } else { "A" };
            let mut row = world.leader_trades(leader, COINS[*coin], side, "100", &size);
            if *liquidated {
                row["liquidation"] =
                    json!({"liquidatedUser": leader_address(leader), "markPx": "100", "method": "market"});
            }
            world.step(OwnedEvent::Frame(2, World::fills_frame(leader, &[row], false)));
            return 1;
        }
        Act::Answer(way) => world.answer_by(*way),
        Act::Pass(ms) => world.pass(*ms),
        Act::Manual { follower, coin, lots } => {
            // The owner trades when nothing is on its way: what crossed an order on its way can't be told apart.
            world.pass(12_000);
            let key = (account_address(*follower), COINS[*coin].to_owned());
            *world.positions.entry(key).or_default() += lots * 10_000_000;
            world.pass(65_000);
        }
        Act::Hold { leader, kind } => {
            let name = format!("L{}", leader % leaders);
            let request = match kind {
                0 => json!({"do": "resume", "leader": name}),
                1 => json!({"do": "pause", "leader": name, "kind": "flatten"}),
                2 => json!({"do": "pause", "leader": name, "kind": "freeze"}),
                _ => json!({"do": "pause", "leader": name}),
            };
            world.step(OwnedEvent::Operate(request.to_string().into_bytes()));
        }
        Act::Silent { leader, coin } => {
            // A change that no fill tells of: found by comparing positions.
            world.leader_positions.insert((leader_address(leader % leaders), COINS[*coin].to_owned()), 0);
            world.pass(40_000);
        }
        Act::Restart => {
            let [one, other] = LANES.map(|lane| (lane, SourceKind::Lane));
            world.restart_on(&[one, other, (3, SourceKind::Tape)]);
        }
    }
    0
}

/// Σ parts + manual = account, for every account and coin.
fn adds_up(world: &World) {
    consistent(world);
    let status = world.status();
    for (at, follower) in status["followers"].as_array().unwrap().iter().enumerate() {
        let mine = || status["follows"].as_array().unwrap().iter().filter(|edge| edge["follower"] == follower["name"]);
        for (coin, lot) in follower["positions"].as_object().unwrap() {
            let held = mine().filter_map(|edge| edge["held"].get(coin)).map(|held| pos(held.as_str().unwrap()));
            let sum = held.sum::<i64>() + pos(lot["manual"].as_str().unwrap());
            assert_eq!(sum, world.position(at, coin), "{coin} of {}: {lot}", follower["name"]);
        }
    }
}

fn run(acts: &[Act], leaders: usize) {
    let mut world = crowd(leaders);
    let mut fills = 0;
    for act in acts {
        world.now += 7;
        fills += play(&mut world, act, leaders);
        consistent(&world);
    }
    world.reply = Reply::Fill;
    for leader in 0..leaders {
        world.step(OwnedEvent::Operate(
            json!({"do": "resume", "leader": format!("L{leader}")}).to_string().into_bytes(),
        ));
    }
    world.pass(70_000);
    adds_up(&world);
    world.assert_receipts(fills, 2);
    world.assert_replay();
    let before = EVENTS.fetch_add(world.events, Ordering::Relaxed);
    println!("{} events without a contradiction", before + world.events);
}

/// How many histories a run plays: `HLFAST_HISTORIES`, else a few.
fn histories(usual: u32) -> u32 {
    std::env::var("HLFAST_HISTORIES").ok().map_or(usual, |count| count.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(48), max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_parts_and_the_manual_bucket_are_the_account_after_any_history(
        leaders in 2usize..=5, acts in proptest::collection::vec(act(), 1..30)
    ) {
        run(&acts, leaders);
    }
}

#[test]
fn receipts_of_a_net_of_nothing_say_so() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(1, "SOL", "A", "100", "5");
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none"), (Outcome::Filled, "none")]);
    world.assert_receipts(2, 1);
}

#[test]
fn what_an_exit_uncovers_of_a_delisted_coin_is_not_opened() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "5");
    world.leader_fill(1, "SOL", "A", "100", "5");
    let universe = ["BTC", "ETH", "SOL", "OLDX"]
        .map(|name| json!({"name": name, "szDecimals": 2, "maxLeverage": 10, "isDelisted": true}));
    world.step(OwnedEvent::Meta(json!({ "universe": universe }).to_string().into_bytes()));
    let sent = world.sent.len();
    world.leader_fill(0, "SOL", "A", "100", "5");
    world.pass(10_000);
    assert_eq!((world.sent.len(), world.position(0, "SOL")), (sent, 0));
    world.leader_fill(1, "SOL", "B", "100", "5");
    world.pass(10_000);
    assert_eq!((world.sent.len(), world.position(0, "SOL")), (sent, 0));
    consistent(&world);
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn a_part_that_is_too_old_uncovers_nothing_of_another_leader() {
    let mut world = followed(2, json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(1, "SOL", "A", "100", "15");
    assert_eq!(world.position(0, "SOL"), pos("-5"));
    world.reply = Reply::Text("Order could not immediately match against any resting orders. asset=2");
    // The exit uncovers ten; what is opened against them meanwhile covers six.
    world.leader_fill(1, "SOL", "B", "100", "15");
    world.leader_fill(1, "SOL", "A", "100", "6");
    world.pass(4_000);
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(world.position(0, "SOL"), pos("4"), "the six cover on: an expiry adds no risk");
    consistent(&world);
    world.assert_receipts(4, 1);
    world.assert_replay();
}
