//! Two workers for one row: [`Dual`] gives one half of a layer's row to a second core or thread, and
//! computes the other itself.
//!
//! A part of a row is a layer of its own to the kernels underneath: fewer channels, or fewer columns.
//! If its values are not contiguous in the row, both halves are computed into the two halves of the
//! row's memory, and then interleaved into order. The workers thus never write into one another's
//! memory, nothing is allocated, and nothing here is `unsafe`: the code that brings work to a second
//! core is behind [`Second`].

mod parts;
mod weave;

#[cfg(test)]
mod tests;

use core::ops::Range;

use super::params::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Layout, PointwiseParams, Weighted,
};
use super::{Kernels, scalar::Scalar};
use parts::{Cut, columns_of, dense_of, depthwise_of, pointwise_of};

/// A second worker: another core, another thread.
pub trait Second {
    /// Runs `there` on the other worker and `here` on this one, both once, and returns when both are
    /// done.
    fn both(&self, there: &mut (dyn FnMut() + Send), here: &mut dyn FnMut());
}

/// Kernels that may compute two parts of a layer at once: their result depends only on their arguments,
/// not on the layer that these are a part of.
pub trait Divisible: Kernels + Sync {}

impl Divisible for Scalar {}
#[cfg(all(target_arch = "arm", feature = "armv6m"))]
impl Divisible for super::armv6m::Armv6m {}
#[cfg(all(target_arch = "arm", feature = "dsp"))]
impl Divisible for super::dsp::Dsp {}

/// Computes the channels or columns of a range. Called through a pointer, so that a program contains
/// each kernel once.
type Part<'a, K> = dyn Fn(&K, Range<usize>, &mut [u32], &mut [i8]) + Sync + 'a;

/// Kernels on two workers.
#[derive(Clone, Copy, Debug)]
pub struct Dual<K, S> {
    kernels: K,
    second: S,
}

impl<K: Divisible, S: Second> Dual<K, S> {
    /// Creates kernels that give half of the work of `kernels` to `second`.
    pub const fn new(kernels: K, second: S) -> Self {
        Dual { kernels, second }
    }

    /// Runs `part` for both parts of a cut row: with `false` the first part here, with `true` the
    /// second part on the second worker. Then computes the remainder here and brings the row in order.
    fn run(&self, cut: Cut, scratch: &mut [u32], output: &mut [i8], part: &Part<'_, K>) {
        let Some([first, last, rest]) = cut.slices(output) else {
            return part(&self.kernels, cut.all(), scratch, output);
        };
        let (mine, other) = scratch.split_at_mut(scratch.len() / 2);
        let kernels = &self.kernels;
        self.second.both(
            &mut || part(kernels, cut.last(), &mut *other, &mut *last),
            &mut || part(kernels, cut.first(), &mut *mine, &mut *first),
        );
        if !rest.is_empty() {
            part(kernels, cut.rest(), mine, rest);
        }
        cut.weave(output);
    }
}

impl<K: Divisible, S: Second> Kernels for Dual<K, S> {
    fn prepare(&mut self, layer: Weighted<'_>) {
        self.kernels.prepare(layer);
    }

    fn depthwise_layout(&self) -> Layout {
        self.kernels.depthwise_layout()
    }

    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        2 * self.kernels.scratch_len(terms, width)
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        // By columns: its weights are few, and most of the preparation is gathering windows.
        let (width, channels) = (params.output_width, params.output_channels);
        let cut = match params.stride * (width / 2) < params.pad_left {
            true => Cut::none(width, channels),
            false => Cut::columns(width, channels, params.output_layout),
        };
        self.run(
            cut,
            scratch,
            output,
            &|kernels, columns, scratch, output| {
                let (params, rows) = columns_of(params, rows, columns);
                kernels.conv3x3(&params, rows, scratch, output);
            },
        );
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        let (width, channels) = (params.output_width, params.output_channels);
        let cut = match params.input_layout {
            Layout::Planar => Cut::channels(width, channels, 1, params.output_layout),
            // The values of a channel are not contiguous.
            Layout::Interleaved => Cut::none(channels, width),
        };
        self.run(cut, &mut [], output, &|kernels, channels, _, output| {
            let (params, rows) = depthwise_of(params, rows, channels);
            kernels.depthwise3x3(&params, rows, output);
        });
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let (width, channels) = (params.width, params.output_channels);
        let cut = Cut::channels(width, channels, 2, params.output_layout);
        self.run(
            cut,
            scratch,
            output,
            &|kernels, channels, scratch, output| {
                let params = pointwise_of(params, channels);
                kernels.pointwise(&params, input, scratch, output);
            },
        );
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let cut = Cut::channels(1, output.len(), 2, Layout::Planar);
        self.run(
            cut,
            scratch,
            output,
            &|kernels, channels, scratch, output| {
                let params = dense_of(params, channels);
                kernels.dense(&params, input, scratch, output);
            },
        );
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        let cut = Cut::channels(1, output.len(), 1, Layout::Planar);
        self.run(cut, &mut [], output, &|kernels, numbers, _, output| {
            if let (Some(a), Some(b)) = (a.get(numbers.clone()), b.get(numbers)) {
                kernels.add(params, a, b, output);
            }
        });
    }

    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        self.kernels.pool_row(row, sums);
    }

    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        self.kernels.pool_finish(sums, count, clamp, output);
    }
}
