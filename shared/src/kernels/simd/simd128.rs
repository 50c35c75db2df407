//! WebAssembly with its vectors of 128 bits: 8 products of 16-bit values an instruction, added in
//! pairs to 32 bits.
//!
//! Whether an engine of WebAssembly has the vectors is settled when it loads the program: one that
//! has not refuses it whole.

use alloc::vec::Vec;
use core::arch::wasm32::*;

use super::lanes::{InOrder, Job, Lanes, MOST_VECTORS, Place};
use super::ready::store;

/// Vectors of 128 bits.
#[derive(Clone, Copy, Debug)]
pub struct Simd128(());

/// A float so large that adding it rounds to the nearest integer, which the low bits then hold; for
/// values below 2^22.
const ROUND: f32 = 12_582_912.0;

/// Copies `count` bytes.
///
/// # Safety
/// There are `count` bytes at both, apart from each other.
#[inline(always)]
unsafe fn copy(from: *const i8, to: *mut i8, count: usize) {
    for at in 0..count {
        // SAFETY: no more than `count` bytes are read and written.
        unsafe { *to.add(at) = *from.add(at) };
    }
}

/// Four vectors of the pairs that bytes of `a` and `b` make, as 16-bit values.
#[inline(always)]
fn pairs(a: v128, b: v128) -> [v128; 4] {
    let low = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b);
    let high = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b);
    [
        i16x8_extend_low_i8x16(low),
        i16x8_extend_high_i8x16(low),
        i16x8_extend_low_i8x16(high),
        i16x8_extend_high_i8x16(high),
    ]
}

/// Two vectors of sums as 16-bit values, moved to the zero point. Packing saturates, and so does the
/// sum: no clamp tells that from the exact value.
#[inline(always)]
fn pair(a: v128, b: v128, zero_point: v128) -> v128 {
    i16x8_add_sat(i16x8_narrow_i32x4(a, b), zero_point)
}

/// Each lane by its own bits, one lane at a time: there is no such instruction.
#[inline(always)]
fn lane_by_lane(values: v128, bits: v128, shift: impl Fn(i32, i32) -> i32) -> v128 {
    i32x4(
        shift(
            i32x4_extract_lane::<0>(values),
            i32x4_extract_lane::<0>(bits),
        ),
        shift(
            i32x4_extract_lane::<1>(values),
            i32x4_extract_lane::<1>(bits),
        ),
        shift(
            i32x4_extract_lane::<2>(values),
            i32x4_extract_lane::<2>(bits),
        ),
        shift(
            i32x4_extract_lane::<3>(values),
            i32x4_extract_lane::<3>(bits),
        ),
    )
}

impl Lanes for Simd128 {
    const LANES: usize = 4;
    const GROUP: usize = 2;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 0;
    const WEIGHT: usize = 2;
    // Two vectors of sums each and what they are made of fit into the 16 registers of x86-64.
    const VECTORS: usize = 2;
    const PIXELS: usize = 4;

    type Sums = v128;
    type Bytes = v128;
    /// As 16-bit values: top and middle of four channels a vector, then bottom twice.
    type Columns = [v128; 8];

