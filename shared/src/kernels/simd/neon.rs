//! aarch64 without the dot product (Cortex-A53, A57, A72, as in the Raspberry Pi 3 and 4): 8 products
//! of bytes an instruction, and another instruction adds them up in pairs.

extern crate std;

use alloc::vec::Vec;
use core::arch::aarch64::*;

use super::lanes::{InOrder, Job, Lanes, MOST_VECTORS, Place};
use super::neon_common;

/// Vectors of 128 bits.
#[derive(Clone, Copy, Debug)]
pub struct Neon(());

/// # Safety
/// The processor has NEON.
#[target_feature(enable = "neon")]
unsafe fn call<J: Job<Neon>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

impl Lanes for Neon {
    const LANES: usize = neon_common::LANES;
    const GROUP: usize = 2;
    // Each pair of bytes is stored twice.
    const GROUP_BEGINS: usize = 2;
    const OFFSET: i32 = 0;
    const VECTORS: usize = 4;
    // Four vectors of sums for each pixel and their temporaries fill the 32 registers.
    const PIXELS: usize = 5;

    type Sums = int32x4_t;
    type Bytes = int8x16_t;
    /// Three rows without transposition: top, middle, bottom, 16 channels each.
    type Columns = [int8x16_t; 3];

    fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Neon(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the processor has the feature.
        unsafe { call(job) }
    }

    // SAFETY of all below: run in a job, the processor has the feature; pointers point to as many
    // values as the trait requires.

    neon_common::shared!();

    /// Stores each pair of bytes twice.
    #[inline(always)]
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
        unsafe {
            let to: *mut i16 = to.cast();
            let mut at = 0;
            while at + 16 <= len {
                let pairs = vreinterpretq_s16_s8(vld1q_s8(from.add(at)));
                vst1q_s16(to.add(at), vzip1q_s16(pairs, pairs));
                vst1q_s16(to.add(at + 8), vzip2q_s16(pairs, pairs));
                at += 16;
            }
            while at < len {
                let four = u64::from(from.add(at).cast::<u32>().read_unaligned());
                let pairs = vcreate_s16(four);
                vst1_s16(to.add(at), vzip1_s16(pairs, pairs));
                at += 4;
            }
        }
    }

    #[inline(always)]
    unsafe fn columns(rows: [int8x16_t; 3]) -> [int8x16_t; 3] {
        rows
    }

    /// Packs 16 weights of the top, 16 of the middle and 16 of the bottom; the last 16 bytes are zero.
    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        let mut bytes = Vec::new();
        for row in 0..3 {
            for vector in 0..MOST_VECTORS {
                bytes.extend((0..Self::LANES).map(|lane| taps(vector, lane)[row]));
            }
        }
        bytes.resize(16 * MOST_VECTORS, 0);
        bytes
    }

    #[inline(always)]
    unsafe fn dot_columns(
        sums: [int32x4_t; 4],
        columns: [int8x16_t; 3],
        weights: *const i8,
    ) -> [int32x4_t; 4] {
        unsafe {
            let [mut a, mut b, mut c, mut d] = sums;
            for (row, numbers) in columns.into_iter().enumerate() {
                let weights = vld1q_s8(weights.add(16 * row));
                let low = vmull_s8(vget_low_s8(numbers), vget_low_s8(weights));
                let high = vmull_high_s8(numbers, weights);
                a = vaddw_s16(a, vget_low_s16(low));
                b = vaddw_high_s16(b, low);
                c = vaddw_s16(c, vget_low_s16(high));
                d = vaddw_high_s16(d, high);
            }
            [a, b, c, d]
        }
    }
}

impl InOrder for Neon {
    type Weights = int8x8_t;

    // SAFETY of both: as above.

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> int8x8_t {
        unsafe { vld1_s8(from) }
    }

    #[inline(always)]
    unsafe fn dot(sums: int32x4_t, group: u32, weights: int8x8_t) -> int32x4_t {
        // A product of two bytes has 16 bits.
        unsafe {
            let group = vreinterpret_s8_u32(vdup_n_u32(group));
            vpadalq_s16(sums, vmull_s8(group, weights))
        }
    }
}
