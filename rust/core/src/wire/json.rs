//! JSON text as the venue reads it: no spaces, strings escaped.
use super::write_hex;

/// Appends a quoted string; control characters, quotes and backslashes are escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                write_hex(out, &[byte]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
