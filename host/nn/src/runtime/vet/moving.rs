//! Operators that move numbers and compute none.

use super::arithmetic::{broadcast, whole_extents};
use super::node::{Node, axis, each_once};
use super::value::{Kind, Numbers, Value, volume};
use super::{Cost, Problem};

/// Widest margin around a map, and most numbers that a map is taken apart or enlarged by.
const MOST_STEPS: i64 = 1 << 16;

/// Reshapes a value: its numbers stay, its extents change.
pub(super) fn reshape(node: &Node<'_>) -> Result<Value, Problem> {
    node.arity(2..=2)?;
    let input = node.input(0)?;
    let shape = node.input(1)?.wholes("shape")?;
    let keeps_zero = node.flag("allowzero", false)?;
    let (mut dims, mut open) = (Vec::with_capacity(shape.len()), None);
    for (place, extent) in shape.iter().enumerate() {
        dims.push(match extent {
            0 if !keeps_zero => *input.dims.get(place).ok_or(Problem::Setting("shape"))?,
            -1 if open.is_none() => {
                open = Some(place);
                1
            }
            extent => usize::try_from(*extent).map_err(|_| Problem::Setting("shape"))?,
        });
    }
    let (count, known) = (input.len()?, volume(&dims)?);
    if let Some(open) = open {
        dims[open] = count.checked_div(known).ok_or(Problem::Setting("shape"))?;
    }
    if volume(&dims)? != count {
        return Err(Problem::Fit("shape", dims));
    }
    Ok(input.shaped(dims))
}

/// Two axes of all.
pub(super) fn flatten(node: &Node<'_>) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let axes = input.dims.len() as i64;
    let found = node.whole("axis", 1)?;
    let at = if found < 0 {
        found.saturating_add(axes)
    } else {
        found
    };
    if !(0..=axes).contains(&at) {
        return Err(Problem::Setting("axis"));
    }
    let (before, behind) = input.dims.split_at(at as usize);
    Ok(input.shaped(vec![volume(before)?, volume(behind)?]))
}

/// Axes in another order.
pub(super) fn transpose(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let axes = input.dims.len();
    let order = match node.wholes("perm")? {
        None => (0..axes).rev().collect(),
        Some(order) if order.len() == axes => each_once(order, axes)?,
        Some(_) => return Err(Problem::Setting("perm")),
    };
    cost.spend(input.len()?, 1);
    let dims = order.iter().map(|axis| input.dims[*axis]).collect();
    Ok(match axes {
        0 | 1 => input.clone(),
        _ => input.sized(dims),
    })
}

/// Axes of one number taken away or put in.
pub(super) fn squeeze(node: &Node<'_>) -> Result<Value, Problem> {
    node.arity(1..=2)?;
    let input = node.input(0)?;
    if node.inputs.len() == 2 && node.has("axes") {
        return Err(Problem::Setting("axes"));
    }
    let named = node.wholes_or_input("axes", 1)?;
    if node.proto.op_type == "Unsqueeze" {
        let named = named.ok_or(Problem::Setting("axes"))?;
        let places = each_once(&named, input.dims.len() + named.len())?;
        let mut rest = input.dims.iter();
        let dims =
            (0..input.dims.len() + named.len()).filter_map(|place| match places.contains(&place) {
                true => Some(1),
                false => rest.next().copied(),
            });
        let dims: Vec<usize> = dims.collect();
        volume(&dims)?;
        return Ok(input.shaped(dims));
    }
    let gone: Vec<usize> = match named {
        Some(named) => each_once(&named, input.dims.len())?,
        None => (0..input.dims.len())
            .filter(|axis| input.dims[*axis] == 1)
            .collect(),
    };
    if gone.iter().any(|axis| input.dims[*axis] != 1) {
        return Err(Problem::Setting("axes"));
    }
    let left = (0..input.dims.len()).filter(|axis| !gone.contains(axis));
    Ok(input.shaped(left.map(|axis| input.dims[axis]).collect()))
}

