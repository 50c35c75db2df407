//! The trained part of a network: its last blocks, the pool and the head, in floating point.

use std::ops::Range;

use posy_nn::graph::head::Head;
use posy_nn::graph::network::{FloatLayer, FloatNetwork, IntNetwork, Quantisation};
use posy_shared::model::{Op, Shape};

use super::depthwise::Window;
use super::fake_quantise::Grid;

/// Unit of a bias in steps of its layer's output: an eighth of the range.
const BIAS_STEPS: f32 = 32.0;
/// Least deviation of a feature, as a share of the mean deviation.
const LEAST_DEVIATION: f64 = 0.05;

/// Operation of a trained layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// 3 x 3 depthwise convolution; weights `[9, C]`.
    Depthwise(Window),
    /// 1 x 1 convolution, or the head; weights `[O, I]`.
    Pointwise,
    /// Sum with the output of an earlier trained layer, or with the segment's input if `None`.
    Add(Option<usize>),
    /// Mean over the whole map.
    Pool,
}

/// A trained layer. It reads the output of the layer before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Operation.
    pub kind: Kind,
    /// Channels of the input.
    pub inputs: usize,
    /// Pixels of the input.
    pub input_pixels: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Pixels of the output.
    pub pixels: usize,
    /// Place of the weights among the parameters.
    pub weights: Range<usize>,
    /// Place of the bias among the parameters.
    pub bias: Range<usize>,
    /// Quantisation of the output; `None` for logits.
    pub grid: Option<Grid>,
}

impl Layer {
    /// Values of an output map.
    pub fn output_len(&self) -> usize {
        self.pixels * self.outputs
    }

    /// Multiply-accumulate operations (MACs) per photo of a forward pass.
    pub fn products(&self) -> u64 {
        let of_each = match self.kind {
            Kind::Depthwise(_) => 9,
            Kind::Pointwise => self.inputs,
            Kind::Add(_) | Kind::Pool => 0,
        };
        (self.output_len() * of_each) as u64
    }
}

/// The last layers of a network, from the start of a block on, and the head.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Index of the first trained layer in the network.
    pub start: usize,
    /// Quantisation of the input.
    pub input: Quantisation,
    /// Shape of the input.
    pub shape: Shape,
    /// Layers in running order; the last is the head.
    pub layers: Vec<Layer>,
    /// Labels, K.
    pub labels: usize,
}

/// Parameters of a segment, and what the optimiser needs to know of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Weights and biases of all layers.
    pub values: Vec<f32>,
    /// Size of each by which a step is measured: for weights, the root mean square of their channel.
    pub units: Vec<f32>,
}

/// Indices of the layers at which a block starts that can be trained, from the last block to the
/// first. A block is a depthwise convolution with the 1 x 1 convolutions around it, and the addition
/// behind it; a 1 x 1 convolution behind the last block is a block too.
pub fn block_starts(network: &IntNetwork) -> Vec<usize> {
    let layers = &network.layers;
    let op = |index: usize| layers.get(index).map(|layer| layer.common.op);
    let Some(end) = layers.len().checked_sub(1) else {
        return Vec::new();
    };
    if !layers[end].common.op.is_mean() {
        return Vec::new();
    }
    let mut starts = Vec::new();
    for start in (1..end).rev() {
        let layer = &layers[start].common;
        let trainable = match layer.op {
            Op::Depthwise3x3 | Op::Pointwise => true,
            Op::Add => layer.skip.is_some(),
            _ => false,
        };
        if !trainable {
            break;
        }
        let after_block = match op(start - 1) {
            Some(Op::Conv3x3 | Op::Add) => true,
            Some(Op::Pointwise) => start >= 2 && op(start - 2) == Some(Op::Depthwise3x3),
            _ => false,
        };
        let inside = layers[start..end].iter().all(|layer| {
            let skip = layer.common.skip.unwrap_or(start);
            layer.common.op != Op::Add || skip + 1 >= start
        });
        if layer.op != Op::Add && after_block && inside {
            starts.push(start);
        }
    }
    starts
}

impl Segment {
    /// The layers of `network` from `start`, one of its [`block_starts`], and `head`, which reads
    /// features with these standard `deviations`, `[D]`.
    pub fn new(
        network: &IntNetwork,
        start: usize,
        head: &Head,
        deviations: &[f64],
    ) -> (Self, Parameters) {
        let real = FloatNetwork::from(network);
        let input = network.layers[start - 1].output;
        let mut parameters = Parameters {
            values: Vec::new(),
            units: Vec::new(),
        };
        let mut layers = Vec::new();
        let trained = real.layers[start..].iter().zip(&network.layers[start..]);
        for (layer, int) in trained {
            let common = &layer.common;
            let kind = match common.op {
                Op::Depthwise3x3 => Kind::Depthwise(Window::of(common)),
                Op::Add => Kind::Add(common.skip.and_then(|skip| skip.checked_sub(start))),
                Op::Pointwise => Kind::Pointwise,
                _ => Kind::Pool,
            };
            let [pixels, input_pixels] = [common.output, common.input]
                .map(|shape| usize::from(shape.height) * usize::from(shape.width));
            let unit = BIAS_STEPS * int.output.scale;
            let (weights, bias) = parameters.push(layer, kind, unit);
            layers.push(Layer {
                kind,
                inputs: common.input.channels.into(),
                input_pixels,
                outputs: common.output.channels.into(),
                pixels,
                weights,
                bias,
                grid: Some(match int.common.op {
                    Op::GlobalAveragePool => Grid::of_pool(int.output),
                    _ => Grid::new(common.activation, int.output),
                }),
            });
        }
        let (weights, bias) = parameters.push_head(head, deviations);
        layers.push(Layer {
            kind: Kind::Pointwise,
            inputs: head.width(),
            input_pixels: 1,
            outputs: head.labels(),
            pixels: 1,
            weights,
            bias,
            grid: None,
        });
        let segment = Segment {
            start,
            input,
            shape: network.layers[start].common.input,
            layers,
            labels: head.labels(),
        };
        (segment, parameters)
    }

