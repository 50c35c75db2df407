//! Nodes by name, their attributes and constants.

use std::collections::HashMap;

use super::error::{FrozenError, Problem};
use crate::import::tensorflow::proto::{DT_FLOAT, DT_INT32, GraphDef, NodeDef, TensorProto, Value};

/// The nodes of a graph by their names.
pub(super) struct Nodes<'g>(HashMap<&'g str, &'g NodeDef>);

/// A constant: extents and values, as many as the extents require.
#[derive(Debug)]
pub(super) struct Constant<T> {
    pub(super) extents: Vec<usize>,
    pub(super) numbers: Vec<T>,
}

impl<'g> Nodes<'g> {
    pub(super) fn of(graph: &'g GraphDef) -> Result<Self, FrozenError> {
        let mut nodes = HashMap::new();
        for node in &graph.node {
            if nodes.insert(node.name.as_str(), node).is_some() {
                return Err(FrozenError::Twice(node.name.clone()));
            }
        }
        Ok(Nodes(nodes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Looks up a node by name, with or without `:0` (its first output).
    pub(super) fn get(&self, name: &str) -> Option<&'g NodeDef> {
        self.0.get(name.strip_suffix(":0").unwrap_or(name)).copied()
    }

    /// Input `place` of `node`.
    pub(super) fn input(&self, node: &NodeDef, place: usize) -> Result<&'g NodeDef, Problem> {
        let name = node.input.get(place).ok_or(Problem::Input(place))?;
        self.get(name).ok_or(Problem::Input(place))
    }

    /// Input `place` of `node`, a float32 constant.
    pub(super) fn floats(&self, node: &NodeDef, place: usize) -> Result<Constant<f32>, Problem> {
        let (name, constant) = self.constant(node, place, DT_FLOAT, |tensor| &tensor.float_val)?;
        let constant = constant.map(f32::from_le_bytes);
        if constant.numbers.iter().all(|number| number.is_finite()) {
            Ok(constant)
        } else {
            Err(Problem::NotFinite(name))
        }
    }

    /// Input `place` of `node`, an int32 constant.
    pub(super) fn ints(&self, node: &NodeDef, place: usize) -> Result<Constant<i32>, Problem> {
        let (_, constant) = self.constant(node, place, DT_INT32, |tensor| &tensor.int_val)?;
        Ok(constant.map(i32::from_le_bytes))
    }

    /// Name and values of a constant of type `dtype`.
    fn constant<T: Number>(
        &self,
        node: &NodeDef,
        place: usize,
        dtype: i32,
        listed: impl Fn(&TensorProto) -> &Vec<T>,
    ) -> Result<(String, Constant<[u8; 4]>), Problem> {
        let source = self.input(node, place)?;
        let wrong = || Problem::Constant(source.name.clone());
        let value = source
            .attr
            .get("value")
            .and_then(|attr| attr.value.as_ref());
        let Some(Value::Tensor(tensor)) = value.filter(|_| source.op == "Const") else {
            return Err(wrong());
        };
        let shape = tensor
            .tensor_shape
            .as_ref()
            .map_or(&[][..], |shape| &shape.dim);
        let extents = shape.iter().map(|dim| usize::try_from(dim.size).ok());
        let extents: Option<Vec<usize>> = extents.collect();
        let extents = extents.ok_or_else(wrong)?;
        let count = extents
            .iter()
            .try_fold(1usize, |n, extent| n.checked_mul(*extent));
        let (numbers, rest) = tensor.tensor_content.as_chunks::<4>();
        let listed = listed(tensor).iter().map(|number| number.bytes());
        let numbers = match numbers {
            // The list must be complete. TensorFlow repeats the last number of a shorter one, but
            // posy never writes such.
            [] => listed.collect(),
            numbers => numbers.to_vec(),
        };
        if tensor.dtype != dtype || count != Some(numbers.len()) || !rest.is_empty() {
            return Err(wrong());
        }
        Ok((source.name.clone(), Constant { extents, numbers }))
    }
}

impl Constant<[u8; 4]> {
    fn map<T>(self, number: impl Fn([u8; 4]) -> T) -> Constant<T> {
        Constant {
            extents: self.extents,
            numbers: self.numbers.into_iter().map(number).collect(),
        }
    }
}

/// A number of four bytes.
trait Number {
    fn bytes(&self) -> [u8; 4];
}

impl Number for f32 {
    fn bytes(&self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

impl Number for i32 {
    fn bytes(&self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

/// An attribute of a node, if present.
pub(super) fn attribute<'n>(node: &'n NodeDef, name: &str) -> Option<&'n Value> {
    node.attr.get(name)?.value.as_ref()
}
