//! What comes in through the core's one door.

/// A connection, as the shell numbers it. One number is never used for two connections that are up at once.
pub type SourceId = u32;

/// A way out. A WebSocket lane has the number of its source; an HTTP lane has a number that no source uses.
pub type LaneId = u32;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// `userFills`, `userEvents` and `orderUpdates` of leaders.
    User,
    /// `trades` and `bbo`.
    Tape,
    /// Posts and their answers.
    Lane,
}

/// One input. Every decision is a function of the inputs before it, `now_ms` and `entropy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Any WebSocket frame, as it came.
    Frame {
        /// The connection it came on.
        source: SourceId,
        /// The frame's payload.
        bytes: &'a [u8],
    },
    /// Plan the next followers of what was just stepped; the answer to `Commands::more`.
    Continue,
    /// The answer to a post that went over HTTP. Status 0 means no answer: the outcome is unknown.
    HttpAnswer {
        /// `Attempt::post_id`.
        post_id: u64,
        /// HTTP status, or 0.
        status: u16,
        /// The body, as it came.
        body: &'a [u8],
    },
    /// The answer to an [`Ask`](crate::commands::Ask). Status 0 means no answer: the core asks again.
    Info {
        /// The ask's token.
        token: u64,
        /// HTTP status, or 0.
        status: u16,
        /// The body, as it came.
        body: &'a [u8],
    },
    /// Market metadata: a `meta`, `allPerpMetas` or `spotMeta` answer. May come again at any time.
    Meta {
        /// The body, as it came.
        body: &'a [u8],
    },
    /// A connection is up and subscribed, or ready for posts.
    SourceUp {
        /// Its number.
        source: SourceId,
        /// What it is for.
        kind: SourceKind,
    },
    /// A connection is gone: feeds have a gap, posts in flight on it are unknown.
    SourceDown {
        /// Its number.
        source: SourceId,
    },
    /// Posts may go over HTTP too.
    HttpLaneUp {
        /// Its number.
        lane: LaneId,
    },
    /// A new process took over this state: no connection of the old one lives, and every attempt without an outcome is
    /// unknown. The host sends it once after replay, before anything else, and journals it like every input.
    Reopen,
    /// Begin: settle what a former run left, read accounts, then open the gates. Sent once, when a lane is up.
    Start,
    /// Time passed.
    Tick,
    /// This signer must not be used: its key is missing, or a signature of it did not verify.
    StopSigner {
        /// Index into `Engine::signers`.
        signer: u32,
    },
    /// An operator's request, as JSON: see [`Operation`](crate::operation::Operation).
    Operate {
        /// The request, as it came.
        request: &'a [u8],
    },
}

/// What a step made of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameClass {
    /// The core took it in; what follows is in the commands.
    Taken,
    /// A pong.
    Pong,
    /// A subscription was confirmed.
    Ack,
    /// The venue's error channel; the text is the frame's.
    Error,
    /// Well-formed, and of no concern to the core.
    Other,
    /// Malformed or too large: refused whole, nothing was changed.
    Bad,
}
