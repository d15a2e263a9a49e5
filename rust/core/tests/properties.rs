//! Random histories, as many as fit into a test; `examples/histories.rs` runs as many as one asks for.

mod histories;
mod venue;

use histories::{Terms, act, act_or_worth, run};
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
