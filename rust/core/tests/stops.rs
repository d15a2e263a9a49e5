//! Insurance against a dead engine: one reduce-only stop per copied position rests at the venue, and nothing waits for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_wrap, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, World, account_address, follow, pos, px};
use hlfast_core::commands::{AttemptKind, Level};
use hlfast_core::event::SourceKind;
use proptest::prelude::*;
use serde_json::{Value, json};

fn insured() -> Value {
    json!({"disaster_stop_bps": 1_000})
}

fn one() -> World {
    World::new(1, &[insured()], &[follow(0, 0, json!({}))])
}

/// Long 5 SOL from 100, with its stop.
fn with_a_stop() -> World {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(2_000);
    assert_eq!(world.open_stops(0), [sol("-5", "90")]);
    world
}

fn sol(size: &str, trigger: &str) -> (String, i64, i64) {
    ("SOL".into(), pos(size), px(trigger))
}

fn is_of_a_stop(kind: AttemptKind) -> bool {
    matches!(kind, AttemptKind::Stop | AttemptKind::Cancel)
}

fn kinds(world: &World) -> Vec<AttemptKind> {
    world.sent.iter().map(|sent| sent.attempt.kind).filter(|kind| is_of_a_stop(*kind)).collect()
}

fn alerts(world: &World, code: &str) -> usize {
    world.alerts.iter().filter(|alert| alert.code == code).count()
}

/// Time passes without the venue.
fn silence(world: &mut World, ms: u64) {
    let end = world.now + ms;
    while world.now < end {
        world.now += 20;
        world.step(OwnedEvent::Tick);
    }
}

#[test]
fn it_follows_its_position_and_goes_with_it() {
    let mut world = with_a_stop();
    // The position shrinks and grows; the price from which the stop is measured stays that of its opening.
    world.leader_fill(0, "SOL", "A", "104", "4");
    world.pass(8_000);
    assert_eq!(world.open_stops(0), [sol("-3", "90")]);
    world.leader_fill(0, "SOL", "B", "120", "8");
    world.pass(8_000);
    assert_eq!(world.open_stops(0), [sol("-7", "90")]);
    use AttemptKind::{Cancel, Stop};
    assert_eq!(kinds(&world), [Stop, Stop, Cancel, Stop, Cancel], "the new one rests before the old one goes");
    // The other side is another position.
    world.leader_fill(0, "SOL", "A", "130", "20");
    world.pass(8_000);
    assert_eq!(world.open_stops(0), [sol("3", "143")]);
    world.leader_fill(0, "SOL", "B", "130", "6");
    world.pass(2_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0), "flat: none");
    assert_eq!(alerts(&world, "disaster_stop_filled"), 0);
    world.assert_receipts(5, 1);
    world.assert_replay();
}

