//! Rule 28: an order without a proven outcome is never replaced, and never stands in the way of an exit that is safe whatever
//! became of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{OwnedEvent, Reply, Sent, World, account_address, follow, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use serde_json::{Value, json};

const OUTAGE: &str = "Internal error.";

fn one(extra: Value) -> World {
    World::new(1, &[json!({})], &[follow(0, 0, extra)])
}

/// The leader trades; what the engine sends waits at the venue.
fn leader_trades(world: &mut World, side: &str, size: &str) {
    let row = world.leader_trades(0, "SOL", side, "100", size);
    world.step(OwnedEvent::Frame(2, World::fills_frame(0, &[row], false)));
}

/// Time passes without the venue: no answers, no reads.
fn silence(world: &mut World, ms: u64) -> Vec<Sent> {
    let end = world.now + ms;
    while world.now < end {
        world.now += 20;
        world.step(OwnedEvent::Tick);
    }
    std::mem::take(&mut world.queue)
}

fn orders(sent: &[Sent]) -> Vec<&Sent> {
    sent.iter().filter(|sent| sent.attempt.kind != AttemptKind::Fence).collect()
}

/// Long 5, and an opening of 5 more that the venue has said nothing about.
fn with_an_unknown_opening() -> (World, Sent) {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    leader_trades(&mut world, "B", "10");
    let unknown = world.queue.remove(0);
    assert!(orders(&silence(&mut world, 3_000)).is_empty(), "nothing replaces what is unknown");
    (world, unknown)
}

#[test]
fn an_exit_passes_an_unknown_opening_and_the_rest_follows_when_it_turns_out_executed() {
    let (mut world, unknown) = with_an_unknown_opening();
    leader_trades(&mut world, "A", "20");
    let exit = world.queue.remove(0);
    let order = &exit.orders[0];
    assert!(order.reduce_only && !order.is_buy && order.size == pos("5"), "what is held for certain: {order:?}");
    world.serve(exit);
    assert_eq!(world.position(0, "SOL"), 0);
    // It had been executed all the time: its part is closed as soon as that is known.
    world.serve(unknown);
    world.settle();
    world.pass(1_000);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn an_exit_passes_an_unknown_opening_that_is_then_fenced() {
    let (mut world, _lost) = with_an_unknown_opening();
    leader_trades(&mut world, "A", "10");
    assert!(world.queue.is_empty(), "half of twenty is what is held: nothing is certain to be too much");
    leader_trades(&mut world, "A", "6");
    let exit = world.queue.remove(0);
    assert_eq!(exit.orders[0].size, pos("3"), "down to two");
    world.serve(exit);
    world.pass(8_000);
    assert_eq!(world.position(0, "SOL"), pos("1"), "a fifth of five: the other five never were");
    world.assert_receipts(4, 1);
    world.assert_replay();
}

#[test]
fn nothing_is_sold_twice_beside_an_unknown_exit() {
    let mut world = one(json!({}));
    world.leader_fill(0, "SOL", "B", "100", "10");
    // Somebody else holds as much: a second exit would sell that.
    world.positions.insert((account_address(0), "SOL".into()), pos("10"));
    leader_trades(&mut world, "A", "4");
    let first = world.queue.remove(0);
    assert_eq!(first.orders[0].size, pos("2"));
    silence(&mut world, 2_500);
    leader_trades(&mut world, "A", "6");
    let second = world.queue.remove(0);
    assert_eq!(second.orders[0].size, pos("3"), "what the first leaves, and not a lot more");
    silence(&mut world, 2_500);
    world.serve(second);
    world.serve(first);
    world.settle();
    world.pass(10_000);
    assert_eq!(world.position(0, "SOL"), pos("5"), "the part that is not ours");
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn an_exit_passes_what_a_former_process_left_unknown() {
    let (mut world, unknown) = with_an_unknown_opening();
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, hlfast_core::event::SourceKind::Lane));
    world.step(OwnedEvent::Start);
    while let Some((token, answer)) = world.pending_info.pop() {
        world.step(OwnedEvent::Info(token, 200, answer.to_string().into_bytes()));
    }
    world.queue.clear();
    leader_trades(&mut world, "A", "20");
    let exit = world.queue.remove(0);
    assert!(exit.orders[0].reduce_only && exit.orders[0].size == pos("5"));
    world.serve(exit);
    world.serve(unknown);
    world.pass(8_000);
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn waiting_for_an_outcome_writes_nothing_down() {
    let (mut world, _lost) = with_an_unknown_opening();
    leader_trades(&mut world, "A", "10");
    let before = world.steps.len();
    silence(&mut world, 60_000);
    let written = world.steps.len() - before;
    assert!(written < 60, "{written} records in a minute of silence");
}

#[test]
fn a_refusal_in_unknown_words_is_fenced_and_not_tried_again() {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    world.reply = Reply::Refuse(OUTAGE);
    let sent = world.queue.remove(0);
    world.serve(sent);
    assert!(world.alerts.iter().any(|alert| alert.code == "unknown_text"));
    assert!(world.receipts.is_empty(), "nothing is proven yet");
    world.reply = Reply::Fill;
    world.settle();
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Rejected, "unknown_text"));
    world.pass(5_000);
    assert_eq!(orders(&world.sent).len(), 1);
    world.assert_replay();
}

