//! A small venue for tests of the engine: it answers reads, fills orders at their limit, and checks what must never happen.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    missing_docs,
    reason = "test code"
)]

mod answers;
pub mod crowd;
mod digest;
mod markets;
mod operator;
mod restart;
mod resting;
mod settings;
mod twaps;

use std::collections::{BTreeMap, HashSet};

use hlfast_core::commands::{Alert, Ask, Attempt, AttemptKind, Commands, Outcome, Receipt, TwapSlice};
use hlfast_core::config::Config;
use hlfast_core::engine::Engine;
use hlfast_core::event::{Event, FrameClass, SourceKind};
use hlfast_core::num::{Pos, Px};
use serde_json::{Value, json};

pub use answers::Figures;
pub use resting::RestingStop;
pub use settings::*;
pub use twaps::VenueTwap;
use twaps::is_twap;

pub const NOW: u64 = 1_795_161_600_000;

/// One recorded step, for replay.
pub struct Step {
    pub event: OwnedEvent,
    pub now_ms: u64,
    pub context: Vec<u8>,
    pub digests: Vec<[u8; 32]>,
    pub receipts: usize,
    pub twap_slices: Vec<TwapSlice>,
}

#[derive(Clone)]
pub enum OwnedEvent {
    Frame(u32, Vec<u8>),
    Continue,
    Http(u64, u16, Vec<u8>),
    Info(u64, u16, Vec<u8>),
    Meta(Vec<u8>),
    Up(u32, SourceKind),
    Down(u32),
    Reopen,
    Start,
    Tick,
    StopSigner(u32),
    Operate(Vec<u8>),
}

impl OwnedEvent {
    pub fn borrow(&self) -> Event<'_> {
        match self {
            OwnedEvent::Frame(source, bytes) => Event::Frame { source: *source, bytes },
            OwnedEvent::Continue => Event::Continue,
            OwnedEvent::Http(post_id, status, body) => Event::HttpAnswer { post_id: *post_id, status: *status, body },
            OwnedEvent::Info(token, status, body) => Event::Info { token: *token, status: *status, body },
            OwnedEvent::Meta(body) => Event::Meta { body },
            OwnedEvent::Up(source, kind) => Event::SourceUp { source: *source, kind: *kind },
            OwnedEvent::Down(source) => Event::SourceDown { source: *source },
            OwnedEvent::Reopen => Event::Reopen,
            OwnedEvent::Start => Event::Start,
            OwnedEvent::Tick => Event::Tick,
            OwnedEvent::StopSigner(signer) => Event::StopSigner { signer: *signer },
            OwnedEvent::Operate(request) => Event::Operate { request },
        }
    }
}

/// An order as the venue sees it.
#[derive(Debug, Clone)]
pub struct SentOrder {
    pub coin: String,
    pub is_buy: bool,
    pub price: i64,
    pub size: i64,
    pub reduce_only: bool,
    pub cloid: String,
    /// The price that wakes a stop; 0: it is none.
    pub trigger: i64,
    /// Waits in the book.
    pub passive: bool,
}

#[derive(Debug, Clone)]
pub struct Sent {
    pub attempt: Attempt,
    pub orders: Vec<SentOrder>,
    pub action: Value,
}

