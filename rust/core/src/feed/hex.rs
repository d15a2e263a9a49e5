//! Hexadecimal text of addresses.

const fn nibble(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0xff,
    }
}

const NIBBLES: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut byte = 0u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "a byte is always within 256 entries")]
        {
            table[byte as usize] = nibble(byte);
        }
        if byte == 255 {
            break table;
        }
        byte += 1;
    }
};

/// Twenty bytes from forty hex digits of any case, without a prefix.
#[must_use]
pub fn hex20(digits: &[u8]) -> Option<[u8; 20]> {
    let digits: &[u8; 40] = digits.try_into().ok()?;
    let mut out = [0u8; 20];
    let mut bad = 0u8;
    for (slot, pair) in out.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = *pair;
        let (high, low) = (digit(high), digit(low));
        bad |= high | low;
        *slot = (high << 4) | (low & 0x0f);
    }
    (bad < 16).then_some(out)
}

#[expect(clippy::indexing_slicing, reason = "a byte is always within 256 entries")]
const fn digit(byte: u8) -> u8 {
    NIBBLES[byte as usize]
}

/// `0x` and lower-case digits.
#[must_use]
pub fn address_text(address: &[u8; 20]) -> String {
    use std::fmt::Write;
    address.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
