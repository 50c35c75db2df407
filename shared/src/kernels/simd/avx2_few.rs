//! Layers with few terms in AVX2: a row at a time, with no sum ever spilled to memory.
//!
//! If a sum has few terms, requantising it takes as long as computing it. All vectors of a block share
//! the same turns, so each activation is broadcast once for all of them.

use core::arch::x86_64::*;

use super::avx2::Avx2;
use super::lanes::{Lanes, MOST_VECTORS};
use super::matrix::{Activations, LINE, SIGNED_LINE, rescale};
use super::ready::{Block, Ready, Rescaling, blocks};
use super::turns::{LONG, SHORT, Turns};

/// Largest number of groups of its turns.
const MOST_GROUPS: usize = 8;

/// Computes all outputs of a row of `pixels` pixels.
///
/// # Safety
/// In a job; there are activations of as many pixels, and the layer was prepacked for this kernel.
#[inline(always)]
pub(super) unsafe fn row(
    ready: &Ready,
    activations: Activations,
    pixels: usize,
    output: &mut [i8],
) {
    let kind = ready.shape.kind;
    for (index, block) in blocks::<Avx2>(kind, ready.shape.outputs).enumerate() {
        // SAFETY: the caller guarantees it.
        unsafe {
            let row = Row {
                ready,
                block,
                activations,
                pixels,
                turns: ready.schedule.turns(index),
            };
            match block.vectors {
                1 => row.any::<1>(output),
                MOST_VECTORS => row.any::<MOST_VECTORS>(output),
                _ => row.any::<2>(output),
            }
        }
    }
}

/// A block of outputs for a row of pixels.
struct Row<'a> {
    ready: &'a Ready,
    block: Block,
    activations: Activations,
    pixels: usize,
    turns: Turns,
}

impl Row<'_> {
    /// # Safety
    /// Same as [`row`]; the block has `V` vectors.
    #[inline(always)]
    unsafe fn any<const V: usize>(&self, output: &mut [i8]) {
        // SAFETY: the caller guarantees it.
        unsafe {
            match self.ready.rescaling {
                Rescaling::Line => self.any_turns::<V, LINE>(output),
                _ => self.any_turns::<V, SIGNED_LINE>(output),
            }
        }
    }

    /// # Safety
    /// Same as [`row`]; the block has `V` vectors, and `HOW` is its rescaling.
    #[inline(always)]
    unsafe fn any_turns<const V: usize, const HOW: u8>(&self, output: &mut [i8]) {
        // SAFETY: the caller guarantees it; `share` makes no other numbers of turns.
        unsafe {
            match (self.turns.long, self.turns.short) {
                (0, 1) => self.pixels::<V, HOW, 0, 1>(output),
                (0, 2) => self.pixels::<V, HOW, 0, 2>(output),
                (0, _) => self.pixels::<V, HOW, 0, 3>(output),
                (1, 0) => self.pixels::<V, HOW, 1, 0>(output),
                (1, 1) => self.pixels::<V, HOW, 1, 1>(output),
                _ => self.pixels::<V, HOW, 1, 2>(output),
            }
        }
    }

    /// # Safety
    /// Same as [`row`]; the block has `V` vectors, and `LONGS` long and `SHORTS` short turns.
    #[inline(always)]
    unsafe fn pixels<const V: usize, const HOW: u8, const LONGS: usize, const SHORTS: usize>(
        &self,
        output: &mut [i8],
    ) {
        let outputs = self.ready.shape.outputs;
        let lanes = V * Avx2::LANES;
        let place = self.ready.place;
        let tables = self.ready.tables(self.block);
        let output = &mut output[self.block.first..];
        // Surplus outputs of a block land where the next pixel will be written, except behind the last
        // pixel.
        let whole = match output.len().checked_sub(lanes) {
            Some(rest) => (rest / outputs + 1).min(self.pixels),
            None => 0,
        };
        // SAFETY: the caller guarantees it; only existing outputs are written.
        unsafe {
            let mut offsets = [0; MOST_GROUPS];
            for (group, offset) in offsets.iter_mut().enumerate() {
                if group < LONG * LONGS + SHORT * SHORTS {
                    *offset = self.ready.schedule.offsets(self.turns).add(group).read() as usize;
                }
            }
            let weights = self.ready.weights(self.turns.weights);
            let mut from: *const i8 = self.activations.first.cast();
            let mut to = output.as_mut_ptr();
            for _ in 0..whole {
                let sums = sums::<V, LONGS, SHORTS>(from, &offsets, weights, tables);
                let scaled = rescale::<Avx2, V, HOW>(sums, tables);
                Avx2::write(to, lanes, scaled, &place);
                from = from.wrapping_add(self.activations.pixel);
                to = to.wrapping_add(outputs);
            }
            for pixel in whole..self.pixels {
                let sums = sums::<V, LONGS, SHORTS>(from, &offsets, weights, tables);
                let scaled = rescale::<Avx2, V, HOW>(sums, tables);
                let to = &mut output[pixel * outputs..];
                Avx2::write(to.as_mut_ptr(), to.len().min(lanes), scaled, &place);
                from = from.wrapping_add(self.activations.pixel);
            }
        }
    }
}

/// Computes the sums of a pixel: the bias, and the products of `LONGS` long and `SHORTS` short turns.
///
/// # Safety
/// In a job; activations, weights and tables are those of a block of `V` vectors and as many turns.
#[inline(always)]
unsafe fn sums<const V: usize, const LONGS: usize, const SHORTS: usize>(
    from: *const i8,
    offsets: &[usize; MOST_GROUPS],
    weights: *const i8,
    bias: *const i32,
) -> [__m256i; V] {
    // SAFETY: the caller guarantees it.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let mut sums = [_mm256_setzero_si256(); V];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = Avx2::load(bias.add(v * Avx2::LANES));
        }
        let mut first = 0;
        for turn in 0..LONGS + SHORTS {
            let len = if turn < LONGS { LONG } else { SHORT };
            let mut groups = [_mm256_setzero_si256(); LONG];
            for (group, spread) in groups.iter_mut().enumerate().take(len) {
                let four: *const i32 = from.add(offsets[first + group]).cast();
                *spread = _mm256_set1_epi32(four.read_unaligned());
            }
            for (v, sum) in sums.iter_mut().enumerate() {
                let weights = |group: usize| {
                    let vector: *const __m256i = weights.cast();
                    vector.wrapping_add((first + group) * V + v)
                };
                let mut products = _mm256_setzero_si256();
                for (group, &spread) in groups.iter().enumerate().take(len) {
                    let of_group = _mm256_maddubs_epi16(spread, *weights(group));
                    products = match group {
                        0 => of_group,
                        _ => _mm256_add_epi16(products, of_group),
                    };
                }
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(products, ones));
            }
            first += len;
        }
        sums
    }
}
