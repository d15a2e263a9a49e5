//! Any history of leaders' fills, answers, reads, lost lanes and restarts: no panic, receipts without gaps, nonces that rise, one
//! digest a nonce but for its fence, and no command without a record.
#![no_main]
use std::collections::HashMap;

use hlfast_core::commands::{Ask, AttemptKind, Commands};
use hlfast_core::config::Config;
use hlfast_core::engine::Engine;
use hlfast_core::event::{Event, SourceKind};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const START_MS: u64 = 1_795_161_600_000;
const COINS: [&str; 3] = ["SOL", "ETH", "xyz:NONE"];
const TEXTS: [&str; 6] = [
    "Order could not immediately match against any resting orders. asset=1",
    "Insufficient margin to place order.",
    "Invalid nonce: duplicate nonce 7",
    "Action already expired",
    "Too many cumulative requests sent (1 > 0)",
    "Nobody has said this before",
];

fn address(number: usize) -> String {
    format!("0x{number:040x}")
}

fn config() -> Config {
    let follower = |at: usize| {
        json!({"name": format!("F{at}"), "account": address(0x2000 + at), "agent": address(0x3000 + at), "vault": at == 1,
            "max_order_usd": null, "max_position_usd": if at == 1 { json!("900") } else { Value::Null }, "max_gross_usd": null,
            "leverage": if at == 0 { json!("mirror") } else { json!(3) },
            "disaster_stop_bps": if at == 0 { json!(1_000) } else { Value::Null }})
    };
    let follow = |leader: usize, at: usize| {
        json!({"leader": format!("L{leader}"), "follower": format!("F{at}"), "mode": "ratio", "ratio": "0.5", "weight": null,
            "notional_usd": null, "scale_adds": false, "existing": "adopt", "adopt_band_bps": null, "coins_allow": null,
            "coins_block": [], "min_value_usd": null, "max_value_usd": null, "max_order_usd": null, "max_position_usd": null,
            "max_age_ms": 2000, "entry_band_bps": 30, "reduce_band_bps": 100, "emergency_band_bps": 300})
    };
    let leader = |at: usize| json!({"name": format!("L{at}"), "address": address(0x1000 + at)});
    let json = json!({
        "network": "testnet",
        "venue": {"base_url": "http://127.0.0.1:1", "ws_url": null, "limits": "venue", "dexs": []},
        "journal": {"directory": "journal", "durability": "durable", "snapshot_every": 100000},
        "leaders": [leader(0), leader(1)], "followers": [follower(0), follower(1)],
        "follows": [follow(0, 0), follow(1, 0), follow(0, 1)],
        "engine": {"user_connections": 2, "tape_connections": 2, "lane_connections": 2, "http_lane": true, "tape": true,
            "busy_poll": false, "presign": true, "pool_depth": 16, "ping_ms": 10000, "stall_ms": 2000, "reconcile_ms": 30000},
        "keys": {"credentials_directory": null, "keystores": [], "env": [], "force_env_on_mainnet": false},
        "metrics": {"enabled": true, "host": "127.0.0.1", "port": 9464}
    });
    Config::from_json(json.to_string().as_bytes()).expect("the settings are right")
}

struct World {
    engine: Engine,
    out: Commands,
    now_ms: u64,
    tid: u64,
    held: [i64; 6],
    posts: Vec<(u64, usize)>,
    asks: Vec<(u64, Value)>,
    receipts: u64,
    last: [u64; 2],
    digests: HashMap<(u32, u64), [u8; 32]>,
}

impl World {
    fn step(&mut self, event: &Event<'_>) {
        self.engine.step(event, self.now_ms, 0, &mut self.out);
        let out = std::mem::take(&mut self.out);
        assert!(out.changed || (out.attempts.is_empty() && out.receipts.is_empty()), "commands without a record");
        for attempt in &out.attempts {
            let key = (attempt.signer, attempt.nonce);
            match attempt.kind {
                AttemptKind::Open
                | AttemptKind::Reduce
                | AttemptKind::Stop
                | AttemptKind::Cancel
                | AttemptKind::Setup => {
                    let last = &mut self.last[attempt.signer as usize];
                    assert!(attempt.nonce > *last, "nonces rise");
                    *last = attempt.nonce;
                    self.digests.insert(key, attempt.digest);
                }
                AttemptKind::Resend => assert_eq!(self.digests[&key], attempt.digest, "another digest under one nonce"),
                AttemptKind::Fence => assert!(self.digests.contains_key(&key), "a fence of nothing"),
            }
            self.posts.push((attempt.post_id, attempt.cloids.len()));
        }
        for receipt in &out.receipts {
            self.receipts += 1;
            assert_eq!(receipt.number, self.receipts);
        }
        for ask in &out.asks {
            if let Ask::Info { token, body, .. } = ask {
                self.asks.push((*token, serde_json::from_slice(body).expect("questions are JSON")));
            }
        }
        assert_eq!(self.engine.contradiction(), None);
        if out.more {
            self.step(&Event::Continue);
        }
    }

