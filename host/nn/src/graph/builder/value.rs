//! Values of tensors while a file is read.

use std::rc::Rc;

use posy_shared::model::{Padding, Shape};

use super::{Constant, Problem};

/// Meaning of one axis of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Images; always 1.
    Batch,
    /// Rows.
    Height,
    /// Columns.
    Width,
    /// Channels.
    Channels,
    /// No meaning: an extent of 1.
    One,
}

/// Writer of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The network's input.
    Input,
    /// A layer, by its index.
    Layer(usize),
}

/// A map written by a layer, as seen through one tensor of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub(super) writer: Writer,
    /// Number of operators folded into its writer when this value was written.
    pub(super) version: u32,
    /// Shape, as the writer has it.
    pub(crate) shape: Shape,
    /// Meaning of each axis of the tensor.
    pub(crate) axes: Vec<Axis>,
    /// Zero padding added by an operator, for the convolution that reads the map.
    pub(super) padded: Padding,
    /// Height or width, if a mean was taken over it already.
    pub(super) averaged: Option<Axis>,
    /// Scale and shift of each channel, for the fully connected layer that reads the map.
    pub(super) scaled: Option<Rc<[(f64, f64)]>>,
    /// Shape of the map that was flattened, and the order of its axes in the file's vector, if it is another than
    /// height, width, channels. The layer that reads the vector turns its weights.
    pub(super) turned: Option<Rc<(Shape, Vec<Axis>)>>,
}

/// Value of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A map written by a layer.
    Map(Map),
    /// A constant of the file, or computed from constants.
    Constant(Constant),
}

impl Value {
    /// The constant, or an error if this is a map.
    pub(crate) fn constant(&self, what: &'static str) -> Result<&Constant, Problem> {
        match self {
            Value::Constant(constant) => Ok(constant),
            Value::Map(_) => Err(Problem::NotConstant(what)),
        }
    }

    /// The map, or an error if this is a constant.
    pub(crate) fn map(&self, what: &'static str) -> Result<&Map, Problem> {
        match self {
            Value::Map(map) => Ok(map),
            Value::Constant(_) => Err(Problem::OnlyConstants(what)),
        }
    }
}

impl Map {
    /// Index of the layer that writes it; `None` for the network's input.
    pub(crate) fn layer(&self) -> Option<usize> {
        match self.writer {
            Writer::Input => None,
            Writer::Layer(index) => Some(index),
        }
    }

    /// Extent of the tensor along an axis, padding included.
    pub(crate) fn extent(&self, axis: Axis) -> usize {
        let Padding {
            top,
            bottom,
            left,
            right,
        } = self.padded;
        match axis {
            _ if self.averaged == Some(axis) => 1,
            Axis::Batch | Axis::One => 1,
            Axis::Height => usize::from(self.shape.height) + usize::from(top) + usize::from(bottom),
            Axis::Width => usize::from(self.shape.width) + usize::from(left) + usize::from(right),
            Axis::Channels => usize::from(self.shape.channels),
        }
    }

