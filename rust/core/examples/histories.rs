//! Runs random histories until so many random events have happened in them, and counts those that break an invariant: what
//! `bench/proofs.py` records. Arguments: how many events, how many at most in a history, the seed.
#![allow(clippy::unwrap_used, reason = "bench code")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use histories::{Terms, act, act_or_worth, run};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

#[path = "../tests/histories/mod.rs"]
mod histories;
#[path = "../tests/venue/mod.rs"]
mod venue;

const TERMS: [Terms; 5] = [Terms::Plain, Terms::VenueLimits, Terms::Portions, Terms::PortionsTurned, Terms::Rebalanced];

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().unwrap());
    let wanted = arguments.next().unwrap_or(10_000);
    let longest = usize::try_from(arguments.next().unwrap_or(24)).unwrap();
    let seed = arguments.next().unwrap_or(1);
    let (mut runner, started) = (runner(seed), Instant::now());
    let histories = proptest::collection::vec(act(), 1..=longest);
    let with_money = proptest::collection::vec(act_or_worth(), 1..=longest);
    let (mut events, mut ran, mut violations) = (0u64, 0u64, 0u64);
    for terms in TERMS.into_iter().cycle() {
        if events >= wanted {
            break;
        }
        let acts = match terms {
            Terms::Rebalanced => with_money.new_tree(&mut runner).unwrap().current(),
            _ => histories.new_tree(&mut runner).unwrap().current(),
        };
        events += acts.len() as u64;
        ran += 1;
        if catch_unwind(AssertUnwindSafe(|| run(&acts, terms))).is_err() {
            violations += 1;
            eprintln!("history {ran} of seed {seed}, {terms:?}: {acts:?}");
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", json!({"events": events, "histories": ran, "violations": violations, "seconds": seconds}));
}
