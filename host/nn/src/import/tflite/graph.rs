//! Converts the list of operators to a chain of layers.

use std::collections::BTreeMap;

use posy_shared::model::{Op, Padding};

use super::error::{Problem, TfliteError};
use super::layers::Site;
use super::names::{self, operator};
use super::schema::{Graph, Model, Operator};
use super::tensors::{Map, Tensors};
use crate::graph::builder;
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{Quantisation, TrainedLayer, TrainedNetwork};

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
        values: BTreeMap::from([(input, value)]),
        ended: false,
    };
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
        done.map_err(|problem| TfliteError::Layer {
            index,
            operator: operator(number),
            output: step
                .outputs
                .get(0)
                .map(|t| tensors.name(t))
                .unwrap_or_default(),
            problem: Box::new(problem),
        })?;
    }
    let last = chain
        .layers
        .len()
        .checked_sub(1)
        .ok_or(TfliteError::Empty)?;
    let writes_output =
        |v: &Value| v.writer == Writer::Layer(last) && v.padded == Padding::default();
    if !chain.values.get(&output).is_some_and(writes_output) {
        return Err(TfliteError::Output { tensor: output });
    }
    let input = chain.input.ok_or(TfliteError::Empty)?;
    Ok(TrainedNetwork {
        pixels: GreyLevels::of(input),
        sha256,
        input,
        layers: chain.layers,
    })
}

impl<'a> Chain<'_, '_, 'a> {
    fn step(&mut self, number: i32, operator: &Operator<'a>) -> Result<(), Problem> {
        let input = operator.inputs.get(0).ok_or(Problem::Missing("input"))?;
        let output = operator.outputs.get(0).ok_or(Problem::Missing("output"))?;
        match number {
            names::QUANTIZE | names::DEQUANTIZE => return self.requantise(number, input, output),
            names::RESHAPE | names::SQUEEZE => return self.reshape(input, output),
            names::SOFTMAX => {
                let value = self.newest(input)?;
                self.unpadded(value)?;
                self.ended = true;
                self.values.insert(output, value);
                return Ok(());
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
        let (chained, other) = if number == names::ADD {
            self.operands(operator)?
        } else {
            (input, input)
        };
        let value = self.newest(chained)?;
        let site = Site {
            tensors: self.tensors,
            operator,
            input: self.map_before(chained, value)?,
            padded: value.padded,
            name: self.tensors.name(output),
        };
        let layer = match number {
            names::CONV_2D => {
                let after_pool = self
                    .layers
                    .iter()
                    .any(|l| l.common.op == Op::GlobalAveragePool);
                site.convolution(after_pool)?
            }
            names::DEPTHWISE_CONV_2D => site.depthwise()?,
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
        Ok(map)
    }

    fn unpadded(&self, value: Value) -> Result<(), Problem> {
        if value.padded == Padding::default() {
            Ok(())
        } else {
            Err(Problem::Padding)
        }
    }

    /// RESHAPE and SQUEEZE that only change the rank.
    fn reshape(&mut self, input: i32, output: i32) -> Result<(), Problem> {
        let value = self.newest(input)?;
        self.unpadded(value)?;
        if !self.ended {
            let (before, after) = (self.map_before(input, value)?, self.tensors.map(output)?);
            if before.shape != after.shape {
                return Err(Problem::OutputShape {
                    found: after.shape,
                    expected: before.shape,
                });
            }
            if before.quantisation != after.quantisation {
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
            self.input = Some(self.tensors.map(output)?.quantisation);
        } else {
            let (before, after) = (self.map_before(input, value)?, self.tensors.map(output)?);
            if before != after && !self.ended {
                return Err(Problem::Requantises);
            }
        }
        self.values.insert(output, value);
        Ok(())
    }
}
