//! Validation of layers, so that running them cannot fail.

use super::blocks::Blocks;
use super::layer::{Layer, Op, Shape};
use crate::kernels::{I32s, OutputStage, Packed};

/// Fault in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerFault {
    /// The input shape or zero point is not the output of the layer before it.
    Chain,
    /// An extent is zero, or its shapes, stride and padding do not agree.
    Shape,
    /// An addition refers to no earlier layer of its shape, or past a pool or a stride.
    Skip,
    /// Its weights or tables do not lie in the weight block.
    Offset,
    /// The clamp is empty, a constant is out of range, or a layer rounds once that cannot.
    Constants,
    /// A sum of its products could exceed 32 bits.
    Overflow,
}

impl core::fmt::Display for LayerFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Chain => "does not read what the layer before it writes",
            Self::Shape => "has shapes that do not agree",
            Self::Skip => "adds a layer that it cannot add",
            Self::Offset => "has weights outside the weight block",
            Self::Constants => "has constants out of range",
            Self::Overflow => "could overflow its 32-bit sums",
        })
    }
}

/// Largest number of pixels in a map, so that sums of a pool fit 32 bits with room.
const MAX_PIXELS: usize = 1 << 22;

/// Checks layer `index` and the layers and bytes that it refers to. Returns true if its output stage is
/// narrow; see [`OutputStage::narrow`](crate::kernels::OutputStage::narrow).
pub(crate) fn check_layer(
    layers: &[Layer],
    index: usize,
    blocks: &Blocks<'_>,
) -> Result<bool, LayerFault> {
    let layer = &layers[index];
    if index > 0 && layers[index - 1].output != layer.input {
        return Err(LayerFault::Chain);
    }
    if index > 0 && layers[index - 1].output_zero_point != layer.input_zero_point {
        return Err(LayerFault::Chain);
    }
    check_shapes(layer)?;
    let may_round_once = matches!(layer.op, Op::Pointwise | Op::Dense);
    if layer.output_min > layer.output_max || (layer.single_rounding && !may_round_once) {
        return Err(LayerFault::Constants);
    }
    match layer.op {
        Op::Add => {
            let skip = usize::from(layer.skip);
            if skip + 1 >= index || layers[skip].output != layer.output {
                return Err(LayerFault::Skip);
            }
            // The rows of both operands stay in step only if no layer between them strides or pools.
            let in_step = |layer: &Layer| layer.stride == 1 && !layer.op.is_global();
            if !layers[skip + 1..index].iter().all(in_step) {
                return Err(LayerFault::Skip);
            }
            check_add(layer, blocks).map(|()| false)
        }
        // These keep the quantisation of their input.
        Op::GlobalAveragePool | Op::Flatten
            if layer.input_zero_point != layer.output_zero_point =>
        {
            Err(LayerFault::Constants)
        }
        Op::GlobalAveragePool | Op::Flatten => Ok(false),
        Op::Mean => check_mean(layer, blocks).map(|()| false),
        _ => check_weights(layer, blocks),
    }
}

fn check_shapes(layer: &Layer) -> Result<(), LayerFault> {
    let (input, output) = (layer.input, layer.output);
    let pixels = |shape: Shape| usize::from(shape.height) * usize::from(shape.width);
    if input.is_empty() || output.is_empty() || pixels(input).max(pixels(output)) > MAX_PIXELS {
        return Err(LayerFault::Shape);
    }
    let padding = layer.padding;
    let same_pixels = (input.height, input.width) == (output.height, output.width);
    let one_pixel = Shape {
        height: 1,
        width: 1,
        channels: output.channels,
    } == output;
    let plain = layer.stride == 1 && padding == Default::default();
    let agree = match layer.op {
        Op::Conv3x3 | Op::Depthwise3x3 => {
            let fits = |extent: u16, before: u8, after: u8, out: u16| {
                // A window reaches at most two rows into padding, and starts in the padded map.
                before <= 2
                    && after <= 2
                    && (usize::from(extent) + usize::from(before) + usize::from(after))
                        .checked_sub(3)
                        .is_some_and(|room| {
                            room / usize::from(layer.stride) + 1 == usize::from(out)
                        })
            };
            (1..=4).contains(&layer.stride)
                && fits(input.height, padding.top, padding.bottom, output.height)
                && fits(input.width, padding.left, padding.right, output.width)
                && (layer.op == Op::Conv3x3 || input.channels == output.channels)
        }
        Op::Pointwise => same_pixels && plain,
        Op::Add => input == output && plain,
        Op::GlobalAveragePool | Op::Mean => one_pixel && input.channels == output.channels && plain,
        Op::Flatten => one_pixel && input.len() == output.len() && plain,
        Op::Dense => one_pixel && same_pixels && plain,
    };
    if agree {
        Ok(())
    } else {
        Err(LayerFault::Shape)
    }
}