#[test]
fn an_error_answer_to_an_order_that_executed_all_the_same_is_found_out() {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    let sent = world.queue.remove(0);
    let post = sent.attempt.post_id;
    let late = sent.clone();
    let error = json!({"channel": "post", "data": {"id": post, "response": {"type": "action",
        "payload": {"status": "err", "response": OUTAGE}}}});
    world.step(OwnedEvent::Frame(1, error.to_string().into_bytes()));
    let fence = world.queue.remove(0);
    assert_eq!(fence.attempt.kind, AttemptKind::Fence);
    world.serve(late);
    world.serve(fence);
    world.pass(8_000);
    assert_eq!(world.position(0, "SOL"), pos("5"));
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
    world.leader_fill(0, "SOL", "A", "100", "10");
    assert_eq!(world.position(0, "SOL"), 0, "and it is closed with the leader");
    world.assert_replay();
}

/// An opening of 5 was executed, its answer is lost, and its fence found the nonce used: the venue is asked for it.
fn with_a_lookup() -> World {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    world.reply = Reply::Lost;
    let sent = world.queue.remove(0);
    world.serve(sent);
    let fence = silence(&mut world, 2_100).remove(0);
    world.reply = Reply::Fill;
    world.serve(fence);
    world
}

#[test]
fn a_lookup_whose_answer_comes_late_and_says_nothing_is_made_again() {
    let mut world = with_a_lookup();
    silence(&mut world, 1_500);
    let (token, _) = world.pending_info.pop().unwrap();
    assert!(world.pending_info.is_empty(), "one question at a time");
    world.step(OwnedEvent::Info(token, 200, json!({"status": "unknownOid"}).to_string().into_bytes()));
    world.pass(10_000);
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
    world.assert_replay();
}

