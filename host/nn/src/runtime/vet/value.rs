//! Values of a graph as far as they are known before it runs: extents, kind of numbers, and the numbers
//! themselves where they are few and decide about extents.

use std::rc::Rc;

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};

use super::Problem;

/// Maximum number of axes of a value.
pub(super) const MOST_AXES: usize = 8;
/// Maximum number of elements of a value.
pub(super) const MOST_NUMBERS: usize = 1 << 26;
/// Maximum number of integers of a value that is followed: an index of a window transformer has 20,736.
const MOST_WHOLES: usize = 1 << 16;
/// Maximum number of real numbers of a value that is followed.
const MOST_REALS: usize = 1 << 10;

/// Kind of a value's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Float16,
    Float32,
    Float64,
    Int8,
    Uint8,
    Int32,
    Int64,
    Bool,
}

impl Kind {
    /// The kind that a file means by a number.
    pub(super) fn of(data_type: i64) -> Result<Self, Problem> {
        let data_type = i32::try_from(data_type).unwrap_or(0);
        Ok(match DataType::try_from(data_type) {
            Ok(DataType::Float16) => Kind::Float16,
            Ok(DataType::Float) => Kind::Float32,
            Ok(DataType::Double) => Kind::Float64,
            Ok(DataType::Int8) => Kind::Int8,
            Ok(DataType::Uint8) => Kind::Uint8,
            Ok(DataType::Int32) => Kind::Int32,
            Ok(DataType::Int64) => Kind::Int64,
            Ok(DataType::Bool) => Kind::Bool,
            _ => return Err(Problem::Kind(data_type)),
        })
    }

    /// Bytes of one number.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Kind::Int8 | Kind::Uint8 | Kind::Bool => 1,
            Kind::Float16 => 2,
            Kind::Float32 | Kind::Int32 => 4,
            Kind::Float64 | Kind::Int64 => 8,
        }
    }

    /// True if numbers of this kind are followed as integers.
    pub(super) const fn is_whole(self) -> bool {
        matches!(self, Kind::Int32 | Kind::Int64 | Kind::Bool)
    }
}

/// Numbers that are known before the graph runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Whole(Rc<[i64]>),
    Real(Rc<[f32]>),
}

/// A value, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) dims: Vec<usize>,
    pub(super) kind: Kind,
    pub(super) numbers: Option<Numbers>,
    /// True if the value is the same for every picture.
    pub(super) fixed: bool,
}

/// Number of elements of a value with these extents.
pub(super) fn volume(dims: &[usize]) -> Result<usize, Problem> {
    if dims.len() > MOST_AXES {
        return Err(Problem::Axes(dims.len()));
    }
    let count = dims
        .iter()
        .try_fold(1_usize, |count, extent| count.checked_mul(*extent));
    match count {
        // Lists may be empty; a picture, a map or a matrix of nothing is a mistake.
        Some(0) if dims.len() > 1 => Err(Problem::Empty(dims.into())),
        Some(count) if count <= MOST_NUMBERS => Ok(count),
        _ => Err(Problem::Large(dims.into())),
    }
}

impl Value {
    /// A value of which no number is known.
    pub(super) fn new(dims: Vec<usize>, kind: Kind) -> Self {
        Value {
            dims,
            kind,
            numbers: None,
            fixed: false,
        }
    }

    /// Whole numbers of these extents.
    pub(super) fn whole(dims: Vec<usize>, kind: Kind, numbers: Vec<i64>) -> Self {
        let known = numbers.len() <= MOST_WHOLES;
        Value {
            dims,
            kind,
            numbers: known.then(|| Numbers::Whole(numbers.into())),
            fixed: true,
        }
    }

    /// Real numbers of these extents.
    pub(super) fn real(dims: Vec<usize>, numbers: Vec<f32>) -> Self {
        let known = numbers.len() <= MOST_REALS;
        Value {
            dims,
            kind: Kind::Float32,
            numbers: known.then(|| Numbers::Real(numbers.into())),
            fixed: true,
        }
    }

