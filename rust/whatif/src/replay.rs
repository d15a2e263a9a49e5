//! The loop: fills in, orders out, time from one happening to the next.
use std::collections::BTreeMap;

use hlfast_core::commands::{Ask, Commands};
use hlfast_core::config::Config;
use hlfast_core::engine::Engine;
use hlfast_core::event::{Event, FrameClass, SourceKind};
use hlfast_core::journal::json::receipt_object;
use hlfast_core::journal::step::RecordedReceipt;
use hlfast_core::num::{Pos, Px, Sz};
use hlfast_core::wire::write_json_string;

use crate::account::{Account, Order};
use crate::leader::Leader;
use crate::market::Market;
use crate::model::Model;
use crate::outcome::{CoinOutcome, Outcome};
use crate::record::{Fill, Record};
use crate::resting::Resting;
use crate::twaps::{self, Twaps};
use crate::venue::{self, Action, Assets, DONE};

const LANE: u32 = 1;
const USER: u32 = 2;
const TAPE: u32 = 3;
/// Copying begins this long before the first fill.
const BEFORE_MS: u64 = 1_000;
/// How long the last orders may take after the last fill.
const AFTER_MS: u64 = 60_000;
/// Two reads of an account, and the second look at a difference.
pub const READS_MS: u64 = 70_000;
/// An account's stops and portions are seen to within this after an order.
const LIVELY_MS: u64 = 10_000;
pub const HOUR_MS: u64 = 3_600_000;
/// The engine looks at open positions again after this, by equities that it has read meanwhile.
const LOOKS_MS: u64 = 60_000;

/// Why a replay can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The settings do not fit the record.
    #[error("settings: {0}")]
    Settings(String),
    /// The core did something that the modelled venue has no answer for.
    #[error("the model of the venue does not know this: {0}")]
    NotModelled(String),
    /// The core refused what it was given.
    #[error("the core refused a made frame: {0}")]
    Refused(String),
}

/// What happens later.
pub enum Happening {
    /// Orders meet the book.
    Match { post: u64, orders: Vec<Order> },
    /// Waiting orders are taken back.
    Cancel { post: u64, cloids: Vec<[u8; 16]> },
    /// A TWAP begins.
    Twap { post: u64, asked: twaps::Asked },
    /// One is taken back.
    EndTwap { post: u64, id: usize },
    /// A TWAP's next slice is due.
    Slice(usize),
    /// An answer is read.
    Answer(Vec<u8>),
}

/// Runs a record through the core: one leader, one follower, one edge.
///
/// # Errors
/// [`ReplayError`]; nothing is left out in silence.
pub fn replay(record: &Record, config: Config, model: &Model, keeps: bool) -> Result<Outcome, ReplayError> {
    let one = (config.leaders.len(), config.followers.len(), config.follows.len()) == (1, 1, 1);
    if !one || config.leaders.first().is_some_and(|leader| leader.address != record.leader) {
        return Err(ReplayError::Settings(
            "one leader (the record's), one follower and one follow are replayed".into(),
        ));
    }
    if config.follows.iter().any(|follow| follow.markets.has_spot()) {
        return Err(ReplayError::Settings("markets: perpetuals alone are replayed, write \"perps\"".into()));
    }
    let assets = Assets::new(record, &config.venue.dexs)?;
    // Portions, delays and stops have things to do between the leader's fills.
    let lively = config.followers.iter().any(|one| one.disaster_stop_bps.is_some() || one.execution.is_sliced());
    let rebalances = config.follows.iter().any(|one| !one.rebalance.is_none());
    let engine = Engine::new(config).map_err(|error| ReplayError::Settings(error.to_string()))?;
    let mut replay = Replay {
        record,
        model,
        keeps,
        assets,
        engine,
        market: Market::new(record, model.book_age_ms),
        account: Account::new(record, model),
        leader: Leader::new(record, model),
        now_ms: 0,
        happenings: BTreeMap::new(),
        sequence: 0,
        asks: Vec::new(),
        tick_ms: None,
        stirred_ms: 0,
        unfilled: vec![false; record.coins.len()],
        astray_ms: 0,
        seized: Vec::new(),
        lively,
        rebalances,
        resting: Resting::default(),
        twaps: Twaps::default(),
        chance: model.seed,
        past: Vec::new(),
        requests: 0,
        frame: Vec::new(),
        outcome: Outcome::default(),
    };
    replay.run()?;
    Ok(replay.outcome)
}

