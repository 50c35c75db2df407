//! The 3 x 3 depthwise convolution of interleaved rows, a block of channels at a time.
//!
//! The three numbers of a channel under a column of the window lie together in a lane; each column
//! is brought into that order once and serves each window that it lies in.
//!
//! Where a pixel has too few channels to fill the vectors, as many pixels as they hold are computed
//! together: side by side in a row, they are as one pixel with as many times the channels.

use core::mem::MaybeUninit;

use super::lanes::{Job, Lanes, MOST_VECTORS, Place};
use super::matrix::{INTEGERS, LINE, SIGNED_LINE, rescale};
use super::ready::{Kind, Ready, Rescaling, blocks};
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

/// The columns of a block of channels, from left to right.
struct Columns {
    /// The next number of each row; of a row of padding, numbers enough for one pixel.
    rows: [*const i8; 3],
    /// From a pixel to the next; zero in a row of padding.
    steps: [usize; 3],
    /// Columns of padding before the map, and columns of the map, that are still to come.
    padding: usize,
    inside: usize,
    zero_point: i8,
}

impl Columns {
    /// The next column of the padded rows.
    ///
    /// # Safety
    /// In a job, and the fields are as they say.
    #[inline(always)]
    unsafe fn next<L: Lanes>(&mut self) -> L::Columns {
        if self.padding > 0 || self.inside == 0 {
            self.padding = self.padding.saturating_sub(1);
            // SAFETY: in a job.
            return unsafe { L::columns([L::splat_byte(self.zero_point); 3]) };
        }
        self.inside -= 1;
        let rows = self.rows;
        for (row, step) in self.rows.iter_mut().zip(self.steps) {
            *row = row.wrapping_add(step);
        }
        // SAFETY: columns of the map have the numbers of a block in each row.
        unsafe { L::columns(rows.map(|row| L::bytes(row, MOST_VECTORS * L::LANES))) }
    }
}

/// The whole row, for windows `S` apart; where `S` is 3, as the parameters say.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn strided<L: Lanes, const S: usize>(job: Depthwise<'_>) {
    let params = &job.params;
    let channels = params.input_channels;
    let padding = [params.input_zero_point; MOST_BYTES];
    for block in blocks::<L>(Kind::Depthwise, channels) {
        let columns = Columns {
            rows: job.rows.map(|row| match row {
                Some(row) => row[block.first..].as_ptr(),
                None => padding.as_ptr(),
            }),
            steps: job.rows.map(|row| row.map_or(0, |_| channels)),
            padding: params.pad_left,
            inside: params.input_width,
            zero_point: params.input_zero_point,
        };
        // SAFETY: in a job. The rows are as long as the parameters say, padding is longer than any
        // vector; the layer was made ready for these lanes; `output` has all its pixels.
        unsafe {
            let (burden, weights) = job.ready.window_weights::<L>(block);
            let windows = Windows {
                burden,
                weights,
                tables: job.ready.tables(block),
                place: job.ready.place,
                output: job.output.as_mut_ptr().add(block.first),
                channels,
            };
            match job.ready.rescaling {
                Rescaling::Line => windows.any_burden::<L, S, LINE>(columns, params),
                Rescaling::SignedLine => windows.any_burden::<L, S, SIGNED_LINE>(columns, params),
                Rescaling::Integers => windows.any_burden::<L, S, INTEGERS>(columns, params),
            }
        }
    }
}

/// The outputs of a block of channels.
struct Windows {
    burden: Burden,
    weights: *const i8,
    tables: *const i32,
    place: Place,
    /// Of the first pixel.
    output: *mut i8,
    channels: usize,
}

impl Windows {
    /// All pixels of a row, by the burden of its windows.
    ///
    /// # Safety
    /// As [`Windows::row`].
    #[inline(always)]
    unsafe fn any_burden<L: Lanes, const S: usize, const HOW: u8>(
        &self,
        columns: Columns,
        params: &WindowParams<'_, ()>,
    ) {
        let (width, stride) = (params.output_width, params.stride);
        // SAFETY: as the caller vouches.
        unsafe {
            match self.burden {
                Burden::Light => self.row::<L, S, HOW, LIGHT>(columns, width, stride),
                Burden::Medium => self.row::<L, S, HOW, MEDIUM>(columns, width, stride),
                Burden::Heavy => self.row::<L, S, HOW, HEAVY>(columns, width, stride),
            }
        }
    }

