//! Code shared by the variants with vectors of 256 bits: everything but products.
//!
//! # Safety
//! The processor that runs any of this has AVX2 and FMA, and pointers point to as many values as
//! [`Lanes`](super::lanes::Lanes) requires.

use core::arch::x86_64::*;

use super::lanes::Place;

/// Sums in a vector.
pub(super) const LANES: usize = 8;
/// Sign bits, which convert between an int8 and an activation.
pub(super) const SIGNS: i8 = i8::MIN;

/// See [`Lanes::high_product`](super::lanes::Lanes::high_product).
#[inline(always)]
pub(super) unsafe fn high_product(sums: __m256i, mantissa: __m256i, odd: __m256i) -> __m256i {
    // For a mantissa of at least zero, gemmlowp's nudge and division equal adding a half and taking the
    // floor: bits 31 to 62 of the product.
    //
    // SAFETY: the processor has AVX2.
    unsafe {
        let half = _mm256_set1_epi64x(1 << 30);
        let even = _mm256_add_epi64(_mm256_mul_epi32(sums, mantissa), half);
        let sums = _mm256_srli_epi64::<32>(sums);
        let odd = _mm256_add_epi64(_mm256_mul_epi32(sums, odd), half);
        _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<31>(even), _mm256_slli_epi64::<1>(odd))
    }
}

/// See [`Lanes::line`](super::lanes::Lanes::line).
#[inline(always)]
pub(super) unsafe fn line(sums: __m256i, slope: __m256i, offset: __m256i, signed: bool) -> __m256i {
    // SAFETY: the processor has AVX2 and FMA.
    unsafe {
        let sums = _mm256_cvtepi32_ps(sums);
        let mut offset = _mm256_castsi256_ps(offset);
        if signed {
            offset = _mm256_or_ps(offset, _mm256_and_ps(sums, _mm256_set1_ps(-0.0)));
        }
        _mm256_cvtps_epi32(_mm256_fmadd_ps(sums, _mm256_castsi256_ps(slope), offset))
    }
}

/// Copies `count` bytes, eight at a time as far as possible.
///
/// # Safety
/// There are `count` bytes at both, and the two do not overlap.
#[inline(always)]
unsafe fn copy(from: *const i8, to: *mut i8, count: usize) {
    let mut at = 0;
    // SAFETY: no more than `count` bytes are read and written.
    unsafe {
        while at + 8 <= count {
            let eight: u64 = from.add(at).cast::<u64>().read_unaligned();
            to.add(at).cast::<u64>().write_unaligned(eight);
            at += 8;
        }
        while at < count {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}

/// See [`Lanes::bytes`](super::lanes::Lanes::bytes).
#[inline(always)]
pub(super) unsafe fn bytes(from: *const i8, count: usize) -> __m256i {
    // SAFETY: `count` bytes are read, of which the buffer holds 32.
    unsafe {
        let bytes = if count >= 32 {
            _mm256_loadu_si256(from.cast())
        } else {
            let mut buffer = [0_i8; 32];
            copy(from, buffer.as_mut_ptr(), count);
            _mm256_loadu_si256(buffer.as_ptr().cast())
        };
        _mm256_xor_si256(bytes, _mm256_set1_epi8(SIGNS))
    }
}

/// Four activations of a channel side by side; see [`Lanes::columns`](super::lanes::Lanes::columns).
#[inline(always)]
pub(super) unsafe fn columns([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    // SAFETY: the processor has AVX2.
    unsafe {
        let low = [_mm256_unpacklo_epi8(a, b), _mm256_unpacklo_epi8(c, d)];
        let high = [_mm256_unpackhi_epi8(a, b), _mm256_unpackhi_epi8(c, d)];
        [
            _mm256_unpacklo_epi16(low[0], low[1]),
            _mm256_unpackhi_epi16(low[0], low[1]),
            _mm256_unpacklo_epi16(high[0], high[1]),
            _mm256_unpackhi_epi16(high[0], high[1]),
        ]
    }
}

/// See [`Lanes::raise`](super::lanes::Lanes::raise).
#[inline(always)]
pub(super) unsafe fn raise(from: *const i8) -> [__m256i; 4] {
    // SAFETY: the processor has AVX2; the caller guarantees the rest.
    unsafe {
        let numbers = _mm256_loadu_si256(from.cast());
        let none = _mm256_setzero_si256();
        let low = _mm256_unpacklo_epi8(none, numbers);
        let high = _mm256_unpackhi_epi8(none, numbers);
        // Each byte goes to the upper 8 bits.
        [
            _mm256_srai_epi32::<4>(_mm256_unpacklo_epi16(none, low)),
            _mm256_srai_epi32::<4>(_mm256_unpackhi_epi16(none, low)),
            _mm256_srai_epi32::<4>(_mm256_unpacklo_epi16(none, high)),
            _mm256_srai_epi32::<4>(_mm256_unpackhi_epi16(none, high)),
        ]
    }
}

/// Packs two vectors of sums to 16-bit values and adds the zero point. Both the packing and the
/// addition saturate; after the clamp to int8 the result is the same.
#[inline(always)]
unsafe fn pair(a: __m256i, b: __m256i, zero_point: __m256i) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_adds_epi16(_mm256_packs_epi32(a, b), zero_point) }
}

/// See [`Lanes::write`](super::lanes::Lanes::write).
#[inline(always)]
pub(super) unsafe fn write<const V: usize>(
    to: *mut i8,
    count: usize,
    sums: [__m256i; V],
    place: &Place,
) {
    // SAFETY: `count` outputs are written, of the block's `V * LANES`.
    unsafe {
        let zero_point = _mm256_set1_epi16(place.zero_point.into());
        // Quarters of 64 bits in the order of outputs, as far as there are outputs.
        let bytes = match V {
            4 => _mm256_packs_epi16(
                pair(sums[0], sums[1], zero_point),
                pair(sums[2], sums[3], zero_point),
            ),
            2 => {
                let pair = pair(sums[0], sums[1], zero_point);
                _mm256_permute4x64_epi64::<0b1000>(_mm256_packs_epi16(pair, pair))
            }
            _ => {
                let pair = pair(sums[0], sums[0], zero_point);
                let order = _mm256_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4);
                _mm256_permutevar8x32_epi32(_mm256_packs_epi16(pair, pair), order)
            }
        };
        let bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(place.min));
        let bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8(place.max));
        match (V, count) {
            (4, 32) => _mm256_storeu_si256(to.cast(), bytes),
            (2, 16) => _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(bytes)),
            (1, 8) => _mm_storel_epi64(to.cast(), _mm256_castsi256_si128(bytes)),
            _ => {
                let mut buffer = [0_i8; 32];
                _mm256_storeu_si256(buffer.as_mut_ptr().cast(), bytes);
                copy(buffer.as_ptr(), to, count);
            }
        }
    }
}