/// Values one behind the other.
pub(super) fn concat(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1024)?;
    let parts = node.all()?;
    let first = parts[0];
    if !node.has("axis") {
        return Err(Problem::Setting("axis"));
    }
    let along = axis(node.whole("axis", 0)?, first.dims.len())?;
    let mut dims = first.dims.clone();
    for part in &parts[1..] {
        let fits = part.dims.len() == dims.len()
            && (0..dims.len()).all(|axis| axis == along || part.dims[axis] == dims[axis]);
        if !fits {
            return Err(Problem::Fit("part", part.dims.clone()));
        }
        if part.kind != first.kind {
            return Err(Problem::Kinds);
        }
        dims[along] = dims[along].saturating_add(part.dims[along]);
    }
    let count = volume(&dims)?;
    cost.spend(count, 1);
    let mut value = Value {
        fixed: parts.iter().all(|part| part.fixed),
        ..Value::new(dims, first.kind)
    };
    // Before the first axis there is nothing, so parts lie one behind the other.
    if along == 0 && cost.followed(count) {
        let whole = |part: &&Value| part.wholes("part").map(<[i64]>::to_vec);
        let real = |part: &&Value| match &part.numbers {
            Some(Numbers::Real(numbers)) => Ok(numbers.to_vec()),
            _ => Err(Problem::Open("part")),
        };
        value.numbers = match first.kind.is_whole() {
            true => {
                let all: Result<Vec<_>, _> = parts.iter().map(whole).collect();
                all.ok().map(|all| Numbers::Whole(all.concat().into()))
            }
            false => {
                let all: Result<Vec<_>, _> = parts.iter().map(real).collect();
                all.ok().map(|all| Numbers::Real(all.concat().into()))
            }
        };
    }
    Ok(value)
}

/// A value taken apart.
pub(super) fn split(node: &Node<'_>, cost: &mut Cost) -> Result<Vec<Value>, Problem> {
    let (inputs, outputs) = (node.inputs.len(), node.proto.output.len());
    if !(1..=2).contains(&inputs) || !(1..=256).contains(&outputs) {
        return Err(Problem::Arity(inputs, outputs));
    }
    let input = node.input(0)?;
    let along = axis(node.whole("axis", 0)?, input.dims.len())?;
    let extent = input.dims[along];
    let lengths = match (node.wholes("split")?, inputs) {
        (Some(_), 2) => return Err(Problem::Setting("split")),
        (Some(named), _) => whole_extents(named)?,
        (None, 2) => whole_extents(node.input(1)?.wholes("split")?)?,
        (None, _) if extent % outputs == 0 => vec![extent / outputs; outputs],
        (None, _) => return Err(Problem::Setting("split")),
    };
    let sum = lengths
        .iter()
        .try_fold(0_usize, |sum, length| sum.checked_add(*length));
    if lengths.len() != outputs || sum != Some(extent) {
        return Err(Problem::Setting("split"));
    }
    cost.spend(input.len()?, 1);
    let part = |length| {
        let mut dims = input.dims.clone();
        dims[along] = length;
        volume(&dims)?;
        Ok(input.sized(dims))
    };
    lengths.into_iter().map(part).collect()
}