    fn trade(&mut self, a: u8, b: u8) {
        let (leader, coin) = (usize::from(a % 2), usize::from(a / 2 % 3));
        let lots = i64::from(b) - 128;
        if lots == 0 {
            return;
        }
        self.tid += 1;
        let held = &mut self.held[leader * 3 + coin];
        // Now and then a fill is lost on its way.
        let start = if a > 250 { *held + 1 } else { *held };
        *held = start + lots;
        let row = json!({"coin": COINS[coin], "px": "100", "sz": lots.abs().to_string(), "side": if lots > 0 { "B" } else { "A" },
            "time": self.now_ms, "startPosition": start.to_string(), "tid": self.tid, "dir": "x", "closedPnl": "0", "hash": "0x",
            "oid": 1, "crossed": true, "fee": "0", "feeToken": "USDC"});
        let frame = json!({"channel": "userFills", "data": {"user": address(0x1000 + leader), "fills": [row]}});
        self.step(&Event::Frame { source: 2, bytes: frame.to_string().as_bytes() });
    }

    fn answer(&mut self, a: u8, b: u8) {
        if self.posts.is_empty() {
            return;
        }
        let (post, orders) = self.posts.remove(usize::from(a) % self.posts.len());
        let error = TEXTS[usize::from(b) % TEXTS.len()];
        let status = |at: usize| match (usize::from(b) + at) % 4 {
            0 => json!({"error": error}),
            _ => json!({"filled": {"totalSz": format!("{}", 1 + b % 20), "avgPx": "100", "oid": 9}}),
        };
        let payload = match b % 8 {
            0 => json!({"status": "err", "response": error}),
            1 => json!({"status": "ok", "response": {"type": "default"}}),
            _ => {
                let statuses: Vec<Value> = (0..orders + usize::from(b % 31 == 0)).map(status).collect();
                json!({"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}})
            }
        };
        let frame =
            json!({"channel": "post", "data": {"id": post, "response": {"type": "action", "payload": payload}}});
        self.step(&Event::Frame { source: 1, bytes: frame.to_string().as_bytes() });
    }

    fn read(&mut self, a: u8, b: u8) {
        if self.asks.is_empty() {
            return;
        }
        let (token, request) = self.asks.remove(usize::from(a) % self.asks.len());
        let answer = match request["type"].as_str() {
            Some("clearinghouseState") => {
                let rows = match b % 4 {
                    0 => {
                        json!([{"type": "oneWay", "position": {"coin": "SOL", "szi": (i64::from(b) - 90).to_string(), "entryPx": "99",
                        "positionValue": "100", "unrealizedPnl": "1", "leverage": {"type": "cross", "value": 3}}}])
                    }
                    _ => json!([]),
                };
                json!({"marginSummary": {"accountValue": "10000"}, "assetPositions": rows, "time": self.now_ms})
            }
            Some("orderStatus") if b % 2 == 0 => json!({"status": "unknownOid"}),
            Some("orderStatus") => {
                json!({"status": "order", "order": {"order": {"origSz": "5", "sz": "1"}, "status": "canceled",
                "statusTimestamp": self.now_ms}})
            }
            Some("userRateLimit") => json!({"cumVlm": "0", "nRequestsUsed": 50 * i64::from(b), "nRequestsCap": 10_000}),
            _ => json!([]),
        };
        let status = if b > 250 { 500 } else { 200 };
        self.step(&Event::Info { token, status, body: answer.to_string().as_bytes() });
    }

    fn open(&mut self) {
        let universe: Vec<Value> = COINS
            .iter()
            .take(2)
            .map(|name| json!({"name": name, "szDecimals": 2, "maxLeverage": 10, "isDelisted": false}))
            .collect();
        self.step(&Event::Meta { body: json!({ "universe": universe }).to_string().as_bytes() });
        for source in [1, 4] {
            self.step(&Event::SourceUp { source, kind: SourceKind::Lane });
        }
        self.step(&Event::Start);
    }

    fn act(&mut self, [kind, a, b]: [u8; 3]) {
        match kind % 16 {
            0..=5 => self.trade(a, b),
            6..=8 => self.answer(a, b),
            9..=10 => self.read(a, b),
            11 | 12 => {
                self.now_ms += u64::from(a) * u64::from(b % 16 + 1);
                self.step(&Event::Tick);
            }
            13 => {
                let source = if a % 2 == 0 { 1 } else { 4 };
                self.step(&Event::SourceDown { source });
                if b % 4 != 0 {
                    self.step(&Event::SourceUp { source, kind: SourceKind::Lane });
                }
            }
            14 if a < 40 => {
                self.posts.clear();
                self.asks.clear();
                self.step(&Event::Reopen);
                self.open();
            }
            _ => {
                let price = |ticks: u8| format!("{}.{:02}", 90 + ticks / 16, ticks % 100);
                let bbo = json!({"channel": "bbo", "data": {"coin": "SOL", "time": self.now_ms,
                    "bbo": [{"px": price(a), "sz": "1", "n": 1}, {"px": price(b), "sz": "1", "n": 1}]}});
                self.step(&Event::Frame { source: 3, bytes: bbo.to_string().as_bytes() });
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let engine = Engine::new(config()).expect("the settings are right");
    let mut world = World {
        engine,
        out: Commands::default(),
        now_ms: START_MS,
        tid: 0,
        held: [0; 6],
        posts: Vec::new(),
        asks: Vec::new(),
        receipts: 0,
        last: [0; 2],
        digests: HashMap::new(),
    };
    world.open();
    for act in input.as_chunks::<3>().0.iter().take(64) {
        world.act(*act);
    }
});
