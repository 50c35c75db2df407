//! Converts the nodes, from output to input, to a chain of layers.
//!
//! The first input of each node is the previous node in the chain; an addition has an earlier one
//! besides. So the chain is found from its end.

use std::collections::HashMap;

use posy_shared::model::{Op, Padding, Shape};

use super::Frozen;
use super::error::{FrozenError, Problem};
use super::nodes::{Constant, Nodes, attribute};
use crate::graph::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};
use crate::graph::padding::{same_padding, window_output};
use crate::import::tensorflow::proto::{DT_FLOAT, GraphDef, NodeDef, Value};

/// Maximum height, width or number of channels.
const MAX_EXTENT: i64 = 8192;

/// Maximum size of a map; the largest MobileNet has 803 thousand.
const MAX_MAP: usize = 1 << 24;

pub(super) fn read(graph: &GraphDef, input: &str, output: &str) -> Result<Frozen, FrozenError> {
    let nodes = Nodes::of(graph)?;
    let missing = |name: &str| FrozenError::Missing(name.into());
    let first = nodes.get(input).ok_or_else(|| missing(input))?;
    let mut node = nodes.get(output).ok_or_else(|| missing(output))?;
    if node.op != "Softmax" {
        return Err(FrozenError::Output {
            name: node.name.clone(),
            op: node.op.clone(),
        });
    }
    let mut backwards = vec![node];
    while node.name != first.name {
        node = nodes.input(node, 0).map_err(|problem| at(node, problem))?;
        backwards.push(node);
        if backwards.len() > nodes.len() {
            return Err(FrozenError::Circle);
        }
    }
    let shape = placeholder(first).map_err(|problem| at(first, problem))?;
    let mut chain = Chain {
        nodes: &nodes,
        shape,
        layers: Vec::new(),
        writers: HashMap::new(),
        padded: Padding::default(),
        biased: true,
        scale: 1.0,
        offset: 0.0,
        beta: None,
    };
    for node in backwards.into_iter().rev().skip(1) {
        chain.step(node).map_err(|problem| at(node, problem))?;
        let last = chain.layers.len().checked_sub(1);
        if let Some(last) = last.filter(|_| node.op != "Pad") {
            chain.writers.insert(&node.name, last);
        }
    }
    let Chain {
        layers,
        scale,
        offset,
        beta,
        ..
    } = chain;
    if layers.is_empty() {
        return Err(FrozenError::Empty);
    }
    // Integers are pixels less 128, which are 128 times the graph's input.
    let input = Quantisation {
        scale: scale / 128.0,
        zero_point: (-128.0 * offset / scale).round() as i32,
    };
    Ok(Frozen {
        network: FloatNetwork {
            pixels: None,
            input,
            layers,
        },
        scale,
        offset,
        beta: beta.unwrap_or(1.0),
    })
}

fn at(node: &NodeDef, problem: Problem) -> FrozenError {
    FrozenError::Node {
        name: node.name.clone(),
        op: node.op.clone(),
        problem,
    }
}

/// Shape of the graph's input.
fn placeholder(node: &NodeDef) -> Result<Shape, Problem> {
    if node.op != "Placeholder" || attribute(node, "dtype") != Some(&Value::Type(DT_FLOAT)) {
        return Err(Problem::Operation);
    }
    let Some(Value::Shape(shape)) = attribute(node, "shape") else {
        return Err(Problem::Attribute("shape"));
    };
    let extents: Vec<i64> = shape.dim.iter().map(|dim| dim.size).collect();
    let [-1 | 1, height, width, 3] = *extents.as_slice() else {
        return Err(Problem::Attribute("shape"));
    };
    let extent = |extent| match extent {
        1..=MAX_EXTENT => Ok(extent as u16),
        _ => Err(Problem::Attribute("shape")),
    };
    let shape = Shape {
        height: extent(height)?,
        width: extent(width)?,
        channels: 3,
    };
    let fits = shape.len() <= MAX_MAP;
    fits.then_some(shape).ok_or(Problem::Attribute("shape"))
}

/// A chain of layers under construction.
struct Chain<'n, 'g> {
    nodes: &'n Nodes<'g>,
    /// Input shape of the next layer.
    shape: Shape,
    layers: Vec<FloatLayer>,
    /// Index of the last layer, by node.
    writers: HashMap<&'g str, usize>,
    /// Rows and columns that a `Pad` adds before the next layer.
    padded: Padding,
    /// True if the last layer has its bias, or takes none.
    biased: bool,
    scale: f32,
    offset: f32,
    beta: Option<f32>,
}

