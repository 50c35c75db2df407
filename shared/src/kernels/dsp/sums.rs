//! Layers with packed weights: splits a row into blocks of pixels and sets up the input of the
//! assembly.

use crate::kernels::packed::Packed;
use crate::kernels::params::{Layout, OutputStage, PerChannel};
use crate::kernels::scratch::{DSP_PIXELS as MAX_PIXELS, dsp as scratch_len};
use crate::kernels::stage::{away, clamp, suits};

use super::TERMS;
use super::few::{self, few};
use super::many::{self, many};

/// Largest number of terms: a sum of 16-bit activations times 8-bit weights, doubled, still fits 31
/// bits.
const MAX_TERMS: usize = 8192;

/// Pixels that are computed together: blocks of four, then of three; or one or two alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// Column of the first pixel.
    x: usize,
    fours: usize,
    threes: usize,
    /// Number of pixels if there are no blocks: one or two.
    few: usize,
}

impl Part {
    /// The part that begins once the pixels before `x` of `width` are done. Five pixels are two blocks
    /// of three, in which the middle one is computed twice.
    fn next(x: usize, width: usize) -> Part {
        let left = width - x;
        let part = |fours, threes| Part {
            x,
            fours,
            threes,
            few: 0,
        };
        match left {
            // The row has only one or two pixels; in longer rows they join other blocks.
            1 | 2 => Part {
                x,
                fours: 0,
                threes: 0,
                few: left,
            },
            5 => part(0, 1),
            // The remainder after it is enough for blocks of its own.
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

    /// Numbers of blocks and pixels per block, in their order.
    fn blocks(self) -> [(usize, usize); 3] {
        let few = usize::from(self.few > 0);
        [(self.fours, 4), (self.threes, 3), (few, self.few)]
    }
}

/// A layer with packed weights, and the memory for its outputs.
pub(super) struct Sums<'a> {
    pub weights: Packed<'a>,
    pub output: &'a OutputStage<'a>,
    pub outputs: usize,
    pub layout: Layout,
    pub width: usize,
}

impl Sums<'_> {
    /// Returns true if the assembly can compute the layer.
    pub fn suits(&self, scratch: &[u32], output: &[i8]) -> bool {
        let terms = self.weights.terms();
        suits(self.output, self.outputs)
            && terms <= MAX_TERMS
            && scratch.len() >= scratch_len(terms, self.width)
            && self.weights.has(self.outputs)
            && self.weights.bytes().as_ptr().cast::<u32>().is_aligned()
            && output.len() >= self.outputs * self.width
    }

    /// Computes the row. `widen` widens the activations from a column on into all the words, in blocks
    /// of the given number of pixels.
    pub fn compute(
        &self,
        scratch: &mut [u32],
        output: &mut [i8],
        mut widen: impl FnMut(usize, usize, &mut [u32]),
    ) {
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let (wide, activations) = scratch.split_at_mut(terms);
        let mut x = 0;
        while x < self.width {
            // Two pixels that are left of five join one that is already done.
            let part = match self.width - x {
                2 if x > 0 => Part::next(x - 1, self.width),
                _ => Part::next(x, self.width),
            };
            let mut words = &mut *activations;
            x = part.x;
            for (blocks, of) in part.blocks() {
                let (run, others) = words.split_at_mut(terms / 2 * of * blocks);
                if blocks > 0 {
                    widen(x, of, run);
                }
                (words, x) = (others, x + of * blocks);
            }
            self.compute_part(part, wide, activations, output);
        }
        clamp(self.output, output);
    }

