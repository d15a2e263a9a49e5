//! WebSocket client frames (RFC 6455, section 5): one final text frame, masked, built in place.

/// FIN and opcode 1: a whole text message.
const TEXT: u8 = 0x81;
/// The mask bit; clients must mask.
const MASKED: u8 = 0x80;
/// Room for the header that orders have: 126..=65535 bytes of payload. Other lengths move the payload once.
const USUAL_HEADER: usize = 8;

/// Where a frame that is being built began.
#[derive(Debug, Clone, Copy)]
#[must_use = "a frame that is begun must be finished"]
pub struct Open {
    start: usize,
}

/// Begins a frame: append the payload to `out`, then call `finish`.
pub fn begin(out: &mut Vec<u8>) -> Open {
    let open = Open { start: out.len() };
    out.extend_from_slice(&[0; USUAL_HEADER]);
    open
}

/// Writes the header and masks the payload appended since `begin`, in place.
pub fn finish(open: Open, mask: [u8; 4], out: &mut Vec<u8>) {
    let body = open.start.saturating_add(USUAL_HEADER);
    let length = out.len().saturating_sub(body);
    let (header, used) = header(length, mask);
    let header = header.get(..used).unwrap_or_default();
    let (frame_start, body) = (open.start.min(out.len()), body.min(out.len()));
    if used == USUAL_HEADER {
        if let Some(place) = out.get_mut(frame_start..body) {
            place.copy_from_slice(header);
        }
    } else {
        out.splice(frame_start..body, header.iter().copied());
    }
    apply_mask(out.get_mut(frame_start.saturating_add(used)..).unwrap_or_default(), mask);
}

/// Appends one whole frame with a copy of `payload`.
pub fn write_text_frame(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    let open = begin(out);
    out.extend_from_slice(payload);
    finish(open, mask, out);
}

/// The frame header for a payload of `length` bytes, and how many of the 14 bytes it takes.
fn header(length: usize, mask: [u8; 4]) -> ([u8; 14], usize) {
    let mut bytes = [0u8; 14];
    let [k0, k1, k2, k3] = mask;
    let used = if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        [bytes[0], bytes[1]] = [TEXT, MASKED | short];
        [bytes[2], bytes[3], bytes[4], bytes[5]] = mask;
        6
    } else if let Ok(medium) = u16::try_from(length) {
        let [high, low] = medium.to_be_bytes();
        [bytes[0], bytes[1], bytes[2], bytes[3]] = [TEXT, MASKED | 126, high, low];
        [bytes[4], bytes[5], bytes[6], bytes[7]] = mask;
        8
    } else {
        let [a, b, c, d, e, f, g, h] = (length as u64).to_be_bytes();
        bytes = [TEXT, MASKED | 127, a, b, c, d, e, f, g, h, k0, k1, k2, k3];
        14
    };
    (bytes, used)
}

fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(word);
        word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}
