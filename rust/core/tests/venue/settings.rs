//! Settings for the engine under test: everything off that a test does not ask for.
use serde_json::{Value, json};

pub fn leader_address(i: usize) -> String {
    format!("0x{:040x}", 0x1000 + i)
}
pub fn account_address(i: usize) -> String {
    format!("0x{:040x}", 0x2000 + i)
}
pub fn agent_address(i: usize) -> String {
    format!("0x{:040x}", 0x3000 + i)
}

pub fn follow(leader: usize, follower: usize, extra: Value) -> Value {
    let mut base = json!({
        "leader": format!("L{leader}"), "follower": format!("F{follower}"), "mode": "ratio", "ratio": "0.5", "weight": null,
        "notional_usd": null, "scale_adds": false, "existing": "ignore", "adopt_band_bps": null, "coins_allow": null, "coins_block": [],
        "min_value_usd": null, "max_value_usd": null, "max_order_usd": null, "max_position_usd": null, "max_age_ms": 2000,
        "entry_band_bps": 30, "reduce_band_bps": 100, "emergency_band_bps": 300
    });
    merge(&mut base, extra);
    base
}

pub fn merge(base: &mut Value, extra: Value) {
    for (key, value) in extra.as_object().unwrap() {
        base[key] = value.clone();
    }
}

pub fn config_json(leaders: usize, followers: &[Value], follows: &[Value], limits: &str) -> Value {
    let leaders: Vec<Value> =
        (0..leaders).map(|i| json!({"name": format!("L{i}"), "address": leader_address(i)})).collect();
    let followers: Vec<Value> = followers
        .iter()
        .enumerate()
        .map(|(i, extra)| {
            let mut base = json!({"name": format!("F{i}"), "account": account_address(i), "agent": agent_address(i), "vault": false,
                "max_order_usd": null, "max_position_usd": null, "max_gross_usd": null});
            merge(&mut base, extra.clone());
            base
        })
        .collect();
    json!({
        "network": "testnet",
        "venue": {"base_url": "http://127.0.0.1:1", "ws_url": null, "limits": limits, "dexs": []},
        "journal": {"directory": "journal", "durability": "durable", "snapshot_every": 100000},
        "leaders": leaders, "followers": followers, "follows": follows,
        "engine": {"user_connections": 2, "tape_connections": 2, "lane_connections": 2, "http_lane": true, "tape": true, "busy_poll": false,
            "presign": true, "pool_depth": 16, "ping_ms": 10000, "stall_ms": 2000, "reconcile_ms": 30000},
        "keys": {"credentials_directory": null, "keystores": [], "env": [], "force_env_on_mainnet": false},
        "metrics": {"enabled": true, "host": "127.0.0.1", "port": 9464}
    })
}