    fn compute_part(&self, part: Part, wide: &mut [u32], activations: &[u32], output: &mut [i8]) {
        let (x_step, c_step) = self.layout.steps(self.width, self.outputs);
        let PerChannel {
            bias,
            multiplier,
            shift,
        } = self.output.channels;
        let planar = self.layout == Layout::Planar;
        let pairs = Pairs {
            weights: self.weights.bytes(),
            bias: bias.as_ptr(),
            multiplier: multiplier.as_ptr(),
            shift: shift.as_ptr(),
            count: self.outputs / 2,
            output: output[part.x * x_step..].as_mut_ptr(),
            planar,
            step: if planar { c_step } else { x_step },
            pair_step: 2 * c_step,
        };
        // SAFETY: `suits` has found weights, tables and output to hold all channels, weights and tables
        // aligned; the activations of the part have been widened.
        unsafe { self.compute_pairs(part, &pairs, wide, activations) };
        let Some(last) = self.outputs.checked_sub(1).filter(|last| last % 2 == 0) else {
            return;
        };
        // An odd channel, whose pair is filled up with weights of zero: its outputs go to a buffer with
        // room for both.
        let mut both = [0; 2 * MAX_PIXELS];
        let (bias, multiplier) = ([bias.at(last); 2], [multiplier.at(last); 2]);
        let shift = [shift[last]; 2];
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let pairs = Pairs {
            weights: &self.weights.bytes()[last * terms..],
            bias: bias.as_ptr(),
            multiplier: multiplier.as_ptr(),
            shift: shift.as_ptr(),
            count: 1,
            output: both.as_mut_ptr(),
            planar: true,
            step: MAX_PIXELS,
            pair_step: 0,
        };
        // SAFETY: as above: the last pair's weights are whole, the tables and the outputs are those of
        // two channels, for no more pixels than a part has.
        unsafe { self.compute_pairs(part, &pairs, wide, activations) };
        let outputs = output[part.x * x_step + last * c_step..].iter_mut();
        let outputs = outputs.step_by(x_step).take(part.pixels());
        for (output, number) in outputs.zip(both) {
            *output = number;
        }
    }

    /// Computes pairs of channels for the pixels of `part`.
    ///
    /// # Safety
    /// Weights, tables and output must be whole for all pairs, and pointers to words aligned; `wide`
    /// has a word for each term, and the activations of all blocks have been widened.
    unsafe fn compute_pairs(
        &self,
        part: Part,
        pairs: &Pairs<'_>,
        wide: &mut [u32],
        activations: &[u32],
    ) {
        if pairs.count == 0 {
            return;
        }
        let terms = self.weights.terms().next_multiple_of(TERMS);
        let zero_point = i32::from(self.output.zero_point);
        let away = away(self.output);
        let rest = (terms / TERMS + 3) % 4;
        if part.few == 0 {
            let (fours, threes) = (4 * part.fours * terms / 2, 3 * part.threes * terms / 2);
            let mut job = many::Job {
                weights: pairs.weights.as_ptr(),
                wide: wide.as_mut_ptr(),
                terms,
                bias: pairs.bias,
                multiplier: pairs.multiplier,
                shift: pairs.shift,
                activations: activations.as_ptr(),
                output: pairs.output,
                step: pairs.step,
                pair_step: pairs.pair_step,
                fours_end: activations[..fours].as_ptr_range().end,
                threes_end: activations[..fours + threes].as_ptr_range().end,
                pairs: pairs.count,
                twice_zero_point: 2 * zero_point + 1,
                rest,
            };
            // SAFETY: the caller guarantees it.
            unsafe { many(pairs.planar, away)(&raw mut job) };
        } else {
            let words = terms / 2 * part.few;
            let mut job = few::Job {
                activations: activations.as_ptr(),
                weights: pairs.weights.as_ptr(),
                bias: pairs.bias,
                multiplier: pairs.multiplier,
                shift: pairs.shift,
                zero_point,
                output: pairs.output,
                step: pairs.step,
                activations_end: activations[..words].as_ptr_range().end,
                weights_end: pairs.weights[..pairs.count * 2 * terms].as_ptr_range().end,
                rest,
            };
            // SAFETY: the caller guarantees it; the activations are the first `words` words.
            unsafe { few(part.few, pairs.planar, away)(&raw mut job) };
        }
    }
}

/// Pairs of channels that are computed together.
struct Pairs<'a> {
    /// Packed weights from those of the first pair on.
    weights: &'a [i8],
    bias: *const i32,
    multiplier: *const i32,
    shift: *const i8,
    /// Number of pairs.
    count: usize,
    /// First pixel of the first channel.
    output: *mut i8,
    planar: bool,
    /// Bytes from a channel to the next (planar), or from a pixel to the next (interleaved).
    step: usize,
    /// Bytes from a pair to the next.
    pair_step: usize,
}
