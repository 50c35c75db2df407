//! An ONNX graph looked at before a library runs it: what it would take, node after node, without running
//! any of it.
//!
//! The library trusts the graphs that it runs, and some make it read where nothing is, ask for more memory
//! than there is, or never end. So the extents of values are found out here first, with bounds on axes,
//! windows, pads, products and memory, and a node that breaks one is refused by name. Values whose extents
//! cannot be told beforehand, because an operator is not known here or the picture decides, are *open*: they
//! and what is made of them are let through and counted in [`Cost::open`]. A graph without open nodes takes the
//! same time and memory for every picture; one with open nodes belongs into a process of its own.
//!
//! | file | what it does |
//! |---|---|
//! | `value.rs` | extents, kinds and known numbers of values |
//! | `node.rs` | a node's inputs and settings |
//! | `windows.rs` | convolutions and pools |
//! | `layers.rs` | layers with parameters, norms, sums |
//! | `moving.rs` | operators that move numbers |
//! | `arithmetic.rs` | arithmetic number by number |
//! | `error.rs` | why a graph is refused |

mod arithmetic;
mod error;
mod layers;
mod moving;
mod node;
#[cfg(test)]
mod tests;
mod value;
mod windows;

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{ModelProto, NodeProto, ValueInfoProto, type_proto};

use crate::graph::builder::shown;
use node::Node;
use value::{Kind, Value, volume};

pub use error::{Problem, VetError};

/// Maximum number of nodes of a graph; the largest classifiers have some 5,000.
const MOST_NODES: usize = 20_000;
/// Maximum number of products (MACs) per picture; the largest classifiers take 40,000 million.
const MOST_PRODUCTS: u64 = 200_000_000_000;
/// Maximum memory of the values alive at one time, MiB.
const MOST_MEMORY: u64 = 1024;
/// Maximum number of elements that are followed from node to node in all.
const MOST_FOLLOWED: usize = 1 << 24;
/// Operator sets that are known; in a graph of another, every node is open.
const OPERATOR_SETS: std::ops::RangeInclusive<i64> = 7..=30;

/// Cost of a picture, as far as it has been counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Products, or what takes as long.
    pub products: u64,
    /// Peak memory of the values alive at one time, bytes, constants included.
    pub memory: u64,
    /// Nodes whose extents cannot be told beforehand: what they take is not counted.
    pub open: usize,
    followed: usize,
}

impl Cost {
    /// Counts `each` products for so many numbers.
    fn spend(&mut self, numbers: usize, each: usize) {
        let products = (numbers as u64).saturating_mul(each as u64);
        self.products = self.products.saturating_add(products);
    }

    /// Adds `numbers` to those that are followed; true if they are within [`MOST_FOLLOWED`].
    fn followed(&mut self, numbers: usize) -> bool {
        self.followed = self.followed.saturating_add(numbers);
        self.followed <= MOST_FOLLOWED
    }
}

/// Counts the cost of a picture through `model`, and refuses a model that is malformed or too costly.
///
/// # Errors
/// [`VetError`] names the node that is wrong, or that takes too much.
pub fn vet(model: &ModelProto) -> Result<Cost, VetError> {
    let mut sets = model.opset_import.iter();
    let set = sets.find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let set = set.map(|set| set.version);
    let set = set.filter(|set| OPERATOR_SETS.contains(set));
    let graph = model.graph.as_ref().ok_or(VetError::NoGraph)?;
    if graph.node.len() > MOST_NODES {
        return Err(VetError::Nodes(graph.node.len()));
    }
    if !graph.sparse_initializer.is_empty() {
        let name = "sparse".into();
        return Err(VetError::Constant {
            name,
            problem: Problem::Sparse,
        });
    }
    graph.value_info.iter().try_for_each(described)?;
    let mut walk = Walk::default();
    for tensor in &graph.initializer {
        let constant = known(Value::constant(tensor));
        let constant = constant.and_then(|value| walk.add(&tensor.name, value));
        constant.map_err(|problem| VetError::Constant {
            name: shown(&tensor.name),
            problem,
        })?;
    }
    let mut inputs = HashSet::new();
    for input in &graph.input {
        let of_name = |problem| VetError::Value {
            name: shown(&input.name),
            problem,
        };
        if !inputs.insert(input.name.as_str()) {
            return Err(of_name(Problem::Twice));
        }
        described(input)?;
        if !walk.places.contains_key(input.name.as_str()) {
            let value = fixed(input).map_err(of_name)?;
            walk.add(&input.name, Some(value)).map_err(of_name)?;
        }
    }
    for node in &graph.node {
        walk.step(node, set).map_err(|problem| VetError::Node {
            operator: shown(&node.op_type),
            output: shown(node.output.first().map_or("", String::as_str)),
            problem,
        })?;
        if walk.cost.products > MOST_PRODUCTS {
            return Err(VetError::Products(walk.cost.products / 1_000_000));
        }
    }
    for output in &graph.output {
        described(output)?;
        let place = walk.places.get(output.name.as_str());
        let place = *place.ok_or_else(|| VetError::Output(shown(&output.name)))?;
        walk.values[place].last = graph.node.len();
    }
    walk.cost.memory = walk.memory();
    match walk.cost.memory >> 20 {
        found if found > MOST_MEMORY => Err(VetError::Memory {
            found,
            most: MOST_MEMORY,
        }),
        _ => Ok(walk.cost),
    }
}

