//! Convolutions, and padding before them.

use posy_shared::model::{Op, Padding, Shape};

use super::{Axis, Chain, Constant, Map, Problem, Value};
use crate::graph::network::{Activation, Common, FloatLayer};
use crate::graph::padding::{same_padding, window_output};

/// Padding as a file states it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pads {
    /// Amounts: top, left, bottom, right.
    Explicit([i64; 4]),
    /// Enough for `ceil(extent / stride)` windows; the odd row or column comes after the map.
    SameUpper,
    /// As `SameUpper`, with the odd row or column before the map.
    SameLower,
}

/// Geometry of a convolution.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    /// Strides in rows and columns.
    pub(crate) strides: Vec<usize>,
    /// Dilations in rows and columns.
    pub(crate) dilations: Vec<usize>,
    /// Padding.
    pub(crate) pads: Pads,
    /// Number of channel groups.
    pub(crate) groups: usize,
}

impl Chain {
    /// Appends a convolution of `map` with weights `[O, I / groups, H, W]`.
    pub(crate) fn convolution(
        &mut self,
        map: &Map,
        weights: &Constant,
        bias: Option<&Constant>,
        window: &Window,
        name: &str,
    ) -> Result<Map, Problem> {
        self.newest(map)?;
        if map.averaged.is_some() {
            return Err(Problem::Axes);
        }
        if map.turned.is_some() {
            let weights = self.in_engine_order(map, weights)?;
            let map = Map {
                turned: None,
                ..map.clone()
            };
            return self.convolution(&map, &weights, bias, window, name);
        }
        let channels = map.shape.channels;
        let [outputs, of_group, height, width] = *weights.dims.as_slice() else {
            return Err(wrong_weights(weights));
        };
        // One group of one channel is a plain convolution, whatever the operator is called. The first
        // layer may make several channels of each, as a plain convolution whose other weights are zero.
        let depthwise = window.groups > 1;
        let several = self.layers.is_empty()
            && (window.groups, of_group) == (usize::from(channels), 1)
            && outputs > window.groups
            && outputs.is_multiple_of(window.groups)
            && (height, width) == (3, 3);
        if depthwise && several {
            let taps = weights.transposed(&[1, 2, 3, 0]);
            let taps = taps.ok_or_else(|| wrong_weights(weights))?;
            self.spend(outputs * 9 * window.groups)?;
            let of_each = outputs / window.groups;
            let wide = widened(taps.reals("weights")?, window.groups, of_each);
            let wide = Constant::real(vec![outputs, 3, 3, window.groups], wide);
            let wide = wide.transposed(&[0, 3, 1, 2]);
            let wide = wide.ok_or_else(|| wrong_weights(weights))?;
            let window = Window {
                groups: 1,
                ..window.clone()
            };
            return self.convolution(map, &wide, bias, &window, name);
        }
        if depthwise
            && (window.groups, outputs, of_group)
                != (usize::from(channels), usize::from(channels), 1)
        {
            return Err(Problem::Groups {
                groups: window.groups,
                channels,
            });
        }
        if !depthwise && of_group != usize::from(channels) {
            return Err(wrong_weights(weights));
        }
        let op = match (height, width, depthwise) {
            (3, 3, true) => Op::Depthwise3x3,
            (3, 3, false) => Op::Conv3x3,
            (1, 1, false) if self.has_pooled() && !map.is_spatial() => Op::Dense,
            (1, 1, false) => Op::Pointwise,
            _ => return Err(Problem::Kernel(height, width)),
        };
        if height > 1 && window.dilations.iter().any(|step| *step != 1) {
            return Err(Problem::Dilation(window.dilations.clone()));
        }
        let stride = match *window.strides.as_slice() {
            [rows @ 1..=4, columns] if rows == columns && (op.is_window() || rows == 1) => {
                rows as u8
            }
            _ => return Err(Problem::Stride(window.strides.clone())),
        };
        let outputs = u16::try_from(outputs)
            .ok()
            .filter(|outputs| *outputs > 0)
            .ok_or_else(|| Problem::Extent(weights.dims.clone()))?;
        let padding = padding(map, height as u16, stride, &window.pads)?;
        if !op.is_window() && padding != Padding::default() {
            return Err(Problem::Padding);
        }
        let output = window_output(map.shape, height as u16, stride, padding, outputs)
            .ok_or_else(|| Problem::Extent(map.dims()))?;
        let numbers = numbers(self, weights, "weights")?;
        let mut layer = FloatLayer {
            common: Common {
                name: name.into(),
                op,
                input: map.shape,
                output,
                stride,
                padding,
                activation: Activation::None,
                skip: None,
            },
            weights: in_order(op, numbers, of_group),
            bias: vec![0.0; usize::from(outputs)],
            range: None,
        };
        if let Some(bias) = bias {
            layer.bias = self.bias(bias, usize::from(outputs))?;
        }
        if let Some(pairs) = &map.scaled {
            match op {
                Op::Dense | Op::Pointwise => scale_inputs(&mut layer, pairs)?,
                _ => return Err(Problem::Affine("a constant")),
            }
        }
        Ok(self.push(layer, map))
    }

