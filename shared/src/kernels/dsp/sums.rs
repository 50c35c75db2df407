//! Layers with packed weights: how a row is cut into blocks of pixels, and what the assembly is asked
//! for.

use crate::kernels::packed::Packed;
use crate::kernels::params::{Layout, OutputStage};
use crate::kernels::scratch::{DSP_PIXELS as MAX_PIXELS, dsp as scratch_len};
use crate::kernels::stage::{away, clamp, suits};

use super::TERMS;
use super::few::{self, few};
use super::many::{self, many};
use super::widen::Pixel;

/// Most terms of a sum: of 16-bit activations and 8-bit weights, doubled, it still has 31 bits.
const MAX_TERMS: usize = 8192;

/// Pixels that are computed together: blocks of four, then of three; or one or two alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Column of the first.
    x: usize,
    fours: usize,
    threes: usize,
    /// One or two; then there are no blocks.
    few: usize,
}

impl Part {
    /// The part that begins where the pixels before `x` of `width` are done. Five pixels are two
    /// blocks of three, in which the middle one is computed twice.
    fn next(x: usize, width: usize) -> Part {
        let left = width - x;
        let part = |fours, threes| Part {
            x,
            fours,
            threes,
            few: 0,
        };
        match left {
            // Nothing but one or two pixels in the row: else they go with others.
            1 | 2 => Part {
                x,
                fours: 0,
                threes: 0,
                few: left,
            },
            5 => part(0, 1),
            // What is left after it is enough for blocks of its own.
            _ if left > MAX_PIXELS + 5 => part(MAX_PIXELS / 4, 0),
            _ if left > MAX_PIXELS => part(MAX_PIXELS / 4 - 2, 0),
            _ => {
                let threes = [0, 3, 2, 1][left % 4];
                part((left - 3 * threes) / 4, threes)
            }
        }
    }

    fn pixels(self) -> usize {
        4 * self.fours + 3 * self.threes + self.few
    }

    /// Where pixel `index` of the part lies: the first word of its block, and its place there.
    fn place(self, index: usize, terms: usize) -> (usize, Pixel) {
        let of_block = |first: usize, of: usize| {
            let block = (index - first) / of;
            let start = (first + block * of) * terms / 2;
            (
                start,
                Pixel {
                    index: (index - first) % of,
                    of,
                },
            )
        };
        match () {
            () if self.few > 0 => of_block(0, self.few),
            () if index < 4 * self.fours => of_block(0, 4),
            () => of_block(4 * self.fours, 3),
        }
    }
}

/// A layer with packed weights, and where its outputs go.
pub(super) struct Sums<'a> {
    pub weights: Packed<'a>,
    pub output: &'a OutputStage<'a>,
    pub outputs: usize,
    pub layout: Layout,
    pub width: usize,
}

impl Sums<'_> {
    /// Whether the assembly may compute it.
    pub fn suits(&self, scratch: &[u32], output: &[i8]) -> bool {
        let terms = self.weights.terms();
        suits(self.output, self.outputs)
            && terms <= MAX_TERMS
            && scratch.len() >= scratch_len(terms, self.width)
            && self.weights.has(self.outputs)
            && self.weights.bytes().as_ptr().cast::<u32>().is_aligned()
            && output.len() >= self.outputs * self.width
    }

    /// Computes the row. `widen` widens the activations of a column into the words of its block.
    pub fn compute(
        &self,
        scratch: &mut [u32],
        output: &mut [i8],
        mut widen: impl FnMut(usize, Pixel, &mut [u32]),
    ) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let (wide, activations) = scratch.split_at_mut(terms);
        let mut x = 0;
        while x < self.width {
            // Two pixels that are left of five go with one that is done already.
            let part = match self.width - x {
                2 if x > 0 => Part::next(x - 1, self.width),
                _ => Part::next(x, self.width),
            };
            for index in 0..part.pixels() {
                let (start, place) = part.place(index, terms);
                widen(part.x + index, place, &mut activations[start..]);
            }
            self.compute_part(part, wide, activations, output);
            x = part.x + part.pixels();
        }
        clamp(self.output, output);
    }

    fn compute_part(&self, part: Part, wide: &mut [u32], activations: &[u32], output: &mut [i8]) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let (x_step, c_step) = self.layout.steps(self.width, self.outputs);
        let planar = self.layout == Layout::Planar;
        let pairs = self.outputs / 2;
        let OutputStage {
            channels,
            zero_point,
            ..
        } = *self.output;
        let bytes = self.weights.bytes();
        let step = if planar { c_step } else { x_step };
        let rest = (terms / TERMS + 3) % 4;
        if pairs > 0 && part.few == 0 {
            let mut job = many::Job {
                weights: bytes.as_ptr(),
                wide: wide.as_mut_ptr(),
                terms,
                bias: channels.bias.as_ptr(),
                multiplier: channels.multiplier.as_ptr(),
                shift: channels.shift.as_ptr(),
                activations: activations.as_ptr(),
                output: output[part.x * x_step..].as_mut_ptr(),
                step,
                pair_step: 2 * c_step,
                fours: part.fours,
                threes: part.threes,
                pairs,
                zero_point: zero_point.into(),
                rest,
            };
            // SAFETY: `suits` has found weights, tables and output to hold all channels, weights
            // and tables aligned; `wide` has a word for each term, and the activations of all
            // blocks have been widened.
            unsafe { many(planar, away(self.output))(&raw mut job) };
        } else if pairs > 0 {
            let words = terms / 2 * part.few;
            let mut job = few::Job {
                activations: activations.as_ptr(),
                weights: bytes.as_ptr(),
                bias: channels.bias.as_ptr(),
                multiplier: channels.multiplier.as_ptr(),
                shift: channels.shift.as_ptr(),
                zero_point: zero_point.into(),
                output: output[part.x * x_step..].as_mut_ptr(),
                step,
                activations_end: activations[..words].as_ptr_range().end,
                weights_end: bytes[..pairs * 2 * terms].as_ptr_range().end,
                rest,
            };
            // SAFETY: as above; the activations are the first `words` words.
            unsafe { few(part.few, planar, away(self.output))(&raw mut job) };
        }
        if self.outputs % 2 == 1 {
            let channel = self.outputs - 1;
            for index in 0..part.pixels() {
                let (start, place) = part.place(index, terms);
                let sum = last_sum(self.weights, channel, place, &activations[start..]);
                let at = (part.x + index) * x_step + channel * c_step;
                output[at] = self.output.apply(channel, sum);
            }
        }
    }
}

/// The sum of the last channel where channels are odd in number.
fn last_sum(weights: Packed<'_>, channel: usize, place: Pixel, words: &[u32]) -> i32 {
    let mut sum = 0;
    for (term, weight) in weights.of(channel).enumerate() {
        let word = words[(term / TERMS * 2 + term % 2) * place.of + place.index];
        let half = if term % TERMS < 2 {
            word as i16
        } else {
            (word >> 16) as i16
        };
        sum += i32::from(half / 2) * i32::from(weight);
    }
    sum
}