#[test]
fn without_the_setting_nothing_is_sent() {
    let mut world = World::new(1, &[json!({}), insured()], &[follow(0, 0, json!({})), follow(0, 1, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(8_000);
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.pass(700_000);
    let of = |follower: u32| world.sent.iter().filter(move |sent| sent.attempt.follower == follower);
    assert_eq!(of(0).filter(|sent| is_of_a_stop(sent.attempt.kind)).count(), 0);
    assert_eq!(of(1).filter(|sent| is_of_a_stop(sent.attempt.kind)).count(), 3, "the other follower has its own");
    world.assert_replay();
}

#[test]
fn a_position_that_changes_all_the_time_has_its_stop_replaced_at_a_bounded_pace() {
    let mut world = one();
    for turn in 0..40 {
        world.leader_fill(0, "SOL", if turn % 3 == 2 { "A" } else { "B" }, "100", "2");
        world.pass(300);
        assert!(world.open_stops(0).len() <= 2);
    }
    let placed = kinds(&world).iter().filter(|kind| **kind == AttemptKind::Stop).count();
    assert!((2..=4).contains(&placed), "{placed} in 12 s");
    world.pass(8_000);
    let own = world.position(0, "SOL");
    assert_eq!(world.open_stops(0), [("SOL".into(), -own, px("90"))]);
    world.assert_replay();
}

#[test]
fn a_stop_that_was_hit_while_the_engine_was_dead_is_reconciled_and_not_opened_again() {
    let mut world = with_a_stop();
    world.now += 60_000;
    world.hit_stops("SOL");
    assert_eq!(world.position(0, "SOL"), 0);
    world.restart();
    world.pass(40_000);
    assert_eq!(world.position(0, "SOL"), 0, "what the stop closed stays closed");
    let named: Vec<_> = world.alerts.iter().filter(|alert| alert.code == "disaster_stop_filled").collect();
    assert!(matches!(named[..], [alert] if alert.level == Level::Critical && alert.follower == Some(0)), "{named:?}");
    // The leader goes on: its new part is copied, with a stop of its own price.
    world.leader_fill(0, "SOL", "B", "80", "4");
    world.pass(8_000);
    assert_eq!(world.position(0, "SOL"), pos("2"));
    assert_eq!(world.open_stops(0), [sol("-2", "72")]);
    world.assert_replay();
}

#[test]
fn a_stop_that_was_hit_beside_a_living_engine_is_no_other_case() {
    let mut world = with_a_stop();
    world.hit_stops("SOL");
    // Before it is noticed the leader moves both ways.
    world.leader_fill(0, "SOL", "A", "90", "4");
    world.pass(40_000);
    assert_eq!((world.position(0, "SOL"), alerts(&world, "disaster_stop_filled")), (0, 1));
    assert!(world.open_stops(0).is_empty());
    world.leader_fill(0, "SOL", "A", "90", "6");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn what_a_stop_closed_is_not_taken_for_somebody_elses_part() {
    for dead in [false, true] {
        let mut world = with_a_stop();
        world.positions.insert((account_address(0), "SOL".into()), pos("8"));
        world.pass(40_000);
        assert_eq!(world.open_stops(0), [sol("-5", "90")], "the manual part has none");
        world.hit_stops("SOL");
        if dead {
            world.restart();
        }
        world.pass(40_000);
        world.leader_fill(0, "SOL", "A", "90", "10");
        world.pass(8_000);
        assert_eq!(world.position(0, "SOL"), pos("3"), "dead: {dead}");
        assert_eq!(alerts(&world, "disaster_stop_filled"), 1);
        world.assert_replay();
    }
}

#[test]
fn a_stop_of_which_the_book_left_a_part_was_hit_all_the_same() {
    let mut world = with_a_stop();
    world.hit_stops_in("SOL", pos("4.9"));
    world.restart();
    world.pass(60_000);
    assert_eq!((world.position(0, "SOL"), alerts(&world, "disaster_stop_filled")), (0, 1), "the rest goes too");
    assert_eq!((alerts(&world, "position_drift"), world.open_stops(0).len()), (0, 0));
    world.leader_fill(0, "SOL", "B", "80", "4");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0)), (pos("2"), vec![sol("-2", "72")]));
    world.assert_replay();
}

#[test]
fn a_flip_into_a_thin_book_is_not_opened_twice_where_a_stop_had_closed_a_part() {
    let mut world = with_a_stop();
    world.hit_stops_in("SOL", pos("4.9"));
    // The close finds what the stop left; of the opening the book takes less than was to be closed.
    world.reply = Reply::Part(0.37);
    world.leader_fill(0, "SOL", "A", "90", "36");
    assert_eq!(world.position(0, "SOL"), pos("-4.81"));
    world.reply = Reply::Fill;
    world.pass(60_000);
    assert_eq!((world.position(0, "SOL"), alerts(&world, "position_drift")), (pos("-13"), 0));
    let orders = world.sent.iter().flat_map(|sent| &sent.orders);
    let opened: Vec<i64> = orders.filter(|order| !order.reduce_only && !order.is_buy).map(|order| order.size).collect();
    assert_eq!(opened, [pos("13"), pos("8.19")], "nothing is opened that is there already");
    world.assert_replay();
}

#[test]
fn an_order_to_the_other_side_after_an_unseen_hit_is_no_manual_position() {
    let mut world = with_a_stop();
    world.hit_stops("SOL");
    world.leader_fill(0, "SOL", "A", "90", "16");
    assert_eq!(world.position(0, "SOL"), pos("-3"), "the close finds nothing, the opening goes");
    world.pass(60_000);
    // What was opened is what the leader's new side is worth, and has a stop of its own.
    assert_eq!((world.position(0, "SOL"), world.open_stops(0)), (pos("-3"), vec![sol("3", "99")]));
    assert_eq!((alerts(&world, "position_drift"), alerts(&world, "disaster_stop_filled")), (0, 1));
    world.leader_fill(0, "SOL", "B", "90", "6");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn a_stop_larger_than_its_position_that_was_hit_unseen_before_a_flip_leaves_nothing_behind() {
    let mut world = with_a_stop();
    // The position shrinks, and before its stop does, that is hit.
    world.leader_fill(0, "SOL", "A", "100", "4");
    assert_eq!((world.position(0, "SOL"), world.open_stops(0)), (pos("3"), vec![sol("-5", "90")]));
    world.hit_stops("SOL");
    assert_eq!(world.position(0, "SOL"), 0, "the venue cuts it to what there is");
    world.leader_fill(0, "SOL", "A", "90", "8");
    assert_eq!(world.position(0, "SOL"), pos("-1"));
    world.pass(60_000);
    assert_eq!((world.position(0, "SOL"), alerts(&world, "position_drift")), (pos("-1"), 0));
    world.leader_fill(0, "SOL", "B", "90", "2");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn a_stop_smaller_than_its_position_that_was_hit_unseen_before_a_flip_opens_nothing_twice() {
    let mut world = with_a_stop();
    // The position grows, and before its stop does, that is hit.
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!((world.position(0, "SOL"), world.open_stops(0)), (pos("6"), vec![sol("-5", "90")]));
    world.hit_stops("SOL");
    assert_eq!(world.position(0, "SOL"), pos("1"));
    // The close finds less than it was to close, and the opening behind it goes: there was no more.
    world.leader_fill(0, "SOL", "A", "90", "18");
    assert_eq!(world.position(0, "SOL"), pos("-3"));
    world.pass(60_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0)), (pos("-3"), vec![sol("3", "99")]));
    assert_eq!((alerts(&world, "position_drift"), alerts(&world, "disaster_stop_filled")), (0, 1));
    world.leader_fill(0, "SOL", "B", "90", "6");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn a_flip_after_an_unseen_hit_whose_answer_is_lost_opens_nothing_twice() {
    let mut world = World::new(2, &[insured()], &[follow(0, 0, json!({})), follow(1, 0, json!({}))]);
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.leader_fill(1, "SOL", "B", "100", "14");
    world.pass(8_000);
    assert_eq!(world.position(0, "SOL"), pos("5"), "7 and -2");
    world.hit_stops("SOL");
    world.reply = Reply::Lost;
    world.leader_fill(1, "SOL", "A", "90", "16");
    assert_eq!(world.position(0, "SOL"), pos("-3"), "the close finds nothing, the opening goes");
    world.reply = Reply::Fill;
    for _ in 0..60 {
        world.pass(1_000);
        assert!(world.position(0, "SOL") >= pos("-3"));
    }
    // Once all is known the entry is too old, and what it opened is closed again; the other leader's part stays.
    assert_eq!(world.position(0, "SOL"), pos("-2"));
    assert_eq!((alerts(&world, "position_drift"), alerts(&world, "disaster_stop_filled")), (0, 1));
    world.assert_replay();
}

#[test]
fn what_was_bought_after_an_unseen_hit_of_a_larger_stop_is_no_manual_position() {
    let mut world = with_a_stop();
    // The position shrinks, and before its stop does, that is hit: 3 of 5.
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.hit_stops("SOL");
    assert_eq!(world.position(0, "SOL"), 0);
    world.leader_fill(0, "SOL", "B", "100", "6");
    assert_eq!(world.position(0, "SOL"), pos("3"));
    world.pass(60_000);
    // The stop is counted whole, 5 of the 6 that were believed; the rest of what was bought goes.
    assert_eq!((world.position(0, "SOL"), alerts(&world, "disaster_stop_filled")), (pos("1"), 1));
    assert_eq!(alerts(&world, "position_drift"), 0);
    world.leader_fill(0, "SOL", "A", "100", "12");
    world.pass(8_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn what_was_bought_after_an_unseen_hit_that_found_little_is_no_manual_position() {
    let mut world = with_a_stop();
    // The position shrinks, and before its stop does, that is hit: 1 of 5.
    world.leader_fill(0, "SOL", "A", "100", "8");
    world.hit_stops("SOL");
    world.leader_fill(0, "SOL", "B", "100", "4");
    assert_eq!(world.position(0, "SOL"), pos("2"));
    world.pass(60_000);
    // Of the 3 that were believed the stop could have closed all; it closed 1, and what was bought goes.
    assert_eq!((world.position(0, "SOL"), alerts(&world, "disaster_stop_filled")), (0, 1));
    assert_eq!((alerts(&world, "position_drift"), world.open_stops(0).len()), (0, 0));
    world.assert_replay();
}

#[test]
fn beside_a_manual_part_the_old_one_goes_first() {
    let mut world = with_a_stop();
    world.positions.insert((account_address(0), "SOL".into()), pos("8"));
    world.pass(40_000);
    world.leader_fill(0, "SOL", "A", "100", "4");
    world.pass(8_000);
    assert_eq!(world.open_stops(0), [sol("-3", "90")]);
    assert_eq!(kinds(&world), [AttemptKind::Stop, AttemptKind::Cancel, AttemptKind::Stop]);
    world.assert_replay();
}

#[test]
fn a_lost_answer_to_a_placing_is_looked_up() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Lost;
    world.pass(6_000);
    world.reply = Reply::Fill;
    world.pass(8_000);
    assert_eq!((world.open_stops(0), kinds(&world).len()), (vec![sol("-5", "90")], 1));
    world.leader_fill(0, "SOL", "A", "100", "10");
    world.pass(2_000);
    assert!(world.open_stops(0).is_empty(), "known again: it can be cancelled");
    world.assert_replay();
}

#[test]
fn a_placing_that_never_arrived_is_made_good() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Silence;
    world.pass(6_000);
    world.reply = Reply::Fill;
    world.pass(20_000);
    assert_eq!((world.open_stops(0), kinds(&world).len()), (vec![sol("-5", "90")], 2));
    assert_eq!(alerts(&world, "outcome_unknown"), 0, "no order's outcome was unknown");
    world.assert_replay();
}

#[test]
fn a_lost_answer_to_a_cancel_is_looked_up() {
    for lost in [Reply::Lost, Reply::Silence] {
        let mut world = with_a_stop();
        world.leader_fill(0, "SOL", "A", "100", "10");
        world.reply = lost;
        world.pass(6_000);
        world.reply = Reply::Fill;
        world.pass(20_000);
        assert!(world.open_stops(0).is_empty());
        assert!(kinds(&world).len() <= 3, "{:?}", kinds(&world));
        world.assert_replay();
    }
}

#[test]
fn a_stop_on_a_lane_that_died_is_looked_up() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    silence(&mut world, 1_000);
    assert_eq!(world.queue.len(), 1, "the stop is on its way");
    world.step(OwnedEvent::Down(1));
    world.queue.clear();
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.pass(20_000);
    assert_eq!((world.open_stops(0), kinds(&world).len()), (vec![sol("-5", "90")], 2));
    world.assert_replay();
}

#[test]
fn what_was_on_its_way_at_a_restart_is_looked_up() {
    for arrived in [true, false] {
        let mut world = one();
        world.leader_fill(0, "SOL", "B", "100", "10");
        silence(&mut world, 1_000);
        let stop = world.queue.remove(0);
        if arrived {
            world.reply = Reply::Lost;
            world.serve(stop);
            world.reply = Reply::Fill;
        }
        world.restart();
        world.pass(20_000);
        assert_eq!(world.open_stops(0), [sol("-5", "90")]);
        assert_eq!(kinds(&world).len(), if arrived { 1 } else { 2 });
        world.assert_replay();
    }
}

#[test]
fn a_stop_of_a_position_that_somebody_closed_is_cancelled() {
    let mut world = with_a_stop();
    world.positions.clear();
    world.restart();
    world.pass(8_000);
    assert!(world.open_stops(0).is_empty());
    assert_eq!((world.position(0, "SOL"), alerts(&world, "disaster_stop_filled")), (0, 0));
    world.assert_replay();
}

#[test]
fn a_stop_that_somebody_cancelled_is_placed_again() {
    let mut world = with_a_stop();
    world.stops[0].word = "canceled";
    world.pass(620_000);
    assert_eq!(world.open_stops(0), [sol("-5", "90")]);
    world.assert_replay();
}

#[test]
fn a_refused_stop_is_named_once_and_tried_ever_more_rarely() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    for refusal in [Reply::Text("Invalid TP/SL price."), Reply::Refuse("The moon is in the wrong house.")] {
        world.reply = refusal;
        world.pass(150_000);
    }
    assert_eq!(alerts(&world, "disaster_stop_refused"), 1);
    assert!(kinds(&world).len() <= 8, "{}", kinds(&world).len());
    world.reply = Reply::Fill;
    world.pass(1_300_000);
    assert_eq!(world.open_stops(0), [sol("-5", "90")]);
    world.assert_replay();
}

