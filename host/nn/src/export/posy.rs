//! Writes an [`IntNetwork`] as a `.posy` file.

use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{
    AcceptanceSpec, AddTables, ChannelTables, InputContract, Layer, LayerSpec, ModelSpec, Op,
    Provenance, Shape, Tables, Verdict, WriteError, write,
};
use posy_shared::softmax::Beta;

use super::attach_head::with_int_head;
use crate::graph::head::IntHead;
use crate::graph::multiplier::{
    Multiplier as RealMultiplier, activation_range, add_params, effective_scales, mean_multiplier,
    quantise_multiplier,
};
use crate::graph::network::{IntNetwork, Quantisation};
use crate::quantise::constant_channels::{Inputs, remove_constant_channels};

/// Failure to write a `.posy` file.
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
    /// The head's input width differs from the network's features.
    #[error("the head reads {head} features and the network gives {network}")]
    HeadWidth {
        /// Features that the head reads.
        head: usize,
        /// Features that the network has.
        network: usize,
    },
    /// The model writer refused.
    #[error("{0}")]
    Write(WriteError),
}

/// Decision rule from logits to an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreParams {
    /// Temperature: divides the logits before the softmax, above zero.
    pub temperature: f32,
    /// Threshold in 1/65536: scores below it are reported as unknown.
    pub unknown_below: u32,
    /// True if scores are a logistic function of each logit, false if they are a softmax.
    pub logistic: bool,
    /// True if the head's last output is the logit of "none of these".
    pub unknown_logit: bool,
    /// Out-of-distribution test on the features; `None` to accept every image.
    pub acceptance: Option<AcceptanceSpec>,
}

impl Default for ScoreParams {
    /// Unscaled logits, and no rejection.
    fn default() -> Self {
        ScoreParams {
            temperature: 1.0,
            unknown_below: 0,
            logistic: false,
            unknown_logit: false,
            acceptance: None,
        }
    }
}

/// Everything in a `.posy` file besides the layers.
#[derive(Clone, Debug)]
pub struct ModelMetadata<'a> {
    /// Preparation of images.
    pub input: InputContract,
    /// Labels in the order of the head's outputs; empty for an extractor.
    pub labels: Vec<String>,
    /// Decision rule.
    pub score_params: ScoreParams,
    /// Provenance of the model.
    pub provenance: Provenance<'a>,
}

/// A model whose outputs are the features of `network`, with all channels.
///
/// # Errors
/// See [`ExportError`].
pub fn extractor(
    network: &IntNetwork,
    metadata: &ModelMetadata<'_>,
) -> Result<Vec<u8>, ExportError> {
    write_model(layer_specs(network)?, network, metadata)
}

/// [`extractor`] without constant channels: the same output from less work, for boards.
///
/// # Errors
/// See [`ExportError`].
pub fn compact_extractor(
    network: &IntNetwork,
    metadata: &ModelMetadata<'_>,
) -> Result<Vec<u8>, ExportError> {
    let specs = layer_specs(network)?;
    let Some(acceptance) = &metadata.score_params.acceptance else {
        let layers = remove_constant_channels(&specs, Inputs::Weighed).layers;
        return write_model(layers, network, metadata);
    };
    // A constant feature lies at its centre and adds nothing to the prototype similarity.
    let reduced = remove_constant_channels(&specs, Inputs::Varying);
    let mut metadata = metadata.clone();
    metadata.score_params.acceptance = Some(AcceptanceSpec {
        facts: acceptance.facts,
        centre: chosen(&acceptance.centre, &reduced.inputs),
        scale: chosen(&acceptance.scale, &reduced.inputs),
        prototypes: chosen(&acceptance.prototypes, &reduced.inputs),
    });
    write_model(reduced.layers, network, &metadata)
}

/// Selects the columns of `numbers` in the mask `kept`; rows are as long as `kept`.
fn chosen<T: Copy>(numbers: &[T], kept: &[bool]) -> Vec<T> {
    let kept = kept.iter().cycle();
    let kept = numbers.iter().zip(kept).filter(|(_, kept)| **kept);
    kept.map(|(number, _)| *number).collect()
}

/// A classifier: the layers of `network`, then `head`.
///
/// # Errors
/// See [`ExportError`].
pub fn classifier(
    network: &IntNetwork,
    head: &IntHead,
    metadata: &ModelMetadata<'_>,
) -> Result<Vec<u8>, ExportError> {
    extractor(&with_head(network, head, metadata)?, metadata)
}

/// [`classifier`] without constant channels: the same logits from less work, for boards. Its last
/// layer does not read all features of `network`.
///
/// # Errors
/// See [`ExportError`].
pub fn compact_classifier(
    network: &IntNetwork,
    head: &IntHead,
    metadata: &ModelMetadata<'_>,
) -> Result<Vec<u8>, ExportError> {
    compact_extractor(&with_head(network, head, metadata)?, metadata)
}

