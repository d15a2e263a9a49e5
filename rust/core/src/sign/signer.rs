//! A key that signs digests: deterministic (RFC 6979), hedged with fresh entropy, or with a presignature.
use super::keccak::keccak256;
use super::presign::Presignature;
use super::secret::Secret;
use super::Digest;
use crate::wire::Address;
use k256::Scalar;
use k256::elliptic_curve::ops::Reduce;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};
use std::fmt;

/// Why a key or a signature is refused. Never carries key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Zero, or not below the group order.
    #[error("the private key is not a valid secp256k1 key")]
    BadKey,
    /// Chance of 2^-255, or a broken presignature.
    #[error("the signature came out as zero; sign again")]
    Degenerate,
    /// No key recovers.
    #[error("no signer can be recovered from this signature")]
    Unrecoverable,
}

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

/// Appends `0x` and the number's hex digits without leading zeros.
pub(crate) fn write_quantity(out: &mut Vec<u8>, bytes: &[u8; 32]) {
    let start = out.len();
    crate::wire::write_hex(out, bytes);
    let zeros = out.iter().skip(start).take(63).take_while(|&&digit| digit == b'0').count();
    out.splice(start..start.saturating_add(zeros), *b"0x");
}

/// A private key with its address.
pub struct Signer {
    secret: Secret,
    address: Address,
}

impl Signer {
    /// Checks the key and derives its address.
    ///
    /// # Errors
    /// `BadKey` when the number is zero or not below the group order.
    pub fn new(secret: Secret) -> Result<Signer, SignError> {
        let mut key = SecretKey::from_secret_bytes(*secret.expose()).map_err(|_| SignError::BadKey)?;
        let address = address_of(&key.public_key());
        key.non_secure_erase();
        Ok(Signer { secret, address })
    }

    /// The account that its signatures speak for.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// RFC 6979 without extra entropy: bit for bit what the official SDK makes.
    ///
    /// # Errors
    /// `BadKey` cannot occur after `new`.
    pub fn sign_deterministic(&self, digest: &Digest) -> Result<Signature, SignError> {
        let mut key = self.key()?;
        let signature = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(*digest), &key);
        key.non_secure_erase();
        Ok(compact(&signature))
    }

    /// RFC 6979 with 32 bytes of fresh entropy mixed in: safe against a broken generator and against fault attacks.
    ///
    /// # Errors
    /// `BadKey` cannot occur after `new`.
    pub fn sign_hedged(&self, digest: &Digest, entropy: [u8; 32]) -> Result<Signature, SignError> {
        let mut key = self.key()?;
        let message = Message::from_digest(*digest);
        let signature = RecoverableSignature::sign_ecdsa_recoverable_with_noncedata(message, &key, &entropy);
        key.non_secure_erase();
        Ok(compact(&signature))
    }

    /// Completes a presignature made by this signer: `s = a·z + b`, then low s.
    ///
    /// # Errors
    /// `Degenerate` when s is zero. The presignature is wiped either way.
    pub fn sign_presigned(&self, digest: &Digest, presignature: Presignature) -> Result<Signature, SignError> {
        let z = <Scalar as Reduce<k256::FieldBytes>>::reduce(&(*digest).into());
        let s = presignature.a * z + presignature.b;
        if bool::from(s.is_zero()) {
            return Err(SignError::Degenerate);
        }
        use k256::elliptic_curve::scalar::IsHigh;
        use k256::elliptic_curve::subtle::ConditionallySelectable;
        let high = s.is_high();
        let s = Scalar::conditional_select(&s, &-s, high);
        let v = 27 + (presignature.odd ^ high.unwrap_u8());
        Ok(Signature { r: presignature.r, s: s.to_bytes().into(), v })
    }

    fn key(&self) -> Result<SecretKey, SignError> {
        SecretKey::from_secret_bytes(*self.secret.expose()).map_err(|_| SignError::BadKey)
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
/// `Unrecoverable` when the numbers are no signature.
pub fn recover(digest: &Digest, signature: &Signature) -> Result<Address, SignError> {
    let mut bytes = [0u8; 64];
    bytes[..32].copy_from_slice(&signature.r);
    bytes[32..].copy_from_slice(&signature.s);
    let id = match signature.v {
        27 => RecoveryId::Zero,
        28 => RecoveryId::One,
        _ => return Err(SignError::Unrecoverable),
    };
    let parsed = RecoverableSignature::from_compact(&bytes, id).map_err(|_| SignError::Unrecoverable)?;
    let key = parsed.recover_ecdsa(Message::from_digest(*digest)).map_err(|_| SignError::Unrecoverable)?;
    Ok(address_of(&key))
}

fn compact(signature: &RecoverableSignature) -> Signature {
    let (id, bytes) = signature.serialize_compact();
    let (mut r, mut s) = ([0u8; 32], [0u8; 32]);
    r.copy_from_slice(&bytes[..32]);
    s.copy_from_slice(&bytes[32..]);
    Signature { r, s, v: 27 + (id.to_u8() & 1) }
}

fn address_of(key: &PublicKey) -> Address {
    let point = key.serialize_uncompressed();
    let hash = keccak256(&point[1..]);
    let mut address = [0u8; 20];
    address.copy_from_slice(&hash[12..]);
    Address(address)
}
