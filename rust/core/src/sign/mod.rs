//! From an action's bytes to a signature. Called after `step`, never inside it: nothing here is journalled or replayed.
mod eip712;
mod keccak;
mod presign;
mod secret;
mod signature;
mod signer;
mod typed;

pub use eip712::{
    Chain, Preimage, action_hash, digest_of_hash, digests_of_preimages, l1_digest, l1_digests, write_circumstances,
};
pub use keccak::{keccak256, keccak256_many};
pub use presign::{BATCH_MAX, Presignature, Refill};
pub use secret::Secret;
pub use signature::{Signature, write_quantity};
pub use signer::{SignError, Signer, recover};
pub use typed::{Field, Value, user_digest};

/// What ECDSA signs: 32 bytes.
pub type Digest = [u8; 32];
