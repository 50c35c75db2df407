//! GEMM layers, whose outputs are sums over all channels: 1 x 1, dense, and 3 x 3 (by im2col).
//!
//! Activations of a few pixels at a time are laid out in groups. Each block of outputs is then computed
//! for all of them in registers, so that a vector of weights serves each pixel.

use core::mem::MaybeUninit;

use super::lanes::{Job, Lanes, MOST_VECTORS, Products};
use super::ready::{Block, Ready, Rescaling, blocks, stored};
use crate::kernels::WindowParams;

/// Largest number of pixels that are computed together.
pub(super) const MOST_PIXELS: usize = 8;

/// Words of scratch for sums over `terms` terms, in rows of `width` pixels.
pub(super) fn scratch_len<L: Lanes>(terms: usize, width: usize) -> usize {
    let together = match stored(terms) <= L::FEW_TERMS {
        true => width,
        false => width.min(L::PIXELS),
    };
    (stored(terms) / L::GROUP).saturating_mul(together)
}

/// Source of the activations.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// An interleaved row, with a pixel for each output pixel.
    Row(&'a [i8]),
    /// The windows over three rows, each as long as the parameters say.
    Windows([Option<&'a [i8]>; 3], WindowParams<'a, ()>),
}

/// Row of outputs, interleaved.
pub(super) struct Matrix<'a> {
    pub(super) ready: &'a Ready,
    pub(super) source: Source<'a>,
    pub(super) width: usize,
    /// Scratch of [`scratch_len`] words.
    pub(super) scratch: &'a mut [u32],
    /// Output row, `[W, O]`.
    pub(super) output: &'a mut [i8],
}

impl<L: Products> Job<L> for Matrix<'_> {
    // SAFETY: as the trait requires, only `Lanes::run` calls it.
    #[inline(always)]
    unsafe fn run(self) {
        let shape = &self.ready.shape;
        let terms = stored(shape.terms);
        let parts = match self.ready.few {
            true => self.width.min(1),
            false => self.width.div_ceil(L::PIXELS),
        };
        let mut x = 0;
        for part in 0..parts {
            // As even as possible: 14 pixels are twice 7 rather than 8 and 6.
            let pixels = (self.width - x).div_ceil(parts - part);
            // SAFETY: called in a job. The scratch has `pixels * terms` activations, and as many values
            // of gathered windows, which end together. `output` has `pixels` pixels.
            unsafe {
                match self.source {
                    Source::Row(row) => {
                        let row = &row[x * shape.terms..][..pixels * shape.terms];
                        let words = self.scratch.as_mut_ptr();
                        match terms == shape.terms {
                            true => L::widen(row.as_ptr(), row.len(), words),
                            false => widen_pixels::<L>(row, shape.terms, words),
                        }
                    }
                    Source::Windows(rows, ref params) => {
                        // The gathered values end where their groups will end.
                        let end = pixels * terms * 4 / L::GROUP;
                        let start = end - pixels * terms;
                        let bytes = bytemuck::cast_slice_mut::<u32, i8>(self.scratch);
                        let gathered = bytes[start..end].chunks_exact_mut(terms);
                        for (pixel, to) in gathered.enumerate() {
                            gather(rows, params, x + pixel, to);
                        }
                        let words = self.scratch.as_mut_ptr();
                        L::widen(words.cast::<i8>().add(start), pixels * terms, words);
                    }
                }
                let activations = Activations {
                    first: self.scratch.as_ptr(),
                    pixel: 4 * (terms / L::GROUP),
                    run: 0,
                };
                let output = &mut self.output[x * shape.outputs..];
                match self.ready.few {
                    true => L::few(self.ready, activations, pixels, output),
                    false => part_of_row::<L>(pixels, self.ready, activations, output),
                }
            }
            x += pixels;
        }
    }
}

