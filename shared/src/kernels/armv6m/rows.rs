//! Depthwise rows: checks that the assembly can compute a row, and sets up its input.

use core::ops::Range;

use heapless::Vec;

use crate::kernels::params::{DepthwiseParams, Layout, WindowParams};
use crate::kernels::stage::{away, clamp, suits};

use super::depthwise::{self, Columns, Edge, Job, TAPS, widen_rows, widen_taps};
use super::outputs::{Outputs, entry};
use super::room::Channels;

/// Largest number of columns of half a row.
const MAX_COLUMNS: usize = 96;

/// Largest number of columns with padding in either half.
const MAX_EDGES: usize = 8;

/// Rows under a window.
const ROWS: usize = 3;

/// Packs two activations into a word.
const fn word(left: i8, right: i8) -> u32 {
    (left as i32 + ((right as i32) << 16)) as u32
}

/// Unpacks the two activations of a word.
const fn numbers(word: u32) -> [i32; 2] {
    let left = word as i16 as i32;
    [left, (word as i32 - left) >> 16]
}

/// The halves of a row, which may overlap.
struct Halves<'a> {
    params: &'a DepthwiseParams<'a>,
    /// Outputs in a half.
    count: usize,
    /// Outputs from an output of the left half to that of the right.
    apart: usize,
    /// Columns of a half.
    columns: usize,
    /// Columns that are in the row in both halves.
    inside: Range<usize>,
}

impl<'a> Halves<'a> {
    /// Splits a row. The stride is not zero, and there are outputs.
    fn new(params: &'a DepthwiseParams<'a>) -> Self {
        let count = params.output_width.div_ceil(2);
        let apart = params.output_width - count;
        let columns = (count - 1) * params.stride + ROWS;
        let start = params.pad_left.min(columns);
        let end = (params.pad_left + params.input_width).saturating_sub(apart * params.stride);
        Halves {
            params,
            count,
            apart,
            columns,
            inside: start..end.clamp(start, columns),
        }
    }

    /// Columns that are inside the row in one half only; `None` if there are more than any network
    /// needs.
    fn edges(&self) -> Option<Vec<Edge, MAX_EDGES>> {
        let mut edges = Vec::new();
        let zero_point = self.params.input_zero_point;
        for column in (0..self.inside.start).chain(self.inside.end..self.columns) {
            let halves = [
                (0, 0, word(0, zero_point)),
                (self.apart * self.params.stride, 16, word(zero_point, 0)),
            ];
            for (apart, lane, padding) in halves {
                let place = (column + apart).checked_sub(self.params.pad_left);
                if let Some(place) = place.filter(|&place| place < self.params.input_width) {
                    let offset = column * size_of::<[u32; ROWS]>();
                    let edge = Edge {
                        offset,
                        place,
                        lane,
                        padding,
                    };
                    edges.push(edge).ok()?;
                }
            }
        }
        Some(edges)
    }

    /// Computes a channel whose weights do not suit the assembly.
    fn compute_exactly(
        &self,
        channel: usize,
        columns: &[[u32; ROWS]],
        weights: &[i32; TAPS],
        output: &mut [i8],
        step: usize,
    ) {
        let zero_point = i32::from(self.params.input_zero_point);
        for x in 0..self.count {
            let window = columns[x * self.params.stride..].as_flattened();
            let mut sums = [0; 2];
            for (&word, weight) in window.iter().zip(weights) {
                for (sum, number) in sums.iter_mut().zip(numbers(word)) {
                    *sum += (number - zero_point) * weight;
                }
            }
            for (sum, x) in sums.into_iter().zip([x, x + self.apart]) {
                output[x * step] = self.params.output.apply(channel, sum);
            }
        }
    }
}

/// Computes a depthwise row by the assembly; returns false if it is not suitable.
pub(super) fn by_rows(
    params: &DepthwiseParams<'_>,
    room: Channels<'_>,
    rows: [Option<&[i8]>; 3],
    output: &mut [i8],
) -> bool {
    let WindowParams {
        input_width,
        output_width,
        stride,
        output_channels,
        ..
    } = *params;
    let stage = &params.output;
    if output_width == 0 || !(1..=2).contains(&stride) {
        return false;
    }
    let halves = Halves::new(params);
    let Some(edges) = halves.edges() else {
        return false;
    };
    let suits = suits(stage, output_channels)
        && params.input_layout == Layout::Planar
        && input_width > 0
        && halves.columns <= MAX_COLUMNS
        && params.input_channels == output_channels
        && params.weights.len() >= TAPS * output_channels
        && rows
            .iter()
            .flatten()
            .all(|row| row.len() >= input_width * output_channels)
        && output.len() >= output_width * output_channels;
    if !suits {
        return false;
    }
    let padding = word(params.input_zero_point, params.input_zero_point);
    let mut columns = [[padding; ROWS]; MAX_COLUMNS];
    let columns = &mut columns[..halves.columns];
    let (x_step, c_step) = params.output_layout.steps(output_width, output_channels);
    let zero_point = i32::from(params.input_zero_point);
    let away = away(stage);
    let first = columns.as_mut_ptr().cast::<u32>();
    let edges = edges.as_ptr_range();
    let mut places = Columns {
        // An absent row stays padding.
        rows: rows.map(|row| row.map_or(core::ptr::null(), <[i8]>::as_ptr)),
        channel: input_width,
        edges: edges.start,
        edges_end: edges.end,
        inside: halves.inside.start * size_of::<[u32; ROWS]>(),
        apart: halves.apart * stride,
        count: halves.inside.len(),
    };
    let mut job = Job {
        outputs: Outputs::new(x_step),
        columns: first,
        bias: 0,
        end: core::ptr::null(),
        back: 4 * ROWS * (ROWS - stride),
        apart: halves.apart * x_step,
        weights: [0; TAPS],
    };
    let all_taps = params.weights.as_chunks::<TAPS>().0;
    for (channel, taps) in all_taps.iter().enumerate().take(output_channels) {
        // SAFETY: the positions of the edges are in the row; columns inside begin at its first value,
        // and those `apart` further on are in it too. All are among `columns`. Each row has the values
        // of all channels.
        unsafe { widen_rows(&raw mut places, first) };
        let to = &mut output[channel * c_step..];
        let Some(sum) = widen_taps(taps, &mut job.weights, room.tame()) else {
            job.weights = [0, 3, 6, 1, 4, 7, 2, 5, 8].map(|tap: usize| taps[tap].into());
            // SAFETY: these are all columns, and nothing else refers to them now.
            let columns = unsafe { core::slice::from_raw_parts(first.cast(), halves.columns) };
            halves.compute_exactly(channel, columns, &job.weights, to, x_step);
            continue;
        };
        // SAFETY: the layer suits, and the channel is one of its channels.
        let bias = unsafe {
            let output = to.as_mut_ptr();
            job.outputs.set(stage, channel, false, away, output);
            job.end = output.wrapping_add(halves.count * x_step);
            entry(stage.channels.bias, channel)
        };
        job.columns = first;
        job.bias = bias - zero_point * sum;
        // SAFETY: all columns have been widened or are padding; `to` has all outputs of the channel.
        unsafe { depthwise::depthwise(room.of(channel), away)(&raw mut job) };
    }
    clamp(stage, output);
    true
}
