//! A plain runner of integer networks for tests: integer sums, real rescaling.
//!
//! It rounds as TensorFlow Lite does except for ties, and so differs from it by one step at most,
//! in rare places.

use posy_shared::model::{Op, Shape};

use crate::graph::multiplier::{activation_range, effective_scales};
use crate::graph::network::{IntLayer, IntNetwork, Quantisation};

/// Outputs of every layer for `input`, `[H, W, C]`.
pub fn run(network: &IntNetwork, input: &[i8]) -> Vec<Vec<i8>> {
    let mut maps: Vec<Vec<i8>> = Vec::new();
    let mut before = network.input;
    for layer in &network.layers {
        let read = maps.last().map_or(input, Vec::as_slice);
        let map = match layer.common.op {
            Op::Add => {
                let skip = layer.common.skip.unwrap();
                add(
                    (read, before),
                    (&maps[skip], network.layers[skip].output),
                    layer,
                )
            }
            Op::GlobalAveragePool => pool(read, layer.common.input),
            Op::Flatten => read.to_vec(),
            _ => weighted(read, before, layer),
        };
        maps.push(map);
        before = layer.output;
    }
    maps
}

/// Real values of a layer's output.
pub fn real(map: &[i8], quantisation: Quantisation) -> Vec<f32> {
    map.iter()
        .map(|q| quantisation.scale * (i32::from(*q) - quantisation.zero_point) as f32)
        .collect()
}

fn quantise(steps: f64, layer: &IntLayer) -> i8 {
    let (least, greatest) = activation_range(layer.common.activation, layer.output);
    let q = (steps.round() as i32).saturating_add(layer.output.zero_point);
    q.clamp(i32::from(least), i32::from(greatest)) as i8
}

fn add(
    (a, qa): (&[i8], Quantisation),
    (b, qb): (&[i8], Quantisation),
    layer: &IntLayer,
) -> Vec<i8> {
    let (a, b) = (real(a, qa), real(b, qb));
    let sum =
        |(a, b): (&f32, &f32)| quantise(f64::from(a + b) / f64::from(layer.output.scale), layer);
    a.iter().zip(&b).map(sum).collect()
}

fn pool(map: &[i8], shape: Shape) -> Vec<i8> {
    let channels = usize::from(shape.channels);
    let pixels = map.len() / channels;
    let mean = |c: usize| {
        let sum: i32 = map
            .iter()
            .skip(c)
            .step_by(channels)
            .map(|q| i32::from(*q))
            .sum();
        (f64::from(sum) / pixels as f64).round() as i8
    };
    (0..channels).map(mean).collect()
}

fn weighted(map: &[i8], input: Quantisation, layer: &IntLayer) -> Vec<i8> {
    let common = &layer.common;
    let [in_h, in_w, in_c] = [
        common.input.height,
        common.input.width,
        common.input.channels,
    ]
    .map(usize::from);
    let [out_h, out_w, out_c] = [
        common.output.height,
        common.output.width,
        common.output.channels,
    ]
    .map(usize::from);
    let kernel = if matches!(common.op, Op::Conv3x3 | Op::Depthwise3x3) {
        3
    } else {
        1
    };
    let depthwise = common.op == Op::Depthwise3x3;
    let (stride, top, left) = (
        usize::from(common.stride),
        usize::from(common.padding.top),
        usize::from(common.padding.left),
    );
    let scales = effective_scales(input, layer);
    let centred: Vec<i32> = map
        .iter()
        .map(|q| i32::from(*q) - input.zero_point)
        .collect();
    let mut out = Vec::with_capacity(common.output.len());
    for (y, x) in (0..out_h).flat_map(|y| (0..out_w).map(move |x| (y, x))) {
        for channel in 0..out_c {
            let mut sum = layer.bias[channel];
            for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                let (row, column) = (
                    (y * stride + ky).wrapping_sub(top),
                    (x * stride + kx).wrapping_sub(left),
                );
                if row >= in_h || column >= in_w {
                    continue;
                }
                let pixel = &centred[(row * in_w + column) * in_c..][..in_c];
                let tap = ky * kernel + kx;
                if depthwise {
                    sum += pixel[channel] * i32::from(layer.weights[channel * 9 + tap]);
                } else {
                    let weights =
                        &layer.weights[(channel * kernel * kernel + tap) * in_c..][..in_c];
                    sum += pixel
                        .iter()
                        .zip(weights)
                        .map(|(p, w)| p * i32::from(*w))
                        .sum::<i32>();
                }
            }
            out.push(quantise(f64::from(sum) * scales[channel], layer));
        }
    }
    out
}
