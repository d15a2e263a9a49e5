//! The one door: an event comes in, commands go out. The only file that knows all the others.
mod backfill;
mod book;
mod caps;
mod chase;
mod configure;
mod decide;
mod delay;
mod drift;
mod existing;
mod figures;
mod gates;
mod holds;
mod ingest;
mod latches;
mod leaders;
mod money;
mod native;
mod operate;
mod parts;
mod passive;
mod reads;
mod rebalance;
mod receipts;
mod requests;
mod resolve;
mod rhythm;
mod roster;
mod rotation;
mod send;
mod settle;
mod setup;
mod silence;
mod slices;
mod snapshot;
mod spot;
mod status;
mod stops;
mod surcharges;
mod work;

use std::collections::{BTreeMap, HashMap};

use crate::commands::{Alert, CoinId, Commands, Level};
use crate::config::{Config, ConfigError, Limits};
use crate::config_check::CheckedFollow;
use crate::copy::price::Quote;
use crate::event::{Event, FrameClass, LaneId, SourceId, SourceKind};
use crate::feed::frame::{Buffers, Frame, QuoteRow, parse_frame};
use crate::feed::seen::PlainState;
use crate::risk::budget::Budget;
use crate::state::State;
use crate::wire::Address;

pub use snapshot::{StateError, quotes_of};

/// Followers planned in the first chunk of an event: one, so that its order leaves before anything else is computed.
const FIRST_CHUNK: usize = 1;
/// Then so many: enough to share one journal write, few enough to keep the next write within a millisecond.
const NEXT_CHUNK: usize = 32;
/// Then so many: the wide hashes and the socket writes are full.
const LAST_CHUNK: usize = 128;

/// All state of one process, moved only by `step`.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    signers: Vec<Address>,
    state: State,
    leader_by_address: HashMap<[u8; 20], u32, PlainState>,
    follows_of_leader: Vec<Vec<u32>>,
    follows_of_follower: Vec<Vec<u32>>,
    dexs: Vec<String>,
    /// Outside the journalled state, given back at replay by each step's context.
    quotes: Vec<Quote>,
    budget: Budget,
    /// Whose orders a connection carries.
    order_owners: BTreeMap<SourceId, u32>,
    order_activity: Vec<leaders::OrderActivity>,
    silence: silence::Silence,
    /// Counted from the state, for metrics.
    holds: holds::HoldCounts,
    /// Of the present step; journalled with it.
    chance: u64,
    /// Of the present step.
    now_ms: u64,
    /// Up to when the leader's fills were known before the rows that are being applied.
    gap_floor_ms: u64,
    buffers: Buffers,
    batch: send::Batch,
    needs: figures::Needs,
    lists: gates::Lists,
    views: Vec<gates::View>,
    parts: Vec<crate::copy::parts::Part>,
}

impl Engine {
    /// An engine with no history.
    ///
    /// # Errors
    /// A setting that the engine can't work with.
    pub fn new(config: Config) -> Result<Engine, ConfigError> {
        let known = |at: u32, count: usize| (at as usize) < count;
        let stray = |follow: &&CheckedFollow| {
            !known(follow.leader, config.leaders.len()) || !known(follow.follower, config.followers.len())
        };
        if config.follows.iter().any(|follow| stray(&follow)) {
            return Err(ConfigError::new("follows", "name a leader or follower that is not there"));
        }
        let dexs: Vec<String> = std::iter::once(String::new()).chain(config.venue.dexs.iter().cloned()).collect();
        let mut engine = Engine {
            state: State::new(config.leaders.len(), config.followers.len(), config.follows.len(), dexs.len()),
            signers: Vec::new(),
            leader_by_address: HashMap::default(),
            budget: Budget::new(config.venue.limits == Limits::Venue),
            order_owners: BTreeMap::new(),
            order_activity: vec![leaders::OrderActivity::default(); config.leaders.len()],
            silence: silence::Silence::new(config.leaders.len()),
            holds: holds::HoldCounts::default(),
            needs: figures::Needs::of(&config),
            lists: gates::Lists::default(),
            views: Vec::new(),
            parts: Vec::new(),
            gap_floor_ms: 0,
            follows_of_leader: Vec::new(),
            follows_of_follower: Vec::new(),
            dexs,
            config,
            quotes: Vec::new(),
            chance: 0,
            now_ms: 0,
            buffers: Buffers::default(),
            batch: send::Batch::default(),
        };
        engine.index();
        Ok(engine)
    }

