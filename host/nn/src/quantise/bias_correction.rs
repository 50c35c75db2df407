//! Bias correction: compensates the shift in a layer's mean that weight rounding causes.
//!
//! A rounded weight is off by up to half a step, and inputs behind ReLU6 are never negative, so the
//! errors of a channel's weights do not cancel: its sums are shifted, by nearly the same amount for
//! every photo. The expected shift, the errors times the mean inputs, is subtracted through the
//! bias (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
//! Correction", section 4.2). Depthwise layers, which sum only nine products, gain most.

use posy_shared::model::Op;

use super::from_ranges::MAX_BIAS;
use super::observe::RangeObserver;
use crate::graph::network::{Common, FloatNetwork, IntNetwork};

/// Corrects the biases of `int`, which was quantised from `float`; `observed` was measured on
/// `float`.
pub fn correct_biases(int: &mut IntNetwork, float: &FloatNetwork, observed: &RangeObserver) {
    let mut input_scale = int.input.scale;
    let mut read = &observed.input_means;
    for ((ours, theirs), written) in int
        .layers
        .iter_mut()
        .zip(&float.layers)
        .zip(&observed.means)
    {
        let inside = share_inside(&ours.common);
        let of_channel = ours.weights.len() / ours.bias.len().max(1);
        let depthwise = ours.common.op == Op::Depthwise3x3;
        let inputs = if depthwise { 1 } else { read.len().max(1) };
        for (channel, bias) in ours.bias.iter_mut().enumerate() {
            let range = channel * of_channel..(channel + 1) * of_channel;
            let scale = f64::from(ours.weight_scales[channel]);
            let (rounded, real) = (&ours.weights[range.clone()], &theirs.weights[range]);
            let errors = rounded.iter().zip(real).enumerate();
            let shift: f64 = errors
                .map(|(place, (rounded, real))| {
                    let error = scale * f64::from(*rounded) - f64::from(*real);
                    let (tap, input) = (place / inputs, place % inputs);
                    let mean = read[if depthwise { channel } else { input }];
                    error * mean * inside[tap]
                })
                .sum();
            let steps = f64::from(*bias) - shift / (f64::from(input_scale) * scale);
            *bias = steps.round_ties_even().clamp(-MAX_BIAS, MAX_BIAS) as i32;
        }
        input_scale = ours.output.scale;
        read = written;
    }
}

/// Share of windows in which each tap lies in the map and not in the padding.
fn share_inside(common: &Common) -> Vec<f64> {
    if !common.op.is_window() {
        return vec![1.0];
    }
    let share = |place: i32, before: u8, extent: u16, windows: u16| {
        let at =
            |window: u16| i32::from(window) * i32::from(common.stride) + place - i32::from(before);
        let within = (0..windows).filter(|window| (0..i32::from(extent)).contains(&at(*window)));
        within.count() as f64 / f64::from(windows.max(1))
    };
    let (input, output, padding) = (common.input, common.output, common.padding);
    let rows = (0..3).map(|row| share(row, padding.top, input.height, output.height));
    let columns: Vec<f64> = (0..3)
        .map(|column| share(column, padding.left, input.width, output.width))
        .collect();
    rows.flat_map(|row| {
        columns
            .iter()
            .map(move |column| row * column)
            .collect::<Vec<_>>()
    })
    .collect()
}
