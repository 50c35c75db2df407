//! Converts a quantised network to floating point.
//!
//! A quantised file need not name its activations: where int8 covers exactly 0 to 6, saturation is
//! ReLU6 already, and converters leave the operator out (the official MobileNets are such files).
//! Floating point has no saturation, so the activation is restored here.

use posy_shared::model::Op;

use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{
    Activation, Common, FloatLayer, FloatNetwork, IntNetwork, Quantisation, TrainedNetwork,
};

/// A quantised layer; weights are in steps of their scales, one output channel after the other.
struct Quantised<'a> {
    common: &'a Common,
    weights: Vec<f32>,
    weight_scales: &'a [f32],
    bias: &'a [i32],
    output: Quantisation,
}

impl From<&TrainedNetwork> for FloatNetwork {
    fn from(network: &TrainedNetwork) -> Self {
        let layers = network
            .layers
            .iter()
            .map(|l| Quantised::of(&l.common, &l.weights, &l.weight_scales, &l.bias, l.output));
        dequantise(network.input, network.pixels, layers)
    }
}

impl From<&IntNetwork> for FloatNetwork {
    fn from(network: &IntNetwork) -> Self {
        let layers = network
            .layers
            .iter()
            .map(|l| Quantised::of(&l.common, &l.weights, &l.weight_scales, &l.bias, l.output));
        dequantise(network.input, network.pixels, layers)
    }
}

/// A network in floating point; each layer reads the output of the one before.
fn dequantise<'a>(
    input: Quantisation,
    pixels: Option<GreyLevels>,
    layers: impl Iterator<Item = Quantised<'a>>,
) -> FloatNetwork {
    let layers = layers.scan(input, |before, layer| {
        let input = std::mem::replace(before, layer.output);
        Some(layer.dequantise(input))
    });
    FloatNetwork {
        input,
        pixels,
        layers: layers.collect(),
    }
}

impl<'a> Quantised<'a> {
    fn of<W: Copy + Into<f32>>(
        common: &'a Common,
        weights: &[W],
        weight_scales: &'a [f32],
        bias: &'a [i32],
        output: Quantisation,
    ) -> Self {
        Quantised {
            common,
            weights: weights.iter().map(|&weight| weight.into()).collect(),
            weight_scales,
            bias,
            output,
        }
    }

    /// The layer in floating point; `input` is the quantisation of what it reads.
    fn dequantise(self, input: Quantisation) -> FloatLayer {
        let Quantised {
            common,
            mut weights,
            weight_scales,
            bias,
            output,
        } = self;
        let of_channel = weights.len() / weight_scales.len().max(1);
        for (channel, scale) in weights
            .chunks_exact_mut(of_channel.max(1))
            .zip(weight_scales)
        {
            channel.iter_mut().for_each(|w| *w *= scale);
        }
        let step = |weight_scale: &f32| f64::from(input.scale) * f64::from(*weight_scale);
        let bias = bias
            .iter()
            .zip(weight_scales)
            .map(|(b, s)| (f64::from(*b) * step(s)) as f32)
            .collect();
        let common = Common {
            activation: activation(common, output),
            // In floating point a mean is a mean.
            op: match common.op {
                Op::Mean => Op::GlobalAveragePool,
                op => op,
            },
            ..common.clone()
        };
        FloatLayer {
            common,
            weights,
            bias,
            range: Some(range(output)),
        }
    }
}

/// Minimum and maximum real value of an int8 quantisation.
fn range(quantisation: Quantisation) -> (f32, f32) {
    let real = |q: i32| quantisation.scale * (q - quantisation.zero_point) as f32;
    (real(-128), real(127))
}

/// Activation of a layer, explicit or implied by the range of its output.
fn activation(common: &Common, output: Quantisation) -> Activation {
    let (least, greatest) = range(output);
    match common.activation {
        // A mean stays in the range of its input.
        _ if common.op.is_global() => common.activation,
        Activation::None if least < 0.0 => Activation::None,
        // Six lies within half a step of the greatest value.
        Activation::None if (greatest - 6.0).abs() <= output.scale / 2.0 => Activation::Relu6,
        Activation::None => Activation::Relu,
        stated => stated,
    }
}
