//! Feeds that are open and say nothing, and what is asked for when connections come back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, World, account_address, follow, leader_address, pos};
use hlfast_core::event::SourceKind;
use serde_json::{Value, json};

const FIRST: u32 = 2;
const TAPE: u32 = 3;
const SECOND: u32 = 4;

fn one() -> World {
    World::new(1, &[json!({})], &[follow(0, 0, json!({}))])
}

/// Two connections, both of which have shown that they carry the leader.
fn with_two_feeds() -> World {
    let mut world = one();
    world.step(OwnedEvent::Up(SECOND, SourceKind::User));
    for source in [FIRST, SECOND] {
        world.step(OwnedEvent::Frame(source, World::fills_frame(0, &[], true)));
    }
    world.now += 1_000;
    world
}

fn bring(world: &mut World, source: u32, row: &Value) {
    world.step(OwnedEvent::Frame(source, World::fills_frame(0, std::slice::from_ref(row), false)));
    world.settle();
}

fn tape_frame(row: &Value) -> Vec<u8> {
    let mut trade = row.clone();
    trade["users"] = json!([leader_address(0), account_address(77)]);
    if row["side"] == "A" {
        trade["users"].as_array_mut().unwrap().reverse();
    }
    trade.as_object_mut().unwrap().remove("startPosition");
    json!({"channel": "trades", "data": [trade]}).to_string().into_bytes()
}

fn alerts(world: &World, code: &str) -> usize {
    world.alerts.iter().filter(|alert| alert.code == code).count()
}

#[test]
fn a_feed_that_keeps_back_what_another_brought_is_dialled_again() {
    let mut world = with_two_feeds();
    let row = world.leader_trades(0, "ETH", "B", "3000", "2");
    bring(&mut world, FIRST, &row);
    world.pass(900);
    assert!(world.dropped.is_empty(), "it may still come");
    world.pass(200);
    assert_eq!(world.dropped, [(SECOND, 0)]);
    world.pass(10_000);
    assert_eq!(world.dropped.len(), 1, "once for one fill");
    world.assert_replay();
}

#[test]
fn a_feed_that_brings_it_a_little_later_is_left_alone() {
    let mut world = with_two_feeds();
    for _ in 0..5 {
        let row = world.leader_trades(0, "ETH", "B", "3000", "2");
        bring(&mut world, FIRST, &row);
        world.pass(600);
        bring(&mut world, SECOND, &row);
        world.pass(1_000);
    }
    assert!(world.dropped.is_empty());
    assert_eq!(world.sent.len(), 5, "copied once each");
}

#[test]
fn a_feed_that_never_showed_that_it_carries_the_leader_owes_nothing() {
    let mut world = one();
    world.step(OwnedEvent::Up(SECOND, SourceKind::User));
    world.now += 1_000;
    world.leader_fill(0, "ETH", "B", "3000", "2");
    world.pass(5_000);
    assert!(world.dropped.is_empty(), "the venue may have refused it there");
}

#[test]
fn what_the_tape_brought_every_own_channel_owes() {
    let mut world = with_two_feeds();
    let row = world.leader_trades(0, "ETH", "B", "3000", "2");
    world.step(OwnedEvent::Frame(TAPE, tape_frame(&row)));
    world.settle();
    assert_eq!(world.position(0, "ETH"), pos("1"));
    bring(&mut world, SECOND, &row);
    world.pass(1_100);
    assert_eq!(world.dropped, [(FIRST, 0)]);
}

#[test]
fn a_feed_that_is_dialled_in_vain_is_given_up_to_a_minute() {
    let mut world = with_two_feeds();
    for _ in 0..240 {
        // On the tape, and never on the leader's own channel.
        let row = world.leader_trades(0, "ETH", "B", "3000", "0.001");
        world.step(OwnedEvent::Frame(TAPE, tape_frame(&row)));
        world.settle();
        let before = world.dropped.len();
        world.pass(1_000);
        if world.dropped.len() > before {
            world.step(OwnedEvent::Down(FIRST));
            world.step(OwnedEvent::Up(FIRST, SourceKind::User));
            world.step(OwnedEvent::Frame(FIRST, World::fills_frame(0, &[], true)));
        }
    }
    let drops = world.dropped.iter().filter(|(source, _)| *source == FIRST).count();
    assert!((6..=9).contains(&drops), "{drops} in four minutes");
}