/// What the venue does with an action.
#[derive(Clone)]
pub enum Reply {
    Fill,
    Part(f64),
    Text(&'static str),
    Refuse(&'static str),
    /// Refuses actions that have this part, and fills the others.
    RefuseWith(&'static str, &'static str),
    /// Refuses orders of this coin, and fills the others.
    RefuseCoin(&'static str, &'static str),
    Silence,
    /// Executes, but the answer is lost.
    Lost,
}

pub struct World {
    pub engine: Engine,
    pub out: Commands,
    pub now: u64,
    pub steps: Vec<Step>,
    pub sent: Vec<Sent>,
    pub queue: Vec<Sent>,
    pub receipts: Vec<Receipt>,
    pub twap_slices: Vec<TwapSlice>,
    pub alerts: Vec<Alert>,
    pub reply: Reply,
    /// (follower account, coin) → position.
    pub positions: BTreeMap<(String, String), i64>,
    pub leader_positions: BTreeMap<(String, String), i64>,
    pub used: HashSet<(u32, u64)>,
    pub cloids: BTreeMap<String, (i64, i64)>,
    /// Stops that the venue holds or held, in the order of their coming.
    pub stops: Vec<RestingStop>,
    /// By client id, what waits or waited in the book: account, order, whether it still does.
    pub passive: BTreeMap<String, (String, SentOrder, bool)>,
    /// What the venue calls an order that rests no more, and was not executed whole.
    pub gone: &'static str,
    /// TWAPs that the venue runs or ran, in the order of their coming.
    pub twaps: Vec<VenueTwap>,
    /// Their slices: account, time, row.
    pub slices: Vec<(String, u64, Value)>,
    pub equity: BTreeMap<String, String>,
    /// (account, coin) → margin mode and leverage; others have the venue's own.
    pub leverages: BTreeMap<(String, String), (&'static str, u64)>,
    /// Asset id → coin, beyond the main dex.
    pub listed: BTreeMap<u64, String>,
    /// Account → its dollars on spot.
    pub dollars: BTreeMap<String, &'static str>,
    /// Spot pair → its price, where that is not the usual one.
    pub mids: BTreeMap<String, &'static str>,
    pub answer_reads: bool,
    /// What the venue says of leaders' fills; `None`: it fails to.
    pub history: Option<Vec<Value>>,
    /// What the venue says of each account's requests.
    pub requests_left: i64,
    pub subscriptions: Vec<Value>,
    /// Connections that were to be dialled again, each with a leader of whom it was silent.
    pub dropped: Vec<(u32, u32)>,
    /// What the engine used of the venue's budget: time, weight, messages.
    pub spent: Vec<(u64, u64, u64)>,
    pub pending_info: Vec<(u64, Value)>,
    /// What the last operator's request was answered with.
    pub answer: Vec<u8>,
    pub figures: Figures,
    /// Steps taken, whether they changed anything or not.
    pub events: u64,
    pub coins: Vec<String>,
    /// Every read that was asked for: token and request.
    pub reads: Vec<(u64, Value)>,
    /// The settings that it began with.
    pub first: Config,
    next_tid: u64,
}

impl World {
    pub fn cold(leaders: usize, followers: &[Value], follows: &[Value], limits: &str) -> World {
        World::of(&config_json(leaders, followers, follows, limits))
    }

    /// Of whole settings.
    pub fn of(config: &Value) -> World {
        #[cfg(feature = "planted")]
        hlfast_core::planted::plant_by_name(std::env::var("HLFAST_PLANTED").ok().as_deref()).unwrap();
        let config = Config::from_json(config.to_string().as_bytes()).unwrap();
        World {
            first: config.clone(),
            engine: Engine::new(config).unwrap(),
            out: Commands::default(),
            now: NOW,
            steps: Vec::new(),
            sent: Vec::new(),
            queue: Vec::new(),
            receipts: Vec::new(),
            twap_slices: Vec::new(),
            alerts: Vec::new(),
            reply: Reply::Fill,
            positions: BTreeMap::new(),
            leader_positions: BTreeMap::new(),
            used: HashSet::new(),
            cloids: BTreeMap::new(),
            stops: Vec::new(),
            passive: BTreeMap::new(),
            gone: "canceled",
            twaps: Vec::new(),
            slices: Vec::new(),
            equity: BTreeMap::new(),
            leverages: BTreeMap::new(),
            listed: BTreeMap::new(),
            dollars: BTreeMap::new(),
            mids: BTreeMap::new(),
            answer_reads: true,
            history: Some(Vec::new()),
            requests_left: 9_000,
            subscriptions: Vec::new(),
            dropped: Vec::new(),
            spent: Vec::new(),
            pending_info: Vec::new(),
            answer: Vec::new(),
            figures: Figures::default(),
            events: 0,
            reads: Vec::new(),
            coins: ["BTC", "ETH", "SOL", "kPEPE", "OLDX"].map(str::to_owned).to_vec(),
            next_tid: 1,
        }
    }

    /// Started, accounts read, baselines taken.
    pub fn new(leaders: usize, followers: &[Value], follows: &[Value]) -> World {
        World::with_leader(leaders, followers, follows, &[])
    }

    /// As `new`, with leaders that hold positions before copying begins: (leader, coin, size).
    pub fn with_leader(leaders: usize, followers: &[Value], follows: &[Value], held: &[(usize, &str, &str)]) -> World {
        let mut world = World::cold(leaders, followers, follows, "off");
        for (leader, coin, size) in held {
            world.leader_positions.insert((leader_address(*leader), (*coin).to_owned()), pos(size));
        }
        world.boot(leaders);
        world
    }

    pub fn meta(&mut self) {
        let decimals = [5, 4, 2, 0, 1];
        let universe: Vec<Value> = self
            .coins
            .iter()
            .zip(decimals.into_iter().chain(std::iter::repeat(2)))
            .map(|(name, d)| json!({"name": name, "szDecimals": d, "maxLeverage": 10, "isDelisted": name == "OLDX"}))
            .collect();
        self.step(OwnedEvent::Meta(json!({ "universe": universe }).to_string().into_bytes()));
    }

    pub fn step(&mut self, event: OwnedEvent) -> FrameClass {
        self.events += 1;
        let class = self.engine.step(&event.borrow(), self.now, 0, &mut self.out);
        let out = std::mem::take(&mut self.out);
        if out.changed {
            self.steps.push(Step {
                event,
                now_ms: self.now,
                context: out.context.clone(),
                digests: out.attempts.iter().map(|a| a.digest).collect(),
                receipts: out.receipts.len(),
                twap_slices: out.twap_slices.clone(),
            });
        } else {
            assert!(
                out.attempts.is_empty()
                    && out.receipts.is_empty()
                    && out.twap_slices.is_empty()
                    && out.asks.iter().all(Ask::is_unrecorded),
                "an unchanged step has commands"
            );
        }
        let more = out.more;
        self.take(out);
        if more {
            self.step(OwnedEvent::Continue);
        }
        class
    }

    fn take(&mut self, out: Commands) {
        if !out.answer.is_empty() {
            self.answer.clone_from(&out.answer);
        }
        for attempt in &out.attempts {
            let json: Value = serde_json::from_slice(&out.bytes[attempt.action.clone()]).unwrap();
            assert_eq!(
                attempt.digest,
                digest::digest_of(attempt, &json),
                "signed over something else than what is sent"
            );
            let orders = self.read_orders(attempt, &json);
            assert_eq!(orders.len(), attempt.cloids.len());
            self.check(attempt, &orders, &json);
            self.spent.push((self.now, 1 + orders.len() as u64 / 40, 1));
            let sent = Sent { attempt: attempt.clone(), orders, action: json };
            self.sent.push(sent.clone());
            self.queue.push(sent);
        }
        self.alerts.extend(out.alerts);
        self.twap_slices.extend(out.twap_slices);
        for receipt in &out.receipts {
            assert_eq!(receipt.number as usize, self.receipts.len() + 1, "receipts are numbered without gaps");
            self.receipts.push(receipt.clone());
        }
        for ask in out.asks {
            match ask {
                Ask::Subscribe { body } => self.subscriptions.push(serde_json::from_slice(&body).unwrap()),
                Ask::Reconnect { source, leader } => self.dropped.push((source, leader)),
                Ask::Info { token, body, weight } => {
                    self.spent.push((self.now, weight.into(), 0));
                    let request: Value = serde_json::from_slice(&body).unwrap();
                    self.reads.push((token, request.clone()));
                    if self.answer_reads {
                        let answer = self.info(&request);
                        self.pending_info.push((token, answer));
                    }
                }
            }
        }
    }
}

impl World {
    /// What must hold for every action ever sent.
    fn check(&mut self, attempt: &Attempt, orders: &[SentOrder], action: &Value) {
        if attempt.kind == AttemptKind::Fence {
            assert!(
                self.sent.iter().any(|s| s.attempt.nonce == attempt.nonce && s.attempt.signer == attempt.signer),
                "a fence of nothing"
            );
            return;
        }
        if attempt.kind == AttemptKind::Resend {
            let mut same = self.sent.iter().filter(|s| s.attempt.digest == attempt.digest);
            let first = same.next().expect("a resend of nothing");
            assert!(same.next().is_none(), "sent a third time");
            assert_ne!(first.attempt.lane, attempt.lane, "over the same lane");
            assert!(orders.iter().map(|o| &o.cloid).eq(first.orders.iter().map(|o| &o.cloid)));
            return;
        }
        let fresh = !self.sent.iter().any(|s| s.attempt.signer == attempt.signer && s.attempt.nonce == attempt.nonce);
        assert!(fresh, "nonce {} twice", attempt.nonce);
        let orders_of = |s: &&Sent| s.attempt.signer == attempt.signer && s.attempt.kind != AttemptKind::Fence;
        let last = self.sent.iter().rfind(orders_of);
        assert!(last.is_none_or(|s| s.attempt.nonce < attempt.nonce), "nonces rise");
        if is_twap(action) {
            self.check_twap(attempt, action);
            return;
        }
        assert_eq!(orders.is_empty(), attempt.kind == AttemptKind::Setup);
        for order in orders {
            let known = self.sent.iter().any(|s| s.orders.iter().any(|o| o.cloid == order.cloid));
            assert_eq!(known, attempt.kind == AttemptKind::Cancel, "a client id twice, or a cancel of nothing");
            assert!(order.size > 0);
        }
    }

    /// Tokens of the reads of a kind, oldest first.
    pub fn asked(&self, kind: &str) -> Vec<u64> {
        self.reads.iter().filter(|(_, request)| request["type"] == kind).map(|(token, _)| *token).collect()
    }

    pub fn account(&self, follower: u32) -> String {
        account_address(follower as usize)
    }

    pub fn position(&self, follower: usize, coin: &str) -> i64 {
        self.positions.get(&(account_address(follower), coin.to_owned())).copied().unwrap_or(0)
    }

    /// The venue takes an action: executes it or not, and says so or not.
    pub fn serve(&mut self, sent: Sent) {
        let reply = if sent.attempt.kind == AttemptKind::Fence && matches!(self.reply, Reply::Silence | Reply::Lost) {
            Reply::Fill
        } else {
            self.reply.clone()
        };
        let post = sent.attempt.post_id;
        let is_stop = matches!(sent.attempt.kind, AttemptKind::Stop | AttemptKind::Cancel);
        let answer = match reply {
            Reply::Silence => return,
            Reply::Refuse(text) => json!({"status": "err", "response": text}),
            Reply::RefuseWith(part, text) if sent.action.pointer(part).is_some() => {
                json!({"status": "err", "response": text})
            }
            _ if !self.used.insert((sent.attempt.signer, sent.attempt.nonce)) => {
                json!({"status": "err", "response": format!("Invalid nonce: duplicate nonce {}", sent.attempt.nonce)})
            }
            ref reply if is_twap(&sent.action) => self.take_twap(&sent, reply),
            Reply::Text(text) if sent.attempt.kind == AttemptKind::Setup => json!({"status": "err", "response": text}),
            _ if sent.orders.is_empty() => self.take_setup(&sent),
            ref reply if is_stop => self.take_stop(&sent, reply),
            ref reply => {
                let statuses: Vec<Value> =
                    sent.orders.iter().map(|order| self.execute(&sent.attempt, order, reply)).collect();
                json!({"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}})
            }
        };
        if matches!(reply, Reply::Lost) && (!sent.orders.is_empty() || is_twap(&sent.action)) {
            return;
        }
        let frame = json!({"channel": "post", "data": {"id": post, "response": {"type": "action", "payload": answer}}});
        self.step(OwnedEvent::Frame(1, frame.to_string().into_bytes()));
    }

    fn take_setup(&mut self, sent: &Sent) -> Value {
        if sent.attempt.kind == AttemptKind::Setup {
            let (kind, value) = (&sent.action["isCross"], sent.action["leverage"].as_u64().unwrap());
            let coin = self.coin_of(sent.action["asset"].as_u64().unwrap());
            let account = self.account(sent.attempt.follower);
            assert_eq!(
                self.positions.get(&(account.clone(), coin.clone())).copied().unwrap_or(0),
                0,
                "on an open position"
            );
            self.leverages.insert((account, coin), (if *kind == json!(true) { "cross" } else { "isolated" }, value));
        }
        json!({"status": "ok", "response": {"type": "default"}})
    }

    fn execute(&mut self, attempt: &Attempt, order: &SentOrder, reply: &Reply) -> Value {
        let refusal = match reply {
            Reply::Text(text) => Some(text),
            Reply::RefuseCoin(coin, text) if order.coin == *coin => Some(text),
            _ => None,
        };
        if let Some(text) = refusal {
            self.cloids.insert(order.cloid.clone(), (order.size, 0));
            return json!({"error": text});
        }
        if order.passive {
            return self.take_passive(attempt, order);
        }
        let key = (self.account(attempt.follower), order.coin.clone());
        let position = self.positions.entry(key).or_default();
        let mut size = match reply {
            Reply::Part(share) => (order.size as f64 * share) as i64 / 1_000_000 * 1_000_000,
            _ => order.size,
        };
        if order.reduce_only {
            if *position == 0 || (*position > 0) == order.is_buy {
                return json!({"error": "Reduce only order would increase position."});
            }
            size = size.min(position.abs());
        }
        if let Some(fault) = World::spot_fault(order, *position) {
            return fault;
        }
        let before = *position;
        *position += markets::moved(&order.coin, order.is_buy, size);
        if order.reduce_only {
            assert!(position.abs() <= before.abs(), "a reduction that grows");
        }
        self.cloids.insert(order.cloid.clone(), (order.size, size));
        if size == 0 {
            return json!({"error": "Order could not immediately match against any resting orders. asset=1"});
        }
        json!({"filled": {"totalSz": Pos::from_raw(size).to_string(), "avgPx": Px::from_raw(order.price).to_string(), "oid": 7}})
    }

    /// Serves everything until nothing moves; time stands still.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some((token, answer)) = self.pending_info.pop() {
                let status = if answer.is_null() { 502 } else { 200 };
                self.step(OwnedEvent::Info(token, status, answer.to_string().into_bytes()));
            } else if !self.queue.is_empty() {
                let sent = self.queue.remove(0);
                self.serve(sent);
            } else {
                return;
            }
        }
        panic!("no end");
    }

    /// Lets time pass in steps of 20 ms, serving everything.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now += 20;
            self.step(OwnedEvent::Tick);
            self.settle();
        }
    }

