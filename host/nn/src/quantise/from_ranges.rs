//! Quantises a float network to int8: symmetric weights per output channel, asymmetric activations
//! per tensor, as the TensorFlow Lite int8 specification asks.

use crate::graph::network::{
    Activation, FloatLayer, FloatNetwork, IntLayer, IntNetwork, Quantisation,
};
use crate::runtime::float::FloatError;

/// Greatest bias in steps: a quarter of int32's range, so that the products have room.
pub(super) const MAX_BIAS: f64 = (1u32 << 29) as f64;

/// Minimum weight scale, as a share of output scale over input scale. A channel whose weights are all
/// (nearly) zero gets it; its bias is then still accurate to 1/256 of an output step.
const LEAST_STEP: f64 = 1.0 / 256.0 / 256.0;

/// Failure to quantise a float network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantiseError {
    /// The number of ranges differs from the number of layers.
    #[error("{found} activation ranges are given for {expected} layers")]
    Ranges {
        /// Number of ranges.
        found: usize,
        /// Number of layers.
        expected: usize,
    },
    /// A value is infinite or NaN.
    #[error("layer {index} (\"{name}\") has {what} that are not finite")]
    NotFinite {
        /// Index of the layer.
        index: usize,
        /// Its name.
        name: String,
        /// Kind of value: weights, biases, or a range.
        what: &'static str,
    },
    /// Calibration failed.
    #[error("calibration failed: {0}")]
    Calibration(#[from] FloatError),
    /// No calibration photos were given.
    #[error(
        "no photos were given to find the ranges of activations; give some of the kind that will be classified"
    )]
    NoPhotos,
}

/// Ranges recorded in the network's own training, for every layer, or `None`.
pub fn carried_ranges(network: &FloatNetwork) -> Option<Vec<(f32, f32)>> {
    network.layers.iter().map(|layer| layer.range).collect()
}

/// Quantisation of reals from `least` to `greatest`. The range is widened to include zero, and zero
/// is represented exactly, because padding is zero (Jacob et al. 2018, "Quantization and Training
/// of Neural Networks for Efficient Integer-Arithmetic-Only Inference", sections 2.1 and 3.1).
pub fn activation_quantisation(least: f32, greatest: f32) -> Quantisation {
    let (least, greatest) = (f64::from(least.min(0.0)), f64::from(greatest.max(0.0)));
    let scale = ((greatest - least) / 255.0) as f32;
    if !scale.is_normal() {
        // Only zeros were observed.
        return Quantisation {
            scale: 1.0,
            zero_point: 0,
        };
    }
    let zero_point = (-128.0 - least / f64::from(scale))
        .round_ties_even()
        .clamp(-128.0, 127.0);
    Quantisation {
        scale,
        zero_point: zero_point as i32,
    }
}

/// Quantises a network with activation `ranges`, one per layer.
///
/// # Errors
/// If there is not one range per layer, or a value is not finite.
pub fn from_float(
    network: &FloatNetwork,
    ranges: &[(f32, f32)],
) -> Result<IntNetwork, QuantiseError> {
    if ranges.len() != network.layers.len() {
        return Err(QuantiseError::Ranges {
            found: ranges.len(),
            expected: network.layers.len(),
        });
    }
    let mut input = network.input;
    let mut layers = Vec::with_capacity(ranges.len());
    for (index, (layer, range)) in network.layers.iter().zip(ranges).enumerate() {
        check(index, layer, *range)?;
        let output = output_quantisation(layer, *range, input);
        layers.push(quantise_layer(layer, input, output));
        input = output;
    }
    Ok(IntNetwork {
        pixels: network.pixels,
        input_table: None,
        input: network.input,
        layers,
    })
}

fn check(index: usize, layer: &FloatLayer, range: (f32, f32)) -> Result<(), QuantiseError> {
    let checks = [
        ("weights", layer.weights.iter().all(|w| w.is_finite())),
        ("biases", layer.bias.iter().all(|b| b.is_finite())),
        (
            "activation ranges",
            range.0.is_finite() && range.1.is_finite(),
        ),
    ];
    match checks.iter().find(|(_, finite)| !finite) {
        None => Ok(()),
        Some((what, _)) => Err(QuantiseError::NotFinite {
            index,
            name: layer.common.name.clone(),
            what,
        }),
    }
}

fn output_quantisation(
    layer: &FloatLayer,
    (least, greatest): (f32, f32),
    input: Quantisation,
) -> Quantisation {
    if layer.common.op.is_global() {
        // A mean keeps the scale of its input, as does a map that is flattened.
        return input;
    }
    match layer.common.activation {
        Activation::None => activation_quantisation(least, greatest),
        Activation::Relu => activation_quantisation(0.0, greatest),
        Activation::Relu6 => activation_quantisation(0.0, greatest.min(6.0)),
    }
}

/// Quantises the weights and biases of a layer, each weight to the nearest step of its channel.
pub fn quantise_layer(layer: &FloatLayer, input: Quantisation, output: Quantisation) -> IntLayer {
    let of_channel = layer.weights.len() / layer.bias.len().max(1);
    let mut weights = Vec::with_capacity(layer.weights.len());
    let mut weight_scales = Vec::with_capacity(layer.bias.len());
    let mut bias = Vec::with_capacity(layer.bias.len());
    let input_scale = f64::from(input.scale);
    let least_step = f64::from(output.scale) / input_scale * LEAST_STEP;
    for (channel, real_bias) in layer
        .weights
        .chunks_exact(of_channel.max(1))
        .zip(&layer.bias)
    {
        let largest = channel.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        // A large bias on small weights would overflow, so the scale grows until the bias fits, as
        // in TensorFlow Lite's converter (`AdjustWeightsForBiasScale`, quantization_utils.cc).
        let for_bias = f64::from(real_bias.abs()) / input_scale / MAX_BIAS;
        let scale = (f64::from(largest) / 127.0).max(for_bias).max(least_step) as f32;
        let steps = |w: &f32| (f64::from(*w) / f64::from(scale)).round_ties_even();
        weights.extend(channel.iter().map(|w| steps(w).clamp(-127.0, 127.0) as i8));
        bias.push(
            (f64::from(*real_bias) / (input_scale * f64::from(scale))).round_ties_even() as i32,
        );
        weight_scales.push(scale);
    }
    IntLayer {
        common: layer.common.clone(),
        weights,
        weight_scales,
        bias,
        output,
        fully_connected: false,
    }
}