/// A part of a value.
pub(super) fn slice(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    let is_old = node.set < 10;
    node.arity(if is_old { 1..=1 } else { 3..=5 })?;
    let input = node.input(0)?;
    let list = |name: &'static str, place: usize| -> Result<Option<Vec<i64>>, Problem> {
        match is_old {
            true => Ok(node.wholes(name)?.map(<[i64]>::to_vec)),
            false => {
                let given = node.optional(place);
                given
                    .map(|given| Ok(given.wholes(name)?.to_vec()))
                    .transpose()
            }
        }
    };
    let missing = || Problem::Setting("starts");
    let starts = list("starts", 1)?.ok_or_else(missing)?;
    let ends = list("ends", 2)?.ok_or_else(missing)?;
    let axes = match list("axes", 3)? {
        Some(axes) => each_once(&axes, input.dims.len())?,
        None if starts.len() <= input.dims.len() => (0..starts.len()).collect(),
        None => return Err(missing()),
    };
    let steps = match is_old {
        true => None,
        false => list("steps", 4)?,
    };
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(missing());
    }
    let mut dims = input.dims.clone();
    let mut taken = None;
    for (place, along) in axes.iter().enumerate() {
        let extent = input.dims[*along] as i64;
        let step = steps[place];
        if step == 0 || step.abs() > MOST_STEPS {
            return Err(Problem::Setting("steps"));
        }
        let counted = |at: i64| {
            if at < 0 {
                at.saturating_add(extent)
            } else {
                at
            }
        };
        let (least, most) = if step > 0 {
            (0, extent)
        } else {
            (-1, extent - 1)
        };
        let from = counted(starts[place]).clamp(least.max(0), most.max(0));
        let to = counted(ends[place]).clamp(least, most);
        let span = if step > 0 { to - from } else { from - to };
        let count = if span <= 0 {
            0
        } else {
            (span - 1) / step.abs() + 1
        };
        dims[*along] = count as usize;
        taken = Some((from, step, count));
    }
    let count = volume(&dims)?;
    cost.spend(count, 1);
    let mut value = input.sized(dims);
    if let (1, Some((from, step, count))) = (input.dims.len(), taken)
        && cost.followed(count as usize)
    {
        let places = (0..count).map(|index| (from + index * step) as usize);
        value.numbers = picked(input, places);
    }
    Ok(value)
}

/// The known numbers at some places of a value.
fn picked(input: &Value, places: impl Iterator<Item = usize>) -> Option<Numbers> {
    match input.numbers.as_ref()? {
        Numbers::Whole(numbers) => {
            let found: Option<Vec<i64>> = places.map(|at| numbers.get(at).copied()).collect();
            found.map(|found| Numbers::Whole(found.into()))
        }
        Numbers::Real(numbers) => {
            let found: Option<Vec<f32>> = places.map(|at| numbers.get(at).copied()).collect();
            found.map(|found| Numbers::Real(found.into()))
        }
    }
}

/// Parts of a value by their places, which must be known.
pub(super) fn gather(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=2)?;
    let (input, index) = (node.input(0)?, node.input(1)?);
    let along = axis(node.whole("axis", 0)?, input.dims.len())?;
    let extent = input.dims[along];
    if index.kind == Kind::Bool {
        return Err(Problem::Kinds);
    }
    let places = index.wholes("index")?;
    let place = |at: &i64| axis(*at, extent).map_err(|_| Problem::Setting("indices"));
    let places: Vec<usize> = places.iter().map(place).collect::<Result<_, _>>()?;
    let dims = [&input.dims[..along], &index.dims, &input.dims[along + 1..]].concat();
    let count = volume(&dims)?;
    cost.spend(count, 1);
    let mut value = input.sized(dims);
    if input.dims.len() == 1 && cost.followed(count) {
        value.numbers = picked(input, places.into_iter());
    }
    Ok(value)
}

/// A value stretched.
pub(super) fn expand(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=2)?;
    let input = node.input(0)?;
    let shape = whole_extents(node.input(1)?.wholes("shape")?)?;
    let dims = broadcast(&[&input.dims, &shape])?;
    let count = volume(&dims)?;
    cost.spend(count, 1);
    let mut value = input.sized(dims);
    if let (Some(Numbers::Whole(numbers)), 1) = (&input.numbers, input.len()?)
        && cost.followed(count)
    {
        value.numbers = Some(Numbers::Whole(vec![numbers[0]; count].into()));
    }
    Ok(value)
}

/// A value again and again.
pub(super) fn tile(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=2)?;
    let input = node.input(0)?;
    let times = whole_extents(node.input(1)?.wholes("repeats")?)?;
    if times.len() != input.dims.len() || times.contains(&0) {
        return Err(Problem::Setting("repeats"));
    }
    let dims = input
        .dims
        .iter()
        .zip(&times)
        .map(|(extent, times)| extent.saturating_mul(*times));
    let dims: Vec<usize> = dims.collect();
    cost.spend(volume(&dims)?, 1);
    Ok(input.sized(dims))
}

