//! The venue's own examples, typed: action to hash, digest and deterministic signature.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
use hlfast_core::num::{Px, Sz};
use hlfast_core::sign::{Chain, Preimage, Refill, Secret, SignError, Signer, action_hash, l1_digest, recover};
use hlfast_core::wire::{Action, Grouping, Order, Tif, encode_action, write_body};

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
