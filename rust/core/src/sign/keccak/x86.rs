//! Keccak on x86-64 with what the processor turns out to have: BMI for one message, AVX2 and AVX-512 for several at once.
//! A token of `pulp` is the proof that an instruction exists; without one the code below cannot be called.
use super::lanes::Lane;
use pulp::cast;
use pulp::x86::{V3, V4};
use std::arch::x86_64::{__m128i, __m256i, __m512i};

/// Four states in AVX2 registers.
#[derive(Clone, Copy)]
pub(super) struct Four(pub(super) __m256i);

impl Lane for Four {
    type Token = V3;

    #[inline(always)]
    fn splat(v3: V3, value: u64) -> Four {
        Four(v3.avx._mm256_set1_epi64x(value.cast_signed()))
    }

    #[inline(always)]
    fn first(_: V3, lane: Four) -> u64 {
        let lanes: [u64; 4] = cast(lane.0);
        lanes[0]
    }

    #[inline(always)]
    fn xor(v3: V3, a: Four, b: Four) -> Four {
        Four(v3.avx2._mm256_xor_si256(a.0, b.0))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(v3: V3, a: Four) -> Four {
        let (left, right) = (v3.avx2._mm256_slli_epi64::<LEFT>(a.0), v3.avx2._mm256_srli_epi64::<RIGHT>(a.0));
        Four(v3.avx2._mm256_or_si256(left, right))
    }

    #[inline(always)]
    fn chi(v3: V3, a: Four, b: Four, c: Four) -> Four {
        Four(v3.avx2._mm256_xor_si256(a.0, v3.avx2._mm256_andnot_si256(b.0, c.0)))
    }
}

/// Eight states in AVX-512 registers.
#[derive(Clone, Copy)]
pub(super) struct Eight(pub(super) __m512i);

/// One state, a lane per 128-bit register: 32 registers hold the whole state, and rotation and three-input logic are one
/// instruction each. Fewer instructions than integers need, for a message that is alone.
#[derive(Clone, Copy)]
pub(super) struct Single(__m128i);

impl Lane for Single {
    type Token = V4;

    #[inline(always)]
    fn splat(v4: V4, value: u64) -> Single {
        Single(v4.sse2._mm_set1_epi64x(value.cast_signed()))
    }

    #[inline(always)]
    fn first(_: V4, lane: Single) -> u64 {
        let lanes: [u64; 2] = cast(lane.0);
        lanes[0]
    }

    #[inline(always)]
    fn xor(v4: V4, a: Single, b: Single) -> Single {
        Single(v4.sse2._mm_xor_si128(a.0, b.0))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(v4: V4, a: Single) -> Single {
        Single(v4.avx512vl._mm_rol_epi64::<LEFT>(a.0))
    }

    #[inline(always)]
    fn chi(v4: V4, a: Single, b: Single, c: Single) -> Single {
        Single(v4.avx512vl._mm_ternarylogic_epi64::<CHI>(a.0, b.0, c.0))
    }

    #[inline(always)]
    fn xor5(v4: V4, [a, b, c, d, e]: [Single; 5]) -> Single {
        let three = v4.avx512vl._mm_ternarylogic_epi64::<PARITY>(a.0, b.0, c.0);
        Single(v4.avx512vl._mm_ternarylogic_epi64::<PARITY>(three, d.0, e.0))
    }

    #[inline(always)]
    fn theta(v4: V4, a: Single, [b, c]: [Single; 2]) -> Single {
        Single(v4.avx512vl._mm_ternarylogic_epi64::<PARITY>(a.0, b.0, c.0))
    }
}

/// Truth tables for the three-input instruction: parity, and `a ^ (!b & c)`.
const PARITY: i32 = 0x96;
const CHI: i32 = 0xd2;

impl Lane for Eight {
    type Token = V4;

    #[inline(always)]
    fn splat(v4: V4, value: u64) -> Eight {
        Eight(v4.avx512f._mm512_set1_epi64(value.cast_signed()))
    }

    #[inline(always)]
    fn first(_: V4, lane: Eight) -> u64 {
        let lanes: [u64; 8] = cast(lane.0);
        lanes[0]
    }

    #[inline(always)]
    fn xor(v4: V4, a: Eight, b: Eight) -> Eight {
        Eight(v4.avx512f._mm512_xor_si512(a.0, b.0))
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(v4: V4, a: Eight) -> Eight {
        Eight(v4.avx512f._mm512_rol_epi64::<LEFT>(a.0))
    }

    #[inline(always)]
    fn chi(v4: V4, a: Eight, b: Eight, c: Eight) -> Eight {
        Eight(v4.avx512f._mm512_ternarylogic_epi64::<CHI>(a.0, b.0, c.0))
    }

    #[inline(always)]
    fn xor5(v4: V4, [a, b, c, d, e]: [Eight; 5]) -> Eight {
        let three = v4.avx512f._mm512_ternarylogic_epi64::<PARITY>(a.0, b.0, c.0);
        Eight(v4.avx512f._mm512_ternarylogic_epi64::<PARITY>(three, d.0, e.0))
    }

    #[inline(always)]
    fn theta(v4: V4, a: Eight, [b, c]: [Eight; 2]) -> Eight {
        Eight(v4.avx512f._mm512_ternarylogic_epi64::<PARITY>(a.0, b.0, c.0))
    }
}
