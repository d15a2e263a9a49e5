//! What leaves through the core's one door.
use std::ops::Range;

use crate::copy::price::Quote;
use crate::event::{LaneId, SourceId};
use crate::num::{Pos, Px, Sz};
use crate::sign::Digest;
use crate::wire::{Address, Cloid};

/// A coin by its place in the engine's table; `Engine::coin_name` gives its name.
pub type CoinId = u32;

/// The result of one step. Reused between steps and cleared by each.
#[derive(Debug, Default)]
pub struct Commands {
    /// Actions to journal, sign and send, in this order.
    pub attempts: Vec<Attempt>,
    /// The JSON actions that `Attempt::action` points into.
    pub bytes: Vec<u8>,
    /// The client order ids that `Attempt::cloids` points into.
    pub cloids: Vec<Cloid>,
    /// Reads and subscriptions for the shell.
    pub asks: Vec<Ask>,
    /// Terminal records, numbered without gaps.
    pub receipts: Vec<Receipt>,
    /// What an operator should know.
    pub alerts: Vec<Alert>,
    /// Open positions that took another ratio, and moved by it.
    pub rebalanced: u32,
    /// What the venue executed of its own TWAPs, as it came to be known.
    pub twap_slices: Vec<TwapSlice>,
    /// Followers remain for this event: step `Event::Continue` after sending these attempts.
    pub more: bool,
    /// The state changed, so the event belongs in the journal.
    pub changed: bool,
    /// Values outside the journalled state that the decision used (quotes, budget). Journalled beside the event and given to
    /// `Engine::restore_context` before the event at replay.
    pub context: Vec<u8>,
    /// What an operator's request is answered with: one JSON object, or nothing for every other event. Not journalled.
    pub answer: Vec<u8>,
}

impl Commands {
    /// Empties everything and keeps the memory.
    pub fn clear(&mut self) {
        self.attempts.clear();
        self.bytes.clear();
        self.cloids.clear();
        self.asks.clear();
        self.receipts.clear();
        self.alerts.clear();
        self.rebalanced = 0;
        self.twap_slices.clear();
        self.more = false;
        self.changed = false;
        self.context.clear();
        self.answer.clear();
    }
}

/// What an attempt does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptKind {
    /// Orders, at least one of which adds risk.
    Open,
    /// Reduce-only orders; these may use the journal's emergency reserve.
    Reduce,
    /// A `noop` under the nonce of an attempt whose outcome is unknown.
    Fence,
    /// The same orders under the same nonce, expiry and client ids over another lane: the venue executes one of both.
    Resend,
    /// One reduce-only order that sleeps at the venue until the price is far against the position.
    Stop,
    /// Takes one of those back; its client id is the order's.
    Cancel,
    /// Sets leverage and margin mode of a coin.
    Setup,
}

/// The kind of road an attempt takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// A WebSocket post on the source with the lane's number.
    WebSocket,
    /// An HTTP request.
    Http,
}

/// One unsigned action on its way. Journal it, then sign `digest` with `signer`, then send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Index into `Config::followers`.
    pub follower: u32,
    /// Index into `Engine::signers`.
    pub signer: u32,
    /// The way out.
    pub lane: LaneId,
    /// What kind of way that is.
    pub road: Road,
    /// Correlates the answer; unique over the journal's life.
    pub post_id: u64,
    /// What it does.
    pub kind: AttemptKind,
    /// Milliseconds-like counter of the signer; unique per signer except for fences and resends, which repeat their original's.
    pub nonce: u64,
    /// Venue time in Unix milliseconds after which the venue refuses the action.
    pub expires_after: u64,
    /// The account traded for, when the signer acts for a vault or sub-account.
    pub vault: Option<Address>,
    /// The EIP-712 digest to sign.
    pub digest: Digest,
    /// Where in `Commands::bytes` the JSON of the action is.
    pub action: Range<usize>,
    /// Where in `Commands::cloids` the client ids of its orders are, in order.
    pub cloids: Range<usize>,
}

