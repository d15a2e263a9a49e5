//! Keccak-256 as Ethereum uses it (padding byte 0x01, not SHA-3's 0x06), with the best form that the processor offers.
mod lanes;
#[cfg(target_arch = "x86_64")]
mod x86;

use lanes::{Lane, permute};
#[cfg(target_arch = "x86_64")]
use pulp::{
    NullaryFnOnce, cast,
    x86::{V3, V4},
};

/// Bytes absorbed per permutation.
const RATE: usize = 136;
const RATE_LANES: usize = RATE / 8;

/// Hash of one message.
#[must_use]
pub fn keccak256(message: &[u8]) -> [u8; 32] {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(v4) = V4::try_new() {
            return v4.vectorize(OneWide(v4, message));
        }
        if let Some(v3) = V3::try_new() {
            return v3.vectorize(One(message));
        }
    }
    hash_one::<u64>((), message)
}

/// Hashes of many messages; `out` is filled up to the shorter of the two lists. Messages that need as many
/// permutations as their neighbours are hashed eight or four at a time where the processor can.
pub fn keccak256_many(messages: &[&[u8]], out: &mut [[u8; 32]]) {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(v4) = V4::try_new() {
            return in_groups(messages, out, |group, out| v4.vectorize(ManyEight(v4, group, out)));
        }
        if let Some(v3) = V3::try_new() {
            return in_groups(messages, out, |group, out| v3.vectorize(ManyFour(v3, group, out)));
        }
    }
    for (message, hash) in messages.iter().zip(out) {
        *hash = keccak256(message);
    }
}

/// Splits into groups of at most `N` messages with one number of blocks. Groups too small to pay are hashed one by one.
fn in_groups<const N: usize>(messages: &[&[u8]], out: &mut [[u8; 32]], wide: impl Fn(&[&[u8]; N], &mut [[u8; 32]; N])) {
    let mut rest = messages.iter().zip(out).peekable();
    while let Some((first, place)) = rest.next() {
        let mut group = [*first; N];
        let mut places = Vec::with_capacity(N);
        places.push(place);
        while places.len() < N
            && let Some((message, place)) = rest.next_if(|(next, _)| blocks(next) == blocks(first))
        {
            if let Some(slot) = group.get_mut(places.len()) {
                *slot = message;
            }
            places.push(place);
        }
        if places.len() < 3 {
            for (place, message) in places.into_iter().zip(group) {
                *place = keccak256(message);
            }
            continue;
        }
        let mut hashes = [[0u8; 32]; N];
        wide(&group, &mut hashes);
        for (place, hash) in places.into_iter().zip(hashes) {
            *place = hash;
        }
    }
}

/// Permutations that a message takes; padding always adds at least a byte.
const fn blocks(message: &[u8]) -> usize {
    message.len() / RATE + 1
}

#[cfg(target_arch = "x86_64")]
struct One<'a>(&'a [u8]);

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for One<'_> {
    type Output = [u8; 32];

    #[inline(always)]
    fn call(self) -> [u8; 32] {
        hash_one::<u64>((), self.0)
    }
}

#[cfg(target_arch = "x86_64")]
struct OneWide<'a>(V4, &'a [u8]);

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for OneWide<'_> {
    type Output = [u8; 32];

    #[inline(always)]
    fn call(self) -> [u8; 32] {
        hash_one::<x86::Single>(self.0, self.1)
    }
}

#[cfg(target_arch = "x86_64")]
struct ManyEight<'a>(V4, &'a [&'a [u8]; 8], &'a mut [[u8; 32]; 8]);

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for ManyEight<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let zip = |lanes: [u64; 8]| x86::Eight(cast(lanes));
        *self.2 = hash_many(self.0, self.1, zip, |lane: x86::Eight| cast(lane.0));
    }
}

#[cfg(target_arch = "x86_64")]
struct ManyFour<'a>(V3, &'a [&'a [u8]; 4], &'a mut [[u8; 32]; 4]);

#[cfg(target_arch = "x86_64")]
impl NullaryFnOnce for ManyFour<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let zip = |lanes: [u64; 4]| x86::Four(cast(lanes));
        *self.2 = hash_many(self.0, self.1, zip, |lane: x86::Four| cast(lane.0));
    }
}

#[inline(always)]
fn hash_one<L: Lane>(token: L::Token, message: &[u8]) -> [u8; 32] {
    let mut state = [L::splat(token, 0); 25];
    let (whole, rest) = message.as_chunks::<RATE>();
    for block in whole {
        absorb(token, &mut state, block);
        permute(token, &mut state);
    }
    absorb(token, &mut state, &padded(rest));
    permute(token, &mut state);
    let [a, b, c, d, ..] = state;
    squeeze([L::first(token, a), L::first(token, b), L::first(token, c), L::first(token, d)])
}

