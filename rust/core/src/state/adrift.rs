//! Where an account may be since its stop was hit: what the stop found is not known before the next read.
use super::State;
use crate::commands::CoinId;

impl State {
    /// The account may differ from what is believed by `below` (never positive) to `above` (never negative) more, in 10^-8.
    pub fn widen_adrift(&mut self, follower: u32, coin: CoinId, [below, above]: [i64; 2]) {
        let stop = self.follower_mut(follower).and_then(|state| state.stops.get_mut(&coin));
        let Some(stop) = stop else { return };
        stop.adrift_above = stop.adrift_above.saturating_add(above);
        if below != 0 {
            let end = self.adrift_below.entry((follower, coin)).or_default();
            *end = end.saturating_add(below);
        }
    }

    /// The next read of the account is to tell what a stop closed.
    #[must_use]
    pub fn is_adrift(&self, follower: u32, coin: CoinId) -> bool {
        let stop = self.follower(follower).and_then(|state| state.stops.get(&coin));
        stop.is_some_and(|stop| stop.adrift_above != 0) || self.adrift_below.contains_key(&(follower, coin))
    }

    /// Both ends of where it may be, in 10^-8 beside what is believed; from now on it is there.
    pub fn take_adrift(&mut self, follower: u32, coin: CoinId) -> [i64; 2] {
        let stop = self.follower_mut(follower).and_then(|state| state.stops.get_mut(&coin));
        let above = stop.map_or(0, |stop| std::mem::take(&mut stop.adrift_above));
        [self.adrift_below.remove(&(follower, coin)).unwrap_or_default(), above]
    }

    /// Older snapshots have one end, of either sign, where the upper one stands now.
    pub fn split_adrift(&mut self) {
        for (follower, state) in (0..).zip(&mut self.followers) {
            let lower = state.stops.iter_mut().filter(|(_, stop)| stop.adrift_above < 0);
            let lower = lower.map(|(coin, stop)| ((follower, *coin), std::mem::take(&mut stop.adrift_above)));
            self.adrift_below.extend(lower);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_former_snapshot_are_kept() {
        let mut state = State::new(1, 2, 1, 1);
        for (follower, coin, end) in [(0, 3, -5), (0, 4, 7), (1, 3, 0)] {
            state.follower_mut(follower).unwrap().stops.entry(coin).or_default().adrift_above = end;
        }
        state.split_adrift();
        assert!(state.is_adrift(0, 3) && state.is_adrift(0, 4) && !state.is_adrift(1, 3));
        state.widen_adrift(0, 3, [-1, 2]);
        assert_eq!(
            [(0, 3), (0, 4), (1, 3)].map(|(follower, coin)| state.take_adrift(follower, coin)),
            [[-6, 2], [0, 7], [0, 0]]
        );
        assert!(!state.is_adrift(0, 3) && state.adrift_below.is_empty());
    }
}