    /// Appends a fully connected layer with weights `[O, I]`.
    pub(crate) fn dense(
        &mut self,
        map: &Map,
        weights: &Constant,
        bias: Option<&Constant>,
        name: &str,
    ) -> Result<Map, Problem> {
        self.newest(map)?;
        if map.turned.is_some() {
            let weights = self.in_engine_order(map, weights)?;
            let map = Map {
                turned: None,
                ..map.clone()
            };
            return self.dense(&map, &weights, bias, name);
        }
        let scaled = map.scaled.clone();
        let map = &Map {
            scaled: None,
            ..map.clone()
        };
        map.plain()?;
        let [outputs, inputs] = *weights.dims.as_slice() else {
            return Err(wrong_weights(weights));
        };
        if map.is_spatial() {
            return Err(Problem::Flat(map.shape));
        }
        if inputs != usize::from(map.shape.channels) {
            return Err(wrong_weights(weights));
        }
        let outputs = u16::try_from(outputs)
            .ok()
            .filter(|outputs| *outputs > 0)
            .ok_or_else(|| Problem::Extent(weights.dims.clone()))?;
        let output = Shape {
            channels: outputs,
            ..map.shape
        };
        let mut layer = self.unweighted(Op::Dense, map, output, name);
        layer.weights = numbers(self, weights, "weights")?;
        layer.bias = match bias {
            Some(bias) => self.bias(bias, usize::from(outputs))?,
            None => vec![0.0; usize::from(outputs)],
        };
        if let Some(pairs) = scaled {
            scale_inputs(&mut layer, &pairs)?;
        }
        Ok(self.push(layer, map))
    }

    /// Weights `[O, I, ...]` that read a flattened map, for values in the order of height, width, channels.
    fn in_engine_order(&mut self, map: &Map, weights: &Constant) -> Result<Constant, Problem> {
        let Some((shape, order)) = map.turned.as_deref() else {
            return Ok(weights.clone());
        };
        self.spend(weights.len())?;
        let place = |axis: Axis| order.iter().position(|own| *own == axis);
        let extent = |axis: &Axis| match axis {
            Axis::Height => usize::from(shape.height),
            Axis::Width => usize::from(shape.width),
            _ => usize::from(shape.channels),
        };
        let outputs = weights.dims.first().copied().unwrap_or(0);
        let dims = std::iter::once(outputs).chain(order.iter().map(extent));
        let engine = [Axis::Height, Axis::Width, Axis::Channels];
        let turn = engine.into_iter().filter_map(place).map(|place| place + 1);
        let turn: Vec<usize> = std::iter::once(0).chain(turn).collect();
        let turned = weights.with_dims(dims.collect());
        let turned = turned.and_then(|turned| turned.transposed(&turn));
        let turned = turned.and_then(|turned| turned.with_dims(weights.dims.clone()));
        turned.ok_or_else(|| wrong_weights(weights))
    }

    /// A bias of length `outputs`.
    fn bias(&mut self, bias: &Constant, outputs: usize) -> Result<Vec<f32>, Problem> {
        if bias.len() != outputs {
            return Err(Problem::Shape {
                what: "a bias",
                found: bias.dims.clone(),
                wanted: "a bias has one number for each output channel",
            });
        }
        numbers(self, bias, "bias")
    }

