//! Intermediate representations of a network on the laptop.
//!
//! [`TrainedNetwork`] is the content of a quantised file, with zero points removed from weights. It
//! converts to [`IntNetwork`], which posy's engine runs on laptop and board, and to
//! [`FloatNetwork`], which tract runs as the reference. All three list layers in running order:
//! each layer reads the output of the layer before it, and an addition also reads an earlier one.

use posy_shared::model::{Op, Padding, Shape};

use super::grey_levels::GreyLevels;
use super::input_table::InputTable;

/// Affine int8 quantisation: `real = scale * (q - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// Real size of one step.
    pub scale: f32,
    /// Integer that stands for zero, in `-128..=127`.
    pub zero_point: i32,
}

/// Activation function fused into a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Identity.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// Properties of a layer that do not depend on its number format.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Name in the source file; for messages.
    pub name: String,
    /// Operation.
    pub op: Op,
    /// Input shape, `[H, W, C]`.
    pub input: Shape,
    /// Output shape, `[H, W, C]`.
    pub output: Shape,
    /// Stride in both directions.
    pub stride: u8,
    /// Explicit padding.
    pub padding: Padding,
    /// Activation applied to the result.
    pub activation: Activation,
    /// [`Op::Add`]: index of the layer whose output is the second operand.
    pub skip: Option<usize>,
}

impl Common {
    /// Multiply-accumulate operations (MACs) per image, padding included.
    pub fn products(&self) -> u64 {
        let inputs = u64::from(self.input.channels);
        let of_each = match self.op {
            Op::Conv3x3 => 9 * inputs,
            Op::Depthwise3x3 => 9,
            Op::Pointwise | Op::Dense => inputs,
            Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => 0,
        };
        self.output.len() as u64 * of_each
    }
}

/// A global average pool of a map of shape `map`, without a name.
pub fn pool(map: Shape) -> Common {
    Common {
        name: String::new(),
        op: Op::GlobalAveragePool,
        input: map,
        output: Shape {
            height: 1,
            width: 1,
            ..map
        },
        stride: 1,
        padding: Padding::default(),
        activation: Activation::None,
        skip: None,
    }
}

/// A quantised network as its file holds it, with zero points removed from weights. Activations are
/// in the int8 convention: uint8 files are shifted by 128.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedNetwork {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Quantisation of the input.
    pub input: Quantisation,
    /// Pixel scaling; `None` if the input is a pixel less 128.
    pub pixels: Option<GreyLevels>,
    /// Lookup table from pixels to the input, if operators of the file compute it.
    pub input_table: Option<InputTable>,
    /// Layers in running order.
    pub layers: Vec<TrainedLayer>,
    /// Refusal of the first operator behind the features that posy cannot run; `None` if the network is
    /// whole.
    pub unread: Option<String>,
    /// Scores at its end, if its reader tells them; those of a TensorFlow Lite file are read by
    /// [`extras`](crate::import::tflite::extras).
    pub scoring: Option<Scoring>,
}

impl TrainedNetwork {
    /// The network up to its pooled features. Where it has no pool, its last map before the classifier
    /// is averaged. `None` if there is no map.
    #[must_use]
    pub fn truncate_to_features(mut self) -> Option<Self> {
        let is_head = |layer: &TrainedLayer| {
            layer.fully_connected || layer.common.op.is_global() || layer.common.op == Op::Dense
        };
        let end = self.layers.iter().position(is_head);
        let end = end.unwrap_or(self.layers.len());
        self.unread = None;
        if self
            .layers
            .get(end)
            .is_some_and(|layer| layer.common.op.is_mean())
        {
            self.layers.truncate(end + 1);
            return Some(self);
        }
        self.layers.truncate(end);
        let last = self.layers.last()?;
        let common = Common {
            name: "features".into(),
            ..pool(last.common.output)
        };
        self.layers.push(TrainedLayer {
            common,
            weights: Vec::new(),
            weight_scales: Vec::new(),
            bias: Vec::new(),
            output: last.output,
            fully_connected: false,
        });
        Some(self)
    }

    /// Number of classes; `None` if it ends in features.
    pub fn class_count(&self) -> Option<usize> {
        let last = &self.layers.last()?.common;
        (last.op == Op::Dense).then_some(usize::from(last.output.channels))
    }
}

/// A layer of a [`TrainedNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedLayer {
    /// Operation, shapes, name.
    pub common: Common,
    /// Weights less their zero point, `-255..=255`, in the layout of [`Op`].
    pub weights: Vec<i16>,
    /// Real size of one weight step, one per output channel.
    pub weight_scales: Vec<f32>,
    /// Bias, one per output channel, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the output.
    pub output: Quantisation,
    /// True for a fully connected operator, whose sums are rounded once, and whose multipliers have another
    /// precision than a convolution's; see [`effective_scales`](crate::graph::multiplier::effective_scales).
    pub fully_connected: bool,
}

/// A network in int8, ready to be written into a `.posy` file.
#[derive(Clone, Debug, PartialEq)]
pub struct IntNetwork {
    /// Quantisation of the input.
    pub input: Quantisation,
    /// Pixel scaling; `None` if the input is a pixel less 128.
    pub pixels: Option<GreyLevels>,
    /// Lookup table from pixels to the input, if operators of the file compute it.
    pub input_table: Option<InputTable>,
    /// Layers in running order.
    pub layers: Vec<IntLayer>,
}

/// A layer of an [`IntNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct IntLayer {
    /// Operation, shapes, name.
    pub common: Common,
    /// Symmetric weights in the layout of [`Op`].
    pub weights: Vec<i8>,
    /// Real size of one weight step, one per output channel.
    pub weight_scales: Vec<f32>,
    /// Bias, one per output channel, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the output.
    pub output: Quantisation,
    /// As [`TrainedLayer::fully_connected`].
    pub fully_connected: bool,
}

/// Scores that a classifier makes of its logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scoring {
    /// Softmax of the logits times `beta`.
    Softmax {
        /// Factor of the logits.
        beta: f32,
    },
    /// Logistic function of each logit.
    Logistic,
}

/// Arithmetic of a layer of a dynamic-range file: its weights are int8, its maps real. It quantises what it reads each
/// time it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Hybrid {
    /// Scale of the weights, one per output channel.
    pub scales: Vec<f32>,
    /// True if the integers of what it reads have a zero point.
    pub asymmetric: bool,
    /// True if each pixel is quantised by itself, as a fully connected operator does with its rows.
    pub each_pixel: bool,
}

/// A network in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    /// Quantisation of the input: the network takes the real values of these integers.
    pub input: Quantisation,
    /// Pixel scaling; `None` if the input is a pixel less 128.
    pub pixels: Option<GreyLevels>,
    /// Layers in running order.
    pub layers: Vec<FloatLayer>,
}

/// A layer of a [`FloatNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// Operation, shapes, name.
    pub common: Common,
    /// Weights in the layout of [`Op`].
    pub weights: Vec<f32>,
    /// Bias, one per output channel.
    pub bias: Vec<f32>,
    /// Minimum and maximum output seen in training, if the file records them.
    pub range: Option<(f32, f32)>,
}
