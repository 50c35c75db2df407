//! Resizing on x86-64 with AVX2, with the same results as the plain filters beside it.
//!
//! Horizontally, both filters are a weighted sum of source pixels for each output pixel. The pixels and
//! weights are the same for every row of a picture, so they are laid out once. Each output pixel has
//! the index of its first source pixel, and weights in groups of four pixels. The widest output pixel
//! sets the number of groups; unused weights are zero. A group is one load, one shuffle and one
//! instruction of 16 products.

extern crate std;

use alloc::vec;
use alloc::vec::Vec;
use core::arch::x86_64::*;

use super::Size;
use super::reciprocal::Reciprocal;

/// Source pixels that are weighted together.
const GROUP: usize = 4;
/// Bytes that a load of one group reads.
const LOAD: usize = 16;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy, Debug)]
struct Avx2(());

impl Avx2 {
    fn detect() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }
}

/// Weights and buffers for one picture.
#[derive(Debug)]
pub(super) struct Fast {
    proof: Avx2,
    /// Index of the first source pixel of each output pixel.
    starts: Vec<usize>,
    /// Weights of each output pixel's groups: of pixels 0 and 1 for red, green, blue and an unused
    /// channel, then of pixels 2 and 3.
    weights: Vec<[i16; 16]>,
    /// Number of groups of an output pixel.
    groups: usize,
    /// The source row, its last pixel repeated, and enough bytes that every load lies inside.
    row: Vec<u8>,
    /// Horizontal sums and one word more.
    sums: Vec<u32>,
    /// Pixels of a finished row.
    bytes: Vec<u8>,
}

impl Fast {
    /// Lays out area averaging, if the processor has AVX2.
    pub(super) fn area(source: Size, output: Size) -> Option<Self> {
        let (width, out) = (usize::from(source.width), usize::from(output.width));
        // Units of width: a source pixel is `out` of them, an output pixel `width`.
        let range = |place: usize| (place * width / out, ((place + 1) * width).div_ceil(out));
        let taps = (0..out).map(|place| {
            let (first, end) = range(place);
            (first, end - first)
        });
        let weight = |place: usize, pixel: usize| {
            let start = (place * width).max(pixel * out);
            let end = ((place + 1) * width).min((pixel + 1) * out);
            end.saturating_sub(start)
        };
        Self::new(width, out, taps, weight)
    }

    /// Lays out legacy bilinear sampling, if the processor has AVX2.
    pub(super) fn bilinear(source: Size, output: Size) -> Option<Self> {
        let (width, out) = (usize::from(source.width), usize::from(output.width));
        let taps = (0..out).map(|place| (place * width / out, 2));
        let weight = |place: usize, pixel: usize| {
            let fraction = place * width % out;
            match pixel - place * width / out {
                0 => out - fraction,
                1 => fraction,
                _ => 0,
            }
        };
        Self::new(width, out, taps, weight)
    }

    fn new(
        width: usize,
        out: usize,
        taps: impl Iterator<Item = (usize, usize)> + Clone,
        weight: impl Fn(usize, usize) -> usize,
    ) -> Option<Self> {
        let proof = Avx2::detect()?;
        let most = taps.clone().map(|(_, count)| count).max()?;
        let groups = most.div_ceil(GROUP);
        let mut weights = Vec::with_capacity(out * groups);
        let mut starts = Vec::with_capacity(out);
        for (place, (first, count)) in taps.enumerate() {
            starts.push(first);
            for group in 0..groups {
                // A weight is at most an output side, 1024.
                let [a, b, c, d] = [0, 1, 2, 3].map(|tap| match group * GROUP + tap {
                    tap if tap < count => weight(place, first + tap) as i16,
                    _ => 0,
                });
                weights.push([a, b, a, b, a, b, 0, 0, c, d, c, d, c, d, 0, 0]);
            }
        }
        Some(Fast {
            proof,
            starts,
            weights,
            groups,
            row: vec![0; 3 * (width + groups * GROUP + 1) + LOAD],
            sums: vec![0; 3 * out + 1],
            bytes: vec![0; 3 * out],
        })
    }

    /// Computes the weighted sums of a row of the source's width.
    pub(super) fn sum_across(&mut self, pixels: &[[u8; 3]], sums: &mut [[u32; 3]]) {
        self.take(pixels);
        // SAFETY: `proof` shows that the processor has AVX2.
        unsafe { sum_across(self) };
        copy(&self.sums, sums);
    }

    /// Computes the weighted sums of a row, in 8 fractional bits and divided.
    pub(super) fn average_across(
        &mut self,
        pixels: &[[u8; 3]],
        divide: Reciprocal,
        means: &mut [[u32; 3]],
    ) {
        self.take(pixels);
        // SAFETY: `proof` shows that the processor has AVX2.
        unsafe {
            sum_across(self);
            divide_sums(&self.sums, divide, means.as_flattened_mut());
        }
    }

