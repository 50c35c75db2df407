//! The three forms that a network takes on the laptop.
//!
//! [`TrainedNetwork`] is what a quantised file holds, zero points removed. From it come
//! [`IntNetwork`], which posy's engine runs on laptop and board, and [`FloatNetwork`], which
//! tract runs as the reference. All three list layers in running order: each layer reads the
//! output of the layer before it, and an addition also reads an earlier one.

use posy_shared::model::{Op, Padding, Shape};

use super::grey_levels::GreyLevels;

/// How real numbers are written as int8: `real = scale * (q - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// Real distance between neighbouring integers.
    pub scale: f32,
    /// The integer that stands for zero, in `-128..=127`.
    pub zero_point: i32,
}

/// What is applied to a layer's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// What every layer has, whatever its numbers are.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Name in the file that it came from; for messages.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// `[H, W, C]` that it reads.
    pub input: Shape,
    /// `[H, W, C]` that it writes.
    pub output: Shape,
    /// Step between windows.
    pub stride: u8,
    /// Explicit padding.
    pub padding: Padding,
    /// Applied to the result.
    pub activation: Activation,
    /// [`Op::Add`]: index of the layer whose output is the second operand.
    pub skip: Option<usize>,
}

impl Common {
    /// Products (multiply-accumulates) that one picture costs; those with padding count.
    pub fn products(&self) -> u64 {
        let inputs = u64::from(self.input.channels);
        let of_each = match self.op {
            Op::Conv3x3 => 9 * inputs,
            Op::Depthwise3x3 => 9,
            Op::Pointwise | Op::Dense => inputs,
            Op::Add | Op::GlobalAveragePool => 0,
        };
        self.output.len() as u64 * of_each
    }
}

/// A quantised network as its file holds it, zero points removed from weights. Activations are
/// in the int8 convention: those of a uint8 file are shifted by 128.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedNetwork {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Quantisation of the input.
    pub input: Quantisation,
    /// What a pixel is to it; none where a pixel less 128 is what it reads.
    pub pixels: Option<GreyLevels>,
    /// Layers in running order.
    pub layers: Vec<TrainedLayer>,
}

impl TrainedNetwork {
    /// The network without what follows its pooled features; `None` if it never pools.
    #[must_use]
    pub fn truncate_to_features(mut self) -> Option<Self> {
        let pool = self
            .layers
            .iter()
            .position(|l| l.common.op == Op::GlobalAveragePool)?;
        self.layers.truncate(pool + 1);
        Some(self)
    }

    /// How many classes the network tells apart; `None` if it ends in features.
    pub fn class_count(&self) -> Option<usize> {
        let last = &self.layers.last()?.common;
        (last.op == Op::Dense).then_some(usize::from(last.output.channels))
    }
}

/// A layer of a [`TrainedNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedLayer {
    /// Op, shapes, name.
    pub common: Common,
    /// Weights less their zero point, `-255..=255`, in the order that [`Op`] gives.
    pub weights: Vec<i16>,
    /// Real size of one weight step, one per output channel.
    pub weight_scales: Vec<f32>,
    /// Bias, one per output channel, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the output.
    pub output: Quantisation,
}

/// A network in int8, ready to be written into a `.posy` file.
#[derive(Clone, Debug, PartialEq)]
pub struct IntNetwork {
    /// Quantisation of the input.
    pub input: Quantisation,
    /// What a pixel is to it; none where a pixel less 128 is what it reads.
    pub pixels: Option<GreyLevels>,
    /// Layers in running order.
    pub layers: Vec<IntLayer>,
}

/// A layer of an [`IntNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct IntLayer {
    /// Op, shapes, name.
    pub common: Common,
    /// Symmetric weights in the order that [`Op`] gives.
    pub weights: Vec<i8>,
    /// Real size of one weight step, one per output channel.
    pub weight_scales: Vec<f32>,
    /// Bias, one per output channel, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the output.
    pub output: Quantisation,
}

/// A network in floating point.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatNetwork {
    /// Quantisation that the input arrives in: pixels are given as these integers' real values.
    pub input: Quantisation,
    /// What a pixel is to it; none where a pixel less 128 is what it reads.
    pub pixels: Option<GreyLevels>,
    /// Layers in running order.
    pub layers: Vec<FloatLayer>,
}

/// A layer of a [`FloatNetwork`].
#[derive(Clone, Debug, PartialEq)]
pub struct FloatLayer {
    /// Op, shapes, name.
    pub common: Common,
    /// Weights in the order that [`Op`] gives.
    pub weights: Vec<f32>,
    /// One per output channel.
    pub bias: Vec<f32>,
    /// Least and greatest output seen in the network's own training, where the file says so.
    pub range: Option<(f32, f32)>,
}