/// Work for the shell that no decision waits for in the same step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Post this body to `/info` and give the answer back as `Event::Info` with the token.
    Info {
        /// Correlates the answer; unique over the journal's life but for looks (`LOOK`).
        token: u64,
        /// REST weight that the core has already taken from its budget.
        weight: u32,
        /// JSON body of the request.
        body: Vec<u8>,
    },
    /// Subscribe to this on a connection of the fitting kind.
    Subscribe {
        /// JSON of the subscription object.
        body: Vec<u8>,
    },
    /// Drop this connection and dial it again: it kept a leader's fills back that others brought.
    Reconnect {
        /// The connection.
        source: SourceId,
        /// Of whom it was silent; an index into `Config::leaders`.
        leader: u32,
    },
}

/// Marks the tokens of reads that no journalled state remembers: looks at leaders of whom nothing is heard.
pub const LOOK: u64 = 1 << 62;

impl Ask {
    /// Whether it comes of what is outside the journalled state, and so leaves no trace in the journal.
    #[must_use]
    pub const fn is_unrecorded(&self) -> bool {
        match self {
            Ask::Reconnect { .. } => true,
            Ask::Info { token, .. } => *token & LOOK != 0,
            Ask::Subscribe { .. } => false,
        }
    }

    /// Appends `{"token", "request", "weight"}`, `{"subscribe"}` or `{"reconnect", "leader"}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Ask::Info { token, weight, body } => {
                out.extend_from_slice(format!("{{\"token\":{token},\"weight\":{weight},\"request\":").as_bytes());
                out.extend_from_slice(body);
            }
            Ask::Subscribe { body } => {
                out.extend_from_slice(b"{\"subscribe\":");
                out.extend_from_slice(body);
            }
            Ask::Reconnect { source, leader } => {
                out.extend_from_slice(format!("{{\"reconnect\":{source},\"leader\":{leader}").as_bytes());
            }
        }
        out.push(b'}');
    }
}

/// How a leader fill ended for one follow edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// The orders it led to were executed in full.
    Filled = 0,
    /// Executed in part; the rest of an entry was given back.
    PartlyFilled = 1,
    /// Decided together with another fill, whose receipt carries the numbers.
    MergedInto = 2,
    /// Part of the target, too small to send yet.
    Carried = 3,
    /// The policy says no.
    Skipped = 4,
    /// Safety says no.
    Blocked = 5,
    /// The entry became too old, or the market left it behind.
    Expired = 6,
    /// The venue refused.
    Rejected = 7,
}

impl Outcome {
    /// Every outcome, in numeric order.
    pub const ALL: [Outcome; 8] = [
        Outcome::Filled,
        Outcome::PartlyFilled,
        Outcome::MergedInto,
        Outcome::Carried,
        Outcome::Skipped,
        Outcome::Blocked,
        Outcome::Expired,
        Outcome::Rejected,
    ];