/// `N` messages of one number of blocks, lane by lane.
#[inline(always)]
fn hash_many<L: Lane, const N: usize>(
    token: L::Token,
    messages: &[&[u8]; N],
    zip: impl Fn([u64; N]) -> L,
    unzip: impl Fn(L) -> [u64; N],
) -> [[u8; 32]; N] {
    let count = messages.first().map_or(1, |message| blocks(message));
    let mut state = [L::splat(token, 0); 25];
    for number in 0..count {
        // The rate's lanes of every message, message after message.
        let mut lanes = [[0u64; RATE_LANES]; N];
        for (lanes, message) in lanes.iter_mut().zip(messages) {
            let (whole, rest) = message.as_chunks::<RATE>();
            let last = padded(rest);
            let block = whole.get(number).unwrap_or(&last);
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane = u64::from_le_bytes(*word);
            }
        }
        for (index, lane) in state.iter_mut().take(RATE_LANES).enumerate() {
            let mut column = [0u64; N];
            for (place, lanes) in column.iter_mut().zip(&lanes) {
                *place = lanes.get(index).copied().unwrap_or(0);
            }
            *lane = L::xor(token, *lane, zip(column));
        }
        permute(token, &mut state);
    }
    let columns = [unzip(state[0]), unzip(state[1]), unzip(state[2]), unzip(state[3])];
    let mut hashes = [[0u8; 32]; N];
    for (index, hash) in hashes.iter_mut().enumerate() {
        *hash = squeeze(columns.map(|column| column.get(index).copied().unwrap_or(0)));
    }
    hashes
}

#[inline(always)]
fn padded(rest: &[u8]) -> [u8; RATE] {
    let mut block = [0u8; RATE];
    if let Some((place, after)) = block.split_at_mut_checked(rest.len()) {
        place.copy_from_slice(rest);
        if let Some(pad) = after.first_mut() {
            *pad = 0x01;
        }
    }
    block[RATE - 1] |= 0x80;
    block
}

#[inline(always)]
fn absorb<L: Lane>(token: L::Token, state: &mut [L; 25], block: &[u8; RATE]) {
    for (lane, word) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = L::xor(token, *lane, L::splat(token, u64::from_le_bytes(*word)));
    }
}

#[inline(always)]
fn squeeze(lanes: [u64; 4]) -> [u8; 32] {
    let mut hash = [0u8; 32];
    for (place, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *place = lane.to_le_bytes();
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha3::Digest as _;

    fn reference(message: &[u8]) -> [u8; 32] {
        sha3::Keccak256::digest(message).into()
    }

    fn message(length: usize) -> Vec<u8> {
        (0..length).map(|n| u8::try_from((n * 31 + length) % 251).unwrap()).collect()
    }

    #[test]
    fn every_length_hashes_as_the_reference_does_in_every_form() {
        for length in 0..=600 {
            let message = message(length);
            let wanted = reference(&message);
            assert_eq!(keccak256(&message), wanted, "{length}");
            assert_eq!(hash_one::<u64>((), &message), wanted, "{length}");
            #[cfg(target_arch = "x86_64")]
            {
                if let Some(v3) = V3::try_new() {
                    assert_eq!(v3.vectorize(One(&message)), wanted, "{length}");
                }
                if let Some(v4) = V4::try_new() {
                    assert_eq!(v4.vectorize(OneWide(v4, &message)), wanted, "{length}");
                }
            }
        }
    }

    #[test]
    fn many_messages_hash_as_each_alone() {
        for count in [0usize, 1, 2, 3, 7, 8, 9, 30] {
            let messages: Vec<Vec<u8>> = (0..count).map(|n| message(n * 29 % 400)).collect();
            let same: Vec<Vec<u8>> = (0..count).map(|n| message(100 + n % 20)).collect();
            for messages in [messages, same] {
                let views: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
                let wanted: Vec<[u8; 32]> = views.iter().map(|view| reference(view)).collect();
                let mut out = vec![[0u8; 32]; count];
                keccak256_many(&views, &mut out);
                assert_eq!(out, wanted, "{count}");
                #[cfg(target_arch = "x86_64")]
                if let Some(v3) = V3::try_new() {
                    let mut out = vec![[0u8; 32]; count];
                    in_groups(&views, &mut out, |group, out| v3.vectorize(ManyFour(v3, group, out)));
                    assert_eq!(out, wanted, "{count}");
                }
            }
        }
    }
}