    /// All `width` pixels of a row, `S` columns apart, or `stride` of them where `S` is 3.
    ///
    /// # Safety
    /// In a job; the layer was made ready for these lanes, and all outputs may be written.
    #[inline(always)]
    unsafe fn row<L: Lanes, const S: usize, const HOW: u8, const BURDEN: u8>(
        &self,
        mut columns: Columns,
        width: usize,
        stride: usize,
    ) {
        // SAFETY: as the caller vouches.
        unsafe {
            // Columns stay where they are, and the windows go around them.
            let mut a = columns.next::<L>();
            let mut b = columns.next::<L>();
            let mut c = columns.next::<L>();
            let mut x = 0;
            while x < width {
                self.one::<L, HOW, BURDEN>(x, [&a, &b, &c]);
                match S {
                    1 => {
                        if x + 1 == width {
                            break;
                        }
                        a = columns.next::<L>();
                        self.one::<L, HOW, BURDEN>(x + 1, [&b, &c, &a]);
                        if x + 2 == width {
                            break;
                        }
                        b = columns.next::<L>();
                        self.one::<L, HOW, BURDEN>(x + 2, [&c, &a, &b]);
                        c = columns.next::<L>();
                        x += 3;
                    }
                    2 => {
                        if x + 1 == width {
                            break;
                        }
                        b = columns.next::<L>();
                        a = columns.next::<L>();
                        self.one::<L, HOW, BURDEN>(x + 1, [&c, &b, &a]);
                        // Of the window after it, whose first column is in `a`.
                        b = columns.next::<L>();
                        c = columns.next::<L>();
                        x += 2;
                    }
                    _ => {
                        for _ in 3..stride {
                            columns.next::<L>();
                        }
                        a = columns.next::<L>();
                        b = columns.next::<L>();
                        c = columns.next::<L>();
                        x += 1;
                    }
                }
            }
        }
    }

    /// The outputs of pixel `x`, over three columns.
    ///
    /// # Safety
    /// In a job; the layer was made ready for these lanes, and the pixel's outputs may be written.
    #[inline(always)]
    unsafe fn one<L: Lanes, const HOW: u8, const BURDEN: u8>(
        &self,
        x: usize,
        columns: [&L::Columns; 3],
    ) {
        // SAFETY: as the caller vouches.
        unsafe {
            let scaled = outputs::<L, HOW, BURDEN>(columns, self.weights, self.tables);
            let to = self.output.add(x * self.channels);
            L::write(to, MOST_VECTORS * L::LANES, scaled, &self.place);
        }
    }
}

const LIGHT: u8 = Burden::Light as u8;
const MEDIUM: u8 = Burden::Medium as u8;
const HEAVY: u8 = Burden::Heavy as u8;

/// The rescaled sums of a block over three columns; the weights have a `BURDEN`, and sums are rescaled as `HOW` says.
///
/// # Safety
/// In a job; weights and tables are those of a block.
#[inline(always)]
unsafe fn outputs<L: Lanes, const HOW: u8, const BURDEN: u8>(
    columns: [&L::Columns; 3],
    weights: *const i8,
    tables: *const i32,
) -> [L::Sums; MOST_VECTORS] {
    let burden = match BURDEN {
        LIGHT => Burden::Light,
        MEDIUM => Burden::Medium,
        _ => Burden::Heavy,
    };
    // SAFETY: as the caller vouches.
    unsafe {
        let mut sums = [L::splat(0); MOST_VECTORS];
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = L::load(tables.add(v * L::LANES));
        }
        sums = L::dot_window(sums, columns, weights, burden);
        rescale::<L, MOST_VECTORS, HOW>(sums, tables)
    }
}

/// Most numbers of a row that are brought into order at once, those behind them included that are read and
/// not used.
const LONGEST: usize = 512;

/// The columns of the padded rows, those under column `kx` of windows side by side next to each other: every `S`th
/// column from the first on, from the second on, and so on.
type Lines<const S: usize> = [[[MaybeUninit<i8>; LONGEST]; S]; 3];

