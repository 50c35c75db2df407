//! Constants of a file, and attributes of its nodes.

use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto};

use crate::graph::builder::{Constant, Problem, extents, shown};

/// Values of an initialiser.
pub(super) fn constant(tensor: &TensorProto) -> Result<Constant, Problem> {
    let name = || shown(&tensor.name);
    if tensor.data_location == Some(DataLocation::External as i32)
        || !tensor.external_data.is_empty()
    {
        return Err(Problem::External(name()));
    }
    let (dims, len) = extents(tensor.dims.iter().copied())?;
    let checked = |found: usize| {
        if found == len {
            Ok(())
        } else {
            Err(Problem::Data {
                tensor: name(),
                expected: len,
                found,
            })
        }
    };
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => {
            let numbers = numbers(&tensor.raw_data, &tensor.float_data, f32::from_le_bytes);
            checked(numbers.len())?;
            Ok(Constant::real(dims, numbers))
        }
        Ok(DataType::Double) => {
            let numbers = numbers(&tensor.raw_data, &tensor.double_data, f64::from_le_bytes);
            checked(numbers.len())?;
            let numbers = numbers.into_iter().map(|number| number as f32).collect();
            Ok(Constant::real(dims, numbers))
        }
        Ok(DataType::Int64) => {
            let numbers = numbers(&tensor.raw_data, &tensor.int64_data, i64::from_le_bytes);
            checked(numbers.len())?;
            Ok(Constant::whole(dims, numbers))
        }
        Ok(DataType::Int32) => {
            let numbers = numbers(&tensor.raw_data, &tensor.int32_data, i32::from_le_bytes);
            checked(numbers.len())?;
            Ok(Constant::whole(
                dims,
                numbers.into_iter().map(i64::from).collect(),
            ))
        }
        Ok(number_type @ (DataType::Uint8 | DataType::Int8)) => {
            let signed = |byte: u8| match number_type {
                DataType::Int8 => i64::from(byte.cast_signed()),
                _ => i64::from(byte),
            };
            let listed = tensor.int32_data.iter().map(|number| i64::from(*number));
            let numbers: Vec<i64> = match tensor.raw_data.is_empty() {
                true => listed.collect(),
                false => tensor.raw_data.iter().map(|byte| signed(*byte)).collect(),
            };
            checked(numbers.len())?;
            Ok(Constant::whole(dims, numbers))
        }
        other => Err(Problem::NumberType {
            tensor: name(),
            found: match other {
                Ok(DataType::Float16) => "float16".into(),
                _ => format!("numbers of type {}", tensor.data_type),
            },
        }),
    }
}

/// Numbers from little-endian raw data if present, else from the list of their type.
fn numbers<const N: usize, T: Copy>(
    raw: &[u8],
    listed: &[T],
    read: impl Fn([u8; N]) -> T,
) -> Vec<T> {
    let (whole, rest) = raw.as_chunks::<N>();
    if raw.is_empty() {
        listed.to_vec()
    } else if rest.is_empty() {
        whole.iter().map(|bytes| read(*bytes)).collect()
    } else {
        Vec::new()
    }
}

/// Attributes of a node.
#[derive(Clone, Copy)]
pub(super) struct Settings<'a>(pub(super) &'a NodeProto);

impl<'a> Settings<'a> {
    fn find(self, name: &str) -> Option<&'a AttributeProto> {
        self.0
            .attribute
            .iter()
            .find(|attribute| attribute.name == name)
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn whole(self, name: &str, otherwise: i64) -> i64 {
        self.find(name).map_or(otherwise, |attribute| attribute.i)
    }

    pub(super) fn real(self, name: &str) -> Option<f32> {
        self.find(name).map(|attribute| attribute.f)
    }

    pub(super) fn reals(self, name: &str) -> Option<&'a [f32]> {
        self.find(name).map(|attribute| attribute.floats.as_slice())
    }

    pub(super) fn wholes(self, name: &str) -> Option<&'a [i64]> {
        self.find(name).map(|attribute| attribute.ints.as_slice())
    }

    pub(super) fn text(self, name: &str) -> String {
        let bytes = self.find(name).map_or(&[][..], |attribute| &attribute.s);
        shown(&String::from_utf8_lossy(bytes))
    }

    pub(super) fn tensor(self, name: &str) -> Option<&'a TensorProto> {
        self.find(name).and_then(|attribute| attribute.t.as_ref())
    }

    /// A list of extents such as strides; all ones if absent.
    pub(super) fn extents(self, name: &'static str) -> Result<Vec<usize>, Problem> {
        let Some(found) = self.wholes(name) else {
            return Ok(vec![1; 2]);
        };
        let extents = found.iter().map(|extent| usize::try_from(*extent).ok());
        let extents: Option<Vec<usize>> = extents.collect();
        extents.ok_or_else(|| Problem::Setting {
            name,
            found: format!("{found:?}"),
            wanted: "it must not be negative",
        })
    }
}
