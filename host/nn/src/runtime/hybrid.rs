//! Runs dynamic-range networks as LiteRT does: a layer whose weights the file holds in int8 quantises what it reads
//! each time it runs.
//!
//! The arithmetic is that of TensorFlow Lite's reference kernels for real maps and int8 weights (`EvalHybridPerChannel`
//! in `conv.cc` and `depthwise_conv.cc`, `EvalHybrid` in `fully_connected.cc`, `PortableAsymmetricQuantizeFloats`).
//! Layers with real weights run in single precision.

use std::collections::BTreeMap;
use std::num::Wrapping;

use posy_shared::model::{Op, Shape};

use super::float::FloatError;
use crate::graph::cost::check_cost;
use crate::graph::network::{Activation, FloatLayer, Hybrid};

/// Greatest distance of a weight from a whole number of steps; single precision is off by far less.
const OFF_GRID: f32 = 1e-3;

/// Weights of a layer.
#[derive(Clone, Debug)]
enum Kernel {
    Real,
    Integer {
        weights: Vec<Wrapping<i32>>,
        hybrid: Hybrid,
    },
}

/// A dynamic-range network prepared to run.
#[derive(Clone, Debug)]
pub struct HybridRunner {
    layers: Vec<(FloatLayer, Kernel)>,
}

/// Integers that stand for the real values that a layer reads.
struct Quantised {
    /// Integers less their zero point. Sums of products wrap, which takes more inputs than a MobileNet has.
    values: Vec<Wrapping<i32>>,
    /// Real size of a step, one for each of `count` equal parts.
    scales: Vec<f32>,
}

impl HybridRunner {
    /// A runner of `layers`, of which those with an entry in `hybrids` compute in integers.
    ///
    /// # Errors
    /// [`FloatError::Empty`], [`FloatError::Cost`].
    pub fn new(
        layers: &[FloatLayer],
        hybrids: &BTreeMap<usize, Hybrid>,
    ) -> Result<Self, FloatError> {
        if layers.is_empty() {
            return Err(FloatError::Empty);
        }
        check_cost(&layers.iter().map(|layer| &layer.common).collect::<Vec<_>>())?;
        let with_kernel = |(index, layer): (usize, &FloatLayer)| {
            let kernel = hybrids
                .get(&index)
                .and_then(|hybrid| integers(layer, hybrid));
            (layer.clone(), kernel.unwrap_or(Kernel::Real))
        };
        Ok(HybridRunner {
            layers: layers.iter().enumerate().map(with_kernel).collect(),
        })
    }

    /// Output of the last layer for an input in real values; both are `[H, W, C]`.
    ///
    /// # Errors
    /// [`FloatError::InputLength`].
    pub fn run_real(&self, input: &[f32]) -> Result<Vec<f32>, FloatError> {
        let first = self.layers.first().ok_or(FloatError::Empty)?;
        let expected = first.0.common.input.len();
        if input.len() != expected {
            let found = input.len();
            return Err(FloatError::InputLength { found, expected });
        }
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for (layer, kernel) in &self.layers {
            let read = outputs.last().map_or(input, Vec::as_slice);
            let skipped = layer.common.skip.and_then(|index| outputs.get(index));
            let written = run_layer(layer, kernel, read, skipped.map(Vec::as_slice));
            outputs.push(written);
        }
        outputs.pop().ok_or(FloatError::Empty)
    }
}

/// The integer weights of a layer; `None` if they are no whole steps any more.
fn integers(layer: &FloatLayer, hybrid: &Hybrid) -> Option<Kernel> {
    let of_channel = layer.weights.len().checked_div(hybrid.scales.len())?.max(1);
    let channels = layer.weights.chunks(of_channel).zip(&hybrid.scales);
    let steps = channels.flat_map(|(weights, scale)| {
        let step = move |weight: &f32| if *scale == 0.0 { 0.0 } else { weight / scale };
        weights.iter().map(step)
    });
    let whole = |step: f32| {
        ((step - step.round()).abs() <= OFF_GRID).then(|| Wrapping(step.round() as i32))
    };
    let weights = steps.map(whole).collect::<Option<Vec<_>>>()?;
    let hybrid = hybrid.clone();
    Some(Kernel::Integer { weights, hybrid })
}

