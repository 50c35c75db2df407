//! Layers with parameters, and means, sums and norms along axes.

use super::arithmetic::broadcast;
use super::node::{Node, axis, each_once};
use super::value::{Kind, Value, volume};
use super::{Cost, Problem};

/// Widest window of a local response norm.
const MOST_NEIGHBOURS: i64 = 255;

/// A batch norm: four lists, one number a channel.
pub(super) fn batch_norm(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(5..=5)?;
    if node.flag("training_mode", false)? || node.whole("spatial", 1)? != 1 {
        return Err(Problem::Setting("training_mode"));
    }
    let input = node.input(0)?;
    let &[_, channels, ..] = input.dims.as_slice() else {
        return Err(Problem::Fit("input", input.dims.clone()));
    };
    for place in 1..5 {
        of_channels(node.input(place)?, input.kind, &[channels])?;
    }
    cost.spend(input.len()?, 2);
    Ok(input.sized(input.dims.clone()))
}

/// Refuses a parameter that is not a list of one number a channel.
fn of_channels(value: &Value, kind: Kind, counts: &[usize]) -> Result<(), Problem> {
    match *value.dims.as_slice() {
        [count] if counts.contains(&count) && value.kind == kind && value.fixed => Ok(()),
        _ => Err(Problem::Fit("parameter", value.dims.clone())),
    }
}

/// An instance or group norm.
pub(super) fn channel_norm(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(3..=3)?;
    let input = node.input(0)?;
    let &[_, channels, _, ..] = input.dims.as_slice() else {
        return Err(Problem::Fit("input", input.dims.clone()));
    };
    let mut counts = vec![channels];
    if node.proto.op_type == "GroupNormalization" {
        let groups = usize::try_from(node.whole("num_groups", 0)?).unwrap_or(0);
        if groups == 0 || channels % groups != 0 {
            return Err(Problem::Setting("num_groups"));
        }
        counts.push(groups);
    }
    for place in 1..3 {
        of_channels(node.input(place)?, input.kind, &counts)?;
    }
    cost.spend(input.len()?, 8);
    Ok(input.sized(input.dims.clone()))
}

/// A layer norm: its parameters have the extents of the axes that are normalised.
pub(super) fn layer_norm(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=3)?;
    let input = node.input(0)?;
    let first = axis(node.whole("axis", -1)?, input.dims.len())?;
    if !matches!(node.whole("stash_type", 1)?, 1 | 11) {
        return Err(Problem::Setting("stash_type"));
    }
    for parameter in &node.all()?[1..] {
        if parameter.dims != input.dims[first..] || parameter.kind != input.kind {
            return Err(Problem::Fit("parameter", parameter.dims.clone()));
        }
    }
    cost.spend(input.len()?, 8);
    Ok(input.sized(input.dims.clone()))
}

/// A norm or a softmax along one axis.
pub(super) fn along_axis(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let usual = if node.set < 13 && node.proto.op_type != "LpNormalization" {
        1
    } else {
        -1
    };
    axis(node.whole("axis", usual)?, input.dims.len())?;
    if node.proto.op_type == "LpNormalization" && !matches!(node.whole("p", 2)?, 1 | 2) {
        return Err(Problem::Setting("p"));
    }
    cost.spend(input.len()?, 8);
    Ok(input.sized(input.dims.clone()))
}

/// A local response norm.
pub(super) fn neighbours_norm(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let size = node.whole("size", 0)?;
    if !(1..=MOST_NEIGHBOURS).contains(&size) {
        return Err(Problem::Setting("size"));
    }
    if input.dims.len() != 4 {
        return Err(Problem::Fit("input", input.dims.clone()));
    }
    cost.spend(input.len()?, size as usize);
    Ok(input.sized(input.dims.clone()))
}

/// A product of two matrices and a sum.
pub(super) fn gemm(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=3)?;
    let (a, b) = (node.input(0)?, node.input(1)?);
    let matrix = |value: &Value, turned: bool, what| match (value.dims.as_slice(), turned) {
        (&[rows, columns], false) | (&[columns, rows], true) => Ok((rows, columns)),
        _ => Err(Problem::Fit(what, value.dims.clone())),
    };
    let (rows, shared) = matrix(a, node.flag("transA", false)?, "input")?;
    let (again, columns) = matrix(b, node.flag("transB", false)?, "weights")?;
    if shared != again || a.kind != b.kind {
        return Err(Problem::Fit("weights", b.dims.clone()));
    }
    let dims = vec![rows, columns];
    if node.inputs.len() == 3 {
        let bias = node.input(2)?;
        if broadcast(&[&bias.dims, &dims])? != dims || bias.kind != a.kind {
            return Err(Problem::Fit("bias", bias.dims.clone()));
        }
    }
    cost.spend(volume(&dims)?, shared);
    Ok(Value::new(dims, a.kind))
}

