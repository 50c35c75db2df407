//! Removes constant channels: channels with the same value for every image.
//!
//! Training leaves channels that depend on their bias alone: whatever the image, ReLU6 holds them
//! at zero or at six. Interval arithmetic (`ranges.rs`) over the integer layers proves which. A
//! constant input contributes a constant to a layer, which goes into its bias; the channel, its
//! weights, and everything computed for it alone are removed. The reduced network has the same
//! outputs, bit for bit, for every image: sums are the same integers, added in another order.
//!
//! Padding keeps some constants in place: a tap outside a map adds nothing, a constant inside it
//! does. A layer that reads one pixel at a time takes every constant into its bias; one with a 3 x
//! 3 window takes only the zero point, or any constant if no window reaches an edge. A depthwise
//! channel needs its input unless it is itself constant, edges included, and unused. Both operands
//! of an addition keep the same channels.

mod ranges;
#[cfg(test)]
mod tests;

use posy_shared::kernels::requant::Multiplier;
use posy_shared::model::{ChannelTables, LayerSpec, Op, Tables};

use ranges::{Range, ranges, windows};

/// A network without its constant channels.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// All layers, with fewer channels.
    pub layers: Vec<LayerSpec>,
    /// Mask of the last layer's inputs that remain.
    pub inputs: Vec<bool>,
    /// Number of constant channels per layer with weights, including those that had to stay.
    pub constant: Vec<usize>,
}

/// Selection of the last layer's inputs to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Inputs with a nonzero weight.
    Weighed,
    /// All inputs that vary between images, because something else reads them too.
    Varying,
}

/// Removes constant channels. All outputs stay the same. Layers that make no valid model are
/// returned unchanged, for the writer to refuse.
pub fn remove_constant_channels(layers: &[LayerSpec], inputs: Inputs) -> Reduced {
    if !(0..layers.len()).all(|index| is_sound(layers, index)) {
        return Reduced {
            layers: layers.to_vec(),
            inputs: layers.last().map_or(Vec::new(), all_inputs),
            constant: Vec::new(),
        };
    }
    let ranges = ranges(layers);
    let kept = kept(layers, &ranges, inputs);
    let reduced = layers.iter().enumerate().map(|(index, spec)| {
        let (input, values) = match index.checked_sub(1) {
            None => (&all_inputs(spec), None),
            Some(previous) => (&kept[previous], Some(&ranges[previous][..])),
        };
        let mut spec = reduce(spec, input, &kept[index], values);
        hold(&mut spec, &kept[index], &ranges[index]);
        spec
    });
    let reduced = reduced.collect();
    let weighted = layers.iter().zip(&ranges);
    let weighted = weighted.filter(|(spec, _)| spec.layer.op.has_weights());
    let constants = |ranges: &Vec<Range>| {
        let constant = ranges.iter().filter(|range| range.constant().is_some());
        constant.count()
    };
    let read = kept.iter().rev().nth(1).cloned();
    Reduced {
        layers: reduced,
        inputs: read.unwrap_or_else(|| layers.last().map_or(Vec::new(), all_inputs)),
        constant: weighted.map(|(_, ranges)| constants(ranges)).collect(),
    }
}

fn all_inputs(spec: &LayerSpec) -> Vec<bool> {
    vec![true; spec.layer.input.channels.into()]
}

/// True if the layer at `index` has as many numbers as its shapes require, reads the output of the
/// layer before, and its sums fit 32 bits.
fn is_sound(layers: &[LayerSpec], index: usize) -> bool {
    let spec = &layers[index];
    let layer = &spec.layer;
    let (inputs, outputs) = (layer.input.channels, layer.output.channels);
    let previous = index.checked_sub(1).map(|index| layers[index].layer.output);
    let chained = inputs > 0 && outputs > 0 && previous.is_none_or(|shape| shape == layer.input);
    let same_channels = match layer.op {
        Op::Depthwise3x3 | Op::GlobalAveragePool | Op::Mean | Op::Add => inputs == outputs,
        Op::Flatten => layer.input.len() == usize::from(outputs),
        Op::Conv3x3 | Op::Pointwise | Op::Dense => true,
    };
    let numbers = match &spec.tables {
        Tables::Channels(tables) => {
            let lens = [tables.bias.len(), tables.scale.len()];
            layer.op.has_weights()
                && lens == [usize::from(outputs); 2]
                && spec.weights.len() == layer.weight_count()
                && sums_fit(spec, tables)
        }
        Tables::Add(_) => {
            let skip = usize::from(layer.skip);
            layer.op == Op::Add && skip < index && layers[skip].layer.output == layer.output
        }
        Tables::Mean(_) => layer.op == Op::Mean,
        Tables::None => matches!(layer.op, Op::GlobalAveragePool | Op::Flatten),
    };
    chained && same_channels && numbers
}

