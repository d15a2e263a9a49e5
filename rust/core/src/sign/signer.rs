//! A key that signs digests: deterministic (RFC 6979), hedged with fresh entropy, or with a presignature.
use super::Digest;
use super::keccak::keccak256;
use super::secret::Secret;
use super::signature::Signature;
use crate::wire::Address;
use k256::elliptic_curve::ops::Reduce;
use k256::{FieldBytes, Scalar};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey, SignOnly, VerifyOnly};
use std::fmt;
use std::sync::LazyLock;
use zeroize::Zeroize;

/// Why a key or a signature is refused. Never carries key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Zero, or not below the group order.
    #[error("the private key is not a valid secp256k1 key")]
    BadKey,
    /// Chance of 2^-255, or a broken presignature.
    #[error("the signature came out as zero; sign again")]
    Degenerate,
    /// A presignature only completes under the key that made it.
    #[error("the presignature was made by another signer")]
    WrongSigner,
    /// A fault while presigning: the result did not pass its own check.
    #[error("a presignature failed its check when it was made; stop this signer")]
    BadPresignature,
    /// No key recovers.
    #[error("no signer can be recovered from this signature")]
    Unrecoverable,
}

/// A private key with its address. Wiped when dropped; never cloned, printed or sent.
pub struct Signer {
    key: SecretKey,
    address: Address,
    // Blinded for this key alone, so that what one signer's timing may tell says nothing about another's.
    context: Secp256k1<SignOnly>,
}

impl Signer {
    /// Checks the key and derives its address.
    ///
    /// # Errors
    /// `BadKey` when the number is zero or not below the group order.
    pub fn new(secret: &Secret) -> Result<Signer, SignError> {
        let key = SecretKey::from_byte_array(*secret.expose()).map_err(|_| SignError::BadKey)?;
        let mut seed = secret.blinding_seed();
        let mut context = Secp256k1::signing_only();
        context.seeded_randomize(&seed);
        seed.zeroize();
        let address = address_of(&PublicKey::from_secret_key(&context, &key));
        Ok(Signer { key, address, context })
    }

    /// The account that its signatures speak for.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// RFC 6979 without extra entropy: bit for bit what the official SDK makes.
    #[must_use]
    pub fn sign_deterministic(&self, digest: &Digest) -> Signature {
        compact(&self.context.sign_ecdsa_recoverable(Message::from_digest(*digest), &self.key))
    }

    /// RFC 6979 with 32 bytes of fresh entropy mixed in: safe with a broken generator and against fault attacks.
    #[must_use]
    pub fn sign_hedged(&self, digest: &Digest, mut entropy: [u8; 32]) -> Signature {
        let message = Message::from_digest(*digest);
        let signature = self.context.sign_ecdsa_recoverable_with_noncedata(message, &self.key, &entropy);
        entropy.zeroize();
        compact(&signature)
    }

    /// The key as a scalar, for presigning.
    pub(super) fn scalar(&self) -> Scalar {
        let mut bytes = self.key.secret_bytes();
        let scalar = <Scalar as Reduce<FieldBytes>>::reduce(&bytes.into());
        bytes.zeroize();
        scalar
    }

    /// `k·G` in constant time.
    pub(super) fn point(&self, k: &SecretKey) -> PublicKey {
        PublicKey::from_secret_key(&self.context, k)
    }

    /// The key's bytes, as input key material for nonces.
    pub(super) fn key_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.key.secret_bytes())
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.key.non_secure_erase();
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, <redacted>)", self.address)
    }
}

/// The address that signed `digest`.
///
/// # Errors
/// `Unrecoverable` when the numbers are no signature of anyone.
pub fn recover(digest: &Digest, signature: &Signature) -> Result<Address, SignError> {
    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);
    let mut bytes = [0u8; 64];
    bytes[..32].copy_from_slice(&signature.r);
    bytes[32..].copy_from_slice(&signature.s);
    let id = match signature.v {
        27 => RecoveryId::Zero,
        28 => RecoveryId::One,
        _ => return Err(SignError::Unrecoverable),
    };
    let parsed = RecoverableSignature::from_compact(&bytes, id).map_err(|_| SignError::Unrecoverable)?;
    let message = Message::from_digest(*digest);
    let key = CONTEXT.recover_ecdsa(message, &parsed).map_err(|_| SignError::Unrecoverable)?;
    Ok(address_of(&key))
}

fn compact(signature: &RecoverableSignature) -> Signature {
    let (id, bytes) = signature.serialize_compact();
    let (mut r, mut s) = ([0u8; 32], [0u8; 32]);
    r.copy_from_slice(&bytes[..32]);
    s.copy_from_slice(&bytes[32..]);
    // Ids 2 and 3 need an r above the group order: one signature in 2^127.
    let odd = matches!(id, RecoveryId::One | RecoveryId::Three);
    Signature { r, s, v: 27 + u8::from(odd) }
}

fn address_of(key: &PublicKey) -> Address {
    let point = key.serialize_uncompressed();
    let hash = keccak256(&point[1..]);
    let mut address = [0u8; 20];
    address.copy_from_slice(&hash[12..]);
    Address(address)
}