    /// Multiply-accumulate operations (MACs) of training on one photo: forwards, and backwards by
    /// weights and by inputs.
    pub fn training_products(&self) -> u64 {
        let all: u64 = self.layers.iter().map(Layer::products).sum();
        let first = self.layers.first().map_or(0, Layer::products);
        3 * all - first
    }

    /// Multiply-accumulate operations (MACs) of a forward pass of one photo.
    pub fn products(&self) -> u64 {
        self.layers.iter().map(Layer::products).sum()
    }

    /// The head among `values`.
    pub fn head(&self, values: &[f32]) -> Head {
        let (weights, bias) = self.layers.last().map_or((0..0, 0..0), |layer| {
            (layer.weights.clone(), layer.bias.clone())
        });
        Head {
            weights: values[weights].to_vec(),
            bias: values[bias].to_vec(),
        }
    }

    /// Writes the weights and biases of `values` into the layers of `network`, which is the whole
    /// network in floating point.
    pub fn write(&self, values: &[f32], network: &mut FloatNetwork) {
        let layers = network.layers[self.start..].iter_mut();
        for (target, layer) in layers.zip(&self.layers) {
            let weights = &values[layer.weights.clone()];
            target.weights = match layer.kind {
                Kind::Depthwise(_) => turned(weights, 9, layer.outputs),
                _ => weights.to_vec(),
            };
            target.bias = values[layer.bias.clone()].to_vec();
        }
    }
}

/// The matrix `[rows, columns]` transposed.
fn turned(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let columns = 0..columns;
    let entries = columns
        .clone()
        .flat_map(|column| (0..rows).map(move |row| row * columns.end + column));
    entries.map(|at| matrix[at]).collect()
}

/// Root mean square.
fn size(weights: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = weights.len().max(1) as f64;
    (weights.map(|weight| weight * weight).sum::<f64>() / count).sqrt()
}

impl Parameters {
    /// Adds a layer's weights and bias; returns their places.
    fn push(
        &mut self,
        layer: &FloatLayer,
        kind: Kind,
        bias_unit: f32,
    ) -> (Range<usize>, Range<usize>) {
        let outputs = layer.bias.len();
        let of_channel = layer.weights.len() / outputs.max(1);
        let channels = layer.weights.chunks_exact(of_channel.max(1));
        let sizes =
            channels.map(|channel| size(channel.iter().map(|&weight| f64::from(weight))) as f32);
        let sizes: Vec<f32> = sizes.collect();
        let from = self.values.len();
        match kind {
            Kind::Depthwise(_) => {
                self.values.extend(turned(&layer.weights, outputs, 9));
                self.units.extend(sizes.repeat(9));
            }
            _ => {
                self.values.extend(&layer.weights);
                let units = sizes
                    .iter()
                    .flat_map(|&size| std::iter::repeat_n(size, of_channel));
                self.units.extend(units);
            }
        }
        let between = self.values.len();
        self.values.extend(&layer.bias);
        self.units.resize(self.values.len(), bias_unit);
        (from..between, between..self.values.len())
    }

    /// Adds the head. Its weights are measured as if features had a deviation of one.
    fn push_head(&mut self, head: &Head, deviations: &[f64]) -> (Range<usize>, Range<usize>) {
        let mean = deviations.iter().sum::<f64>() / deviations.len().max(1) as f64;
        let least = (LEAST_DEVIATION * mean).max(f64::from(f32::MIN_POSITIVE));
        let deviations: Vec<f64> = deviations.iter().map(|d| d.max(least)).collect();
        let standardised = head.weights.iter().zip(deviations.iter().cycle());
        let standardised: Vec<f64> = standardised
            .map(|(&weight, deviation)| f64::from(weight) * deviation)
            .collect();
        let unit = size(standardised.into_iter());
        let from = self.values.len();
        self.values.extend(&head.weights);
        let between = self.values.len();
        self.values.extend(&head.bias);
        let units = deviations.iter().map(|deviation| (unit / deviation) as f32);
        let units = units.cycle().take(head.weights.len());
        self.units.extend(units);
        self.units.resize(self.values.len(), unit as f32);
        (from..between, between..self.values.len())
    }
}