    /// Adds `overlap` times `means` to `sums`.
    pub(super) fn add(&self, sums: &mut [[u32; 3]], overlap: u32, means: &[[u32; 3]]) {
        let Avx2(()) = self.proof;
        // SAFETY: `proof` shows that the processor has AVX2.
        unsafe { add(sums.as_flattened_mut(), overlap, means.as_flattened()) }
    }

    /// Computes `(upper_weight * upper + lower_weight * lower)`, divided, as pixels.
    pub(super) fn mix(
        &mut self,
        [upper, lower]: [&[[u32; 3]]; 2],
        weights: [u32; 2],
        divide: Reciprocal,
    ) -> impl Iterator<Item = [u8; 3]> {
        let rows = [upper.as_flattened(), lower.as_flattened()];
        // SAFETY: `proof` shows that the processor has AVX2.
        unsafe { mix(&mut self.bytes, rows, weights, divide) };
        self.bytes.as_chunks().0.iter().copied()
    }

    /// Divides the sums and returns them as pixels.
    pub(super) fn divide(
        &mut self,
        sums: &[[u32; 3]],
        divide: Reciprocal,
    ) -> impl Iterator<Item = [u8; 3]> {
        // SAFETY: `proof` shows that the processor has AVX2.
        unsafe { divide_to_bytes(&mut self.bytes, sums.as_flattened(), divide) };
        self.bytes.as_chunks().0.iter().copied()
    }

    /// Copies a row and repeats its last pixel, which bilinear sampling reads as the neighbour of the
    /// last.
    fn take(&mut self, pixels: &[[u8; 3]]) {
        let bytes = pixels.as_flattened();
        let len = bytes.len().min(self.row.len() - 3);
        self.row[..len].copy_from_slice(&bytes[..len]);
        if let Some(last) = pixels.last() {
            self.row[len..len + 3].copy_from_slice(last);
        }
    }
}

fn copy(from: &[u32], to: &mut [[u32; 3]]) {
    for (to, &from) in to.as_flattened_mut().iter_mut().zip(from) {
        *to = from;
    }
}

#[target_feature(enable = "avx2")]
fn sum_across(fast: &mut Fast) {
    let Fast {
        starts,
        weights,
        groups,
        row,
        sums,
        ..
    } = fast;
    // Red of two pixels side by side, green, blue, unused; then the same of the next two pixels.
    let pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
    let mut weights = weights.chunks_exact(*groups);
    for (place, &start) in starts.iter().enumerate() {
        let mut sum = _mm256_setzero_si256();
        let Some(weights) = weights.next() else { break };
        let from = &row[3 * start..];
        for (group, weights) in weights.iter().enumerate() {
            let from: &[u8] = &from[3 * GROUP * group..][..LOAD];
            // SAFETY: the slices are 16 bytes and 16 values of 2 bytes long.
            let (pixels, weights) = unsafe {
                (
                    _mm_loadu_si128(from.as_ptr().cast()),
                    _mm256_loadu_si256(weights.as_ptr().cast()),
                )
            };
            let pixels = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(pixels, pairs));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pixels, weights));
        }
        let both = _mm_add_epi32(
            _mm256_castsi256_si128(sum),
            _mm256_extracti128_si256::<1>(sum),
        );
        let to = &mut sums[3 * place..][..4];
        // SAFETY: the slice is four words long.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), both) };
    }
}

// Plain loops, which the compiler vectorises for AVX2.

#[target_feature(enable = "avx2")]
fn divide_sums(sums: &[u32], divide: Reciprocal, means: &mut [u32]) {
    for (mean, &sum) in means.iter_mut().zip(sums) {
        *mean = divide.round(sum << 8);
    }
}

#[target_feature(enable = "avx2")]
fn add(sums: &mut [u32], overlap: u32, means: &[u32]) {
    for (sum, &mean) in sums.iter_mut().zip(means) {
        *sum += overlap * mean;
    }
}

#[target_feature(enable = "avx2")]
fn mix(bytes: &mut [u8], [upper, lower]: [&[u32]; 2], weights: [u32; 2], divide: Reciprocal) {
    for ((byte, &upper), &lower) in bytes.iter_mut().zip(upper).zip(lower) {
        *byte = divide.round(weights[0] * upper + weights[1] * lower) as u8;
    }
}

#[target_feature(enable = "avx2")]
fn divide_to_bytes(bytes: &mut [u8], sums: &[u32], divide: Reciprocal) {
    for (byte, &sum) in bytes.iter_mut().zip(sums) {
        *byte = divide.round(sum) as u8;
    }
}

#[cfg(test)]
mod tests;