/// One run. Its parts stand in `orders.rs` (what orders meet) and `reads.rs` (what the engine is told).
pub struct Replay<'a> {
    pub record: &'a Record,
    pub model: &'a Model,
    pub keeps: bool,
    assets: Assets,
    engine: Engine,
    pub market: Market<'a>,
    pub account: Account,
    pub leader: Leader,
    pub now_ms: u64,
    /// By time, then by the order in which they were set.
    happenings: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    asks: Vec<(u64, Vec<u8>)>,
    /// When the engine's clock ticks next, while it has something to wait for.
    tick_ms: Option<u64>,
    /// When a leader's fill or an answer last came.
    stirred_ms: u64,
    /// Per coin: the last reduction was not executed in full, so the engine goes on trying.
    pub unfilled: Vec<bool>,
    /// Until then the engine may not know yet that the venue closed its positions.
    pub astray_ms: u64,
    /// What the venue closed by force: when, coin, signed size held before, price.
    pub seized: Vec<(u64, usize, i64, i64)>,
    lively: bool,
    /// Open positions take their ratio anew, whether the leader trades or not.
    rebalances: bool,
    /// The follower's orders that wait at the venue.
    pub resting: Resting,
    /// The TWAPs that the venue runs for the follower.
    pub twaps: Twaps,
    /// State of the engine's entropy.
    chance: u64,
    /// The leader's equity over time, for those who ask for his past.
    pub past: Vec<(u64, i64)>,
    pub requests: u64,
    frame: Vec<u8>,
    pub outcome: Outcome,
}

