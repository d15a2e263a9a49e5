//! Rule 33: openings as the venue's own TWAP. Its slices are the engine's as they come; a newer target or an exit ends it first.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{self, OwnedEvent, Reply, World, follow, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use hlfast_core::config::Config;
use proptest::prelude::*;
use serde_json::{Value, json};

fn account() -> Value {
    json!({"execution": {"style": "native_twap", "seconds": 300}})
}

fn world() -> World {
    World::new(1, &[account()], &[follow(0, 0, json!({}))])
}

/// Ten slices, one each thirty seconds.
fn slices(world: &mut World, count: usize, size: &str) {
    for _ in 0..count {
        world.slice(size);
        world.pass(30_000);
    }
}

fn kinds(world: &World) -> Vec<&str> {
    world.sent.iter().map(|sent| sent.action["type"].as_str().unwrap()).collect()
}

#[test]
fn the_venue_cuts_it_and_each_slice_is_the_engines_as_it_comes() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    let twap = json!({"type": "twapOrder", "twap": {"a": 2, "b": true, "s": "6", "r": false, "m": 5, "t": false}});
    assert_eq!(world.sent[0].action, twap);
    slices(&mut world, 4, "0.6");
    assert_eq!(world.engine_position(0, "SOL"), pos("2.4"));
    assert!(world.receipts.is_empty());
    slices(&mut world, 6, "0.6");
    world.pass(5_000);
    assert_eq!((world.position(0, "SOL"), world.engine_position(0, "SOL")), (pos("6"), pos("6")));
    assert_eq!(kinds(&world), ["twapOrder"]);
    world.assert_receipts(1, 1);
    let receipt = &world.receipts[0];
    assert_eq!((receipt.outcome, receipt.numbers.filled.raw()), (Outcome::Filled, pos("6")));
    assert_eq!((receipt.numbers.average_price.raw(), receipt.was_unknown), (pos("100"), false));
    world.assert_replay();
}

#[test]
fn each_slice_is_written_down_with_the_market_as_it_was_known() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    let nonce = world.sent[0].attempt.nonce;
    world.slice("0.6");
    let first_ms = world.now;
    world.pass(1_000);
    world.quote("SOL", "99.9", "100.1");
    world.pass(29_000);
    world.slice("0.4");
    world.pass(29_000);
    world.quote("SOL", "99", "101");
    world.leader_fill(0, "SOL", "A", "100", "12");
    world.slice("0.5");
    world.pass(10_000);
    let quotes: Vec<_> =
        world.twap_slices.iter().map(|slice| slice.quote.map(|quote| (quote.bid, quote.ask))).collect();
    let told: Vec<_> =
        world.twap_slices.iter().map(|slice| (slice.twap_id, slice.time_ms, slice.size.raw(), slice.nonce)).collect();
    assert_eq!(told[0], (Some(77), Some(first_ms), pos("0.6"), nonce));
    assert_eq!(told[1], (Some(77), Some(first_ms + 30_000), pos("0.4"), nonce));
    assert!(world.twap_slices.iter().all(|slice| slice.price.raw() == pos("100") && slice.follower == 0));
    assert_eq!(quotes[..2], [Some((pos("99.9"), pos("100.1"))), None], "a quote of half a minute ago is none");
    assert_eq!(world.twap_slices.iter().map(|slice| slice.size.raw()).sum::<i64>(), world.twaps[0].executed);
    world.assert_replay();
}