    fn detect() -> Option<Self> {
        // A program that has the vectors was loaded by an engine that has them.
        cfg!(target_feature = "simd128").then_some(Simd128(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the engine has the vectors; this is the one call.
        unsafe { job.run() }
    }

    // SAFETY of all below: run in a job, the engine has the vectors; pointers are at as many values as
    // the trait says, and loads and stores need not be aligned.

    #[inline(always)]
    unsafe fn load(from: *const i32) -> v128 {
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn splat(number: i32) -> v128 {
        i32x4_splat(number)
    }

    #[inline(always)]
    unsafe fn extend(from: *const i8) -> v128 {
        let four = unsafe { v128_load32_zero(from.cast()) };
        i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(four))
    }

    #[inline(always)]
    unsafe fn store(to: *mut i32, sums: v128) {
        unsafe { v128_store(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn add(a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }

    #[inline(always)]
    unsafe fn raise(from: *const i8) -> [v128; 4] {
        let bytes = unsafe { v128_load(from.cast()) };
        let (low, high) = (
            i16x8_extend_low_i8x16(bytes),
            i16x8_extend_high_i8x16(bytes),
        );
        [
            i32x4_extend_low_i16x8(low),
            i32x4_extend_high_i16x8(low),
            i32x4_extend_low_i16x8(high),
            i32x4_extend_high_i16x8(high),
        ]
        .map(|values| i32x4_shl(values, 20))
    }

    #[inline(always)]
    unsafe fn high_product(sums: v128, mantissa: v128, _: v128) -> v128 {
        // With a mantissa of at least zero, gemmlowp's nudge and division are a half more and the floor:
        // bits 31 to 62 of the product.
        let half = i64x2_splat(1 << 30);
        let low = i64x2_add(i64x2_extmul_low_i32x4(sums, mantissa), half);
        let high = i64x2_add(i64x2_extmul_high_i32x4(sums, mantissa), half);
        i32x4_shuffle::<0, 2, 4, 6>(u64x2_shr(low, 31), u64x2_shr(high, 31))
    }

    #[inline(always)]
    unsafe fn negative(sums: v128) -> v128 {
        i32x4_shr(sums, 31)
    }

    #[inline(always)]
    unsafe fn and(a: v128, b: v128) -> v128 {
        v128_and(a, b)
    }

    #[inline(always)]
    unsafe fn shift_left_each(sums: v128, bits: v128) -> v128 {
        lane_by_lane(sums, bits, |sum, bits| sum.wrapping_shl(bits as u32))
    }

    #[inline(always)]
    unsafe fn shift_right_each(sums: v128, half: v128, bits: v128) -> v128 {
        let sums = i32x4_add(sums, half);
        lane_by_lane(sums, bits, |sum, bits| sum.wrapping_shr(bits as u32))
    }

    #[inline(always)]
    unsafe fn shift_right_all(sums: v128, half: v128, bits: v128) -> v128 {
        i32x4_shr(i32x4_add(sums, half), i32x4_extract_lane::<0>(bits) as u32)
    }

    #[inline(always)]
    unsafe fn line(sums: v128, slope: v128, offset: v128, signed: bool) -> v128 {
        let sums = f32x4_convert_i32x4(sums);
        let mut offset = offset;
        if signed {
            offset = v128_or(offset, v128_and(sums, f32x4_splat(-0.0)));
        }
        // Nothing is fused, as in `line::multiply_add`; what is rounded has less than 22 bits.
        let scaled = f32x4_add(f32x4_mul(sums, slope), offset);
        let round = f32x4_splat(ROUND);
        i32x4_sub(f32x4_add(scaled, round), round)
    }

    #[inline(always)]
    unsafe fn write<const V: usize>(to: *mut i8, count: usize, sums: [v128; V], place: &Place) {
        let zero_point = i16x8_splat(place.zero_point.into());
        let low = pair(sums[0], sums[1.min(V - 1)], zero_point);
        let high = match V {
            4 => pair(sums[2], sums[3], zero_point),
            _ => low,
        };
        let bytes = i8x16_narrow_i16x8(low, high);
        let bytes = i8x16_max(bytes, i8x16_splat(place.min));
        let bytes = i8x16_min(bytes, i8x16_splat(place.max));
        // `count` outputs are written, of the block's `V * LANES`.
        unsafe {
            match (V, count) {
                (4, 16) => v128_store(to.cast(), bytes),
                (2.., 8) => v128_store64_lane::<0>(bytes, to.cast()),
                (_, 4) => v128_store32_lane::<0>(bytes, to.cast()),
                _ => {
                    let mut buffer = [0_i8; 16];
                    v128_store(buffer.as_mut_ptr().cast(), bytes);
                    copy(buffer.as_ptr(), to, count);
                }
            }
        }
    }

    /// 16-bit values.
    #[inline(always)]
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
        unsafe {
            let to: *mut i16 = to.cast();
            let mut at = 0;
            while at + 8 <= len {
                v128_store(to.add(at).cast(), i16x8_load_extend_i8x8(from.add(at)));
                at += 8;
            }
            if at < len {
                let four = i16x8_extend_low_i8x16(v128_load32_zero(from.add(at).cast()));
                v128_store64_lane::<0>(four, to.add(at).cast());
            }
        }
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8, count: usize) -> v128 {
        unsafe {
            if count >= 16 {
                v128_load(from.cast())
            } else {
                let mut buffer = [0_i8; 16];
                copy(from, buffer.as_mut_ptr(), count);
                v128_load(buffer.as_ptr().cast())
            }
        }
    }

    #[inline(always)]
    unsafe fn splat_byte(number: i8) -> v128 {
        i8x16_splat(number)
    }

    #[inline(always)]
    unsafe fn columns([top, middle, bottom]: [v128; 3]) -> [v128; 8] {
        let [a, b, c, d] = pairs(top, middle);
        let [e, f, g, h] = pairs(bottom, bottom);
        [a, b, c, d, e, f, g, h]
    }

    /// Top and middle of each lane, vector by vector; then bottom and nothing.
    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        let mut weights = Vec::new();
        for last in [false, true] {
            for lane in 0..MOST_VECTORS * Self::LANES {
                let [top, middle, bottom] = taps(lane / Self::LANES, lane % Self::LANES);
                let pair = if last { [bottom, 0] } else { [top, middle] };
                for weight in pair {
                    store::<Self>(weight, &mut weights);
                }
            }
        }
        weights
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [v128; 4],
        columns: [v128; 8],
        weights: *const i8,
    ) -> [v128; 4] {
        for (v, sum) in sums.iter_mut().enumerate() {
            let [first, last] = unsafe {
                [
                    v128_load(weights.add(16 * v).cast()),
                    v128_load(weights.add(16 * (4 + v)).cast()),
                ]
            };
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(columns[v], first));
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(columns[4 + v], last));
        }
        sums
    }
}

impl InOrder for Simd128 {
    type Weights = v128;

    // SAFETY of both: as above.

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> v128 {
        unsafe { v128_load(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(sums: v128, group: u32, weights: v128) -> v128 {
        i32x4_add(sums, i32x4_dot_i16x8(u32x4_splat(group), weights))
    }
}