    /// Moves the state by one event. `now_ms` is the estimated venue time in Unix milliseconds. The same state, event, time,
    /// entropy and context give the same commands. `entropy` moves the times of portions, nothing else.
    pub fn step(&mut self, event: &Event<'_>, now_ms: u64, entropy: u64, out: &mut Commands) -> FrameClass {
        self.chance = entropy;
        self.now_ms = now_ms;
        out.clear();
        self.budget.advance(now_ms);
        self.note_budget(out);
        match *event {
            Event::Frame { source, bytes } => return self.on_frame(source, bytes, now_ms, out),
            Event::Continue => self.next_chunk(now_ms, out),
            Event::HttpAnswer { post_id, status, body } => self.on_http_answer(post_id, status, body, now_ms, out),
            Event::Info { token, status, body } => return self.on_info(token, status, body, now_ms, out),
            Event::Meta { body } => return self.on_meta(body, now_ms, out),
            Event::SourceUp { source, kind } => self.on_source_up(source, kind, now_ms, out),
            Event::SourceDown { source } => self.on_source_down(source, now_ms, out),
            Event::HttpLaneUp { lane } => self.on_http_lane_up(lane, out),
            Event::Reopen => self.on_reopen(out),
            Event::Start => self.on_start(now_ms, out),
            Event::Tick => self.on_tick(now_ms, out),
            Event::StopSigner { signer } => self.on_stop_signer(signer, now_ms, out),
            Event::Operate { request } => self.on_operate(request, now_ms, out),
        }
        debug_assert!(!is_silent(event) || out.attempts.is_empty(), "the shell takes no sends from {event:?}");
        FrameClass::Taken
    }

    fn on_frame(&mut self, source: SourceId, bytes: &[u8], now_ms: u64, out: &mut Commands) -> FrameClass {
        let mut buffers = std::mem::take(&mut self.buffers);
        let parsed = parse_frame(bytes, &mut buffers);
        let class = match parsed {
            Ok(Frame::UserFills { user, snapshot }) => {
                self.on_user_fills(source, user, snapshot, bytes, &mut buffers.fills, now_ms, out)
            }
            Ok(Frame::Trades) => self.on_trades(source, bytes, &buffers.tape, now_ms, out),
            Ok(Frame::Quote(row)) => self.on_quote(bytes, &row),
            Ok(Frame::Post { id, answer }) => self.on_answer(id, answer, bytes, &buffers.statuses, now_ms, out),
            Ok(Frame::Liquidation { user }) => self.on_liquidation(user, now_ms, out),
            Ok(Frame::Transfers { user, time_ms }) => self.on_transfers(user, time_ms, now_ms, out),
            Ok(Frame::Orders { count, time_ms }) => self.on_orders(source, count, time_ms),
            Ok(Frame::Pong) => FrameClass::Pong,
            Ok(Frame::Ack { orders_of }) => self.on_acknowledged(source, orders_of),
            Ok(Frame::Error) => FrameClass::Error,
            Ok(Frame::Other) => FrameClass::Other,
            Err(error) => {
                self.on_bad_frame(buffers.user, error, out);
                FrameClass::Bad
            }
        };
        self.buffers = buffers;
        class
    }

