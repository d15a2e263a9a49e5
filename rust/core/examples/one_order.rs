//! Signs and encodes orders with presignatures made beforehand: what `bench/micro/instructions.py` counts under callgrind.
use hlfast_core::sign::{Chain, Refill, Secret, Signer, l1_digest};
use hlfast_core::wire::{Action, Cloid, Grouping, Order, Tif, encode_action, write_body};
use std::hint::black_box;

/// Collected alone: everything before it (keys, presignatures) is not part of an order.
#[inline(never)]
fn sign_orders(
    signer: &Signer,
    presignatures: Vec<hlfast_core::sign::Presignature>,
    order: &Order,
    buffers: [&mut Vec<u8>; 3],
) -> usize {
    let [msgpack, json, body] = buffers;
    let mut bytes = 0;
    for (nonce, presignature) in (1_790_000_000_000u64..).zip(presignatures) {
        msgpack.clear();
        json.clear();
        body.clear();
        let action = Action::Order { orders: std::slice::from_ref(order), grouping: Grouping::Na, builder: None };
        encode_action(black_box(&action), msgpack, json);
        let expiry = Some(nonce + 5_000);
        let digest = l1_digest(msgpack, nonce, None, expiry, Chain::Mainnet);
        if let Ok(signature) = signer.sign_presigned(&digest, presignature) {
            write_body(json, nonce, &signature, None, expiry, body);
        }
        bytes += black_box(&body).len();
    }
    bytes
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(64), |text| text.parse())?;
    let signer = Signer::new(&Secret::take(&mut [7; 32]))?;
    let refill = Refill { entropy: [1; 32], pid: 1, started: 1, counter: 1 };
    let mut presignatures = Vec::new();
    signer.presign(&refill, count, &mut presignatures)?;
    let (price, size) = ("1670.1".parse()?, "0.0147".parse()?);
    let cloid = Some(Cloid([7; 16]));
    let order = Order { asset: 4, is_buy: true, price, size, reduce_only: false, tif: Tif::Ioc, cloid };
    let (mut msgpack, mut json, mut body) =
        (Vec::with_capacity(512), Vec::with_capacity(512), Vec::with_capacity(1024));
    let made = presignatures.len();
    let bytes = sign_orders(&signer, presignatures, &order, [&mut msgpack, &mut json, &mut body]);
    println!("{made} orders, {bytes} bytes");
    Ok(())
}
