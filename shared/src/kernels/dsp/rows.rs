//! Depthwise rows: checks that the assembly can compute a row, and sets up its input.

use core::mem::MaybeUninit;

use crate::kernels::params::{DepthwiseParams, Layout, WindowParams};
use crate::kernels::stage::{away, clamp, suits};

use super::depthwise;
use super::widen::twice;

/// Bytes of a row with its margins.
const MAX_COPY: usize = 352;

/// Computes a depthwise row by the assembly; returns false if it is not suitable.
pub(super) fn by_rows(
    params: &DepthwiseParams<'_>,
    rows: [Option<&[i8]>; 3],
    output: &mut [i8],
) -> bool {
    let WindowParams {
        input_width,
        output_width,
        stride,
        pad_left,
        output_channels,
        ..
    } = *params;
    let stage = &params.output;
    let channels = &stage.channels;
    // The windows of all outputs, rounded up to four, and the words that the last of them reads.
    let windows_len = output_width.next_multiple_of(4) * stride + 8;
    let copy_len = windows_len.max(pad_left + input_width);
    let suits = suits(stage, output_channels)
        && params.input_layout == Layout::Planar
        && (1..=2).contains(&stride)
        && input_width > 0
        && copy_len <= MAX_COPY
        && params.input_channels == output_channels
        && params.weights.len() >= 9 * output_channels
        && rows
            .iter()
            .flatten()
            .all(|row| row.len() >= input_width * output_channels)
        && output.len() >= output_width * output_channels;
    if !suits {
        return false;
    }
    let mut copies = [[const { MaybeUninit::uninit() }; MAX_COPY]; 3];
    for (copy, row) in copies.iter_mut().zip(rows) {
        // The whole of an absent row; otherwise the margins, between which rows are copied.
        let numbers = if row.is_some() {
            pad_left..pad_left + input_width
        } else {
            0..0
        };
        copy[..numbers.start].fill(MaybeUninit::new(params.input_zero_point));
        copy[numbers.end..copy_len].fill(MaybeUninit::new(params.input_zero_point));
    }
    let (x_step, c_step) = params.output_layout.steps(output_width, output_channels);
    let copies = copies.each_mut().map(|copy| copy.as_mut_ptr().cast::<i8>());
    let mut job = depthwise::Job {
        rows: rows.map(|row| row.map_or(core::ptr::null(), <[i8]>::as_ptr)),
        // Within the copy, which is longer than the padding.
        copies: copies.map(|copy| copy.wrapping_add(pad_left)),
        windows: copies.map(|copy| copy.cast_const()),
        words: input_width / 4,
        rest: input_width % 4,
        weights: params.weights.as_ptr(),
        bias: channels.bias.as_ptr(),
        multiplier: channels.multiplier.as_ptr(),
        shift: channels.shift.as_ptr(),
        twice_zero_point: 2 * i32::from(stage.zero_point) + 1,
        output: output.as_mut_ptr(),
        c_step,
        x_step,
        width: output_width,
        negative: twice(params.input_zero_point),
        channels: output_channels,
    };
    // SAFETY: the checks above establish the function's requirements.
    unsafe { depthwise::depthwise(stride, away(stage))(&raw mut job) };
    clamp(stage, output);
    true
}
