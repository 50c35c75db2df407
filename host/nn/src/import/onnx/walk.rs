//! Walks the nodes of a graph and computes the value of each output.

use std::collections::{HashMap, HashSet};

use posy_shared::model::Shape;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, ValueInfoProto, type_proto};

use super::exact::Record;
use super::tensors::constant;
use super::{OnnxError, is_own};
use crate::graph::builder::{
    Assembled, Axis, Chain, Constant, Links, Map, Problem, Value, running_order, shown,
};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::Scoring;

/// A graph being read.
pub(super) struct Walk<'a> {
    pub(super) chain: Chain,
    values: HashMap<&'a str, Value>,
    /// True as long as the input is integers that no node has made real.
    pub(super) integer_input: bool,
    /// Grey levels of a pixel, as the first node that quantises the input states them.
    pub(super) pixels: Option<GreyLevels>,
    /// Names of the constants of unsigned bytes.
    pub(super) unsigned: HashSet<&'a str>,
    /// Integers of a quantised model.
    pub(super) record: Record<'a>,
    /// Constants that no node has read yet.
    unread: HashMap<&'a str, &'a TensorProto>,
}

/// A node and its input values.
pub(super) struct Step<'a> {
    pub(super) node: &'a NodeProto,
    /// Inputs; `None` where the node omits one.
    inputs: Vec<Option<Value>>,
}

impl Step<'_> {
    /// An optional input.
    pub(super) fn optional(&self, place: usize) -> Option<&Value> {
        self.inputs.get(place).and_then(Option::as_ref)
    }

    pub(super) fn input(&self, place: usize, what: &'static str) -> Result<&Value, Problem> {
        self.optional(place).ok_or(Problem::Missing(what))
    }

    pub(super) fn map(&self) -> Result<&Map, Problem> {
        self.input(0, "input")?.map("input")
    }

    pub(super) fn constant(&self, place: usize, what: &'static str) -> Result<&Constant, Problem> {
        self.input(place, what)?.constant(what)
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = &Value> {
        self.inputs.iter().flatten()
    }

    /// Name for messages: that of the tensor it writes.
    pub(super) fn name(&self) -> String {
        shown(self.node.output.first().map_or("", String::as_str))
    }
}

/// Operators that [`Walk::operate`] supports, at least in some uses.
pub(super) const KNOWN: [&str; 34] = [
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "Identity",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Pad",
    "QuantizeLinear",
    "ReduceMean",
    "Relu",
    "Relu6",
    "Reshape",
    "Shape",
    "Slice",
    "Squeeze",
    "Sub",
    "Sum",
    "Transpose",
    "Unsqueeze",
];

/// A graph that has been read.
pub(super) struct Walked<'a> {
    /// Its real network.
    pub(super) assembled: Assembled,
    /// Grey levels of a pixel, if a quantised input tells them.
    pub(super) pixels: Option<GreyLevels>,
    /// Integers of a quantised model.
    pub(super) record: Record<'a>,
    /// Refusal of the first node behind the features that posy cannot run.
    pub(super) unread: Option<String>,
}

