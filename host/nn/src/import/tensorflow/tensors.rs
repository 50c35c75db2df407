//! Constants of a frozen graph, and attributes of its operations.

use crate::graph::builder::{Constant, Problem, extents, shown};
use crate::import::tensorflow::proto::{DT_FLOAT, DT_INT32, NodeDef, TensorProto, Value};

/// Maximum size of a constant for which the file stores a single repeated number.
const MOST_REPEATED: usize = 1 << 16;

/// Attributes of an operation.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a>(pub(super) &'a NodeDef);

impl<'a> Settings<'a> {
    fn find(self, name: &str) -> Option<&'a Value> {
        self.0
            .attr
            .get(name)
            .and_then(|attribute| attribute.value.as_ref())
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        match self.find(name) {
            Some(Value::S(bytes)) => Some(shown(&String::from_utf8_lossy(bytes))),
            _ => None,
        }
    }

    pub(super) fn list(self, name: &str) -> Option<&'a [i64]> {
        match self.find(name) {
            Some(Value::List(list)) => Some(&list.i),
            _ => None,
        }
    }

    pub(super) fn real(self, name: &str) -> Option<f32> {
        match self.find(name) {
            Some(Value::F(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.find(name) {
            Some(Value::B(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn number_type(self, name: &str) -> Option<i32> {
        match self.find(name) {
            Some(Value::Type(number_type)) => Some(*number_type),
            _ => None,
        }
    }

    pub(super) fn tensor(self, name: &str) -> Option<&'a TensorProto> {
        match self.find(name) {
            Some(Value::Tensor(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// Extents of a shape; `None` if its rank is unknown.
    pub(super) fn shape(self, name: &str) -> Option<Vec<i64>> {
        match self.find(name) {
            Some(Value::Shape(shape)) if !shape.unknown_rank => {
                Some(shape.dim.iter().map(|dim| dim.size).collect())
            }
            _ => None,
        }
    }
}

/// Values of a `Const` operation.
pub(super) fn constant(node: &NodeDef) -> Result<Constant, Problem> {
    let tensor = Settings(node).tensor("value");
    let tensor = tensor.ok_or(Problem::Missing("value"))?;
    let dims = tensor.tensor_shape.iter().flat_map(|shape| &shape.dim);
    let (dims, len) = extents(dims.map(|dim| dim.size))?;
    let name = || shown(&node.name);
    match tensor.dtype {
        DT_FLOAT => {
            let content = &tensor.tensor_content;
            let numbers = numbers(content, &tensor.float_val, len, f32::from_le_bytes);
            Ok(Constant::real(
                dims,
                numbers.map_err(|found| lacking(name(), len, found))?,
            ))
        }
        DT_INT32 => {
            let content = &tensor.tensor_content;
            let numbers = numbers(content, &tensor.int_val, len, i32::from_le_bytes);
            let numbers = numbers.map_err(|found| lacking(name(), len, found))?;
            Ok(Constant::whole(
                dims,
                numbers.into_iter().map(i64::from).collect(),
            ))
        }
        other => Err(Problem::NumberType {
            tensor: name(),
            found: format!("numbers of type {other}"),
        }),
    }
}

fn lacking(tensor: String, expected: usize, found: usize) -> Problem {
    Problem::Data {
        tensor,
        expected,
        found,
    }
}

/// Reads `len` numbers from bytes, or from a list whose last number is repeated for missing ones.
/// The error is the number that the file holds.
fn numbers<T: Copy>(
    content: &[u8],
    listed: &[T],
    len: usize,
    read: impl Fn([u8; 4]) -> T,
) -> Result<Vec<T>, usize> {
    if !content.is_empty() {
        let (whole, rest) = content.as_chunks::<4>();
        if whole.len() != len || !rest.is_empty() {
            return Err(content.len() / 4);
        }
        return Ok(whole.iter().map(|bytes| read(*bytes)).collect());
    }
    match listed.last() {
        _ if listed.len() == len => Ok(listed.to_vec()),
        Some(last) if listed.len() < len && len <= MOST_REPEATED => {
            let mut numbers = listed.to_vec();
            numbers.resize(len, *last);
            Ok(numbers)
        }
        _ => Err(listed.len()),
    }
}
