//! Armv7E-M and Armv8-M with the DSP extension (Cortex-M4, M7, M33): two products an instruction.
//!
//! Compiled with the feature `dsp`, for boards that have it; needs the floating-point unit, whose
//! registers hold the values that do not fit the others.

mod depthwise;
mod few;
mod many;
mod rows;
mod sums;
mod widen;

use super::packed::TERMS;
use super::params::{ConvParams, DenseParams, DepthwiseParams, Layout, PointwiseParams};
use super::scalar::Scalar;
use super::window::MAX_WINDOW;
use super::{Kernels, scratch};

use rows::by_rows;
use sums::Sums;
use widen::{widen_pixels, widen_windows};

/// Kernels for a core with the DSP extension.
#[derive(Clone, Copy, Debug)]
pub struct Dsp(());

impl Dsp {
    /// # Safety
    /// The core that runs this has the DSP extension and a floating-point unit that is switched on.
    pub const unsafe fn new() -> Self {
        Dsp(())
    }
}

impl Kernels for Dsp {
    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        scratch::dsp(terms, width)
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.output_width,
        };
        let mut window = [0; MAX_WINDOW];
        let window = window.get_mut(..params.weights.terms());
        let (Some(window), true) = (window, sums.suits(scratch, output)) else {
            return Scalar.conv3x3(params, rows, scratch, output);
        };
        sums.compute(scratch, output, |x, of, words| {
            widen_windows(params, rows, (x, of), window, words);
        });
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        if !by_rows(params, rows, output) {
            Scalar.depthwise3x3(params, rows, output);
        }
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.width,
        };
        if !sums.suits(scratch, output) {
            return Scalar.pointwise(params, input, scratch, output);
        }
        let inputs = params.input_channels;
        sums.compute(scratch, output, |x, of, words| {
            let pixels = &input[x * inputs..];
            widen_pixels(pixels, inputs, params.input_zero_point, of, words);
        });
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let sums = Sums {
            weights: params.weights,
            output: &params.output,
            outputs: output.len(),
            layout: Layout::Planar,
            width: 1,
        };
        if !sums.suits(scratch, output) {
            return Scalar.dense(params, input, scratch, output);
        }
        sums.compute(scratch, output, |_, of, words| {
            widen_pixels(input, input.len(), params.input_zero_point, of, words);
        });
    }
}
