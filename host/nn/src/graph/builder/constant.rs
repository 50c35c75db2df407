//! Constant tensors: known when the file is read.

use std::rc::Rc;

use super::Problem;

/// Values of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Numbers {
    /// Floating point, such as weights.
    Real(Rc<[f32]>),
    /// Integers, such as shapes and axes.
    Whole(Rc<[i64]>),
}

/// A constant tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    /// Extents; empty for a scalar.
    pub(crate) dims: Vec<usize>,
    /// Values; their number is the product of the extents.
    pub(crate) numbers: Numbers,
}

/// Arithmetic between constants in files, mostly remains of batch norms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`
    Divide,
}

/// Converts the extents of a constant and returns them with the number of elements.
pub(crate) fn extents(dims: impl Iterator<Item = i64>) -> Result<(Vec<usize>, usize), Problem> {
    let dims: Option<Vec<usize>> = dims.map(|dim| usize::try_from(dim).ok()).collect();
    let len = dims
        .as_ref()
        .and_then(|dims| dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim)));
    dims.zip(len).ok_or_else(|| Problem::Shape {
        what: "a constant",
        found: Vec::new(),
        wanted: "extents are not negative and fit the memory",
    })
}

impl Constant {
    pub(crate) fn real(dims: Vec<usize>, numbers: Vec<f32>) -> Self {
        Constant {
            dims,
            numbers: Numbers::Real(numbers.into()),
        }
    }

