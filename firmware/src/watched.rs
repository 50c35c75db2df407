//! Kernels that feed a watchdog: the network proves its progress row by row, however large it is.

use posy_shared::kernels::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Kernels, Layout, PointwiseParams, Weighted,
};

/// `kernels`, with a call of `feed` before each row of the layers that take time.
#[derive(Clone, Copy, Debug)]
pub struct Watched<K> {
    kernels: K,
    feed: fn(),
}

impl<K> Watched<K> {
    /// `kernels`, watched by what `feed` feeds.
    pub const fn new(kernels: K, feed: fn()) -> Self {
        Watched { kernels, feed }
    }
}

impl<K: Kernels> Kernels for Watched<K> {
    fn prepare(&mut self, layer: Weighted<'_>) {
        self.kernels.prepare(layer);
    }

    fn depthwise_layout(&self) -> Layout {
        self.kernels.depthwise_layout()
    }

    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        self.kernels.scratch_len(terms, width)
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        (self.feed)();
        self.kernels.conv3x3(params, rows, scratch, output);
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        (self.feed)();
        self.kernels.depthwise3x3(params, rows, output);
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        (self.feed)();
        self.kernels.pointwise(params, input, scratch, output);
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        (self.feed)();
        self.kernels.dense(params, input, scratch, output);
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        self.kernels.add(params, a, b, output);
    }

    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        self.kernels.pool_row(row, sums);
    }

    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        self.kernels.pool_finish(sums, count, clamp, output);
    }
}
