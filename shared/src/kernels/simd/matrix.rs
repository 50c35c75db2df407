//! Layers whose outputs are sums over all channels: 1 x 1, fully connected, and 3 x 3.
//!
//! A few pixels at a time: their activations are laid out in groups, and then each block of outputs
//! is computed for all of them in registers, so that a vector of weights serves each pixel.

use super::lanes::{Job, Lanes, MOST_VECTORS, Place};
use super::ready::{Block, Kind, Ready, blocks, stored};
use crate::kernels::WindowParams;

/// Most pixels that are computed together.
pub(super) const MOST_PIXELS: usize = 8;

/// Words of scratch for sums over `terms` terms, in rows of `width` pixels.
pub(super) fn scratch_len<L: Lanes>(terms: usize, width: usize) -> usize {
    (stored(terms) / L::GROUP).saturating_mul(width.min(L::PIXELS))
}

/// Where activations come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// An interleaved row, a pixel for each output pixel.
    Row(&'a [i8]),
    /// The windows over three rows, each as long as the parameters say.
    Windows([Option<&'a [i8]>; 3], WindowParams<'a, ()>),
}

/// One row of outputs, interleaved.
pub(super) struct Matrix<'a> {
    pub(super) ready: &'a Ready,
    pub(super) source: Source<'a>,
    pub(super) width: usize,
    /// [`scratch_len`] words.
    pub(super) scratch: &'a mut [u32],
    pub(super) place: Place,
    /// `[W, O]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Matrix<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let shape = &self.ready.shape;
        let terms = stored(shape.terms);
        let parts = self.width.div_ceil(L::PIXELS);
        let mut x = 0;
        for part in 0..parts {
            // As even as can be: 14 pixels are twice 7 rather than 8 and 6.
            let pixels = (self.width - x).div_ceil(parts - part);
            let bytes = bytemuck::cast_slice_mut::<u32, i8>(self.scratch);
            // What is gathered ends where the groups of it will end.
            let end = pixels * terms * 4 / L::GROUP;
            let start = end - pixels * terms;
            let gathered = bytes[start..end].chunks_exact_mut(terms);
            let as_it_is = match self.source {
                Source::Row(row) if terms == shape.terms => {
                    Some(row[x * terms..][..pixels * terms].as_ptr())
                }
                Source::Row(row) => {
                    let row = row[x * shape.terms..].chunks_exact(shape.terms);
                    for (to, from) in gathered.zip(row) {
                        to[..from.len()].copy_from_slice(from);
                    }
                    None
                }
                Source::Windows(rows, ref params) => {
                    for (pixel, to) in gathered.enumerate() {
                        gather(rows, params, x + pixel, to);
                    }
                    None
                }
            };
            let words = self.scratch.as_mut_ptr();
            let from = as_it_is.unwrap_or(words.cast::<i8>().wrapping_add(start));
            let output = &mut self.output[x * shape.outputs..][..pixels * shape.outputs];
            // SAFETY: called in a job. `from` has `pixels * terms` numbers, the scratch as many
            // activations; where they overlap, they end together. `output` has `pixels` pixels.
            unsafe {
                L::widen(from, pixels * terms, words);
                let (ready, place, output) = (self.ready, &self.place, output.as_mut_ptr());
                match pixels {
                    1 => part_of_row::<L, 1>(ready, words, place, output),
                    2 => part_of_row::<L, 2>(ready, words, place, output),
                    3 => part_of_row::<L, 3>(ready, words, place, output),
                    4 => part_of_row::<L, 4>(ready, words, place, output),
                    5 => part_of_row::<L, 5>(ready, words, place, output),
                    6 => part_of_row::<L, 6>(ready, words, place, output),
                    7 => part_of_row::<L, 7>(ready, words, place, output),
                    _ => part_of_row::<L, MOST_PIXELS>(ready, words, place, output),
                }
            }
            x += pixels;
        }
    }
}

/// Copies the window of output column `x` to `to`, row by row, padding written out.
#[inline(always)]
fn gather(rows: [Option<&[i8]>; 3], params: &WindowParams<'_, ()>, x: usize, to: &mut [i8]) {
    let channels = params.input_channels;
    let left = x * params.stride;
    let inside = left
        .checked_sub(params.pad_left)
        .filter(|left| left + 3 <= params.input_width);
    for (row, to) in rows.iter().zip(to.chunks_exact_mut(3 * channels)) {
        match (row, inside) {
            (Some(row), Some(left)) => {
                let from = &row[left * channels..][..3 * channels];
                // A length that the compiler knows: that of a picture's three colours.
                match (
                    <&[i8; 9]>::try_from(from),
                    <&mut [i8; 9]>::try_from(&mut *to),
                ) {
                    (Ok(from), Ok(to)) => *to = *from,
                    _ => to.copy_from_slice(from),
                }
            }
            (Some(row), None) => {
                for (tap, to) in to.chunks_exact_mut(channels).enumerate() {
                    let column = (left + tap).checked_sub(params.pad_left);
                    match column.filter(|column| *column < params.input_width) {
                        Some(column) => to.copy_from_slice(&row[column * channels..][..channels]),
                        None => to.fill(params.input_zero_point),
                    }
                }
            }
            (None, _) => to.fill(params.input_zero_point),
        }
    }
}

