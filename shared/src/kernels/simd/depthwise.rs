//! The 3 x 3 depthwise convolution of interleaved rows, a block of channels at a time.
//!
//! The three numbers of a channel under a column of the window lie together in a lane; each column
//! is brought into that order once and serves each window that it lies in.
//!
//! Where a pixel has too few channels to fill the vectors, as many pixels as they hold are computed
//! together: side by side in a row, they are as one pixel with as many times the channels.

use super::lanes::{Job, Lanes, MOST_VECTORS};
use super::matrix::rescale_any;
use super::ready::{Block, Kind, Ready, blocks};
use super::turns::Burden;
use crate::kernels::WindowParams;

/// Numbers of the largest vectors of bytes.
const MOST_BYTES: usize = 64;

/// One row of outputs, interleaved.
pub(super) struct Depthwise<'a> {
    pub(super) ready: &'a Ready,
    /// Interleaved, each as long as the parameters say.
    pub(super) rows: [Option<&'a [i8]>; 3],
    pub(super) params: WindowParams<'a, ()>,
    /// `[W, C]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Depthwise<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: in a job.
        unsafe {
            let few = self.params.input_channels < MOST_VECTORS * L::LANES;
            match (few, self.params.stride) {
                (false, 1) => strided::<L, 1>(self),
                (false, 2) => strided::<L, 2>(self),
                (false, _) => strided::<L, 3>(self),
                (true, 1) => together::<L, 1>(self),
                (true, 2) => together::<L, 2>(self),
                (true, _) => together::<L, 3>(self),
            }
        }
    }
}

/// The columns of a block of channels.
struct Columns {
    /// First number of each row; of a row of padding, numbers enough for one pixel.
    rows: [*const i8; 3],
    /// From a pixel to the next; zero in a row of padding.
    steps: [usize; 3],
    width: usize,
    zero_point: i8,
}

impl Columns {
    /// Column `x` of the padded rows, `pad` of them to the left of the map.
    ///
    /// # Safety
    /// In a job, and the fields are as they say.
    #[inline(always)]
    unsafe fn get<L: Lanes>(&self, x: usize, pad: usize) -> L::Columns {
        // SAFETY: columns of the map have the numbers of a block in each row.
        unsafe {
            let mut bytes = [L::splat_byte(self.zero_point); 3];
            if let Some(x) = x.checked_sub(pad).filter(|x| *x < self.width) {
                let [top, middle, bottom] = self.rows;
                let [a, b, c] = self.steps;
                bytes = [
                    L::bytes(top.add(x * a), MOST_VECTORS * L::LANES),
                    L::bytes(middle.add(x * b), MOST_VECTORS * L::LANES),
                    L::bytes(bottom.add(x * c), MOST_VECTORS * L::LANES),
                ];
            }
            L::columns(bytes)
        }
    }
}

