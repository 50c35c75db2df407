//! Extents that a file leaves open, computed from the input on.
//!
//! TensorFlow writes networks for batches of any size. What a RESHAPE makes of a map is then computed, by operators
//! that take a tensor's shape apart and put another one together (SHAPE, STRIDED_SLICE, PACK and others). posy runs
//! one picture at a time, for which all of them are constants.

use std::cell::RefCell;
use std::collections::BTreeMap;

use posy_shared::model::Shape;

use super::names::{
    ADD, CAST, CONCATENATION, EXPAND_DIMS, GATHER, MUL, PACK, REDUCE_PROD, RESHAPE, SHAPE, SLICE,
    SQUEEZE, STRIDED_SLICE, SUB,
};
use super::schema::{Operator, Options};
use super::tensors::Tensors;

/// Limit on the integers of a shape. A file could double them with each operator.
const MOST_INTEGERS: usize = 64;

/// Values computed so far, by the tensor that holds them.
#[derive(Default)]
pub(super) struct Computed {
    /// Shapes of tensors with open extents.
    dimensions: RefCell<BTreeMap<i32, Vec<i32>>>,
    /// Integers that operators of shapes write.
    integers: RefCell<BTreeMap<i32, Vec<i32>>>,
}

impl Computed {
    /// Shape of an open tensor, once its writer has been read.
    pub(super) fn dimensions(&self, index: i32) -> Option<Vec<i32>> {
        self.dimensions.borrow().get(&index).cloned()
    }

    /// Integers of a tensor that an operator of shapes writes.
    pub(super) fn integers(&self, index: i32) -> Option<Vec<i32>> {
        self.integers.borrow().get(&index).cloned()
    }
}

impl<'a> Tensors<'_, 'a> {
    /// Gives an open tensor the shape of `map`, which its writer computes. Extents that the file states stay as they
    /// are, so that a wrong one is found by whoever reads the shape.
    pub(super) fn settle(&self, index: i32, map: Shape) {
        let [height, width, channels] = [map.height, map.width, map.channels].map(i32::from);
        let pixels = height.saturating_mul(width);
        let dims = match self.stated_extents(index).len() {
            4 => vec![1, height, width, channels],
            3 => vec![1, pixels, channels],
            2 => vec![pixels, channels],
            1 => vec![pixels.saturating_mul(channels)],
            _ => return,
        };
        self.settle_dimensions(index, dims);
    }

    /// Gives an open tensor these extents, as [`settle`](Self::settle) does.
    pub(super) fn settle_dimensions(&self, index: i32, mut dims: Vec<i32>) {
        let stated = self.stated_extents(index);
        if stated.len() != dims.len() || stated.iter().all(Option::is_some) {
            return;
        }
        for (extent, stated) in dims.iter_mut().zip(stated) {
            *extent = stated.unwrap_or(*extent);
        }
        let mut known = self.computed.dimensions.borrow_mut();
        known.insert(index, dims);
    }

    /// Gives the open output of a RESHAPE or a SQUEEZE the shape that it is reshaped to: its second operand, or the
    /// stated one with its one open extent counted.
    pub(super) fn settle_reshaped(&self, operator: &Operator<'a>) {
        let (Some(input), Some(output)) = (operator.inputs.get(0), operator.outputs.get(0)) else {
            return;
        };
        let Ok(len) = self.len(input) else {
            return;
        };
        let wanted = operator.inputs.get(1).map(|shape| self.integers(shape));
        let stated = || {
            let extents = self.stated_extents(output).into_iter();
            extents.map(|extent| extent.unwrap_or(-1)).collect()
        };
        let wanted = wanted.and_then(Result::ok).unwrap_or_else(stated);
        if let Some(dims) = counted(&wanted, len) {
            self.settle_dimensions(output, dims);
        }
    }

    /// Computes the integers that an operator of shapes writes. Returns false for other operators: those that read
    /// one of the maps, of which only SHAPE reads no values, and arithmetic on constants that are no shapes.
    pub(super) fn computes_shapes(
        &self,
        number: i32,
        operator: &Operator<'a>,
        is_map: impl Fn(i32) -> bool,
    ) -> bool {
        let mut read = operator.inputs.iter();
        let reads_map = read.any(is_map);
        let mut read = operator.inputs.iter();
        let mut of_shapes = || read.any(|tensor| self.computed.integers(tensor).is_some());
        let computes = match number {
            SHAPE => true,
            _ if reads_map => false,
            STRIDED_SLICE | PACK | GATHER | REDUCE_PROD | CONCATENATION => true,
            ADD | SUB | MUL | CAST | SLICE | EXPAND_DIMS | RESHAPE | SQUEEZE => of_shapes(),
            _ => false,
        };
        if !computes {
            return false;
        }
        let found = self.integers_of_shapes(number, operator);
        let found = found.filter(|integers| integers.len() <= MOST_INTEGERS);
        // Of others nothing is known. A RESHAPE that needs them says so.
        if let (Some(integers), Some(output)) = (found, operator.outputs.get(0)) {
            let mut known = self.computed.integers.borrow_mut();
            known.insert(output, integers);
        }
        true
    }

    fn integers_of_shapes(&self, number: i32, operator: &Operator<'a>) -> Option<Vec<i32>> {
        let read = |place: usize| self.integers(operator.inputs.get(place)?).ok();
        let each = |of: fn(i32, i32) -> Option<i32>| -> Option<Vec<i32>> {
            let (a, b) = (read(0)?, read(1)?);
            let len = match (a.len(), b.len()) {
                (a, b) if a == b => a,
                (len, 1) | (1, len) => len,
                _ => return None,
            };
            let at = |list: &[i32], place: usize| list.get(place).or(list.first()).copied();
            let both = |place| of(at(&a, place)?, at(&b, place)?);
            (0..len).map(both).collect()
        };
        match number {
            SHAPE => self.dimensions(operator.inputs.get(0)?).ok(),
            PACK | CONCATENATION => {
                let inputs = operator.inputs.iter().take(MOST_INTEGERS + 1);
                let lists: Option<Vec<_>> =
                    inputs.map(|tensor| self.integers(tensor).ok()).collect();
                Some(lists?.concat())
            }
            GATHER => {
                let (from, places) = (read(0)?, read(1)?);
                let place = |place: &i32| from.get(usize::try_from(*place).ok()?).copied();
                places.iter().map(place).collect()
            }
            REDUCE_PROD => {
                let mut factors = read(0)?.into_iter();
                Some(vec![factors.try_fold(1, i32::checked_mul)?])
            }
            STRIDED_SLICE => {
                let [Some(begin), Some(end), Some(step)] =
                    [1, 2, 3].map(|place| read(place)?.first().copied())
                else {
                    return None;
                };
                strided_slice(&read(0)?, [begin, end, step], operator.options)
            }
            SLICE => {
                let (from, begin, size) = (read(0)?, read(1)?, read(2)?);
                let begin = usize::try_from(*begin.first()?).ok()?;
                let rest = from.get(begin..)?;
                match *size.first()? {
                    -1 => Some(rest.to_vec()),
                    size => Some(rest.get(..usize::try_from(size).ok()?)?.to_vec()),
                }
            }
            ADD => each(i32::checked_add),
            SUB => each(i32::checked_sub),
            MUL => each(i32::checked_mul),
            // Another type or shape of the same integers.
            _ => read(0),
        }
    }
}

