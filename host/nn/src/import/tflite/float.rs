//! Converts the operators of a float file to a float network.

use std::collections::BTreeMap;

use posy_shared::model::Shape;

use super::error::TfliteError;
use super::names::{self, FLOAT32, operator};
use super::schema::{Graph, Model, Operator, Options};
use super::tensors::Tensors;
use crate::graph::builder::{
    Arithmetic, Assembled, Axis, Chain, Constant, Map, Pads, Problem, Value, Window, from_end,
};
use crate::graph::network::{Hybrid, Scoring};

/// Layout of maps in a file.
const NHWC: [Axis; 4] = [Axis::Batch, Axis::Height, Axis::Width, Axis::Channels];

/// Layout of the input of a file that PyTorch's converter wrote, which it transposes itself.
const NCHW: [Axis; 4] = [Axis::Batch, Axis::Channels, Axis::Height, Axis::Width];

/// True if the file's first convolution reads and writes float32.
pub(super) fn is_float(model: &Model<'_>, graph: &Graph<'_>) -> bool {
    let convolves = |step: &&Operator<'_>| {
        let code = usize::try_from(step.code).ok();
        let code = code.and_then(|code| model.codes.get(code));
        code.is_some_and(|code| matches!(code.builtin, names::CONV_2D | names::DEPTHWISE_CONV_2D))
    };
    let first = graph.operators.iter().find(convolves);
    let output = first.and_then(|step| step.outputs.get(0));
    let output = output.and_then(|index| usize::try_from(index).ok());
    let tensor = output.and_then(|index| graph.tensors.get(index));
    tensor.is_some_and(|tensor| tensor.number_type == FLOAT32)
}

/// A graph being read.
struct Walk<'s, 'm, 'a> {
    tensors: &'s Tensors<'m, 'a>,
    chain: Chain,
    values: BTreeMap<i32, Value>,
    /// Layers that quantise what they read as they run.
    hybrids: BTreeMap<usize, Hybrid>,
}

/// Reads the operators of `graph` in order.
pub(super) fn read<'a>(
    model: &Model<'a>,
    graph: &Graph<'a>,
    tensors: &Tensors<'_, 'a>,
    file_len: usize,
) -> Result<(Assembled, BTreeMap<usize, Hybrid>), TfliteError> {
    let (1, Some(input)) = (graph.inputs.len(), graph.inputs.get(0)) else {
        return Err(TfliteError::Count {
            what: "inputs",
            count: graph.inputs.len(),
        });
    };
    let refused = |index: usize, number: i32, output: Option<i32>, problem| TfliteError::Float {
        index,
        operator: operator(number),
        output: output.map(|t| tensors.name(t)).unwrap_or_default(),
        problem: Box::new(problem),
    };
    let input_dims = tensors.float_dimensions(input);
    let dims = input_dims.map_err(|problem| refused(0, -1, Some(input), problem))?;
    let (height, width, channels, axes) = match *dims.as_slice() {
        [1, height, width, channels @ (1 | 3)] => (height, width, channels, NHWC),
        [1, channels @ (1 | 3), height, width] => (height, width, channels, NCHW),
        _ => return Err(TfliteError::Input { found: dims }),
    };
    let side = |extent: usize| u16::try_from(extent).ok().filter(|extent| *extent > 0);
    let (Some(height), Some(width)) = (side(height), side(width)) else {
        return Err(TfliteError::Input { found: dims });
    };
    let shape = Shape {
        height,
        width,
        channels: channels as u16,
    };
    let (chain, map) = Chain::new(shape, axes.to_vec(), file_len);
    let mut walk = Walk {
        tensors,
        chain,
        values: BTreeMap::from([(input, Value::Map(map))]),
        hybrids: BTreeMap::new(),
    };
    for (index, step) in graph.operators.iter().enumerate() {
        let code = usize::try_from(step.code).ok();
        let number = code.and_then(|code| model.codes.get(code));
        let number = number.map_or(-1, |code| code.builtin);
        let Err(problem) = walk.step(number, step) else {
            continue;
        };
        // A new head replaces everything after the features, unless a map is still in use.
        let rest = graph.operators[index..].iter();
        let mut rest = rest.flat_map(|step| step.inputs.iter());
        let in_use = rest.any(|tensor| match walk.values.get(&tensor) {
            Some(Value::Map(map)) => map.is_spatial(),
            _ => false,
        });
        if walk.chain.has_pooled() && problem.is_foreign() && !in_use {
            walk.chain.unscored();
            break;
        }
        return Err(refused(index, number, step.outputs.get(0), problem));
    }
    Ok((walk.chain.finish(), walk.hybrids))
}

