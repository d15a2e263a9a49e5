//! What an attempt must be signed over, from the JSON that goes to the venue.
use hlfast_core::commands::Attempt;
use hlfast_core::num::{Px, Sz};
use hlfast_core::sign::{Chain, l1_digest};
use hlfast_core::wire::{Action, Cloid, Grouping, Order, Tif, encode_action};
use serde_json::Value;

pub fn digest_of(attempt: &Attempt, action: &Value) -> [u8; 32] {
    let orders: Vec<Order> = action["orders"].as_array().into_iter().flatten().map(order).collect();
    let action = match action["type"].as_str() {
        Some("noop") => Action::Noop,
        _ => Action::Order { orders: &orders, grouping: Grouping::Na, builder: None },
    };
    let (mut msgpack, mut json) = (Vec::new(), Vec::new());
    encode_action(&action, &mut msgpack, &mut json);
    let expires_after = Some(attempt.expires_after);
    l1_digest(&msgpack, attempt.nonce, attempt.vault.as_ref(), expires_after, Chain::Testnet)
}

fn order(row: &Value) -> Order {
    let hex = row["c"].as_str().unwrap();
    Order {
        asset: row["a"].as_u64().unwrap() as u32,
        is_buy: row["b"].as_bool().unwrap(),
        price: Px::parse(row["p"].as_str().unwrap().as_bytes()).unwrap(),
        size: Sz::parse(row["s"].as_str().unwrap().as_bytes()).unwrap(),
        reduce_only: row["r"].as_bool().unwrap(),
        tif: Tif::Ioc,
        cloid: Some(Cloid(u128::from_str_radix(&hex[2..], 16).unwrap().to_be_bytes())),
    }
}
