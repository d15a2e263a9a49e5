//! Rule 15: what somebody else trades on the account is his, blocks entries unless allowed, and holds no exit back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use crate::venue::{World, account_address, follow, pos};
use hlfast_core::commands::{AttemptKind, Outcome};
use serde_json::{Value, json};

fn world(account: Value) -> World {
    World::new(1, &[account], &[follow(0, 0, json!({}))])
}

/// Somebody trades by hand, and two reads of the account see it.
fn by_hand(world: &mut World, coin: &str, size: &str) {
    *world.positions.entry((account_address(0), coin.to_owned())).or_default() += pos(size);
    world.pass(32_000);
}

#[test]
fn rule_15_entries_go_beside_another_part_where_that_is_allowed_and_leave_it_alone() {
    let mut world = world(json!({"manual": "allow"}));
    by_hand(&mut world, "ETH", "3");
    world.leader_fill(0, "ETH", "B", "3200", "2");
    assert_eq!(world.position(0, "ETH"), pos("4"));
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(world.position(0, "ETH"), pos("3.5"));
    world.leader_fill(0, "ETH", "A", "3200", "1");
    assert_eq!(world.position(0, "ETH"), pos("3"), "his part stays");
    assert!(world.sent[1..].iter().all(|sent| sent.orders[0].reduce_only), "there is enough of it");
    assert_eq!(world.outcomes(), [(Outcome::Filled, "none"); 3]);
    world.assert_replay();
}

#[test]
fn rule_15_an_exit_passes_where_the_account_is_on_the_other_side() {
    for (setting, entries) in [("allow", 2), ("block", 1)] {
        let mut world = world(json!({"manual": setting}));
        world.leader_fill(0, "ETH", "B", "3200", "2");
        by_hand(&mut world, "ETH", "-3");
        assert_eq!(world.position(0, "ETH"), pos("-2"));
        world.leader_fill(0, "ETH", "B", "3200", "2");
        let opened = world.sent.iter().filter(|sent| sent.attempt.kind == AttemptKind::Open).count();
        assert_eq!(opened, entries, "{setting}");
        world.leader_fill(0, "ETH", "A", "3200", "4");
        let exit = world.sent.last().unwrap();
        assert_eq!((exit.attempt.kind, exit.orders[0].reduce_only), (AttemptKind::Reduce, false), "{setting}");
        assert_eq!(world.position(0, "ETH"), pos("-3"), "his part stays");
        assert_eq!(*world.outcomes().last().unwrap(), (Outcome::Filled, "none"));
        world.assert_replay();
    }
}

#[test]
fn what_somebody_closed_of_a_capped_position_is_not_opened_again() {
    let mut world = world(json!({"max_position_usd": "300"}));
    world.leader_fill(0, "SOL", "B", "100", "20");
    assert_eq!(world.position(0, "SOL"), pos("3"), "10 are copied, the account's cap allows 3");
    by_hand(&mut world, "SOL", "-2");
    world.pass(60_000);
    // Of the leader's 10 a third is left, 3.33, and the cap would allow it.
    assert_eq!(world.position(0, "SOL"), pos("1"));
    world.leader_fill(0, "SOL", "A", "100", "5");
    world.pass(8_000);
    assert!(world.position(0, "SOL") <= pos("1"), "an exit opens nothing");
    world.leader_fill(0, "SOL", "A", "100", "15");
    assert_eq!(world.position(0, "SOL"), 0);
    world.assert_replay();
}

#[test]
fn rule_15_a_flip_beside_another_part_closes_and_opens_in_its_own_sizes() {
    let mut world = world(json!({"manual": "allow"}));
    by_hand(&mut world, "SOL", "-7");
    world.leader_fill(0, "SOL", "B", "100", "10");
    assert_eq!(world.position(0, "SOL"), pos("-2"));
    world.leader_fill(0, "SOL", "A", "100", "30");
    assert_eq!(world.position(0, "SOL"), pos("-17"), "ten short of its own");
    let orders = &world.sent.last().unwrap().orders;
    assert_eq!((orders.len(), orders[0].size, orders[1].size), (2, pos("5"), pos("10")));
    world.leader_fill(0, "SOL", "B", "100", "20");
    assert_eq!(world.position(0, "SOL"), pos("-7"));
    world.assert_receipts(3, 1);
    world.assert_replay();
}

#[test]
fn rule_15_the_part_is_known_over_a_restart() {
    let mut world = world(json!({"manual": "allow"}));
    by_hand(&mut world, "ETH", "3");
    world.leader_fill(0, "ETH", "B", "3200", "2");
    world.restart();
    world.leader_fill(0, "ETH", "A", "3200", "2");
    assert_eq!(world.position(0, "ETH"), pos("3"));
    world.assert_replay();
}

#[test]
fn what_somebody_else_closed_is_not_opened_again() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.positions.insert((account_address(0), "SOL".into()), 0);
    world.pass(35_000);
    assert!(world.alerts.iter().any(|alert| alert.code == "position_drift"));
    world.leader_fill(0, "SOL", "B", "100", "2");
    assert_eq!(world.position(0, "SOL"), pos("1"), "only the new part");
    world.assert_replay();
}