#[test]
fn a_refused_cancel_is_tried_ever_more_rarely() {
    let mut world = with_a_stop();
    world.leader_fill(0, "SOL", "A", "100", "10");
    world.reply = Reply::Refuse("Action already expired");
    world.pass(60_000);
    assert!((2..=4).contains(&(kinds(&world).len() - 1)), "{:?}", kinds(&world));
    world.reply = Reply::Fill;
    world.pass(120_000);
    assert!(world.open_stops(0).is_empty());
    world.assert_replay();
}

#[test]
fn an_exit_waits_for_no_stop() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    silence(&mut world, 1_000);
    assert_eq!(world.queue.remove(0).attempt.kind, AttemptKind::Stop);
    for (wait, size) in [(0, "2"), (4_000, "8")] {
        silence(&mut world, wait);
        world.pending_info.clear();
        let row = world.leader_trades(0, "SOL", "A", "100", size);
        world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
        let exit = world.queue.remove(0);
        assert_eq!(exit.attempt.kind, AttemptKind::Reduce, "at once, with a stop on its way or unknown");
        world.serve(exit);
    }
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn an_exit_does_not_wait_because_a_stop_was_told_to() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.reply = Reply::Text("Trading is halted.");
    world.pass(1_000);
    assert_eq!((kinds(&world), alerts(&world, "disaster_stop_refused")), (vec![AttemptKind::Stop], 1));
    world.reply = Reply::Fill;
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0, "at once");
    world.assert_replay();
}

