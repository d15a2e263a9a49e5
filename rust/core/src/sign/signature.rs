//! What the venue gets: r, s, v.

/// An ECDSA signature as the venue takes it: low s, v 27 or 28.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// x of the nonce's point, big endian.
    pub r: [u8; 32],
    /// Big endian, at most half the group order.
    pub s: [u8; 32],
    /// 27 or 28.
    pub v: u8,
}

impl Signature {
    /// Appends `{"r":"0x…","s":"0x…","v":27}`; numbers without leading zeros, as the official SDK prints them.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"r\":\"");
        write_quantity(out, &self.r);
        out.extend_from_slice(b"\",\"s\":\"");
        write_quantity(out, &self.s);
        out.extend_from_slice(if self.v == 28 { b"\",\"v\":28}" } else { b"\",\"v\":27}" });
    }
}

/// Appends `0x` and the number's hex digits without leading zeros; zero is `0x0`.
pub fn write_quantity(out: &mut Vec<u8>, bytes: &[u8; 32]) {
    out.extend_from_slice(b"0x");
    let zeros = bytes.iter().take(31).take_while(|&&byte| byte == 0).count();
    let start = out.len();
    crate::wire::write_hex(out, bytes.get(zeros..).unwrap_or_default());
    if out.get(start) == Some(&b'0') {
        out.remove(start);
    }
}