    /// Extents of the tensor in the file's order.
    pub(crate) fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| self.extent(*axis)).collect()
    }

    /// True for more than one pixel.
    pub(crate) fn is_spatial(&self) -> bool {
        (self.shape.height, self.shape.width) != (1, 1)
    }

    /// Refuses padded, half-averaged, scaled and turned maps, which only a convolution, a pool or a fully connected layer
    /// can use.
    pub(super) fn plain(&self) -> Result<&Self, Problem> {
        if self.padded != Padding::default() {
            Err(Problem::Padding)
        } else if self.averaged.is_some() {
            Err(Problem::Axes)
        } else if self.scaled.is_some() {
            Err(Problem::Affine("a constant"))
        } else if self.turned.is_some() {
            Err(Problem::Flat(self.shape))
        } else {
            Ok(self)
        }
    }

    /// Index of an axis in the tensor.
    pub(super) fn place(&self, axis: Axis) -> Option<usize> {
        self.axes.iter().position(|found| *found == axis)
    }

    /// Transposed: axis `i` of the result is axis `order[i]`.
    pub(crate) fn transposed(&self, order: &[usize]) -> Result<Self, Problem> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.axes.len()) {
            return Err(Problem::Setting {
                name: "perm",
                found: format!("{order:?}"),
                wanted: "each axis must be named once",
            });
        }
        let axes = order.iter().map(|axis| self.axes[*axis]).collect();
        Ok(Map {
            axes,
            ..self.clone()
        })
    }

    /// Reshaped. One of `dims` may be -1 (the remaining extent); 0 keeps the extent at that place.
    pub(crate) fn reshaped(&self, dims: &[i64]) -> Result<Self, Problem> {
        self.plain()?;
        let before = self.dims();
        let mut wanted = Vec::with_capacity(dims.len());
        let mut open = None;
        for (place, dim) in dims.iter().enumerate() {
            wanted.push(match *dim {
                0 => before.get(place).copied().unwrap_or(1),
                -1 if open.is_none() => {
                    open = Some(place);
                    1
                }
                dim => usize::try_from(dim).map_err(|_| self.misfit(&before))?,
            });
        }
        let product = |dims: &[usize]| dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
        let (len, known) = (product(&before), product(&wanted));
        let (Some(len), Some(known @ 1..)) = (len, known) else {
            return Err(self.misfit(&before));
        };
        if let Some(open) = open {
            wanted[open] = len / known;
        }
        if product(&wanted) != Some(len) {
            return Err(self.misfit(&wanted));
        }
        if wanted == before {
            return Ok(self.clone());
        }
        // Axes of extent 1 may come and go; the others keep their order.
        let mut kept = self.axes.iter().filter(|axis| self.extent(**axis) != 1);
        let mut axes = Vec::with_capacity(wanted.len());
        for extent in &wanted {
            axes.push(match extent {
                1 => Axis::One,
                extent => match kept.next() {
                    Some(axis) if self.extent(*axis) == *extent => *axis,
                    _ => return Err(Problem::Flat(self.shape)),
                },
            });
        }
        Ok(self.named(axes))
    }

    /// The map with these axes. Unnamed axes of extent 1 get their names back where that is
    /// unambiguous, so that a vector with axes added around it is a map again.
    pub(super) fn named(&self, mut axes: Vec<Axis>) -> Self {
        if !axes.contains(&Axis::Channels) && self.shape.channels == 1 {
            // With a single channel, any axis of extent 1 may be the channel axis.
            if let Some(last) = axes.iter_mut().rev().find(|axis| **axis == Axis::One) {
                *last = Axis::Channels;
            }
        }
        if let Some(first) = axes.first_mut().filter(|axis| **axis == Axis::One) {
            *first = Axis::Batch;
        }
        if axes.len() == 4 {
            for name in [Axis::Height, Axis::Width] {
                if !axes.contains(&name)
                    && let Some(one) = axes.iter_mut().find(|axis| **axis == Axis::One)
                {
                    *one = name;
                }
            }
        }
        Map {
            axes,
            ..self.clone()
        }
    }

    fn misfit(&self, found: &[usize]) -> Problem {
        Problem::Shape {
            what: "a map",
            found: found.to_vec(),
            wanted: "the numbers before and after a reshape are as many",
        }
    }

    /// Removes the axes of extent 1 at these places, or all of them for `None`.
    pub(crate) fn squeezed(&self, places: Option<&[i64]>) -> Result<Self, Problem> {
        self.plain()?;
        let dims = self.dims();
        let gone: Vec<usize> = match places {
            None => (0..dims.len()).filter(|place| dims[*place] == 1).collect(),
            Some(places) => places
                .iter()
                .map(|place| from_end(*place, dims.len()))
                .collect::<Result<_, _>>()?,
        };
        if gone.iter().any(|place| dims[*place] != 1) {
            return Err(Problem::Shape {
                what: "a map",
                found: dims,
                wanted: "only extents of one can be squeezed out",
            });
        }
        let kept = (0..dims.len()).filter(|place| !gone.contains(place));
        Ok(self.named(kept.map(|place| self.axes[place]).collect()))
    }

    /// Inserts axes of extent 1 so that they stand at these places of the result.
    pub(crate) fn unsqueezed(&self, places: &[i64]) -> Result<Self, Problem> {
        self.plain()?;
        let len = self.axes.len() + places.len();
        let places: Vec<usize> = places
            .iter()
            .map(|place| from_end(*place, len))
            .collect::<Result<_, _>>()?;
        let mut rest = self.axes.iter().copied();
        let mut axes = Vec::with_capacity(len);
        for place in 0..len {
            let axis = if places.contains(&place) {
                Some(Axis::One)
            } else {
                rest.next()
            };
            axes.push(axis.ok_or(Problem::Axes)?);
        }
        Ok(self.named(axes))
    }
}

/// An index among `len`; negative ones count from the end.
pub(crate) fn from_end(place: i64, len: usize) -> Result<usize, Problem> {
    let counted = if place < 0 {
        usize::try_from(place.unsigned_abs())
            .ok()
            .and_then(|back| len.checked_sub(back))
    } else {
        usize::try_from(place).ok().filter(|place| *place < len)
    };
    counted.ok_or(Problem::Setting {
        name: "axis",
        found: place.to_string(),
        wanted: "there is no such axis",
    })
}