/// Largest sum of a narrow output stage.
const NARROW: i64 = 1 << 30;

fn check_weights(layer: &Layer, blocks: &Blocks<'_>) -> Result<bool, LayerFault> {
    let mut narrow = !layer.single_rounding;
    let channels = usize::from(layer.output.channels);
    let weights = blocks
        .region(layer.weights, layer.weight_len())
        .ok_or(LayerFault::Offset)?;
    let weights: &[i8] = bytemuck::cast_slice(weights);
    let (terms, packed) = (layer.terms(), Packed::new(weights, layer.terms()));
    let magnitude = |weight: i8| i64::from(weight.unsigned_abs());
    let tables = blocks
        .region(layer.tables, layer.table_len())
        .ok_or(LayerFault::Offset)?;
    let (bias, rest) = tables.split_at(channels * 4);
    let (multiplier, shift) = rest.split_at(channels * 4);
    let (bias, multiplier) = (I32s::new(bias), I32s::new(multiplier));
    let zero_point = i64::from(layer.input_zero_point);
    let largest = (127 - zero_point).max(128 + zero_point);
    for channel in 0..channels {
        let shift = shift[channel] as i8;
        if multiplier.at(channel) < 0 || !(-31..=30).contains(&shift) {
            return Err(LayerFault::Constants);
        }
        let sum: i64 = match layer.op {
            Op::Depthwise3x3 => weights[channel * terms..][..terms]
                .iter()
                .map(|&weight| magnitude(weight))
                .sum(),
            _ => packed.of(channel).map(magnitude).sum(),
        };
        // No partial sum is larger than the sum of magnitudes, which also bounds the left shift.
        let bound = sum * largest + i64::from(bias.at(channel)).abs();
        let most = i64::from(i32::MAX) >> shift.max(0);
        if bound > most {
            return Err(LayerFault::Overflow);
        }
        narrow &= OutputStage::NARROW_SHIFTS.contains(&shift) && bound < NARROW;
    }
    Ok(narrow)
}

/// Greatest magnitude of an int8 value minus an int8 zero point.
const GREATEST_DIFFERENCE: i64 = 255;

fn check_mean(layer: &Layer, blocks: &Blocks<'_>) -> Result<(), LayerFault> {
    let tables = blocks
        .region(layer.tables, layer.table_len())
        .ok_or(LayerFault::Offset)?;
    let tables = I32s::new(tables);
    let (mantissa, shift) = (tables.at(0), tables.at(1));
    if mantissa < 0 || !(-31..=30).contains(&shift) {
        return Err(LayerFault::Constants);
    }
    let pixels = i64::from(layer.input.height) * i64::from(layer.input.width);
    if pixels * GREATEST_DIFFERENCE > i64::from(i32::MAX) >> shift.max(0) {
        return Err(LayerFault::Overflow);
    }
    Ok(())
}

fn check_add(layer: &Layer, blocks: &Blocks<'_>) -> Result<(), LayerFault> {
    let tables = blocks
        .region(layer.tables, layer.table_len())
        .ok_or(LayerFault::Offset)?;
    let tables = I32s::new(tables);
    for pair in 0..3 {
        // Right shifts only: an operand raised by 20 bits has no headroom for a left shift.
        let (mantissa, shift) = (tables.at(pair * 2), tables.at(pair * 2 + 1));
        if mantissa < 0 || !(-31..=0).contains(&shift) {
            return Err(LayerFault::Constants);
        }
    }
    Ok(())
}
