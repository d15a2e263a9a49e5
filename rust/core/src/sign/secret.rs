//! A private key in memory: it cannot be cloned, printed or read from outside, and is wiped when dropped.
use crate::wire::parse_hex;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes the bytes and wipes the caller's copy.
    #[must_use]
    pub fn take(bytes: &mut [u8; 32]) -> Secret {
        let secret = Secret(*bytes);
        bytes.zeroize();
        secret
    }

    /// Reads 64 hex digits, `0x` optional.
    #[must_use]
    pub fn parse_hex(text: &[u8]) -> Option<Secret> {
        parse_hex(text.strip_prefix(b"0x").unwrap_or(text)).map(|mut bytes| Secret::take(&mut bytes))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<redacted>)")
    }
}
