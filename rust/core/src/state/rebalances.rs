//! Open positions whose ratio is taken anew: how far the look at them is, and who waits.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::commands::CoinId;

/// All of it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Rebalances {
    /// When the newest round of looks began; 0: none has.
    pub round_ms: u64,
    /// When the round before it did.
    pub before_ms: u64,
    /// The edge that the round comes to next; `None`: it is over.
    pub next: Option<u32>,
    /// Parts whose time has come, and that could not take their ratio yet.
    pub due: BTreeSet<(u32, CoinId)>,
    /// What parts are measured by whose ratio is not made of equities alone.
    pub measures: BTreeMap<(u32, CoinId), Measure>,
}

/// What an edge's settings gave of a coin when its ratio was fixed, or at the first look after: mode `risk` gives a size, and the
/// ratio of that size to what the leader holds later says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// The ratio that was fixed: another one is another position's.
    pub ratio: i64,
    /// The leader's position that all looks take.
    pub position: i64,
    /// The ratio to that position which the settings gave.
    pub share: i64,
}

impl Rebalances {
    /// All edges are looked at, from the first one on. A round that was not over yet counts as not begun.
    pub fn begin(&mut self, now_ms: u64) {
        if self.next.is_none() {
            self.before_ms = self.round_ms;
        }
        self.round_ms = now_ms;
        self.next = Some(0);
    }

    /// Forgets an edge's positions that ended.
    pub fn keep(&mut self, follow: u32, is_open: impl Fn(CoinId) -> bool) {
        let all = (follow, 0)..=(follow, CoinId::MAX);
        let ended = |keys: Vec<(u32, CoinId)>| keys.into_iter().filter(|(_, coin)| !is_open(*coin)).collect::<Vec<_>>();
        for key in ended(self.due.range(all.clone()).copied().collect()) {
            self.due.remove(&key);
        }
        for key in ended(self.measures.range(all).map(|(key, _)| *key).collect()) {
            self.measures.remove(&key);
        }
    }
}