/// True if the sum of magnitudes fits 32 bits; then every partial sum does, in any order.
fn sums_fit(spec: &LayerSpec, tables: &ChannelTables) -> bool {
    let zero_point = i64::from(spec.layer.input_zero_point);
    let largest = (127 - zero_point).max(128 + zero_point);
    let rows = spec.weights.chunks_exact(spec.layer.terms());
    rows.zip(&tables.bias)
        .zip(&tables.scale)
        .all(|((row, bias), scale)| {
            let magnitudes = row.iter().map(|weight| i64::from(weight.unsigned_abs()));
            let most = magnitudes.sum::<i64>() * largest + i64::from(bias.unsigned_abs());
            scale.shift <= 30 && most <= i64::from(i32::MAX) >> scale.shift.max(0)
        })
}

/// Mask of the output channels to keep, per layer.
fn kept(layers: &[LayerSpec], ranges: &[Vec<Range>], inputs: Inputs) -> Vec<Vec<bool>> {
    let mut kept: Vec<Vec<bool>> = ranges.iter().map(|all| vec![false; all.len()]).collect();
    if let Some(outputs) = kept.last_mut() {
        outputs.fill(true);
    }
    // Masks only grow, so the loop ends; without additions, after the second round.
    loop {
        let before = kept.clone();
        for index in (0..layers.len()).rev() {
            // Every layer keeps at least one channel.
            if !kept[index].contains(&true) {
                kept[index][0] = true;
            }
            let Some(previous) = index.checked_sub(1) else {
                continue;
            };
            let layer = &layers[index].layer;
            match layer.op {
                Op::Depthwise3x3 | Op::GlobalAveragePool | Op::Mean => {
                    share(&mut kept, &[previous, index]);
                }
                Op::Flatten => share_pixels(&mut kept, previous, index),
                Op::Add => share(&mut kept, &[previous, layer.skip.into(), index]),
                Op::Dense if index + 1 == layers.len() && inputs == Inputs::Varying => {
                    for (kept, range) in kept[previous].iter_mut().zip(&ranges[previous]) {
                        *kept |= range.constant().is_none();
                    }
                }
                Op::Conv3x3 | Op::Pointwise | Op::Dense => {
                    let outputs = kept[index].iter().zip(&ranges[index]);
                    // Constant outputs need no weights.
                    let outputs: Vec<bool> = outputs
                        .map(|(kept, range)| *kept && range.constant().is_none())
                        .collect();
                    let wanted = wanted(&layers[index], &outputs, &ranges[previous]);
                    for (kept, wanted) in kept[previous].iter_mut().zip(wanted) {
                        *kept |= wanted;
                    }
                }
            }
        }
        if kept == before {
            return kept;
        }
    }
}

/// Makes the layers `together` keep the same channels.
fn share(kept: &mut [Vec<bool>], together: &[usize]) {
    for channel in 0..kept[together[0]].len() {
        let any = together.iter().any(|&layer| kept[layer][channel]);
        for &layer in together {
            kept[layer][channel] = any;
        }
    }
}

/// Makes every pixel that the layer `index` flattens keep the same channels as the map before it.
fn share_pixels(kept: &mut [Vec<bool>], previous: usize, index: usize) {
    let channels = kept[previous].len();
    for channel in 0..channels {
        let mut pixels = kept[index].iter().skip(channel).step_by(channels);
        let any = kept[previous][channel] || pixels.any(|kept| *kept);
        kept[previous][channel] = any;
        let pixels = kept[index].iter_mut().skip(channel).step_by(channels);
        pixels.for_each(|kept| *kept = any);
    }
}

