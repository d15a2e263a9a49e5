//! The venue's own examples, typed: action to hash, digest and deterministic signature.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
use hlfast_core::num::{Px, Sz, Usd};
use hlfast_core::sign::{
    Chain, Preimage, Refill, Secret, SignError, Signer, action_hash, l1_digest, l1_digests, recover,
};
use hlfast_core::wire::{
    Action, Address, Builder, Cancel, CancelByCloid, Cloid, Grouping, Modify, Order, OrderRef, Tif, Twap,
    encode_action, frame, write_body,
};
use serde_json::Value;

const KEY: &[u8] = b"0x0123456789012345678901234567890123456789012345678901234567890123";

fn order(asset: u32, price: &str, size: &str, tif: Tif) -> Order {
    let (price, size) = (price.parse().unwrap(), size.parse().unwrap());
    Order { asset, is_buy: true, price, size, reduce_only: false, tif, cloid: None }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn an_ioc_order_hashes_as_the_official_sdk_says() {
    let orders = [order(4, "1670.1", "0.0147", Tif::Ioc)];
    let (mut msgpack, mut json) = (Vec::new(), Vec::new());
    encode_action(&Action::Order { orders: &orders, grouping: Grouping::Na, builder: None }, &mut msgpack, &mut json);
    let preimage = Preimage { action: &msgpack, nonce: 1_677_777_606_040, vault: None, expires_after: None };
    assert_eq!(hex(&action_hash(&preimage)), "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908");
    assert_eq!(
        String::from_utf8(json).unwrap(),
        r#"{"type":"order","orders":[{"a":4,"b":true,"p":"1670.1","s":"0.0147","r":false,"t":{"limit":{"tif":"Ioc"}}}],"grouping":"na"}"#
    );
}

#[test]
fn a_gtc_order_signs_as_the_official_sdk_says_on_both_networks() {
    let signer = Signer::new(&Secret::parse_hex(KEY).unwrap()).unwrap();
    assert_eq!(signer.address().to_string(), "0x14791697260e4c9a71f18484c9f997b308e59325");
    let orders = [order(1, "100", "100", Tif::Gtc)];
    let (mut msgpack, mut json) = (Vec::new(), Vec::new());
    encode_action(&Action::Order { orders: &orders, grouping: Grouping::Na, builder: None }, &mut msgpack, &mut json);
    for (chain, r, v) in [
        (Chain::Mainnet, "d65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e", 28),
        (Chain::Testnet, "82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54", 27),
    ] {
        let digest = l1_digest(&msgpack, 0, None, None, chain);
        let signature = signer.sign_deterministic(&digest);
        assert_eq!((hex(&signature.r).as_str(), signature.v), (r, v));
        assert_eq!(recover(&digest, &signature).unwrap(), signer.address());
        let hedged = signer.sign_hedged(&digest, [7; 32]);
        assert_ne!(hedged.r, signature.r);
        assert_eq!(recover(&digest, &hedged).unwrap(), signer.address());
        let mut body = Vec::new();
        write_body(&json, 0, &signature, None, None, &mut body);
        let text = String::from_utf8(body).unwrap();
        assert!(text.ends_with(r#","vaultAddress":null,"expiresAfter":null}"#), "{text}");
    }
}

#[test]
fn numbers_are_written_canonically_and_read_strictly() {
    for (text, wire) in [("1900.50", "1900.5"), ("0.00000001", "0.00000001"), ("100", "100"), ("0.0", "0")] {
        assert_eq!(text.parse::<Px>().unwrap().to_string(), wire);
    }
    for text in ["", "-1", "1e5", "+1", "1.", ".5", "NaN", "1.000000001", "99999999999999999999", " 1"] {
        assert!(text.parse::<Sz>().is_err(), "{text}");
    }
}

fn refill(counter: u64) -> Refill {
    Refill { entropy: [9; 32], pid: 1, started: 2, counter }
}

#[test]
fn presigned_signatures_recover_to_the_signer_and_never_share_an_r() {
    let signer = Signer::new(&Secret::parse_hex(KEY).unwrap()).unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut ready = Vec::new();
    for counter in 0..4 {
        signer.presign(&refill(counter), 64, &mut ready).unwrap();
    }
    assert_eq!(ready.len(), 256);
    let half_order = {
        let mut half = [0xff; 32];
        half[0] = 0x7f;
        half
    };
    for (index, presignature) in ready.into_iter().enumerate() {
        let mut digest = [0x5a; 32];
        digest[31] = u8::try_from(index).unwrap();
        assert!(seen.insert(*presignature.r()));
        let signature = signer.sign_presigned(&digest, presignature).unwrap();
        assert!(signature.s <= half_order);
        assert_eq!(recover(&digest, &signature).unwrap(), signer.address());
    }
}

#[test]
fn every_circumstance_of_a_refill_changes_its_nonces() {
    let signer = Signer::new(&Secret::parse_hex(KEY).unwrap()).unwrap();
    let other = Signer::new(&Secret::take(&mut [3; 32])).unwrap();
    let first = |signer: &Signer, refill: &Refill| {
        let mut out = Vec::new();
        signer.presign(refill, 2, &mut out).unwrap();
        *out[0].r()
    };
    let base = first(&signer, &refill(0));
    assert_eq!(base, first(&signer, &refill(0)));
    assert_ne!(base, first(&other, &refill(0)));
    assert_ne!(base, first(&signer, &refill(1)));
    assert_ne!(base, first(&signer, &Refill { entropy: [8; 32], pid: 1, started: 2, counter: 0 }));
    assert_ne!(base, first(&signer, &Refill { entropy: [9; 32], pid: 9, started: 2, counter: 0 }));
    assert_ne!(base, first(&signer, &Refill { entropy: [9; 32], pid: 1, started: 9, counter: 0 }));
}

#[test]
fn a_presignature_completes_only_under_its_own_key() {
    let signer = Signer::new(&Secret::parse_hex(KEY).unwrap()).unwrap();
    let other = Signer::new(&Secret::take(&mut [3; 32])).unwrap();
    let mut out = Vec::new();
    other.presign(&refill(0), 1, &mut out).unwrap();
    let taken = out.pop().unwrap();
    assert!(!format!("{taken:?}").contains("Scalar"));
    assert_eq!(signer.sign_presigned(&[1; 32], taken), Err(SignError::WrongSigner));
}

#[test]
fn keys_outside_the_group_are_refused_and_nothing_prints_them() {
    assert_eq!(Signer::new(&Secret::take(&mut [0; 32])).err(), Some(SignError::BadKey));
    assert_eq!(Signer::new(&Secret::take(&mut [0xff; 32])).err(), Some(SignError::BadKey));
    assert!(Secret::parse_hex(b"0x1234").is_none());
    let secret = Secret::parse_hex(KEY).unwrap();
    let signer = Signer::new(&secret).unwrap();
    assert!(!format!("{secret:?}{signer:?}").contains("0123456789012345"));
    let mut bytes = [5; 32];
    drop(Secret::take(&mut bytes));
    assert_eq!(bytes, [0; 32]);
}

/// A published vector's action, typed.
fn typed(action: &Value) -> Owned {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let order = |value: &Value| Order {
        asset: number(&value["a"]),
        is_buy: value["b"].as_bool().unwrap(),
        price: text(&value["p"]).parse().unwrap(),
        size: text(&value["s"]).parse().unwrap(),
        reduce_only: value["r"].as_bool().unwrap(),
        tif: match value["t"]["limit"]["tif"].as_str() {
            Some("Alo") => Tif::Alo,
            Some("Ioc") => Tif::Ioc,
            Some("Gtc") => Tif::Gtc,
            Some("FrontendMarket") => Tif::FrontendMarket,
            Some(other) => panic!("{other}"),
            None => {
                let trigger = &value["t"]["trigger"];
                Tif::Trigger {
                    is_market: trigger["isMarket"].as_bool().unwrap(),
                    price: text(&trigger["triggerPx"]).parse().unwrap(),
                    take_profit: trigger["tpsl"] == "tp",
                }
            }
        },
        cloid: value.get("c").map(|cloid| Cloid::parse(text(cloid).as_bytes()).unwrap()),
    };
    let modify = |value: &Value| Modify {
        oid: match value["oid"].as_u64() {
            Some(oid) => OrderRef::Oid(oid),
            None => OrderRef::Cloid(Cloid::parse(text(&value["oid"]).as_bytes()).unwrap()),
        },
        order: order(&value["order"]),
    };
    let address = |value: &Value| Address::parse(text(value).as_bytes()).unwrap();
    let list = |name: &str| action[name].as_array().cloned().unwrap_or_default();
    match action["type"].as_str().unwrap() {
        "order" => Owned::Orders(
            list("orders").iter().map(order).collect(),
            match action["grouping"].as_str() {
                Some("na") => Grouping::Na,
                Some("normalTpsl") => Grouping::NormalTpsl,
                Some("positionTpsl") => Grouping::PositionTpsl,
                _ => Grouping::Priority(action["grouping"]["p"].as_u64().unwrap()),
            },
            action
                .get("builder")
                .map(|builder| Builder { address: address(&builder["b"]), fee: number(&builder["f"]) }),
        ),
        "cancel" => Owned::Cancels(
            list("cancels")
                .iter()
                .map(|value| Cancel { asset: number(&value["a"]), oid: value["o"].as_u64().unwrap() })
                .collect(),
            action["f"] == true,
        ),
        "cancelByCloid" => Owned::Cloids(
            list("cancels")
                .iter()
                .map(|value| CancelByCloid {
                    asset: number(&value["asset"]),
                    cloid: Cloid::parse(text(&value["cloid"]).as_bytes()).unwrap(),
                })
                .collect(),
            action["f"] == true,
        ),
        "batchModify" => Owned::Modifies(list("modifies").iter().map(modify).collect(), action["a"] == true),
        "scheduleCancel" => Owned::Plain(Action::ScheduleCancel { time_ms: action["time"].as_u64() }),
        "updateLeverage" => Owned::Plain(Action::UpdateLeverage {
            asset: number(&action["asset"]),
            is_cross: action["isCross"].as_bool().unwrap(),
            leverage: number(&action["leverage"]),
        }),
        "updateIsolatedMargin" => Owned::Plain(Action::UpdateIsolatedMargin {
            asset: number(&action["asset"]),
            amount: Usd::from_raw(action["ntli"].as_i64().unwrap()),
        }),
        "vaultTransfer" => Owned::Plain(Action::VaultTransfer {
            vault: address(&action["vaultAddress"]),
            is_deposit: action["isDeposit"].as_bool().unwrap(),
            amount: Usd::from_raw(action["usd"].as_i64().unwrap()),
        }),
        "twapOrder" => Owned::Plain(Action::TwapOrder(Twap {
            asset: number(&action["twap"]["a"]),
            is_buy: action["twap"]["b"].as_bool().unwrap(),
            size: text(&action["twap"]["s"]).parse().unwrap(),
            reduce_only: action["twap"]["r"].as_bool().unwrap(),
            minutes: number(&action["twap"]["m"]),
            randomize: action["twap"]["t"].as_bool().unwrap(),
        })),
        "twapCancel" => {
            Owned::Plain(Action::TwapCancel { asset: number(&action["a"]), twap_id: action["t"].as_u64().unwrap() })
        }
        "noop" => Owned::Plain(Action::Noop),
        _ => Owned::Unknown,
    }
}

enum Owned {
    Orders(Vec<Order>, Grouping, Option<Builder>),
    Cancels(Vec<Cancel>, bool),
    Cloids(Vec<CancelByCloid>, bool),
    Modifies(Vec<Modify>, bool),
    Plain(Action<'static>),
    Unknown,
}

impl Owned {
    fn borrow(&self) -> Option<Action<'_>> {
        Some(match self {
            Owned::Orders(orders, grouping, builder) => {
                Action::Order { orders, grouping: *grouping, builder: *builder }
            }
            Owned::Cancels(cancels, fast) => Action::Cancel { cancels, fast: *fast },
            Owned::Cloids(cancels, fast) => Action::CancelByCloid { cancels, fast: *fast },
            Owned::Modifies(modifies, always_place) => Action::BatchModify { modifies, always_place: *always_place },
            Owned::Plain(action) => *action,
            Owned::Unknown => return None,
        })
    }
}

/// The first 32 bytes of a published hash.
fn published(text: &Value) -> String {
    text.as_str().unwrap().trim_start_matches("0x").to_owned()
}

#[test]
fn every_typed_action_hashes_and_prints_as_the_vectors_say() {
    let sdk: Value = serde_json::from_str(include_str!("../../../tests/vectors/signing.json")).unwrap();
    let protocol: Value = serde_json::from_str(include_str!("../../../tests/vectors/protocol.json")).unwrap();
    let rows = sdk["l1"].as_array().unwrap().iter().map(|row| (row, "vault", "expires_after", "action_hash"));
    let more = protocol["vectors"].as_array().unwrap().iter().filter(|row| row["scheme"] == "l1");
    let more = more.map(|row| (row, "vaultAddress", "expiresAfter", "connectionId"));
    let mut kinds = std::collections::BTreeSet::new();
    for (row, vault, expires, hash) in rows.chain(more) {
        let owned = typed(&row["action"]);
        let Some(action) = owned.borrow() else { continue };
        let (mut msgpack, mut json) = (Vec::new(), Vec::new());
        encode_action(&action, &mut msgpack, &mut json);
        let vault = row[vault].as_str().map(|text| Address::parse(text.as_bytes()).unwrap());
        let preimage = Preimage {
            action: &msgpack,
            nonce: row["nonce"].as_u64().unwrap(),
            vault: vault.as_ref(),
            expires_after: row[expires].as_u64(),
        };
        assert_eq!(hex(&action_hash(&preimage)), published(&row[hash]), "{}", row["action"]);
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), row["action"]);
        kinds.insert(row["action"]["type"].as_str().unwrap().to_owned());
    }
    assert!(kinds.len() >= 9, "{kinds:?}");
}

#[test]
fn a_single_modify_has_its_own_field_order() {
    let order = order(1, "100", "100", Tif::Gtc);
    let modify = Modify { oid: OrderRef::Oid(5), order };
    let (mut msgpack, mut json) = (Vec::new(), Vec::new());
    encode_action(&Action::Modify { modify, always_place: true }, &mut msgpack, &mut json);
    let text = String::from_utf8(json).unwrap();
    assert!(text.starts_with(r#"{"type":"modify","oid":5,"order":{"a":1,"#), "{text}");
    assert!(text.ends_with(r#"},"a":true}"#), "{text}");
    assert_eq!(msgpack[0], 0x84);
}

#[test]
fn digests_of_many_equal_those_of_each() {
    let actions: Vec<Vec<u8>> = (0..37u8).map(|n| vec![n; 60 + usize::from(n) * 5]).collect();
    let preimages: Vec<Preimage<'_>> = (0u64..)
        .zip(&actions)
        .map(|(nonce, action)| Preimage { action, nonce, vault: None, expires_after: Some(nonce) })
        .collect();
    let mut many = vec![[0; 32]; preimages.len()];
    l1_digests(&preimages, Chain::Testnet, &mut many);
    for (preimage, digest) in preimages.iter().zip(many) {
        assert_eq!(digest, l1_digest(preimage.action, preimage.nonce, None, preimage.expires_after, Chain::Testnet));
    }
}

#[test]
fn frames_of_every_length_unmask_to_their_payload() {
    for length in [0usize, 1, 5, 125, 126, 127, 400, 65_535, 65_536, 70_000] {
        let payload: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut out = b"before".to_vec();
        frame::write_text_frame(&payload, [1, 2, 3, 4], &mut out);
        let bytes = &out[6..];
        assert_eq!((bytes[0], bytes[1] & 0x80), (0x81, 0x80));
        let (said, header) = match bytes[1] & 0x7f {
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (usize::try_from(u64::from_be_bytes(bytes[2..10].try_into().unwrap())).unwrap(), 10),
            short => (usize::from(short), 2),
        };
        // RFC 6455 wants the shortest form of a length.
        assert_eq!(
            header,
            if length < 126 {
                2
            } else if length < 65_536 {
                4
            } else {
                10
            }
        );
        assert_eq!((said, bytes[header..header + 4].to_vec()), (length, vec![1, 2, 3, 4]));
        let plain: Vec<u8> =
            bytes[header + 4..].iter().zip([1u8, 2, 3, 4].iter().cycle()).map(|(b, k)| b ^ k).collect();
        assert_eq!(plain, payload, "{length}");
    }
}
