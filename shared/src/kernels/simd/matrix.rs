//! Layers whose outputs are sums over all channels: 1 x 1, fully connected, and 3 x 3.
//!
//! A few pixels at a time: their activations are laid out in groups, and then each block of outputs
//! is computed for all of them in registers, so that a vector of weights serves each pixel.

use core::mem::MaybeUninit;

use super::lanes::{Job, Lanes, MOST_VECTORS, Place, Products};
use super::ready::{Block, Ready, blocks, stored};
use crate::kernels::WindowParams;

/// Most pixels that are computed together.
pub(super) const MOST_PIXELS: usize = 8;

/// Words of scratch for sums over `terms` terms, in rows of `width` pixels.
pub(super) fn scratch_len<L: Lanes>(terms: usize, width: usize) -> usize {
    (stored(terms) / L::GROUP).saturating_mul(width.min(L::PIXELS))
}

/// Where activations come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// An interleaved row, a pixel for each output pixel.
    Row(&'a [i8]),
    /// The windows over three rows, each as long as the parameters say.
    Windows([Option<&'a [i8]>; 3], WindowParams<'a, ()>),
}

/// One row of outputs, interleaved.
pub(super) struct Matrix<'a> {
    pub(super) ready: &'a Ready,
    pub(super) source: Source<'a>,
    pub(super) width: usize,
    /// [`scratch_len`] words.
    pub(super) scratch: &'a mut [u32],
    pub(super) place: Place,
    /// `[W, O]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Products> Job<L> for Matrix<'_> {
    // SAFETY: as the trait says, `Lanes::run` alone calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let shape = &self.ready.shape;
        let terms = stored(shape.terms);
        let parts = self.width.div_ceil(L::PIXELS);
        let mut x = 0;
        for part in 0..parts {
            // As even as can be: 14 pixels are twice 7 rather than 8 and 6.
            let pixels = (self.width - x).div_ceil(parts - part);
            let bytes = bytemuck::cast_slice_mut::<u32, i8>(self.scratch);
            // What is gathered ends where the groups of it will end.
            let end = pixels * terms * 4 / L::GROUP;
            let start = end - pixels * terms;
            let as_it_is = match self.source {
                Source::Row(row) if terms == shape.terms => {
                    Some(row[x * terms..][..pixels * terms].as_ptr())
                }
                Source::Row(row) => {
                    for pixel in 0..pixels {
                        let from = &row[(x + pixel) * shape.terms..];
                        copy_spilling(from, &mut bytes[start + pixel * terms..], shape.terms);
                    }
                    None
                }
                Source::Windows(rows, ref params) => {
                    let gathered = bytes[start..end].chunks_exact_mut(terms);
                    for (pixel, to) in gathered.enumerate() {
                        gather(rows, params, x + pixel, to);
                    }
                    None
                }
            };
            let words = self.scratch.as_mut_ptr();
            let from = as_it_is.unwrap_or(words.cast::<i8>().wrapping_add(start));
            let output = &mut self.output[x * shape.outputs..];
            let (ready, place) = (self.ready, &self.place);
            let activations = Activations {
                first: words,
                pixel: 4 * (terms / L::GROUP),
                run: 0,
            };
            // SAFETY: called in a job. `from` has `pixels * terms` numbers, the scratch as many
            // activations; where they overlap, they end together. `output` has `pixels` pixels.
            unsafe {
                L::widen(from, pixels * terms, words);
                part_of_row::<L>(pixels, ready, activations, place, output);
            }
            x += pixels;
        }
    }
}

/// Copies `len` numbers, and maybe some of those behind them: so a few have a length that the compiler
/// knows.
#[inline(always)]
pub(super) fn copy_spilling(from: &[i8], to: &mut [i8], len: usize) {
    if len <= 16
        && let (Some(from), Some(to)) = (from.first_chunk::<16>(), to.first_chunk_mut::<16>())
    {
        *to = *from;
    } else if len <= 32
        && let (Some(from), Some(to)) = (from.first_chunk::<32>(), to.first_chunk_mut::<32>())
    {
        *to = *from;
    } else {
        to[..len].copy_from_slice(&from[..len]);
    }
}

