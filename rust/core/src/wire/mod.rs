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

/// The two lower-case digits of every byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "runs at compile time: an out-of-range index stops the build")]
        {
            table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        }
        byte += 1;
    }
    table
};

/// Appends lower-case hex digits, two a byte.
pub(crate) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start.saturating_add(bytes.len().saturating_mul(2)), 0);
    let (pairs, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = HEX.get(usize::from(*byte)).copied().unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_two_digits_and_comes_back() {
        let bytes: [u8; 256] = std::array::from_fn(|byte| u8::try_from(byte).unwrap());
        let mut text = b"0x".to_vec();
        write_hex(&mut text, &bytes);
        let wanted: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, format!("0x{wanted}").into_bytes());
        assert_eq!(parse_hex::<256>(&text[2..]), Some(bytes));
    }
}