/// Extents of `len` values by `wanted`, one of which may be open (-1).
fn counted(wanted: &[i32], len: usize) -> Option<Vec<i32>> {
    let mut known = wanted.iter().filter(|extent| **extent >= 0);
    let known = known.try_fold(1_usize, |n, extent| {
        n.checked_mul(usize::try_from(*extent).ok()?)
    })?;
    let open = wanted.iter().filter(|extent| **extent < 0).count();
    let rest = match open {
        0 => 1,
        1 => len.checked_div(known)?,
        _ => return None,
    };
    if known.checked_mul(rest) != Some(len) {
        return None;
    }
    let rest = i32::try_from(rest).ok()?;
    let extents = wanted
        .iter()
        .map(|extent| if *extent < 0 { rest } else { *extent });
    Some(extents.collect())
}

/// Slice of a list of integers with the options of STRIDED_SLICE; negative limits count from the end.
fn strided_slice(from: &[i32], [begin, end, step]: [i32; 3], options: Options) -> Option<Vec<i32>> {
    let Options::Slice {
        open_begin,
        open_end,
        single,
    } = options
    else {
        return None;
    };
    let len = i32::try_from(from.len()).ok()?;
    let place = |limit: i32| match limit {
        ..0 => limit.saturating_add(len),
        limit => limit,
    };
    if single {
        let place = usize::try_from(place(begin)).ok()?;
        return Some(vec![*from.get(place)?]);
    }
    let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
    let begin = if open_begin {
        0
    } else {
        place(begin).clamp(0, len)
    };
    let end = if open_end {
        len
    } else {
        place(end).clamp(begin, len)
    };
    let part = from.get(begin as usize..end as usize)?;
    Some(part.iter().step_by(step).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Options with the masks begin and end, or the mask that keeps one element.
    fn options(open_begin: bool, open_end: bool, single: bool) -> Options {
        Options::Slice {
            open_begin,
            open_end,
            single,
        }
    }

    #[test]
    fn slices_are_numpys() {
        let from = [1, 7, 7, 64];
        let cases: [([i32; 3], Options, &[i32]); 7] = [
            ([0, 1, 1], options(false, false, true), &[1]),
            ([-1, 0, 1], options(false, false, true), &[64]),
            ([1, 3, 1], options(false, false, false), &[7, 7]),
            ([1, 0, 1], options(false, true, false), &[7, 7, 64]),
            ([0, -1, 2], options(true, false, false), &[1, 7]),
            ([-2, 9, 1], options(false, false, false), &[7, 64]),
            ([3, 1, 1], options(false, false, false), &[]),
        ];
        for (limits, options, expected) in cases {
            let found = strided_slice(&from, limits, options);
            assert_eq!(found.as_deref(), Some(expected), "{limits:?} {options:?}");
        }
        assert_eq!(
            strided_slice(&from, [4, 5, 1], options(false, false, true)),
            None
        );
        assert_eq!(
            strided_slice(&from, [0, 4, 0], options(false, false, false)),
            None
        );
        assert_eq!(strided_slice(&from, [0, 1, 1], Options::Other), None);
    }

    #[test]
    fn one_open_extent_is_counted() {
        assert_eq!(counted(&[-1, 49, 64], 49 * 64), Some(vec![1, 49, 64]));
        assert_eq!(counted(&[49, 64], 49 * 64), Some(vec![49, 64]));
        assert_eq!(counted(&[-1, 5], 49 * 64), None);
        assert_eq!(counted(&[-1, -1, 64], 49 * 64), None);
        assert_eq!(counted(&[-1, 0], 64), None);
        assert_eq!(counted(&[49, 63], 49 * 64), None);
    }
}
