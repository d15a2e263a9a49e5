//! The part of a signature that needs no message, made ahead of time and used once.
use k256::Scalar;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A nonce's inverse, its point and the key folded in: `s = a·z + b`. Neither `Clone` nor `Copy`; signing takes it by
/// move and wipes it, because two digests under one presignature reveal the key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Presignature {
    pub(super) a: Scalar,
    pub(super) b: Scalar,
    pub(super) r: [u8; 32],
    pub(super) odd: u8,
}

impl Presignature {
    /// The public half, for the guard that no r is ever used twice.
    #[must_use]
    pub fn r(&self) -> &[u8; 32] {
        &self.r
    }
}

impl fmt::Debug for Presignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presignature(<redacted>)")
    }
}