/// All outputs of `P` pixels.
///
/// # Safety
/// In a job; `words` has `P` pixels of activations, `output` room for `P` pixels.
#[inline(always)]
unsafe fn part_of_row<L: Lanes, const P: usize>(
    ready: &Ready,
    words: *const u32,
    place: &Place,
    output: *mut i8,
) {
    for block in blocks::<L>(Kind::Matrix, ready.shape.outputs) {
        // SAFETY: as the caller vouches.
        unsafe {
            match block.vectors {
                1 => block_of_outputs::<L, P, 1>(ready, block, words, place, output),
                MOST_VECTORS if L::VECTORS == MOST_VECTORS => {
                    block_of_outputs::<L, P, MOST_VECTORS>(ready, block, words, place, output);
                }
                _ => block_of_outputs::<L, P, 2>(ready, block, words, place, output),
            }
        }
    }
}

/// One block of outputs, of `V` vectors, of `P` pixels.
///
/// # Safety
/// As [`part_of_row`]; `block` is one of the layer's.
#[inline(always)]
unsafe fn block_of_outputs<L: Lanes, const P: usize, const V: usize>(
    ready: &Ready,
    block: Block,
    words: *const u32,
    place: &Place,
    output: *mut i8,
) {
    let outputs = ready.shape.outputs;
    let terms = stored(ready.shape.terms);
    let groups = terms / L::GROUP;
    let weights = ready.weights(block.first, terms);
    let tables = ready.tables(block.first);
    // SAFETY: the layer was made ready for these lanes: a block has `groups * V` vectors of weights
    // and `TABLES * V` of tables. Outputs are written as far as the layer has them.
    unsafe {
        let mut bias = [L::splat(0); V];
        for (v, bias) in bias.iter_mut().enumerate() {
            *bias = L::load(tables.add(v * L::LANES));
        }
        let mut sums = [bias; P];
        for group in 0..groups {
            let mut vectors = [L::weights(weights.add(group * V * L::LANES * L::GROUP)); V];
            for (v, vector) in vectors.iter_mut().enumerate().skip(1) {
                *vector = L::weights(weights.add((group * V + v) * L::LANES * L::GROUP));
            }
            for (pixel, sums) in sums.iter_mut().enumerate() {
                let activations = words.add(pixel * groups + group).read();
                for (sum, &vector) in sums.iter_mut().zip(&vectors) {
                    *sum = L::dot(*sum, activations, vector);
                }
            }
        }
        let count = (V * L::LANES).min(outputs - block.first);
        for (pixel, sums) in sums.into_iter().enumerate() {
            let scaled = rescale::<L, V>(sums, ready, block.first);
            let to = output.add(pixel * outputs + block.first);
            L::write(to, count, scaled, place);
        }
    }
}

/// Rescales sums of the outputs from `first` on.
///
/// # Safety
/// In a job; `first` begins a block of `V` vectors.
#[inline(always)]
pub(super) unsafe fn rescale<L: Lanes, const V: usize>(
    mut sums: [L::Sums; V],
    ready: &Ready,
    first: usize,
) -> [L::Sums; V] {
    let tables = ready.tables(first);
    // SAFETY: as the caller vouches; the order of tables is that of `TABLES`.
    unsafe {
        for (v, sum) in sums.iter_mut().enumerate() {
            let table = tables.add(v * L::LANES);
            let next = V * L::LANES;
            if !ready.to_the_right {
                *sum = L::shift_left_each(*sum, L::load(table.add(5 * next)));
            }
            let (mantissa, odd) = (L::load(table.add(next)), L::load(table.add(2 * next)));
            let product = L::high_product(*sum, mantissa, odd);
            let mut negative = L::negative(product);
            if !ready.to_the_right {
                negative = L::and(negative, L::load(table.add(6 * next)));
            }
            let (right, half) = (L::load(table.add(3 * next)), L::load(table.add(4 * next)));
            *sum = L::shift_right_each(L::add(product, negative), half, right);
        }
    }
    sums
}
