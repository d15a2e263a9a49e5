//! The digest of an L1 action: the action's hash wrapped in the venue's phantom agent, as EIP-712 typed data.
use super::Digest;
use super::keccak::{keccak256, keccak256_many};
use crate::wire::Address;

/// Which network a signature is for. It is a setting, never derived from a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Real money.
    Mainnet,
    /// Testnet, and simulators.
    Testnet,
}

/// keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)") over
/// ("Exchange", "1", 1337, 0).
pub(super) const EXCHANGE_DOMAIN: [u8; 32] = hex32(b"d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040");
/// keccak("Agent(string source,bytes32 connectionId)").
pub(super) const AGENT_TYPE: [u8; 32] = hex32(b"26f05c2f7239b6983075e58321292d77b3aa173d19b27257ac96ab362570f508");
/// keccak("a").
pub(super) const SOURCE_MAINNET: [u8; 32] = hex32(b"3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb");
/// keccak("b").
pub(super) const SOURCE_TESTNET: [u8; 32] = hex32(b"b5553de315e0edf504d9150af82dafa5c4667fa618ed0a6f19c69b41166c5510");

#[expect(clippy::indexing_slicing, reason = "runs at compile time: an out-of-range index stops the build")]
const fn hex32(text: &[u8; 64]) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    let mut i = 0;
    while i < 64 {
        let digit = text[i];
        let value = if digit >= b'a' { digit - b'a' + 10 } else { digit - b'0' };
        bytes[i / 2] = bytes[i / 2] << 4 | value;
        i += 1;
    }
    bytes
}

/// What an L1 action's hash covers.
#[derive(Debug, Clone, Copy)]
pub struct Preimage<'a> {
    /// The action's msgpack.
    pub action: &'a [u8],
    /// Unix milliseconds, unique per signer.
    pub nonce: u64,
    /// The vault or sub-account that is traded.
    pub vault: Option<&'a Address>,
    /// Unix milliseconds after which the venue refuses the action.
    pub expires_after: Option<u64>,
}

impl Preimage<'_> {
    /// Appends the bytes that are hashed: action, nonce, vault marker, and the expiry block when there is one.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.action);
        write_circumstances(out, self.nonce, self.vault, self.expires_after);
    }
}

/// Appends what an action's hash covers beside the action: nonce, vault marker, and the expiry block when there is one.
#[inline]
pub fn write_circumstances(out: &mut Vec<u8>, nonce: u64, vault: Option<&Address>, expires_after: Option<u64>) {
    out.extend_from_slice(&nonce.to_be_bytes());
    match vault {
        Some(vault) => {
            out.push(1);
            out.extend_from_slice(&vault.0);
        }
        None => out.push(0),
    }
    if let Some(time_ms) = expires_after {
        // A constant, not a presence flag: without expiry the whole block is left out.
        out.push(0);
        out.extend_from_slice(&time_ms.to_be_bytes());
    }
}

/// The venue's connection id: Keccak-256 of action, nonce, vault and expiry.
#[must_use]
pub fn action_hash(preimage: &Preimage<'_>) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(preimage.action.len().saturating_add(38));
    preimage.write(&mut bytes);
    keccak256(&bytes)
}

/// The EIP-712 digest that wraps an action hash.
#[must_use]
pub fn digest_of_hash(action_hash: &[u8; 32], chain: Chain) -> Digest {
    keccak256(&domain_message(&keccak256(&agent_message(action_hash, chain))))
}

/// The digest to sign for an L1 action.
#[must_use]
pub fn l1_digest(
    action: &[u8],
    nonce: u64,
    vault: Option<&Address>,
    expires_after: Option<u64>,
    chain: Chain,
) -> Digest {
    digest_of_hash(&action_hash(&Preimage { action, nonce, vault, expires_after }), chain)
}

/// The digests of many L1 actions, hashed several at a time; `out` is filled up to the shorter of the two lists.
pub fn l1_digests(preimages: &[Preimage<'_>], chain: Chain, out: &mut [Digest]) {
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(preimages.len());
    for preimage in preimages {
        preimage.write(&mut bytes);
        ends.push(bytes.len());
    }
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let messages: Vec<&[u8]> = starts.zip(&ends).map(|(from, to)| bytes.get(from..*to).unwrap_or_default()).collect();
    digests_of_preimages(&messages, chain, out);
}

/// As [`l1_digests`], of preimages that are written out.
pub fn digests_of_preimages(preimages: &[&[u8]], chain: Chain, out: &mut [Digest]) {
    keccak256_many(preimages, out);
    let agents: Vec<[u8; 96]> = out.iter().map(|hash| agent_message(hash, chain)).collect();
    keccak256_many(&agents.iter().map(<[u8; 96]>::as_slice).collect::<Vec<_>>(), out);
    let typed: Vec<[u8; 66]> = out.iter().map(domain_message).collect();
    keccak256_many(&typed.iter().map(<[u8; 66]>::as_slice).collect::<Vec<_>>(), out);
}

fn agent_message(action_hash: &[u8; 32], chain: Chain) -> [u8; 96] {
    let source = match chain {
        Chain::Mainnet => &SOURCE_MAINNET,
        Chain::Testnet => &SOURCE_TESTNET,
    };
    let mut message = [0u8; 96];
    message[..32].copy_from_slice(&AGENT_TYPE);
    message[32..64].copy_from_slice(source);
    message[64..].copy_from_slice(action_hash);
    message
}

fn domain_message(struct_hash: &[u8; 32]) -> [u8; 66] {
    let mut message = [0u8; 66];
    message[..2].copy_from_slice(&[0x19, 0x01]);
    message[2..34].copy_from_slice(&EXCHANGE_DOMAIN);
    message[34..].copy_from_slice(struct_hash);
    message
}
