//! Everything the core remembers: plain data, so that a snapshot is one call.
mod adrift;
mod asked;
mod losses;
mod rebalances;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::commands::{CoinId, Reason};
use crate::copy::equity::Purse;
use crate::copy::pace::Slicing;
use crate::event::{LaneId, SourceId};
use crate::feed::figures::Past;
use crate::feed::seen::Seen;
use crate::market::Market;
use crate::order::attempt::InFlight;
use crate::order::setup::{Margin, Setup};
use crate::order::stop::Stop;
use crate::order::surcharge::Drift;
use crate::order::twap::Twap;
use crate::risk::pause::Paused;

pub use asked::{Asked, Survey};
pub use losses::{AccountLosses, Costs, FollowLosses, Losses, Weighed};
pub use rebalances::{Measure, Rebalances};

/// One leader.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Leader {
    /// Known fills since the baseline.
    pub seen: Seen,
    /// Fills up to this time are history: they were there before copying began.
    pub baseline_ms: u64,
    /// The newest applied fill.
    pub cursor_ms: u64,
    /// The first snapshot has come.
    pub had_snapshot: bool,
    /// Per dex: positions were read at least once.
    pub seeded: Vec<bool>,
    /// Spot balances were read at least once.
    pub spot_seeded: bool,
    /// Per dex: when the ledger was last known to miss nothing, by the leader's own channel or a read.
    pub whole_ms: Vec<u64>,
    /// The chain broke; entries wait until fills and positions were read again.
    pub gap: Gap,
    /// Up to when fills were known when the chain broke.
    pub gap_from_ms: u64,
    /// No fill up to here lacks its receipts: positions were read and were the ledger's, and no fill was owed.
    pub counted_ms: u64,
    /// Missing fills could not be read: when that is tried again. 0: none are.
    pub owed_ms: u64,
    /// What it is worth.
    pub purse: Purse,
    /// The newest deposit, withdrawal or transfer.
    pub transfer_ms: u64,
    /// The newest liquidation or deleveraging.
    pub liquidated_ms: u64,
    /// Liquidated: nothing more is opened after it until an operator resumes it.
    pub paused: bool,
    /// An operator's pause.
    pub pause: Option<Paused>,
    /// Positions by coin.
    pub coins: BTreeMap<CoinId, LeaderCoin>,
    /// Events that all edges have decided: who goes first moves on with each.
    pub turns: u64,
    /// What it made over each window, where the last read could tell.
    pub past: [Option<Past>; 4],
    /// When that was read; 0: never.
    pub past_ms: u64,
}

/// How far the repair of a broken chain is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gap {
    /// No gap.
    #[default]
    None,
    /// Missing fills are being read.
    Fills,
    /// Positions are being read.
    Positions,
}

/// A leader's position on one coin.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct LeaderCoin {
    /// Signed size in 10^-8.
    pub position: i64,
    /// Identity of the fill applied last.
    pub last_fill: u64,
    /// Its time.
    pub last_ms: u64,
    /// The decision that closed the last gap; fills found later belong to it.
    pub gap_decision: Option<u64>,
    /// What the last read said, while it differs from the ledger.
    pub suspect: Option<i64>,
    /// How the leader borrows for it, by the newest read that told.
    pub margin: Option<Margin>,
    /// Average entry price by the last read, in 10^-8; 0: unknown.
    pub entry_price: i64,
}

/// What an edge holds on one coin.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
pub struct Held {
    /// E: the entitled position, signed, in 10^-20 coins.
    pub entitled: i128,
    /// The edge's virtual position: its part of what the engine holds, signed, in 10^-8.
    pub position: i64,
    /// The ratio fixed when the position opened, in 10^-12.
    pub ratio: Option<i64>,
    /// The leader's position is from before copying began and is ignored.
    pub ignoring: bool,
    /// It is from before, and is to be adopted once the follower is ready.
    pub adopting: bool,
    /// Frozen: E stands still, and this share of it, in 10^-18, is what the leader's reductions since then have left.
    pub frozen: Option<i64>,
}

/// One follow edge, beside what it holds.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Edge {
    /// An operator's pause.
    pub pause: Option<Paused>,
    /// What its part of all executions took in, less what it paid, in 10^-6 dollars, without fees: with what it holds at the
    /// mark, its profit.
    pub cash: i64,
    /// It was ended and holds nothing any more: its leader's changes are no business of it.
    pub gone: bool,
}