/// Copies the window of output column `x` to `to`, row by row, padding written out.
#[inline(always)]
fn gather(rows: [Option<&[i8]>; 3], params: &WindowParams<'_, ()>, x: usize, to: &mut [i8]) {
    let channels = params.input_channels;
    let left = x * params.stride;
    let inside = left
        .checked_sub(params.pad_left)
        .filter(|left| left + 3 <= params.input_width);
    for (row, to) in rows.iter().zip(to.chunks_exact_mut(3 * channels)) {
        match (row, inside) {
            (Some(row), Some(left)) => {
                let from = &row[left * channels..][..3 * channels];
                // A length that the compiler knows: that of a picture's three colours.
                match (
                    <&[i8; 9]>::try_from(from),
                    <&mut [i8; 9]>::try_from(&mut *to),
                ) {
                    (Ok(from), Ok(to)) => *to = *from,
                    _ => to.copy_from_slice(from),
                }
            }
            (Some(row), None) => {
                for (tap, to) in to.chunks_exact_mut(channels).enumerate() {
                    let column = (left + tap).checked_sub(params.pad_left);
                    match column.filter(|column| *column < params.input_width) {
                        Some(column) => to.copy_from_slice(&row[column * channels..][..channels]),
                        None => to.fill(params.input_zero_point),
                    }
                }
            }
            (None, _) => to.fill(params.input_zero_point),
        }
    }
}

/// Where the activations of pixels side by side are.
#[derive(Clone, Copy)]
pub struct Activations {
    /// The first group of the first pixel; groups need not be aligned.
    pub(super) first: *const u32,
    /// Bytes from a pixel to the next.
    pub(super) pixel: usize,
    /// Bytes from a run of a pixel to its next one.
    pub(super) run: usize,
}

/// All outputs of `pixels` pixels, at most [`MOST_PIXELS`]. What lies behind them in `output` may be written
/// over.
///
/// # Safety
/// In a job; there are activations of as many pixels, and so many pixels in `output`.
#[inline(always)]
pub(super) unsafe fn part_of_row<L: Products>(
    pixels: usize,
    ready: &Ready,
    activations: Activations,
    place: &Place,
    output: &mut [i8],
) {
    // SAFETY: as the caller vouches.
    unsafe {
        match pixels {
            1 => some_pixels::<L, 1>(ready, activations, place, output),
            2 => some_pixels::<L, 2>(ready, activations, place, output),
            3 => some_pixels::<L, 3>(ready, activations, place, output),
            4 => some_pixels::<L, 4>(ready, activations, place, output),
            5 => some_pixels::<L, 5>(ready, activations, place, output),
            6 => some_pixels::<L, 6>(ready, activations, place, output),
            7 => some_pixels::<L, 7>(ready, activations, place, output),
            _ => some_pixels::<L, MOST_PIXELS>(ready, activations, place, output),
        }
    }
}

/// All outputs of `P` pixels.
///
/// # Safety
/// As [`part_of_row`].
#[inline(always)]
unsafe fn some_pixels<L: Products, const P: usize>(
    ready: &Ready,
    activations: Activations,
    place: &Place,
    output: &mut [i8],
) {
    for block in blocks::<L>(ready.shape.kind, ready.shape.outputs) {
        // SAFETY: as the caller vouches.
        unsafe {
            match block.vectors {
                1 => block_of_outputs::<L, P, 1>(ready, block, activations, place, output),
                MOST_VECTORS if L::VECTORS == MOST_VECTORS => {
                    block_of_outputs::<L, P, MOST_VECTORS>(
                        ready,
                        block,
                        activations,
                        place,
                        output,
                    );
                }
                _ => block_of_outputs::<L, P, 2>(ready, block, activations, place, output),
            }
        }
    }
}

/// One block of outputs, of `V` vectors, of `P` pixels.
///
/// # Safety
/// As [`part_of_row`]; `block` is one of the layer's.
#[inline(always)]
unsafe fn block_of_outputs<L: Products, const P: usize, const V: usize>(
    ready: &Ready,
    block: Block,
    activations: Activations,
    place: &Place,
    output: &mut [i8],
) {
    let outputs = ready.shape.outputs;
    // SAFETY: as the caller vouches. Outputs are written as far as the layer has them.
    unsafe {
        let mut sums = MaybeUninit::uninit();
        L::sums::<P, V>(ready, block, activations, &mut sums);
        let sums = sums.assume_init_ref();
        let tables = ready.tables(block);
        // A block that is larger than a pixel is its only one: what it has too much lies where the next
        // pixel will be written, or behind the row.
        let output = &mut output[block.first..];
        let whole = (P - 1) * outputs + V * L::LANES <= output.len();
        if whole {
            let (to, shifts) = (output.as_mut_ptr(), Shifts::of(ready, place));
            match shifts {
                Shifts::Rectified => {
                    write_whole::<L, P, V, RECTIFIED>(sums, tables, place, to, outputs)
                }
                Shifts::Right => write_whole::<L, P, V, RIGHT>(sums, tables, place, to, outputs),
                Shifts::Both => write_whole::<L, P, V, BOTH>(sums, tables, place, to, outputs),
            }
        } else {
            for (pixel, sums) in sums.iter().enumerate() {
                let scaled = any_shifts::<L, V>(*sums, ready, place, tables);
                let to = &mut output[pixel * outputs..];
                let count = to.len().min(V * L::LANES);
                L::write(to.as_mut_ptr(), count, scaled, place);
            }
        }
    }
}

