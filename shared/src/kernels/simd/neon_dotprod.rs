//! aarch64 with the dot product (Armv8.2 and later: Apple's M series, Cortex-A55, A75 and later,
//! Neoverse): 16 products an instruction.

extern crate std;

use core::arch::aarch64::*;
use core::arch::asm;

use super::lanes::{InOrder, Job, Lanes, Place};
use super::neon_common;

/// Vectors of 128 bits, with products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct NeonDotprod(());

/// # Safety
/// The processor has the dot product.
#[target_feature(enable = "neon,dotprod")]
unsafe fn call<J: Job<NeonDotprod>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

/// Adds to each sum the products of its four bytes of `a` and `b`. Written in assembly, because the
/// intrinsic is not in stable Rust.
///
/// # Safety
/// The processor has the dot product.
#[inline(always)]
unsafe fn sdot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: it changes only registers.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

impl Lanes for NeonDotprod {
    const LANES: usize = neon_common::LANES;
    const GROUP: usize = 4;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 0;
    const VECTORS: usize = 4;
    // Four vectors of sums for each pixel and their temporaries fill the 32 registers.
    const PIXELS: usize = 6;

    type Sums = int32x4_t;
    type Bytes = int8x16_t;
    type Columns = [int8x16_t; 4];

    fn detect() -> Option<Self> {
        let found = std::arch::is_aarch64_feature_detected!("neon")
            && std::arch::is_aarch64_feature_detected!("dotprod");
        found.then_some(NeonDotprod(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { call(job) }
    }

    // SAFETY of all below: run in a job, the processor has the features; pointers point to as many
    // values as the trait requires.

    neon_common::shared!();

    #[inline(always)]
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
        unsafe {
            let to: *mut i8 = to.cast();
            let mut at = 0;
            while at + 16 <= len {
                vst1q_s8(to.add(at), vld1q_s8(from.add(at)));
                at += 16;
            }
            while at < len {
                let four = from.add(at).cast::<u32>().read_unaligned();
                to.add(at).cast::<u32>().write_unaligned(four);
                at += 4;
            }
        }
    }

    #[inline(always)]
    unsafe fn columns(rows: [int8x16_t; 3]) -> [int8x16_t; 4] {
        unsafe {
            let [top, middle, bottom] = rows;
            let none = vdupq_n_s8(0);
            let four = |upper, lower| {
                let (upper, lower) = (vreinterpretq_s16_s8(upper), vreinterpretq_s16_s8(lower));
                [
                    vreinterpretq_s8_s16(vzip1q_s16(upper, lower)),
                    vreinterpretq_s8_s16(vzip2q_s16(upper, lower)),
                ]
            };
            let [a, b] = four(vzip1q_s8(top, middle), vzip1q_s8(bottom, none));
            let [c, d] = four(vzip2q_s8(top, middle), vzip2q_s8(bottom, none));
            [a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [int32x4_t; 4],
        columns: [int8x16_t; 4],
        weights: *const i8,
    ) -> [int32x4_t; 4] {
        unsafe {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = sdot(*sum, columns[v], vld1q_s8(weights.add(16 * v)));
            }
            sums
        }
    }
}

impl InOrder for NeonDotprod {
    type Weights = int8x16_t;

    // SAFETY of both: as above.

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> int8x16_t {
        unsafe { vld1q_s8(from) }
    }

    #[inline(always)]
    unsafe fn dot(sums: int32x4_t, group: u32, weights: int8x16_t) -> int32x4_t {
        unsafe { sdot(sums, vreinterpretq_s8_u32(vdupq_n_u32(group)), weights) }
    }
}
