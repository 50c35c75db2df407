//! Nodes that move axes, and nodes that compute shapes from shapes.

use super::tensors::{Settings, constant};
use super::walk::{Step, Walk};
use crate::graph::builder::{Constant, Map, Problem, Value, from_end};

/// Maximum size of a constant made by repeating one number: enough for shapes and paddings, not
/// weights.
const MOST_REPEATED: usize = 4096;

impl Walk<'_> {
    pub(super) fn transpose(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let value = step.input(0, "input")?;
        let rank = match value {
            Value::Map(map) => map.axes.len(),
            Value::Constant(constant) => constant.dims.len(),
        };
        let order: Vec<usize> = match Settings(step.node).wholes("perm") {
            None => (0..rank).rev().collect(),
            Some(order) => order
                .iter()
                .map(|axis| from_end(*axis, rank))
                .collect::<Result<_, _>>()?,
        };
        Ok(match value {
            Value::Map(map) => Value::Map(map.transposed(&order)?),
            Value::Constant(constant) => {
                self.chain.spend(constant.len())?;
                let turned = constant.transposed(&order);
                Value::Constant(turned.ok_or(Problem::Axes)?)
            }
        })
    }

    pub(super) fn reshape(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let value = step.input(0, "input")?;
        if step.node.op_type == "Flatten" {
            let map = step.map()?;
            let axis = settings.whole("axis", 1);
            let dims = map.dims();
            // The axis may lie one past the last.
            let place = match usize::try_from(axis) {
                Ok(place) if place == dims.len() => place,
                _ => from_end(axis, dims.len())?,
            };
            let product = |dims: &[usize]| dims.iter().product::<usize>() as i64;
            let dims = [product(&dims[..place]), product(&dims[place..])];
            return self.reshaped_map(step, map, &dims);
        }
        let wanted = match step.optional(1) {
            Some(dims) => dims.constant("shape")?.wholes("shape")?.to_vec(),
            None => settings.wholes("shape").unwrap_or_default().to_vec(),
        };
        match value {
            Value::Map(map) => self.reshaped_map(step, map, &wanted),
            Value::Constant(constant) => Ok(Value::Constant(reshaped(constant, &wanted)?)),
        }
    }

    /// A map in another shape, or all its values as a vector.
    fn reshaped_map(
        &mut self,
        step: &Step<'_>,
        map: &Map,
        wanted: &[i64],
    ) -> Result<Value, Problem> {
        let problem = match map.reshaped(wanted) {
            Ok(reshaped) => return Ok(Value::Map(reshaped)),
            Err(problem) => problem,
        };
        if !matches!(problem, Problem::Flat(_)) {
            return Err(problem);
        }
        let flat = self.chain.flatten_to(map, wanted, &step.name())?;
        let index = flat.layer();
        if let Some((index, layer)) = index.and_then(|at| Some((at, self.chain.layer(at)?))) {
            self.record.views(index, layer);
        }
        Ok(Value::Map(flat))
    }

    pub(super) fn squeeze(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let axes = match step.optional(1) {
            Some(axes) => Some(axes.constant("axes")?.wholes("axes")?.to_vec()),
            None => Settings(step.node).wholes("axes").map(<[i64]>::to_vec),
        };
        let squeezes = step.node.op_type == "Squeeze";
        match step.input(0, "input")? {
            Value::Map(map) if squeezes => Ok(Value::Map(map.squeezed(axes.as_deref())?)),
            Value::Map(map) => {
                let axes = axes.ok_or(Problem::Missing("axes"))?;
                Ok(Value::Map(map.unsqueezed(&axes)?))
            }
            // Constants here are shapes, and vectors with one long axis.
            Value::Constant(constant) => {
                let long = constant.dims.iter().copied().filter(|extent| *extent != 1);
                let mut dims: Vec<usize> = long.collect();
                if dims.is_empty() && !squeezes {
                    dims.push(1);
                } else if !squeezes {
                    dims = constant.dims.clone();
                    let axes = axes.ok_or(Problem::Missing("axes"))?;
                    let rank = dims.len() + axes.len();
                    let mut places = axes
                        .iter()
                        .map(|axis| from_end(*axis, rank))
                        .collect::<Result<Vec<_>, _>>()?;
                    places.sort_unstable();
                    for place in places {
                        dims.insert(place.min(dims.len()), 1);
                    }
                }
                let squeezed = constant.with_dims(dims);
                Ok(Value::Constant(squeezed.ok_or(Problem::Axes)?))
            }
        }
    }

    pub(super) fn constant(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let value = if let Some(tensor) = settings.tensor("value") {
            constant(tensor)?
        } else if let Some(number) = settings.real("value_float") {
            Constant::real(Vec::new(), vec![number])
        } else if let Some(numbers) = settings.reals("value_floats") {
            Constant::real(vec![numbers.len()], numbers.to_vec())
        } else if settings.has("value_int") {
            Constant::whole(Vec::new(), vec![settings.whole("value_int", 0)])
        } else if let Some(numbers) = settings.wholes("value_ints") {
            Constant::whole(vec![numbers.len()], numbers.to_vec())
        } else {
            return Err(Problem::Missing("value"));
        };
        Ok(Value::Constant(value))
    }

    /// The shape arithmetic that exporters emit to flatten a map to a vector.
    pub(super) fn shape_arithmetic(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let whole =
            |numbers: Vec<i64>| Value::Constant(Constant::whole(vec![numbers.len()], numbers));
        let first = || step.constant(0, "input")?.wholes("input");
        Ok(match step.node.op_type.as_str() {
            "Shape" => {
                let dims = match step.input(0, "input")? {
                    Value::Map(map) => map.dims(),
                    Value::Constant(constant) => constant.dims.clone(),
                };
                let end = settings.whole("end", dims.len() as i64);
                let (start, end) = (settings.whole("start", 0), end);
                whole(part(
                    &dims.iter().map(|dim| *dim as i64).collect::<Vec<_>>(),
                    start,
                    end,
                ))
            }
            "Gather" => {
                let numbers = first()?;
                let places = step.constant(1, "indices")?;
                let found = places
                    .wholes("indices")?
                    .iter()
                    .map(|place| Ok(numbers[from_end(*place, numbers.len())?]))
                    .collect::<Result<Vec<_>, Problem>>()?;
                Value::Constant(Constant::whole(places.dims.clone(), found))
            }
            "Slice" => self.slice(step)?,
            "ConstantOfShape" => {
                let dims = first()?.iter().map(|extent| usize::try_from(*extent).ok());
                let dims: Vec<usize> = dims.collect::<Option<_>>().ok_or(Problem::Axes)?;
                let len = dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
                let len = len
                    .filter(|len| *len <= MOST_REPEATED)
                    .ok_or(Problem::Shared)?;
                let value = settings.tensor("value").map(constant).transpose()?;
                let value = value.unwrap_or_else(|| Constant::real(vec![1], vec![0.0]));
                let repeated = value.picked(0, &vec![0; len]).ok_or(Problem::Axes)?;
                Value::Constant(repeated.with_dims(dims).ok_or(Problem::Axes)?)
            }
            _ => {
                let mut joined = Vec::new();
                for value in step.inputs() {
                    joined.extend_from_slice(value.constant("input")?.wholes("input")?);
                }
                self.chain.spend(joined.len())?;
                whole(joined)
            }
        })
    }
}