#[test]
fn it_takes_only_what_the_budget_has_to_spare() {
    let mut world = World::cold(1, &[insured()], &[follow(0, 0, json!({"max_age_ms": 600_000}))], "venue");
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    // What entries and reads still get is more than a stop may have.
    while world.engine.reserve_weight(200, world.now) {
        world.spent.push((world.now, 200, 0));
    }
    world.pass(20_000);
    assert!(kinds(&world).is_empty());
    world.leader_fill(0, "ETH", "B", "100", "10");
    assert_eq!(world.position(0, "ETH"), pos("5"), "the entry goes");
    world.pass(63_000);
    assert_eq!(world.open_stops(0).len(), 2, "and the stops when there is room");
    world.assert_budget();
    world.assert_replay();
}

#[test]
fn the_last_requests_of_an_account_are_no_stops() {
    let mut world = World::cold(1, &[insured()], &[follow(0, 0, json!({}))], "venue");
    world.requests_left = 103;
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(2_000);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.pass(10_000);
    assert_eq!(
        (world.position(0, "SOL"), world.open_stops(0)),
        (pos("10"), vec![sol("-5", "90")]),
        "none to replace it"
    );
    world.leader_fill(0, "SOL", "A", "100", "20");
    world.pass(2_000);
    assert_eq!((world.position(0, "SOL"), world.open_stops(0).len()), (0, 0), "taking back goes, like the exit");
    world.assert_replay();
}

