//! A private key on its way in: it cannot be cloned, printed or read from outside, and is wiped when dropped.
use super::keccak::keccak256;
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

    /// Reads 64 hex digits of either case, `0x` optional.
    #[must_use]
    pub fn parse_hex(text: &[u8]) -> Option<Secret> {
        parse_hex(text.strip_prefix(b"0x").unwrap_or(text)).map(|mut bytes| Secret::take(&mut bytes))
    }

    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Unpredictable to anyone without the key, and independent of it: input to the blinding of its context.
    pub(super) fn blinding_seed(&self) -> [u8; 32] {
        let mut message = [0u8; 48];
        message[..16].copy_from_slice(b"hlfast: blinding");
        message[16..].copy_from_slice(&self.0);
        let seed = keccak256(&message);
        message.zeroize();
        seed
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(<redacted>)")
    }
}