/// One follower.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Follower {
    /// What it is worth.
    pub purse: Purse,
    /// Per dex: positions were read since the process started.
    pub read: Vec<bool>,
    /// Spot balances were.
    pub spot_read: bool,
    /// Attempts of a former process whose outcome is unknown.
    pub unresolved: u32,
    /// Why nothing more is sent.
    pub stopped: Option<Reason>,
    /// An operator's pause.
    pub pause: Option<Paused>,
    /// Positions and work by coin.
    pub coins: BTreeMap<CoinId, Lot>,
    /// The signer's highest nonce.
    pub last_nonce: u64,
    /// Actions without an outcome.
    pub in_flight: u32,
    /// Nothing is sent before: the venue asked to wait.
    pub hold_until_ms: u64,
    /// Requests that the venue still takes from the account, as last read less what was sent since; `None`: not read yet.
    pub requests_left: Option<i64>,
    /// When they were read.
    pub requests_ms: u64,
    /// Stops that rest at the venue, by coin.
    pub stops: BTreeMap<CoinId, Stop>,
    /// How it borrows, by coin.
    pub setups: BTreeMap<CoinId, Setup>,
    /// The venue refused its builder's fee: none is asked until a restart.
    pub without_builder: bool,
    /// The venue refused its bid to be earlier: none is made until a restart.
    pub without_priority: bool,
}

/// A follower's position and work on one coin: its serial lane.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Lot {
    /// What the engine's orders made, signed, in 10^-8.
    pub own: i64,
    /// The rest of the account's position: somebody else's doing.
    pub manual: i64,
    /// Of a spot token: what the venue may have kept of the last buys as its fee; the next read tells.
    pub withheld: i64,
    /// The most that the account's caps let the target be, either way, in 10^-20; set by leader events only.
    pub ceiling: Option<i128>,
    /// The action in flight.
    pub in_flight: Option<u64>,
    /// Actions whose outcome is unknown. Beside them only reductions that stay safe whatever became of them are planned.
    pub doubted: Vec<u64>,
    /// Parts of E that are not bought yet.
    pub entries: Vec<Entry>,
    /// Receipts not written yet, oldest first.
    pub pending: Vec<Pending>,
    /// No order before, after one that found nothing.
    pub retry_ms: u64,
    /// The last order found too little in the book: another quote is a reason to try again before that.
    pub chases: bool,
    /// Best bid and ask when it was planned last, in 10^-8; 0: none.
    pub tried_quote: [i64; 2],
    /// When its last order was planned.
    pub tried_ms: u64,
    /// The limit of that order, in 10^-8.
    pub tried_limit: i64,
    /// Position and target may differ: plan when possible.
    pub wants: bool,
    /// Consecutive orders that did not fill.
    pub misses: u32,
    /// Orders sent ever: makes client ids unique.
    pub attempts: u32,
    /// When `own` last changed, venue time.
    pub settled_ms: u64,
    /// What the last read said, while it differs from `own + manual`.
    pub suspect: Option<i64>,
    /// Leave at any price within the emergency band.
    pub emergency: bool,
    /// The leader's last price, in 10^-8.
    pub leader_price: i64,
    /// How far the portions of its opening are.
    pub slicing: Slicing,
}

impl Lot {
    /// When the first part that no action carries is given back.
    #[must_use]
    pub fn next_expiry_ms(&self) -> u64 {
        let free = self.entries.iter().filter(|entry| entry.post.is_none());
        free.map(|entry| entry.deadline_ms.saturating_add(1)).min().unwrap_or(u64::MAX)
    }

    /// Frees the entries and receipts that an action carried.
    pub fn let_go(&mut self, post: u64, mut each: impl FnMut(&mut Pending)) {
        self.entries.iter_mut().filter(|entry| entry.post == Some(post)).for_each(|entry| entry.post = None);
        for pending in self.pending.iter_mut().filter(|pending| pending.post == Some(post)) {
            pending.post = None;
            each(pending);
        }
    }

    /// A part that a decision added is given back. Its receipt is its own, or that of the newest, which it was merged into.
    pub fn note_given_back(&mut self, decision: u64, reason: Reason) {
        let own = self.pending.iter().position(|pending| pending.decision == decision);
        let at = own.or_else(|| self.pending.len().checked_sub(1));
        if let Some(pending) = at.and_then(|at| self.pending.get_mut(at)) {
            pending.given_back = reason;
        }
    }

