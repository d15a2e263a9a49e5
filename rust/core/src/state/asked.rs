//! Reads in flight and figures to be read.
use serde::{Deserialize, Serialize};

use crate::commands::CoinId;

/// A figure that gates or sizing judge by, read from time to time. In the order in which they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Survey {
    /// Volume, open interest and mark of all coins of one dex, by its place in the list.
    Contexts(u32),
    /// What a leader made.
    Past(u32),
    /// Days of one coin.
    Candles(CoinId),
}

/// What an ask was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// A leader's positions on one dex.
    Leader {
        /// Which.
        leader: u32,
        /// Place in the list of dexs.
        dex: u32,
    },
    /// A follower's positions on one dex.
    Follower {
        /// Which.
        follower: u32,
        /// Place in the list of dexs.
        dex: u32,
    },
    /// A leader's fills since the cursor.
    Backfill {
        /// Which.
        leader: u32,
    },
    /// What became of one order.
    Order {
        /// The attempt's post id.
        post: u64,
        /// Place in the attempt.
        leg: u32,
    },
    /// What became of one stop.
    Stop {
        /// Whose.
        follower: u32,
        /// The coin.
        coin: CoinId,
        /// Client order id.
        cloid: [u8; 16],
    },
    /// Where an account's balances live.
    Mode {
        /// Leader, otherwise follower.
        leader: bool,
        /// Which.
        account: u32,
    },
    /// How many requests an account has left.
    Requests {
        /// Which follower.
        follower: u32,
    },
    /// A figure.
    Survey(Survey),
    /// How a leader borrows for a coin.
    Leverage {
        /// Which leader.
        leader: u32,
        /// The coin.
        coin: CoinId,
    },
    /// Prices of everything.
    Mids,
    /// The dollars of a unified account.
    Spot {
        /// Leader, otherwise follower.
        leader: bool,
        /// Which.
        account: u32,
    },
    /// Money that came to a follower's account or left it.
    Transfers {
        /// Which follower.
        follower: u32,
    },
    /// What a follower's account pays.
    Fees {
        /// Which follower.
        follower: u32,
    },
    /// A follower's newest fills: what reduced a position that the engine did not.
    OwnFills {
        /// Which follower.
        follower: u32,
        /// Those after this.
        since_ms: u64,
    },
    /// Whether a TWAP runs, or how it ended.
    Twap {
        /// The attempt's post id.
        post: u64,
    },
    /// What a TWAP that runs has traded.
    Slices {
        /// The attempt's post id.
        post: u64,
    },
}
