//! x86-64 with AVX-VNNI: 32 products an instruction, on laptops that have no AVX-512.

extern crate std;

use core::arch::x86_64::*;

use super::lanes::{InOrder, Job, Lanes, Place};
use super::ymm;

/// Vectors of 256 bits, with products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct AvxVnni(());

/// # Safety
/// The processor has AVX2, FMA and AVX-VNNI.
#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn call<J: Job<AvxVnni>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

impl Lanes for AvxVnni {
    const LANES: usize = ymm::LANES;
    const GROUP: usize = 4;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 128;
    const VECTORS: usize = 2;
    // Two vectors of sums for each pixel and their temporaries fill the 16 registers.
    const PIXELS: usize = 6;

    type Sums = __m256i;
    type Bytes = __m256i;
    type Columns = [__m256i; 4];

    fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("avxvnni");
        found.then_some(AvxVnni(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { call(job) }
    }

    // SAFETY of all below: run in a job, the processor has the features; pointers point to as many
    // values as the trait requires.

    ymm::shared!();

    #[inline(always)]
    unsafe fn columns([top, middle, bottom]: [__m256i; 3]) -> [__m256i; 4] {
        // The fourth byte has a weight of zero.
        unsafe { ymm::columns([top, middle, bottom, middle]) }
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [__m256i; 4],
        columns: [__m256i; 4],
        weights: *const i8,
    ) -> [__m256i; 4] {
        unsafe {
            let weights: *const __m256i = weights.cast();
            for (v, sum) in sums.iter_mut().enumerate() {
                let weights = _mm256_loadu_si256(weights.add(v));
                *sum = _mm256_dpbusd_avx_epi32(*sum, columns[v], weights);
            }
            sums
        }
    }
}

impl InOrder for AvxVnni {
    type Weights = __m256i;

    // SAFETY of both: as above.

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> __m256i {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m256i, group: u32, weights: __m256i) -> __m256i {
        unsafe { _mm256_dpbusd_avx_epi32(sums, _mm256_set1_epi32(group as i32), weights) }
    }
}
