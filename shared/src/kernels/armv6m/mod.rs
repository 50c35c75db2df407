//! Armv6-M (Cortex-M0, M0+): two products an instruction from `MULS` alone.
//!
//! Compiled with the feature `armv6m`; runs on every Cortex-M. With `armv6m-in-ram` the assembly lies
//! in RAM.

mod blocks;
mod dense;
mod depthwise;
mod outputs;
mod room;
mod rows;
mod sums;
mod widen;

use super::Kernels;
use super::params::{ConvParams, DenseParams, DepthwiseParams, PointwiseParams, Weighted};
use super::scalar::Scalar;
use super::scratch;
use super::window::{MAX_WINDOW, gather};

use room::Rooms;
use rows::by_rows;
use sums::Sums;
use widen::{widen_pixels, widen_rgb};

/// Kernels for cores of Armv6-M.
#[derive(Clone, Copy, Debug, Default)]
pub struct Armv6m {
    rooms: Rooms,
}

impl Armv6m {
    /// Creates kernels without prepacked weights.
    pub const fn new() -> Self {
        Armv6m {
            rooms: Rooms::new(),
        }
    }
}

/// Terms of a block of packed weights.
const TERMS: usize = 4;

impl Kernels for Armv6m {
    fn prepare(&mut self, layer: Weighted<'_>) {
        self.rooms.note(layer);
    }

    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        scratch::armv6m(terms, width)
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
            room: self.rooms.of_packed(params.layer, params.weights),
            output: &params.output,
            input_zero_point: params.input_zero_point,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.output_width,
        };
        let terms = params.weights.terms();
        if terms > MAX_WINDOW || !sums.suits(scratch, output) {
            return Scalar.conv3x3(params, rows, scratch, output);
        }
        let mut windows = [[0; MAX_WINDOW]; 2];
        sums.compute(scratch, output, |columns, pair, block| {
            if widen_rgb(params, rows, columns, pair, block) {
                return;
            }
            for (window, x) in windows.iter_mut().zip(columns) {
                gather(params, rows, x, &mut window[..terms]);
            }
            let pixels = windows.each_ref().map(|window| &window[..terms]);
            widen_pixels(pixels, params.input_zero_point, pair, block);
        });
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        let room = self.rooms.of_depthwise(params.layer, params.weights);
        if !by_rows(params, room, rows, output) {
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
            room: self.rooms.of_packed(params.layer, params.weights),
            output: &params.output,
            input_zero_point: params.input_zero_point,
            outputs: params.output_channels,
            layout: params.output_layout,
            width: params.width,
        };
        if !sums.suits(scratch, output) {
            return Scalar.pointwise(params, input, scratch, output);
        }
        let inputs = params.input_channels;
        sums.compute(scratch, output, |columns, pair, block| {
            let pixels = columns.map(|x| &input[x * inputs..][..inputs]);
            widen_pixels(pixels, params.input_zero_point, pair, block);
        });
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        if !dense::dense(params, input, scratch, output) {
            Scalar.dense(params, input, scratch, output);
        }
    }
}
