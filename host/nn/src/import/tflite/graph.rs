//! Converts the list of operators to a chain of layers.

use std::collections::BTreeMap;

use posy_shared::model::{Op, Padding};

use super::error::{Problem, TfliteError};
use super::input::{InputFold, Operand};
use super::layers::Site;
use super::names::{self, operator};
use super::schema::{Graph, Model, Operator, Options};
use super::tensors::{Map, Tensors};
use crate::graph::builder;
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{Activation, Common, Quantisation, TrainedLayer, TrainedNetwork, pool};

/// Padding of a window that writes as many pixels as it reads.
const AROUND: Padding = Padding {
    top: 1,
    bottom: 1,
    left: 1,
    right: 1,
};

/// Writer of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Writer {
    /// The network's input.
    Input,
    /// A layer, by its index.
    Layer(usize),
}

/// Value of a tensor. Operators that only relabel a tensor give a layer's output another name.
#[derive(Clone, Copy, Debug)]
struct Value {
    writer: Writer,
    /// Rows and columns added by a PAD.
    padded: Padding,
}

/// A chain of layers under construction.
struct Chain<'s, 'm, 'a> {
    tensors: &'s Tensors<'m, 'a>,
    layers: Vec<TrainedLayer>,
    /// Input quantisation; for a float input, known once an operator has quantised it.
    input: Option<Quantisation>,
    /// True if the file's input is in floating point.
    float_input: bool,
    /// Arithmetic on the integer input.
    fold: Option<InputFold>,
    values: BTreeMap<i32, Value>,
    /// True after the softmax, or once values are dequantised to float.
    ended: bool,
}

/// Reads the operators of `graph` in order.
pub(super) fn read<'a>(
    model: &Model<'a>,
    graph: &Graph<'a>,
    tensors: &Tensors<'_, 'a>,
    sha256: [u8; 32],
) -> Result<TrainedNetwork, TfliteError> {
    let one = |what, list: &super::cursor::Vector<'a, i32>| match (list.len(), list.get(0)) {
        (1, Some(tensor)) => Ok(tensor),
        (count, _) => Err(TfliteError::Count { what, count }),
    };
    let (input, output) = (
        one("inputs", &graph.inputs)?,
        one("outputs", &graph.outputs)?,
    );
    let value = Value {
        writer: Writer::Input,
        padded: Padding::default(),
    };
    let mut chain = Chain {
        tensors,
        layers: Vec::new(),
        input: None,
        float_input: false,
        fold: None,
        values: BTreeMap::from([(input, value)]),
        ended: false,
    };
    let mut unread = None;
    for (index, step) in graph.operators.iter().enumerate() {
        let code = usize::try_from(step.code)
            .ok()
            .and_then(|i| model.codes.get(i));
        let number = code.map_or(-1, |c| c.builtin);
        let done = match code {
            Some(code) if number == names::CUSTOM => {
                let name = String::from_utf8_lossy(code.custom.bytes());
                Err(Problem::Custom(builder::shown(&name)))
            }
            Some(_) => chain.step(number, step),
            None => Err(Problem::Operator),
        };
        let Err(problem) = done else { continue };
        let output = step.outputs.get(0);
        let error = TfliteError::Layer {
            index,
            operator: operator(number),
            output: output.map(|t| tensors.name(t)).unwrap_or_default(),
            problem: Box::new(problem),
        };
        // A new head replaces everything after the features, unless a map is still in use.
        if !chain.has_features() || chain.reads_maps(&graph.operators[index..]) {
            return Err(error);
        }
        unread = Some(error.to_string());
        break;
    }
    let last = chain
        .layers
        .len()
        .checked_sub(1)
        .ok_or(TfliteError::Empty)?;
    let writes_output =
        |v: &Value| v.writer == Writer::Layer(last) && v.padded == Padding::default();
    if unread.is_none() && !chain.values.get(&output).is_some_and(writes_output) {
        return Err(TfliteError::Output { tensor: output });
    }
    let input = chain.input.ok_or(TfliteError::Empty)?;
    let channels = chain.layers[0].common.input.channels;
    let (input_table, pixels) = match &chain.fold {
        Some(fold) => {
            let (table, levels) = fold.table(channels.into());
            (Some(table), Some(levels))
        }
        // A float input is quantised by the file, whose rounding of grey levels is its own.
        None if chain.float_input => (None, GreyLevels::range(input)),
        None => (None, GreyLevels::of(input)),
    };
    Ok(TrainedNetwork {
        pixels,
        input_table,
        sha256,
        input,
        layers: chain.layers,
        unread,
        scoring: None,
    })
}