impl<'a> Walk<'_, '_, 'a> {
    /// Value of a tensor: the output of an operator, or a constant.
    fn value(&self, tensor: i32) -> Result<Value, Problem> {
        match self.values.get(&tensor) {
            Some(value) => Ok(value.clone()),
            None => Ok(Value::Constant(self.tensors.constant(tensor)?)),
        }
    }

    fn step(&mut self, number: i32, step: &Operator<'a>) -> Result<(), Problem> {
        let operand = |place: usize, what| {
            let tensor = step.inputs.get(place).filter(|tensor| *tensor >= 0);
            tensor.ok_or(Problem::Missing(what))
        };
        let is_map = |tensor| matches!(self.values.get(&tensor), Some(Value::Map(_)));
        if self.tensors.computes_shapes(number, step, is_map) {
            return Ok(());
        }
        let output = step.outputs.get(0).ok_or(Problem::Missing("output"))?;
        let name = self.tensors.name(output);
        let first = self.value(operand(0, "input")?)?;
        let constant = |walk: &Self, place: usize, what| -> Result<Constant, Problem> {
            let value = walk.value(operand(place, what)?)?;
            value.constant(what).cloned()
        };
        let mut activation = 0;
        // True if the file may give the output another shape.
        let mut view = false;
        let value = match number {
            names::CONV_2D | names::DEPTHWISE_CONV_2D => {
                let weights = constant(self, 1, "weights")?;
                let bias = match step.inputs.get(2) {
                    Some(tensor) if tensor >= 0 => Some(constant(self, 2, "bias")?),
                    _ => None,
                };
                let Options::Convolution {
                    activation: fused, ..
                } = step.options
                else {
                    return Err(Problem::Missing("options"));
                };
                activation = fused;
                let depthwise = number == names::DEPTHWISE_CONV_2D;
                let map = first.map("input")?;
                let written =
                    self.convolution(map, &weights, bias.as_ref(), step.options, depthwise, &name)?;
                self.note_hybrid(step, &written, |scales| (scales > 1 || depthwise, false));
                written
            }
            names::ADD | names::SUB | names::MUL | names::DIV => {
                if let Options::Add { activation: fused } = step.options {
                    activation = fused;
                }
                let by = match number {
                    names::ADD => Arithmetic::Add,
                    names::SUB => Arithmetic::Subtract,
                    names::MUL => Arithmetic::Multiply,
                    _ => Arithmetic::Divide,
                };
                let second = self.value(operand(1, "second operand")?)?;
                self.chain.combine(by, &first, &second, &name)?
            }
            names::AVERAGE_POOL_2D => {
                let Options::Pool {
                    filter,
                    activation: fused,
                } = step.options
                else {
                    return Err(Problem::Missing("options"));
                };
                activation = fused;
                let kernel: Vec<usize> = filter
                    .iter()
                    .filter_map(|extent| usize::try_from(*extent).ok())
                    .collect();
                // A pool as large as the map with one pixel of output has no padding.
                let dims = self.tensors.float_dimensions(output)?;
                let single = matches!(dims.as_slice(), [1, 1, 1, _]);
                let map = first.map("input")?;
                Value::Map(self.chain.average_pool(map, &kernel, single, &name)?)
            }
            names::MEAN => {
                let map = first.map("input")?;
                let axes = constant(self, 1, "axes")?;
                let places = axes
                    .wholes("axes")?
                    .iter()
                    .map(|axis| from_end(*axis, map.axes.len()))
                    .collect::<Result<Vec<_>, _>>()?;
                let keep = self.tensors.stated_extents(output).len() == map.axes.len();
                Value::Map(self.chain.mean(map, &places, keep, &name)?)
            }
            names::FULLY_CONNECTED => {
                let Options::FullyConnected {
                    activation: fused,
                    asymmetric,
                    ..
                } = step.options
                else {
                    return Err(Problem::Missing("options"));
                };
                activation = fused;
                let weights = constant(self, 1, "weights")?;
                let bias = match step.inputs.get(2) {
                    Some(tensor) if tensor >= 0 => Some(constant(self, 2, "bias")?),
                    _ => None,
                };
                let map = first.map("input")?.clone();
                let inputs = weights.dims.get(1).copied();
                let spatial = map.is_spatial();
                let bias = bias.as_ref();
                view =
                    spatial && map.axes == NHWC && inputs == Some(usize::from(map.shape.channels));
                let written = if view {
                    self.chain.dense_per_pixel(&map, &weights, bias, &name)?
                } else {
                    let flat = match spatial && map.axes == NHWC {
                        true => self.chain.flatten(&map, &name)?,
                        false => map,
                    };
                    self.chain.dense(&flat, &weights, bias, &name)?
                };
                let written = Value::Map(written);
                self.note_hybrid(step, &written, |_| (asymmetric, true));
                written
            }
            names::PAD => {
                let amounts = constant(self, 1, "paddings")?;
                let (pairs, _) = amounts.wholes("paddings")?.as_chunks::<2>();
                let amounts: Vec<(i64, i64)> = pairs.iter().map(|[a, b]| (*a, *b)).collect();
                self.chain.pad(first.map("input")?, &amounts)?
            }
            names::RESHAPE | names::SQUEEZE => {
                // The shape of the output determines the result.
                self.tensors.settle_reshaped(step);
                let dims = self.tensors.float_dimensions(output)?;
                let map = first.map("input")?;
                if map.is_spatial() && dims != map.dims() && map.axes == NHWC {
                    // A fully connected layer reads it, pixel by pixel or as one vector.
                    self.values.insert(output, first);
                    return Ok(());
                }
                let dims: Vec<i64> = dims.into_iter().map(|extent| extent as i64).collect();
                Value::Map(map.reshaped(&dims)?)
            }
            names::TRANSPOSE => {
                let order = constant(self, 1, "permutation")?;
                let order = order.wholes("permutation")?.iter();
                let rank = order.len();
                let order: Vec<usize> = order
                    .map(|axis| from_end(*axis, rank))
                    .collect::<Result<_, _>>()?;
                match &first {
                    Value::Map(map) => Value::Map(map.transposed(&order)?),
                    Value::Constant(constant) => {
                        self.chain.spend(constant.len())?;
                        let turned = constant.transposed(&order);
                        Value::Constant(turned.ok_or(Problem::Axes)?)
                    }
                }
            }
            // Weights in another type are read as real numbers.
            names::DEQUANTIZE => {
                first.constant("input")?;
                first
            }
            names::SOFTMAX | names::LOGISTIC => {
                let scoring = match step.options {
                    Options::Softmax { beta } => Scoring::Softmax { beta },
                    _ if number == names::LOGISTIC => Scoring::Logistic,
                    _ => return Err(Problem::Missing("options")),
                };
                Value::Map(self.chain.score(first.map("input")?, scoring)?)
            }
            names::RELU => Value::Map(self.chain.clamp(first.map("input")?, 0.0, f32::INFINITY)?),
            names::RELU6 => Value::Map(self.chain.clamp(first.map("input")?, 0.0, 6.0)?),
            _ => return Err(Problem::Operator),
        };
        let value = match (activation, value) {
            (0, value) => value,
            (1, Value::Map(map)) => Value::Map(self.chain.clamp(&map, 0.0, f32::INFINITY)?),
            (3, Value::Map(map)) => Value::Map(self.chain.clamp(&map, 0.0, 6.0)?),
            (other, _) => {
                return Err(Problem::Setting {
                    name: "fused activation",
                    found: other.to_string(),
                    wanted: "posy runs none, ReLU and ReLU6",
                });
            }
        };
        if let Value::Map(map) = &value {
            match map.is_spatial() && view {
                true => self.tensors.settle(output, map.shape),
                false => {
                    let dims = map.dims().into_iter();
                    let dims = dims.map(|extent| i32::try_from(extent).unwrap_or(i32::MAX));
                    self.tensors.settle_dimensions(output, dims.collect());
                }
            }
        }
        if let Value::Map(map) = &value
            && !view
        {
            let found = self.tensors.float_dimensions(output)?;
            // What is computed value by value, after pixels were put in a row.
            let each = matches!(
                number,
                names::ADD | names::SUB | names::MUL | names::DIV | names::RELU | names::RELU6
            );
            let in_a_row = each
                && map.is_spatial()
                && map.axes == NHWC
                && found.last() == Some(&map.shape.channels.into())
                && found.iter().product::<usize>() == map.dims().iter().product::<usize>();
            if found != map.dims() && !in_a_row {
                return Err(Problem::Shape {
                    what: "an output",
                    found,
                    wanted: "another shape follows from its input",
                });
            }
        }
        self.values.insert(output, value);
        Ok(())
    }

