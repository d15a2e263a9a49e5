//! The server's half of RFC 6455, as far as a load generator needs it: no fragments, no extensions.

use base64::Engine as _;
use sha1::{Digest as _, Sha1};

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
pub const OP_TEXT: u8 = 1;
pub const OP_CLOSE: u8 = 8;
pub const OP_PING: u8 = 9;
pub const OP_PONG: u8 = 10;

/// One client frame inside a receive buffer.
pub struct Frame {
    pub opcode: u8,
    /// Bytes of header and payload together.
    pub length: usize,
    payload_at: usize,
    mask: [u8; 4],
}

impl Frame {
    /// Finds the next whole frame at the start of `buffer`; None when bytes are missing.
    pub fn next(buffer: &[u8]) -> Option<Self> {
        let (&first, &second) = (buffer.first()?, buffer.get(1)?);
        let (size, at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize, 10),
            small => (usize::from(small), 2),
        };
        let masked = second & 0x80 != 0;
        let (mask, payload_at) = if masked { (buffer.get(at..at + 4)?.try_into().ok()?, at + 4) } else { ([0; 4], at) };
        let length = payload_at + size;
        (buffer.len() >= length).then_some(Self { opcode: first & 0x0f, length, payload_at, mask })
    }

    /// The unmasked payload.
    pub fn payload(&self, buffer: &[u8]) -> Vec<u8> {
        let mut payload = buffer[self.payload_at..self.length].to_vec();
        if self.mask != [0; 4] {
            for (index, byte) in payload.iter_mut().enumerate() {
                *byte ^= self.mask[index & 3];
            }
        }
        payload
    }
}

/// Appends one unmasked server frame.
pub fn put_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        size @ 0..=125 => out.push(size as u8),
        size @ 126..=65_535 => {
            out.push(126);
            out.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            out.push(127);
            out.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// The 101 answer to an upgrade request that carried `key`.
pub fn handshake(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    let accept = base64::engine::general_purpose::STANDARD.encode(hash.finalize());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_come_back_unmasked() {
        for size in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..size).map(|index| index as u8).collect();
            let mut bytes = Vec::new();
            put_frame(&mut bytes, OP_TEXT, &payload);
            let frame = Frame::next(&bytes).unwrap();
            assert_eq!((frame.opcode, frame.length), (OP_TEXT, bytes.len()));
            assert_eq!(frame.payload(&bytes), payload);
            assert!(Frame::next(&bytes[..bytes.len() - 1]).is_none());
        }
    }

    #[test]
    fn a_mask_is_taken_off() {
        let bytes = [0x81, 0x83, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3];
        assert_eq!(Frame::next(&bytes).unwrap().payload(&bytes), b"abc");
    }

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        assert!(handshake("dGhlIHNhbXBsZSBub25jZQ==").contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}