    pub fn fill_row(&mut self, coin: &str, side: &str, px: &str, sz: &str, start: &str) -> Value {
        self.next_tid += 1;
        json!({"coin": coin, "px": px, "sz": sz, "side": side, "time": self.now, "startPosition": start, "dir": "x", "closedPnl": "0.0",
            "hash": "0x0000000000000000000000000000000000000000000000000000000000000000", "oid": 5, "crossed": true, "fee": "0.1",
            "tid": self.next_tid, "feeToken": "USDC", "twapId": null})
    }

    pub fn fills_frame(leader: usize, rows: &[Value], snapshot: bool) -> Vec<u8> {
        let rows: Vec<String> = rows.iter().map(answers::in_wire_order).collect();
        let snapshot = if snapshot { "\"isSnapshot\":true," } else { "" };
        let (user, rows) = (leader_address(leader), rows.join(","));
        format!("{{\"channel\":\"userFills\",\"data\":{{{snapshot}\"user\":\"{user}\",\"fills\":[{rows}]}}}}")
            .into_bytes()
    }

    pub fn snapshot(&mut self, leader: usize, rows: &[Value]) {
        self.step(OwnedEvent::Frame(2, World::fills_frame(leader, rows, true)));
    }

    /// A leader trades; position follows. Nothing is served yet.
    pub fn leader_trades(&mut self, leader: usize, coin: &str, side: &str, px: &str, sz: &str) -> Value {
        let key = (leader_address(leader), coin.to_owned());
        let start = self.leader_positions.get(&key).copied().unwrap_or(0);
        let row = self.fill_row(coin, side, px, sz, &Pos::from_raw(start).to_string());
        let size = pos(sz);
        self.leader_positions.insert(key, start + markets::moved(coin, side == "B", size));
        row
    }

