//! From an [`IntNetwork`] to the bytes of a `.posy` file.

use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    AddTables, ChannelTables, InputContract, Layer, LayerSpec, ModelSpec, Op, Padding, Provenance,
    Shape, Tables, Verdict, WriteError, write,
};
use posy_shared::softmax::Beta;

use crate::backbone::network::{Activation, Common, IntLayer, IntNetwork, Quantisation};
use crate::head::int8::IntHead;
use crate::quantise::multiplier::{
    Multiplier as RealMultiplier, activation_range, add_params, effective_scales,
    quantise_multiplier,
};

/// Why a network cannot be written.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ExportError {
    /// A scale is zero, negative or not finite, or a rescaling is out of range.
    #[error(
        "layer {layer} ({name}) has scales that int8 inference cannot use: the network file is \
         damaged or was quantised wrongly"
    )]
    Scale {
        /// Index of the layer.
        layer: usize,
        /// Its name in the file.
        name: String,
    },
    /// The network has more layers than a model may.
    #[error("the network has {0} layers and a model has room for 255")]
    TooManyLayers(usize),
    /// The head does not read the network's features.
    #[error("the head reads {head} features and the network gives {network}")]
    HeadWidth {
        /// Features that the head reads.
        head: usize,
        /// Features that the network gives.
        network: usize,
    },
    /// The writer refused.
    #[error("{0}")]
    Write(WriteError),
}

/// What a file says besides its numbers.
#[derive(Clone, Debug)]
pub struct Heading<'a> {
    /// How pictures become input rows.
    pub input: InputContract,
    /// Labels in the order of the head's outputs; none for an extractor.
    pub labels: Vec<String>,
    /// Scores below this, in 1/65536, are reported as unknown.
    pub unknown_below: u32,
    /// Where the model comes from.
    pub provenance: Provenance<'a>,
}

/// The model that gives the features of `network`: its layers as they are.
///
/// # Errors
/// See [`ExportError`].
pub fn extractor(network: &IntNetwork, heading: &Heading<'_>) -> Result<Vec<u8>, ExportError> {
    write_model(layer_specs(network)?, last_scale(network), heading)
}

/// The model that names what it sees: the layers of `network`, then `head`.
///
/// # Errors
/// See [`ExportError`].
pub fn classifier(
    network: &IntNetwork,
    head: &IntHead,
    heading: &Heading<'_>,
) -> Result<Vec<u8>, ExportError> {
    let features = network.layers.last().map(|layer| layer.common.output);
    let width = features.map_or(0, Shape::len);
    let labels = head.bias.len();
    if head.weights.len() != width * labels {
        return Err(ExportError::HeadWidth {
            head: head.weights.len() / labels.max(1),
            network: width,
        });
    }
    let vector = |channels: usize| Shape {
        height: 1,
        width: 1,
        channels: channels as u16,
    };
    let mut network = network.clone();
    network.layers.push(IntLayer {
        common: Common {
            name: "final_result".into(),
            op: Op::Dense,
            input: vector(width),
            output: vector(labels),
            stride: 1,
            padding: Padding::default(),
            activation: Activation::None,
            skip: None,
        },
        weights: head.weights.clone(),
        weight_scales: head.weight_scales.clone(),
        bias: head.bias.clone(),
        output: head.output,
    });
    write_model(layer_specs(&network)?, last_scale(&network), heading)
}

fn last_scale(network: &IntNetwork) -> f32 {
    network
        .layers
        .last()
        .map_or(1.0, |layer| layer.output.scale)
}

fn write_model(
    layers: Vec<LayerSpec>,
    logit_scale: f32,
    heading: &Heading<'_>,
) -> Result<Vec<u8>, ExportError> {
    let spec = ModelSpec {
        layers,
        input: heading.input,
        pixel_table: None,
        labels: heading.labels.clone(),
        verdict: Verdict {
            beta: softmax_beta(logit_scale),
            unknown_below: heading.unknown_below,
        },
        provenance: heading.provenance,
    };
    write(&spec).map_err(ExportError::Write)
}

/// Scale of the logits as the integer softmax wants it: TFLite's `PreprocessSoftmaxScaling` and
/// `CalculateInputRadius` (`kernels/internal/quantization_util`), with 5 integer bits and beta 1.
pub fn softmax_beta(logit_scale: f32) -> Beta {
    const INTEGER_BITS: u32 = 5;
    let fraction = f64::from(1_u32 << (31 - INTEGER_BITS));
    let greatest = f64::from(i32::MAX);
    let beta = quantise_multiplier((f64::from(logit_scale) * fraction).clamp(1.0, greatest));
    let radius = f64::from((1_u32 << INTEGER_BITS) - 1) * fraction / 2_f64.powi(beta.shift);
    Beta {
        multiplier: beta.multiplier,
        left_shift: beta.shift as u8,
        least_difference: -(radius.floor() as i32),
    }
}

fn layer_specs(network: &IntNetwork) -> Result<Vec<LayerSpec>, ExportError> {
    if network.layers.len() > 255 {
        return Err(ExportError::TooManyLayers(network.layers.len()));
    }
    (0..network.layers.len())
        .map(|index| layer_spec(network, index))
        .collect()
}

fn layer_spec(network: &IntNetwork, index: usize) -> Result<LayerSpec, ExportError> {
    let source = &network.layers[index];
    let common = &source.common;
    let input = match index {
        0 => network.input,
        _ => network.layers[index - 1].output,
    };
    let output = source.output;
    let wrong = || ExportError::Scale {
        layer: index,
        name: common.name.clone(),
    };
    let checked = |scale: RealMultiplier| match i8::try_from(scale.shift) {
        Ok(shift) if (-31..=30).contains(&shift) => Ok(Multiplier {
            mantissa: scale.multiplier,
            shift,
        }),
        _ => Err(wrong()),
    };
    let tables = match common.op {
        Op::GlobalAveragePool => Tables::None,
        Op::Add => {
            let skip = common.skip.unwrap_or(0);
            let add = add_params(input, network.layers[skip].output, output);
            Tables::Add(AddTables {
                a: checked(add.first)?,
                b: checked(add.second)?,
                output: checked(add.output)?,
            })
        }
        _ => Tables::Channels(ChannelTables {
            bias: source.bias.clone(),
            scale: effective_scales(input, source)
                .into_iter()
                .map(|factor| {
                    // Too small a factor becomes zero, as in TFLite; no scale at all is a fault.
                    let valid = factor.is_finite() && factor > 0.0;
                    let scale = valid.then(|| quantise_multiplier(factor));
                    scale.ok_or_else(wrong).and_then(checked)
                })
                .collect::<Result<_, _>>()?,
        }),
    };
    let (output_min, output_max) = activation_range(common.activation, output);
    Ok(LayerSpec {
        layer: Layer {
            op: common.op,
            input: common.input,
            output: common.output,
            stride: common.stride,
            padding: common.padding,
            input_zero_point: zero_point(input),
            output_zero_point: zero_point(output),
            output_min,
            output_max,
            skip: common.skip.unwrap_or(0) as u8,
            weights: 0,
            tables: 0,
        },
        weights: source.weights.clone(),
        tables,
    })
}

/// The zero point as the int8 that it is in every network that a reader lets through.
fn zero_point(quantisation: Quantisation) -> i8 {
    quantisation.zero_point.clamp(-128, 127) as i8
}
