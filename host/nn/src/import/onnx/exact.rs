//! A quantised model in QDQ form as it is quantised: its integers become a [`TrainedNetwork`], as those of a
//! TensorFlow Lite file do.
//!
//! The walk reads the real network. Beside it a [`Record`] keeps the integers of constants, and copies each
//! layer when a `QuantizeLinear` gives its output a scale. The engine then computes as TensorFlow Lite's reference
//! kernels do; a runtime that computes each operator in real numbers may be a step away.

use std::collections::{BTreeMap, HashMap, HashSet};

use posy_shared::model::{Op, Shape};

use crate::graph::builder::{Assembled, Constant};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::input_table::InputTable;
use crate::graph::network::{FloatLayer, Quantisation, Scoring, TrainedLayer, TrainedNetwork};
use crate::import::normalisation::Normalisation;

/// Greatest distance of a weight from a whole number of steps; single precision is off by far less.
const OFF_GRID: f64 = 1e-3;

/// Greatest relative difference between the scale of a bias and that of input times weights.
const BIAS_SCALE: f64 = 1e-5;

/// Integers of a constant, and what a step of them is.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    /// Values less their zero point.
    pub(super) values: Vec<i64>,
    /// One scale, or one for each index of `axis`.
    pub(super) scales: Vec<f32>,
    /// Axis of the scales.
    pub(super) axis: usize,
}

impl Integers {
    /// Integers of `constant` less its zero points.
    pub(super) fn of(
        constant: &Constant,
        scales: &[f32],
        zeros: &[i64],
        axis: usize,
    ) -> Option<Self> {
        let extent = match scales.len() {
            1 => 1,
            count => (constant.dims.get(axis) == Some(&count)).then_some(count)?,
        };
        let inner = constant
            .dims
            .iter()
            .skip(axis + 1)
            .product::<usize>()
            .max(1);
        let values = constant.wholes("weights").ok()?.iter().enumerate();
        let less = |(place, value): (usize, &i64)| {
            let zero = zeros.get(place / inner % extent).or(zeros.first());
            value.saturating_sub(zero.copied().unwrap_or(0))
        };
        Some(Integers {
            values: values.map(less).collect(),
            scales: scales.to_vec(),
            axis,
        })
    }

    /// One scale for each of `channels`.
    fn each(&self, channels: usize) -> Option<Vec<f32>> {
        match self.scales.as_slice() {
            [scale] => Some(vec![*scale; channels]),
            scales => (scales.len() == channels).then(|| scales.to_vec()),
        }
    }
}

/// Integers of a layer with weights.
#[derive(Clone, Debug)]
struct Kernel {
    weights: Integers,
    bias: Option<Integers>,
    fully_connected: bool,
}

/// Quantised input of a network.
#[derive(Clone, Debug)]
struct Input {
    quantisation: Quantisation,
    /// Factor and offset of each channel by which the file makes it of its own input.
    affine: Vec<(f64, f64)>,
    /// True if the file's input is integers of this quantisation.
    is_own: bool,
}

/// Integers met on the way.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    /// Constants behind a `DequantizeLinear`, by the name that it writes.
    pub(super) constants: HashMap<&'a str, Integers>,
    kernels: HashMap<usize, Kernel>,
    /// Layers that a `ReduceMean` makes.
    means: HashSet<usize>,
    /// Layers of quantised outputs, by their index, with the real ones that they were read from.
    layers: BTreeMap<usize, (TrainedLayer, FloatLayer)>,
    input: Option<Input>,
    /// Factor of a layer's output in real numbers, and its index.
    factor: Option<(usize, f32)>,
    /// Reason for which the integers do not say all.
    inexact: Option<&'static str>,
}

impl<'a> Record<'a> {
    /// Notes that something is not quantised as posy's engine computes it.
    pub(super) fn inexact(&mut self, reason: &'static str) {
        self.inexact.get_or_insert(reason);
    }

