//! Layers with packed weights: splits a row into blocks of four pixels and sets up the input of the
//! assembly.

use crate::kernels::packed::Packed;
use crate::kernels::params::{Layout, OutputStage};
use crate::kernels::scratch::{
    ARMV6M_BLOCK as PIXELS, armv6m as scratch_len, armv6m_pixels as max_pixels,
};
use crate::kernels::stage::{away, clamp, suits};

use super::TERMS;
use super::blocks::{Group, Job};
use super::outputs::{Outputs, entry};
use super::room::Channels;
use super::widen::{block_sums, widen_weights};

/// Largest number of terms of a sum: with raw activations and weights, and the zero point's part, it
/// stays within 2^29.
const MAX_TERMS: usize = 8192;

/// Pixels that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Column of the first pixel.
    first: usize,
    /// Number of blocks of four pixels; one in rows of fewer pixels, where it repeats the last.
    blocks: usize,
    /// Number of pixels that the last block shares with the one before it.
    back: usize,
}

impl Part {
    /// The part that begins once the pixels before `x` of `width` are done, of at most `most` pixels.
    fn next(x: usize, width: usize, most: usize) -> Part {
        let left = (width - x).min(most);
        let blocks = left.div_ceil(PIXELS);
        let beyond = blocks * PIXELS - left;
        if blocks > 1 {
            Part {
                first: x,
                blocks,
                back: beyond,
            }
        } else {
            Part {
                first: x.saturating_sub(beyond),
                blocks,
                back: 0,
            }
        }
    }

    /// First column of a block.
    fn column(self, block: usize) -> usize {
        let back = if block + 1 == self.blocks {
            self.back
        } else {
            0
        };
        self.first + block * PIXELS - back
    }
}

/// A layer with packed weights, and the memory for its outputs.
pub(super) struct Sums<'a> {
    pub weights: Packed<'a>,
    pub room: Channels<'a>,
    pub output: &'a OutputStage<'a>,
    pub input_zero_point: i8,
    pub outputs: usize,
    pub layout: Layout,
    pub width: usize,
}

impl Sums<'_> {
    /// Returns true if the assembly can compute the layer.
    pub fn suits(&self, scratch: &[u32], output: &[i8]) -> bool {
        let terms = self.weights.terms();
        suits(self.output, self.outputs)
            && (1..=MAX_TERMS).contains(&terms)
            && scratch.len() >= scratch_len(terms, self.width)
            && self.weights.has(self.outputs)
            && self.weights.bytes().as_ptr().cast::<u32>().is_aligned()
            && output.len() >= self.outputs * self.width
    }

    /// Computes the row. `widen` widens the activations of two columns, which are the pair 0 or 1 of a
    /// block, into the words of the block.
    pub fn compute(
        &self,
        scratch: &mut [u32],
        output: &mut [i8],
        mut widen: impl FnMut([usize; 2], usize, &mut [u32]),
    ) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let (wide, activations) = scratch.split_at_mut(2 * terms);
        let most = max_pixels(terms, self.width);
        let mut x = 0;
        while x < self.width {
            let part = Part::next(x, self.width, most);
            let blocks = activations.chunks_exact_mut(2 * terms);
            for (index, block) in blocks.take(part.blocks).enumerate() {
                let column = part.column(index);
                for pair in 0..2 {
                    let columns = [0, 1].map(|of| (column + 2 * pair + of).min(self.width - 1));
                    widen(columns, pair, block);
                }
            }
            self.compute_part(part, wide, activations, output);
            x += part.blocks * PIXELS;
        }
        clamp(self.output, output);
    }

    /// Computes all channels of a part.
    fn compute_part(&self, part: Part, wide: &mut [u32], activations: &[u32], output: &mut [i8]) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let (x_step, c_step) = self.layout.steps(self.width, self.outputs);
        let wide = bytemuck::cast_slice_mut(wide);
        let tame = self.room.tame();
        let away = away(self.output);
        let roads =
            Group::ALL.map(|group| (group.function(away), group.biased(terms), group.skip(terms)));
        let pairs = self.weights.bytes().chunks_exact(2 * terms);
        let short = self.width < PIXELS;
        let step = if short { 1 } else { x_step };
        let mut job = Job {
            outputs: Outputs::new(step),
            both: 0,
            bias: 0,
            weights_end: core::ptr::null(),
            skip: 0,
            activations: activations.as_ptr(),
            weights: core::ptr::null(),
            blocks: 0,
            back: part.back * step,
        };
        let zero_point = i32::from(self.input_zero_point);
        let base = output.as_mut_ptr().wrapping_add(part.first * x_step);
        let mut few = [0; PIXELS];
        let mut channel = 0;
        for packed in pairs {
            let end = self.outputs.min(channel + 2);
            let Some(sums) = widen_weights(packed, wide, tame) else {
                for channel in channel..end {
                    let to = &mut output[part.first * x_step + channel * c_step..];
                    self.compute_exactly(channel, part, activations, to, x_step);
                }
                channel = end;
                continue;
            };
            job.weights_end = wide.as_ptr();
            for sum in sums {
                if channel == end {
                    break;
                }
                let to = base.wrapping_add(channel * c_step);
                let place = if short { few.as_mut_ptr() } else { to };
                // The zero point is not subtracted from the activations; its share of the sum is
                // subtracted here instead.
                let moved = zero_point.wrapping_mul(sum);
                // SAFETY: `suits` returned true, and the channel is one of the layer's.
                let bias = unsafe {
                    job.outputs.set(self.output, channel, true, away, place);
                    entry(self.output.channels.bias, channel)
                };
                job.activations = activations.as_ptr();
                job.weights = job.weights_end;
                job.weights_end = job.weights.wrapping_add(terms);
                let (function, groups, skip) = roads[self.room.of(channel) as usize];
                job.begin(moved.wrapping_sub(bias), groups);
                job.skip = skip;
                job.blocks = part.blocks;
                // SAFETY: there is a word of weights for each term, whole fours of them; the
                // activations of all blocks have been widened; the outputs go to `few`, or to the row,
                // which holds all pixels of the part.
                unsafe { function(&raw mut job) };
                if short {
                    let to = &mut output[part.first * x_step + channel * c_step..];
                    let places = to.iter_mut().step_by(x_step);
                    for (place, number) in places.zip(few).take(self.width) {
                        *place = number;
                    }
                }
                channel += 1;
            }
        }
    }

    /// Computes a channel whose weights do not suit the assembly; `to` begins with its first output.
    fn compute_exactly(
        &self,
        channel: usize,
        part: Part,
        activations: &[u32],
        to: &mut [i8],
        step: usize,
    ) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let blocks = activations.chunks_exact(2 * terms).take(part.blocks);
        for (index, block) in blocks.enumerate() {
            let sums = block_sums(self.weights.of(channel), self.input_zero_point, block);
            let places = to.iter_mut().step_by(step);
            for (sum, place) in sums
                .into_iter()
                .zip(places.skip(part.column(index) - part.first))
                .take(self.width)
            {
                *place = self.output.apply(channel, sum);
            }
        }
    }
}
