//! Random histories, as many as fit into a test; `examples/histories.rs` runs as many as one asks for.

use crate::histories::{Act, Terms, act, act_or_worth, run};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_complete_capped_and_replayable(acts in proptest::collection::vec(act(), 1..25)) {
        run(&acts, Terms::Plain);
    }

    #[test]
    fn the_same_within_the_venues_limits(acts in proptest::collection::vec(act(), 1..12)) {
        run(&acts, Terms::VenueLimits);
    }

    #[test]
    fn the_same_in_portions(acts in proptest::collection::vec(act(), 1..20)) {
        run(&acts, Terms::Portions);
        run(&acts, Terms::PortionsTurned);
    }

    #[test]
    fn the_same_where_open_positions_take_their_ratio_anew(acts in proptest::collection::vec(act_or_worth(), 1..25)) {
        run(&acts, Terms::Rebalanced);
    }
}

/// A cap holds one leader's part back; another leader's larger part makes room, and is gone before anything of it was sent.
#[test]
fn what_a_cap_held_back_goes_when_the_part_that_made_room_is_gone() {
    let trade = |leader, coin, lots| Act::Trade { leader, coin, lots, again: false, tape_first: false };
    let acts = [(1, 1, 27), (0, 2, 4), (0, 1, 34), (1, 0, -35), (0, 1, -13), (0, 0, -11), (0, 0, 11)]
        .map(|(l, c, n)| trade(l, c, n));
    run(&acts, Terms::PortionsTurned);
}
