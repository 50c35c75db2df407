//! Tensors of a file: maps with their quantisation, and constants.

use std::cell::Cell;

use posy_shared::model::Shape;

use super::cursor::Scalar;
use super::error::Problem;
use super::names::{FLOAT16, FLOAT32, INT8, INT32, INT64, UINT8, number_type};
use super::schema::{Graph, Model, Tensor};
use super::shapes::Computed;
use crate::graph::builder::{self, Constant};
use crate::graph::network::Quantisation;

/// Maximum number of extents of a tensor.
const MOST_EXTENTS: usize = 8;

/// Maximum length of a tensor's name in messages, bytes.
const NAME_LEN: usize = 200;

/// Limit on the weights of a network, as an average number of times that each byte of the file is
/// read. Layers may share buffers, but a small file must not make a huge network.
const WEIGHTS_PER_BYTE: usize = 8;

/// The tensors of one file.
pub(super) struct Tensors<'m, 'a> {
    model: &'m Model<'a>,
    tensors: &'m [Tensor<'a>],
    /// Remaining number of weights that may be read.
    budget: Cell<usize>,
    /// Shapes that the file leaves open.
    pub(super) computed: Computed,
}

/// A map of activations: shape and quantisation of a tensor that some layer writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map {
    pub(super) shape: Shape,
    /// Quantisation in the int8 convention.
    pub(super) quantisation: Quantisation,
}

/// Weights less their zero point, with one scale per output channel.
pub(super) struct Weights {
    /// Values in the file's order.
    pub(super) values: Vec<i16>,
    pub(super) scales: Vec<f32>,
}