/// Mask of the inputs that a layer over all channels needs for its `outputs`.
fn wanted(spec: &LayerSpec, outputs: &[bool], inputs: &[Range]) -> Vec<bool> {
    let layer = &spec.layer;
    let edges = layer.op.is_window() && windows(layer).iter().any(|taps| taps.contains(&false));
    let foldable = |range: &Range| match range.constant() {
        Some(value) => value == layer.input_zero_point || !edges,
        None => false,
    };
    let rows = spec.weights.chunks_exact(layer.terms()).zip(outputs);
    let rows: Vec<&[i8]> = rows
        .filter(|(_, wanted)| **wanted)
        .map(|(row, _)| row)
        .collect();
    let weighs = |input: usize| {
        let mut weights = rows
            .iter()
            .flat_map(|row| row[input..].iter().step_by(inputs.len()));
        weights.any(|&weight| weight != 0)
    };
    let wanted = |(input, range): (usize, &Range)| !foldable(range) && weighs(input);
    inputs.iter().enumerate().map(wanted).collect()
}

/// The layer with the channels in the masks `input` and `output`. `values` of removed inputs
/// (`None` for those that vary) go into its biases.
fn reduce(
    spec: &LayerSpec,
    input: &[bool],
    output: &[bool],
    values: Option<&[Range]>,
) -> LayerSpec {
    let mut layer = spec.layer;
    let count = |kept: &[bool]| kept.iter().filter(|kept| **kept).count() as u16;
    (layer.input.channels, layer.output.channels) = (count(input), count(output));
    let terms = spec.layer.terms();
    let zero_point = i64::from(layer.input_zero_point);
    let mut weights = Vec::with_capacity(layer.weight_count());
    let mut folded = Vec::new();
    for (row, _) in spec
        .weights
        .chunks_exact(terms.max(1))
        .zip(output)
        .filter(|(_, kept)| **kept)
    {
        if layer.op == Op::Depthwise3x3 {
            weights.extend(row);
            continue;
        }
        let mut constant = 0;
        for (term, &weight) in row.iter().enumerate() {
            let channel = term % input.len();
            if input[channel] {
                weights.push(weight);
            } else if let Some(value) = values.and_then(|values| values[channel].constant()) {
                constant += i64::from(weight) * (i64::from(value) - zero_point);
            }
        }
        folded.push(constant);
    }
    let tables = match &spec.tables {
        Tables::Channels(tables) => {
            let mut tables = tables.clone();
            retain(&mut tables.bias, output);
            retain(&mut tables.scale, output);
            for (bias, constant) in tables.bias.iter_mut().zip(folded) {
                // Fits 32 bits: at most the sum of magnitudes that a model's reader allows.
                *bias = (i64::from(*bias) + constant) as i32;
            }
            Tables::Channels(tables)
        }
        tables => tables.clone(),
    };
    LayerSpec {
        layer,
        weights,
        tables,
    }
}

fn retain<T>(list: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    list.retain(|_| kept.next().is_none_or(|kept| *kept));
}

/// Rewrites constant channels that stay: zero weights, and a bias that rescales to the value. Their
/// original bias is often near 32 bits, which kernels would have to guard against.
fn hold(spec: &mut LayerSpec, kept: &[bool], ranges: &[Range]) {
    let terms = spec.layer.terms();
    let zero_point = i32::from(spec.layer.output_zero_point);
    let Tables::Channels(tables) = &mut spec.tables else {
        return;
    };
    let ranges = ranges.iter().zip(kept).filter(|(_, kept)| **kept);
    for (channel, (range, _)) in ranges.enumerate() {
        let Some(value) = range.constant() else {
            continue;
        };
        spec.weights[channel * terms..][..terms].fill(0);
        // A quarter of four times the number is exact.
        tables.bias[channel] = 4 * (i32::from(value) - zero_point);
        tables.scale[channel] = Multiplier {
            mantissa: 1 << 30,
            shift: -1,
        };
    }
}
