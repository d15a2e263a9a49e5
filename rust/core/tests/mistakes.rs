//! Mistakes that systems of this kind make, and that no other test is named for. `tests/mistakes.toml` has all of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use crate::venue::{OwnedEvent, World, account_address, follow, pos};
use hlfast_core::event::SourceKind;
use serde_json::json;

#[test]
fn mistake_one_key_signing_for_all_followers() {
    let follows = [0, 1, 2].map(|at| follow(0, at, json!({})));
    let mut world = World::new(1, &[json!({}), json!({}), json!({})], &follows);
    world.leader_fill(0, "SOL", "B", "100", "10");
    let signers: Vec<_> = world.sent.iter().map(|sent| (sent.attempt.follower, sent.attempt.signer)).collect();
    assert_eq!(signers, [(0, 0), (1, 1), (2, 2)], "each account's own key");
}

#[test]
fn mistake_the_vault_address_missing_from_the_signed_hash() {
    // The small venue hashes what each attempt says of itself and compares.
    let mut world =
        World::new(1, &[json!({"vault": true}), json!({})], &[follow(0, 0, json!({})), follow(0, 1, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    let vaults: Vec<_> = world.sent.iter().map(|sent| sent.attempt.vault).collect();
    let [Some(vault), None] = vaults[..] else { panic!("{vaults:?}") };
    let text: String = vault.0.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(format!("0x{text}"), account_address(0));
}

#[test]
fn mistake_100_formatted_as_1() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({"ratio": "1", "entry_band_bps": 100}))]);
    world.leader_fill(0, "SOL", "B", "990.1", "100");
    let order = &world.sent[0].action["orders"][0];
    assert_eq!((&order["s"], &order["p"]), (&json!("100"), &json!("1000")));
}

#[test]
fn mistake_the_leaders_price_used_as_an_exact_limit() {
    let mut world = World::new(1, &[json!({})], &[follow(0, 0, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.leader_fill(0, "ETH", "A", "100", "10");
    let limits: Vec<_> = world.sent.iter().map(|sent| sent.orders[0].price).collect();
    assert_eq!(limits, [pos("100.3"), pos("99.7")], "30 bps beyond it, on the order's own side");
}

#[test]
fn mistake_followers_forgotten_at_restart() {
    let mut world = World::new(1, &[json!({}), json!({})], &[follow(0, 0, json!({})), follow(0, 1, json!({}))]);
    world.leader_fill(0, "SOL", "B", "100", "10");
    world.step(OwnedEvent::Reopen);
    world.step(OwnedEvent::Up(1, SourceKind::Lane));
    world.step(OwnedEvent::Start);
    world.settle();
    world.leader_fill(0, "SOL", "A", "100", "5");
    assert_eq!([0, 1].map(|follower| world.position(follower, "SOL")), [pos("2.5"); 2]);
    world.leader_fill(0, "SOL", "B", "100", "1");
    assert_eq!([0, 1].map(|follower| world.position(follower, "SOL")), [pos("3"); 2]);
    world.assert_replay();
}