    /// The outcome of what is in flight is unknown from now on.
    pub fn doubt(&mut self) {
        self.doubted.extend(self.in_flight.take());
    }

    /// Nothing to remember.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.wants
            && self.in_flight.is_none()
            && self.doubted.is_empty()
            && self.entries.is_empty()
            && self.pending.is_empty()
    }
}

/// A part of E that waits for its order.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Entry {
    /// The edge.
    pub follow: u32,
    /// The decision that added it.
    pub decision: u64,
    /// What it added to E, signed, in 10^-20, less what the leader's reductions took of that.
    pub amount: i128,
    /// Given back after this.
    pub deadline_ms: u64,
    /// The leader's price, in 10^-8.
    pub price: i64,
    /// The action that buys it.
    pub post: Option<u64>,
    /// That action only closes: the opening behind it waits for budget, a price, or the outcome of another action.
    pub behind: bool,
}

impl Entry {
    /// What an exit uncovered of other edges: it goes like the exit itself and does not expire.
    #[must_use]
    pub const fn uncovered(follow: u32, price: i64) -> Entry {
        Entry { follow, decision: 0, amount: 0, deadline_ms: u64::MAX, price, post: None, behind: false }
    }

    /// What an edge's exit uncovered (amount 0) is the part of the others: it stays when that edge moves on.
    #[must_use]
    pub const fn is_part_of(&self, follow: u32) -> bool {
        self.follow == follow && self.amount != 0
    }
}

/// A receipt in the making.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    /// The edge.
    pub follow: u32,
    /// The decision.
    pub decision: u64,
    /// The fill's time.
    pub time_ms: u64,
    /// The fill's trade id.
    pub tid: u64,
    /// False for decisions without a fill (adoption, reconcile): they leave no receipt.
    pub from_fill: bool,
    /// It lowers the edge's part.
    pub reduces: bool,
    /// It raises the edge's part.
    pub enters: bool,
    /// What a gate said to one half of a flip.
    pub reason: Reason,
    /// What its last order met, if that found nothing.
    pub missed: Reason,
    /// Why a part of what it, or a decision merged into it, added to E was given back.
    pub given_back: Reason,
    /// The action that carries it.
    pub post: Option<u64>,
    /// The outcome was unknown for a while.
    pub was_unknown: bool,
    /// Its last order was executed in full.
    pub complete: bool,
    /// The numbers so far.
    pub numbers: crate::commands::Numbers,
    /// When it was decided.
    pub decided_ms: u64,
    /// When its last order was planned.
    pub planned_ms: u64,
}

/// A leader's change of one coin, decided once for all its edges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// The coin.
    pub coin: CoinId,
    /// The decision's number.
    pub decision: u64,
    /// What the ledger said, where a gap lies before `before`.
    pub gap_from: Option<i64>,
    /// Position before the fills.
    pub before: i64,
    /// Position after them.
    pub after: i64,
    /// Last price.
    pub price: i64,
    /// Time of the newest fill.
    pub time_ms: u64,
    /// Entries are blocked: the ledger has a gap.
    pub dirty: bool,
    /// The venue took the leader's position, or a part of it.
    pub forced: bool,
    /// Time and trade id of each fill; the first carries the numbers. Empty for reconcile and adoption.
    pub fills: Vec<(u64, u64)>,
}

/// An entry that waits for its edge's delay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delayed {
    /// The change that asked for it; its `before` is what the entry starts from.
    pub change: Change,
    /// How much of the leader's step is still held by the leader.
    pub step: i64,
}

/// Where a delayed entry waits: follow, coin, due, decision.
pub type DelayKey = (u32, CoinId, u64, u64);

/// A leader event on its way through the edges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fanout {
    /// The leader.
    pub leader: u32,
    /// Its changes, one per coin.
    pub changes: Vec<Change>,
    /// How many of its edges are done.
    pub next: usize,
}