#[test]
fn an_answer_that_was_on_its_way_for_long_is_no_proof_that_an_order_never_was() {
    let mut world = with_a_lookup();
    for on_its_way_ms in [0, 8_000] {
        silence(&mut world, 1_500);
        let (token, _) = world.pending_info.pop().unwrap();
        silence(&mut world, on_its_way_ms);
        world.step(OwnedEvent::Info(token, 200, json!({"status": "unknownOid"}).to_string().into_bytes()));
        assert!(world.outcomes().is_empty(), "the venue's index was behind when it was asked");
    }
    world.pass(10_000);
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

/// A world with a second lane; what is sent waits at the venue.
fn with_two_lanes() -> World {
    let mut world = one(json!({}));
    world.step(OwnedEvent::Up(4, hlfast_core::event::SourceKind::Lane));
    world
}

#[test]
fn what_a_lost_lane_carried_goes_out_once_more_over_the_other_and_executes_once() {
    for executed_before_the_loss in [false, true] {
        let mut world = with_two_lanes();
        leader_trades(&mut world, "B", "10");
        let first = world.queue.remove(0);
        if executed_before_the_loss {
            world.reply = Reply::Lost;
            world.serve(first.clone());
            world.reply = Reply::Fill;
        }
        world.step(OwnedEvent::Down(first.attempt.lane));
        let again = world.queue.remove(0);
        assert_eq!(again.attempt.kind, AttemptKind::Resend);
        assert_eq!(again.attempt.digest, first.attempt.digest);
        world.serve(again);
        world.settle();
        world.pass(1_000);
        assert_eq!(world.position(0, "SOL"), pos("5"));
        assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
        world.assert_receipts(1, 1);
        world.assert_replay();
    }
}

#[test]
fn a_late_refusal_of_one_copy_says_nothing_of_the_other() {
    let mut world = with_two_lanes();
    leader_trades(&mut world, "B", "10");
    let first = world.queue.remove(0);
    world.step(OwnedEvent::Down(first.attempt.lane));
    let again = world.queue.remove(0);
    world.reply = Reply::Lost;
    world.serve(again);
    let refusal = json!({"channel": "post", "data": {"id": first.attempt.post_id, "response": {"type": "action",
        "payload": {"status": "err", "response": "Action already expired"}}}});
    world.step(OwnedEvent::Frame(1, refusal.to_string().into_bytes()));
    assert!(world.receipts.is_empty());
    world.reply = Reply::Fill;
    world.pass(6_000);
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn an_opening_without_an_answer_is_too_near_its_end_to_be_sent_again() {
    let mut world = with_two_lanes();
    leader_trades(&mut world, "B", "10");
    world.queue.clear();
    let sent = silence(&mut world, 2_100);
    assert!(matches!(sent[..], [Sent { ref attempt, .. }] if attempt.kind == AttemptKind::Fence), "{sent:?}");
}

#[test]
fn an_order_beside_a_fence_of_the_same_tick_is_signed_over_its_own_bytes() {
    let patient = json!({"max_age_ms": 60_000});
    let mut world = World::new(1, &[json!({}), json!({})], &[follow(0, 0, patient.clone()), follow(0, 1, patient)]);
    leader_trades(&mut world, "B", "10");
    assert_eq!(world.queue.len(), 2);
    let missed = world.queue.remove(1);
    world.queue.clear();
    assert!(silence(&mut world, 1_000).is_empty());
    world.reply = Reply::Text("Order could not immediately match against any resting orders.");
    world.serve(missed);
    let sent = silence(&mut world, 1_000);
    let kinds: Vec<AttemptKind> = sent.iter().map(|sent| sent.attempt.kind).collect();
    assert_eq!(kinds, [AttemptKind::Fence, AttemptKind::Open], "each action's digest is checked where it is sent");
}

#[test]
fn lookups_leave_no_rhythm_of_reads_behind() {
    let mut world = one(json!({}));
    for round in 0..12 {
        world.reply = Reply::Lost;
        world.leader_fill(0, "SOL", if round % 2 == 0 { "B" } else { "A" }, "100", "10");
        world.reply = Reply::Fill;
        world.pass(9_000);
    }
    world.pass(60_000);
    let since = world.now - 60_000;
    let reads = world.spent.iter().filter(|(at, _, messages)| *at > since && *messages == 0).count();
    assert!(reads <= 16, "{reads} reads in a quiet minute: two accounts every 30 s, and ten looks at the leader");
}

#[test]
fn a_follower_stopped_while_its_order_is_unknown_still_gets_its_receipt() {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    world.queue.clear();
    let fence = silence(&mut world, 2_100).remove(0);
    world.step(OwnedEvent::StopSigner(0));
    world.serve(fence);
    world.pass(10_000);
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Blocked, "signer_stopped"));
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn a_nonce_that_somebody_else_used_stops_its_follower() {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    let sent = world.queue.remove(0);
    world.used.insert((sent.attempt.signer, sent.attempt.nonce));
    world.serve(sent);
    world.pass(8_000);
    assert!(world.alerts.iter().any(|alert| alert.code == "nonce_taken"));
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Blocked, "signer_stopped"));
    world.pass(20_000);
    assert_eq!(orders(&world.sent).len(), 1, "nothing is planned again: it might be there already");
    world.assert_receipts(1, 1);
    world.assert_replay();
}

#[test]
fn a_nonce_that_the_same_order_used_is_no_reason_to_stop() {
    let mut world = one(json!({}));
    leader_trades(&mut world, "B", "10");
    let sent = world.queue.remove(0);
    world.reply = Reply::Lost;
    world.serve(sent.clone());
    world.reply = Reply::Fill;
    // The other engine's copy of the same decision was faster.
    world.serve(sent);
    world.pass(8_000);
    assert!(world.alerts.iter().all(|alert| alert.code != "nonce_taken"));
    assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
    assert_eq!(world.position(0, "SOL"), pos("5"));
    world.assert_replay();
}

#[test]
fn an_error_of_the_server_to_an_order_that_executed_all_the_same_is_found_out() {
    for (status, body) in [(502, "<html>502 Bad Gateway</html>"), (0, "")] {
        let mut world = one(json!({}));
        leader_trades(&mut world, "B", "10");
        world.reply = Reply::Lost;
        let sent = world.queue.remove(0);
        let post = sent.attempt.post_id;
        world.serve(sent);
        world.reply = Reply::Fill;
        world.step(OwnedEvent::Http(post, status, body.as_bytes().to_vec()));
        world.pass(8_000);
        assert_eq!(world.position(0, "SOL"), pos("5"));
        assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
        world.leader_fill(0, "SOL", "A", "100", "10");
        assert_eq!(world.position(0, "SOL"), 0, "and it is closed with the leader");
        world.assert_replay();
    }
}