    /// The name used in journals, metrics and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Filled => "filled",
            Outcome::PartlyFilled => "partly_filled",
            Outcome::MergedInto => "merged_into",
            Outcome::Carried => "carried",
            Outcome::Skipped => "skipped",
            Outcome::Blocked => "blocked",
            Outcome::Expired => "expired",
            Outcome::Rejected => "rejected",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why. A closed set: it is a metric label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in numeric order.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The name used in journals, metrics and the database.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// Nothing to explain.
    None = "none",
    /// The coin is not in the market table.
    UnknownCoin = "unknown_coin",
    /// `markets` leaves spot out.
    NotAPerp = "not_a_perp",
    /// The coin is delisted: nothing new is opened.
    Delisted = "delisted",
    /// `coins_allow` or `coins_block`.
    CoinFiltered = "coin_filtered",
    /// Below `min_value_usd`.
    BelowMinValue = "below_min_value",
    /// Above `max_value_usd`.
    AboveMaxValue = "above_max_value",
    /// The position was there before copying began and is ignored until flat or flipped.
    ExistingPosition = "existing_position",
    /// Mode `notional` without `scale_adds`: adds change nothing.
    AddIgnored = "add_ignored",
    /// The fills of the decision cancel each other out.
    NoChange = "no_change",
    /// The follower holds nothing of this leader's to reduce.
    NothingHeld = "nothing_held",
    /// A cap left no room.
    Cap = "cap",
    /// An equity needed for sizing is unread, zero or negative.
    EquityUnreadable = "equity_unreadable",
    /// The target is not a whole sendable order away: lot or $10 minimum.
    BelowMinimum = "below_minimum",
    /// The best opposite quote is beyond the entry band.
    PriceBeyondBand = "price_beyond_band",
    /// The entry was older than `max_age_ms`.
    TooOld = "too_old",
    /// The leader's ledger has a gap; entries wait for the backfill.
    LeaderDirty = "leader_dirty",
    /// The follower holds a position on this coin that the engine did not make.
    ManualPosition = "manual_position",
    /// The follower's signer is stopped.
    SignerStopped = "signer_stopped",
    /// The venue refused the follower's agent or account.
    FollowerStopped = "follower_stopped",
    /// The venue saw another signer than ours: no entries until restart.
    Breaker = "breaker",
    /// The venue has not enough margin for it.
    Margin = "margin",
    /// The venue's open-interest or position limits.
    VenueLimit = "venue_limit",
    /// The price is too far from the venue's reference.
    PriceTooFar = "price_too_far",
    /// The order would have increased the position it should reduce.
    ReduceOnly = "reduce_only",
    /// The venue found fault with the order itself.
    Invalid = "invalid",
    /// The book had nothing at the limit price.
    NoMatch = "no_match",
    /// An answer text nobody knows.
    UnknownText = "unknown_text",
    /// A number left the range of the arithmetic.
    OutOfRange = "out_of_range",
    /// A newer decision took its place.
    Superseded = "superseded",
    /// The account or its budget does not accept actions now.
    VenueBusy = "venue_busy",
    /// The leader was liquidated: nothing is opened after it until an operator resumes it.
    LeaderPaused = "leader_paused",
    /// The account's requests at the venue are kept for reductions.
    RequestBudget = "request_budget",
    /// An operator paused the leader, the follower, the edge or everything.
    Paused = "paused",
    /// A freeze: nothing is sent; what the leader reduced goes when it ends.
    Frozen = "frozen",
    /// The kill switch is on.
    Killed = "killed",
    /// An operator closed the position.
    Flattened = "flattened",
    /// `side`: the leader's position is on the other side.
    SideFiltered = "side_filtered",
    /// Outside `hours`.
    OutsideHours = "outside_hours",
    /// Above `max_leader_leverage`.
    LeaderLeverage = "leader_leverage",
    /// `only_profitable` or `max_leader_drawdown_bps`.
    LeaderQuality = "leader_quality",
    /// The leader's past is unread, too old, or can't be judged over `quality_window`.
    QualityUnread = "quality_unread",
    /// Below `min_listed_days`.
    MarketTooYoung = "market_too_young",
    /// Below `min_day_volume_usd`.
    LowVolume = "low_volume",
    /// Below `min_open_interest_usd`.
    LowOpenInterest = "low_open_interest",
    /// A figure of the market that a gate needs is unread or too old.
    MarketUnread = "market_unread",
    /// The usual move of a day can't be told: mode `risk` sizes by it.
    VolatilityUnread = "volatility_unread",
    /// The opening half of a flip waits for `delay_ms`.
    Delayed = "delayed",
    /// The leader left before a delayed entry was due.
    LeaderLeft = "leader_left",
    /// The venue would not set the leverage or margin mode that an entry needs.
    LeverageRefused = "leverage_refused",
    /// The follow was ended; what it holds goes as the leader reduces it.
    Unfollowed = "unfollowed",
    /// `markets` leaves perpetuals out.
    NotSpot = "not_spot",
    /// The pair is not its token's own against dollars.
    SpotPair = "spot_pair",
    /// Outcome markets are not copied.
    OutcomeMarket = "outcome_market",
    /// The book offers less than `min_depth_usd`.
    ThinBook = "thin_book",
    /// `max_depth_percent` or the leader's `impact_percent` left no room.
    Impact = "impact",
    /// There is no fresh book to judge by.
    BookUnread = "book_unread",
    /// The loss of a day is at its limit.
    DailyLoss = "daily_loss",
    /// The loss since the best is at its limit.
    Drawdown = "drawdown",
    /// What was lost can't be told, and there is a limit of it.
    LossesUnread = "losses_unread",
    /// The venue's TWAP ended before all of it was executed.
    TwapEnded = "twap_ended",
}