/// Reads the nodes that the graph's outputs need.
pub(super) fn walk(graph: &GraphProto, file_len: usize) -> Result<Walked<'_>, OnnxError> {
    let (name, shape, axes, number_type) = input(graph)?;
    let (mut chain, mut map) = Chain::new(shape, axes, file_len);
    let integer_input = number_type != DataType::Float;
    if number_type == DataType::Int8 {
        // A pixel less 128.
        map = chain.less_128(&map);
    }
    let tensors = graph.initializer.iter();
    let mut walk = Walk {
        chain,
        values: HashMap::from([(name, Value::Map(map))]),
        integer_input,
        pixels: None,
        record: Record::default(),
        unsigned: graph
            .initializer
            .iter()
            .filter(|tensor| tensor.data_type == DataType::Uint8 as i32)
            .map(|tensor| tensor.name.as_str())
            .collect(),
        unread: tensors
            .map(|tensor| (tensor.name.as_str(), tensor))
            .collect(),
    };
    let links = graph.node.iter().map(|node| Links {
        reads: named(&node.input),
        writes: named(&node.output),
    });
    let outputs: Vec<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let order = running_order(&links.collect::<Vec<_>>(), &outputs)?;
    let mut unread = None;
    for (place, &index) in order.iter().enumerate() {
        let node = &graph.node[index];
        let problem = match walk.step(node) {
            Ok(()) => continue,
            Err(problem) => problem,
        };
        // A new head replaces everything after the features, unless a map is still in use.
        let rest = order[place..].iter().map(|index| &graph.node[*index]);
        let is_needed = !walk.chain.has_pooled() || !problem.is_foreign() || walk.reads_maps(rest);
        let error = OnnxError::Node {
            index,
            operator: shown(&node.op_type),
            output: shown(node.output.first().map_or("", String::as_str)),
            problem: Box::new(problem),
        };
        if is_needed {
            return Err(error);
        }
        walk.chain.unscored();
        unread = Some(error.to_string());
        break;
    }
    Ok(Walked {
        assembled: walk.chain.finish(),
        pixels: walk.pixels,
        record: walk.record,
        unread,
    })
}

impl<'a> Walk<'a> {
    fn step(&mut self, node: &'a NodeProto) -> Result<(), Problem> {
        let mut inputs = Vec::with_capacity(node.input.len());
        for name in &node.input {
            inputs.push(match name.as_str() {
                "" => None,
                name => Some(self.value(name)?),
            });
        }
        let step = Step { node, inputs };
        if !is_own(&node.domain) {
            return Err(Problem::Operator);
        }
        let value = self.operate(&step)?;
        let output = node.output.first().ok_or(Problem::Missing("output"))?;
        self.values.insert(output, value);
        Ok(())
    }

    /// True if the constant of this name, or a missing one, is of unsigned bytes.
    pub(super) fn is_unsigned(&self, name: Option<&String>) -> bool {
        name.is_none_or(|name| name.is_empty() || self.unsigned.contains(name.as_str()))
    }

    fn value(&mut self, name: &'a str) -> Result<Value, Problem> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let unwritten = || Problem::Unwritten(shown(name));
        let tensor = self.unread.remove(name).ok_or_else(unwritten)?;
        let value = Value::Constant(constant(tensor)?);
        self.values.insert(name, value.clone());
        Ok(value)
    }

    fn operate(&mut self, step: &Step<'a>) -> Result<Value, Problem> {
        match step.node.op_type.as_str() {
            "Conv" => self.convolution(step),
            "BatchNormalization" => self.batch_norm(step),
            "Relu" | "Relu6" | "Clip" | "Min" | "Max" => self.clamp(step),
            "Add" | "Sub" | "Mul" | "Div" | "Sum" => self.arithmetic(step),
            "GlobalAveragePool" | "AveragePool" | "ReduceMean" => self.pool(step),
            "Gemm" => self.gemm(step),
            "MatMul" => self.matrix_product(step),
            "Pad" => self.pad(step),
            "Identity" | "Dropout" | "Cast" => Ok(step.input(0, "input")?.clone()),
            "DequantizeLinear" => self.dequantise(step),
            "QuantizeLinear" => self.quantise(step),
            "Softmax" | "Sigmoid" => self.score(step),
            "Transpose" => self.transpose(step),
            "Reshape" | "Flatten" => self.reshape(step),
            "Squeeze" | "Unsqueeze" => self.squeeze(step),
            "Constant" => self.constant(step),
            "Shape" | "Gather" | "Slice" | "Concat" | "ConstantOfShape" => {
                self.shape_arithmetic(step)
            }
            _ => Err(Problem::Operator),
        }
    }