impl<'g> Chain<'_, 'g> {
    fn step(&mut self, node: &'g NodeDef) -> Result<(), Problem> {
        let of_floats = matches!(attribute(node, "T"), Some(Value::Type(DT_FLOAT)));
        if !of_floats {
            return Err(Problem::Attribute("T"));
        }
        if self.beta.is_some() && node.op != "Softmax" {
            return Err(Problem::Place);
        }
        let padded = std::mem::take(&mut self.padded);
        let unpadded = padded == Padding::default();
        match node.op.as_str() {
            "Conv2D" | "DepthwiseConv2dNative" => return self.convolution(node, padded),
            _ if !unpadded => return Err(Problem::Place),
            "Mul" => self.factor(node)?,
            "Add" | "AddV2" if self.layers.is_empty() => {
                self.offset += number(self.nodes.floats(node, 1)?).ok_or(Problem::Shape)?;
            }
            "Add" | "AddV2" => self.addition(node)?,
            "Pad" => self.padded = self.pad(node)?,
            "BiasAdd" => self.bias(node)?,
            "Relu" => self.activate(Activation::Relu)?,
            "Relu6" => self.activate(Activation::Relu6)?,
            "Mean" => self.pool(node)?,
            "MatMul" => self.dense(node)?,
            "Softmax" if [self.shape.height, self.shape.width] == [1, 1] => {}
            "Softmax" => return Err(Problem::Shape),
            _ => return Err(Problem::Operation),
        }
        Ok(())
    }

    /// A product with a scalar: of the input before all layers, or of the logits after them.
    fn factor(&mut self, node: &NodeDef) -> Result<(), Problem> {
        let number = number(self.nodes.floats(node, 1)?).ok_or(Problem::Shape)?;
        if number <= 0.0 {
            return Err(Problem::Place);
        }
        if self.layers.is_empty() {
            self.scale *= number;
            self.offset *= number;
        } else {
            self.beta = Some(number);
        }
        Ok(())
    }

    /// Appends a layer; bias, stride, padding and activation are set afterwards.
    fn push(
        &mut self,
        name: &str,
        op: Op,
        output: Shape,
        weights: Vec<f32>,
    ) -> Result<(), Problem> {
        if output.len() > MAX_MAP {
            return Err(Problem::Shape);
        }
        let common = Common {
            name: name.into(),
            op,
            input: self.shape,
            output,
            stride: 1,
            padding: Padding::default(),
            activation: Activation::None,
            skip: None,
        };
        // Layers without a bias node have a bias of zeros.
        let unbiased = matches!(op, Op::Add | Op::GlobalAveragePool);
        let bias = if unbiased { 0 } else { output.channels.into() };
        self.layers.push(FloatLayer {
            common,
            weights,
            bias: vec![0.0; bias],
            range: None,
        });
        self.biased = unbiased;
        self.shape = output;
        Ok(())
    }

    fn convolution(&mut self, node: &NodeDef, padded: Padding) -> Result<(), Problem> {
        let Constant { extents, numbers } = self.nodes.floats(node, 1)?;
        let inputs = usize::from(self.shape.channels);
        let depthwise = node.op == "DepthwiseConv2dNative";
        let (op, outputs) = match *extents.as_slice() {
            [3, 3, channels, 1] if depthwise && channels == inputs => (Op::Depthwise3x3, channels),
            [3, 3, channels, outputs] if !depthwise && channels == inputs => (Op::Conv3x3, outputs),
            [1, 1, channels, outputs] if !depthwise && channels == inputs => {
                (Op::Pointwise, outputs)
            }
            _ => return Err(Problem::Shape),
        };
        let kernel = if op == Op::Pointwise { 1 } else { 3 };
        let Some(Value::List(strides)) = attribute(node, "strides") else {
            return Err(Problem::Attribute("strides"));
        };
        let stride = match *strides.i.as_slice() {
            [1, rows, columns, 1] if rows == columns && (1..=kernel).contains(&rows) => rows as u8,
            _ => return Err(Problem::Attribute("strides")),
        };
        match attribute(node, "data_format") {
            None => {}
            Some(Value::S(format)) if format == b"NHWC" => {}
            Some(_) => return Err(Problem::Attribute("data_format")),
        }
        let kernel = kernel as u16;
        let padding = match attribute(node, "padding") {
            Some(Value::S(word)) if word == b"VALID" => padded,
            Some(Value::S(word)) if word == b"SAME" && padded == Padding::default() => {
                same_padding(self.shape, kernel, stride)
            }
            _ => return Err(Problem::Attribute("padding")),
        };
        let channels = channels(outputs)?;
        let output = window_output(self.shape, kernel, stride, padding, channels);
        let output = output.ok_or(Problem::Shape)?;
        // A depthwise kernel has one column per channel, other kernels one per output.
        let weights = columns(&numbers, outputs);
        self.push(&node.name, op, output, weights)?;
        if let Some(layer) = self.layers.last_mut() {
            layer.common.stride = stride;
            layer.common.padding = padding;
        }
        Ok(())
    }

    fn dense(&mut self, node: &NodeDef) -> Result<(), Problem> {
        for name in ["transpose_a", "transpose_b"] {
            if !matches!(attribute(node, name), None | Some(Value::B(false))) {
                return Err(Problem::Attribute("transpose"));
            }
        }
        let Constant { extents, numbers } = self.nodes.floats(node, 1)?;
        let Shape {
            height,
            width,
            channels: inputs,
        } = self.shape;
        let outputs = match *extents.as_slice() {
            [rows, outputs] if rows == usize::from(inputs) && (height, width) == (1, 1) => outputs,
            _ => return Err(Problem::Shape),
        };
        let output = Shape {
            channels: channels(outputs)?,
            ..self.shape
        };
        let weights = columns(&numbers, outputs);
        self.push(&node.name, Op::Dense, output, weights)
    }

    fn bias(&mut self, node: &NodeDef) -> Result<(), Problem> {
        let Constant { numbers, .. } = self.nodes.floats(node, 1)?;
        let unbiased = !std::mem::replace(&mut self.biased, true);
        let layer = self.layers.last_mut().filter(|_| unbiased);
        let layer = layer.ok_or(Problem::Place)?;
        if layer.common.activation != Activation::None {
            return Err(Problem::Place);
        }
        if numbers.len() != layer.bias.len() {
            return Err(Problem::Shape);
        }
        layer.bias = numbers;
        Ok(())
    }

    fn activate(&mut self, activation: Activation) -> Result<(), Problem> {
        let layer = self.layers.last_mut().ok_or(Problem::Place)?;
        if layer.common.activation != Activation::None {
            return Err(Problem::Place);
        }
        layer.common.activation = activation;
        Ok(())
    }

    fn addition(&mut self, node: &NodeDef) -> Result<(), Problem> {
        let other = node.input.get(1).ok_or(Problem::Input(1))?;
        let skip = *self.writers.get(other.as_str()).ok_or(Problem::Place)?;
        // A node in the middle of a layer is no layer's output.
        let last = self.last_of(skip);
        if last != Some(other.as_str()) || self.layers[skip].common.output != self.shape {
            return Err(Problem::Shape);
        }
        self.push(&node.name, Op::Add, self.shape, Vec::new())?;
        if let Some(layer) = self.layers.last_mut() {
            layer.common.skip = Some(skip);
        }
        Ok(())
    }

    /// The last node of a layer: the one that a node of another layer reads.
    fn last_of(&self, layer: usize) -> Option<&'g str> {
        let names = self.writers.iter().filter(|(_, index)| **index == layer);
        let names: Vec<&'g str> = names.map(|(name, _)| *name).collect();
        let inside = |name: &str| {
            let readers = names.iter().filter_map(|reader| self.nodes.get(reader));
            readers
                .filter_map(|reader| reader.input.first())
                .any(|input| input == name)
        };
        names.iter().find(|name| !inside(name)).copied()
    }

    fn pool(&mut self, node: &NodeDef) -> Result<(), Problem> {
        if self.nodes.ints(node, 1)?.numbers != [1, 2] || self.layers.is_empty() {
            return Err(Problem::Shape);
        }
        let output = Shape {
            height: 1,
            width: 1,
            ..self.shape
        };
        self.push(&node.name, Op::GlobalAveragePool, output, Vec::new())
    }

    fn pad(&self, node: &NodeDef) -> Result<Padding, Problem> {
        let amounts = self.nodes.ints(node, 1)?.numbers;
        let [0, 0, top, bottom, left, right, 0, 0] = *amounts.as_slice() else {
            return Err(Problem::Shape);
        };
        let amount = |amount: i32| match amount {
            0..=2 => Ok(amount as u8),
            _ => Err(Problem::Shape),
        };
        Ok(Padding {
            top: amount(top)?,
            bottom: amount(bottom)?,
            left: amount(left)?,
            right: amount(right)?,
        })
    }
}

/// Value of a one-element constant.
fn number(constant: Constant<f32>) -> Option<f32> {
    match constant.numbers.as_slice() {
        [number] => Some(*number),
        _ => None,
    }
}

fn channels(count: usize) -> Result<u16, Problem> {
    match i64::try_from(count) {
        Ok(1..=MAX_EXTENT) => Ok(count as u16),
        _ => Err(Problem::Shape),
    }
}

/// Transposes a matrix of `width` columns.
fn columns(numbers: &[f32], width: usize) -> Vec<f32> {
    let column = |column| numbers.iter().skip(column).step_by(width.max(1)).copied();
    (0..width).flat_map(column).collect()
}