/// A value and the nodes between which it is needed.
#[derive(Debug)]
struct Kept {
    /// The value; `None` if it is open.
    value: Option<Value>,
    first: usize,
    last: usize,
}

/// A graph as far as it has been looked at.
#[derive(Debug, Default)]
struct Walk<'a> {
    values: Vec<Kept>,
    places: HashMap<&'a str, usize>,
    /// Nodes that have been looked at.
    nodes: usize,
    cost: Cost,
}

impl<'a> Walk<'a> {
    fn add(&mut self, name: &'a str, value: Option<Value>) -> Result<(), Problem> {
        if let Some(value) = &value {
            volume(&value.dims)?;
        }
        if self.places.insert(name, self.values.len()).is_some() {
            return Err(Problem::Twice);
        }
        self.values.push(Kept {
            value,
            first: self.nodes,
            last: self.nodes,
        });
        Ok(())
    }

    fn step(&mut self, node: &'a NodeProto, set: Option<i64>) -> Result<(), Problem> {
        self.nodes += 1;
        let mut places = Vec::with_capacity(node.input.len());
        for name in &node.input {
            places.push(match name.as_str() {
                "" => None,
                name => {
                    let place = self.places.get(name);
                    Some(*place.ok_or_else(|| Problem::Unwritten(shown(name)))?)
                }
            });
        }
        for place in places.iter().flatten() {
            self.values[*place].last = self.nodes;
        }
        let values = &self.values;
        let inputs = places.iter().map(|place| match place {
            None => Some(None),
            Some(place) => values[*place].value.as_ref().map(Some),
        });
        let inputs: Option<Vec<Option<&Value>>> = inputs.collect();
        let written = match (inputs, set) {
            (Some(inputs), Some(set)) if is_plain(node) => {
                let read = Node {
                    proto: node,
                    inputs,
                    set,
                };
                known(operate(&read, &mut self.cost))?
            }
            // The library takes its input's axes for granted, and reads where nothing is.
            (None, _) if node.op_type == "BatchNormalization" => {
                return Err(Problem::Untold("input"));
            }
            _ => None,
        };
        let is_open = written.is_none();
        self.cost.open += usize::from(is_open);
        let mut written = written.unwrap_or_default().into_iter();
        for name in &node.output {
            let value = written.next();
            if !name.is_empty() && (is_open || value.is_some()) {
                self.add(name, value)?;
            }
        }
        Ok(())
    }

    /// Peak memory of the values alive at one time, bytes; a value that is the same for every picture stays.
    fn memory(&self) -> u64 {
        let mut changes = vec![0_i64; self.nodes + 2];
        for Kept { value, first, last } in &self.values {
            let Some(value) = value else {
                continue;
            };
            let numbers: usize = value.dims.iter().product();
            let bytes = (numbers * value.kind.bytes()) as i64;
            changes[*first] += bytes;
            if !value.fixed {
                changes[*last + 1] -= bytes;
            }
        }
        let mut now = 0;
        let most = changes.iter().map(|change| {
            now += change;
            now
        });
        most.max().unwrap_or(0).max(0) as u64
    }
}

/// A result, `None` where extents or kinds cannot be told beforehand.
fn known<T>(result: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Problem::Operator | Problem::Open(_) | Problem::Kind(_)) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// True if no setting of the node holds a graph, sparse numbers or several tensors. Its domain makes no difference
/// to the library either.
fn is_plain(node: &NodeProto) -> bool {
    node.attribute.iter().all(|setting| {
        setting.g.is_none()
            && setting.graphs.is_empty()
            && setting.tensors.is_empty()
            && setting.sparse_tensor.is_none()
            && setting.sparse_tensors.is_empty()
            && setting.ref_attr_name.is_empty()
    })
}