    pub(crate) fn whole(dims: Vec<usize>, numbers: Vec<i64>) -> Self {
        Constant {
            dims,
            numbers: Numbers::Whole(numbers.into()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Real(numbers) => numbers.len(),
            Numbers::Whole(numbers) => numbers.len(),
        }
    }

    /// Floating-point values.
    pub(crate) fn reals(&self, what: &'static str) -> Result<&[f32], Problem> {
        match &self.numbers {
            Numbers::Real(numbers) => Ok(numbers),
            Numbers::Whole(_) => Err(Problem::NumberType {
                tensor: what.into(),
                found: "integers".into(),
            }),
        }
    }

    /// Integer values.
    pub(crate) fn wholes(&self, what: &'static str) -> Result<&[i64], Problem> {
        match &self.numbers {
            Numbers::Whole(numbers) => Ok(numbers),
            Numbers::Real(_) => Err(Problem::NumberType {
                tensor: what.into(),
                found: "real numbers".into(),
            }),
        }
    }

    /// The constant reshaped; `None` if the number of elements differs.
    pub(crate) fn with_dims(&self, dims: Vec<usize>) -> Option<Self> {
        let len = dims.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
        (len == self.len()).then(|| Constant {
            dims,
            numbers: self.numbers.clone(),
        })
    }

    /// Transposed: axis `i` of the result is axis `order[i]` of this one.
    pub(crate) fn transposed(&self, order: &[usize]) -> Option<Self> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.dims.len()) {
            return None;
        }
        let dims: Vec<usize> = order.iter().map(|axis| self.dims[*axis]).collect();
        let mut strides = vec![1; self.dims.len()];
        for axis in (1..strides.len()).rev() {
            strides[axis - 1] = strides[axis] * self.dims[axis];
        }
        let place = |mut index: usize| {
            let mut from = 0;
            for (axis, extent) in order.iter().zip(&dims).rev() {
                from += index % extent * strides[*axis];
                index /= extent;
            }
            from
        };
        let places = (0..self.len()).map(place);
        let numbers = match &self.numbers {
            Numbers::Real(numbers) => Numbers::Real(places.map(|at| numbers[at]).collect()),
            Numbers::Whole(numbers) => Numbers::Whole(places.map(|at| numbers[at]).collect()),
        };
        Some(Constant { dims, numbers })
    }

    /// Gather: selects `places` along one axis, in their order.
    pub(crate) fn picked(&self, axis: usize, places: &[usize]) -> Option<Self> {
        let extent = *self.dims.get(axis)?;
        if places.iter().any(|place| *place >= extent) {
            return None;
        }
        let inner: usize = self.dims[axis + 1..].iter().product();
        let outer: usize = self.dims[..axis].iter().product();
        let starts = (0..outer).flat_map(|row| places.iter().map(move |at| row * extent + at));
        let from = starts.flat_map(|start| start * inner..(start + 1) * inner);
        let mut dims = self.dims.clone();
        dims[axis] = places.len();
        let numbers = match &self.numbers {
            Numbers::Real(numbers) => Numbers::Real(from.map(|at| numbers[at]).collect()),
            Numbers::Whole(numbers) => Numbers::Whole(from.map(|at| numbers[at]).collect()),
        };
        Some(Constant { dims, numbers })
    }

    /// Element-wise arithmetic; both operands have one shape, or one is a scalar.
    pub(crate) fn with(&self, by: Arithmetic, other: &Self) -> Result<Self, Problem> {
        let dims = match (self.len(), other.len()) {
            _ if self.dims == other.dims => &self.dims,
            (_, 1) => &self.dims,
            (1, _) => &other.dims,
            (a, b) if a == b => &self.dims,
            _ => {
                return Err(Problem::Shape {
                    what: "a constant",
                    found: other.dims.clone(),
                    wanted: "constants that are added or multiplied have one shape",
                });
            }
        };
        let len = self.len().max(other.len());
        fn at<T: Copy>(numbers: &[T], index: usize) -> T {
            numbers[if numbers.len() == 1 { 0 } else { index }]
        }
        // An empty constant keeps its own length.
        let len = if self.len() == 0 || other.len() == 0 {
            0
        } else {
            len
        };
        Ok(match (&self.numbers, &other.numbers) {
            (Numbers::Real(a), Numbers::Real(b)) => {
                let numbers = (0..len).map(|i| by.of(at(a, i), at(b, i))).collect();
                Constant {
                    dims: dims.clone(),
                    numbers: Numbers::Real(numbers),
                }
            }
            (Numbers::Whole(a), Numbers::Whole(b)) => {
                let numbers = (0..len).map(|i| by.of_whole(at(a, i), at(b, i)));
                let numbers: Option<Vec<i64>> = numbers.collect();
                let numbers = numbers.ok_or(Problem::Extent(dims.clone()))?;
                Constant::whole(dims.clone(), numbers)
            }
            _ => {
                return Err(Problem::NumberType {
                    tensor: "a constant".into(),
                    found: "integers beside real numbers".into(),
                });
            }
        })
    }

    /// Real values of integers: `scale * (value - zero)`, with one scale or one for each index of `axis`.
    pub(crate) fn dequantised(
        &self,
        scales: &[f32],
        zeros: &[i64],
        axis: usize,
    ) -> Result<Self, Problem> {
        let inner = self.dims.iter().skip(axis + 1).product::<usize>().max(1);
        let extent = match scales.len() {
            1 => 1,
            count if self.dims.get(axis) == Some(&count) => count,
            _ => {
                return Err(Problem::Shape {
                    what: "scales",
                    found: vec![scales.len()],
                    wanted: "there is one, or one for each index of an axis",
                });
            }
        };
        let values = self.wholes("weights")?.iter().enumerate();
        let real = |(place, value): (usize, &i64)| {
            let along = place / inner % extent;
            let zero = zeros.get(along).or(zeros.first()).copied().unwrap_or(0);
            scales[along] * value.saturating_sub(zero) as f32
        };
        Ok(Constant::real(
            self.dims.clone(),
            values.map(real).collect(),
        ))
    }

    /// Applies a function to each element.
    pub(crate) fn each(&self, of: impl Fn(f32) -> f32) -> Result<Self, Problem> {
        let numbers = self.reals("a constant")?.iter().map(|n| of(*n)).collect();
        Ok(Constant {
            dims: self.dims.clone(),
            numbers: Numbers::Real(numbers),
        })
    }
}

impl Arithmetic {
    fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
        }
    }

    fn of_whole(self, a: i64, b: i64) -> Option<i64> {
        match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::Divide => a.checked_div(b),
        }
    }
}