    /// A leader trades and everybody answers.
    pub fn leader_fill(&mut self, leader: usize, coin: &str, side: &str, px: &str, sz: &str) {
        let row = self.leader_trades(leader, coin, side, px, sz);
        self.step(OwnedEvent::Frame(2, World::fills_frame(leader, &[row], false)));
        self.settle();
    }

    pub fn outcomes(&self) -> Vec<(Outcome, &'static str)> {
        self.receipts.iter().map(|r| (r.outcome, r.reason.name())).collect()
    }

    /// Each fill × edge has exactly one receipt.
    pub fn assert_receipts(&self, fills: usize, edges: usize) {
        let mut keys: Vec<_> = self.receipts.iter().map(|r| (r.leader, r.follow, r.coin, r.time_ms, r.tid)).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(all, keys.len(), "a fill has two receipts on one edge");
        assert_eq!(all, fills * edges, "fills × edges = receipts: {:?}", self.outcomes());
    }

    /// No 60 seconds hold more than the venue allows.
    pub fn assert_budget(&self) {
        for (from, ..) in &self.spent {
            let minute = self.spent.iter().filter(|(at, ..)| (*from..=from + 60_000).contains(at));
            let (weight, messages) = minute.fold((0, 0), |(w, m), (_, weight, messages)| (w + weight, m + messages));
            assert!(weight <= 1_200, "weight {weight} in the minute from {from}");
            assert!(messages <= 2_000, "{messages} messages in the minute from {from}");
        }
    }