/// The whole memory.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct State {
    /// Coins.
    pub market: Market,
    /// Leaders, in the order of the settings.
    pub leaders: Vec<Leader>,
    /// Followers, in the order of the settings.
    pub followers: Vec<Follower>,
    /// What each edge holds, in the order of the settings.
    pub held: Vec<BTreeMap<CoinId, Held>>,
    /// Edges, in the order of the settings.
    pub edges: Vec<Edge>,
    /// Actions without an outcome, by post id.
    pub attempts: BTreeMap<u64, InFlight>,
    /// Fences in flight: their post id → the post id of what they fence.
    pub fences: BTreeMap<u64, u64>,
    /// Second copies in flight: their post id → the post id of the first.
    pub resends: BTreeMap<u64, u64>,
    /// Cancels in flight of orders that rested: their post id → the post id of the orders.
    pub withdrawals: BTreeMap<u64, u64>,
    /// Reads in flight.
    pub asks: BTreeMap<u64, Asked>,
    /// Leader events not yet through all edges.
    pub fanouts: VecDeque<Fanout>,
    /// Chunks planned since the last event began.
    pub chunks: u32,
    /// Followers with work that something outside holds back.
    pub waiting: BTreeSet<u32>,
    /// The one of them that was served first on the last tick that had room: next time it is the one after it.
    pub first_served: u32,
    /// When a follower's work is looked at again.
    pub due: BTreeSet<(u64, u32)>,
    /// When an attempt is looked at again.
    pub deadlines: BTreeSet<(u64, u64)>,
    /// When a stop is looked at: time, follower, coin.
    pub stop_dues: BTreeSet<(u64, u32, CoinId)>,
    /// Stops' actions in flight: their post id → follower, coin and the order's client id.
    pub stop_posts: BTreeMap<u64, (u32, CoinId, [u8; 16])>,
    /// Settings of leverage in flight: their post id → follower and coin.
    pub setup_posts: BTreeMap<u64, (u32, CoinId)>,
    /// Settings that no entry waits for yet, oldest first.
    pub preparations: VecDeque<(u32, CoinId)>,
    /// Leaders' leverages to be read: time, leader, coin.
    pub leverage_reads: BTreeSet<(u64, u32, CoinId)>,
    /// When spot prices were read; 0: never.
    pub mids_ms: u64,
    /// Leaders whose missing fills are to be read once the budget has room.
    pub backfills: BTreeSet<u32>,
    /// When an account is read next: time, leader (otherwise follower), which.
    pub reads: BTreeSet<(u64, bool, u32)>,
    /// How fast coins run away from leaders' prices.
    pub drift: BTreeMap<CoinId, Drift>,
    /// Contexts, pasts and candles: the last read of the kind gave nothing.
    pub unread: [bool; 3],
    /// When a figure is read next.
    pub surveys: BTreeSet<(u64, Survey)>,
    /// Entries that wait for their edge's delay.
    pub delayed: BTreeMap<DelayKey, Delayed>,
    /// When each of them is due: time, and where it waits.
    pub delay_dues: BTreeSet<(u64, DelayKey)>,
    /// Connections that are up, with the time.
    pub tapes: BTreeMap<SourceId, u64>,
    /// WebSocket lanes that are up.
    pub lanes: Vec<SourceId>,
    /// HTTP lanes.
    pub http_lanes: Vec<LaneId>,
    /// `Start` came.
    pub started: bool,
    /// The venue saw a foreign signer: no entries.
    pub breaker: bool,
    /// An operator's pause of everything.
    pub pause: Option<Paused>,
    /// Counts changes of the settings.
    pub revision: u64,
    /// The settings as the file had them, where an operator has changed some since.
    pub file: Option<String>,
    /// Ended follows that still hold something.
    pub ending: BTreeSet<u32>,
    /// The kill switch: like that pause, but lifted only by its own request.
    pub kill: Option<Paused>,
    /// Next post id.
    pub next_post: u64,
    /// Next ask token.
    pub next_token: u64,
    /// Next decision.
    pub next_decision: u64,
    /// Receipts written.
    pub receipts: u64,
    /// What the edges of the front event took of the book, by coin, in 10^-20; only where its leader bounds it.
    pub taken: Vec<(CoinId, i128)>,
    /// What limits of losses go by.
    pub losses: Losses,
    /// The venue's TWAPs among the actions without an outcome, by post id.
    pub twaps: BTreeMap<u64, Twap>,
    /// When each of `asks` was asked, by its token.
    pub ask_times: BTreeMap<u64, u64>,
    /// Open positions whose ratio is taken anew.
    pub rebalances: Rebalances,
    /// The highest number of a TWAP of a follower's coin so far.
    pub newest_twaps: BTreeMap<(u32, CoinId), u64>,
    /// How far below what is believed a follower's coin may be since its stop was hit, in 10^-8, always negative. The other end
    /// stands in `Stop::adrift_above`.
    pub adrift_below: BTreeMap<(u32, CoinId), i64>,
    /// Leaders whose own channel came up anew and has brought no snapshot yet, and until when that may take.
    pub unheard: BTreeMap<u32, u64>,
    /// What is bought of an edge's parts of E that wait on a coin, in 10^-20, never negative.
    pub bought: Bought,
}