/// A margin around a value.
pub(super) fn pad(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    let is_old = node.set < 11;
    node.arity(if is_old { 1..=1 } else { 2..=3 })?;
    let input = node.input(0)?;
    let axes = input.dims.len();
    let pads = match is_old {
        true => node.wholes("pads")?.ok_or(Problem::Setting("pads"))?,
        false => node.input(1)?.wholes("pads")?,
    };
    if pads.len() != 2 * axes || !pads.iter().all(|pad| (0..=MOST_STEPS).contains(pad)) {
        return Err(Problem::Setting("pads"));
    }
    if let Some(with) = node.optional(2).filter(|_| !is_old)
        && (with.len()? != 1 || with.kind != input.kind || !with.fixed)
    {
        return Err(Problem::Fit("padding value", with.dims.clone()));
    }
    let mode = node.text("mode")?.unwrap_or(b"constant");
    let pads = whole_extents(pads)?;
    let mut dims = Vec::with_capacity(axes);
    for (axis, extent) in input.dims.iter().enumerate() {
        let (before, after) = (pads[axis], pads[axis + axes]);
        let sound = match mode {
            b"constant" => true,
            b"edge" => *extent > 0,
            b"reflect" => before.max(after) < (*extent).max(1),
            _ => false,
        };
        if !sound {
            return Err(Problem::Setting("mode"));
        }
        dims.push(extent + before + after);
    }
    cost.spend(volume(&dims)?, 1);
    Ok(input.sized(dims))
}

/// Channels for pixels, or the other way round.
pub(super) fn blocks(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let side = node.whole("blocksize", 0)?;
    let (Ok(side @ 1..=64), &[pictures, channels, height, width]) =
        (usize::try_from(side), input.dims.as_slice())
    else {
        return Err(Problem::Setting("blocksize"));
    };
    let area = side * side;
    let dims = match node.proto.op_type.as_str() {
        "DepthToSpace" if channels % area == 0 => {
            vec![pictures, channels / area, height * side, width * side]
        }
        "SpaceToDepth" if height % side == 0 && width % side == 0 => {
            vec![pictures, channels * area, height / side, width / side]
        }
        _ => return Err(Problem::Setting("blocksize")),
    };
    if !matches!(node.text("mode")?, None | Some(b"DCR" | b"CRD")) {
        return Err(Problem::Setting("mode"));
    }
    cost.spend(volume(&dims)?, 1);
    Ok(input.sized(dims))
}

/// A map of another size.
pub(super) fn resize(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(if node.set < 11 { 2..=2 } else { 1..=4 })?;
    let input = node.input(0)?;
    let is_plain =
        |name, plain: &[u8]| Ok::<_, Problem>(node.text(name)?.is_none_or(|t| t == plain));
    let crops = node.text("coordinate_transformation_mode")?;
    let crops = crops.is_some_and(|mode| mode == b"tf_crop_and_resize");
    if node.has("axes")
        || node.flag("antialias", false)?
        || !is_plain("keep_aspect_ratio_policy", b"stretch")?
        || crops
    {
        return Err(Problem::Setting("axes"));
    }
    let scales = node.optional(if node.set < 11 { 1 } else { 2 });
    let scales = scales.filter(|scales| scales.dims != [0]);
    let dims = match (scales, node.optional(3)) {
        (Some(_), Some(_)) | (None, None) => return Err(Problem::Setting("sizes")),
        (None, Some(sizes)) => whole_extents(sizes.wholes("sizes")?)?,
        (Some(scales), None) => {
            let scales = scales.reals("scales")?;
            if scales.len() != input.dims.len() {
                return Err(Problem::Setting("scales"));
            }
            let extent = |(extent, scale): (&usize, &f32)| {
                let found = (*extent as f32 * scale).floor();
                let sound = (1.0..=65536.0).contains(&found);
                sound
                    .then_some(found as usize)
                    .ok_or(Problem::Setting("scales"))
            };
            input
                .dims
                .iter()
                .zip(&scales)
                .map(extent)
                .collect::<Result<_, _>>()?
        }
    };
    if dims.len() != input.dims.len() || dims.contains(&0) {
        return Err(Problem::Setting("sizes"));
    }
    cost.spend(volume(&dims)?, 16);
    Ok(input.sized(dims))
}