/// Computes the outputs of a node, as far as they are known, and adds to `cost`.
fn operate(node: &Node<'_>, cost: &mut Cost) -> Result<Vec<Value>, Problem> {
    let value = match node.proto.op_type.as_str() {
        "Conv" => windows::convolution(node, cost)?,
        "AveragePool" | "MaxPool" => windows::pool(node, cost)?,
        "GlobalAveragePool" | "GlobalMaxPool" => windows::global_pool(node, cost)?,
        "BatchNormalization" => layers::batch_norm(node, cost)?,
        "InstanceNormalization" | "GroupNormalization" => layers::channel_norm(node, cost)?,
        "LayerNormalization" => layers::layer_norm(node, cost)?,
        "Softmax" | "LogSoftmax" | "LpNormalization" => layers::along_axis(node, cost)?,
        "LRN" => layers::neighbours_norm(node, cost)?,
        "Gemm" => layers::gemm(node, cost)?,
        "MatMul" => layers::matrix_product(node, cost)?,
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1"
        | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" | "ArgMax"
        | "ArgMin" => layers::reduction(node, cost)?,
        "QuantizeLinear" | "DequantizeLinear" => layers::quantisation(node, cost)?,
        "Abs" | "Ceil" | "Celu" | "Clip" | "Cos" | "Elu" | "Erf" | "Exp" | "Floor" | "Gelu"
        | "HardSigmoid" | "HardSwish" | "Identity" | "LeakyRelu" | "Log" | "Mish" | "Neg"
        | "Not" | "Reciprocal" | "Relu" | "Round" | "Selu" | "Sigmoid" | "Sign" | "Sin"
        | "Softplus" | "Softsign" | "Sqrt" | "Swish" | "Tanh" | "ThresholdedRelu" => {
            arithmetic::each(node, cost)?
        }
        "Add" | "And" | "Div" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual"
        | "Max" | "Mean" | "Min" | "Mul" | "Or" | "PRelu" | "Pow" | "Sub" | "Sum" | "Where"
        | "Xor" => arithmetic::together(node, cost)?,
        "Cast" => arithmetic::cast(node, cost)?,
        "Shape" | "Size" => arithmetic::extents(node)?,
        "Constant" => arithmetic::constant(node)?,
        "ConstantOfShape" => arithmetic::filled(node, cost)?,
        "Range" => arithmetic::range(node, cost)?,
        "Dropout" => return arithmetic::dropout(node),
        "Reshape" => moving::reshape(node)?,
        "Flatten" => moving::flatten(node)?,
        "Transpose" => moving::transpose(node, cost)?,
        "Squeeze" | "Unsqueeze" => moving::squeeze(node)?,
        "Concat" => moving::concat(node, cost)?,
        "Split" => return moving::split(node, cost),
        "Slice" => moving::slice(node, cost)?,
        "Gather" => moving::gather(node, cost)?,
        "Expand" => moving::expand(node, cost)?,
        "Tile" => moving::tile(node, cost)?,
        "Pad" => moving::pad(node, cost)?,
        "DepthToSpace" | "SpaceToDepth" => moving::blocks(node, cost)?,
        "Resize" => moving::resize(node, cost)?,
        _ => return Err(Problem::Operator),
    };
    Ok(vec![value])
}

/// The value of an input, whose extents must be fixed.
fn fixed(input: &ValueInfoProto) -> Result<Value, Problem> {
    let described = input.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = described else {
        return Err(Problem::Open("shape"));
    };
    let shape = tensor.shape.as_ref().ok_or(Problem::Open("shape"))?;
    let dims = shape.dim.iter().map(|dim| match dim.value {
        Some(dimension::Value::DimValue(extent)) => usize::try_from(extent).ok(),
        _ => None,
    });
    let dims: Option<Vec<usize>> = dims.collect();
    let dims = dims.ok_or(Problem::Open("shape"))?;
    Ok(Value::new(dims, Kind::of(tensor.elem_type.into())?))
}

/// Refuses a description that the library would have to compute: names of extents are names.
fn described(value: &ValueInfoProto) -> Result<(), VetError> {
    let kind = value.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = kind else {
        return Ok(());
    };
    let is_name = |name: &str| {
        let mut characters = name.chars();
        name.len() <= 64 && characters.all(|c| c.is_ascii_alphanumeric() || "_.?:-".contains(c))
    };
    let mut dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let sound = dims.all(|dim| match &dim.value {
        Some(dimension::Value::DimParam(name)) => is_name(name),
        _ => true,
    });
    match sound {
        true => Ok(()),
        false => Err(VetError::Value {
            name: shown(&value.name),
            problem: Problem::Open("shape"),
        }),
    }
}