/// A product of matrices.
pub(super) fn matrix_product(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=2)?;
    let (a, b) = (node.input(0)?, node.input(1)?);
    if a.kind != b.kind {
        return Err(Problem::Kinds);
    }
    let fit = || Problem::Fit("second operand", b.dims.clone());
    // A list is a row on the left and a column on the right, and leaves no axis.
    let row = |dims: &[usize]| [&[1], dims].concat();
    let column = |dims: &[usize]| [dims, &[1]].concat();
    let left = if a.dims.len() == 1 {
        row(&a.dims)
    } else {
        a.dims.clone()
    };
    let right = if b.dims.len() == 1 {
        column(&b.dims)
    } else {
        b.dims.clone()
    };
    let ([before @ .., rows, shared], [also @ .., again, columns]) = (&left[..], &right[..]) else {
        return Err(fit());
    };
    if shared != again {
        return Err(fit());
    }
    let mut dims = broadcast(&[before, also])?;
    let pictures = volume(&dims)?;
    if a.dims.len() > 1 {
        dims.push(*rows);
    }
    if b.dims.len() > 1 {
        dims.push(*columns);
    }
    let numbers = pictures.saturating_mul(rows.saturating_mul(*columns));
    cost.spend(numbers, *shared);
    Ok(Value {
        fixed: a.fixed && b.fixed,
        ..Value::new(dims, a.kind)
    })
}

/// A sum, mean, norm or extreme along axes.
pub(super) fn reduction(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    let operator = node.proto.op_type.as_str();
    let is_place = matches!(operator, "ArgMax" | "ArgMin");
    let from_input = !is_place && (node.set >= 18 || (node.set >= 13 && operator == "ReduceSum"));
    node.arity(if from_input { 1..=2 } else { 1..=1 })?;
    let input = node.input(0)?;
    let axes = input.dims.len();
    let named = match (is_place, from_input) {
        (true, _) => Some(vec![node.whole("axis", 0)?]),
        (_, true) if node.has("axes") => return Err(Problem::Setting("axes")),
        (_, true) => match node.inputs.len() {
            2 => Some(node.input(1)?.wholes("axes")?.to_vec()),
            _ => None,
        },
        (_, false) => node.wholes("axes")?.map(<[i64]>::to_vec),
    };
    let named = named.filter(|named| !named.is_empty());
    let gone = match named {
        Some(named) => each_once(&named, axes)?,
        None if node.flag("noop_with_empty_axes", false)? => Vec::new(),
        None => (0..axes).collect(),
    };
    node.flag("select_last_index", false)?;
    let keep = node.flag("keepdims", true)?;
    let left = (0..axes).filter_map(|axis| match (gone.contains(&axis), keep) {
        (true, true) => Some(1),
        (true, false) => None,
        (false, _) => Some(input.dims[axis]),
    });
    cost.spend(input.len()?, 2);
    let left = input.sized(left.collect());
    Ok(Value {
        kind: if is_place { Kind::Int64 } else { input.kind },
        ..left
    })
}

/// Whole numbers for real ones and back, by a scale and a zero point for all or for each channel.
pub(super) fn quantisation(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=3)?;
    let (input, scale) = (node.input(0)?, node.input(1)?);
    let zero_point = node.optional(2);
    if node.has("block_size")
        || node.has("output_dtype")
        || node.inputs.len() == 3 && zero_point.is_none()
    {
        return Err(Problem::Setting("block_size"));
    }
    let channels = match scale.dims.as_slice() {
        [] => None,
        [1] => None,
        [count] => Some(*count),
        _ => return Err(Problem::Fit("scale", scale.dims.clone())),
    };
    let found = node.whole("axis", 1)?;
    if let Some(count) = channels {
        let axis = axis(found, input.dims.len())?;
        if input.dims[axis] != count {
            return Err(Problem::Fit("scale", scale.dims.clone()));
        }
    }
    if !scale.fixed || scale.kind != Kind::Float32 {
        return Err(Problem::Fit("scale", scale.dims.clone()));
    }
    let mut small = Kind::Uint8;
    if let Some(zero_point) = zero_point {
        if zero_point.dims != scale.dims || !zero_point.fixed {
            return Err(Problem::Fit("zero point", zero_point.dims.clone()));
        }
        small = zero_point.kind;
    }
    let is_to_whole = node.proto.op_type == "QuantizeLinear";
    let is_small = |kind| matches!(kind, Kind::Int8 | Kind::Uint8);
    let sound = match is_to_whole {
        true => input.kind == Kind::Float32 && is_small(small),
        false => {
            (is_small(input.kind) || input.kind == Kind::Int32)
                && (zero_point.is_none() || small == input.kind)
        }
    };
    if !sound {
        return Err(Problem::Kinds);
    }
    cost.spend(input.len()?, 4);
    Ok(Value {
        kind: if is_to_whole { small } else { Kind::Float32 },
        ..input.sized(input.dims.clone())
    })
}
