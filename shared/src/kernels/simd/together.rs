//! The 3 x 3 depthwise convolution of rows with few channels.
//!
//! If a pixel has too few channels to fill the vectors, several adjacent pixels are computed together,
//! as one pixel with as many times the channels.

use core::mem::MaybeUninit;

use super::depthwise::{Depthwise, Outputs, Pixels};
use super::lanes::{Lanes, MOST_VECTORS};
use super::padded::{Inside, inside};
use super::ready::{Kind, blocks};
use crate::kernels::WindowParams;

/// Largest number of values of a row that are reordered at once, including those behind them that are
/// read but not used.
const LONGEST: usize = 512;

/// Columns of the padded rows, reordered so that those under column `kx` of adjacent windows are
/// contiguous: every `S`th column starting from the first, then from the second, and so on.
type Lines<const S: usize> = [[[MaybeUninit<i8>; LONGEST]; S]; 3];

/// Computes the whole row with a stride of `S`, as many pixels at a time as the layer was prepacked
/// for.
///
/// # Safety
/// In a job.
#[inline(always)]
pub(super) unsafe fn together<L: Lanes, const S: usize>(job: Depthwise<'_>) {
    let Depthwise {
        ready,
        rows,
        ref params,
        output,
    } = job;
    let channels = params.input_channels;
    let Some(block) = blocks::<L>(Kind::Depthwise, channels).next() else {
        return;
    };
    let outputs = Outputs::new::<L>(ready, block);
    let lanes = MOST_VECTORS * L::LANES;
    let numbers = ready.pixels * channels;
    // Two columns more than windows, and a vector that starts at the last value.
    let blocks = (LONGEST - 2 * channels - lanes) / numbers;
    let mut lines = [[[MaybeUninit::uninit(); LONGEST]; S]; 3];
    let mut first = 0;
    while first < params.output_width {
        let pixels = (params.output_width - first).min(blocks * ready.pixels);
        for (lines, row) in lines.iter_mut().zip(rows) {
            lay_out(row.unwrap_or_default(), params, first, pixels, lines, lanes);
        }
        let segment = Segment {
            lines: &lines,
            channels,
            numbers,
            output: &mut output[first * channels..][..pixels * channels],
        };
        // SAFETY: in a job. Each vector begins in one of the `pixels + 2` columns of a line, behind
        // which there are as many values.
        unsafe { outputs.of::<L, _>(segment) };
        first += pixels;
    }
}

/// Segment of a row of pixels.
struct Segment<'a, const S: usize> {
    /// All columns under the segment, and enough values for a vector behind them.
    lines: &'a Lines<S>,
    channels: usize,
    /// Number of outputs that are computed together.
    numbers: usize,
    output: &'a mut [i8],
}

impl<L: Lanes, const S: usize> Pixels<L> for Segment<'_, S> {
    // SAFETY: as the trait requires.
    #[inline(always)]
    unsafe fn all<const HOW: u8, const BURDEN: u8>(self, outputs: &Outputs) {
        // If two pixels are computed together, the last columns under them are the first under the next
        // two.
        let again = S == 1 && self.numbers == 2 * self.channels;
        // SAFETY: the caller guarantees it; `output` has the values that are written.
        unsafe {
            let mut first = self.column::<L>(0, 0);
            for at in (0..self.output.len()).step_by(self.numbers) {
                if !again {
                    first = self.column::<L>(at, 0);
                }
                let (middle, last) = (self.column::<L>(at, 1), self.column::<L>(at, 2));
                // The next block overwrites surplus outputs.
                let count = (self.output.len() - at).min(MOST_VECTORS * L::LANES);
                let to = self.output.as_mut_ptr().add(at);
                outputs.write::<L, HOW, BURDEN>([&first, &middle, &last], to, count);
                first = last;
            }
        }
    }
}