    /// Replays all journalled steps in a new engine: the same digests, the same receipts, the same state.
    pub fn assert_replay(&self) {
        let mut other = Engine::new(self.first.clone()).unwrap();
        let mut out = Commands::default();
        for (at, step) in self.steps.iter().enumerate() {
            // A snapshot may lie between any two steps, also within a fan-out.
            if at % 7 == 3 {
                let mut snapshot = Vec::new();
                other.encode_state(&mut snapshot);
                other = Engine::new(other.config().clone()).unwrap();
                other.decode_state(&snapshot).unwrap();
            }
            other.restore_context(&step.context).unwrap();
            other.step(&step.event.borrow(), step.now_ms, 0, &mut out);
            let digests: Vec<[u8; 32]> = out.attempts.iter().map(|a| a.digest).collect();
            assert_eq!(digests, step.digests, "step {at}");
            assert_eq!(out.receipts.len(), step.receipts, "step {at}");
            assert_eq!(out.twap_slices, step.twap_slices, "step {at}");
        }
        let (mut a, mut b) = (Vec::new(), Vec::new());
        self.engine.encode_state(&mut a);
        other.encode_state(&mut b);
        assert_eq!(a, b, "state after replay");
        let mut third = Engine::new(self.engine.config().clone()).unwrap();
        third.decode_state(&a).unwrap();
        let mut c = Vec::new();
        third.encode_state(&mut c);
        assert_eq!(a, c, "state after decode");
    }
}

pub fn pos(text: &str) -> i64 {
    text.parse::<Pos>().unwrap().raw()
}

pub fn px(text: &str) -> i64 {
    text.parse::<Px>().unwrap().raw()
}
