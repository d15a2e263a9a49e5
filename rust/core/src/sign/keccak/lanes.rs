//! Keccak-f[1600] over anything that has 64-bit lanes: one state in integers, or several side by side in vectors.

/// One lane of the state, or the same lane of several states.
pub(super) trait Lane: Copy {
    /// Proof that the processor has what the lane needs.
    type Token: Copy;
    fn splat(token: Self::Token, value: u64) -> Self;
    /// The lane of the first state.
    fn first(token: Self::Token, lane: Self) -> u64;
    fn xor(token: Self::Token, a: Self, b: Self) -> Self;
    /// `LEFT + RIGHT` is 64: both are given because not every vector unit can rotate.
    fn rotate<const LEFT: i32, const RIGHT: i32>(token: Self::Token, a: Self) -> Self;
    /// `a ^ (!b & c)`.
    fn chi(token: Self::Token, a: Self, b: Self, c: Self) -> Self;

    #[inline(always)]
    fn xor5(token: Self::Token, [a, b, c, d, e]: [Self; 5]) -> Self {
        Self::xor(token, Self::xor(token, Self::xor(token, a, b), Self::xor(token, c, d)), e)
    }

    /// `a ^ (b ^ c)`. Vectors with a three-input instruction need no `b ^ c` by itself; elsewhere it is one value, used five times.
    #[inline(always)]
    fn theta(token: Self::Token, a: Self, [b, c]: [Self; 2]) -> Self {
        Self::xor(token, a, Self::xor(token, b, c))
    }
}

pub(super) const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// 24 rounds over lane (x, y) at index x + 5y. The last one stands outside the loop: of its lanes only those that the caller
/// reads are computed.
#[inline(always)]
pub(super) fn permute<L: Lane>(token: L::Token, s: &mut [L; 25]) {
    let [first @ .., last] = ROUND_CONSTANTS;
    for constant in first {
        round(token, s, constant);
    }
    round(token, s, last);
}

/// Written out, so that every lane lives in a register of its own.
#[inline(always)]
fn round<L: Lane>(token: L::Token, s: &mut [L; 25], constant: u64) {
    let c0 = L::xor5(token, [s[0], s[5], s[10], s[15], s[20]]);
    let c1 = L::xor5(token, [s[1], s[6], s[11], s[16], s[21]]);
    let c2 = L::xor5(token, [s[2], s[7], s[12], s[17], s[22]]);
    let c3 = L::xor5(token, [s[3], s[8], s[13], s[18], s[23]]);
    let c4 = L::xor5(token, [s[4], s[9], s[14], s[19], s[24]]);
    let d0 = [c4, L::rotate::<1, 63>(token, c1)];
    let d1 = [c0, L::rotate::<1, 63>(token, c2)];
    let d2 = [c1, L::rotate::<1, 63>(token, c3)];
    let d3 = [c2, L::rotate::<1, 63>(token, c4)];
    let d4 = [c3, L::rotate::<1, 63>(token, c0)];
    let b0 = [
        L::theta(token, s[0], d0),
        L::rotate::<44, 20>(token, L::theta(token, s[6], d1)),
        L::rotate::<43, 21>(token, L::theta(token, s[12], d2)),
        L::rotate::<21, 43>(token, L::theta(token, s[18], d3)),
        L::rotate::<14, 50>(token, L::theta(token, s[24], d4)),
    ];
    let b1 = [
        L::rotate::<28, 36>(token, L::theta(token, s[3], d3)),
        L::rotate::<20, 44>(token, L::theta(token, s[9], d4)),
        L::rotate::<3, 61>(token, L::theta(token, s[10], d0)),
        L::rotate::<45, 19>(token, L::theta(token, s[16], d1)),
        L::rotate::<61, 3>(token, L::theta(token, s[22], d2)),
    ];
    let b2 = [
        L::rotate::<1, 63>(token, L::theta(token, s[1], d1)),
        L::rotate::<6, 58>(token, L::theta(token, s[7], d2)),
        L::rotate::<25, 39>(token, L::theta(token, s[13], d3)),
        L::rotate::<8, 56>(token, L::theta(token, s[19], d4)),
        L::rotate::<18, 46>(token, L::theta(token, s[20], d0)),
    ];
    let b3 = [
        L::rotate::<27, 37>(token, L::theta(token, s[4], d4)),
        L::rotate::<36, 28>(token, L::theta(token, s[5], d0)),
        L::rotate::<10, 54>(token, L::theta(token, s[11], d1)),
        L::rotate::<15, 49>(token, L::theta(token, s[17], d2)),
        L::rotate::<56, 8>(token, L::theta(token, s[23], d3)),
    ];
    let b4 = [
        L::rotate::<62, 2>(token, L::theta(token, s[2], d2)),
        L::rotate::<55, 9>(token, L::theta(token, s[8], d3)),
        L::rotate::<39, 25>(token, L::theta(token, s[14], d4)),
        L::rotate::<41, 23>(token, L::theta(token, s[15], d0)),
        L::rotate::<2, 62>(token, L::theta(token, s[21], d1)),
    ];
    [s[0], s[1], s[2], s[3], s[4]] = chi(token, b0);
    [s[5], s[6], s[7], s[8], s[9]] = chi(token, b1);
    [s[10], s[11], s[12], s[13], s[14]] = chi(token, b2);
    [s[15], s[16], s[17], s[18], s[19]] = chi(token, b3);
    [s[20], s[21], s[22], s[23], s[24]] = chi(token, b4);
    s[0] = L::xor(token, s[0], L::splat(token, constant));
}

#[inline(always)]
fn chi<L: Lane>(token: L::Token, [a, b, c, d, e]: [L; 5]) -> [L; 5] {
    [
        L::chi(token, a, b, c),
        L::chi(token, b, c, d),
        L::chi(token, c, d, e),
        L::chi(token, d, e, a),
        L::chi(token, e, a, b),
    ]
}

impl Lane for u64 {
    type Token = ();

    #[inline(always)]
    fn splat((): (), value: u64) -> u64 {
        value
    }

    #[inline(always)]
    fn first((): (), lane: u64) -> u64 {
        lane
    }

    #[inline(always)]
    fn xor((): (), a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>((): (), a: u64) -> u64 {
        a.rotate_left(LEFT.unsigned_abs())
    }

    #[inline(always)]
    fn chi((): (), a: u64, b: u64, c: u64) -> u64 {
        a ^ (!b & c)
    }
}