    /// Notes the layer that writes `written` if its weights are int8. `kind` tells of the number of their scales if
    /// what it reads gets a zero point, and if it does so pixel by pixel.
    fn note_hybrid(
        &mut self,
        step: &Operator<'a>,
        written: &Value,
        kind: impl Fn(usize) -> (bool, bool),
    ) {
        let weights = step.inputs.get(1);
        let Some(weights) = weights.filter(|tensor| !self.values.contains_key(tensor)) else {
            return;
        };
        let index = written.map("output").ok().and_then(Map::layer);
        let layer = index.and_then(|index| Some((index, self.chain.layer(index)?)));
        let (Some((index, layer)), Some(scales)) = (layer, self.tensors.int8_scales(weights))
        else {
            return;
        };
        let (asymmetric, each_pixel) = kind(scales.len());
        let outputs = layer.bias.len();
        let scales = match *scales.as_slice() {
            [scale] => vec![scale; outputs],
            _ => scales,
        };
        if scales.len() == outputs {
            let hybrid = Hybrid {
                scales,
                asymmetric: asymmetric || outputs == 1,
                each_pixel,
            };
            self.hybrids.insert(index, hybrid);
        }
    }

    fn convolution(
        &mut self,
        map: &Map,
        weights: &Constant,
        bias: Option<&Constant>,
        options: Options,
        depthwise: bool,
        name: &str,
    ) -> Result<Value, Problem> {
        let Options::Convolution {
            padding,
            stride,
            dilation,
            ..
        } = options
        else {
            return Err(Problem::Missing("options"));
        };
        if map.axes != NHWC {
            return Err(Problem::Axes);
        }
        let steps = |steps: [i32; 2]| -> Vec<usize> {
            steps
                .iter()
                .map(|step| usize::try_from(*step).unwrap_or(0))
                .collect()
        };
        // [O, H, W, I]; depthwise [1, H, W, O].
        let order: &[usize] = if depthwise {
            &[3, 0, 1, 2]
        } else {
            &[0, 3, 1, 2]
        };
        self.chain.spend(weights.len())?;
        let weights = weights.transposed(order).ok_or_else(|| Problem::Shape {
            what: "weights",
            found: weights.dims.clone(),
            wanted: "weights are [O, H, W, I]",
        })?;
        let window = Window {
            strides: steps(stride),
            dilations: steps(dilation),
            pads: match padding {
                0 => Pads::SameUpper,
                1 => Pads::Explicit([0; 4]),
                other => {
                    return Err(Problem::Setting {
                        name: "padding",
                        found: other.to_string(),
                        wanted: "posy knows SAME and VALID",
                    });
                }
            },
            groups: if depthwise {
                map.shape.channels.into()
            } else {
                1
            },
        };
        let chain = &mut self.chain;
        Ok(Value::Map(
            chain.convolution(map, &weights, bias, &window, name)?,
        ))
    }
}