/// Converts pixels of `terms` values to activations in groups of four. The last group of a pixel may
/// hold values of the next pixel, or arbitrary ones: their weights are zero.
///
/// # Safety
/// In a job; there is room for the groups of all pixels.
#[inline(always)]
unsafe fn widen_pixels<L: Lanes>(row: &[i8], terms: usize, mut to: *mut u32) {
    let stored = stored(terms);
    // SAFETY: only existing values are read.
    unsafe {
        // Common lengths are constants for the compiler.
        let done = match stored {
            8 => widen_first::<L>(row, terms, 8, to),
            16 => widen_first::<L>(row, terms, 16, to),
            32 => widen_first::<L>(row, terms, 32, to),
            _ => widen_first::<L>(row, terms, stored, to),
        };
        let rest = &row[done * terms..];
        to = to.add(done * (stored / L::GROUP));
        // The last pixel, or more of them if they have less than four values.
        for pixel in rest.chunks_exact(terms) {
            let (groups, rest) = pixel.as_chunks::<4>();
            L::widen(groups.as_flattened().as_ptr(), stored - 4, to);
            let mut group = [0; 4];
            group[..rest.len()].copy_from_slice(rest);
            L::widen(group.as_ptr(), 4, to.add((stored - 4) / L::GROUP));
            to = to.add(stored / L::GROUP);
        }
    }
}

/// Converts the pixels that have `stored` values up to the row's end, and returns their number.
///
/// # Safety
/// Same as [`widen_pixels`].
#[inline(always)]
unsafe fn widen_first<L: Lanes>(
    row: &[i8],
    terms: usize,
    stored: usize,
    mut to: *mut u32,
) -> usize {
    let count = match row.len().checked_sub(stored) {
        Some(rest) => rest / terms + 1,
        None => 0,
    };
    let mut from = row.as_ptr();
    for _ in 0..count {
        // SAFETY: the last of them begins `stored` values before the end, or more.
        unsafe { L::widen(from, stored, to) };
        from = from.wrapping_add(terms);
        to = to.wrapping_add(stored / L::GROUP);
    }
    count
}

/// Copies the window of output column `x` to `to` (im2col), row by row, padding written out.
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
                // A length that is a constant for the compiler: that of a picture's three colours.
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

/// Location of the activations of adjacent pixels.
#[derive(Clone, Copy)]
pub struct Activations {
    /// Pointer to the first group of the first pixel; groups need not be aligned.
    pub(super) first: *const u32,
    /// Bytes from a pixel to the next.
    pub(super) pixel: usize,
    /// Bytes from a run of a pixel to its next run.
    pub(super) run: usize,
}

/// Computes all outputs of `pixels` pixels, at most [`MOST_PIXELS`]. The bytes behind them in `output`
/// may be overwritten.
///
/// # Safety
/// In a job; there are activations of as many pixels, and as many pixels in `output`.
// A function outside a job lacks the job's instructions, except in WebAssembly, where one copy of the code is enough.
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
#[cfg_attr(target_arch = "wasm32", inline(never))]
pub(super) unsafe fn part_of_row<L: Products>(
    pixels: usize,
    ready: &Ready,
    activations: Activations,
    output: &mut [i8],
) {
    // SAFETY: the caller guarantees it.
    unsafe {
        match pixels {
            // Counts above `L::PIXELS` are not compiled.
            1 => some_pixels::<L, 1>(ready, activations, output),
            2 => some_pixels::<L, 2>(ready, activations, output),
            3 => some_pixels::<L, 3>(ready, activations, output),
            4 => some_pixels::<L, 4>(ready, activations, output),
            5 if L::PIXELS >= 5 => some_pixels::<L, 5>(ready, activations, output),
            6 if L::PIXELS >= 6 => some_pixels::<L, 6>(ready, activations, output),
            7 if L::PIXELS >= 7 => some_pixels::<L, 7>(ready, activations, output),
            _ if L::PIXELS >= MOST_PIXELS => {
                some_pixels::<L, MOST_PIXELS>(ready, activations, output);
            }
            _ => {}
        }
    }
}

/// Computes all outputs of `P` pixels.
///
/// # Safety
/// Same as [`part_of_row`].
#[inline(always)]
unsafe fn some_pixels<L: Products, const P: usize>(
    ready: &Ready,
    activations: Activations,
    output: &mut [i8],
) {
    for block in blocks::<L>(ready.shape.kind, ready.shape.outputs) {
        // SAFETY: the caller guarantees it.
        unsafe {
            match block.vectors {
                1 => block_of_outputs::<L, P, 1>(ready, block, activations, output),
                MOST_VECTORS if L::VECTORS == MOST_VECTORS => {
                    block_of_outputs::<L, P, MOST_VECTORS>(ready, block, activations, output);
                }
                _ => block_of_outputs::<L, P, 2>(ready, block, activations, output),
            }
        }
    }
}

