//! Markets beyond the main dex: spot pairs, whose buys cost a part of what is bought, and a builder's perps.
use hlfast_core::num::Pos;
use serde_json::{Value, json};

use super::{OwnedEvent, SentOrder, World};

/// Asset id, name, base token, quote token, decimals of a size.
const PAIRS: [(u64, &str, u64, u64, u64); 3] =
    [(10_000, "PURR/USDC", 1, 0, 0), (10_107, "@107", 150, 0, 2), (10_230, "@230", 150, 235, 2)];
/// What a buyer is left with of 10,000.
const AFTER_FEE: i64 = 9_993;

pub fn is_spot(coin: &str) -> bool {
    coin.starts_with('@') || coin.contains('/')
}

/// What a trade moves a balance by.
pub fn moved(coin: &str, is_buy: bool, size: i64) -> i64 {
    match (is_buy, is_spot(coin)) {
        (true, true) => size / 10_000 * AFTER_FEE + size % 10_000,
        (true, false) => size,
        (false, _) => -size,
    }
}

impl World {
    pub fn coin_of(&self, asset: u64) -> String {
        self.listed.get(&asset).cloned().unwrap_or_else(|| self.coins[asset as usize].clone())
    }

    pub fn list_spot(&mut self) {
        let tokens: Vec<Value> = [(0, 8), (1, 0), (150, 2), (235, 2)]
            .map(|(index, decimals)| json!({"name": format!("T{index}"), "szDecimals": decimals, "index": index}))
            .to_vec();
        let pair = |(id, name, base, quote, _): &(u64, &str, u64, u64, u64)| json!({"tokens": [base, quote], "name": name, "index": id - 10_000});
        let universe: Vec<Value> = PAIRS.iter().map(pair).collect();
        self.listed.extend(PAIRS.map(|(id, name, ..)| (id, name.to_owned())));
        self.step(OwnedEvent::Meta(json!({"tokens": tokens, "universe": universe}).to_string().into_bytes()));
    }

    /// The main dex with its own coins, and a builder's with these.
    pub fn list_dex(&mut self, coins: &[Value]) {
        let main: Vec<Value> =
            self.coins.iter().map(|name| json!({"name": name, "szDecimals": 2, "maxLeverage": 10})).collect();
        let names = coins.iter().map(|coin| coin["name"].as_str().unwrap().to_owned());
        self.listed.extend((110_000..).zip(names));
        let metas = json!([{"universe": main}, [{"universe": coins}, []]]);
        self.step(OwnedEvent::Meta(metas.to_string().into_bytes()));
    }

    pub(super) fn is_on_dex(&self, coin: &str, dex: &str) -> bool {
        !is_spot(coin) && coin.split_once(':').map_or("", |(of, _)| of) == dex
    }

    /// `spotClearinghouseState`, where pairs are listed.
    pub(super) fn balances(&self, user: &str) -> Option<Value> {
        if self.listed.is_empty() {
            return None;
        }
        let dollars = self.dollars.get(user).copied().unwrap_or("0.0");
        let mut rows = vec![json!({"coin": "USDC", "token": 0, "total": dollars, "hold": "0.0", "entryNtl": "0.0"})];
        for (_, name, token, quote, _) in PAIRS.iter().filter(|pair| pair.3 == 0) {
            let key = (user.to_owned(), (*name).to_owned());
            let total = self.positions.get(&key).or_else(|| self.leader_positions.get(&key)).copied().unwrap_or(0);
            assert!(total >= 0 && *quote == 0, "a balance below zero");
            rows.push(json!({"coin": format!("T{token}"), "token": token, "total": Pos::from_raw(total).to_string(),
                "hold": "0.0", "entryNtl": "0.0"}));
        }
        Some(json!({ "balances": rows }))
    }

    /// What the venue says to an order that spot knows not.
    pub(super) fn spot_fault(order: &SentOrder, balance: i64) -> Option<Value> {
        if !is_spot(&order.coin) {
            return None;
        }
        assert!(!order.reduce_only, "Reduce-only is invalid for spot trading.");
        (!order.is_buy && order.size > balance)
            .then(|| json!({"error": "Order has insufficient spot balance to trade asset=10107"}))
    }
}