/// The whole row, as many pixels at a time as the layer was made ready for, for windows `S` apart.
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
            weights,
            tables: ready.tables(block),
            place: ready.place,
        };
        let output = &mut output[first * channels..][..pixels * channels];
        // SAFETY: in a job. Each vector begins in one of the `pixels + 2` columns of a line, behind which there are
        // as many numbers.
        unsafe {
            match ready.rescaling {
                Rescaling::Line => segment.any_burden::<L, LINE>(burden, output),
                Rescaling::SignedLine => segment.any_burden::<L, SIGNED_LINE>(burden, output),
                Rescaling::Integers => segment.any_burden::<L, INTEGERS>(burden, output),
            }
        }
        first += pixels;
    }
}

/// Pixels of a row, some at a time.
struct Segment<'a, const S: usize> {
    lines: &'a Lines<S>,
    channels: usize,
    /// Outputs that are computed together.
    numbers: usize,
    weights: *const i8,
    tables: *const i32,
    place: Place,
}

impl<const S: usize> Segment<'_, S> {
    /// # Safety
    /// As [`Segment::run`].
    #[inline(always)]
    unsafe fn any_burden<L: Lanes, const HOW: u8>(&self, burden: Burden, output: &mut [i8]) {
        // SAFETY: as the caller vouches.
        unsafe {
            match burden {
                Burden::Light => self.run::<L, HOW, LIGHT>(output),
                Burden::Medium => self.run::<L, HOW, MEDIUM>(output),
                Burden::Heavy => self.run::<L, HOW, HEAVY>(output),
            }
        }
    }

    /// All of `output`.
    ///
    /// # Safety
    /// In a job; weights and tables are those of a block; lines have the columns, and vectors enough behind them.
    #[inline(always)]
    unsafe fn run<L: Lanes, const HOW: u8, const BURDEN: u8>(&self, output: &mut [i8]) {
        // Where two pixels are computed together, the last columns under them are the first under the next two.
        let again = S == 1 && self.numbers == 2 * self.channels;
        // SAFETY: as the caller vouches; `output` has the numbers that are written.
        unsafe {
            let mut first = self.column::<L>(0, 0);
            for at in (0..output.len()).step_by(self.numbers) {
                if !again {
                    first = self.column::<L>(at, 0);
                }
                let (middle, last) = (self.column::<L>(at, 1), self.column::<L>(at, 2));
                let window = [&first, &middle, &last];
                let scaled = outputs::<L, HOW, BURDEN>(window, self.weights, self.tables);
                let output = &mut output[at..];
                // What is too much is written over by the next block.
                let count = output.len().min(MOST_VECTORS * L::LANES);
                L::write(output.as_mut_ptr(), count, scaled, &self.place);
                first = last;
            }
        }
    }

    /// Column `kx` of the windows whose outputs begin with number `at`.
    ///
    /// # Safety
    /// As [`Segment::run`].
    #[inline(always)]
    unsafe fn column<L: Lanes>(&self, at: usize, kx: usize) -> L::Columns {
        let at = at + kx / S * self.channels;
        let lanes = MOST_VECTORS * L::LANES;
        // SAFETY: as the caller vouches.
        unsafe {
            let mut bytes = [L::splat_byte(0); 3];
            for (bytes, lines) in bytes.iter_mut().zip(self.lines) {
                *bytes = L::bytes(lines[kx % S].as_ptr().cast::<i8>().add(at), lanes);
            }
            L::columns(bytes)
        }
    }
}

/// Lays out the columns under `pixels` windows from the one at `first` on, and `behind` numbers behind them; of a row
/// that is empty, padding.
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
    let end = if row.is_empty() { start } else { end };
    let from = (left + start).saturating_sub(params.pad_left) * channels;
    let row = row.get(from..).unwrap_or_default();
    for (phase, line) in lines.iter_mut().enumerate() {
        // Columns of this line, and the first of them that are within the map and behind it.
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

/// Copies `count` runs of `len` numbers, each so many numbers from the one before, and maybe some numbers behind a run,
/// which the next one is written over: so short runs have a length that the compiler knows.
#[inline(always)]
fn copy_runs(from: &[i8], to: &mut [MaybeUninit<i8>], len: usize, steps: [usize; 2], count: usize) {
    let [from_step, to_step] = steps;
    let (done, count, len) = match len {
        // They lie side by side in both.
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

/// Copies the first of `count` runs, `N` numbers each, as long as there are so many on both sides; says how many.
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
        // SAFETY: there are `N` numbers at both, in memory apart.
        unsafe { to.copy_from_nonoverlapping(from, N) };
        (from, to) = (from.wrapping_add(from_step), to.wrapping_add(to_step));
    }
    whole
}
