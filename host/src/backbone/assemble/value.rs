//! What a tensor stands for while a file is read.

use posy_shared::model::{Padding, Shape};

use super::{Constant, Problem};

/// What one axis of a tensor counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Pictures; always one.
    Batch,
    /// Rows.
    Height,
    /// Pixels in a row.
    Width,
    /// Numbers in a pixel.
    Channels,
    /// Nothing: an extent of one.
    One,
}

/// Who writes a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The network's input.
    Input,
    /// A layer, by its index.
    Layer(usize),
}

/// A map that a layer writes, as one tensor of the file shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Map {
    pub(super) writer: Writer,
    /// How often something had been folded into its writer when this was written.
    pub(super) version: u32,
    /// As its writer has it.
    pub(crate) shape: Shape,
    /// What each axis of the tensor counts.
    pub(crate) axes: Vec<Axis>,
    /// Rows and columns of zeros that an operator has put around it, for the convolution that reads
    /// it.
    pub(super) padded: Padding,
    /// The axis of the two over which a mean has been taken already.
    pub(super) averaged: Option<Axis>,
}

/// What a tensor stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Something that a layer writes.
    Map(Map),
    /// Numbers that the file holds, or that follow from them.
    Constant(Constant),
}

impl Value {
    /// The constant that it is.
    pub(crate) fn constant(&self, what: &'static str) -> Result<&Constant, Problem> {
        match self {
            Value::Constant(constant) => Ok(constant),
            Value::Map(_) => Err(Problem::NotConstant(what)),
        }
    }

    /// The map that it is.
    pub(crate) fn map(&self, what: &'static str) -> Result<&Map, Problem> {
        match self {
            Value::Map(map) => Ok(map),
            Value::Constant(_) => Err(Problem::OnlyConstants(what)),
        }
    }
}

impl Map {
    /// Extent of the tensor along one of its axes, zeros around it counted.
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

    /// Shape of the tensor in the file's order.
    pub(crate) fn dims(&self) -> Vec<usize> {
        self.axes.iter().map(|axis| self.extent(*axis)).collect()
    }

    /// Whether it has more than one pixel.
    pub(crate) fn is_spatial(&self) -> bool {
        (self.shape.height, self.shape.width) != (1, 1)
    }

    /// Refuses what only a convolution or a pool can make use of.
    pub(super) fn plain(&self) -> Result<&Self, Problem> {
        if self.padded != Padding::default() {
            Err(Problem::Padding)
        } else if self.averaged.is_some() {
            Err(Problem::Axes)
        } else {
            Ok(self)
        }
    }

    /// The place of an axis in the tensor.
    pub(super) fn place(&self, axis: Axis) -> Option<usize> {
        self.axes.iter().position(|found| *found == axis)
    }

    /// The same map with its axes in another order: axis `i` of the result is axis `order[i]`.
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

    /// The same map in other extents. One of `dims` may be -1, for what is left; a 0 stands for
    /// the extent that was there.
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
        // Extents of one may come and go; the others stay in their order.
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

    /// The same map with these axes. Those of one that have lost their names get them back where
    /// that cannot be mistaken, so that a vector with axes put around it is a map again.
    pub(super) fn named(&self, mut axes: Vec<Axis>) -> Self {
        if !axes.contains(&Axis::Channels) && self.shape.channels == 1 {
            // Of a single channel it makes no difference which one is called so.
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

    /// Without the extents of one at these places; all of them where none are named.
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

    /// With extents of one put in, so that they stand at these places of the result.
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

/// A place among `len` that may be counted from the end.
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