impl<'m, 'a> Tensors<'m, 'a> {
    pub(super) fn new(model: &'m Model<'a>, tensors: &'m [Tensor<'a>], file_len: usize) -> Self {
        Self {
            model,
            tensors,
            budget: Cell::new(file_len.saturating_mul(WEIGHTS_PER_BYTE)),
            computed: Computed::default(),
        }
    }

    fn tensor(&self, index: i32) -> Result<&'m Tensor<'a>, Problem> {
        let tensor = usize::try_from(index)
            .ok()
            .and_then(|i| self.tensors.get(i));
        let tensor = tensor.ok_or(Problem::NoTensor(index))?;
        if tensor.unusual {
            return Err(Problem::Unusual(name(tensor)));
        }
        Ok(tensor)
    }

    /// Name of a tensor, for messages; its index if it has none.
    pub(super) fn name(&self, index: i32) -> String {
        let tensor = usize::try_from(index)
            .ok()
            .and_then(|i| self.tensors.get(i));
        let name = tensor.map(name).unwrap_or_default();
        if name.is_empty() {
            format!("tensor {index}")
        } else {
            name
        }
    }

    /// Shape, batch included: that of the file, or, where it is open, that which its writer computes.
    pub(super) fn dimensions(&self, index: i32) -> Result<Vec<i32>, Problem> {
        match self.computed.dimensions(index) {
            Some(dims) => Ok(dims),
            None => dimensions(self.tensor(index)?),
        }
    }

    /// Extents in the file, `None` where they are open; empty for a tensor that is not there.
    pub(super) fn stated_extents(&self, index: i32) -> Vec<Option<i32>> {
        let Ok(tensor) = self.tensor(index) else {
            return Vec::new();
        };
        let mut signature = tensor.shape_signature.iter();
        let extents = tensor.shape.iter().map(|extent| {
            let signed = signature.next().unwrap_or(extent);
            Some(extent).filter(|_| extent.min(signed) >= 0)
        });
        extents.take(MOST_EXTENTS + 1).collect()
    }

    /// Gives an input of open size `[-1, -1, -1, C]` that of a picture of `size` x `size` pixels.
    pub(super) fn settle_input(&self, graph: &Graph<'a>, size: Option<u16>) {
        let (Some(input), Some(size)) = (graph.inputs.get(0), size) else {
            return;
        };
        let extents = self.stated_extents(input);
        if let [_, height, width, Some(channels)] = extents[..]
            && (height.is_none() || width.is_none())
            && let Ok(channels) = u16::try_from(channels)
        {
            let shape = Shape {
                height: size,
                width: size,
                channels,
            };
            self.settle(input, shape);
        }
    }

    pub(super) fn is_float(&self, index: i32) -> Result<bool, Problem> {
        Ok(self.tensor(index)?.number_type == FLOAT32)
    }

    /// A map of one image: `[1, H, W, C]`, or `[1, C]` without spatial extents.
    pub(super) fn map(&self, index: i32) -> Result<Map, Problem> {
        let quantisation = self.quantisation(index)?;
        let tensor = self.tensor(index)?;
        let found = self.dimensions(index)?;
        let [height, width, channels] = match *found.as_slice() {
            [1, height, width, channels] => [height, width, channels],
            [1, channels] | [1, 1, channels] => [1, 1, channels],
            _ => {
                return Err(shape_problem(
                    tensor,
                    "posy reads one picture, [1, H, W, C]",
                ));
            }
        }
        .map(|extent| u16::try_from(extent).ok().filter(|e| *e > 0));
        let (Some(height), Some(width), Some(channels)) = (height, width, channels) else {
            return Err(shape_problem(tensor, "posy reads extents from 1 to 65535"));
        };
        let shape = Shape {
            height,
            width,
            channels,
        };
        Ok(Map {
            shape,
            quantisation,
        })
    }

    /// Number of values of a tensor.
    pub(super) fn len(&self, index: i32) -> Result<usize, Problem> {
        product(self.tensor(index)?, self.dimensions(index)?)
    }

    /// Quantisation of activations in the int8 convention, whatever their shape.
    pub(super) fn quantisation(&self, index: i32) -> Result<Quantisation, Problem> {
        let tensor = self.tensor(index)?;
        let shift = match tensor.number_type {
            // uint8 maps become int8 by subtracting 128 from values and zero point.
            UINT8 => 128,
            INT8 => 0,
            other => return Err(wrong_type(tensor, other, "uint8 and int8")),
        };
        let problem = |what| Problem::Quantisation {
            tensor: name(tensor),
            what,
        };
        let parameters = tensor
            .quantisation
            .as_ref()
            .ok_or(problem("is not quantised"))?;
        let (1, Some(scale)) = (parameters.scale.len(), parameters.scale.get(0)) else {
            return Err(problem("has not one scale"));
        };
        let zero_point = parameters
            .zero_point
            .get(0)
            .unwrap_or(0)
            .saturating_sub(shift);
        match i32::try_from(zero_point) {
            Ok(zero_point)
                if (-128..=127).contains(&zero_point) && scale.is_normal() && scale > 0.0 =>
            {
                Ok(Quantisation { scale, zero_point })
            }
            _ => Err(problem("has an impossible scale or zero point")),
        }
    }

    /// Values of a quantised constant in the int8 convention.
    pub(super) fn quantised(&self, index: i32) -> Result<Vec<i8>, Problem> {
        let tensor = self.tensor(index)?;
        let flip = match tensor.number_type {
            UINT8 => 0x80,
            _ => 0,
        };
        let data = self.data(tensor, 1)?;
        Ok(data.iter().map(|q| (q ^ flip).cast_signed()).collect())
    }

    /// Weights of `outputs` output channels, which lie along `dimension`.
    pub(super) fn weights(
        &self,
        index: i32,
        outputs: u16,
        dimension: i32,
    ) -> Result<Weights, Problem> {
        let tensor = self.tensor(index)?;
        if !matches!(tensor.number_type, UINT8 | INT8) {
            return Err(wrong_type(tensor, tensor.number_type, "uint8 and int8"));
        }
        let problem = |what| Problem::Quantisation {
            tensor: name(tensor),
            what,
        };
        let parameters = tensor
            .quantisation
            .as_ref()
            .ok_or(problem("is not quantised"))?;
        let zero_points = parameters.zero_point;
        let scales: Vec<f32> = match parameters.scale.len() {
            1 => vec![parameters.scale.get(0).unwrap_or(0.0); usize::from(outputs)],
            n if n == usize::from(outputs)
                && parameters.dimension == dimension
                && tensor.number_type == INT8 =>
            {
                parameters.scale.iter().collect()
            }
            _ => {
                return Err(problem(
                    "has neither one scale nor one for each output channel",
                ));
            }
        };
        if !scales.iter().all(|s| s.is_finite() && *s >= 0.0) {
            return Err(problem("has an impossible scale"));
        }
        let data = self.data(tensor, 1)?;
        let values = match tensor.number_type {
            UINT8 => {
                let zero_point = zero_points.get(0).unwrap_or(0);
                let zero_point = u8::try_from(zero_point)
                    .map_err(|_| problem("has an impossible zero point"))?;
                data.iter()
                    .map(|q| i16::from(*q) - i16::from(zero_point))
                    .collect()
            }
            // The int8 specification fixes the zero point of weights at zero.
            INT8 if zero_points.iter().all(|z| z == 0) => {
                data.iter().map(|q| i16::from(q.cast_signed())).collect()
            }
            _ => return Err(problem("has int8 weights with a zero point")),
        };
        Ok(Weights { values, scales })
    }

    /// Bias of a layer, in steps of `input_scale * weight_scales`; zeros if the file has none (a
    /// negative index).
    ///
    /// A bias in other steps is refused as in TensorFlow Lite: if the difference exceeds 0.02
    /// output steps (`GetQuantizedConvolutionMultipler` in `kernel_util.cc`).
    pub(super) fn bias(
        &self,
        index: Option<i32>,
        input_scale: f32,
        weight_scales: &[f32],
        output_scale: f32,
    ) -> Result<Vec<i32>, Problem> {
        let Some(index) = index.filter(|i| *i >= 0) else {
            return Ok(vec![0; weight_scales.len()]);
        };
        let tensor = self.tensor(index)?;
        if tensor.number_type != INT32 {
            return Err(wrong_type(tensor, tensor.number_type, "int32"));
        }
        if elements(tensor)? != weight_scales.len() {
            return Err(shape_problem(
                tensor,
                "a bias has one number for each output channel",
            ));
        }
        if let Some(parameters) = &tensor.quantisation {
            let problem = |what| Problem::Quantisation {
                tensor: name(tensor),
                what,
            };
            if parameters.zero_point.iter().any(|z| z != 0) {
                return Err(problem("is a bias with a zero point"));
            }
            let count = parameters.scale.len();
            if count > 1 && count != weight_scales.len() {
                return Err(problem(
                    "has neither one scale nor one for each output channel",
                ));
            }
            let shared = parameters.scale.get(0).filter(|_| count == 1);
            let mut bias_scales = parameters.scale.iter();
            for &weight_scale in weight_scales {
                let Some(bias_scale) = shared.or_else(|| bias_scales.next()) else {
                    break;
                };
                let product = f64::from(input_scale) * f64::from(weight_scale);
                let difference = (product - f64::from(bias_scale)).abs() / f64::from(output_scale);
                if difference.is_nan() || difference > 0.02 {
                    return Err(problem(
                        "is a bias whose scale is not that of input times weights",
                    ));
                }
            }
        }
        Ok(self
            .data(tensor, 4)?
            .chunks_exact(4)
            .map(i32::read)
            .collect())
    }

    /// Constant int32 values, such as paddings and axes, and those that operators compute of shapes.
    pub(super) fn integers(&self, index: i32) -> Result<Vec<i32>, Problem> {
        if let Some(computed) = self.computed.integers(index) {
            return Ok(computed);
        }
        let tensor = self.tensor(index)?;
        if tensor.number_type == INT64 {
            let wide = self.data(tensor, 8)?.chunks_exact(8).map(i64::read);
            let narrow = |value: i64| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            return Ok(wide.map(narrow).collect());
        }
        if tensor.number_type != INT32 {
            return Err(wrong_type(tensor, tensor.number_type, "int32"));
        }
        Ok(self
            .data(tensor, 4)?
            .chunks_exact(4)
            .map(i32::read)
            .collect())
    }

    /// Shape of a tensor of a float network.
    pub(super) fn float_dimensions(&self, index: i32) -> Result<Vec<usize>, builder::Problem> {
        let found = self
            .dimensions(index)
            .map_err(|_| unreadable(self.name(index)))?;
        let extents = found.iter().map(|extent| usize::try_from(*extent).ok());
        let extents: Option<Vec<usize>> = extents.collect();
        extents.ok_or_else(|| unreadable(self.name(index)))
    }

    /// A constant of a float network: int32 values, or real ones in float32, float16 or quantised.
    pub(super) fn constant(&self, index: i32) -> Result<Constant, builder::Problem> {
        if let Some(computed) = self.computed.integers(index) {
            let numbers: Vec<i64> = computed.into_iter().map(i64::from).collect();
            return Ok(Constant::whole(vec![numbers.len()], numbers));
        }
        let name = || self.name(index);
        let tensor = self.tensor(index).map_err(|_| unreadable(name()))?;
        let dims = self.float_dimensions(index)?;
        if let INT8 | UINT8 = tensor.number_type {
            return self.dequantised(index, dims);
        }
        if !matches!(tensor.number_type, FLOAT32 | FLOAT16 | INT32) {
            return Err(builder::Problem::NumberType {
                tensor: name(),
                found: number_type(tensor.number_type),
            });
        }
        let each = if tensor.number_type == FLOAT16 { 2 } else { 4 };
        let data = self.data(tensor, each).map_err(|problem| match problem {
            // A tensor without data is a missing operator's output.
            Problem::Data { found: 0, .. } => builder::Problem::Unwritten(name()),
            Problem::Data {
                expected, found, ..
            } => builder::Problem::Data {
                tensor: name(),
                expected: expected / each,
                found: found / each,
            },
            Problem::Shared => builder::Problem::Shared,
            _ => unreadable(name()),
        })?;
        if tensor.number_type == FLOAT16 {
            let halves = data.as_chunks().0.iter();
            let numbers = halves.map(|bytes| half(u16::from_le_bytes(*bytes)));
            return Ok(Constant::real(dims, numbers.collect()));
        }
        let numbers = data.chunks_exact(4);
        Ok(if tensor.number_type == FLOAT32 {
            Constant::real(dims, numbers.map(f32::read).collect())
        } else {
            let numbers = numbers.map(|bytes| i64::from(i32::read(bytes)));
            Constant::whole(dims, numbers.collect())
        })
    }

    /// Scales of weights in int8, one or one for each output; `None` for weights of another type.
    pub(super) fn int8_scales(&self, index: i32) -> Option<Vec<f32>> {
        let tensor = self.tensor(index).ok()?;
        let parameters = tensor.quantisation.as_ref()?;
        (tensor.number_type == INT8).then(|| parameters.scale.iter().collect())
    }

    /// Real values of quantised weights: one scale, or one for each index of a dimension.
    fn dequantised(&self, index: i32, dims: Vec<usize>) -> Result<Constant, builder::Problem> {
        let name = || self.name(index);
        let foreign = |_| unreadable(name());
        let tensor = self.tensor(index).map_err(foreign)?;
        let parameters = tensor
            .quantisation
            .as_ref()
            .ok_or_else(|| unreadable(name()))?;
        let values = self.data(tensor, 1).map_err(foreign)?;
        let scales: Vec<f32> = parameters.scale.iter().collect();
        let zero_points: Vec<i64> = parameters.zero_point.iter().collect();
        let dimension = usize::try_from(parameters.dimension).unwrap_or(usize::MAX);
        let (extent, inner) = match scales.len() {
            1 => (1, values.len().max(1)),
            count if dims.get(dimension) == Some(&count) => (
                count,
                dims[dimension + 1..].iter().product::<usize>().max(1),
            ),
            _ => return Err(unreadable(name())),
        };
        let real = |(place, value): (usize, &u8)| {
            let along = place / inner % extent;
            let zero_point = zero_points.get(along).or(zero_points.first()).copied();
            let value = match tensor.number_type {
                INT8 => i64::from(value.cast_signed()),
                _ => i64::from(*value),
            };
            scales[along] * value.saturating_sub(zero_point.unwrap_or(0)) as f32
        };
        let numbers = values.iter().enumerate().map(real).collect();
        Ok(Constant::real(dims, numbers))
    }

    /// Data of a constant, checked against the length by shape and type.
    fn data(&self, tensor: &Tensor<'a>, bytes_each: usize) -> Result<&'a [u8], Problem> {
        let expected = elements(tensor)?.saturating_mul(bytes_each);
        let buffer = usize::try_from(tensor.buffer)
            .ok()
            .and_then(|i| self.model.buffers.get(i));
        let data = buffer
            .filter(|b| !b.outside)
            .map(|b| b.data.bytes())
            .unwrap_or_default();
        if data.len() != expected {
            return Err(Problem::Data {
                tensor: name(tensor),
                expected,
                found: data.len(),
            });
        }
        let left = self
            .budget
            .get()
            .checked_sub(expected)
            .ok_or(Problem::Shared)?;
        self.budget.set(left);
        Ok(data)
    }
}