#[test]
fn an_exit_cancels_it_and_sells_what_is_held_at_once() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 3, "0.6");
    world.slice("0.5");
    let row = world.leader_trades(0, "SOL", "A", "100", "12");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    assert_eq!(kinds(&world)[1..], ["twapCancel", "order"], "both at once");
    assert_eq!(world.sent[1].attempt.kind, AttemptKind::Cancel);
    assert_eq!(world.sent[2].orders[0].size, pos("1.8"), "what is known to be held");
    world.settle();
    world.pass(100);
    assert!(world.running().is_empty());
    world.pass(3_000);
    assert_eq!(world.position(0, "SOL"), 0, "and what the last slice bought");
    world.assert_receipts(2, 1);
    let entry = world.receipts.iter().find(|receipt| receipt.numbers.entitled_before.raw() == 0).unwrap();
    assert_eq!((entry.outcome, entry.reason.name()), (Outcome::PartlyFilled, "superseded"));
    assert_eq!(entry.numbers.filled.raw(), pos("2.3"));
    world.assert_replay();
}

#[test]
fn what_follows_a_twap_is_capped_at_the_price_of_now() {
    let mut account = account();
    account["max_position_usd"] = json!("500");
    let mut world = World::new(1, &[account], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "12");
    assert_eq!(world.running(), [(pos("5"), 0)], "six, and the cap is five");
    slices(&mut world, 4, "0.5");
    world.leader_fill(0, "SOL", "B", "125", "2");
    world.pass(3_000);
    assert_eq!(world.running(), [(pos("2"), 0)], "two are there, and the cap is four now");
    world.assert_replay();
}

#[test]
fn a_newer_target_is_a_twap_of_all_that_is_missing_then() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 5, "0.6");
    world.leader_fill(0, "SOL", "B", "100", "8");
    world.pass(3_000);
    assert_eq!(world.running(), [(pos("7"), 0)], "ten less the three that are there");
    slices(&mut world, 10, "0.7");
    world.pass(5_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("10"));
    world.assert_receipts(2, 1);
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn a_part_of_an_exit_lets_a_smaller_twap_follow() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.pass(3_000);
    assert_eq!(world.running(), [(pos("2.8"), 0)], "four less the 1.2 that are there");
    world.assert_replay();
}

#[test]
fn less_than_a_hundred_dollars_waits_for_more() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "1.8");
    assert!(world.sent.is_empty());
    assert_eq!(world.outcomes(), [(Outcome::Carried, "below_minimum")]);
    world.pass(400_000);
    world.leader_fill(0, "SOL", "B", "100", "0.4");
    assert_eq!(world.running(), [(pos("1.1"), 0)], "both together");
    world.assert_replay();
}