    /// Reshapes the value to `dims`, which hold as many numbers.
    pub(super) fn shaped(&self, dims: Vec<usize>) -> Self {
        Value {
            dims,
            ..self.clone()
        }
    }

    /// Other extents, of which no number is known.
    pub(super) fn sized(&self, dims: Vec<usize>) -> Self {
        Value {
            fixed: self.fixed,
            ..Value::new(dims, self.kind)
        }
    }

    /// Number of elements of the value.
    pub(super) fn len(&self) -> Result<usize, Problem> {
        volume(&self.dims)
    }

    /// Its whole numbers.
    pub(super) fn wholes(&self, what: &'static str) -> Result<&[i64], Problem> {
        match &self.numbers {
            Some(Numbers::Whole(numbers)) => Ok(numbers),
            _ => Err(Problem::Open(what)),
        }
    }

    /// Its numbers, of whatever kind.
    pub(super) fn reals(&self, what: &'static str) -> Result<Vec<f32>, Problem> {
        match &self.numbers {
            Some(Numbers::Real(numbers)) => Ok(numbers.to_vec()),
            Some(Numbers::Whole(numbers)) => Ok(numbers.iter().map(|n| *n as f32).collect()),
            None => Err(Problem::Open(what)),
        }
    }

    /// Its only number.
    pub(super) fn only(&self, what: &'static str) -> Result<i64, Problem> {
        match self.wholes(what)? {
            [number] => Ok(*number),
            _ => Err(Problem::Fit(what, self.dims.clone())),
        }
    }

    /// A constant of a file, which must hold as many numbers as its extents say.
    pub(super) fn constant(tensor: &TensorProto) -> Result<Self, Problem> {
        let is_elsewhere = tensor.data_location == Some(DataLocation::External as i32);
        if is_elsewhere || !tensor.external_data.is_empty() {
            return Err(Problem::Elsewhere);
        }
        let kind = Kind::of(tensor.data_type.into())?;
        let dims = tensor.dims.iter().map(|extent| usize::try_from(*extent));
        let dims: Result<Vec<usize>, _> = dims.collect();
        let dims = dims.map_err(|_| Problem::Setting("dims"))?;
        let count = volume(&dims)?;
        let raw = &tensor.raw_data;
        let listed = match kind {
            Kind::Float32 => tensor.float_data.len(),
            Kind::Float64 => tensor.double_data.len(),
            Kind::Int64 => tensor.int64_data.len(),
            _ => tensor.int32_data.len(),
        };
        let found = match raw.is_empty() {
            true => listed,
            false if raw.len().is_multiple_of(kind.bytes()) => raw.len() / kind.bytes(),
            false => return Err(Problem::Length(dims)),
        };
        if found != count {
            return Err(Problem::Length(dims));
        }
        let value = match kind {
            Kind::Int64 if count <= MOST_WHOLES => {
                let whole = raw
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .map(|b| i64::from_le_bytes(*b));
                let listed = tensor.int64_data.iter().copied();
                Value::whole(dims, kind, whole.chain(listed).collect())
            }
            Kind::Int32 if count <= MOST_WHOLES => {
                let whole = raw
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|b| i32::from_le_bytes(*b));
                let listed = tensor.int32_data.iter().copied();
                let numbers = whole.chain(listed).map(i64::from);
                Value::whole(dims, kind, numbers.collect())
            }
            Kind::Bool if count <= MOST_WHOLES => {
                let whole = raw.iter().map(|byte| i64::from(*byte != 0));
                let listed = tensor.int32_data.iter().map(|n| i64::from(*n != 0));
                Value::whole(dims, kind, whole.chain(listed).collect())
            }
            Kind::Float32 if count <= MOST_REALS => {
                let real = raw
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|b| f32::from_le_bytes(*b));
                let listed = tensor.float_data.iter().copied();
                Value::real(dims, real.chain(listed).collect())
            }
            _ => Value {
                fixed: true,
                ..Value::new(dims, kind)
            },
        };
        Ok(value)
    }
}
