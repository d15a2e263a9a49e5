//! The part of a signature that needs no message, made ahead of time and used once.
//!
//! With nonce k and key d: R = k·G, r = R.x, a = k⁻¹, b = r·d·k⁻¹. Later s = a·z + b completes the signature of digest z.
//! Two digests under one k reveal d. A presignature is therefore moved into the signing call, wiped there, and has no way to
//! be copied, printed or stored.
use super::signer::{SignError, Signer};
use super::{Digest, Signature};
use crate::wire::Address;
use hmac::{Hmac, KeyInit, Mac};
use k256::elliptic_curve::ops::Reduce;
use k256::elliptic_curve::scalar::IsHigh;
use k256::elliptic_curve::sec1::ToSec1Point;
use k256::elliptic_curve::subtle::ConditionallySelectable;
use k256::{FieldBytes, ProjectivePoint, Scalar, WideBytes};
use secp256k1::SecretKey;
use sha2::Sha512;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Most presignatures made by one call: one inversion is shared by the batch, and the batch bounds the time of a call.
pub const BATCH_MAX: usize = 64;

/// A nonce's inverse, its point, and the key folded in. Neither `Clone` nor `Copy`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Presignature {
    a: Scalar,
    b: Scalar,
    r: [u8; 32],
    odd: u8,
    #[zeroize(skip)]
    owner: Address,
}

impl Presignature {
    /// The public half, for the guard that no r is used twice. It must not leave the process before its message is fixed.
    #[must_use]
    pub const fn r(&self) -> &[u8; 32] {
        &self.r
    }

    /// The signer that made it and alone can complete it.
    #[must_use]
    pub const fn owner(&self) -> Address {
        self.owner
    }
}

impl fmt::Debug for Presignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presignature(<redacted>)")
    }
}

/// What makes one refill different from every other one, beside the key itself. A generator that fails or repeats
/// is not enough to repeat or to bias a nonce; a process that was cloned is, and that is the pool's business.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Refill {
    /// From the operating system, fetched for this refill.
    pub entropy: [u8; 32],
    /// The process.
    pub pid: u32,
    /// When the process started.
    pub started: u64,
    /// Never twice the same in one process.
    pub counter: u64,
}

impl Signer {
    /// Appends up to `count` (at most `BATCH_MAX`) fresh presignatures.
    ///
    /// # Errors
    /// `BadPresignature` when a result fails its check; then the signer must not be used any more.
    pub fn presign(&self, refill: &Refill, count: usize, out: &mut Vec<Presignature>) -> Result<(), SignError> {
        let made = self.make(refill, count, out);
        wipe_stack();
        made
    }

    #[inline(never)]
    fn make(&self, refill: &Refill, count: usize, out: &mut Vec<Presignature>) -> Result<(), SignError> {
        let nonces = self.nonces(refill, count.min(BATCH_MAX));
        let inverses = invert_all(&nonces);
        let d = Zeroizing::new(self.scalar());
        for (index, (k, inverse)) in nonces.iter().zip(inverses.iter()).enumerate() {
            if k * inverse != Scalar::ONE {
                return Err(SignError::BadPresignature);
            }
            let (r_bytes, odd) = self.nonce_point(k)?;
            if index == 0 && generator_point(k) != Some((r_bytes, odd)) {
                return Err(SignError::BadPresignature);
            }
            let r = <Scalar as Reduce<FieldBytes>>::reduce(&r_bytes.into());
            // x of the point at or above the group order: one nonce in 2^127, and its recovery id has no v on the venue.
            if FieldBytes::from(r) != FieldBytes::from(r_bytes) || bool::from(r.is_zero()) {
                continue;
            }
            let b = r * *d * inverse;
            out.push(Presignature { a: *inverse, b, r: r_bytes, odd: u8::from(odd), owner: self.address() });
        }
        Ok(())
    }