impl<'a> Chain<'_, '_, 'a> {
    fn step(&mut self, number: i32, operator: &Operator<'a>) -> Result<(), Problem> {
        let input = operator.inputs.get(0).ok_or(Problem::Missing("input"))?;
        let output = operator.outputs.get(0).ok_or(Problem::Missing("output"))?;
        let is_map = |tensor| self.values.contains_key(&tensor);
        if self.tensors.computes_shapes(number, operator, is_map) {
            return Ok(());
        }
        match number {
            names::QUANTIZE | names::DEQUANTIZE => return self.requantise(number, input, output),
            names::RESHAPE | names::SQUEEZE => return self.reshape(operator, input, output),
            names::TRANSPOSE => return self.transpose(operator, input, output),
            names::SOFTMAX | names::LOGISTIC => {
                let value = self.newest(input)?;
                self.unpadded(value)?;
                self.ended = true;
                self.values.insert(output, value);
                return Ok(());
            }
            names::MUL | names::ADD | names::SUB if self.layers.is_empty() => {
                return self.fold_input(number, operator, output);
            }
            names::CONV_2D
            | names::DEPTHWISE_CONV_2D
            | names::FULLY_CONNECTED
            | names::AVERAGE_POOL_2D
            | names::MEAN
            | names::ADD
            | names::PAD => {}
            _ => return Err(Problem::Operator),
        }
        if self.ended {
            return Err(Problem::AfterEnd);
        }
        if number == names::ADD
            && let Some((chained, constant)) = self.constant_operand(operator)
        {
            return self.add_constant(operator, (chained, constant), output);
        }
        let (chained, other) = if number == names::ADD {
            self.operands(operator)?
        } else {
            (input, input)
        };
        let mut value = self.newest(chained)?;
        let map = match number {
            names::FULLY_CONNECTED => {
                let map = self.flat_before(chained, &mut value, operator)?;
                self.unpadded(value)?;
                map
            }
            _ => self.map_before(chained, value)?,
        };
        let site = Site {
            tensors: self.tensors,
            operator,
            input: map,
            padded: value.padded,
            name: self.tensors.name(output),
        };
        let layer = match number {
            names::CONV_2D => {
                let after_pool = self.layers.iter().any(|l| l.common.op.is_global());
                site.convolution(after_pool)?
            }
            names::DEPTHWISE_CONV_2D => site.depthwise(self.layers.is_empty())?,
            names::FULLY_CONNECTED => site.fully_connected()?,
            names::AVERAGE_POOL_2D => site.average_pool()?,
            names::MEAN => site.mean()?,
            names::PAD => {
                let padded = site.pad()?;
                self.values.insert(output, Value { padded, ..value });
                return Ok(());
            }
            _ => match self.values.get(&other).map(|v| (v.writer, v.padded)) {
                Some((Writer::Layer(skip), padded)) if padded == Padding::default() => {
                    site.add(skip, self.tensors.map(other)?)?
                }
                _ => return Err(Problem::Operand),
            },
        };
        let writer = Writer::Layer(self.layers.len());
        self.layers.push(layer);
        self.values.insert(
            output,
            Value {
                writer,
                padded: Padding::default(),
            },
        );
        Ok(())
    }

    /// True once the map before a classifier is complete: it is pooled, flattened, or read by a fully
    /// connected operator.
    fn has_features(&self) -> bool {
        let mut layers = self.layers.iter();
        layers.any(|layer| layer.fully_connected || layer.common.op.is_global())
    }