    /// Zero padding of `map`, a pair (before, after) per axis; it becomes part of the next
    /// convolution.
    pub(crate) fn pad(&self, map: &Map, amounts: &[(i64, i64)]) -> Result<Value, Problem> {
        map.plain()?;
        if amounts.len() != map.axes.len() {
            return Err(Problem::Padding);
        }
        let mut padded = Padding::default();
        for (axis, (before, after)) in map.axes.iter().zip(amounts) {
            let rows = |amount: &i64| {
                let rows = u8::try_from(*amount).ok().filter(|rows| *rows <= 2);
                rows.ok_or(Problem::Padding)
            };
            let (before, after) = (rows(before)?, rows(after)?);
            match axis {
                Axis::Height => (padded.top, padded.bottom) = (before, after),
                Axis::Width => (padded.left, padded.right) = (before, after),
                _ if (before, after) == (0, 0) => {}
                _ => return Err(Problem::Padding),
            }
        }
        Ok(Value::Map(Map {
            padded,
            ..map.clone()
        }))
    }
}

/// Folds a scale and a shift of each input into a fully connected layer.
fn scale_inputs(layer: &mut FloatLayer, pairs: &[(f64, f64)]) -> Result<(), Problem> {
    let rows = layer.weights.chunks_exact_mut(pairs.len().max(1));
    for (row, bias) in rows.zip(&mut layer.bias) {
        let mut shifted = f64::from(*bias);
        for (weight, (scale, shift)) in row.iter_mut().zip(pairs) {
            shifted += f64::from(*weight) * shift;
            *weight = (f64::from(*weight) * scale) as f32;
        }
        *bias = shifted as f32;
    }
    let mut numbers = layer.weights.iter().chain(&layer.bias);
    match numbers.all(|number| number.is_finite()) {
        true => Ok(()),
        false => Err(Problem::NotFinite("weights, scaled,")),
    }
}

fn wrong_weights(weights: &Constant) -> Problem {
    Problem::Shape {
        what: "weights",
        found: weights.dims.clone(),
        wanted: "weights have the channels of what they read and write",
    }
}

/// The finite values of a constant that becomes part of the network.
fn numbers(
    chain: &mut Chain,
    constant: &Constant,
    what: &'static str,
) -> Result<Vec<f32>, Problem> {
    let numbers = constant.reals(what)?;
    chain.spend(numbers.len())?;
    if numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers.to_vec())
    } else {
        Err(Problem::NotFinite(what))
    }
}

/// Depthwise weights `[3, 3, O]` of a layer that makes `of_each` channels of each of `inputs`, as
/// weights `[O, 3, 3, I]` of a convolution: those of other inputs are zero.
pub(crate) fn widened<T: Copy + Default>(weights: &[T], inputs: usize, of_each: usize) -> Vec<T> {
    let outputs = inputs * of_each;
    let mut wide = vec![T::default(); outputs * 9 * inputs];
    for output in 0..outputs {
        for tap in 0..9 {
            let place = (output * 9 + tap) * inputs + output / of_each.max(1);
            wide[place] = weights[tap * outputs + output];
        }
    }
    wide
}

/// Weights `[O, I, H, W]` in the layout of `op`.
fn in_order(op: Op, weights: Vec<f32>, inputs: usize) -> Vec<f32> {
    if op != Op::Conv3x3 {
        return weights;
    }
    let mut ordered = Vec::with_capacity(weights.len());
    for channel in weights.chunks_exact(9 * inputs.max(1)) {
        for tap in 0..9 {
            ordered.extend((0..inputs).map(|input| channel[input * 9 + tap]));
        }
    }
    ordered
}

/// Padding of a map, in rows and columns.
fn padding(map: &Map, kernel: u16, stride: u8, pads: &Pads) -> Result<Padding, Problem> {
    let before = map.padded;
    let [height, width] = [Axis::Height, Axis::Width].map(|axis| map.extent(axis));
    let extent = |extent: usize| u16::try_from(extent).map_err(|_| Problem::Extent(map.dims()));
    let shape = Shape {
        height: extent(height)?,
        width: extent(width)?,
        ..map.shape
    };
    let same = same_padding(shape, kernel, stride);
    let [top, left, bottom, right] = match pads {
        Pads::Explicit(pads) => *pads,
        Pads::SameUpper => [same.top, same.left, same.bottom, same.right].map(i64::from),
        Pads::SameLower => [same.bottom, same.right, same.top, same.left].map(i64::from),
    };
    let sum = |before: u8, more: i64| {
        let sum = i64::from(before).checked_add(more);
        let sum = sum
            .filter(|_| more >= 0)
            .and_then(|sum| u8::try_from(sum).ok());
        sum.filter(|sum| *sum <= 2).ok_or(Problem::Padding)
    };
    Ok(Padding {
        top: sum(before.top, top)?,
        bottom: sum(before.bottom, bottom)?,
        left: sum(before.left, left)?,
        right: sum(before.right, right)?,
    })
}