impl<const S: usize> Segment<'_, S> {
    /// Loads column `kx` of the windows whose outputs begin at index `at`.
    ///
    /// # Safety
    /// In a job; the windows are those of the segment.
    #[inline(always)]
    unsafe fn column<L: Lanes>(&self, at: usize, kx: usize) -> L::Columns {
        let at = at + kx / S * self.channels;
        let lanes = MOST_VECTORS * L::LANES;
        // SAFETY: the caller guarantees it.
        unsafe {
            let mut bytes = [L::splat_byte(0); 3];
            for (bytes, lines) in bytes.iter_mut().zip(self.lines) {
                *bytes = L::bytes(lines[kx % S].as_ptr().cast::<i8>().add(at), lanes);
            }
            L::columns(bytes)
        }
    }
}

/// Lays out the columns under `pixels` windows, starting from window `first`, and `behind` values
/// behind them; an empty row is padding.
#[inline(always)]
fn lay_out<const S: usize>(
    row: &[i8],
    params: &WindowParams<'_, ()>,
    first: usize,
    pixels: usize,
    lines: &mut [[MaybeUninit<i8>; LONGEST]; S],
    behind: usize,
) {
    let channels = params.input_channels;
    let padding = MaybeUninit::new(params.input_zero_point);
    // A constant for the compiler, unless `S` stands for all larger strides.
    let stride = if S < 3 { S } else { params.stride };
    // Number of columns of the padded row under the windows, counted from the first window's.
    let columns = (pixels - 1) * stride + 3;
    let left = first * stride;
    let Inside { start, end, from } = inside(params, left, columns);
    let end = if row.is_empty() { start } else { end };
    let row = row.get(from..).unwrap_or_default();
    for (phase, line) in lines.iter_mut().enumerate() {
        // Number of columns of this line among the first `columns`.
        let of = |columns: usize| (columns + stride - 1).saturating_sub(phase) / stride;
        let (begin, end, columns) = (of(start), of(end), of(columns));
        line[..begin * channels].fill(padding);
        if begin < end {
            let row = &row[(phase + begin * stride - start) * channels..];
            let to = &mut line[begin * channels..];
            copy_runs(
                row,
                to,
                channels,
                [stride * channels, channels],
                end - begin,
            );
        }
        line[end * channels..][..(columns - end) * channels + behind].fill(padding);
    }
}

/// Copies `count` runs of `len` values, with given steps from a run to the next. Values behind a run
/// may be copied too, which the next run overwrites: short runs thus have a length that is a constant
/// for the compiler.
#[inline(always)]
fn copy_runs(from: &[i8], to: &mut [MaybeUninit<i8>], len: usize, steps: [usize; 2], count: usize) {
    let [from_step, to_step] = steps;
    let (done, count, len) = match len {
        // Runs that are contiguous on both sides.
        _ if from_step == to_step => (0, 1, count * len),
        0..=16 => (spill_runs::<16>(from, to, steps, count), count, len),
        17..=32 => (spill_runs::<32>(from, to, steps, count), count, len),
        33..=64 => (spill_runs::<64>(from, to, steps, count), count, len),
        _ => (0, count, len),
    };
    for run in done..count {
        let from = &from[run * from_step..][..len];
        for (to, from) in to[run * to_step..][..len].iter_mut().zip(from) {
            to.write(*from);
        }
    }
}

/// Copies the first of `count` runs, `N` values each, while both sides have that many; returns the
/// number copied.
#[inline(always)]
fn spill_runs<const N: usize>(
    from: &[i8],
    to: &mut [MaybeUninit<i8>],
    [from_step, to_step]: [usize; 2],
    count: usize,
) -> usize {
    let there = |len: usize, step: usize| match len.checked_sub(N) {
        Some(rest) => rest / step + 1,
        None => 0,
    };
    let whole = count
        .min(there(from.len(), from_step))
        .min(there(to.len(), to_step));
    let (mut from, mut to): (*const i8, *mut i8) = (from.as_ptr(), to.as_mut_ptr().cast());
    for _ in 0..whole {
        // SAFETY: there are `N` values at both, in disjoint memory.
        unsafe { to.copy_from_nonoverlapping(from, N) };
        (from, to) = (from.wrapping_add(from_step), to.wrapping_add(to_step));
    }
    whole
}
