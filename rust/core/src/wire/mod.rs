//! The venue's wire: typed actions, their msgpack (hashed) and JSON (sent), request bodies and WebSocket frames.
mod action;
mod body;
pub mod frame;
mod json;
mod msgpack;

pub use action::{
    Action, Address, Builder, Cancel, CancelByCloid, Cloid, Grouping, Modify, Order, OrderRef, Tif, Twap,
};
pub use body::{write_body, write_ws_post};
pub use json::write_string as write_json_string;
pub use msgpack::Msgpack;

mod encode;
pub use encode::encode_action;

const HEX: [u8; 16] = *b"0123456789abcdef";

/// Appends lower-case hex digits, two a byte.
pub(crate) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        let digit = |nibble: u8| HEX.get(usize::from(nibble & 15)).copied().unwrap_or(b'0');
        out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
    }
}

/// Reads exactly `2 * N` hex digits of either case.
pub(crate) fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0u8; N];
    if text.len() != N.checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        for &digit in pair {
            let value = char::from(digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(bytes)
}