/// The whole row, for windows `S` apart; where `S` is 3, as the parameters say.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn strided<L: Lanes, const S: usize>(job: Depthwise<'_>) {
    let params = &job.params;
    let (channels, pad) = (params.input_channels, params.pad_left);
    let padding = [params.input_zero_point; MOST_BYTES];
    for block in blocks::<L>(Kind::Depthwise, channels) {
        let columns = Columns {
            rows: job.rows.map(|row| match row {
                Some(row) => row[block.first..].as_ptr(),
                None => padding.as_ptr(),
            }),
            steps: job.rows.map(|row| row.map_or(0, |_| channels)),
            width: params.input_width,
            zero_point: params.input_zero_point,
        };
        // SAFETY: in a job. The rows are as long as the parameters say, padding is longer than any
        // vector; the layer was made ready for these lanes; `output` has all its pixels.
        unsafe {
            let windows = Windows {
                ready: job.ready,
                block,
                weights: job.ready.window_weights::<L>(block),
                output: job.output.as_mut_ptr().add(block.first),
                channels,
            };
            // Columns stay where they are, and the windows go around them.
            let mut a = columns.get::<L>(0, pad);
            let mut b = columns.get::<L>(1, pad);
            let mut c = columns.get::<L>(2, pad);
            let mut x = 0;
            while x < params.output_width {
                windows.one::<L>(x, [&a, &b, &c]);
                let next = (x + 1) * params.stride;
                match S {
                    1 => {
                        if x + 1 == params.output_width {
                            break;
                        }
                        a = columns.get::<L>(next + 2, pad);
                        windows.one::<L>(x + 1, [&b, &c, &a]);
                        if x + 2 == params.output_width {
                            break;
                        }
                        b = columns.get::<L>(next + 3, pad);
                        windows.one::<L>(x + 2, [&c, &a, &b]);
                        c = columns.get::<L>(next + 4, pad);
                        x += 3;
                    }
                    2 => {
                        if x + 1 == params.output_width {
                            break;
                        }
                        b = columns.get::<L>(next + 1, pad);
                        a = columns.get::<L>(next + 2, pad);
                        windows.one::<L>(x + 1, [&c, &b, &a]);
                        // Of the window after it, whose first column is in `a`.
                        b = columns.get::<L>(next + 3, pad);
                        c = columns.get::<L>(next + 4, pad);
                        x += 2;
                    }
                    _ => {
                        a = columns.get::<L>(next, pad);
                        b = columns.get::<L>(next + 1, pad);
                        c = columns.get::<L>(next + 2, pad);
                        x += 1;
                    }
                }
            }
        }
    }
}

/// The outputs of a block of channels.
struct Windows<'a> {
    ready: &'a Ready,
    block: Block,
    weights: (Burden, *const i8),
    /// Of the first pixel.
    output: *mut i8,
    channels: usize,
}

impl Windows<'_> {
    /// The outputs of pixel `x`, over three columns.
    ///
    /// # Safety
    /// In a job; the layer was made ready for these lanes, and the pixel's outputs may be written.
    #[inline(always)]
    unsafe fn one<L: Lanes>(&self, x: usize, columns: [&L::Columns; 3]) {
        let (burden, weights) = self.weights;
        let tables = self.ready.tables(self.block);
        // SAFETY: as the caller vouches.
        unsafe {
            let mut sums = [L::splat(0); MOST_VECTORS];
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = L::load(tables.add(v * L::LANES));
            }
            sums = L::dot_window(sums, columns, weights, burden);
            let scaled = rescale_any::<L, MOST_VECTORS>(sums, self.ready, tables);
            let to = self.output.add(x * self.channels);
            L::write(to, MOST_VECTORS * L::LANES, scaled, &self.ready.place);
        }
    }
}

/// Most numbers of a row that are brought into order at once, those behind them included that are read and
/// not used.
const LINE: usize = 512;

/// The whole row, as many pixels at a time as the layer was made ready for, for windows `S` apart.
///
/// The columns of the padded rows are laid out so that the ones under column `kx` of windows side by side
/// lie side by side: every `S`th column from the first on, from the second on, and so on.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn together<L: Lanes, const S: usize>(job: Depthwise<'_>) {
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
    let (burden, weights) = ready.window_weights::<L>(block);
    let lanes = MOST_VECTORS * L::LANES;
    let numbers = ready.pixels * channels;
    // Two columns more than windows, and a vector that begins with the last number.
    let blocks = (LINE - 2 * channels - lanes) / numbers;
    let mut lines = [[[params.input_zero_point; LINE]; S]; 3];
    let mut first = 0;
    while first < params.output_width {
        let pixels = (params.output_width - first).min(blocks * ready.pixels);
        for (lines, row) in lines.iter_mut().zip(rows) {
            if let Some(row) = row {
                lay_out(row, params, first, pixels, lines);
            }
        }
        let output = &mut output[first * channels..];
        for block_at in (0..pixels * channels).step_by(numbers) {
            // SAFETY: in a job. Each vector begins in one of the `pixels + 2` columns of a line;
            // `output` has the numbers that are written.
            unsafe {
                let tables = ready.tables(block);
                let mut sums = [L::splat(0); MOST_VECTORS];
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(tables.add(v * L::LANES));
                }
                let mut window = [L::columns([L::splat_byte(0); 3]); 3];
                for (kx, column) in window.iter_mut().enumerate() {
                    let at = block_at + kx / S * channels;
                    let mut bytes = [L::splat_byte(0); 3];
                    for (bytes, lines) in bytes.iter_mut().zip(&lines) {
                        *bytes = L::bytes(lines[kx % S].as_ptr().add(at), lanes);
                    }
                    *column = L::columns(bytes);
                }
                sums = L::dot_window(sums, window.each_ref(), weights, burden);
                let scaled = rescale_any::<L, MOST_VECTORS>(sums, ready, tables);
                let output = &mut output[block_at..];
                // What is too much is written over by the next block.
                let count = lanes.min(output.len());
                L::write(output.as_mut_ptr(), count, scaled, &ready.place);
            }
        }
        first += pixels;
    }
}

