//! x86-64 with AVX2: pairs of 16-bit products, 16 an instruction.

extern crate std;

use alloc::vec::Vec;
use core::arch::x86_64::*;

use super::lanes::{Job, Lanes, Place, column_words};
use super::ymm;

/// Vectors of 256 bits.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
unsafe fn call<J: Job<Avx2>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

impl Lanes for Avx2 {
    const LANES: usize = ymm::LANES;
    const GROUP: usize = 2;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 128;
    const VECTORS: usize = 2;
    // Two vectors of sums each and what they are made of fill the 16 registers.
    const PIXELS: usize = 6;
    const COLUMN_WORDS: usize = 2;

    type Sums = __m256i;
    type Weights = __m256i;
    type Bytes = __m256i;
    /// 16-bit pairs: of top and bottom, of middle and zero.
    type Columns = [[__m256i; 2]; 4];

    fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }

    fn run<J: Job<Self>>(self, job: J) {
        // SAFETY: `self` proves that the processor has the feature.
        unsafe { call(job) }
    }

    // SAFETY of all below: run in a job, the processor has the feature; pointers are at as many
    // numbers as the trait says.

    ymm::shared!();

    #[inline(always)]
    unsafe fn widen(from: *const i8, len: usize, to: *mut u32) {
        unsafe {
            let signs = _mm_set1_epi8(ymm::SIGNS);
            let to: *mut i16 = to.cast();
            let mut at = 0;
            while at + 16 <= len {
                let bytes = _mm_xor_si128(_mm_loadu_si128(from.add(at).cast()), signs);
                _mm256_storeu_si256(to.add(at).cast(), _mm256_cvtepu8_epi16(bytes));
                at += 16;
            }
            while at < len {
                let bytes = _mm_cvtsi32_si128(from.add(at).cast::<i32>().read_unaligned());
                let wide = _mm_cvtepu8_epi16(_mm_xor_si128(bytes, signs));
                _mm_storel_epi64(to.add(at).cast(), wide);
                at += 4;
            }
        }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i8) -> __m256i {
        unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn dot(sums: __m256i, group: u32, weights: __m256i) -> __m256i {
        unsafe {
            let group = _mm256_set1_epi32(group as i32);
            _mm256_add_epi32(sums, _mm256_madd_epi16(group, weights))
        }
    }

    #[inline(always)]
    unsafe fn columns(rows: [__m256i; 3]) -> [[__m256i; 2]; 4] {
        unsafe {
            let even = _mm256_set1_epi16(0xFF);
            let mut columns = [[even; 2]; 4];
            for (column, four) in columns.iter_mut().zip(ymm::columns(rows)) {
                *column = [_mm256_and_si256(four, even), _mm256_srli_epi16::<8>(four)];
            }
            columns
        }
    }

    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        column_words::<Self>(taps, |weights, index| {
            let [top, middle, bottom] = weights.map(|weight| i16::from(weight).to_le_bytes());
            let pair = match index {
                0 => [top, bottom],
                _ => [middle, [0; 2]],
            };
            [pair[0][0], pair[0][1], pair[1][0], pair[1][1]].map(|byte| byte as i8)
        })
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [__m256i; 4],
        columns: [[__m256i; 2]; 4],
        weights: *const i8,
    ) -> [__m256i; 4] {
        unsafe {
            let weights: *const __m256i = weights.cast();
            for (v, sum) in sums.iter_mut().enumerate() {
                let [outer, inner] = columns[v];
                let outer = _mm256_madd_epi16(outer, _mm256_loadu_si256(weights.add(2 * v)));
                let inner = _mm256_madd_epi16(inner, _mm256_loadu_si256(weights.add(2 * v + 1)));
                *sum = _mm256_add_epi32(*sum, _mm256_add_epi32(outer, inner));
            }
            sums
        }
    }
}