#[test]
fn a_quiet_leader_is_looked_at_and_what_no_feed_brought_is_read() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.pass(3_000);
    let _kept_back = world.leader_trades(0, "SOL", "A", "150", "4");
    world.pass(7_500);
    assert_eq!(alerts(&world, "fills_missed"), 1, "a fifth of reconcile_ms, and a second look");
    world.pass(1_000);
    assert_eq!(world.position(0, "SOL"), pos("3"), "the exit went through all the same");
    world.assert_replay();
}

#[test]
fn looking_at_a_quiet_leader_writes_nothing_down() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.pass(1_000);
    let (steps, spent) = (world.steps.len(), world.spent.len());
    world.pass(20_000);
    assert_eq!(world.steps.len(), steps);
    assert_eq!(world.spent.len(), spent + 3, "looked at every 6 s");
}

#[test]
fn a_tape_that_was_away_moves_no_ledger_that_may_miss_something() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "10");
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.now += 1_000;
    for source in [FIRST, TAPE] {
        world.step(OwnedEvent::Down(source));
    }
    let _missed = world.leader_trades(0, "SOL", "B", "150", "10");
    world.now += 1_000;
    world.step(OwnedEvent::Up(TAPE, SourceKind::Tape));
    world.now += 10;
    let exit = world.leader_trades(0, "SOL", "A", "150", "10");
    world.step(OwnedEvent::Frame(TAPE, tape_frame(&exit)));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("5"), "half of it is not all of it");
    // A read says where the leader stands, and the tape goes on from there.
    world.pass(12_000);
    world.now += 10;
    let exit = world.leader_trades(0, "SOL", "A", "150", "5");
    world.step(OwnedEvent::Frame(TAPE, tape_frame(&exit)));
    world.settle();
    assert_eq!(world.position(0, "SOL"), pos("2.5"), "half of what is held");
    world.assert_replay();
}

#[test]
fn a_tape_that_was_away_goes_on_as_soon_as_the_leaders_own_channel_spoke() {
    let mut world = one();
    world.now += 1_000;
    world.step(OwnedEvent::Down(TAPE));
    world.step(OwnedEvent::Up(TAPE, SourceKind::Tape));
    world.snapshot(0, &[]);
    world.now += 10;
    let row = world.leader_trades(0, "ETH", "B", "3000", "2");
    world.step(OwnedEvent::Frame(TAPE, tape_frame(&row)));
    world.settle();
    assert_eq!(world.position(0, "ETH"), pos("1"));
    world.assert_replay();
}

#[test]
fn accounts_are_read_at_once_when_the_first_lane_is_back() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "10");
    world.pass(2_000);
    world.step(OwnedEvent::Down(1));
    world.positions.insert((account_address(0), "SOL".into()), 0);
    world.now += 200;
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.pass(1_500);
    assert_eq!(alerts(&world, "position_drift"), 1, "somebody closed it meanwhile");
    world.assert_replay();
}

#[test]
fn fills_that_can_not_be_read_any_more_are_named_and_the_account_is_believed() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "10");
    // The chain's next fill is beyond the venue's memory: what a read brings begins behind it.
    let _gone = world.leader_trades(0, "SOL", "A", "150", "4");
    world.now += 10;
    let kept = world.leader_trades(0, "SOL", "A", "150", "1");
    world.history = Some(vec![kept]);
    world.pass(9_000);
    assert_eq!(alerts(&world, "fills_missed"), 1);
    assert_eq!(alerts(&world, "fills_unrecoverable"), 1);
    assert_eq!(world.position(0, "SOL"), pos("2.5"), "the exits went through, whatever is known of them");
    world.assert_receipts(2, 1);
    world.assert_replay();
}

#[test]
fn what_a_reading_brings_from_behind_the_ledger_is_no_part_of_its_news() {
    let mut world = one();
    world.leader_fill(0, "SOL", "B", "150", "20");
    assert_eq!(world.position(0, "SOL"), pos("10"));
    let mut rows = vec![world.fill_row("ETH", "B", "3000", "1", "0")];
    bring(&mut world, FIRST, &rows[0].clone());
    for size in ["5", "5", "2"] {
        world.now += 10;
        rows.push(world.leader_trades(0, "SOL", "A", "150", size));
    }
    // The feed brings the second alone; the reading that answers the gap brings the first, and the third, which is news.
    world.history = Some(rows.clone());
    bring(&mut world, FIRST, &rows[2]);
    assert_eq!(world.position(0, "SOL"), pos("4"), "half of 20, half of 15, half of 10 and then of 8");
    world.pass(3_000);
    assert_eq!(world.position(0, "SOL"), pos("4"));
    assert_eq!(alerts(&world, "fills_unrecoverable"), 0);
    world.assert_receipts(5, 1);
    world.assert_replay();
}
