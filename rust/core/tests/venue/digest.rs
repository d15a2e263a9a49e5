//! What an attempt must be signed over, from the JSON that goes to the venue.
use hlfast_core::commands::Attempt;
use hlfast_core::num::{Px, Sz};
use hlfast_core::sign::{Chain, l1_digest};
use hlfast_core::wire::{Action, Address, Builder, CancelByCloid, Cloid, Grouping, Order, Tif, Twap, encode_action};
use serde_json::Value;

pub fn digest_of(attempt: &Attempt, action: &Value) -> [u8; 32] {
    let orders: Vec<Order> = action["orders"].as_array().into_iter().flatten().map(order).collect();
    let cancel =
        |row: &Value| CancelByCloid { asset: row["asset"].as_u64().unwrap() as u32, cloid: cloid(&row["cloid"]) };
    let cancels: Vec<CancelByCloid> = action["cancels"].as_array().into_iter().flatten().map(cancel).collect();
    let action = match action["type"].as_str() {
        Some("noop") => Action::Noop,
        Some("updateLeverage") => Action::UpdateLeverage {
            asset: action["asset"].as_u64().unwrap() as u32,
            is_cross: action["isCross"].as_bool().unwrap(),
            leverage: action["leverage"].as_u64().unwrap() as u32,
        },
        Some("twapCancel") => {
            Action::TwapCancel { asset: action["a"].as_u64().unwrap() as u32, twap_id: action["t"].as_u64().unwrap() }
        }
        Some("twapOrder") => Action::TwapOrder(twap(&action["twap"])),
        Some("cancelByCloid") => Action::CancelByCloid { cancels: &cancels, fast: false },
        _ => Action::Order {
            orders: &orders,
            grouping: grouping(&action["grouping"]),
            builder: builder(&action["builder"]),
        },
    };
    let (mut msgpack, mut json) = (Vec::new(), Vec::new());
    encode_action(&action, &mut msgpack, &mut json);
    let expires_after = Some(attempt.expires_after);
    l1_digest(&msgpack, attempt.nonce, attempt.vault.as_ref(), expires_after, Chain::Testnet)
}

fn twap(row: &Value) -> Twap {
    Twap {
        asset: row["a"].as_u64().unwrap() as u32,
        is_buy: row["b"].as_bool().unwrap(),
        size: Sz::parse(row["s"].as_str().unwrap().as_bytes()).unwrap(),
        reduce_only: row["r"].as_bool().unwrap(),
        minutes: row["m"].as_u64().unwrap() as u32,
        randomize: row["t"].as_bool().unwrap(),
    }
}

fn grouping(value: &Value) -> Grouping {
    value["p"].as_u64().map_or(Grouping::Na, Grouping::Priority)
}

fn builder(value: &Value) -> Option<Builder> {
    let address = Address::parse(value["b"].as_str()?.as_bytes()).unwrap();
    Some(Builder { address, fee: value["f"].as_u64().unwrap() as u32 })
}

fn cloid(text: &Value) -> Cloid {
    Cloid::parse(text.as_str().unwrap().as_bytes()).unwrap()
}

fn order(row: &Value) -> Order {
    let trigger = &row["t"]["trigger"];
    Order {
        asset: row["a"].as_u64().unwrap() as u32,
        is_buy: row["b"].as_bool().unwrap(),
        price: Px::parse(row["p"].as_str().unwrap().as_bytes()).unwrap(),
        size: Sz::parse(row["s"].as_str().unwrap().as_bytes()).unwrap(),
        reduce_only: row["r"].as_bool().unwrap(),
        tif: match trigger["triggerPx"].as_str() {
            None if row["t"]["limit"]["tif"] == "Alo" => Tif::Alo,
            None => Tif::Ioc,
            Some(price) => Tif::Trigger {
                is_market: trigger["isMarket"].as_bool().unwrap(),
                price: Px::parse(price.as_bytes()).unwrap(),
                take_profit: trigger["tpsl"] == "tp",
            },
        },
        cloid: Some(cloid(&row["c"])),
    }
}
