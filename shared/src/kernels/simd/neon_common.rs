//! Code shared by the variants for aarch64: everything but products. Activations are signed like the
//! int8 values, so they are loaded without conversion.
//!
//! # Safety
//! Every aarch64 processor that runs Rust's `std` has these instructions; pointers point to as many
//! values as [`Lanes`](super::lanes::Lanes) requires.

use core::arch::aarch64::*;

use super::lanes::Place;

/// Sums in a vector.
pub(super) const LANES: usize = 4;

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
            vst1_s8(to.add(at), vld1_s8(from.add(at)));
            at += 8;
        }
        while at < count {
            *to.add(at) = *from.add(at);
            at += 1;
        }
    }
}

/// See [`Lanes::extend`](super::lanes::Lanes::extend).
///
/// # Safety
/// There are four bytes at `from`.
#[inline(always)]
pub(super) unsafe fn extend(from: *const i8) -> int32x4_t {
    // SAFETY: the caller guarantees it.
    unsafe {
        let four = u64::from(from.cast::<u32>().read_unaligned());
        vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))))
    }
}

/// See [`Lanes::bytes`](super::lanes::Lanes::bytes).
///
/// # Safety
/// There are `count` bytes at `from`.
#[inline(always)]
pub(super) unsafe fn bytes(from: *const i8, count: usize) -> int8x16_t {
    // SAFETY: `count` bytes are read, of which the buffer holds 16.
    unsafe {
        if count >= 16 {
            vld1q_s8(from)
        } else {
            let mut buffer = [0_i8; 16];
            copy(from, buffer.as_mut_ptr(), count);
            vld1q_s8(buffer.as_ptr())
        }
    }
}

/// Packs two vectors of sums to 16-bit values and adds the zero point. Both the packing and the
/// addition saturate; after the clamp to int8 the result is the same.
///
/// # Safety
/// The processor has the instructions.
#[inline(always)]
unsafe fn pair(a: int32x4_t, b: int32x4_t, zero_point: int16x8_t) -> int16x8_t {
    // SAFETY: the caller guarantees it.
    unsafe { vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), zero_point) }
}

/// See [`Lanes::write`](super::lanes::Lanes::write).
///
/// # Safety
/// There is room for `count` bytes at `to`; `V` is 1, 2 or 4.
#[inline(always)]
pub(super) unsafe fn write<const V: usize>(
    to: *mut i8,
    count: usize,
    sums: [int32x4_t; V],
    place: &Place,
) {
    // SAFETY: `count` outputs are written, of the block's `V * LANES`.
    unsafe {
        let zero_point = vdupq_n_s16(place.zero_point.into());
        // The upper half of the values is unused for one vector, the upper half of the bytes for one or
        // two.
        let low = pair(sums[0], sums[1.min(V - 1)], zero_point);
        let high = match V {
            4 => pair(sums[2], sums[3], zero_point),
            _ => low,
        };
        let bytes = vqmovn_high_s16(vqmovn_s16(low), high);
        let bytes = vmaxq_s8(bytes, vdupq_n_s8(place.min));
        let bytes = vminq_s8(bytes, vdupq_n_s8(place.max));
        match (V, count) {
            (4, 16) => vst1q_s8(to, bytes),
            (2.., 8) => vst1_s8(to, vget_low_s8(bytes)),
            (_, 4) => {
                let four = vgetq_lane_u32::<0>(vreinterpretq_u32_s8(bytes));
                to.cast::<u32>().write_unaligned(four);
            }
            _ => {
                let mut buffer = [0_i8; 16];
                vst1q_s8(buffer.as_mut_ptr(), bytes);
                copy(buffer.as_ptr(), to, count);
            }
        }
    }
}

/// Methods of [`Lanes`](super::lanes::Lanes) that all variants share.
///
/// SAFETY of all: every processor has the instructions; pointers point to as many values as the trait
/// requires.
macro_rules! shared {
    () => {
        #[inline(always)]
        unsafe fn load(from: *const i32) -> int32x4_t {
            unsafe { vld1q_s32(from) }
        }

        #[inline(always)]
        unsafe fn splat(number: i32) -> int32x4_t {
            unsafe { vdupq_n_s32(number) }
        }

        #[inline(always)]
        unsafe fn extend(from: *const i8) -> int32x4_t {
            unsafe { neon_common::extend(from) }
        }

        #[inline(always)]
        unsafe fn store(to: *mut i32, sums: int32x4_t) {
            unsafe { vst1q_s32(to, sums) }
        }

        #[inline(always)]
        unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            unsafe { vaddq_s32(a, b) }
        }

        #[inline(always)]
        unsafe fn raise(from: *const i8) -> [int32x4_t; 4] {
            unsafe {
                [
                    vshlq_n_s32::<20>(neon_common::extend(from)),
                    vshlq_n_s32::<20>(neon_common::extend(from.add(4))),
                    vshlq_n_s32::<20>(neon_common::extend(from.add(8))),
                    vshlq_n_s32::<20>(neon_common::extend(from.add(12))),
                ]
            }
        }

        #[inline(always)]
        unsafe fn high_product(sums: int32x4_t, mantissa: int32x4_t, _: int32x4_t) -> int32x4_t {
            // The high 32 bits of a product that is doubled and rounded half up; gemmlowp's nudge and
            // division give the same.
            unsafe { vqrdmulhq_s32(sums, mantissa) }
        }

        #[inline(always)]
        unsafe fn negative(sums: int32x4_t) -> int32x4_t {
            unsafe { vshrq_n_s32::<31>(sums) }
        }

        #[inline(always)]
        unsafe fn and(a: int32x4_t, b: int32x4_t) -> int32x4_t {
            unsafe { vandq_s32(a, b) }
        }

        #[inline(always)]
        unsafe fn shift_left_each(sums: int32x4_t, bits: int32x4_t) -> int32x4_t {
            unsafe { vshlq_s32(sums, bits) }
        }

        #[inline(always)]
        unsafe fn shift_right_each(sums: int32x4_t, _: int32x4_t, bits: int32x4_t) -> int32x4_t {
            // The instruction rounds: it adds half of two to the bits, in more than 32 bits.
            unsafe { vrshlq_s32(sums, vnegq_s32(bits)) }
        }

        #[inline(always)]
        unsafe fn line(
            sums: int32x4_t,
            slope: int32x4_t,
            offset: int32x4_t,
            signed: bool,
        ) -> int32x4_t {
            unsafe {
                let sums = vcvtq_f32_s32(sums);
                let mut offset = offset;
                if signed {
                    let sign = vandq_s32(vreinterpretq_s32_f32(sums), vdupq_n_s32(i32::MIN));
                    offset = vorrq_s32(offset, sign);
                }
                let (slope, offset) = (vreinterpretq_f32_s32(slope), vreinterpretq_f32_s32(offset));
                vcvtnq_s32_f32(vfmaq_f32(offset, sums, slope))
            }
        }

        #[inline(always)]
        unsafe fn write<const V: usize>(
            to: *mut i8,
            count: usize,
            sums: [int32x4_t; V],
            place: &Place,
        ) {
            unsafe { neon_common::write(to, count, sums, place) }
        }

        #[inline(always)]
        unsafe fn bytes(from: *const i8, count: usize) -> int8x16_t {
            unsafe { neon_common::bytes(from, count) }
        }

        #[inline(always)]
        unsafe fn splat_byte(number: i8) -> int8x16_t {
            unsafe { vdupq_n_s8(number) }
        }
    };
}
pub(super) use shared;
