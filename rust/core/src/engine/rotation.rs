//! Who goes first: the price of an event rises with each follower's order, so everybody has each place equally often.
use std::collections::BTreeSet;

/// The edge at a place of an event, `turns` events after the first; `None` behind the last.
pub(super) fn in_turn(follows: &[u32], turns: u64, place: usize) -> Option<u32> {
    if place >= follows.len() {
        return None;
    }
    let count = follows.len() as u64;
    let at = (turns % count).saturating_add(place as u64) % count;
    follows.get(usize::try_from(at).ok()?).copied()
}

/// Everybody once, from the one after `first` on.
pub(super) fn after(waiting: &BTreeSet<u32>, first: u32) -> Vec<u32> {
    let later = waiting.range(first.saturating_add(1)..);
    let earlier = waiting.range(..=first);
    later.chain(earlier).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_has_each_place_once_in_as_many_events_as_there_are_edges() {
        let follows = [4, 7, 9];
        let event = |turns| (0..3).map(|place| in_turn(&follows, turns, place).unwrap()).collect::<Vec<_>>();
        assert_eq!([event(0), event(1), event(2)], [[4, 7, 9], [7, 9, 4], [9, 4, 7]]);
        assert_eq!(event(3), event(0));
        assert_eq!(event(u64::MAX), event(u64::MAX % 3));
        assert_eq!((in_turn(&follows, 1, 3), in_turn(&[], 1, 0)), (None, None));
    }

    #[test]
    fn whoever_was_first_goes_to_the_end() {
        let waiting = BTreeSet::from([1, 3, 5]);
        assert_eq!([after(&waiting, 0), after(&waiting, 3), after(&waiting, 4)], [[1, 3, 5], [5, 1, 3], [5, 1, 3]]);
        assert_eq!(after(&waiting, u32::MAX), [1, 3, 5]);
        assert!(after(&BTreeSet::new(), 2).is_empty());
    }
}