impl Walk<'_> {
    /// A slice of a constant along one axis, forwards or backwards.
    fn slice(&mut self, step: &Step<'_>) -> Result<Value, Problem> {
        let settings = Settings(step.node);
        let of = |place: usize, name: &str| match step.optional(place) {
            Some(value) => value
                .constant("limit")?
                .wholes("limit")
                .map(<[i64]>::to_vec),
            None => Ok(settings.wholes(name).unwrap_or_default().to_vec()),
        };
        let input = step.constant(0, "input")?;
        let (starts, ends, axes) = (of(1, "starts")?, of(2, "ends")?, of(3, "axes")?);
        let ([start], [end], steps) = (starts.as_slice(), ends.as_slice(), of(4, "steps")?) else {
            return Err(Problem::Axes);
        };
        let axis = from_end(axes.first().copied().unwrap_or(0), input.dims.len())?;
        let len = input.dims[axis] as i64;
        let from = |limit: i64| match limit {
            ..0 => limit.saturating_add(len),
            limit => limit,
        };
        let places: Vec<usize> = match steps.as_slice() {
            [] | [1] => {
                let (start, end) = (from(*start).clamp(0, len), from(*end).clamp(0, len));
                (start..end).map(|place| place as usize).collect()
            }
            [-1] => {
                let (start, end) = (from(*start).min(len - 1), from(*end).max(-1));
                (end + 1..=start)
                    .rev()
                    .map(|place| place as usize)
                    .collect()
            }
            _ => return Err(Problem::Axes),
        };
        self.chain.spend(input.len())?;
        let picked = input.picked(axis, &places).ok_or(Problem::Axes)?;
        Ok(Value::Constant(picked))
    }
}

/// A slice of a list; negative limits count from the end.
fn part(numbers: &[i64], start: i64, end: i64) -> Vec<i64> {
    let len = numbers.len() as i64;
    let place = |limit: i64| {
        let limit = if limit < 0 {
            limit.saturating_add(len)
        } else {
            limit
        };
        limit.clamp(0, len) as usize
    };
    numbers
        .get(place(start)..place(end))
        .unwrap_or_default()
        .to_vec()
}

/// A reshaped constant; -1 is the remaining extent, 0 keeps the extent at that place.
fn reshaped(constant: &Constant, wanted: &[i64]) -> Result<Constant, Problem> {
    let misfit = || Problem::Shape {
        what: "a constant",
        found: constant.dims.clone(),
        wanted: "the numbers before and after a reshape are as many",
    };
    let mut dims = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (place, extent) in wanted.iter().enumerate() {
        dims.push(match *extent {
            0 => constant.dims.get(place).copied().ok_or_else(misfit)?,
            -1 if open.is_none() => {
                open = Some(place);
                1
            }
            extent => usize::try_from(extent).map_err(|_| misfit())?,
        });
    }
    if let Some(open) = open {
        let known = dims.iter().try_fold(1_usize, |n, dim| n.checked_mul(*dim));
        dims[open] = constant
            .len()
            .checked_div(known.unwrap_or(0))
            .ok_or_else(misfit)?;
    }
    constant.with_dims(dims).ok_or_else(misfit)
}