impl Replay<'_> {
    fn run(&mut self) -> Result<(), ReplayError> {
        let fills = self.record.fills.as_slice();
        let first_ms = fills.first().map_or(0, |fill| fill.time_ms);
        self.begin(first_ms.saturating_sub(BEFORE_MS))?;
        let mut rest = fills;
        while let Some(first) = rest.first() {
            // What the venue did in one block comes in one frame.
            let count = rest.iter().take_while(|fill| fill.time_ms == first.time_ms).count();
            let (group, others) = rest.split_at(count);
            self.until(first.time_ms.saturating_add(self.model.see_ms))?;
            let place = fills.len() - rest.len();
            self.feed(group, place)?;
            rest = others;
        }
        self.until(self.now_ms.saturating_add(AFTER_MS))?;
        self.finish();
        Ok(())
    }

    fn begin(&mut self, at_ms: u64) -> Result<(), ReplayError> {
        self.now_ms = at_ms;
        let metadata = self.assets.metadata(&self.record.coins);
        self.step(&Event::Meta { body: &metadata })?;
        for (source, kind) in [(LANE, SourceKind::Lane), (USER, SourceKind::User), (TAPE, SourceKind::Tape)] {
            self.step(&Event::SourceUp { source, kind })?;
        }
        let leader = self.record.leader;
        let snapshot =
            format!(r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{leader}","fills":[]}}}}"#);
        self.step(&Event::Frame { source: USER, bytes: snapshot.as_bytes() })?;
        self.step(&Event::Start)
    }

    /// Everything that happens up to a time, that time included.
    fn until(&mut self, end_ms: u64) -> Result<(), ReplayError> {
        loop {
            let happening = self.happenings.first_key_value().map(|(key, _)| key.0);
            let next = happening.into_iter().chain(self.tick_ms).min().filter(|next| *next <= end_ms);
            let Some(next) = next else { break };
            self.pass(next);
            if happening != Some(next) {
                self.tick()?;
                continue;
            }
            match self.happenings.pop_first() {
                Some((_, Happening::Match { post, orders })) => self.meet(post, &orders),
                Some((_, Happening::Cancel { post, cloids })) => self.take_back(post, &cloids),
                Some((_, Happening::Twap { post, asked })) => self.begin_twap(post, asked),
                Some((_, Happening::EndTwap { post, id })) => self.cancel_twap(post, id),
                Some((_, Happening::Slice(id))) => self.slice(id),
                Some((_, Happening::Answer(frame))) => {
                    self.stirred_ms = self.now_ms;
                    self.step(&Event::Frame { source: LANE, bytes: &frame })?;
                }
                None => {}
            }
            self.set_tick();
        }
        self.pass(end_ms);
        Ok(())
    }

    /// Moves the clock; orders that the price comes to are executed, and each whole hour on the way pays funding.
    fn pass(&mut self, to_ms: u64) {
        self.wake_resting(to_ms);
        let mut hour_ms = (self.now_ms / HOUR_MS + 1) * HOUR_MS;
        while hour_ms <= to_ms {
            if self.account.held().next().is_none() {
                break;
            }
            self.account.fund(self.model, &self.market, hour_ms);
            hour_ms += HOUR_MS;
        }
        self.now_ms = self.now_ms.max(to_ms);
    }

    /// The engine's clock, and before it the quotes that its shell would have had.
    fn tick(&mut self) -> Result<(), ReplayError> {
        for coin in 0..self.record.coins.len() {
            if self.leader.positions.get(coin).is_some_and(|size| *size != 0) || self.account.position(coin) != 0 {
                self.show_quote(coin)?;
            }
        }
        self.step(&Event::Tick)?;
        self.set_tick();
        Ok(())
    }

    /// The shell ticks every 20 ms. Here a tick comes while something is open, slower the longer nothing happened.
    fn set_tick(&mut self) {
        let quiet_ms = self.now_ms.saturating_sub(self.stirred_ms);
        let waits = !self.resting.is_empty() || self.twaps.are_running();
        let busy = self.now_ms < self.astray_ms || (self.lively && quiet_ms < LIVELY_MS) || waits;
        let open = self.outcome.receipts_written < self.outcome.fills || self.unfilled.contains(&true) || busy;
        let pace = match quiet_ms {
            0..10_000 => 250,
            10_000..120_000 => 1_000,
            120_000..HOUR_MS => 10_000,
            _ => HOUR_MS,
        };
        let busy_ms = open.then_some(self.now_ms.saturating_add(pace));
        self.tick_ms = busy_ms.into_iter().chain(self.next_look_ms()).min();
    }

    /// Between a leader's trades equities are read, and then looked at, at the beginning of each hour: every set time lies there.
    fn next_look_ms(&self) -> Option<u64> {
        let holds = self.rebalances && self.account.held().next().is_some();
        let into_ms = self.now_ms % HOUR_MS;
        let wait_ms = if into_ms < LOOKS_MS { LOOKS_MS / 3 } else { HOUR_MS - into_ms };
        holds.then_some(self.now_ms.saturating_add(wait_ms))
    }

    /// Gives the engine the leader's fills of one block.
    fn feed(&mut self, group: &[Fill], place: usize) -> Result<(), ReplayError> {
        for (at, fill) in group.iter().enumerate() {
            let known = group.get(..at).unwrap_or_default();
            if !known.iter().any(|other| other.coin == fill.coin) {
                self.show_quote(fill.coin)?;
            }
        }
        // Accounts are read when the engine's clock says so, and it says so before it sees the fills.
        self.step(&Event::Tick)?;
        self.leader.take(group, &self.record.coins);
        self.outcome.fills += group.len() as u64;
        self.stirred_ms = self.now_ms;
        let mut frame = std::mem::take(&mut self.frame);
        self.write_fills(group, place, &mut frame);
        let class = self.step_class(&Event::Frame { source: USER, bytes: &frame })?;
        if class != FrameClass::Taken {
            return Err(ReplayError::Refused(String::from_utf8_lossy(&frame).chars().take(300).collect()));
        }
        self.frame = frame;
        self.liquidate();
        self.sample();
        self.note_past();
        self.set_tick();
        Ok(())
    }

    fn write_fills(&self, group: &[Fill], place: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(br#"{"channel":"userFills","data":{"user":""#);
        out.extend_from_slice(self.record.leader.to_string().as_bytes());
        out.extend_from_slice(br#"","fills":["#);
        for (at, fill) in group.iter().enumerate() {
            let coin = self.record.coins.get(fill.coin).map_or("", |coin| coin.name.as_str());
            out.extend_from_slice(if at == 0 { br#"{"coin":"# } else { br#",{"coin":"# });
            write_json_string(out, coin);
            let (side, size) = (if fill.size > 0 { "B" } else { "A" }, Pos::from_raw(fill.size).abs());
            let (price, start) = (Px::from_raw(fill.price), Pos::from_raw(fill.start));
            // The trade id is the fill's place in the record: unique, and found again in receipts.
            let tid = place + at + 1;
            let row = format!(
                r#","px":"{price}","sz":"{size}","side":"{side}","time":{},"startPosition":"{start}","tid":{tid}"#,
                fill.time_ms
            );
            out.extend_from_slice(row.as_bytes());
            if fill.liquidated {
                let object = format!(r#","liquidation":{{"liquidatedUser":"{}"}}"#, self.record.leader);
                out.extend_from_slice(object.as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}}");
    }

    fn show_quote(&mut self, coin: usize) -> Result<(), ReplayError> {
        let Some(name) = self.record.coins.get(coin).map(|coin| coin.name.as_str()) else { return Ok(()) };
        let level =
            |(price, size)| format!(r#"{{"px":"{}","sz":"{}","n":1}}"#, Px::from_raw(price), Sz::from_raw(size));
        let [bid, ask] = self.market.quote(coin, self.now_ms).map(level);
        let time_ms = self.now_ms;
        let frame = format!(r#"{{"channel":"bbo","data":{{"coin":"{name}","time":{time_ms},"bbo":[{bid},{ask}]}}}}"#);
        self.step(&Event::Frame { source: TAPE, bytes: frame.as_bytes() })
    }

    pub fn sample(&mut self) {
        let gross = self.account.gross(&self.market, self.now_ms);
        self.account.most_gross = self.account.most_gross.max(gross);
        if self.keeps {
            let equity = self.account.equity(&self.market, self.now_ms);
            self.outcome.curve.push((self.now_ms, venue::usd(equity).raw(), venue::usd(gross).raw()));
        }
    }

    fn decide(&mut self, event: &Event<'_>, out: &mut Commands) -> FrameClass {
        let entropy = self.draw();
        self.engine.step(event, self.now_ms, entropy, out)
    }

    /// SplitMix64: the entropy of each step, the same in each run.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn later(&mut self, ms: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert((self.now_ms.saturating_add(ms), self.sequence), happening);
    }

    fn step(&mut self, event: &Event<'_>) -> Result<(), ReplayError> {
        self.step_class(event).map(|_| ())
    }

    /// One step, the followers behind it, and the reads that it asks for: these are answered at once.
    fn step_class(&mut self, event: &Event<'_>) -> Result<FrameClass, ReplayError> {
        let mut out = Commands::default();
        let class = self.decide(event, &mut out);
        self.take(&out)?;
        while out.more {
            self.decide(&Event::Continue, &mut out);
            self.take(&out)?;
        }
        while let Some((token, request)) = self.asks.pop() {
            let body = self.read(&request)?;
            let event = Event::Info { token, status: 200, body: body.as_bytes() };
            self.decide(&event, &mut out);
            self.take(&out)?;
        }
        Ok(class)
    }

    fn take(&mut self, out: &Commands) -> Result<(), ReplayError> {
        self.outcome.receipts_written += out.receipts.len() as u64;
        if self.keeps {
            for receipt in &out.receipts {
                let coin = self.engine.coin_name(receipt.coin);
                let recorded = RecordedReceipt { receipt: receipt.clone(), coin };
                self.outcome.receipts.extend_from_slice(&receipt_object(0, &recorded));
                self.outcome.receipts.push(b'\n');
            }
        }
        for alert in &out.alerts {
            *self.outcome.alerts.entry(alert.code).or_default() += 1;
        }
        for ask in &out.asks {
            if let Ask::Info { token, body, .. } = ask {
                self.asks.push((*token, body.clone()));
            }
        }
        for attempt in &out.attempts {
            let json = out.bytes.get(attempt.action.clone()).unwrap_or_default();
            self.requests += attempt.cloids.len().max(1) as u64;
            match self.assets.action(json, &self.leader.paid)? {
                Action::Orders { orders, earlier_ms } => self.later(
                    self.model.order_ms.saturating_sub(earlier_ms),
                    Happening::Match { post: attempt.post_id, orders },
                ),
                Action::Cancels(cloids) => {
                    self.later(self.model.order_ms, Happening::Cancel { post: attempt.post_id, cloids });
                }
                Action::Leverage { coin, leverage } => {
                    self.account.set_leverage(coin, leverage);
                    self.answer(attempt.post_id, DONE);
                }
                Action::Twap(asked) => {
                    self.later(self.model.order_ms, Happening::Twap { post: attempt.post_id, asked });
                }
                Action::TwapCancel { id } => {
                    self.later(self.model.order_ms, Happening::EndTwap { post: attempt.post_id, id });
                }
                Action::Nothing => self.answer(attempt.post_id, DONE),
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        let raw = |cash: i128| venue::usd(cash).raw();
        self.outcome.end_ms = self.now_ms;
        self.outcome.equity = raw(self.account.equity(&self.market, self.now_ms));
        self.outcome.most_gross = raw(self.account.most_gross);
        self.outcome.liquidations = self.account.liquidations;
        for (coin, tally) in self.account.tallies.iter().enumerate() {
            self.outcome.coins.push(CoinOutcome {
                size: self.account.position(coin),
                middle: self.market.middle(coin, self.now_ms),
                traded: raw(tally.traded),
                volume: raw(tally.volume),
                fees: raw(tally.fees),
                funding: raw(tally.funding),
                drift: raw(tally.drift),
                spread: raw(tally.spread),
                impact: raw(tally.impact),
            });
        }
    }
}