impl Reason {
    /// A figure that is needed can't be told yet.
    #[must_use]
    pub const fn is_unread(self) -> bool {
        matches!(
            self,
            Reason::EquityUnreadable
                | Reason::QualityUnread
                | Reason::MarketUnread
                | Reason::VolatilityUnread
                | Reason::BookUnread
                | Reason::LossesUnread
        )
    }
}

/// The one terminal record of one leader fill and one follow edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Counts receipts over the journal's life, from 1, without gaps.
    pub number: u64,
    /// Index into `Config::leaders`.
    pub leader: u32,
    /// Index into `Config::followers`.
    pub follower: u32,
    /// Index into `Config::follows`.
    pub follow: u32,
    /// The fill's coin.
    pub coin: CoinId,
    /// The fill's venue time, Unix milliseconds.
    pub time_ms: u64,
    /// The fill's trade id; its identity together with leader, coin and time.
    pub tid: u64,
    /// Fills decided together share it.
    pub decision: u64,
    /// For `MergedInto`: the decision whose receipt carries the numbers.
    pub merged_into: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The outcome was unknown for a while.
    pub was_unknown: bool,
    /// The numbers, on the receipt that carries them.
    pub numbers: Numbers,
    /// When the core decided, venue time.
    pub decided_ms: u64,
    /// When the (last) attempt was planned, venue time; 0: none was.
    pub planned_ms: u64,
    /// When this became terminal, venue time.
    pub settled_ms: u64,
}

/// The arithmetic of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Numbers {
    /// Leader's position before the decision's fills.
    pub leader_before: Pos,
    /// Leader's position after them.
    pub leader_after: Pos,
    /// Leader's (last) price.
    pub leader_price: Px,
    /// E before, toward zero at eight decimals.
    pub entitled_before: Pos,
    /// E after, as decided; what an expired entry gives back is not in it.
    pub entitled_after: Pos,
    /// Signed size sent for it, over all attempts.
    pub ordered: Pos,
    /// Last limit price sent.
    pub limit_price: Px,
    /// Size executed.
    pub filled: Sz,
    /// Average price of the last execution.
    pub average_price: Px,
    /// Nonce of the last attempt; 0: none.
    pub nonce: u64,
}

/// What the venue executed of one of its TWAPs at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwapSlice {
    /// Index into `Config::followers`.
    pub follower: u32,
    /// Its coin.
    pub coin: CoinId,
    /// Nonce of the action that began the TWAP.
    pub nonce: u64,
    /// The venue's number of the TWAP; `None`: nobody told it.
    pub twap_id: Option<u64>,
    /// Venue time of the execution; `None`: told as a sum when the TWAP was over, its last slice as a rule.
    pub time_ms: Option<u64>,
    /// Size executed.
    pub size: Sz,
    /// At this price on average.
    pub price: Px,
    /// The best prices when the core learnt of it, about 2 s after the execution; `None`: no fresh ones.
    pub quote: Option<Quote>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something works less than it should.
    Warning,
    /// Money may be at risk until somebody acts.
    Critical,
}

/// What an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// How bad.
    pub level: Level,
    /// From a closed set, for rules and tests.
    pub code: &'static str,
    /// Index into `Config::leaders`.
    pub leader: Option<u32>,
    /// Index into `Config::followers`.
    pub follower: Option<u32>,
    /// One sentence with the numbers.
    pub text: String,
}