#[test]
fn one_whose_answer_is_lost_is_found_and_goes_on() {
    let mut world = world();
    world.reply = Reply::Lost;
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.reply = Reply::Fill;
    world.slice("0.6");
    world.pass(10_000);
    assert_eq!(world.twaps.len(), 1, "not started twice: {:?}", kinds(&world));
    world.pass(30_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("0.6"));
    slices(&mut world, 9, "0.6");
    world.pass(5_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("6"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn one_begun_while_the_clock_was_ahead_is_found_and_no_former_one_is_taken_for_it() {
    for had_former in [false, true] {
        let mut world = world();
        if had_former {
            world.leader_fill(0, "SOL", "B", "100", "12");
            slices(&mut world, 1, "0.6");
            world.leader_fill(0, "SOL", "A", "100", "12");
            world.pass(5_000);
            assert_eq!(world.position(0, "SOL"), 0);
        }
        world.reply = Reply::Lost;
        world.leader_fill(0, "SOL", "B", "100", "12");
        world.reply = Reply::Fill;
        // By the venue's clock all of them were placed that much earlier.
        world.twaps.iter_mut().for_each(|twap| twap.placed_ms -= 20_000);
        world.slice("0.6");
        world.pass(45_000);
        let began = world.twaps.len();
        assert_eq!((began, world.running().len()), (1 + usize::from(had_former), 1), "{:?}", kinds(&world));
        assert_eq!(world.engine_position(0, "SOL"), pos("0.6"));
        world.leader_fill(0, "SOL", "A", "100", "12");
        world.pass(5_000);
        assert_eq!((world.position(0, "SOL"), world.running().len()), (0, 0));
        world.assert_replay();
    }
}

#[test]
fn one_reading_tells_of_all_twaps_of_an_account() {
    let mut world = world();
    for coin in ["SOL", "ETH", "BTC"] {
        world.leader_fill(0, coin, "B", "100", "12");
    }
    world.pass(1_000);
    assert_eq!(world.running().len(), 3);
    let before = world.asked("twapHistory").len();
    world.restart_on(&[(1, hlfast_core::event::SourceKind::Lane), (2, hlfast_core::event::SourceKind::User)]);
    world.settle();
    world.pass(2_000);
    assert_eq!((world.status()["twaps"].as_u64(), world.twaps.len()), (Some(3), 3), "all of them are gone on with");
    let readings = world.asked("twapHistory").len() - before;
    assert_eq!(readings, 1, "for three TWAPs");
    world.assert_replay();
}

#[test]
fn a_fate_that_nobody_can_read_is_asked_for_ever_more_rarely() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.answer_reads = false;
    let before = world.asked("twapHistory").len();
    let mut known = before;
    let row = world.leader_trades(0, "SOL", "A", "100", "12");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    for _ in 0..60 {
        world.settle();
        let tokens = world.asked("twapHistory");
        for token in &tokens[known..] {
            world.step(OwnedEvent::Info(*token, 502, Vec::new()));
        }
        known = tokens.len();
        world.pass(1_000);
    }
    // At 120 weight each; once a second they would be six times what a minute has.
    let readings = known - before;
    assert!((5..=9).contains(&readings), "{readings} readings in a minute");
    world.assert_replay();
}

#[test]
fn one_that_never_arrived_is_proven_dead_and_started_again() {
    let mut world = world();
    world.reply = Reply::Silence;
    world.leader_fill(0, "SOL", "B", "100", "12");
    assert!(world.twaps.is_empty());
    world.pass(2_100);
    world.reply = Reply::Fill;
    world.pass(8_000);
    assert_eq!(world.running(), [(pos("6"), 0)]);
    world.assert_replay();
}

#[test]
fn an_exit_while_its_start_is_unknown_ends_it_once_it_is_found() {
    let mut world = world();
    world.reply = Reply::Lost;
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.slice("0.6");
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "100", "12");
    world.pass(20_000);
    assert!(world.running().is_empty());
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn a_new_process_goes_on_with_it() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    world.restart_on(&[(1, hlfast_core::event::SourceKind::Lane), (2, hlfast_core::event::SourceKind::User)]);
    world.slice("0.6");
    world.settle();
    world.pass(40_000);
    assert_eq!((world.twaps.len(), world.engine_position(0, "SOL")), (1, pos("1.8")));
    world.leader_fill(0, "ETH", "B", "100", "4");
    assert_eq!(world.twaps.len(), 2, "nothing of it holds back other openings");
    slices(&mut world, 8, "0.6");
    world.pass(5_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("6"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn one_that_ended_while_nothing_ran_is_known_in_full() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    world.slice("3");
    world.end_twaps("finished");
    world.now += 600_000;
    world.restart();
    world.pass(5_000);
    assert_eq!(world.engine_position(0, "SOL"), pos("4.2"));
    let last = world.twap_slices.last().unwrap();
    assert_eq!((last.twap_id, last.time_ms, last.size.raw()), (Some(77), None, pos("3")), "told as a sum");
    assert_eq!(world.outcomes(), [(Outcome::PartlyFilled, "twap_ended")]);
    assert_eq!(world.twaps.len(), 1, "what it left is given back");
    world.leader_fill(0, "SOL", "A", "100", "6");
    assert_eq!(world.position(0, "SOL"), pos("2.1"), "half of what is held");
    world.assert_replay();
}

#[test]
fn one_that_somebody_ends_is_noticed_and_not_begun_again() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    world.end_twaps("terminated");
    world.pass(400_000);
    assert_eq!((world.twaps.len(), world.engine_position(0, "SOL")), (1, pos("1.2")));
    assert_eq!(world.outcomes(), [(Outcome::PartlyFilled, "twap_ended")]);
    world.assert_replay();
}

#[test]
fn one_that_the_venue_refuses_ends_its_receipt() {
    let mut world = world();
    world.reply = Reply::Text("Insufficient margin to place order.");
    world.leader_fill(0, "SOL", "B", "100", "12");
    world.reply = Reply::Fill;
    world.pass(10_000);
    assert_eq!(world.outcomes(), [(Outcome::Rejected, "margin")]);
    assert!(world.twaps.is_empty());
    world.assert_replay();
}

#[test]
fn a_cancel_that_is_lost_is_sent_again() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    let row = world.leader_trades(0, "SOL", "A", "100", "12");
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
    world.queue.retain(|sent| sent.action["type"] != "twapCancel");
    world.settle();
    world.pass(20_000);
    assert!(world.running().is_empty());
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn the_kill_switch_ends_it() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 2, "0.6");
    world.operate(json!({"do": "kill"}));
    world.pass(10_000);
    assert!(world.running().is_empty());
    assert_eq!((world.twaps.len(), world.position(0, "SOL")), (1, pos("1.2")));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn its_position_is_protected_as_it_grows() {
    let mut account = account();
    account["disaster_stop_bps"] = json!(1_000);
    let mut world = World::new(1, &[account], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 3, "0.6");
    world.pass(10_000);
    let sizes: Vec<i64> = world.open_stops(0).iter().map(|(_, size, _)| *size).collect();
    assert_eq!(sizes, [-pos("1.8")]);
    world.hit_stops("SOL");
    world.pass(700_000);
    assert!(world.running().is_empty(), "what a stop closed is not bought on");
    world.assert_replay();
}

#[test]
fn a_flip_closes_first_and_then_begins_on_the_other_side() {
    let mut world = world();
    world.leader_fill(0, "SOL", "B", "100", "12");
    slices(&mut world, 10, "0.6");
    world.pass(5_000);
    world.leader_fill(0, "SOL", "A", "100", "24");
    world.pass(3_000);
    assert_eq!(world.position(0, "SOL"), 0);
    assert_eq!(world.running(), [(pos("6"), 0)]);
    assert!(!world.twaps[1].is_buy);
    slices(&mut world, 10, "0.6");
    world.pass(5_000);
    assert_eq!(world.engine_position(0, "SOL"), -pos("6"));
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn many_coins_have_a_twap_each() {
    let mut world = world();
    let rows: Vec<Value> =
        ["BTC", "ETH", "SOL"].map(|coin| world.leader_trades(0, coin, "B", "100", "4")).into_iter().collect();
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &rows, false)));
    world.settle();
    assert_eq!(world.running(), [(pos("2"), 0); 3]);
    world.assert_replay();
}