/// Output `[H, W, C]` of a layer that reads `read`, and `skipped` if it is an addition.
fn run_layer(
    layer: &FloatLayer,
    kernel: &Kernel,
    read: &[f32],
    skipped: Option<&[f32]>,
) -> Vec<f32> {
    let common = &layer.common;
    let mut written = match common.op {
        Op::Add => {
            let pairs = read.iter().zip(skipped.unwrap_or(read));
            pairs.map(|(a, b)| a + b).collect()
        }
        Op::Flatten => read.to_vec(),
        Op::GlobalAveragePool | Op::Mean => {
            let channels = usize::from(common.input.channels);
            let mut sums = vec![0.0_f32; channels];
            for pixel in read.chunks_exact(channels) {
                sums.iter_mut()
                    .zip(pixel)
                    .for_each(|(sum, value)| *sum += value);
            }
            let pixels = (read.len() / channels.max(1)) as f32;
            sums.iter().map(|sum| sum / pixels).collect()
        }
        _ => match kernel {
            Kernel::Real => windows(layer, read, &layer.weights, |sum: f32, _, _| sum),
            Kernel::Integer { weights, hybrid } => {
                let parts = match hybrid.each_pixel {
                    true => read.len() / usize::from(common.input.channels).max(1),
                    false => 1,
                };
                let quantised = quantise(read, parts, hybrid.asymmetric);
                windows(
                    layer,
                    &quantised.values,
                    weights,
                    |sum: Wrapping<i32>, channel, pixel| {
                        let scale = quantised.scales.get(pixel).or(quantised.scales.first());
                        let scale = scale.copied().unwrap_or(1.0);
                        let (sum, weight) = (sum.0 as f32, hybrid.scales[channel]);
                        // In the order of each kernel.
                        let is_hybrid_per_channel = hybrid.asymmetric
                            && !hybrid.each_pixel
                            && common.op != Op::Depthwise3x3;
                        match is_hybrid_per_channel {
                            true => sum * weight * scale,
                            false => sum * (weight * scale),
                        }
                    },
                )
            }
        },
    };
    let greatest = match common.activation {
        Activation::None => return written,
        Activation::Relu => f32::INFINITY,
        Activation::Relu6 => 6.0,
    };
    for value in &mut written {
        *value = value.clamp(0.0, greatest);
    }
    written
}

/// Sums of products of a layer with weights. `real` makes a real value of a sum, given its channel and pixel; the bias
/// is added to that.
fn windows<T>(
    layer: &FloatLayer,
    read: &[T],
    weights: &[T],
    real: impl Fn(T, usize, usize) -> f32,
) -> Vec<f32>
where
    T: Copy + Default + std::ops::Mul<Output = T> + std::ops::AddAssign,
{
    let common = &layer.common;
    let [height, width, inputs] = extents(common.input);
    let [rows, columns, outputs] = extents(common.output);
    let side = if common.op.is_window() { 3 } else { 1 };
    let depthwise = common.op == Op::Depthwise3x3;
    let of_channel = weights.len() / outputs.max(1);
    let place = |index: usize, tap: usize, before: u8, extent: usize| {
        let place = (index * usize::from(common.stride) + tap).checked_sub(before.into());
        place.filter(|place| *place < extent)
    };
    let mut written = Vec::with_capacity(common.output.len());
    for row in 0..rows {
        for column in 0..columns {
            for (channel, weights) in weights.chunks_exact(of_channel.max(1)).enumerate() {
                let mut sum = T::default();
                for tap in 0..side * side {
                    let above = place(row, tap / side, common.padding.top, height);
                    let left = place(column, tap % side, common.padding.left, width);
                    let (Some(above), Some(left)) = (above, left) else {
                        continue;
                    };
                    let pixel = &read[(above * width + left) * inputs..][..inputs];
                    // One sum in the kernels' order, so that real ones are rounded alike.
                    if depthwise {
                        sum += pixel[channel] * weights[tap];
                    } else {
                        let weights = &weights[tap * inputs..][..inputs];
                        let pairs = pixel.iter().zip(weights);
                        pairs.for_each(|(value, weight)| sum += *value * *weight);
                    }
                }
                let pixel = row * columns + column;
                written.push(real(sum, channel, pixel) + layer.bias[channel]);
            }
        }
    }
    written
}

/// Quantises each of `parts` equal parts of `read`.
fn quantise(read: &[f32], parts: usize, asymmetric: bool) -> Quantised {
    let mut quantised = Quantised {
        values: Vec::with_capacity(read.len()),
        scales: Vec::with_capacity(parts),
    };
    for part in read.chunks(read.len().checked_div(parts).unwrap_or(1).max(1)) {
        let least = part.iter().copied().fold(0.0_f32, f32::min);
        let greatest = part.iter().copied().fold(0.0_f32, f32::max);
        let (scale, inverse, zero_point) = match asymmetric {
            _ if least == greatest => (1.0, 0.0, 0.0),
            true => asymmetric_range(least, greatest),
            false => {
                let range = greatest.max(-least);
                (range / 127.0, 127.0 / range, 0.0)
            }
        };
        let lowest = if asymmetric { -128.0 } else { -127.0 };
        let value = |real: &f32| {
            let rounded = (real * inverse).round() + zero_point;
            Wrapping((rounded.clamp(lowest, 127.0) - zero_point) as i32)
        };
        quantised.values.extend(part.iter().map(value));
        quantised.scales.push(scale);
    }
    quantised
}

/// Scale, its inverse and zero point of 256 steps over a range that has zero.
fn asymmetric_range(least: f32, greatest: f32) -> (f32, f32, f32) {
    // The kernel subtracts in single precision, and goes on in double.
    let scale = f64::from(greatest - least) / 255.0;
    let (least, greatest) = (f64::from(least), f64::from(greatest));
    let from_least = -128.0 - least / scale;
    let from_greatest = 127.0 - greatest / scale;
    // The end nearer to zero, in steps, is exact.
    let zero_point = match 128.0 + (least / scale).abs() < 127.0 + (greatest / scale).abs() {
        true => from_least,
        false => from_greatest,
    };
    let scale = scale as f32;
    let zero_point = zero_point.clamp(-128.0, 127.0).round();
    (scale, 1.0 / scale, zero_point as f32)
}

fn extents(shape: Shape) -> [usize; 3] {
    [shape.height, shape.width, shape.channels].map(usize::from)
}