/// All outputs of a block for `P` pixels, `outputs` apart. Without branches, the compiler keeps the sums in
/// registers.
///
/// # Safety
/// In a job; the block has `V` vectors, and all outputs may be written.
#[inline(always)]
unsafe fn write_whole<L: Lanes, const P: usize, const V: usize, const SHIFTS: u8>(
    sums: &[[L::Sums; V]; P],
    tables: *const i32,
    place: &Place,
    to: *mut i8,
    outputs: usize,
) {
    for (pixel, sums) in sums.iter().enumerate() {
        // SAFETY: as the caller vouches.
        unsafe {
            let scaled = rescale::<L, V, SHIFTS>(*sums, tables);
            L::write(to.add(pixel * outputs), V * L::LANES, scaled, place);
        }
    }
}

/// How the sums of a layer are shifted.
#[derive(Clone, Copy)]
enum Shifts {
    /// To the right, and what lies below the zero point is clamped.
    Rectified,
    /// To the right.
    Right,
    /// Some maybe to the left.
    Both,
}

const RECTIFIED: u8 = Shifts::Rectified as u8;
const RIGHT: u8 = Shifts::Right as u8;
const BOTH: u8 = Shifts::Both as u8;

impl Shifts {
    const fn of(ready: &Ready, place: &Place) -> Self {
        match (ready.to_the_right, place.min >= place.zero_point) {
            (true, true) => Shifts::Rectified,
            (true, false) => Shifts::Right,
            (false, _) => Shifts::Both,
        }
    }
}

/// Rescales the sums of a block with its tables, in whichever way they are shifted.
///
/// # Safety
/// In a job; the block has `V` vectors.
#[inline(always)]
pub(super) unsafe fn any_shifts<L: Lanes, const V: usize>(
    sums: [L::Sums; V],
    ready: &Ready,
    place: &Place,
    tables: *const i32,
) -> [L::Sums; V] {
    // SAFETY: as the caller vouches.
    unsafe {
        match Shifts::of(ready, place) {
            Shifts::Rectified => rescale::<L, V, RECTIFIED>(sums, tables),
            Shifts::Right => rescale::<L, V, RIGHT>(sums, tables),
            Shifts::Both => rescale::<L, V, BOTH>(sums, tables),
        }
    }
}

/// Rescales the sums of a block with its tables; `SHIFTS` is [`RECTIFIED`], [`RIGHT`] or [`BOTH`].
///
/// # Safety
/// In a job; the block has `V` vectors.
#[inline(always)]
unsafe fn rescale<L: Lanes, const V: usize, const SHIFTS: u8>(
    mut sums: [L::Sums; V],
    tables: *const i32,
) -> [L::Sums; V] {
    // SAFETY: as the caller vouches; the order of tables is that of `TABLES`.
    unsafe {
        for (v, sum) in sums.iter_mut().enumerate() {
            let table = tables.add(v * L::LANES);
            let next = V * L::LANES;
            if SHIFTS == RECTIFIED {
                *sum = L::rectified(*sum, table, next);
                continue;
            }
            if SHIFTS == BOTH {
                *sum = L::shift_left_each(*sum, L::load(table.add(5 * next)));
            }
            let (mantissa, odd) = (L::load(table.add(next)), L::load(table.add(2 * next)));
            let product = L::high_product(*sum, mantissa, odd);
            let mut negative = L::negative(product);
            if SHIFTS == BOTH {
                negative = L::and(negative, L::load(table.add(6 * next)));
            }
            let (right, half) = (L::load(table.add(3 * next)), L::load(table.add(4 * next)));
            *sum = L::shift_right_each(L::add(product, negative), half, right);
        }
    }
    sums
}
