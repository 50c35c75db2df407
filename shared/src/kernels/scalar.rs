//! Reference kernels, the specification of every variant: written for reading and never optimised.
//!
//! The arithmetic is that of TFLite's int8 reference kernels (`reference_integer_ops`): sums of
//! `(input - zero_point) * weight` in i32, where a tap outside the map adds nothing.

use super::params::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, PointwiseParams, WindowParams,
};
use super::{Kernels, requant};

/// The reference kernels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar;

/// Dot product of weights and values minus their zero point.
fn dot(input: &[i8], zero_point: i8, weights: impl Iterator<Item = i8>) -> i32 {
    input
        .iter()
        .zip(weights)
        .map(|(&x, w)| i32::from(i16::from(x) - i16::from(zero_point)) * i32::from(w))
        .sum()
}

/// The input column under tap `tap` of the window at output column `x`, if it is in the map.
fn column<W>(params: &WindowParams<'_, W>, x: usize, tap: usize) -> Option<usize> {
    (x * params.stride + tap)
        .checked_sub(params.pad_left)
        .filter(|&column| column < params.input_width)
}

impl Kernels for Scalar {
    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        _: &mut [u32],
        output: &mut [i8],
    ) {
        let (inputs, outputs) = (params.input_channels, params.output_channels);
        let (x_step, c_step) = params.output_layout.steps(params.output_width, outputs);
        for x in 0..params.output_width {
            for channel in 0..outputs {
                let mut sum = 0;
                for (ky, row) in rows.iter().enumerate() {
                    let Some(row) = row else { continue };
                    for kx in 0..3 {
                        let Some(column) = column(params, x, kx) else {
                            continue;
                        };
                        let pixel = &row[column * inputs..][..inputs];
                        let taps = params.weights.of(channel).skip((ky * 3 + kx) * inputs);
                        sum += dot(pixel, params.input_zero_point, taps);
                    }
                }
                output[x * x_step + channel * c_step] = params.output.apply(channel, sum);
            }
        }
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        let channels = params.output_channels;
        let (x_in, c_in) = params.input_layout.steps(params.input_width, channels);
        let (x_out, c_out) = params.output_layout.steps(params.output_width, channels);
        let zero_point = i32::from(params.input_zero_point);
        for channel in 0..channels {
            let taps = &params.weights[channel * 9..][..9];
            for x in 0..params.output_width {
                let mut sum = 0;
                for (ky, row) in rows.iter().enumerate() {
                    let Some(row) = row else { continue };
                    for kx in 0..3 {
                        let Some(column) = column(params, x, kx) else {
                            continue;
                        };
                        let number = i32::from(row[column * x_in + channel * c_in]);
                        sum += (number - zero_point) * i32::from(taps[ky * 3 + kx]);
                    }
                }
                output[x * x_out + channel * c_out] = params.output.apply(channel, sum);
            }
        }
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        _: &mut [u32],
        output: &mut [i8],
    ) {
        let (inputs, outputs) = (params.input_channels, params.output_channels);
        let (x_step, c_step) = params.output_layout.steps(params.width, outputs);
        for (x, pixel) in input.chunks_exact(inputs).take(params.width).enumerate() {
            for channel in 0..outputs {
                let sum = dot(pixel, params.input_zero_point, params.weights.of(channel));
                output[x * x_step + channel * c_step] = params.output.apply(channel, sum);
            }
        }
    }

    fn dense(&self, params: &DenseParams<'_>, input: &[i8], _: &mut [u32], output: &mut [i8]) {
        for (channel, out) in output.iter_mut().enumerate() {
            let sum = dot(input, params.input_zero_point, params.weights.of(channel));
            *out = params.output.apply(channel, sum);
        }
    }

    /// TFLite's int8 `ADD`: both operands are raised by 20 bits, brought to twice the larger scale,
    /// added, and brought to the output's scale (`reference_integer_ops/add`).
    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        let raise = |number: i8, zero_point: i8, scale| {
            requant::rescale((i32::from(number) - i32::from(zero_point)) << 20, scale)
        };
        for ((out, &a), &b) in output.iter_mut().zip(a).zip(b) {
            let sum =
                raise(a, params.a_zero_point, params.a) + raise(b, params.b_zero_point, params.b);
            let scaled = requant::rescale(sum, params.output);
            *out = requant::place(scaled, params.zero_point, params.min, params.max);
        }
    }

    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        let (sums, _) = sums.as_chunks_mut::<4>();
        for pixel in row.chunks_exact(sums.len()) {
            for (sum, &number) in sums.iter_mut().zip(pixel) {
                let total = i32::from_le_bytes(sum.map(|byte| byte as u8)) + i32::from(number);
                *sum = total.to_le_bytes().map(|byte| byte as i8);
            }
        }
    }

    /// TFLite's int8 `AVERAGE_POOL_2D`: the mean rounds to nearest, ties away from zero.
    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        for (out, sum) in output.iter_mut().zip(sums.as_chunks::<4>().0) {
            let sum = i32::from_le_bytes(sum.map(|byte| byte as u8));
            let half = if sum > 0 { count / 2 } else { -(count / 2) };
            *out = requant::place((sum + half) / count, 0, clamp.0, clamp.1);
        }
    }
}