/// Lays out the columns under `pixels` windows from the one at `first` on.
#[inline(always)]
fn lay_out<const S: usize>(
    row: &[i8],
    params: &WindowParams<'_, ()>,
    first: usize,
    pixels: usize,
    lines: &mut [[i8; LINE]; S],
) {
    let channels = params.input_channels;
    // One that the compiler knows, but where `S` stands for all that are larger.
    let stride = if S < 3 { S } else { params.stride };
    // Columns of the padded row, counted from the first window's, that are within the map.
    let columns = (pixels - 1) * stride + 3;
    let left = first * stride;
    let start = params.pad_left.saturating_sub(left).min(columns);
    let end = (params.input_width + params.pad_left)
        .saturating_sub(left)
        .min(columns)
        .max(start);
    let from = (left + start).saturating_sub(params.pad_left) * channels;
    let row = row.get(from..).unwrap_or_default();
    if S == 1 {
        let line = &mut lines[0];
        line[..start * channels].fill(params.input_zero_point);
        line[start * channels..end * channels].copy_from_slice(&row[..(end - start) * channels]);
        line[end * channels..columns * channels].fill(params.input_zero_point);
        return;
    }
    for (phase, line) in lines.iter_mut().enumerate() {
        // Columns of this line, and the first of them that are within the map and behind it.
        let of = |columns: usize| (columns + stride - 1).saturating_sub(phase) / stride;
        let (begin, end, columns) = (of(start), of(end), of(columns));
        line[..begin * channels].fill(params.input_zero_point);
        if let Some(row) = row.get((phase + begin * stride - start) * channels..) {
            let steps = [stride * channels, channels];
            copy_runs(
                row,
                &mut line[begin * channels..],
                channels,
                steps,
                end - begin,
            );
        }
        line[end * channels..columns * channels].fill(params.input_zero_point);
    }
}

/// Copies `count` runs of `len` numbers, each so many numbers from the one before, and maybe some numbers behind a run,
/// which the next one is written over: so short runs have a length that the compiler knows.
#[inline(always)]
fn copy_runs(from: &[i8], to: &mut [i8], len: usize, steps: [usize; 2], count: usize) {
    let done = match len {
        0..=16 => spill_runs::<16>(from, to, steps, count),
        17..=32 => spill_runs::<32>(from, to, steps, count),
        33..=64 => spill_runs::<64>(from, to, steps, count),
        _ => 0,
    };
    let [from_step, to_step] = steps;
    for run in done..count {
        to[run * to_step..][..len].copy_from_slice(&from[run * from_step..][..len]);
    }
}

/// Copies the first of `count` runs, `N` numbers each, as long as there are so many on both sides; says how many.
#[inline(always)]
fn spill_runs<const N: usize>(
    from: &[i8],
    to: &mut [i8],
    [from_step, to_step]: [usize; 2],
    count: usize,
) -> usize {
    let (mut from_at, mut to_at, mut run) = (0, 0, 0);
    while run < count && from_at + N <= from.len() && to_at + N <= to.len() {
        // SAFETY: there are `N` numbers at both, in memory apart.
        unsafe {
            let (from, to) = (from.as_ptr().add(from_at), to.as_mut_ptr().add(to_at));
            to.copy_from_nonoverlapping(from, N);
        }
        from_at += from_step;
        to_at += to_step;
        run += 1;
    }
    run
}
