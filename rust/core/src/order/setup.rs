//! How an account borrows for a coin, and how far setting that is.
use serde::{Deserialize, Serialize};

use crate::event::LaneId;
use crate::market::Asset;

/// How an account borrows for a coin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Margin {
    /// Times.
    pub leverage: u32,
    /// A pot of its own; otherwise the whole account stands for it.
    pub isolated: bool,
}

impl Margin {
    /// Within what the market and the account's cap allow; at least once.
    #[must_use]
    pub fn within(self, asset: &Asset, cap: Option<u32>) -> Margin {
        let most = if asset.max_leverage == 0 { u32::MAX } else { asset.max_leverage };
        let leverage = self.leverage.min(most).min(cap.unwrap_or(u32::MAX)).max(1);
        Margin { leverage, isolated: self.isolated || asset.isolated_only }
    }
}

/// One follower on one coin.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// What the venue is known to have; `None`: it was never told, or may have been.
    pub set: Option<Margin>,
    /// The action on its way.
    pub sent: Option<SentSetup>,
    /// Until then a former action of this content may still execute.
    pub stale: Option<(Margin, u64)>,
    /// Nothing is sent before.
    pub next_ms: u64,
    /// The venue refused it: entries are given back until then.
    pub refused_until_ms: u64,
    /// Consecutive refusals.
    pub refusals: u32,
    /// Consecutive actions without a usable answer.
    pub silences: u32,
}

/// A setting on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentSetup {
    /// What it sets.
    pub margin: Margin,
    /// Its post.
    pub post: u64,
    /// Where it went.
    pub lane: LaneId,
    /// An answer later than this is no longer waited for.
    pub deadline_ms: u64,
    /// When it can't execute any more.
    pub dead_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;

    #[test]
    fn it_stays_within_the_market_and_the_cap_and_is_at_least_once() {
        let asset = Asset { max_leverage: 10, ..Asset::new(1, 2, Kind::Perp) };
        let within = |leverage, cap| Margin { leverage, isolated: false }.within(&asset, cap).leverage;
        assert_eq!([within(40, None), within(40, Some(3)), within(5, Some(8)), within(0, None)], [10, 3, 5, 1]);
        let unsaid = Asset::new(1, 2, Kind::Perp);
        assert_eq!(Margin { leverage: 40, isolated: true }.within(&unsaid, None).leverage, 40);
        let isolated = Asset { isolated_only: true, ..asset };
        assert!(Margin { leverage: 2, isolated: false }.within(&isolated, None).isolated);
    }
}
