//! Kernels of the layers: the trait [`Kernels`] is the only place where variants differ in speed.
//!
//! A kernel computes one row of one layer. [`scalar::Scalar`] is the specification; a faster variant is
//! another file here with a value that implements [`Kernels`] and passes [`conformance`], which
//! compares it with the specification bit for bit. A variant that needs a processor feature has a
//! constructor that returns `None` if the feature is missing, so the value itself proves the feature:
//!
//! ```
//! use posy_shared::kernels::{Kernels, scalar::Scalar};
//!
//! struct Traced(Scalar);
//!
//! impl Kernels for Traced {
//!     // Only the methods that differ are written; the others default to the reference.
//!     fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
//!         self.0.pool_row(row, sums);
//!     }
//! }
//! posy_shared::kernels::conformance::check(&mut Traced(Scalar)).unwrap();
//! ```
//!
//! # Layout of a row
//!
//! A row is `[W, C]` ([`Layout::Interleaved`]) or `[C, W]` ([`Layout::Planar`]). A layer writes each
//! row in its reader's layout: that of [`Kernels::depthwise_layout`] for a depthwise layer (planar if
//! the kernel works on one channel at a time), and interleaved for all others.

#[cfg(all(target_arch = "arm", feature = "armv6m"))]
pub mod armv6m;
pub mod conformance;
#[cfg(all(target_arch = "arm", feature = "dsp"))]
pub mod dsp;
pub mod dual;
mod mean;
mod packed;
mod params;
pub mod requant;
pub mod scalar;
mod scratch;
#[cfg(any(
    feature = "std",
    all(feature = "alloc", target_arch = "wasm32", target_feature = "simd128")
))]
pub mod simd;
#[cfg(all(target_arch = "arm", any(feature = "armv6m", feature = "dsp")))]
mod stage;
#[cfg(all(target_arch = "arm", any(feature = "armv6m", feature = "dsp")))]
mod window;

pub use mean::mean_finish;
pub use packed::Packed;
#[cfg(feature = "alloc")]
pub use packed::pack;
pub use params::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, I32s, Layout, MeanParams, OutputStage,
    PerChannel, PointwiseParams, Weighted, WindowParams,
};
pub use scratch::board_scratch_len;

use scalar::Scalar;

/// Operations that the engine needs from a processor. Every method has the reference as its default.
pub trait Kernels {
    /// Prepacks a layer's weights, once, before any of its rows is computed, so that a variant can keep
    /// them in its own order, by the layer's index.
    fn prepare(&mut self, layer: Weighted<'_>) {
        let _ = layer;
    }

    /// Layout of the input rows of depthwise layers.
    fn depthwise_layout(&self) -> Layout {
        Layout::Planar
    }

    /// Words of scratch that [`Kernels::conv3x3`], [`Kernels::pointwise`] and [`Kernels::dense`] are
    /// given for a layer whose outputs are sums over `terms` terms, in rows of `width` pixels.
    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        let _ = (terms, width);
        0
    }

    /// Computes one output row of a 3 x 3 convolution.
    ///
    /// `rows` are the three input rows under the window, interleaved `[W, C]`, top first; `None` is a
    /// row of padding. `output` is one row in `params.output_layout`.
    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        Scalar.conv3x3(params, rows, scratch, output);
    }

    /// Computes one output row of a 3 x 3 depthwise convolution; rows as in [`Kernels::conv3x3`], but
    /// in `params.input_layout`.
    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        Scalar.depthwise3x3(params, rows, output);
    }

    /// Computes one row of a 1 x 1 convolution: `input` interleaved `[W, I]`, `output` in
    /// `params.output_layout`.
    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        Scalar.pointwise(params, input, scratch, output);
    }

    /// Computes a dense layer: `[I]` to `[O]`.
    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        Scalar.dense(params, input, scratch, output);
    }

    /// Adds two rows element by element and requantises the sums.
    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        Scalar.add(params, a, b, output);
    }

    /// Adds an interleaved row `[W, C]` to `sums`, `[C]` little-endian i32 in bytes.
    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        Scalar.pool_row(row, sums);
    }

    /// Turns the sums of `count` pixels into means, each clamped to `min..=max`.
    fn pool_finish(&self, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
        Scalar.pool_finish(sums, count, clamp, output);
    }
}

/// Forwards every method but [`Kernels::prepare`] to the value that `self` points at.
macro_rules! forward {
    ($this:ident) => {
            fn depthwise_layout(&$this) -> Layout {
                (**$this).depthwise_layout()
            }

            fn scratch_len(&$this, terms: usize, width: usize) -> usize {
                (**$this).scratch_len(terms, width)
            }

            fn conv3x3(
                &$this,
                params: &ConvParams<'_>,
                rows: [Option<&[i8]>; 3],
                scratch: &mut [u32],
                output: &mut [i8],
            ) {
                (**$this).conv3x3(params, rows, scratch, output);
            }

            fn depthwise3x3(
                &$this,
                params: &DepthwiseParams<'_>,
                rows: [Option<&[i8]>; 3],
                output: &mut [i8],
            ) {
                (**$this).depthwise3x3(params, rows, output);
            }

            fn pointwise(
                &$this,
                params: &PointwiseParams<'_>,
                input: &[i8],
                scratch: &mut [u32],
                output: &mut [i8],
            ) {
                (**$this).pointwise(params, input, scratch, output);
            }

            fn dense(
                &$this,
                params: &DenseParams<'_>,
                input: &[i8],
                scratch: &mut [u32],
                output: &mut [i8],
            ) {
                (**$this).dense(params, input, scratch, output);
            }

            fn add(&$this, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
                (**$this).add(params, a, b, output);
            }

            fn pool_row(&$this, row: &[i8], sums: &mut [i8]) {
                (**$this).pool_row(row, sums);
            }

            fn pool_finish(&$this, sums: &[i8], count: i32, clamp: (i8, i8), output: &mut [i8]) {
                (**$this).pool_finish(sums, count, clamp, output);
            }
    };
}

/// Prepacked kernels, shared by several engines.
impl<K: Kernels + ?Sized> Kernels for &K {
    forward!(self);
}

/// Kernels that are chosen at run time.
#[cfg(feature = "alloc")]
impl<K: Kernels + ?Sized> Kernels for alloc::boxed::Box<K> {
    fn prepare(&mut self, layer: Weighted<'_>) {
        (**self).prepare(layer);
    }

    forward!(self);
}
