//! What limits of losses go by, beside accounts and edges.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::commands::CoinId;
use crate::copy::equity::Counted;
use crate::risk::latches::{Earnings, Trip};

/// 10^-8 coins times 10^-8 dollars, per 10^-6 dollars.
const PER_DOLLAR_UNIT: i128 = 10_000_000_000;

/// An account's worth, read and not judged yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    /// What it was worth, in 10^-6 dollars.
    pub worth: i64,
    /// When the oldest part of that was read.
    pub since_ms: u64,
    /// When it was put together.
    pub read_ms: u64,
}

/// One account.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct AccountLosses {
    /// What it earned.
    pub earnings: Earnings,
    /// What of its money counts, as of its last reading.
    pub counted: Option<Counted>,
    /// It can't be told now: where losses are limited it takes no increases.
    pub unjudged: bool,
    /// Its tokens were valued at prices of theirs.
    pub priced: bool,
    /// Money moved since that in a way of which nobody knows the worth.
    pub doubted: bool,
    /// Its last worth, until the transfers up to it are known.
    pub weighed: Option<Weighed>,
    /// Money that came, less what left, since it is watched, in 10^-6 dollars.
    pub transferred: i64,
    /// The newest transfer that is in it.
    pub transfers_ms: u64,
    /// When transfers were read.
    pub transfers_read_ms: u64,
    /// What a taker pays, in 10^-8 of the value; `None`: not read yet.
    pub fee_rate: Option<i64>,
    /// When that was asked for.
    pub fees_ms: u64,
}

/// One edge.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct FollowLosses {
    /// Fees and funding of its part, in 10^-6 dollars.
    pub paid: i64,
    /// What its part earned.
    pub earnings: Earnings,
}

impl FollowLosses {
    /// Takes in what the venue asks for an execution at a price, both in 10^-8: a share of its value in 10^-8, rounded up.
    pub fn charge(&mut self, moved: i64, price: i64, rate: i64) {
        let value = i128::from(moved.unsigned_abs()).saturating_mul(i128::from(price)) / PER_DOLLAR_UNIT;
        let fee = value.saturating_mul(i128::from(rate)).saturating_add(99_999_999) / 100_000_000;
        self.paid = self.paid.saturating_add(i64::try_from(fee).unwrap_or(i64::MAX));
    }
}

/// What an account's position on a coin cost besides its price, by the last read.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Costs {
    /// Mark price, in 10^-8; 0: none yet.
    pub mark: i64,
    /// Funding ever paid on this coin, in 10^-6 dollars; `None`: not read yet.
    pub funding: Option<i64>,
}

/// All of it. Who is not in a list has nothing yet.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Losses {
    /// Accounts, by place in the settings.
    pub accounts: BTreeMap<u32, AccountLosses>,
    /// Edges, by place in the settings.
    pub follows: BTreeMap<u32, FollowLosses>,
    /// Positions, by account and coin.
    pub costs: BTreeMap<(u32, CoinId), Costs>,
    /// When an account's transfers are to be read.
    pub ledger_dues: BTreeSet<(u64, u32)>,
    /// When an account's losses are too long unread.
    pub stale_dues: BTreeSet<(u64, u32)>,
}

impl Losses {
    /// The account's, made if it was not there.
    pub fn account_mut(&mut self, follower: u32) -> &mut AccountLosses {
        self.accounts.entry(follower).or_default()
    }

    /// The edge's, made if it was not there.
    pub fn follow_mut(&mut self, follow: u32) -> &mut FollowLosses {
        self.follows.entry(follow).or_default()
    }

    /// The latch that holds an account.
    #[must_use]
    pub fn account_trip(&self, follower: u32) -> Option<Trip> {
        self.accounts.get(&follower)?.earnings.trip
    }

    /// The latch that holds an edge.
    #[must_use]
    pub fn follow_trip(&self, follow: u32) -> Option<Trip> {
        self.follows.get(&follow)?.earnings.trip
    }

    /// Every latch that holds.
    pub fn trips(&self) -> impl Iterator<Item = Trip> + '_ {
        let accounts = self.accounts.values().map(|account| account.earnings.trip);
        accounts.chain(self.follows.values().map(|follow| follow.earnings.trip)).flatten()
    }
}
