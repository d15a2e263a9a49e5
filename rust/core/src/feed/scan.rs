//! One pass over JSON bytes: no tree, no allocation, no float. What is not asked for is checked and skipped.
use super::hex::hex20;
use crate::num::{Pos, Px, Sz};

/// Deeper nesting is an attack: the venue's frames stay below ten.
pub const MAX_DEPTH: u32 = 32;

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct FrameError {
    /// What is wrong.
    pub what: &'static str,
    /// Where.
    pub at: usize,
}

/// A stretch of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Its bytes; empty if `frame` is another frame than the one it came from and too short.
    #[must_use]
    pub fn of(self, frame: &[u8]) -> &[u8] {
        frame.get(self.start..self.end).unwrap_or_default()
    }
}

/// A cursor over one frame.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Result<T> = std::result::Result<T, FrameError>;

/// Keys and numbers end within two words: for these the wide search costs more to enter than it saves.
#[inline]
fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    let mut passed = 0usize;
    for word in words.iter().take(2) {
        let word = u64::from_le_bytes(*word);
        let marks = zero_bytes(word ^ splat(b'"')) | zero_bytes(word ^ splat(b'\\'));
        if marks != 0 {
            return Some(passed.saturating_add((marks.trailing_zeros() / 8) as usize));
        }
        passed = passed.saturating_add(8);
    }
    memchr::memchr2(b'"', b'\\', bytes.get(passed..)?).map(|found| passed.saturating_add(found))
}

/// The top bit of each byte that is zero. Bytes above the lowest such one may be marked by mistake, it and those below never.
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(splat(1)) & !word & splat(0x80)
}