    /// Completes a presignature: `s = a·z + b`, made low, and v flipped with it.
    ///
    /// # Errors
    /// `WrongSigner` for another signer's presignature, `Degenerate` when s is zero. It is wiped either way.
    pub fn sign_presigned(&self, digest: &Digest, presignature: Presignature) -> Result<Signature, SignError> {
        if presignature.owner != self.address() {
            return Err(SignError::WrongSigner);
        }
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&(*digest).into());
        let s = presignature.a * z + presignature.b;
        if bool::from(s.is_zero()) {
            return Err(SignError::Degenerate);
        }
        let high = s.is_high();
        let s = Scalar::conditional_select(&s, &-s, high);
        Ok(Signature { r: presignature.r, s: s.to_bytes().into(), v: 27 + (presignature.odd ^ high.unwrap_u8()) })
    }

    /// HKDF over SHA-512: the key and the refill's circumstances in, 512 bits per nonce out, reduced without visible bias.
    fn nonces(&self, refill: &Refill, count: usize) -> Zeroizing<Vec<Scalar>> {
        let mut nonces = Zeroizing::new(Vec::with_capacity(count));
        let Ok(mut extract) = Hmac::<Sha512>::new_from_slice(self.key_bytes().as_slice()) else { return nonces };
        extract.update(b"hlfast: presign v1");
        extract.update(&refill.entropy);
        extract.update(&refill.pid.to_be_bytes());
        extract.update(&refill.started.to_be_bytes());
        extract.update(&refill.counter.to_be_bytes());
        let mut pseudorandom = extract.finalize().into_bytes();
        let expand = Hmac::<Sha512>::new_from_slice(&pseudorandom);
        pseudorandom.zeroize();
        let Ok(expand) = expand else { return nonces };
        for index in 0..count as u64 {
            let mut block = expand.clone();
            block.update(&index.to_be_bytes());
            let mut wide: WideBytes = block.finalize().into_bytes();
            let k = <Scalar as Reduce<WideBytes>>::reduce(&wide);
            wide.zeroize();
            if !bool::from(k.is_zero()) {
                nonces.push(k);
            }
        }
        nonces
    }

    /// x and the parity of y of `k·G`.
    fn nonce_point(&self, k: &Scalar) -> Result<([u8; 32], bool), SignError> {
        let mut bytes: Zeroizing<[u8; 32]> = Zeroizing::new(k.to_bytes().into());
        let mut key = SecretKey::from_byte_array(*bytes).map_err(|_| SignError::BadPresignature)?;
        bytes.zeroize();
        let point = self.point(&key).serialize();
        key.non_secure_erase();
        let [tag, x @ ..] = point;
        Ok((x, tag == 3))
    }
}

/// Overwrites what the calls before it left below: a compiler moves scalars through slots of the stack that no `Drop` wipes, and
/// which ones depends on its flags.
#[inline(never)]
fn wipe_stack() {
    let mut below = [0u8; 16 * 1024];
    below.zeroize();
    std::hint::black_box(&below);
}

/// The same point from a second implementation: a fault in one of them shows.
fn generator_point(k: &Scalar) -> Option<([u8; 32], bool)> {
    let point = ProjectivePoint::mul_by_generator(k).to_affine().to_sec1_point(true);
    let (tag, x) = point.as_bytes().split_first()?;
    Some((x.try_into().ok()?, *tag == 3))
}

/// Montgomery's trick: one inversion and three products each.
fn invert_all(scalars: &[Scalar]) -> Zeroizing<Vec<Scalar>> {
    let mut inverses = Zeroizing::new(Vec::with_capacity(scalars.len()));
    let mut product = Zeroizing::new(Scalar::ONE);
    for scalar in scalars {
        inverses.push(*product);
        *product *= scalar;
    }
    let mut rest = Zeroizing::new(product.invert().unwrap_or(Scalar::ZERO));
    for (inverse, scalar) in inverses.iter_mut().zip(scalars).rev() {
        *inverse *= *rest;
        *rest *= scalar;
    }
    inverses
}