    /// True if one of `operators` reads a map of several pixels.
    fn reads_maps(&self, operators: &[Operator<'a>]) -> bool {
        let mut read = operators.iter().flat_map(|step| step.inputs.iter());
        read.any(|tensor| match self.values.get(&tensor).map(|v| v.writer) {
            Some(Writer::Layer(index)) => self.layers.get(index).is_some_and(|layer| {
                let Common { output, .. } = layer.common;
                (output.height, output.width) != (1, 1)
            }),
            Some(Writer::Input) => true,
            None => false,
        })
    }

    /// Folds MUL, ADD or SUB of the input and a constant.
    fn fold_input(
        &mut self,
        number: i32,
        operator: &Operator<'a>,
        output: i32,
    ) -> Result<(), Problem> {
        let [a, b] = [0, 1].map(|place| operator.inputs.get(place));
        let (Some(a), Some(b)) = (a, b) else {
            return Err(Problem::Missing("second operand"));
        };
        let (chained, constant) = match (self.newest(a).is_ok(), self.newest(b).is_ok()) {
            (true, false) => (a, b),
            (false, true) if number != names::SUB => (b, a),
            _ => return Err(Problem::Operand),
        };
        let value = self.newest(chained)?;
        self.unpadded(value)?;
        let before = self.map_before(chained, value)?;
        self.tensors.settle(output, before.shape);
        let after = self.tensors.map(output)?;
        let channels = usize::from(before.shape.channels);
        if after.shape != before.shape {
            return Err(Problem::Operand);
        }
        let (constant, activation) = self.of_channels(operator, constant, channels)?;
        let fold = self
            .fold
            .get_or_insert_with(|| InputFold::new(before.quantisation));
        fold.combine(number, &constant, after.quantisation, activation)?;
        self.input = Some(fold.output);
        self.values.insert(output, value);
        Ok(())
    }

    /// The constant operand of MUL, ADD or SUB, one value or one for each of `channels`, and the operator's activation.
    fn of_channels(
        &self,
        operator: &Operator<'a>,
        constant: i32,
        channels: usize,
    ) -> Result<(Operand, Activation), Problem> {
        let values = self.tensors.quantised(constant)?;
        if values.len() != 1 && values.len() != channels {
            return Err(Problem::Operand);
        }
        let constant = Operand {
            values,
            quantisation: self.tensors.quantisation(constant)?,
        };
        let Options::Add { activation } = operator.options else {
            return Err(Problem::Options);
        };
        Ok((constant, super::layers::activation(activation)?))
    }

    /// Operands of an addition to the output of the last layer of several pixels: its tensor, and a constant.
    fn constant_operand(&self, operator: &Operator<'a>) -> Option<(i32, i32)> {
        let (a, b) = operator.inputs.get(0).zip(operator.inputs.get(1))?;
        let (chained, constant) = match self.values.contains_key(&a) {
            true => (a, b),
            false => (b, a),
        };
        self.newest(chained).ok()?;
        (!self.values.contains_key(&constant)).then_some((chained, constant))
    }

    /// Adds a constant for each channel, such as a bias that a file could not give to the fully connected operator
    /// before: a depthwise layer of one tap that writes the same integers.
    fn add_constant(
        &mut self,
        operator: &Operator<'a>,
        (chained, constant): (i32, i32),
        output: i32,
    ) -> Result<(), Problem> {
        let value = self.newest(chained)?;
        self.unpadded(value)?;
        let Writer::Layer(index) = value.writer else {
            return Err(Problem::Operand);
        };
        let (shape, before) = (self.layers[index].common.output, self.layers[index].output);
        self.tensors
            .settle_dimensions(output, self.tensors.dimensions(chained)?);
        if self.tensors.len(output)? != shape.len() || (shape.height, shape.width) == (1, 1) {
            return Err(Problem::Operand);
        }
        let channels = usize::from(shape.channels);
        let (constant, activation) = self.of_channels(operator, constant, channels)?;
        let after = self.tensors.quantisation(output)?;
        let mut fold = InputFold::new(before);
        fold.combine(names::ADD, &constant, after, activation)?;
        let mut layer = TrainedLayer {
            common: Common {
                op: Op::Depthwise3x3,
                name: self.tensors.name(output),
                output: shape,
                padding: AROUND,
                activation,
                ..pool(shape)
            },
            weights: Vec::with_capacity(9 * channels),
            weight_scales: Vec::with_capacity(channels),
            bias: Vec::with_capacity(channels),
            output: after,
            fully_connected: false,
        };
        for channel in 0..channels {
            let added = constant.real(channel);
            let tap = fold.tap(channel, added, (before, after), activation);
            let tap = tap.ok_or(Problem::Operand)?;
            layer.weights.extend([0, 0, 0, 0, tap.weight, 0, 0, 0, 0]);
            layer.weight_scales.push(tap.scale);
            layer.bias.push(tap.bias);
        }
        let writer = Writer::Layer(self.layers.len());
        self.layers.push(layer);
        let padded = Padding::default();
        self.values.insert(output, Value { writer, padded });
        Ok(())
    }

    /// The map that a fully connected operator reads, whatever shape the file gives it: pixel by pixel,
    /// or all pixels at once, for which a layer that flattens the map is added.
    fn flat_before(
        &mut self,
        tensor: i32,
        value: &mut Value,
        operator: &Operator<'a>,
    ) -> Result<Map, Problem> {
        let Writer::Layer(index) = value.writer else {
            return self.map_before(tensor, *value);
        };
        let layer = &self.layers[index];
        let map = Map {
            shape: layer.common.output,
            quantisation: layer.output,
        };
        let weights = operator.inputs.get(1).ok_or(Problem::Missing("weights"))?;
        let dims = self.tensors.dimensions(weights)?;
        let inputs = dims.get(1).and_then(|extent| usize::try_from(*extent).ok());
        let (len, channels) = (map.shape.len(), usize::from(map.shape.channels));
        if len == channels || inputs != Some(len) {
            return Ok(map);
        }
        let flat = u16::try_from(len).map_err(|_| Problem::Flat(len))?;
        let mut common = Common {
            op: Op::Flatten,
            name: self.tensors.name(tensor),
            ..pool(map.shape)
        };
        common.output.channels = flat;
        let shape = common.output;
        value.writer = Writer::Layer(self.layers.len());
        self.layers.push(TrainedLayer {
            common,
            weights: Vec::new(),
            weight_scales: Vec::new(),
            bias: Vec::new(),
            output: map.quantisation,
            fully_connected: false,
        });
        Ok(Map { shape, ..map })
    }

    /// Output of the chain's last layer, under the name `tensor`.
    fn newest(&self, tensor: i32) -> Result<Value, Problem> {
        let end = self
            .layers
            .len()
            .checked_sub(1)
            .map_or(Writer::Input, Writer::Layer);
        let value = self.values.get(&tensor).filter(|v| v.writer == end);
        value
            .copied()
            .ok_or_else(|| Problem::Branch(self.tensors.name(tensor)))
    }

    /// Operands of an addition: the end of the chain, and the other one. Addition is symmetric:
    /// each operand has its own scale, and the sum is taken after both are rescaled.
    fn operands(&self, operator: &Operator<'a>) -> Result<(i32, i32), Problem> {
        let (a, b) = operator
            .inputs
            .get(0)
            .zip(operator.inputs.get(1))
            .ok_or(Problem::Missing("second operand"))?;
        match (self.newest(a).is_ok(), self.newest(b).is_ok()) {
            (true, false) => Ok((a, b)),
            (false, true) => Ok((b, a)),
            (true, true) => Err(Problem::Operand),
            (false, false) => Err(Problem::Branch(self.tensors.name(a))),
        }
    }

    /// The map that a layer reads under the name `tensor`, without the rows and columns of a PAD.
    fn map_before(&mut self, tensor: i32, value: Value) -> Result<Map, Problem> {
        let mut map = self.tensors.map(tensor)?;
        match value.writer {
            Writer::Input => {
                let input = *self.input.get_or_insert(map.quantisation);
                map.quantisation = input;
            }
            Writer::Layer(index) => {
                if let Some(layer) = self.layers.get(index) {
                    map.quantisation = layer.output;
                }
            }
        }
        let Padding {
            top,
            bottom,
            left,
            right,
        } = value.padded;
        map.shape.height -= u16::from(top) + u16::from(bottom);
        map.shape.width -= u16::from(left) + u16::from(right);
        if let Writer::Layer(index) = value.writer {
            // A view of another shape is read by fully connected operators only.
            let expected = self.layers.get(index).map(|layer| layer.common.output);
            if let Some(expected) = expected.filter(|expected| *expected != map.shape) {
                let found = map.shape;
                return Err(Problem::OutputShape { found, expected });
            }
        }
        Ok(map)
    }

    fn unpadded(&self, value: Value) -> Result<(), Problem> {
        if value.padded == Padding::default() {
            Ok(())
        } else {
            Err(Problem::Padding)
        }
    }

    /// TRANSPOSE of a planar input, `[1, C, H, W]`, to the layout in which posy reads pictures anyway.
    fn transpose(
        &mut self,
        operator: &Operator<'a>,
        input: i32,
        output: i32,
    ) -> Result<(), Problem> {
        let value = self.newest(input)?;
        let order = operator
            .inputs
            .get(1)
            .ok_or(Problem::Missing("permutation"))?;
        if value.writer != Writer::Input || self.tensors.integers(order)? != [0, 2, 3, 1] {
            return Err(Problem::Operator);
        }
        self.values.insert(output, value);
        Ok(())
    }

    /// RESHAPE and SQUEEZE: another shape for the same values in the same order.
    fn reshape(&mut self, operator: &Operator<'a>, input: i32, output: i32) -> Result<(), Problem> {
        let value = self.newest(input)?;
        self.unpadded(value)?;
        if !self.ended {
            self.tensors.settle_reshaped(operator);
            let (before, after) = (self.tensors.len(input)?, self.tensors.len(output)?);
            if before != after {
                return Err(Problem::Shape {
                    tensor: self.tensors.name(output),
                    found: self.tensors.dimensions(output)?,
                    wanted: "a reshape keeps the number of values",
                });
            }
            let before = match value.writer {
                Writer::Layer(index) => self.layers[index].output,
                Writer::Input => self.tensors.quantisation(input)?,
            };
            if before != self.tensors.quantisation(output)? {
                return Err(Problem::Requantises);
            }
        }
        self.values.insert(output, value);
        Ok(())
    }

    /// QUANTIZE and DEQUANTIZE at the ends of the network, where they are exact: float to integer
    /// at the input, integer to float at the output, uint8 to int8 and back at either.
    fn requantise(&mut self, number: i32, input: i32, output: i32) -> Result<(), Problem> {
        let value = self.newest(input)?;
        self.unpadded(value)?;
        if number == names::DEQUANTIZE {
            self.ended = true;
        } else if value.writer == Writer::Input && self.tensors.is_float(input)? {
            self.tensors
                .settle_dimensions(output, self.tensors.dimensions(input)?);
            self.input = Some(self.tensors.map(output)?.quantisation);
            self.float_input = true;
        } else if !self.ended {
            let before = self.map_before(input, value)?;
            self.tensors.settle(output, before.shape);
            let after = self.tensors.map(output)?;
            if before.shape == after.shape && value.writer == Writer::Input && before != after {
                let fold = self
                    .fold
                    .get_or_insert_with(|| InputFold::new(before.quantisation));
                fold.requantise(after.quantisation)?;
                self.input = Some(fold.output);
            } else if before != after {
                return Err(Problem::Requantises);
            }
        }
        self.values.insert(output, value);
        Ok(())
    }
}