fn with_head(
    network: &IntNetwork,
    head: &IntHead,
    metadata: &ModelMetadata<'_>,
) -> Result<IntNetwork, ExportError> {
    let features = network.layers.last().map(|layer| layer.common.output);
    let width = features.map_or(0, Shape::len);
    let acceptance = metadata.score_params.acceptance.as_ref();
    if let Some(acceptance) = acceptance
        && acceptance.centre.len() != width
    {
        return Err(ExportError::HeadWidth {
            head: acceptance.centre.len(),
            network: width,
        });
    }
    // An output with zero weights, where the engine writes the prototype similarity.
    let more = usize::from(acceptance.is_some());
    let mut head = head.clone();
    head.weights.resize(head.weights.len() + width * more, 0);
    head.weight_scales.extend_from_within(..more);
    head.bias.resize(head.bias.len() + more, 0);
    with_int_head(network, &head)
}

/// Quantisation of the output.
fn last_output(network: &IntNetwork) -> Quantisation {
    let last = network.layers.last();
    last.map_or(network.input, |layer| layer.output)
}

/// Lookup table from grey levels of each input channel to the network's input; `None` if that is the
/// level less 128.
pub(crate) fn pixel_table(network: &IntNetwork) -> Option<Vec<u8>> {
    if let Some(table) = &network.input_table {
        return Some(table.bytes());
    }
    let channels = network.layers.first()?.common.input.channels;
    let table = network.pixels?.table(network.input);
    let table = table.map(i8::cast_unsigned);
    Some(table.repeat(channels.into()))
}

/// Logistic score of each logit from -128 to 127, in 1/65536. In 1/256 they are the outputs of TFLite's
/// `LOGISTIC`, which makes such a table too (`PopulateLookupTable`).
pub fn logistic_scores(logits: Quantisation) -> Vec<u16> {
    let score = |logit: i32| {
        let real = logits.scale * (logit - logits.zero_point) as f32;
        let score = 65536.0 / (1.0 + (-f64::from(real)).exp());
        score.round().min(65535.0) as u16
    };
    (-128..=127).map(score).collect()
}

fn write_model(
    layers: Vec<LayerSpec>,
    network: &IntNetwork,
    metadata: &ModelMetadata<'_>,
) -> Result<Vec<u8>, ExportError> {
    let spec = ModelSpec {
        layers,
        input: metadata.input,
        pixel_table: pixel_table(network),
        labels: metadata.labels.clone(),
        verdict: Verdict {
            beta: softmax_beta(
                last_output(network).scale,
                1.0 / metadata.score_params.temperature,
            ),
            logistic: None,
            unknown_below: metadata.score_params.unknown_below,
            unknown_logit: metadata.score_params.unknown_logit,
            acceptance: None,
        },
        logistic: (metadata.score_params.logistic).then(|| logistic_scores(last_output(network))),
        acceptance: metadata.score_params.acceptance.clone(),
        provenance: metadata.provenance,
    };
    write(&spec).map_err(ExportError::Write)
}

/// Scale of the logits for the integer softmax: TFLite's `PreprocessSoftmaxScaling` and
/// `CalculateInputRadius` (`kernels/internal/quantization_util`), with 5 integer bits. The softmax
/// multiplies logits by `beta`.
pub fn softmax_beta(logit_scale: f32, beta: f32) -> Beta {
    const INTEGER_BITS: u32 = 5;
    let fraction = f64::from(1_u32 << (31 - INTEGER_BITS));
    let greatest = f64::from(i32::MAX);
    let scale = f64::from(beta) * f64::from(logit_scale);
    let beta = quantise_multiplier((scale * fraction).clamp(1.0, greatest));
    let radius = f64::from((1_u32 << INTEGER_BITS) - 1) * fraction / 2_f64.powi(beta.shift);
    Beta {
        multiplier: beta.multiplier,
        left_shift: beta.shift as u8,
        least_difference: -(radius.floor() as i32),
    }
}

/// Layers of `network` with the integer parameters of kernels.
///
/// # Errors
/// See [`ExportError`].
pub fn layer_specs(network: &IntNetwork) -> Result<Vec<LayerSpec>, ExportError> {
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
        Op::GlobalAveragePool | Op::Flatten => Tables::None,
        Op::Mean => {
            let pixels = u32::from(common.input.height) * u32::from(common.input.width);
            Tables::Mean(checked(mean_multiplier(input, pixels, output))?)
        }
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
                    // A tiny factor becomes zero, as in TFLite; a scale of zero is an error.
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
            single_rounding: source.fully_connected
                && matches!(common.op, Op::Pointwise | Op::Dense),
            skip: common.skip.unwrap_or(0) as u8,
            weights: 0,
            tables: 0,
        },
        weights: source.weights.clone(),
        tables,
    })
}

/// The zero point as int8; readers refuse networks with any other.
fn zero_point(quantisation: Quantisation) -> i8 {
    quantisation.zero_point.clamp(-128, 127) as i8
}
