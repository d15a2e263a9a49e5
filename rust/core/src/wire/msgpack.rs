//! The part of msgpack that the venue hashes: maps, arrays, strings, integers, booleans, nil, each in its smallest form.

/// Appends msgpack values to a buffer.
pub struct Msgpack<'a>(pub &'a mut Vec<u8>);

impl Msgpack<'_> {
    /// Header of a map with `n` pairs.
    #[inline]
    pub fn map(&mut self, n: u32) {
        self.header(n, 0x80, 15, None, 0xde, 0xdf);
    }

    /// Header of an array of `n` values.
    #[inline]
    pub fn array(&mut self, n: u32) {
        self.header(n, 0x90, 15, None, 0xdc, 0xdd);
    }

    /// A UTF-8 string. False, and nothing written, when it is 4 GiB or longer.
    #[inline(always)]
    pub fn str(&mut self, text: &[u8]) -> bool {
        let Ok(length) = u32::try_from(text.len()) else { return false };
        self.header(length, 0xa0, 31, Some(0xd9), 0xda, 0xdb);
        self.0.extend_from_slice(text);
        true
    }

    /// Bytes. False, and nothing written, when there are 4 GiB or more.
    pub fn bin(&mut self, bytes: &[u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else { return false };
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(n), _) => self.0.extend_from_slice(&[0xc4, n]),
            (_, Ok(n)) => self.tagged(0xc5, &n.to_be_bytes()),
            _ => self.tagged(0xc6, &length.to_be_bytes()),
        }
        self.0.extend_from_slice(bytes);
        true
    }

    /// A non-negative integer.
    #[inline]
    pub fn uint(&mut self, n: u64) {
        match (u8::try_from(n), u16::try_from(n), u32::try_from(n)) {
            (Ok(n), _, _) if n < 0x80 => self.0.push(n),
            (Ok(n), _, _) => self.0.extend_from_slice(&[0xcc, n]),
            (_, Ok(n), _) => self.tagged(0xcd, &n.to_be_bytes()),
            (_, _, Ok(n)) => self.tagged(0xce, &n.to_be_bytes()),
            _ => self.tagged(0xcf, &n.to_be_bytes()),
        }
    }

    /// A signed integer.
    #[inline]
    pub fn int(&mut self, n: i64) {
        if let Ok(n) = u64::try_from(n) {
            return self.uint(n);
        }
        match (i8::try_from(n), i16::try_from(n), i32::try_from(n)) {
            // The negative fixint is the low byte itself, -1 to -32.
            (Ok(n), _, _) if n >= -32 => self.0.extend_from_slice(&n.to_be_bytes()),
            (Ok(n), _, _) => self.tagged(0xd0, &n.to_be_bytes()),
            (_, Ok(n), _) => self.tagged(0xd1, &n.to_be_bytes()),
            (_, _, Ok(n)) => self.tagged(0xd2, &n.to_be_bytes()),
            _ => self.tagged(0xd3, &n.to_be_bytes()),
        }
    }

    /// True or false.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.0.push(0xc2 | u8::from(value));
    }

    /// Nothing.
    #[inline]
    pub fn nil(&mut self) {
        self.0.push(0xc0);
    }

    #[inline]
    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn header(&mut self, n: u32, fix: u8, fix_max: u8, tag8: Option<u8>, tag16: u8, tag32: u8) {
        match (u8::try_from(n), tag8, u16::try_from(n)) {
            (Ok(n), _, _) if n <= fix_max => self.0.push(fix | n),
            (Ok(n), Some(tag8), _) => self.0.extend_from_slice(&[tag8, n]),
            (_, _, Ok(n)) => self.tagged(tag16, &n.to_be_bytes()),
            _ => self.tagged(tag32, &n.to_be_bytes()),
        }
    }
}