/// By edge and coin.
pub type Bought = BTreeMap<(u32, CoinId), i128>;

macro_rules! as_units {
    ($($name:ident),*) => {$(
        impl Serialize for crate::num::$name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_i64(self.raw())
            }
        }

        impl<'de> Deserialize<'de> for crate::num::$name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                i64::deserialize(deserializer).map(crate::num::$name::from_raw)
            }
        }
    )*};
}

as_units!(Px, Sz, Pos, Usd);

impl Leader {
    /// One that nothing is known of.
    #[must_use]
    pub fn new(dexs: usize) -> Leader {
        Leader { seeded: vec![false; dexs], whole_ms: vec![0; dexs], purse: Purse::new(dexs), ..Leader::default() }
    }
}

impl Follower {
    /// One that nothing is known of.
    #[must_use]
    pub fn new(dexs: usize) -> Follower {
        Follower { read: vec![false; dexs], purse: Purse::new(dexs), ..Follower::default() }
    }
}

impl State {
    /// No history.
    #[must_use]
    pub fn new(leaders: usize, followers: usize, follows: usize, dexs: usize) -> State {
        let mut state = State { next_post: 1, next_token: 1, next_decision: 1, ..State::default() };
        state.extend(leaders, followers, follows, dexs);
        state
    }

    /// Makes room for people who were added to the settings.
    pub fn extend(&mut self, leaders: usize, followers: usize, follows: usize, dexs: usize) {
        self.leaders.resize_with(leaders.max(self.leaders.len()), || Leader::new(dexs));
        self.followers.resize_with(followers.max(self.followers.len()), || Follower::new(dexs));
        self.held.resize(follows.max(self.held.len()), BTreeMap::new());
        self.edges.resize(follows.max(self.edges.len()), Edge::default());
    }

    /// The leader. An index of the settings always has one.
    pub fn leader_mut(&mut self, at: u32) -> Option<&mut Leader> {
        self.leaders.get_mut(at as usize)
    }

    /// The follower.
    pub fn follower_mut(&mut self, at: u32) -> Option<&mut Follower> {
        self.followers.get_mut(at as usize)
    }

    /// The follower.
    #[must_use]
    pub fn follower(&self, at: u32) -> Option<&Follower> {
        self.followers.get(at as usize)
    }

    /// The follower's lane on a coin.
    pub fn lot_mut(&mut self, follower: u32, coin: CoinId) -> Option<&mut Lot> {
        self.followers.get_mut(follower as usize)?.coins.get_mut(&coin)
    }

    /// The follower's lane on a coin, made if it was not there.
    pub fn lot_entry(&mut self, follower: u32, coin: CoinId) -> Option<&mut Lot> {
        self.followers.get_mut(follower as usize).map(|follower| follower.coins.entry(coin).or_default())
    }

    /// What an edge holds on a coin.
    #[must_use]
    pub fn held(&self, follow: u32, coin: CoinId) -> Held {
        self.held.get(follow as usize).and_then(|coins| coins.get(&coin)).copied().unwrap_or_default()
    }

    /// Remembers what an edge holds on a coin.
    pub fn set_held(&mut self, follow: u32, coin: CoinId, held: Held) {
        if let Some(coins) = self.held.get_mut(follow as usize) {
            if held.is_empty() {
                coins.remove(&coin);
            } else {
                coins.insert(coin, held);
            }
        }
    }

    /// Counts up and gives the number before.
    pub fn decision(&mut self) -> u64 {
        let decision = self.next_decision;
        self.next_decision = decision.saturating_add(1);
        decision
    }
}
