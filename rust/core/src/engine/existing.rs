//! Positions that a leader held before copying began (rule 7): marked once for each edge, and adopted when the follower can.
use super::Engine;
use crate::commands::CoinId;
use crate::config_check::Existing;
use crate::state::{Change, Fanout};

impl Engine {
    /// Per edge: what to do with a position that was there before (rule 7). Stored, so that a restart decides no other way.
    pub(super) fn mark_existing(&mut self, leader: u32, coin: CoinId, mark: i64, entry_price: i64) {
        for follow in self.follows_of_leader.get(leader as usize).cloned().unwrap_or_default() {
            self.mark_follow(follow, coin, mark, entry_price);
        }
    }

    pub(super) fn mark_follow(&mut self, follow: u32, coin: CoinId, mark: i64, entry_price: i64) {
        let Some(edge) = self.config.follows.get(follow as usize).filter(|edge| !edge.removed) else { return };
        let adopts = match edge.existing {
            Existing::Ignore => false,
            Existing::Adopt => true,
            Existing::AdoptWithin(bps) => {
                let distance = i128::from(mark.abs_diff(entry_price)) * 10_000;
                entry_price > 0 && mark > 0 && distance <= i128::from(entry_price) * i128::from(bps)
            }
        };
        let mut held = self.state.held(follow, coin);
        held.adopting = adopts;
        held.ignoring = !adopts;
        self.state.set_held(follow, coin, held);
    }

    /// Positions from before that are to be adopted: an event without fills.
    pub(super) fn push_adoptions(&mut self, leader: u32, now_ms: u64) {
        let follows = self.follows_of_leader.get(leader as usize).cloned().unwrap_or_default();
        let adopting = |coin: &CoinId| follows.iter().any(|follow| self.state.held(*follow, *coin).adopting);
        let Some(state) = self.state.leaders.get(leader as usize) else { return };
        let coins: Vec<(CoinId, i64)> = state
            .coins
            .iter()
            .filter(|(coin, _)| adopting(coin))
            .map(|(coin, entry)| (*coin, entry.position))
            .collect();
        let changes: Vec<Change> =
            coins.into_iter().map(|(coin, position)| self.silent_change(coin, position, position, now_ms)).collect();
        if !changes.is_empty() {
            self.state.fanouts.push_back(Fanout { leader, changes, next: 0 });
        }
    }

    /// A follower became ready: what its leaders held before is adopted now.
    pub(super) fn adopt_for(&mut self, follower: u32, now_ms: u64) {
        let follows = self.follows_of_follower.get(follower as usize).into_iter().flatten();
        let edges = follows
            .filter(|follow| self.state.held.get(**follow as usize).is_some_and(|c| c.values().any(|h| h.adopting)));
        let mut leaders: Vec<u32> =
            edges.filter_map(|follow| self.config.follows.get(*follow as usize)).map(|edge| edge.leader).collect();
        leaders.dedup();
        for leader in leaders {
            self.push_adoptions(leader, now_ms);
        }
    }
}