    /// Notes the integers of the layer `index`, whose weights and bias are the constants of these names.
    pub(super) fn weighted(
        &mut self,
        index: usize,
        (weights, axis): (Option<&'a String>, usize),
        bias: Option<&'a String>,
        fully_connected: bool,
    ) {
        let of = |name: Option<&String>| self.constants.get(name?.as_str()).cloned();
        let weights = of(weights).filter(|found| found.scales.len() == 1 || found.axis == axis);
        if let Some(weights) = weights {
            let bias = of(bias);
            self.kernels.insert(
                index,
                Kernel {
                    weights,
                    bias,
                    fully_connected,
                },
            );
        }
    }

    /// Notes that the constant `name` was added to the output of the layer `index`.
    pub(super) fn added(&mut self, index: usize, before: &[f32], name: Option<&String>) {
        let found = name.and_then(|name| self.constants.get(name.as_str()).cloned());
        if let Some(kernel) = self.kernels.get_mut(&index) {
            // A sum of two is rounded anew.
            let is_first = kernel.bias.is_none() && before.iter().all(|bias| *bias == 0.0);
            kernel.bias = found.filter(|_| is_first);
        }
    }

    /// Notes that the output of the layer `index` was multiplied by `factor` behind its quantisation, which leaves
    /// `real`.
    pub(super) fn multiplied(&mut self, index: usize, factor: f32, real: &FloatLayer) {
        if let Some((_, before)) = self.layers.get_mut(&index) {
            let earlier = self.factor.map_or(1.0, |(_, earlier)| earlier);
            self.factor = Some((index, earlier * factor));
            *before = real.clone();
        }
    }

    /// Notes that the layer `index` takes a mean.
    pub(super) fn mean(&mut self, index: usize) {
        self.means.insert(index);
    }

    /// Quantisation of the output of the layer `index`, or of the input.
    fn output(&self, index: Option<usize>) -> Option<Quantisation> {
        match index {
            Some(index) => self.layers.get(&index).map(|(layer, _)| layer.output),
            None => self.input.as_ref().map(|input| input.quantisation),
        }
    }

    /// Notes the quantisation of the network's input, which the file makes of its own input by `affine`.
    pub(super) fn reads(
        &mut self,
        quantisation: Quantisation,
        affine: &[(f64, f64)],
        is_own: bool,
    ) {
        match &self.input {
            Some(input) if input.quantisation == quantisation && input.affine == affine => {}
            Some(input) if !input.is_own => self.inexact("its input is quantised twice"),
            _ => {
                self.input = Some(Input {
                    quantisation,
                    affine: affine.to_vec(),
                    is_own,
                });
            }
        }
    }

    /// Notes that the output of the layer `index`, `real`, is quantised.
    pub(super) fn writes(&mut self, index: usize, real: &FloatLayer, output: Quantisation) {
        if let Some((layer, _)) = self.layers.get(&index) {
            // Rounded twice, unless an activation is between.
            let clamped = layer.common.activation != real.common.activation;
            if layer.output != output && !clamped {
                return self.inexact("a value is quantised twice");
            }
        }
        let Some(input) = self.output(index.checked_sub(1)) else {
            return;
        };
        if let Some(layer) = self.layer(index, real, (input, output)) {
            self.layers.insert(index, (layer, real.clone()));
        }
    }

    /// Notes that the layer `index`, `real`, gives the integers before it another shape.
    pub(super) fn views(&mut self, index: usize, real: &FloatLayer) {
        let before = self.output(index.checked_sub(1));
        let layer = before.and_then(|output| self.layer(index, real, (output, output)));
        if let Some(layer) = layer {
            self.layers.insert(index, (layer, real.clone()));
        }
    }

    /// Notes that integers of the layer `index`, or of the input, are made real again.
    pub(super) fn made_real(&mut self, index: Option<usize>, quantisation: Quantisation) {
        if self.output(index) != Some(quantisation) {
            self.inexact("integers are read by another scale than they were made with");
        }
    }

    fn layer(
        &self,
        index: usize,
        real: &FloatLayer,
        (input, output): (Quantisation, Quantisation),
    ) -> Option<TrainedLayer> {
        let mut common = real.common.clone();
        if common.op == Op::GlobalAveragePool && (input != output || self.means.contains(&index)) {
            common.op = Op::Mean;
        }
        if let Some(skip) = common.skip {
            self.layers.get(&skip)?;
        }
        let mut layer = TrainedLayer {
            common,
            weights: Vec::new(),
            weight_scales: Vec::new(),
            bias: Vec::new(),
            output,
            fully_connected: false,
        };
        if !layer.common.op.has_weights() {
            return Some(layer);
        }
        let kernel = self.kernels.get(&index)?;
        let channels = real.bias.len();
        layer.weight_scales = kernel.weights.each(channels)?;
        layer.fully_connected = kernel.fully_connected;
        let of_each = real.weights.len() / channels.max(1);
        let rows = real.weights.chunks_exact(of_each.max(1));
        for (row, scale) in rows.zip(&layer.weight_scales) {
            for weight in row {
                layer.weights.push(whole(*weight, *scale)?);
            }
        }
        let steps = layer.weight_scales.iter();
        let steps: Vec<f64> = steps
            .map(|scale| f64::from(input.scale) * f64::from(*scale))
            .collect();
        let own = kernel.bias.as_ref().filter(|bias| {
            let scales = bias.each(channels).unwrap_or_default();
            let mut pairs = scales.iter().zip(&steps);
            let near =
                |(scale, step): (&f32, &f64)| (f64::from(*scale) - step).abs() <= BIAS_SCALE * step;
            let mut values = bias.values.iter().zip(&steps).zip(&real.bias);
            let same = |((value, step), real): ((&i64, &f64), &f32)| {
                let real = f64::from(*real);
                (*value as f64 * step - real).abs() <= 2.0 * BIAS_SCALE * real.abs()
            };
            let whole = bias.values.len() == channels && scales.len() == channels;
            whole && pairs.all(near) && values.all(same)
        });
        layer.bias = match own {
            Some(bias) => {
                let values = bias.values.iter().map(|value| i32::try_from(*value));
                values.collect::<Result<_, _>>().ok()?
            }
            // A bias in real numbers, or in other steps.
            None => real
                .bias
                .iter()
                .zip(&steps)
                .map(|(bias, step)| match *bias {
                    0.0 => 0,
                    bias => (f64::from(bias) / step).round_ties_even() as i32,
                })
                .collect(),
        };
        Some(layer)
    }

    /// The quantised network; `None` if the model is not quantised up to the features.
    pub(super) fn finish(
        self,
        assembled: &Assembled,
        sha256: [u8; 32],
        unread: Option<String>,
        normalisation: &Normalisation,
    ) -> Option<TrainedNetwork> {
        let input = self.input.filter(|_| self.inexact.is_none())?;
        if input.affine != assembled.input && !input.is_own {
            return None;
        }
        let mut layers = Vec::new();
        let mut unread = unread;
        for (index, real) in assembled.layers.iter().enumerate() {
            match self.layers.get(&index) {
                Some((layer, read)) if read == real => layers.push(layer.clone()),
                _ => {
                    let name = &real.common.name;
                    unread = Some(format!("\"{name}\" has no quantised output"));
                    break;
                }
            }
        }
        // Features are complete once the map is pooled, or all that the pool reads is there.
        let is_pool = |layer: &FloatLayer| layer.common.op.is_mean();
        let pool = assembled.layers.iter().position(is_pool);
        if layers.is_empty() || layers.len() < pool.unwrap_or(assembled.layers.len()) {
            return None;
        }
        let last = layers.len() - 1;
        let scoring = match (assembled.scoring, self.factor) {
            (Some(Scoring::Softmax { beta }), Some((index, factor))) if index == last => {
                Some(Scoring::Softmax {
                    beta: beta * factor,
                })
            }
            (_, Some(_)) => return None,
            (scoring, None) => scoring,
        };
        let shape = layers[0].common.input;
        let (pixels, input_table) = input.pixels(shape, normalisation);
        Some(TrainedNetwork {
            sha256,
            input: input.quantisation,
            pixels,
            input_table,
            layers,
            unread,
            scoring,
        })
    }
}

impl Input {
    /// Grey levels of a pixel, or a table of them.
    fn pixels(
        &self,
        shape: Shape,
        normalisation: &Normalisation,
    ) -> (Option<GreyLevels>, Option<InputTable>) {
        if self.is_own {
            return (GreyLevels::of(self.quantisation), None);
        }
        let levels = GreyLevels::range(self.quantisation);
        if self.affine.iter().all(|pair| *pair == (1.0, 0.0)) && levels.is_some() {
            return (levels, None);
        }
        let Quantisation { scale, zero_point } = self.quantisation;
        let channels = usize::from(shape.channels);
        let rows = self.affine.iter().enumerate().map(|(channel, pair)| {
            let (mean, std) = normalisation.of_channel(channel, channels);
            std::array::from_fn(|level| {
                let real = (level as f64 - mean) / std * pair.0 + pair.1;
                let q = (real / f64::from(scale)).round_ties_even() + f64::from(zero_point);
                q.clamp(-128.0, 127.0) as i8
            })
        });
        let rows = rows.collect();
        (None, Some(InputTable { rows }))
    }
}

/// Number of steps of `scale` that `weight` is; `None` if it lies between two.
fn whole(weight: f32, scale: f32) -> Option<i16> {
    if weight == 0.0 {
        return Some(0);
    }
    let steps = f64::from(weight) / f64::from(scale);
    let nearest = steps.round();
    let fits = (steps - nearest).abs() <= OFF_GRID && nearest.abs() <= 255.0;
    fits.then_some(nearest as i16)
}
