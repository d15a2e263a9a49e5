//! From an action's bytes to a signature. Called after `step`, never inside it: nothing here is journalled or replayed.
mod eip712;
mod keccak;
mod presign;
mod secret;
mod signer;

pub use eip712::{Chain, Preimage, action_hash, digest_of_hash, l1_digest, l1_digests};
pub use keccak::{keccak256, keccak256_many};
pub use presign::Presignature;
pub use secret::Secret;
pub use signer::{SignError, Signature, Signer, recover};

/// What ECDSA signs: 32 bytes.
pub type Digest = [u8; 32];
