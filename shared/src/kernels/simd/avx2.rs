//! x86-64 with AVX2: 32 products of bytes an instruction, added in 16 bits as far as the weights allow.

extern crate std;

use alloc::vec::Vec;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::lanes::{Job, Lanes, Place, Products, column_len, column_words};
use super::matrix::Activations;
use super::ready::{Block, Ready};
use super::turns::Burden;
use super::ymm;
use super::{avx2_few, avx2_turns};

/// Vectors of 256 bits.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn call<J: Job<Avx2>>(job: J) {
    // SAFETY: this is the call by `Lanes::run`.
    unsafe { job.run() }
}

impl Lanes for Avx2 {
    const LANES: usize = ymm::LANES;
    const GROUP: usize = 4;
    const GROUP_BEGINS: usize = 1;
    const OFFSET: i32 = 128;
    const VECTORS: usize = 4;
    // A vector of sums for each pixel, four of weights, and their temporaries fit into the 16
    // registers.
    const PIXELS: usize = 8;
    // 128 times the largest activation, 255, is less than 2^15.
    const TURN_LIMIT: Option<u16> = Some(128);
    const FEW_TERMS: usize = 16;

    type Sums = __m256i;
    type Bytes = __m256i;
    /// Activations of each lane: top, middle, bottom, and the middle once more.
    type Columns = [__m256i; 4];

    fn detect() -> Option<Self> {
        let found = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        found.then_some(Avx2(()))
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
        unsafe { ymm::columns([top, middle, bottom, middle]) }
    }

    fn column_weights(taps: impl Fn(usize, usize) -> [i8; 3]) -> Vec<i8> {
        column_words::<Self>(|vector, lane| {
            // The middle weight, often the largest, is split so that both pairs have the same load.
            let [top, middle, bottom] = taps(vector, lane);
            let sign = i16::from(middle.signum());
            let [a, b, c] = [top, bottom, middle].map(|tap| (i16::from(tap) * sign).max(0));
            let first = sign * ((c + b - a) / 2).clamp(0, c);
            [top, first as i8, bottom, (i16::from(middle) - first) as i8]
        })
    }

    #[inline(always)]
    unsafe fn dot_columns(
        mut sums: [__m256i; 4],
        columns: [__m256i; 4],
        weights: *const i8,
    ) -> [__m256i; 4] {
        unsafe {
            let weights: *const __m256i = weights.cast();
            let ones = _mm256_set1_epi16(1);
            for (v, sum) in sums.iter_mut().enumerate() {
                let weights = _mm256_loadu_si256(weights.add(v));
                let turn = _mm256_maddubs_epi16(columns[v], weights);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(turn, ones));
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn dot_window(
        mut sums: [__m256i; 4],
        window: [&[__m256i; 4]; 3],
        weights: *const i8,
        burden: Burden,
    ) -> [__m256i; 4] {
        const LEN: usize = column_len::<Avx2>();
        unsafe {
            if burden != Burden::Light {
                for (kx, column) in window.into_iter().enumerate() {
                    sums = Self::dot_columns(sums, *column, weights.add(kx * LEN));
                    if burden == Burden::Heavy {
                        sums = Self::dot_columns(sums, *column, weights.add((3 + kx) * LEN));
                    }
                }
                return sums;
            }
            let ones = _mm256_set1_epi16(1);
            for (v, sum) in sums.iter_mut().enumerate() {
                let mut turn = _mm256_setzero_si256();
                for (kx, column) in window.into_iter().enumerate() {
                    let weights: *const __m256i = weights.add(kx * LEN).cast();
                    let weights = _mm256_loadu_si256(weights.add(v));
                    turn = _mm256_add_epi16(turn, _mm256_maddubs_epi16(column[v], weights));
                }
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(turn, ones));
            }
            sums
        }
    }
}

impl Products for Avx2 {
    // SAFETY: as above.
    #[inline(always)]
    unsafe fn few(ready: &Ready, activations: Activations, pixels: usize, output: &mut [i8]) {
        // SAFETY: the caller guarantees it.
        unsafe { avx2_few::row(ready, activations, pixels, output) }
    }

    // SAFETY: as above.
    #[inline(always)]
    unsafe fn sums<const P: usize, const V: usize>(
        ready: &Ready,
        block: Block,
        activations: Activations,
        to: &mut MaybeUninit<[[__m256i; V]; P]>,
    ) {
        // SAFETY: in a job. The layer was prepacked with this limit, and `to` is at `P * V` vectors.
        unsafe {
            let to: *mut __m256i = to.as_mut_ptr().cast();
            let first = block.at / Self::LANES;
            for v in 0..V {
                let turns = ready.schedule.turns(first + v);
                let from = avx2_turns::From {
                    bias: ready.tables(block).add(v * Self::LANES),
                    activations: activations.first.cast(),
                    pixel: activations.pixel,
                    weights: ready.weights(turns.weights),
                    offsets: ready.schedule.offsets(turns),
                };
                avx2_turns::take::<P, V>(from, turns, to.add(v));
            }
        }
    }
}
