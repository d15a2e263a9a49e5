//! A small venue and the shell's part, for tests that end a process at any record and start the next one.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    dead_code,
    reason = "test code, shared by several"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hlfast_core::event::{Event, SourceKind};
use hlfast_core::sign::{Secret, Signer};
use hlfast_host::journal::read_objects;
use hlfast_host::runtime::{Runtime, RuntimeError, Sending};
use serde_json::{Value, json};

pub const NOW_MS: u64 = 1_795_161_600_000;
pub const LEADER: &str = "0x1111111111111111111111111111111111111111";
pub const USER: u32 = 1;
pub const LANE: u32 = 2;

/// A directory of its own that goes with the test.
pub struct Home(pub PathBuf);

impl Home {
    pub fn new() -> Home {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hlfast-life-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Home(path)
    }

    /// Every object of the journal.
    pub fn objects(&self) -> Vec<Value> {
        let objects = read_objects(&self.0, 0, usize::MAX).unwrap();
        objects.iter().map(|object| serde_json::from_slice(object).unwrap()).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn key(follower: usize) -> Signer {
    let text = format!("{:064x}", 0x1234_5678_u64 + follower as u64);
    Signer::new(&Secret::parse_hex(text.as_bytes()).unwrap()).unwrap()
}

pub fn account(follower: usize) -> String {
    format!("0x{:040x}", 0x2000 + follower)
}

pub fn config(followers: usize, durability: &str) -> Vec<u8> {
    let follower = |i| {
        json!({"name": format!("F{i}"), "account": account(i), "agent": key(i).address().to_string(), "vault": false,
            "max_order_usd": null, "max_position_usd": null, "max_gross_usd": null})
    };
    let follow = |i| {
        json!({"leader": "lead", "follower": format!("F{i}"), "mode": "ratio", "ratio": "0.5", "weight": null,
            "notional_usd": null, "scale_adds": false, "existing": "ignore", "adopt_band_bps": null, "coins_allow": null,
            "coins_block": [], "min_value_usd": null, "max_value_usd": null, "max_order_usd": null,
            "max_position_usd": null, "max_age_ms": 2000, "entry_band_bps": 30, "reduce_band_bps": 100,
            "emergency_band_bps": 300})
    };
    json!({
        "network": "testnet",
        "venue": {"base_url": "http://127.0.0.1:1", "ws_url": null, "limits": "off", "dexs": []},
        "journal": {"directory": "unused", "durability": durability, "snapshot_every": 100_000},
        "leaders": [{"name": "lead", "address": LEADER}],
        "followers": (0..followers).map(follower).collect::<Vec<_>>(),
        "follows": (0..followers).map(follow).collect::<Vec<_>>(),
        "engine": {"user_connections": 1, "tape_connections": 1, "lane_connections": 1, "http_lane": false, "tape": false,
            "busy_poll": false, "presign": false, "pool_depth": 4, "ping_ms": 10_000, "stall_ms": 2_000,
            "reconcile_ms": 30_000},
        "keys": {"credentials_directory": null, "keystores": [], "env": [], "force_env_on_mainnet": false},
        "metrics": {"enabled": true, "host": "127.0.0.1", "port": 0}
    })
    .to_string()
    .into_bytes()
}

/// One action that the engine handed over, by its post.
#[derive(Debug, Clone)]
pub struct Post {
    pub id: u64,
    pub action: Value,
    pub nonce: u64,
}

/// What the venue does with a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Executes and answers.
    Answer,
    /// Executes; the answer is lost.
    LoseAnswer,
    /// Never arrives.
    LosePost,
}

/// The venue's books, per follower.
#[derive(Debug, Default, Clone)]
pub struct Venue {
    pub used: BTreeSet<(u64, u64)>,
    /// cloid → executed size.
    pub orders: BTreeMap<String, f64>,
    /// follower → size of ETH.
    pub positions: BTreeMap<u64, f64>,
    pub fills: Vec<Value>,
    pub leader_size: f64,
}

impl Venue {
    /// Takes a post of `follower` and answers its payload.
    pub fn take(&mut self, follower: u64, post: &Post) -> Value {
        if !self.used.insert((follower, post.nonce)) {
            return json!({"status": "err", "response": format!("Invalid nonce: duplicate nonce {}", post.nonce)});
        }
        if post.action["type"] == "noop" {
            return json!({"status": "ok", "response": {"type": "default"}});
        }
        let orders = post.action["orders"].as_array().unwrap();
        let statuses: Vec<Value> = orders.iter().map(|order| self.execute(follower, order)).collect();
        json!({"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}})
    }

    fn execute(&mut self, follower: u64, order: &Value) -> Value {
        let size: f64 = order["s"].as_str().unwrap().parse().unwrap();
        let signed = if order["b"].as_bool().unwrap() { size } else { -size };
        let position = self.positions.entry(follower).or_default();
        let cloid = order["c"].as_str().unwrap().to_owned();
        if order["r"].as_bool().unwrap() {
            assert!(*position * signed < 0.0 && size <= position.abs() + 1e-9, "a reduction of nothing");
        }
        *position += signed;
        assert!(self.orders.insert(cloid, size).is_none(), "a client id twice");
        json!({"filled": {"totalSz": order["s"], "avgPx": order["p"], "oid": 77}})
    }

    pub fn info(&self, request: &Value) -> Value {
        match request["type"].as_str().unwrap() {
            "clearinghouseState" => {
                let user = request["user"].as_str().unwrap();
                let size = match (0..16).find(|at| account(*at) == user) {
                    Some(follower) => self.positions.get(&(follower as u64)).copied().unwrap_or(0.0),
                    None => self.leader_size,
                };
                state(size)
            }
            "orderStatus" => match self.orders.get(request["oid"].as_str().unwrap()) {
                None => json!({"status": "unknownOid"}),
                Some(size) => {
                    let order = json!({"origSz": format!("{size:.4}"), "sz": "0.0"});
                    json!({"status": "order", "order": {"order": order, "status": "filled", "statusTimestamp": NOW_MS}})
                }
            },
            "userFillsByTime" => Value::Array(self.fills.clone()),
            other => panic!("asked for {other}"),
        }
    }

    /// The leader trades `size` (signed) of ETH; answers the row.
    pub fn leader_trades(&mut self, size: f64, time_ms: u64) -> Value {
        let tid = self.fills.len() as u64 + 1;
        let row = json!({"coin": "ETH", "px": "2000.0", "sz": format!("{:.4}", size.abs()), "side": if size > 0.0 { "B" } else { "A" },
            "time": time_ms, "startPosition": format!("{:.4}", self.leader_size), "dir": "Open Long", "closedPnl": "0.0",
            "hash": format!("0x{tid:064x}"), "oid": tid, "crossed": true, "fee": "0.1", "tid": tid, "feeToken": "USDC"});
        self.leader_size += size;
        self.fills.push(row.clone());
        row
    }
}

fn state(size: f64) -> Value {
    let position = json!({"coin": "ETH", "szi": format!("{size:.4}"), "entryPx": "2000.0", "unrealizedPnl": "0.0",
        "positionValue": format!("{:.2}", size.abs() * 2_000.0), "leverage": {"type": "cross", "value": 10}});
    let positions = if size.abs() < 1e-9 { vec![] } else { vec![json!({"type": "oneWay", "position": position})] };
    json!({"marginSummary": {"accountValue": "100000.0"}, "assetPositions": positions, "withdrawable": "1.0", "time": NOW_MS})
}

/// One process: the runtime and what the shell does for it.
pub struct Life {
    pub runtime: Runtime,
    pub home: PathBuf,
    pub now_ms: u64,
    pub posts: Vec<Post>,
}

impl Life {
    pub fn open(home: &Path, config: &[u8], now_ms: u64) -> Result<Life, RuntimeError> {
        #[cfg(feature = "planted")]
        hlfast_core::planted::plant_by_name(std::env::var("HLFAST_PLANTED").ok().as_deref()).unwrap();
        let mut runtime = Runtime::open(config, home, now_ms)?;
        let keys = (0..runtime.missing_keys().len()).map(|number| Arc::new(key(number))).collect();
        runtime.add_keys(keys);
        Ok(Life { runtime, home: home.to_owned(), now_ms, posts: Vec::new() })
    }

    pub fn boot(&mut self, venue: &Venue) {
        let meta = json!({"universe": [
            {"name": "BTC", "szDecimals": 5, "maxLeverage": 40}, {"name": "ETH", "szDecimals": 4, "maxLeverage": 25}]});
        self.give(&Event::Meta { body: meta.to_string().as_bytes() });
        self.give(&Event::SourceUp { source: LANE, kind: SourceKind::Lane });
        self.give(&Event::SourceUp { source: USER, kind: SourceKind::User });
        self.runtime.start(self.now_ms).unwrap();
        self.send();
        self.frame(USER, &fills(&venue.fills, true));
        self.answer_asks(venue);
    }

    pub fn give(&mut self, event: &Event<'_>) {
        self.runtime.handle(event, self.now_ms, 1).unwrap();
        self.send();
    }

    pub fn frame(&mut self, source: u32, frame: &Value) {
        self.give(&Event::Frame { source, bytes: frame.to_string().as_bytes() });
    }

    /// What the shell does after each call: wait for the disk if asked to, take the bytes, fetch the next chunk.
    pub fn send(&mut self) {
        loop {
            if self.runtime.needs_sync() {
                self.runtime.sync().unwrap();
            }
            assert!(!self.runtime.needs_sync());
            self.posts.extend(self.runtime.dispatch().iter().flat_map(posts));
            if !self.runtime.has_more() {
                return;
            }
            self.runtime.handle(&Event::Continue, self.now_ms, 0).unwrap();
        }
    }

    pub fn answer(&mut self, post: &Post, payload: &Value) {
        let response = json!({"type": "action", "payload": payload});
        self.frame(LANE, &json!({"channel": "post", "data": {"id": post.id, "response": response}}));
    }

    pub fn answer_asks(&mut self, venue: &Venue) {
        for _ in 0..100 {
            let asks = self.runtime.take_asks();
            if asks.is_empty() {
                return;
            }
            for ask in asks {
                let ask: Value = serde_json::from_slice(&ask).unwrap();
                let Some(token) = ask["token"].as_u64() else { continue };
                let body = venue.info(&ask["request"]).to_string();
                self.give(&Event::Info { token, status: 200, body: body.as_bytes() });
            }
        }
        panic!("the core never stops asking");
    }

    pub fn tick(&mut self, by_ms: u64) {
        self.now_ms += by_ms;
        self.runtime.tick(self.now_ms).unwrap();
        self.send();
    }
}

pub fn fills(rows: &[Value], snapshot: bool) -> Value {
    let mut data = json!({"user": LEADER, "fills": rows});
    if snapshot {
        data["isSnapshot"] = json!(true);
    }
    json!({"channel": "userFills", "data": data})
}

/// The posts in a write, read as the venue reads them: unmasked, then as JSON.
fn posts(sending: &Sending) -> Vec<Post> {
    assert_eq!((sending.lane, sending.post_id), (LANE, 0));
    let mut rest = sending.bytes.as_slice();
    let mut posts = Vec::new();
    while !rest.is_empty() {
        assert_eq!((rest[0], rest[1] & 0x80), (0x81, 0x80), "a whole masked text frame");
        let (header, length) = match rest[1] & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => panic!("longer than an order's frame"),
            short => (2, usize::from(short)),
        };
        let mask = &rest[header..header + 4];
        let body = &rest[header + 4..header + 4 + length];
        let text: Vec<u8> = body.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        let value: Value = serde_json::from_slice(&text).unwrap();
        let payload = &value["request"]["payload"];
        posts.push(Post {
            id: value["id"].as_u64().unwrap(),
            action: payload["action"].clone(),
            nonce: payload["nonce"].as_u64().unwrap(),
        });
        rest = &rest[header + 4 + length..];
    }
    posts
}
