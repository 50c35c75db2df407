//! The 3 x 3 convolution of rows with few channels, such as those of a picture.
//!
//! The values of a window are contiguous in each of its three rows, and so are those of the next
//! window, a stride further on: no im2col is needed.

use core::mem::MaybeUninit;

use super::lanes::{Job, Products};
use super::matrix::{Activations, part_of_row};
use super::padded::{Inside, inside};
use super::ready::Ready;
use crate::kernels::WindowParams;

/// Largest number of channels of a row.
pub(super) const MOST_CHANNELS: usize = 4;
/// Largest stride: with larger ones few windows fit into a line.
pub(super) const MOST_STRIDE: usize = 2;
/// Number of values of a row that are reordered at once: those of a picture 224 pixels wide, padding
/// included.
const LINE: usize = 680;
/// Words that a group reads behind the last.
const BEHIND: usize = 2;
/// Words that hold the values in pairs, and those behind them.
const WORDS: usize = LINE / 2 + BEHIND;
/// Bytes from a row of the window to the next.
pub(super) const RUN: usize = 4 * WORDS;

/// Row of outputs, interleaved.
pub(super) struct Windows<'a> {
    pub(super) ready: &'a Ready,
    /// Interleaved rows, each as long as the parameters say.
    pub(super) rows: [Option<&'a [i8]>; 3],
    /// Parameters with at most [`MOST_CHANNELS`] channels and a stride of at most [`MOST_STRIDE`].
    pub(super) params: WindowParams<'a, ()>,
    /// Output row, `[W, O]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Products> Job<L> for Windows<'_> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let params = &self.params;
        let (channels, stride) = (params.input_channels, params.stride);
        let most = (LINE / channels - 3) / stride + 1;
        let mut bytes = [params.input_zero_point; LINE];
        // Only the words that are read are initialised: filling all of them would take as long as a few
        // pixels.
        let mut words = [[MaybeUninit::<u32>::uninit(); WORDS]; 3];
        let mut first = 0;
        while first < params.output_width {
            let segment = (params.output_width - first).min(most);
            let numbers = ((segment - 1) * stride + 3) * channels;
            for (words, row) in words.iter_mut().zip(self.rows) {
                match row {
                    Some(row) => lay_out(row, params, first * stride, &mut bytes[..numbers]),
                    None => bytes[..numbers].fill(params.input_zero_point),
                }
                let stored = numbers.next_multiple_of(4);
                // SAFETY: in a job. A line has a multiple of four values, `words` a pair for each two.
                unsafe {
                    L::widen(bytes.as_ptr(), stored, words.as_mut_ptr().cast());
                }
                words[stored / L::GROUP..][..BEHIND].fill(MaybeUninit::new(0));
            }
            let parts = segment.div_ceil(L::PIXELS);
            let mut x = 0;
            for part in 0..parts {
                let pixels = (segment - x).div_ceil(parts - part);
                let step = stride * channels * (4 / L::GROUP);
                let activations = Activations {
                    first: words.as_ptr().cast::<u32>().wrapping_byte_add(x * step),
                    pixel: step,
                    run: RUN,
                };
                let output = &mut self.output[(first + x) * params.output_channels..];
                // SAFETY: in a job. The windows' values are in `words`, and so are the words that are
                // read behind the last.
                unsafe {
                    part_of_row::<L>(pixels, self.ready, activations, output);
                }
                x += pixels;
            }
            first += segment;
        }
    }
}

/// Copies columns of the padded row, starting from column `left`, padding written out.
#[inline(always)]
fn lay_out(row: &[i8], params: &WindowParams<'_, ()>, left: usize, to: &mut [i8]) {
    let channels = params.input_channels;
    let Inside { start, end, from } = inside(params, left, to.len() / channels);
    to[..start * channels].fill(params.input_zero_point);
    to[end * channels..].fill(params.input_zero_point);
    to[start * channels..end * channels].copy_from_slice(&row[from..][..(end - start) * channels]);
}