    /// Quotes are no journalled state: whoever uses one notes it in the step's context.
    fn on_quote(&mut self, bytes: &[u8], row: &QuoteRow) -> FrameClass {
        let Some(coin) = self.state.market.find(row.coin.of(bytes)) else { return FrameClass::Other };
        let at = coin as usize;
        if self.quotes.len() <= at {
            self.quotes.resize(self.state.market.len(), Quote::default());
        }
        if let Some(quote) = self.quotes.get_mut(at) {
            let [bid, ask] = [row.bid, row.ask].map(|level| level.map_or((0, 0), |(px, sz)| (px.raw(), sz.raw())));
            *quote = Quote { bid: bid.0, ask: ask.0, bid_size: bid.1, ask_size: ask.1, time_ms: row.time_ms };
        }
        FrameClass::Taken
    }

    fn on_meta(&mut self, body: &[u8], now_ms: u64, out: &mut Commands) -> FrameClass {
        match self.state.market.load(body) {
            Ok(()) => {
                out.changed = true;
                self.survey_coins(now_ms);
                FrameClass::Taken
            }
            Err(problem) => {
                alert(
                    out,
                    Level::Warning,
                    "metadata_refused",
                    format!("Metadata was refused: {problem}. The former one stays."),
                );
                FrameClass::Bad
            }
        }
    }

    fn on_source_up(&mut self, source: SourceId, kind: SourceKind, now_ms: u64, out: &mut Commands) {
        out.changed = true;
        self.silence.forget(source);
        match kind {
            SourceKind::User => self.await_snapshots(now_ms),
            SourceKind::Tape => self.on_tape_up(source, now_ms),
            SourceKind::Lane => self.on_lane_up(source, now_ms),
        }
    }

    fn on_source_down(&mut self, source: SourceId, now_ms: u64, out: &mut Commands) {
        out.changed = true;
        self.state.tapes.remove(&source);
        self.order_owners.remove(&source);
        self.silence.forget(source);
        let lanes = self.state.lanes.len();
        self.state.lanes.retain(|lane| *lane != source);
        if self.state.lanes.len() < lanes {
            self.lose_lane(source, now_ms, out);
        }
    }

    fn on_http_lane_up(&mut self, lane: LaneId, out: &mut Commands) {
        out.changed = true;
        if !self.state.http_lanes.contains(&lane) {
            self.state.http_lanes.push(lane);
        }
    }

    /// Agent addresses; `Attempt::signer` is an index into these. One per follower, in their order.
    #[must_use]
    pub fn signers(&self) -> &[Address] {
        &self.signers
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A coin's name.
    #[must_use]
    pub fn coin_name(&self, coin: CoinId) -> &str {
        self.state.market.coin(coin).map_or("", |coin| coin.name.as_str())
    }

    /// The name of the coin that an action means by this number.
    #[must_use]
    pub fn coin_of_asset(&self, id: u32) -> Option<&str> {
        let coins = (0..).take(self.state.market.len()).filter_map(|coin| self.state.market.coin(coin));
        coins.filter(|coin| coin.asset.is_some_and(|asset| asset.id == id)).map(|coin| coin.name.as_str()).next()
    }

    /// Takes REST weight for a read of the shell; false means wait. Not a decision, so not journalled.
    pub fn reserve_weight(&mut self, weight: u32, now_ms: u64) -> bool {
        self.budget.advance(now_ms);
        let has = self.budget.has(weight, 0, crate::risk::budget::Purpose::Ordinary);
        if has {
            self.budget.take(weight, 0);
        }
        has
    }
}

/// Events after which the shell asks for no sends: what they make possible goes with the next tick.
const fn is_silent(event: &Event<'_>) -> bool {
    matches!(event, Event::SourceUp { .. } | Event::HttpLaneUp { .. } | Event::Meta { .. })
}

fn alert(out: &mut Commands, level: Level, code: &'static str, text: String) {
    out.alerts.push(Alert { level, code, leader: None, follower: None, text });
}

fn alert_leader(out: &mut Commands, level: Level, code: &'static str, leader: u32, text: String) {
    out.alerts.push(Alert { level, code, leader: Some(leader), follower: None, text });
}

fn alert_follower(out: &mut Commands, level: Level, code: &'static str, follower: u32, text: String) {
    out.alerts.push(Alert { level, code, leader: None, follower: Some(follower), text });
}