#[test]
fn what_the_venues_action_has_no_place_for_is_refused_by_name() {
    let base = || venue::config_json(1, &[account()], &[follow(0, 0, json!({}))], "off");
    assert!(Config::from_json(base().to_string().as_bytes()).is_ok());
    for (at, value, setting) in [
        ("/followers/0/execution/seconds", json!(299), "followers[0].execution.seconds"),
        ("/followers/0/execution/seconds", json!(330), "followers[0].execution.seconds"),
        ("/followers/0/execution/slices", json!(5), "followers[0].execution.slices"),
        ("/followers/0/execution/max_slippage_bps", json!(50), "followers[0].execution.max_slippage_bps"),
        ("/followers/0/max_order_usd", json!("100"), "followers[0].max_order_usd"),
        ("/followers/0/max_priority_bps", json!(2), "followers[0].max_priority_bps"),
        ("/follows/0/markets", json!("spot"), "follows[0].markets"),
    ] {
        let mut settings = base();
        let (parent, key) = at.rsplit_once('/').unwrap();
        settings.pointer_mut(parent).unwrap()[key] = value;
        let error = Config::from_json(settings.to_string().as_bytes()).expect_err(at);
        assert_eq!(error.setting, setting, "{error}");
    }
}

/// What may happen beside a TWAP, drawn at random.
#[derive(Debug, Clone, Copy)]
enum Act {
    Buys(u32),
    Sells(u32),
    Leaves,
    Slices(u32),
    Waits(u64),
    Restarts,
    EndedByHand,
    KilledAndRevived,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1u32..80).prop_map(Act::Buys),
        3 => (1u32..80).prop_map(Act::Sells),
        1 => Just(Act::Leaves),
        6 => (1u32..40).prop_map(Act::Slices),
        4 => (1u64..60).prop_map(Act::Waits),
        1 => Just(Act::Restarts),
        1 => Just(Act::EndedByHand),
        1 => Just(Act::KilledAndRevived),
    ]
}

