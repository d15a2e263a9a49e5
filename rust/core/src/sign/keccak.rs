//! Keccak-256 as Ethereum uses it (padding byte 0x01, not SHA-3's 0x06).

const RATE: usize = 136;

/// Hash of one message.
#[must_use]
pub fn keccak256(message: &[u8]) -> [u8; 32] {
    let mut state = [0u64; 25];
    keccak::Keccak::new().with_f1600(|permute| {
        let mut blocks = message.chunks_exact(RATE);
        for block in &mut blocks {
            absorb(&mut state, block);
            permute(&mut state);
        }
        let mut last = [0u8; RATE];
        let rest = blocks.remainder();
        if let Some(place) = last.get_mut(..rest.len()) {
            place.copy_from_slice(rest);
        }
        if let Some(pad) = last.get_mut(rest.len()) {
            *pad = 0x01;
        }
        last[RATE - 1] |= 0x80;
        absorb(&mut state, &last);
        permute(&mut state);
    });
    let mut hash = [0u8; 32];
    for (place, lane) in hash.chunks_exact_mut(8).zip(state) {
        place.copy_from_slice(&lane.to_le_bytes());
    }
    hash
}

fn absorb(state: &mut [u64; 25], block: &[u8]) {
    for (lane, word) in state.iter_mut().zip(block.chunks_exact(8)) {
        let mut bytes = [0u8; 8];
        bytes.copy_from_slice(word);
        *lane ^= u64::from_le_bytes(bytes);
    }
}

/// Hashes of many messages; `out` is filled up to the shorter of the two lists.
pub fn keccak256_many(messages: &[&[u8]], out: &mut [[u8; 32]]) {
    for (message, hash) in messages.iter().zip(out) {
        *hash = keccak256(message);
    }
}