    /// The scores of a classifier; anywhere else posy has no such operator.
    fn score(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let map = step.map()?;
        if !self.chain.has_pooled() || map.is_spatial() {
            return Err(Problem::Operator);
        }
        let scoring = match step.node.op_type.as_str() {
            "Sigmoid" => Scoring::Logistic,
            _ => Scoring::Softmax { beta: 1.0 },
        };
        self.chain.score(map, scoring).map(Value::Map)
    }

    /// True if one of these nodes reads a known map of more than one pixel.
    fn reads_maps<'n>(&self, nodes: impl Iterator<Item = &'n NodeProto>) -> bool {
        let mut names = nodes.flat_map(|node| &node.input);
        names.any(|name| match self.values.get(name.as_str()) {
            Some(Value::Map(map)) => map.is_spatial(),
            _ => false,
        })
    }
}

/// The names that are not empty (omitted).
fn named(names: &[String]) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| !name.is_empty()).collect()
}

/// The graph's one input that is not a constant; the error is the number of such inputs.
pub(crate) fn sole_input(graph: &GraphProto) -> Result<&ValueInfoProto, usize> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let inputs = graph.input.iter();
    let inputs: Vec<&ValueInfoProto> = inputs
        .filter(|input| !constants.contains(input.name.as_str()))
        .collect();
    match inputs.as_slice() {
        [input] => Ok(input),
        _ => Err(inputs.len()),
    }
}

/// Name, shape, order of axes and element type of the graph's input.
fn input(graph: &GraphProto) -> Result<(&str, Shape, Vec<Axis>, DataType), OnnxError> {
    let input = sole_input(graph).map_err(OnnxError::Inputs)?;
    let (shape, number_type) = extents(input);
    let refused = || OnnxError::Input {
        name: shown(&input.name),
        shape: match &shape {
            Some(extents) => {
                let extents = extents.iter().map(|extent| match extent {
                    Some(extent) => extent.to_string(),
                    None => "?".into(),
                });
                extents.collect::<Vec<_>>().join(", ")
            }
            None => "unknown".into(),
        },
    };
    // An open batch extent means one image at a time.
    let Some([None | Some(1), rest @ ..]) = shape.as_deref() else {
        return Err(refused());
    };
    let rest: Option<Vec<u16>> = rest
        .iter()
        .map(|extent| u16::try_from((*extent)?).ok().filter(|extent| *extent > 0))
        .collect();
    use Axis::{Batch, Channels, Height, Width};
    let planar = vec![Batch, Channels, Height, Width];
    let interleaved = vec![Batch, Height, Width, Channels];
    let (sides, channels, axes) = match rest.as_deref() {
        Some(&[channels @ (1 | 3), height, width]) => ([height, width], channels, planar),
        Some(&[height, width, channels @ (1 | 3)]) => ([height, width], channels, interleaved),
        _ => return Err(refused()),
    };
    let Some(number_type) = number_type else {
        return Err(OnnxError::InputType(shown(&input.name)));
    };
    let shape = Shape {
        height: sides[0],
        width: sides[1],
        channels,
    };
    Ok((&input.name, shape, axes, number_type))
}

/// Extents of a value, `None` where they are open, and its type, `None` for one that no picture has.
fn extents(value: &ValueInfoProto) -> (Option<Vec<Option<i64>>>, Option<DataType>) {
    let described = value.r#type.as_ref().and_then(|t| t.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = described else {
        return (None, None);
    };
    let extents = tensor.shape.as_ref().map(|shape| {
        let extent = |dim: &Option<dimension::Value>| match dim {
            Some(dimension::Value::DimValue(extent)) if *extent > 0 => Some(*extent),
            _ => None,
        };
        shape.dim.iter().map(|dim| extent(&dim.value)).collect()
    });
    let number_type = DataType::try_from(tensor.elem_type).ok();
    let read = |number_type: &DataType| {
        matches!(
            number_type,
            DataType::Float | DataType::Int8 | DataType::Uint8
        )
    };
    (extents, number_type.filter(read))
}