/// Value of a float16 (IEEE 754 binary16) by its bits.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    };
    sign * magnitude
}

/// Error for a tensor that a float network cannot use.
fn unreadable(tensor: String) -> builder::Problem {
    builder::Problem::NumberType {
        tensor,
        found: "nothing of a fixed shape, or is a variable, sparse, or kept in another file".into(),
    }
}

fn name(tensor: &Tensor<'_>) -> String {
    let bytes = tensor.name.bytes();
    builder::shown(&String::from_utf8_lossy(
        &bytes[..bytes.len().min(NAME_LEN)],
    ))
}

fn dimensions(tensor: &Tensor<'_>) -> Result<Vec<i32>, Problem> {
    // Keras exports an open batch extent; posy runs one image at a time.
    if tensor
        .shape_signature
        .iter()
        .skip(1)
        .any(|extent| extent < 0)
    {
        return Err(Problem::Dynamic(name(tensor)));
    }
    if tensor.shape.len() > MOST_EXTENTS {
        return Err(Problem::Shape {
            tensor: name(tensor),
            found: Vec::new(),
            wanted: "at most 8 extents are read",
        });
    }
    let mut extents: Vec<i32> = tensor.shape.iter().collect();
    if let Some(batch) = extents.first_mut().filter(|batch| **batch == -1) {
        *batch = 1;
    }
    Ok(extents)
}

fn elements(tensor: &Tensor<'_>) -> Result<usize, Problem> {
    product(tensor, dimensions(tensor)?)
}

/// Number of values of `tensor` with these extents.
fn product(tensor: &Tensor<'_>, dims: Vec<i32>) -> Result<usize, Problem> {
    dims.into_iter()
        .try_fold(1usize, |n, extent| {
            n.checked_mul(usize::try_from(extent).ok()?)
        })
        .ok_or_else(|| shape_problem(tensor, "extents are not negative and fit the memory"))
}

fn shape_problem(tensor: &Tensor<'_>, wanted: &'static str) -> Problem {
    Problem::Shape {
        tensor: name(tensor),
        found: tensor.shape.iter().take(8).collect(),
        wanted,
    }
}

fn wrong_type(tensor: &Tensor<'_>, found: i8, wanted: &'static str) -> Problem {
    Problem::NumberType {
        tensor: name(tensor),
        found: number_type(found),
        wanted,
    }
}
