//! Interval arithmetic over an integer network: the range of each channel of each layer over all
//! images.
//!
//! A sum of `(input - zero point) * weight` takes its extremes at ends of the inputs' ranges, and
//! the path from sum to output (gemmlowp's two roundings, clamps) is monotonic; so the ends of the
//! sum's range give those of the output's. A 3 x 3 window at the edge of a map has fewer taps, so a
//! channel's range is the union over all ways in which a window can meet the edges.

use std::collections::BTreeSet;

use posy_shared::kernels::requant::{Multiplier, place, rescale, rescale_once};
use posy_shared::model::{ChannelTables, Layer, LayerSpec, Op, Tables};

/// Range of a channel, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub least: i8,
    pub greatest: i8,
}

impl Range {
    const ALL: Self = Range {
        least: i8::MIN,
        greatest: i8::MAX,
    };

    /// The value of a constant channel, the same for every image and pixel.
    pub const fn constant(self) -> Option<i8> {
        if self.least == self.greatest {
            Some(self.least)
        } else {
            None
        }
    }

    fn union(self, other: Self) -> Self {
        Range {
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }
}

/// Mask of a window's rows (or columns) that lie in the map.
type Inside = [bool; 3];

/// All ways in which windows along one extent meet its ends.
fn insides(input: u16, output: u16, stride: u8, before: u8) -> BTreeSet<Inside> {
    let tap = |at: usize, tap: usize| {
        let place = (at * usize::from(stride) + tap).checked_sub(before.into());
        place.is_some_and(|place| place < input.into())
    };
    (0..usize::from(output))
        .map(|at| [tap(at, 0), tap(at, 1), tap(at, 2)])
        .collect()
}

/// Masks of the nine taps of a window, row by row, for every way in which it meets the map's edges.
pub(super) fn windows(layer: &Layer) -> Vec<[bool; 9]> {
    let (input, output) = (layer.input, layer.output);
    let rows = insides(input.height, output.height, layer.stride, layer.padding.top);
    let columns = insides(input.width, output.width, layer.stride, layer.padding.left);
    let mut windows = Vec::new();
    for rows in &rows {
        for columns in &columns {
            windows.push(std::array::from_fn(|tap| rows[tap / 3] && columns[tap % 3]));
        }
    }
    windows
}

/// Range of each output channel of each layer.
pub(super) fn ranges(layers: &[LayerSpec]) -> Vec<Vec<Range>> {
    let mut all: Vec<Vec<Range>> = Vec::with_capacity(layers.len());
    for spec in layers {
        let layer = &spec.layer;
        let input = match all.last() {
            Some(ranges) => ranges.clone(),
            None => vec![Range::ALL; layer.input.channels.into()],
        };
        let ranges = match &spec.tables {
            Tables::Channels(tables) => (0..usize::from(layer.output.channels))
                .map(|channel| weighted(spec, tables, channel, &input))
                .collect(),
            Tables::Add(add) => {
                let skip = usize::from(layer.skip);
                let zero_point = layers[skip].layer.output_zero_point;
                let raise = |number: i8, zero_point: i8, scale: Multiplier| {
                    rescale((i32::from(number) - i32::from(zero_point)) << 20, scale)
                };
                let sum = |a: i8, b: i8| {
                    let a = raise(a, layer.input_zero_point, add.a);
                    let sum = a + raise(b, zero_point, add.b);
                    finish(layer, rescale(sum, add.output))
                };
                let pairs = input.iter().zip(&all[skip]);
                pairs
                    .map(|(a, b)| Range {
                        least: sum(a.least, b.least),
                        greatest: sum(a.greatest, b.greatest),
                    })
                    .collect()
            }
            Tables::Mean(scale) => {
                let mean = |number: i8| {
                    let pixels = i32::from(layer.input.height) * i32::from(layer.input.width);
                    let number = i32::from(number) - i32::from(layer.input_zero_point);
                    finish(layer, rescale(pixels * number, *scale))
                };
                let ends = input.iter().map(|range| Range {
                    least: mean(range.least),
                    greatest: mean(range.greatest),
                });
                ends.collect()
            }
            Tables::None if layer.op == Op::Flatten => {
                let pixels = usize::from(layer.input.height) * usize::from(layer.input.width);
                input.repeat(pixels)
            }
            // A mean lies between the least and the greatest.
            Tables::None => input
                .iter()
                .map(|range| Range {
                    least: range.least.clamp(layer.output_min, layer.output_max),
                    greatest: range.greatest.clamp(layer.output_min, layer.output_max),
                })
                .collect(),
        };
        all.push(ranges);
    }
    all
}

fn finish(layer: &Layer, scaled: i32) -> i8 {
    place(
        scaled,
        layer.output_zero_point,
        layer.output_min,
        layer.output_max,
    )
}

/// Range of output channel `channel` of a layer with weights.
fn weighted(spec: &LayerSpec, tables: &ChannelTables, channel: usize, input: &[Range]) -> Range {
    let layer = &spec.layer;
    let terms = layer.terms();
    let weights = &spec.weights[channel * terms..][..terms];
    let zero_point = i64::from(layer.input_zero_point);
    // Ends of one product's range.
    let product = |weight: i8, range: Range| {
        let weight = i64::from(weight);
        let ends = [range.least, range.greatest].map(|end| weight * (i64::from(end) - zero_point));
        (ends[0].min(ends[1]), ends[0].max(ends[1]))
    };
    let add = |sum: (i64, i64), term: (i64, i64)| (sum.0 + term.0, sum.1 + term.1);
    // Per tap: the sum of products over the channels that it reads.
    let taps: Vec<(i64, i64)> = match layer.op {
        Op::Depthwise3x3 => weights
            .iter()
            .map(|&w| product(w, input[channel]))
            .collect(),
        _ => weights
            .chunks_exact(input.len())
            .map(|tap| {
                let products = tap.iter().zip(input).map(|(&w, &range)| product(w, range));
                products.fold((0, 0), add)
            })
            .collect(),
    };
    let output = |sum: i64| {
        // A sum beyond 32 bits is not refused here, but by the model's reader.
        let sum = sum + i64::from(tables.bias[channel]);
        let sum = sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        let scale = tables.scale[channel];
        finish(
            layer,
            match layer.single_rounding {
                true => rescale_once(sum, scale),
                false => rescale(sum, scale),
            },
        )
    };
    let range = |(least, greatest): (i64, i64)| Range {
        least: output(least),
        greatest: output(greatest),
    };
    if layer.op.is_window() {
        let sum = |inside: &[bool; 9]| {
            let taps = taps.iter().zip(inside).filter(|(_, inside)| **inside);
            range(taps.map(|(tap, _)| *tap).fold((0, 0), add))
        };
        let ranges = windows(layer).iter().map(sum).reduce(Range::union);
        ranges.unwrap_or(Range::ALL)
    } else {
        range(taps.into_iter().fold((0, 0), add))
    }
}
