//! The 3 x 3 depthwise convolution of interleaved rows, a block of channels at a time.
//!
//! The three numbers of a channel under a column of the window lie together in a lane; each column
//! is brought into that order once and serves each window that it lies in.
//!
//! Where a pixel has so few channels that several fit into the vectors, these are computed together:
//! side by side in a row, they are as one pixel with as many times the channels.

use super::lanes::{Job, Lanes, MOST_VECTORS, Place};
use super::matrix::rescale;
use super::ready::{Kind, Ready, blocks};
use crate::kernels::WindowParams;

/// Numbers of the largest vectors of bytes.
const MOST_BYTES: usize = 64;

/// One row of outputs, interleaved.
pub(super) struct Depthwise<'a> {
    pub(super) ready: &'a Ready,
    /// Interleaved, each as long as the parameters say.
    pub(super) rows: [Option<&'a [i8]>; 3],
    pub(super) params: WindowParams<'a, ()>,
    pub(super) place: Place,
    /// `[W, C]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Lanes> Job<L> for Depthwise<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: in a job.
        unsafe {
            if self.ready.pixels > 1 {
                return together::<L>(self);
            }
            match self.params.stride {
                1 => strided::<L, 1>(self),
                2 => strided::<L, 2>(self),
                _ => strided::<L, 3>(self),
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
    /// Channels in the block that there are.
    count: usize,
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
        // SAFETY: columns of the map have `count` numbers in each row.
        unsafe {
            let mut bytes = [L::splat_byte(self.zero_point); 3];
            if let Some(x) = x.checked_sub(pad).filter(|x| *x < self.width) {
                let [top, middle, bottom] = self.rows;
                let [a, b, c] = self.steps;
                bytes = [
                    L::bytes(top.add(x * a), self.count),
                    L::bytes(middle.add(x * b), self.count),
                    L::bytes(bottom.add(x * c), self.count),
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
    let column_len = MOST_VECTORS * L::LANES * L::COLUMN_WORDS * 4;
    for block in blocks::<L>(Kind::Depthwise, channels) {
        let columns = Columns {
            rows: job.rows.map(|row| match row {
                Some(row) => row[block.first..].as_ptr(),
                None => padding.as_ptr(),
            }),
            steps: job.rows.map(|row| row.map_or(0, |_| channels)),
            count: (MOST_VECTORS * L::LANES).min(channels - block.first),
            width: params.input_width,
            zero_point: params.input_zero_point,
        };
        let weights = job.ready.weights(block.first, 3 * 4 * L::COLUMN_WORDS);
        let tables = job.ready.tables(block.first);
        // SAFETY: in a job. The rows are as long as the parameters say, padding is longer than any
        // vector; the layer was made ready for these lanes; `output` has all its pixels.
        unsafe {
            let mut window = [
                columns.get::<L>(0, pad),
                columns.get::<L>(1, pad),
                columns.get::<L>(2, pad),
            ];
            for x in 0..params.output_width {
                let mut sums = [L::splat(0); MOST_VECTORS];
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(tables.add(v * L::LANES));
                }
                for (kx, column) in window.iter().enumerate() {
                    sums = L::dot_columns(sums, *column, weights.add(kx * column_len));
                }
                let scaled = rescale::<L, MOST_VECTORS>(sums, job.ready, block.first);
                let to = job.output.as_mut_ptr().add(x * channels + block.first);
                L::write(to, columns.count, scaled, &job.place);
                let next = (x + 1) * params.stride;
                window = match S {
                    1 => [window[1], window[2], columns.get::<L>(next + 2, pad)],
                    2 => [
                        window[2],
                        columns.get::<L>(next + 1, pad),
                        columns.get::<L>(next + 2, pad),
                    ],
                    _ => [
                        columns.get::<L>(next, pad),
                        columns.get::<L>(next + 1, pad),
                        columns.get::<L>(next + 2, pad),
                    ],
                };
            }
        }
    }
}

/// The whole row, as many pixels at a time as the layer was made ready for.
///
/// # Safety
/// In a job.
#[inline(always)]
unsafe fn together<L: Lanes>(job: Depthwise<'_>) {
    let Depthwise {
        ready,
        rows,
        ref params,
        place,
        output,
    } = job;
    let (channels, zero_point) = (params.input_channels, params.input_zero_point);
    let column_len = MOST_VECTORS * L::LANES * L::COLUMN_WORDS * 4;
    let weights = ready.weights(0, 3 * 4 * L::COLUMN_WORDS);
    let tables = ready.tables(0);
    let output = &mut output[..params.output_width * channels];
    for (block, output) in output.chunks_mut(ready.pixels * channels).enumerate() {
        let left = block * ready.pixels * params.stride;
        let count = output.len();
        // SAFETY: in a job. `apart` and a row from `at` on have `count` numbers, no more than the vectors of
        // a block, for which the layer was made ready; so has `output`.
        unsafe {
            let mut sums = [L::splat(0); MOST_VECTORS];
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = L::load(tables.add(v * L::LANES));
            }
            for kx in 0..3 {
                // Where the numbers lie side by side in the rows.
                let at = (left + kx)
                    .checked_sub(params.pad_left)
                    .map(|x| x * channels);
                let at = at
                    .filter(|at| params.stride == 1 && at + count <= params.input_width * channels);
                let mut bytes = [L::splat_byte(zero_point); 3];
                for (bytes, row) in bytes.iter_mut().zip(rows) {
                    let Some(row) = row else { continue };
                    *bytes = match at {
                        Some(at) => L::bytes(row[at..][..count].as_ptr(), count),
                        None => {
                            let apart = gathered(row, params, left + kx, count / channels);
                            L::bytes(apart.as_ptr(), count)
                        }
                    };
                }
                sums = L::dot_columns(sums, L::columns(bytes), weights.add(kx * column_len));
            }
            let scaled = rescale::<L, MOST_VECTORS>(sums, ready, 0);
            L::write(output.as_mut_ptr(), count, scaled, &place);
        }
    }
}

/// The numbers of `pixels` pixels that lie a stride apart, from column `first` of the padded row on.
#[inline(always)]
fn gathered(
    row: &[i8],
    params: &WindowParams<'_, ()>,
    first: usize,
    pixels: usize,
) -> [i8; 2 * MOST_BYTES] {
    let channels = params.input_channels;
    let mut numbers = [params.input_zero_point; 2 * MOST_BYTES];
    for pixel in 0..pixels {
        let column = (first + pixel * params.stride).checked_sub(params.pad_left);
        let Some(column) = column.filter(|column| *column < params.input_width) else {
            // Behind what the pixel before it may have spilled.
            numbers[pixel * channels..][..channels].fill(params.input_zero_point);
            continue;
        };
        let (from, to) = (&row[column * channels..], &mut numbers[pixel * channels..]);
        // Of a length that the compiler knows; what is too much is written over by the next pixel, or
        // not read.
        if channels <= 16
            && let (Some(from), Some(to)) = (from.first_chunk::<16>(), to.first_chunk_mut::<16>())
        {
            *to = *from;
        } else if let (Some(from), Some(to)) =
            (from.first_chunk::<32>(), to.first_chunk_mut::<32>())
        {
            *to = *from;
        } else {
            to[..channels].copy_from_slice(&from[..channels]);
        }
    }
    numbers
}
