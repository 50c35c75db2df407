//! x86-64 with AVX-512 VNNI: 64 products an instruction.

extern crate std;

use core::arch::x86_64::*;

use super::lanes::{InOrder, Job, Lanes, Place};

/// Vectors of 512 bits, with products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Avx512Vnni(());

/// Sign bits, which convert between an int8 and an activation.
const SIGNS: i8 = i8::MIN;

/// # Safety
/// The processor has all features that [`Avx512Vnni::detect`] checks.
#[target_feature(enable = "fma,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn call<J: Job<Avx512Vnni>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

/// A mask of the first `count` of 64 bytes.
#[inline(always)]
const fn first(count: usize) -> u64 {
    match count {
        64.. => u64::MAX,
        _ => (1 << count) - 1,
    }
}

/// Packs two vectors of sums to 16-bit values and adds the zero point. Both the packing and the
/// addition saturate; after the clamp to int8 the result is the same.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn pair(a: __m512i, b: __m512i, zero_point: __m512i) -> __m512i {
    // SAFETY: the processor has the features.
    unsafe { _mm512_adds_epi16(_mm512_packs_epi32(a, b), zero_point) }
}

impl Lanes for Avx512Vnni {
    const LANES: usize = 16;
    const GROUP: usize = 4;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 128;
    const VECTORS: usize = 2;
    const PIXELS: usize = 8;

    type Sums = __m512i;
    type Bytes = __m512i;
    type Columns = [__m512i; 4];

    fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni");
        found.then_some(Avx512Vnni(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { call(job) }
    }

    // SAFETY of all below: run in a job, the processor has the features; pointers point to as many
    // values as the trait requires.

    #[inline(always)]
    unsafe fn load(from: *const i32) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(number: i32) -> __m512i {
        unsafe { _mm512_set1_epi32(number) }
    }

    #[inline(always)]
    unsafe fn extend(from: *const i8) -> __m512i {
        unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut i32, sums: __m512i) {
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn raise(from: *const i8) -> [__m512i; 4] {
        unsafe {
            let numbers = _mm512_loadu_si512(from.cast());
            let none = _mm512_setzero_si512();
            let low = _mm512_unpacklo_epi8(none, numbers);
            let high = _mm512_unpackhi_epi8(none, numbers);
            // Each byte goes to the upper 8 bits.
            [
                _mm512_srai_epi32::<4>(_mm512_unpacklo_epi16(none, low)),
                _mm512_srai_epi32::<4>(_mm512_unpackhi_epi16(none, low)),
                _mm512_srai_epi32::<4>(_mm512_unpacklo_epi16(none, high)),
                _mm512_srai_epi32::<4>(_mm512_unpackhi_epi16(none, high)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn high_product(sums: __m512i, mantissa: __m512i, odd: __m512i) -> __m512i {
        // For a mantissa of at least zero, gemmlowp's nudge and division equal adding a half and taking
        // the floor: bits 31 to 62 of the product.
        unsafe {
            let half = _mm512_set1_epi64(1 << 30);
            let even = _mm512_add_epi64(_mm512_mul_epi32(sums, mantissa), half);
            let sums = _mm512_srli_epi64::<32>(sums);
            let odd = _mm512_add_epi64(_mm512_mul_epi32(sums, odd), half);
            _mm512_mask_blend_epi32(
                0xAAAA,
                _mm512_srli_epi64::<31>(even),
                _mm512_slli_epi64::<1>(odd),
            )
        }
    }

    #[inline(always)]
    unsafe fn negative(sums: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi32::<31>(sums) }
    }

    #[inline(always)]
    unsafe fn and(a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_left_each(sums: __m512i, bits: __m512i) -> __m512i {
        unsafe { _mm512_sllv_epi32(sums, bits) }
    }

    #[inline(always)]
    unsafe fn shift_right_each(sums: __m512i, half: __m512i, bits: __m512i) -> __m512i {
        unsafe { _mm512_srav_epi32(_mm512_add_epi32(sums, half), bits) }
    }

    #[inline(always)]
    unsafe fn line(sums: __m512i, slope: __m512i, offset: __m512i, signed: bool) -> __m512i {
        unsafe {
            let sums = _mm512_cvtepi32_ps(sums);
            let mut offset = offset;
            if signed {
                let sign = _mm512_and_si512(_mm512_castps_si512(sums), _mm512_set1_epi32(i32::MIN));
                offset = _mm512_or_si512(offset, sign);
            }
            let slope = _mm512_castsi512_ps(slope);
            _mm512_cvtps_epi32(_mm512_fmadd_ps(sums, slope, _mm512_castsi512_ps(offset)))
        }
    }

    #[inline(always)]
    unsafe fn write<const V: usize>(to: *mut i8, count: usize, sums: [__m512i; V], place: &Place) {
        unsafe {
            let zero_point = _mm512_set1_epi16(place.zero_point.into());
            let (min, max) = (_mm512_set1_epi8(place.min), _mm512_set1_epi8(place.max));
            let all = first(count);
            match V {
                4 => {
                    let bytes = _mm512_packs_epi16(
                        pair(sums[0], sums[1], zero_point),
                        pair(sums[2], sums[3], zero_point),
                    );
                    let bytes = _mm512_min_epi8(_mm512_max_epi8(bytes, min), max);
                    match count {
                        64 => _mm512_storeu_si512(to.cast(), bytes),
                        _ => _mm512_mask_storeu_epi8(to, all, bytes),
                    }
                }
                2 => {
                    let (min, max) = (_mm512_castsi512_si256(min), _mm512_castsi512_si256(max));
                    let bytes = _mm512_cvtsepi16_epi8(pair(sums[0], sums[1], zero_point));
                    let bytes = _mm256_min_epi8(_mm256_max_epi8(bytes, min), max);
                    match count {
                        32 => _mm256_storeu_si256(to.cast(), bytes),
                        _ => _mm256_mask_storeu_epi8(to, all as u32, bytes),
                    }
                }
                _ => {
                    let (min, max) = (_mm512_castsi512_si128(min), _mm512_castsi512_si128(max));
                    let moved =
                        _mm512_add_epi32(sums[0], _mm512_set1_epi32(place.zero_point.into()));
                    let bytes = _mm512_cvtsepi32_epi8(moved);
                    let bytes = _mm_min_epi8(_mm_max_epi8(bytes, min), max);
                    match count {
                        16 => _mm_storeu_si128(to.cast(), bytes),
                        _ => _mm_mask_storeu_epi8(to, all as u16, bytes),
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
        unsafe {
            let signs = _mm512_set1_epi8(SIGNS);
            let to: *mut i8 = to.cast();
            let mut at = 0;
            while at + 64 <= len {
                let bytes = _mm512_loadu_si512(from.add(at).cast());
                _mm512_storeu_si512(to.add(at).cast(), _mm512_xor_si512(bytes, signs));
                at += 64;
            }
            if at < len {
                let rest = first(len - at);
                let bytes = _mm512_maskz_loadu_epi8(rest, from.add(at));
                _mm512_mask_storeu_epi8(to.add(at), rest, _mm512_xor_si512(bytes, signs));
            }
        }
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8, count: usize) -> __m512i {
        unsafe {
            let bytes = _mm512_maskz_loadu_epi8(first(count), from);
            _mm512_xor_si512(bytes, _mm512_set1_epi8(SIGNS))
        }
    }

    #[inline(always)]
    unsafe fn splat_byte(number: i8) -> __m512i {
        unsafe { _mm512_set1_epi8(number ^ SIGNS) }
    }

    #[inline(always)]
    unsafe fn columns(rows: [__m512i; 3]) -> [__m512i; 4] {
        unsafe {
            let [top, middle, bottom] = rows;
            let none = _mm512_setzero_si512();
            let low = [
                _mm512_unpacklo_epi8(top, middle),
                _mm512_unpacklo_epi8(bottom, none),
            ];
            let high = [
                _mm512_unpackhi_epi8(top, middle),
                _mm512_unpackhi_epi8(bottom, none),
            ];
            [
                _mm512_unpacklo_epi16(low[0], low[1]),
                _mm512_unpackhi_epi16(low[0], low[1]),
                _mm512_unpacklo_epi16(high[0], high[1]),
                _mm512_unpackhi_epi16(high[0], high[1]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [__m512i; 4],
        columns: [__m512i; 4],
        weights: *const i8,
    ) -> [__m512i; 4] {
        unsafe {
            let weights: *const __m512i = weights.cast();
            for (v, sum) in sums.iter_mut().enumerate() {
                let weights = _mm512_loadu_si512(weights.add(v));
                *sum = _mm512_dpbusd_epi32(*sum, columns[v], weights);
            }
            sums
        }
    }
}

impl InOrder for Avx512Vnni {
    type Weights = __m512i;

    // SAFETY of both: as above.

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> __m512i {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m512i, group: u32, weights: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(group as i32), weights) }
    }
}