impl Act {
    /// `way`: how the venue answers what it leads to. True: the leader traded.
    fn happen(self, world: &mut World, way: usize) -> bool {
        let held = world.leader_positions.values().next().copied().unwrap_or(0);
        let traded = match self {
            Act::Buys(tenths) => Some(i64::from(tenths) * pos("0.1")),
            Act::Sells(tenths) => Some(-i64::from(tenths) * pos("0.1")),
            Act::Leaves => Some(-held).filter(|size| *size != 0),
            Act::Slices(tenths) => {
                world.slice(&format!("{:.1}", f64::from(tenths) / 10.0));
                None
            }
            Act::Waits(seconds) => {
                world.pass_coarsely(seconds * 1_000);
                None
            }
            Act::Restarts => {
                world.restart();
                None
            }
            Act::EndedByHand => {
                world.end_twaps("terminated");
                None
            }
            Act::KilledAndRevived => {
                world.operate(json!({"do": "kill"}));
                world.pass_coarsely(2_000);
                world.operate(json!({"do": "resume", "kill": true}));
                None
            }
        };
        if let Some(size) = traded {
            let side = if size > 0 { "B" } else { "A" };
            let size = hlfast_core::num::Pos::from_raw(size.abs()).to_string();
            let row = world.leader_trades(0, "SOL", side, "100", &size);
            world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
        }
        world.answer_by(way);
        traded.is_some()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_the_engine_holds_what_the_venue_does_and_each_fill_has_its_receipt(
        acts in prop::collection::vec((act(), 0usize..12), 1..24)
    ) {
        let mut world = world();
        let mut fills = 0;
        for (act, way) in acts {
            // Two in three answers come as usual; a TWAP has no part of a fill.
            let way = if (1..=3).contains(&way) { way } else { 4 };
            fills += usize::from(act.happen(&mut world, way));
        }
        for _ in 0..14 {
            world.pass_coarsely(30_000);
            world.slice("9");
        }
        world.pass_coarsely(700_000);
        let own = world.engine_position(0, "SOL");
        prop_assert_eq!(own, world.position(0, "SOL"));
        prop_assert!(world.running().is_empty(), "nothing runs on: {:?}", world.running());
        let status = world.status();
        prop_assert_eq!((&status["in_flight"], &status["twaps"], &status["unresolved"]), (&json!(0), &json!(0), &json!(0)));
        let target = pos(status["followers"][0]["positions"]["SOL"]["target"].as_str().unwrap_or("0"));
        prop_assert!((target - own).abs() < pos("1.02"), "{} for {}", own, target);
        prop_assert!(own == 0 || target == 0 || (own > 0) == (target > 0));
        prop_assert!(own.abs() <= target.abs() + pos("0.12"), "never more than the target: {} for {}", own, target);
        let written: i64 = world.twap_slices.iter().map(|slice| slice.size.raw()).sum();
        prop_assert_eq!(written, world.twaps.iter().map(|twap| twap.executed).sum::<i64>(), "each slice is written down");
        world.assert_receipts(fills, 1);
        world.assert_replay();
    }
}
