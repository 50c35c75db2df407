//! Windows that move over maps: convolutions and pools.

use super::node::Node;
use super::value::{Value, volume};
use super::{Cost, Problem};

/// Largest kernel, stride, dilation and pad along an axis.
const MOST_STEPS: i64 = 4096;
/// Maximum number of elements in a kernel's window.
const MOST_TAPS: usize = 1 << 20;
/// Windows at the edges of a map differ in what of them lies in it; each such window is a list of its own.
const MOST_EDGES: usize = 1 << 24;
/// Maximum number of elements of a map laid out window by window (im2col), as a convolution reads it.
const MOST_LAID_OUT: usize = 1 << 27;

/// Maps have one, two or three axes beside pictures and channels.
fn spatial<'v>(value: &'v Value, what: &'static str) -> Result<&'v [usize], Problem> {
    match value.dims.as_slice() {
        [_, _, spatial @ ..] if (1..=3).contains(&spatial.len()) => Ok(spatial),
        dims => Err(Problem::Fit(what, dims.into())),
    }
}

/// A setting with a number for each axis, or `otherwise` for all.
fn steps(
    node: &Node<'_>,
    name: &'static str,
    count: usize,
    least: i64,
    otherwise: usize,
) -> Result<Vec<usize>, Problem> {
    let Some(found) = node.wholes(name)? else {
        return Ok(vec![otherwise; count]);
    };
    let is_sound = |step: &i64| (least..=MOST_STEPS).contains(step);
    if found.len() != count || !found.iter().all(is_sound) {
        return Err(Problem::Setting(name));
    }
    Ok(found.iter().map(|step| *step as usize).collect())
}

/// Extents that windows of `kernel` leave of a map, rounded up with `up`.
fn moved(
    node: &Node<'_>,
    map: &[usize],
    kernel: &[usize],
    up: bool,
) -> Result<Vec<usize>, Problem> {
    let axes = map.len();
    let strides = steps(node, "strides", axes, 1, 1)?;
    let dilations = steps(node, "dilations", axes, 1, 1)?;
    let is_same = match node.text("auto_pad")? {
        None | Some(b"NOTSET" | b"VALID") => false,
        Some(b"SAME_UPPER" | b"SAME_LOWER") => !node.has("pads"),
        Some(_) => return Err(Problem::Setting("auto_pad")),
    };
    let pads = steps(node, "pads", 2 * axes, 0, 0)?;
    let taps = volume(kernel)?;
    if taps == 0 || taps > MOST_TAPS {
        return Err(Problem::Setting("kernel_shape"));
    }
    let (mut extents, mut edges) = (Vec::with_capacity(axes), taps);
    for axis in 0..axes {
        let reach = (kernel[axis] - 1) * dilations[axis] + 1;
        let (before, after) = (pads[axis], pads[axis + axes]);
        // More than a window that lies half outside, with some room for files of old tools.
        if before.max(after) > reach + 8 {
            return Err(Problem::Setting("pads"));
        }
        let (extent, padded) = if is_same {
            let extent = map[axis].div_ceil(strides[axis]);
            let needed = (extent.saturating_sub(1)) * strides[axis] + reach;
            (extent, needed.saturating_sub(map[axis]))
        } else {
            let padded = map[axis] + before + after;
            let room = padded.checked_sub(reach).ok_or(Problem::Setting("pads"))?;
            let mut extent = room / strides[axis] + 1;
            if up && room % strides[axis] > 0 && extent * strides[axis] < map[axis] + before {
                extent += 1;
            }
            (extent, before + after + strides[axis])
        };
        if extent == 0 {
            return Err(Problem::Empty(map.into()));
        }
        edges = edges.saturating_mul(extent.min(padded + 2));
        extents.push(extent);
    }
    match edges > MOST_EDGES {
        true => Err(Problem::Setting("pads")),
        false => Ok(extents),
    }
}

/// A convolution.
pub(super) fn convolution(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(2..=3)?;
    let (input, weights) = (node.input(0)?, node.input(1)?);
    if node.inputs.len() == 3 {
        let bias = node.input(2)?;
        if bias.dims != weights.dims[..1.min(weights.dims.len())] {
            return Err(Problem::Fit("bias", bias.dims.clone()));
        }
        if bias.kind != weights.kind {
            return Err(Problem::Kinds);
        }
    }
    if input.kind != weights.kind {
        return Err(Problem::Kinds);
    }
    let map = spatial(input, "input")?;
    let kernel = spatial(weights, "weights")?;
    let fit = || Problem::Fit("weights", weights.dims.clone());
    let group = node.whole("group", 1)?;
    let group = usize::try_from(group).map_err(|_| Problem::Setting("group"))?;
    let (channels, outputs) = (weights.dims[1], weights.dims[0]);
    if group == 0 || channels.checked_mul(group) != Some(input.dims[1]) || outputs % group != 0 {
        return Err(fit());
    }
    if map.len() != kernel.len() {
        return Err(fit());
    }
    if let Some(said) = node.wholes("kernel_shape")? {
        let said = said.iter().map(|extent| usize::try_from(*extent).ok());
        if !said.eq(kernel.iter().map(|extent| Some(*extent))) {
            return Err(Problem::Setting("kernel_shape"));
        }
    }
    let moved = moved(node, map, kernel, false)?;
    let pixels = volume(&moved)?;
    let taps = volume(kernel)?.saturating_mul(channels);
    let laid_out = taps.saturating_mul(group).saturating_mul(pixels);
    if laid_out > MOST_LAID_OUT {
        return Err(Problem::Large(vec![group, taps, pixels]));
    }
    let dims: Vec<usize> = [input.dims[0], outputs].into_iter().chain(moved).collect();
    cost.spend(volume(&dims)?, taps);
    Ok(Value::new(dims, input.kind))
}

/// A pool with windows.
pub(super) fn pool(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let map = spatial(input, "input")?;
    let kernel = node
        .wholes("kernel_shape")?
        .ok_or(Problem::Setting("kernel_shape"))?;
    if kernel.len() != map.len()
        || !kernel
            .iter()
            .all(|extent| (1..=MOST_STEPS).contains(extent))
    {
        return Err(Problem::Setting("kernel_shape"));
    }
    if node.whole("storage_order", 0)? != 0 {
        return Err(Problem::Setting("storage_order"));
    }
    node.flag("count_include_pad", false)?;
    let kernel: Vec<usize> = kernel.iter().map(|extent| *extent as usize).collect();
    let moved = moved(node, map, &kernel, node.flag("ceil_mode", false)?)?;
    let dims: Vec<usize> = input.dims[..2].iter().copied().chain(moved).collect();
    cost.spend(volume(&dims)?, volume(&kernel)?);
    Ok(Value::new(dims, input.kind))
}

/// A pool over the whole map.
pub(super) fn global_pool(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let map = spatial(input, "input")?;
    cost.spend(input.len()?, 1);
    let ones = std::iter::repeat_n(1, map.len());
    Ok(Value::new(
        input.dims[..2].iter().copied().chain(ones).collect(),
        input.kind,
    ))
}