/// Methods of [`Lanes`](super::lanes::Lanes) that all variants share.
///
/// SAFETY of all: run in a job, the processor has AVX2; pointers point to as many values as the trait
/// requires.
macro_rules! shared {
    () => {
        #[inline(always)]
        unsafe fn load(from: *const i32) -> __m256i {
            unsafe { _mm256_loadu_si256(from.cast()) }
        }

        #[inline(always)]
        unsafe fn splat(number: i32) -> __m256i {
            unsafe { _mm256_set1_epi32(number) }
        }

        #[inline(always)]
        unsafe fn extend(from: *const i8) -> __m256i {
            unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) }
        }

        #[inline(always)]
        unsafe fn store(to: *mut i32, sums: __m256i) {
            unsafe { _mm256_storeu_si256(to.cast(), sums) }
        }

        #[inline(always)]
        unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_add_epi32(a, b) }
        }

        #[inline(always)]
        unsafe fn raise(from: *const i8) -> [__m256i; 4] {
            unsafe { ymm::raise(from) }
        }

        #[inline(always)]
        unsafe fn high_product(sums: __m256i, mantissa: __m256i, odd: __m256i) -> __m256i {
            unsafe { ymm::high_product(sums, mantissa, odd) }
        }

        #[inline(always)]
        unsafe fn line(sums: __m256i, slope: __m256i, offset: __m256i, signed: bool) -> __m256i {
            unsafe { ymm::line(sums, slope, offset, signed) }
        }

        #[inline(always)]
        unsafe fn negative(sums: __m256i) -> __m256i {
            unsafe { _mm256_srai_epi32::<31>(sums) }
        }

        #[inline(always)]
        unsafe fn and(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_and_si256(a, b) }
        }

        #[inline(always)]
        unsafe fn shift_left_each(sums: __m256i, bits: __m256i) -> __m256i {
            unsafe { _mm256_sllv_epi32(sums, bits) }
        }

        #[inline(always)]
        unsafe fn shift_right_each(sums: __m256i, half: __m256i, bits: __m256i) -> __m256i {
            unsafe { _mm256_srav_epi32(_mm256_add_epi32(sums, half), bits) }
        }

        #[inline(always)]
        unsafe fn write<const V: usize>(
            to: *mut i8,
            count: usize,
            sums: [__m256i; V],
            place: &Place,
        ) {
            unsafe { ymm::write(to, count, sums, place) }
        }

        #[inline(always)]
        unsafe fn bytes(from: *const i8, count: usize) -> __m256i {
            unsafe { ymm::bytes(from, count) }
        }

        #[inline(always)]
        unsafe fn splat_byte(number: i8) -> __m256i {
            unsafe { _mm256_set1_epi8(number ^ ymm::SIGNS) }
        }

        #[inline(always)]
        unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
            unsafe {
                let to: *mut i8 = to.cast();
                let mut at = 0;
                while at + 32 <= len {
                    let bytes = ymm::bytes(from.add(at), 32);
                    _mm256_storeu_si256(to.add(at).cast(), bytes);
                    at += 32;
                }
                // Not a loop, which the compiler would turn into another vector loop.
                if (len - at) & 16 != 0 {
                    let bytes = _mm_loadu_si128(from.add(at).cast());
                    let bytes = _mm_xor_si128(bytes, _mm_set1_epi8(ymm::SIGNS));
                    _mm_storeu_si128(to.add(at).cast(), bytes);
                    at += 16;
                }
                if (len - at) & 8 != 0 {
                    let eight = from.add(at).cast::<u64>().read_unaligned();
                    let eight = eight ^ 0x8080_8080_8080_8080;
                    to.add(at).cast::<u64>().write_unaligned(eight);
                    at += 8;
                }
                if (len - at) & 4 != 0 {
                    let four = from.add(at).cast::<u32>().read_unaligned();
                    to.add(at).cast::<u32>().write_unaligned(four ^ 0x8080_8080);
                }
            }
        }
    };
}
pub(super) use shared;