const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The number that eight decimal digits are.
#[inline]
fn eight_digits(text: &[u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(*text);
    // A digit's high half is 3 and stays so when 6 is added.
    let high = (word & splat(0xf0)) | ((word.wrapping_add(splat(0x06)) & splat(0xf0)) >> 4);
    if high != splat(0x33) {
        return None;
    }
    // Neighbours join: tens and ones, then hundreds of those, then ten thousands. The first digit is in the lowest byte.
    let ones = word & splat(0x0f);
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

impl<'a> Scan<'a> {
    /// At the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Scan<'a> {
        Scan { bytes, at: 0 }
    }

    /// An error at this place.
    #[must_use]
    pub fn error(&self, what: &'static str) -> FrameError {
        FrameError { what, at: self.at }
    }

    /// The place, to come back to.
    #[must_use]
    pub fn place(&self) -> usize {
        self.at
    }

    /// A cursor over the same frame at a place seen before.
    #[must_use]
    pub fn seek(&self, at: usize) -> Scan<'a> {
        Scan { bytes: self.bytes, at }
    }

    /// The bytes of a span of this frame.
    #[must_use]
    pub fn text(&self, span: Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next byte that is not white space, not taken.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at = self.at.saturating_add(1);
        }
        self.byte()
    }

    /// Takes `wanted` if it is next.
    #[inline]
    pub fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Takes `text` if these very bytes are next.
    #[inline]
    pub fn take_exactly<const LENGTH: usize>(&mut self, text: &[u8; LENGTH]) -> bool {
        let found = self.rest().first_chunk() == Some(text);
        self.at = self.at.saturating_add(if found { LENGTH } else { 0 });
        found
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes `wanted` or fails.
    #[inline]
    pub fn expect(&mut self, wanted: u8, what: &'static str) -> Result<()> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(what)) }
    }

    /// Only white space is left.
    pub fn end(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("bytes after the end")) }
    }

    /// A string's raw contents: escapes stay as they are.
    #[inline]
    pub fn string(&mut self) -> Result<Span> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        loop {
            let Some(found) = quote_or_escape(self.rest()) else { return Err(self.error("string without end")) };
            self.at = self.at.saturating_add(found);
            if self.byte() == Some(b'"') {
                let end = self.at;
                self.at = self.at.saturating_add(1);
                return Ok(Span { start, end });
            }
            self.at = self.at.saturating_add(2);
        }
    }

    /// A string's raw contents as bytes.
    #[inline]
    pub fn string_bytes(&mut self) -> Result<&'a [u8]> {
        let span = self.string()?;
        Ok(self.text(span))
    }

    /// The next key of an object, colon taken, or `None` at its end. `first` starts true.
    #[inline]
    pub fn key(&mut self, first: &mut bool) -> Result<Option<&'a [u8]>> {
        if *first {
            self.expect(b'{', "expected an object")?;
        }
        if !self.more(first, b'}')? {
            return Ok(None);
        }
        let key = self.string_bytes()?;
        self.expect(b':', "expected a colon")?;
        Ok(Some(key))
    }

    /// True if an array has another element. `first` starts true.
    #[inline]
    pub fn element(&mut self, first: &mut bool) -> Result<bool> {
        if *first {
            self.expect(b'[', "expected an array")?;
        }
        self.more(first, b']')
    }

    #[inline]
    fn more(&mut self, first: &mut bool, close: u8) -> Result<bool> {
        if self.take(close) {
            return Ok(false);
        }
        if !std::mem::replace(first, false) {
            self.expect(b',', "expected a comma")?;
        }
        Ok(true)
    }

    /// `null`, taken if it is next.
    pub fn null(&mut self) -> bool {
        if self.peek() != Some(b'n') {
            return false;
        }
        self.literal(b"null").is_ok()
    }

    /// `true` or `false`.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.peek() {
            Some(b't') => self.literal(b"true").map(|()| true),
            _ => self.literal(b"false").map(|()| false),
        }
    }

    fn literal(&mut self, wanted: &[u8]) -> Result<()> {
        let end = self.at.saturating_add(wanted.len());
        if self.bytes.get(self.at..end) != Some(wanted) {
            return Err(self.error("expected a literal"));
        }
        self.at = end;
        Ok(())
    }

    /// A whole number without sign, fraction or exponent.
    #[inline]
    pub fn uint(&mut self) -> Result<u64> {
        self.peek();
        let start = self.at;
        let mut value: u64 = 0;
        // Times and trade ids have more digits than eight.
        if let Some(eight) = self.rest().first_chunk().and_then(eight_digits) {
            value = eight;
            self.at = self.at.saturating_add(8);
        }
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit.wrapping_sub(b'0'))));
            value = next.ok_or_else(|| self.error("whole number out of range"))?;
            self.at = self.at.saturating_add(1);
        }
        match self.byte() {
            _ if self.at == start => Err(self.error("expected a whole number")),
            Some(b'.' | b'e' | b'E' | b'-' | b'+') => Err(self.error("expected a whole number")),
            _ => Ok(value),
        }
    }

    /// A price as a decimal string.
    #[inline]
    pub fn px(&mut self) -> Result<Px> {
        if let Some((px, length)) = Px::parse_quoted(self.rest()) {
            self.at = self.at.saturating_add(length);
            return Ok(px);
        }
        let text = self.string_bytes()?;
        Px::parse(text).map_err(|_| self.error("bad price"))
    }

    /// A size as a decimal string.
    #[inline]
    pub fn sz(&mut self) -> Result<Sz> {
        if let Some((sz, length)) = Sz::parse_quoted(self.rest()) {
            self.at = self.at.saturating_add(length);
            return Ok(sz);
        }
        let text = self.string_bytes()?;
        Sz::parse(text).map_err(|_| self.error("bad size"))
    }

    /// A signed size as a decimal string.
    #[inline]
    pub fn pos(&mut self) -> Result<Pos> {
        if let Some((pos, length)) = Pos::parse_quoted(self.rest()) {
            self.at = self.at.saturating_add(length);
            return Ok(pos);
        }
        let text = self.string_bytes()?;
        Pos::parse(text).map_err(|_| self.error("bad position"))
    }

    /// An address of any case.
    #[inline]
    pub fn address(&mut self) -> Result<[u8; 20]> {
        const LENGTH: usize = 44;
        if let Some([b'"', b'0', b'x', digits @ .., b'"']) = self.rest().first_chunk::<LENGTH>()
            && let Some(address) = hex20(digits)
        {
            self.at = self.at.saturating_add(LENGTH);
            return Ok(address);
        }
        let text = self.string_bytes()?;
        text.strip_prefix(b"0x").and_then(hex20).ok_or_else(|| self.error("bad address"))
    }

    /// Checks and passes one value of any kind.
    #[inline]
    pub fn skip(&mut self) -> Result<()> {
        if self.byte() == Some(b'"') {
            return self.string().map(|_| ());
        }
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: u32) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        let deeper = depth.saturating_add(1);
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => {
                let mut first = true;
                while self.key(&mut first)?.is_some() {
                    self.skip_at(deeper)?;
                }
                Ok(())
            }
            Some(b'[') => {
                let mut first = true;
                while self.element(&mut first)? {
                    self.skip_at(deeper)?;
                }
                Ok(())
            }
            Some(b'n') => self.literal(b"null"),
            Some(b't' | b'f') => self.boolean().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.error("expected a value")),
        }
    }

    fn number(&mut self) -> Result<()> {
        if self.byte() == Some(b'-') {
            self.at = self.at.saturating_add(1);
        }
        let mut digits = false;
        while let Some(byte @ (b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) = self.byte() {
            digits |= byte.is_ascii_digit();
            self.at = self.at.saturating_add(1);
        }
        if digits { Ok(()) } else { Err(self.error("bad number")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_read_alike_in_eights_and_one_by_one() {
        for text in ["0", "7", "12345678", "99999999", "00000001", "1234567890123", "18446744073709551615"] {
            assert_eq!(Scan::new(text.as_bytes()).uint(), Ok(text.parse().unwrap()), "{text}");
        }
        assert!(Scan::new(b"18446744073709551616").uint().is_err());
        // Neighbours of digits in value, at every place of a word.
        for wrong in [b'/', b':', b' ', b'*', b';', 0, 0x70, 0xb0, 0xff] {
            for place in 0..8 {
                let mut text = *b"12345678";
                text[place] = wrong;
                assert_eq!(eight_digits(&text), None, "{wrong:#x} at {place}");
            }
        }
    }

    #[test]
    fn the_end_of_a_string_is_found_wherever_it_is() {
        // Neighbours of the searched bytes in value, which arithmetic on whole words could mistake for them.
        for filler in [b' ', b'!', b'#', b'[', b']', 0, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
            for mark in [b'"', b'\\'] {
                for length in 0..40 {
                    for place in 0..length {
                        let mut bytes = vec![filler; length];
                        bytes[place] = mark;
                        bytes[length - 1] = if place + 1 < length { b'"' } else { mark };
                        assert_eq!(quote_or_escape(&bytes), Some(place), "{filler:#x} {length}");
                    }
                    assert_eq!(quote_or_escape(&vec![filler; length]), None, "{filler:#x} {length}");
                }
            }
        }
    }
}