/// Computes one block of outputs, of `V` vectors, of `P` pixels.
///
/// # Safety
/// Same as [`part_of_row`]; `block` is one of the layer's.
#[inline(always)]
unsafe fn block_of_outputs<L: Products, const P: usize, const V: usize>(
    ready: &Ready,
    block: Block,
    activations: Activations,
    output: &mut [i8],
) {
    let outputs = ready.shape.outputs;
    // SAFETY: the caller guarantees it. Only the layer's outputs are written.
    unsafe {
        let mut sums = MaybeUninit::uninit();
        L::sums::<P, V>(ready, block, activations, &mut sums);
        let sums = sums.assume_init_ref();
        let tables = ready.tables(block);
        // A block that is larger than a pixel is its only one: its surplus outputs land where the next
        // pixel will be written, or behind the row.
        let output = &mut output[block.first..];
        let whole = (P - 1) * outputs + V * L::LANES <= output.len();
        if whole {
            let to = output.as_mut_ptr();
            match ready.rescaling {
                Rescaling::Line => write_whole::<L, P, V, LINE>(sums, ready, tables, to, outputs),
                Rescaling::SignedLine => {
                    write_whole::<L, P, V, SIGNED_LINE>(sums, ready, tables, to, outputs)
                }
                Rescaling::Integers => {
                    write_whole::<L, P, V, INTEGERS>(sums, ready, tables, to, outputs)
                }
            }
        } else {
            for (pixel, sums) in sums.iter().enumerate() {
                let scaled = rescale_any::<L, V>(*sums, ready, tables);
                let to = &mut output[pixel * outputs..];
                let count = to.len().min(V * L::LANES);
                L::write(to.as_mut_ptr(), count, scaled, &ready.place);
            }
        }
    }
}

/// Writes all outputs of a block for `P` pixels, `outputs` apart. Without branches, the compiler keeps
/// the sums in registers.
///
/// # Safety
/// In a job; the block has `V` vectors, and all outputs may be written.
#[inline(always)]
unsafe fn write_whole<L: Lanes, const P: usize, const V: usize, const HOW: u8>(
    sums: &[[L::Sums; V]; P],
    ready: &Ready,
    tables: *const i32,
    to: *mut i8,
    outputs: usize,
) {
    let place = ready.place;
    for (pixel, sums) in sums.iter().enumerate() {
        // SAFETY: the caller guarantees it.
        unsafe {
            let scaled = rescale::<L, V, HOW>(*sums, tables);
            L::write(to.add(pixel * outputs), V * L::LANES, scaled, &place);
        }
    }
}

pub(super) const LINE: u8 = Rescaling::Line as u8;
pub(super) const SIGNED_LINE: u8 = Rescaling::SignedLine as u8;
pub(super) const INTEGERS: u8 = Rescaling::Integers as u8;

/// Rescales the sums of a block with its tables, by the layer's rescaling.
///
/// # Safety
/// In a job; the block has `V` vectors.
#[inline(always)]
pub(super) unsafe fn rescale_any<L: Lanes, const V: usize>(
    sums: [L::Sums; V],
    ready: &Ready,
    tables: *const i32,
) -> [L::Sums; V] {
    // SAFETY: the caller guarantees it.
    unsafe {
        match ready.rescaling {
            Rescaling::Line => rescale::<L, V, LINE>(sums, tables),
            Rescaling::SignedLine => rescale::<L, V, SIGNED_LINE>(sums, tables),
            Rescaling::Integers => rescale::<L, V, INTEGERS>(sums, tables),
        }
    }
}

/// Rescales the sums of a block with its tables; `HOW` is a [`Rescaling`].
///
/// # Safety
/// In a job; the block has `V` vectors.
#[inline(always)]
pub(super) unsafe fn rescale<L: Lanes, const V: usize, const HOW: u8>(
    mut sums: [L::Sums; V],
    tables: *const i32,
) -> [L::Sums; V] {
    // SAFETY: the caller guarantees it; the order of tables is that of `TABLES`.
    unsafe {
        for (v, sum) in sums.iter_mut().enumerate() {
            let table = |index: usize| L::load(tables.add((index * V + v) * L::LANES));
            if HOW != INTEGERS {
                *sum = L::line(*sum, table(1), table(2), HOW == SIGNED_LINE);
                continue;
            }
            let shifted = L::shift_left_each(*sum, table(7));
            let product = L::high_product(shifted, table(3), table(4));
            let negative = L::and(L::negative(product), table(8));
            *sum = L::shift_right_each(L::add(product, negative), table(6), table(5));
        }
    }
    sums
}