#[test]
fn an_account_is_not_flooded_when_many_positions_open_at_once() {
    let followers = 30;
    let follows: Vec<Value> = (0..followers).map(|at| follow(0, at, json!({}))).collect();
    let mut world = World::cold(1, &vec![insured(); followers], &follows, "venue");
    world.boot(1);
    world.leader_fill(0, "SOL", "B", "100", "10");
    silence(&mut world, 3_000);
    assert_eq!(kinds(&world).len(), 8, "most of the venue's room for posts stays with orders");
    world.pass(30_000);
    assert!((0..followers).all(|at| world.open_stops(at) == [sol("-5", "90")]));
    world.assert_budget();
    world.assert_replay();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_position_ends_with_its_one_stop(
        acts in proptest::collection::vec((any::<bool>(), 1i64..9, 0u8..6, 20u64..4_000, 0u8..12), 1..14)
    ) {
        let mut world = one();
        for (buys, size, reply, wait, event) in acts {
            world.reply = match reply {
                0 => Reply::Lost,
                1 => Reply::Silence,
                2 => Reply::Refuse("Nobody has said this before"),
                _ => Reply::Fill,
            };
            world.leader_fill(0, "SOL", if buys { "B" } else { "A" }, "100", &(2 * size).to_string());
            world.pass(wait);
            match event {
                0 => world.restart(),
                // Around a hit all is known and the leader rests; what happens when not has tests of its own.
                1 => {
                    world.reply = Reply::Fill;
                    world.pass(15_000);
                    world.hit_stops("SOL");
                    world.pass(40_000);
                }
                _ => {}
            }
        }
        world.reply = Reply::Fill;
        world.pass(120_000);
        let own = world.position(0, "SOL");
        let wanted: Vec<i64> = if own == 0 { vec![] } else { vec![-own] };
        let sizes: Vec<i64> = world.open_stops(0).into_iter().map(|(_, size, _)| size).collect();
        prop_assert_eq!(sizes, wanted);
        world.assert_replay();
    }
}
