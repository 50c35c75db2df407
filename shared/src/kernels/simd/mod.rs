//! SIMD kernels for laptops, behind the feature `std`, and for browsers; processors differ in their
//! implementation of the trait in `lanes.rs`.
//!
//! [`Kernels::prepare`] prepacks weights and tables. Layers that are not prepacked, and rare cases, use
//! the reference: a layer whose sums may have more than 30 bits, and rows in planar order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_few;
#[cfg(target_arch = "x86_64")]
mod avx2_turns;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod depthwise;
mod elementwise;
mod lanes;
mod line;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_common;
#[cfg(target_arch = "aarch64")]
mod neon_dotprod;
mod padded;
mod ready;
mod shares;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
mod together;
mod turns;
mod variants;
mod windows;
#[cfg(target_arch = "x86_64")]
mod ymm;

use alloc::vec::Vec;

use super::Kernels;
use super::params::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, Layout, PointwiseParams, Weighted,
    WindowParams,
};
use super::scalar::Scalar;

use depthwise::Depthwise;
use elementwise::{Add, Pool};
use lanes::{Lanes, Products};
use matrix::{Matrix, Source};
use ready::{Kind, Ready, Shape};
use windows::Windows;

#[cfg(target_arch = "x86_64")]
pub use avx_vnni::AvxVnni;
#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512Vnni;
#[cfg(target_arch = "aarch64")]
pub use neon::Neon;
#[cfg(target_arch = "aarch64")]
pub use neon_dotprod::NeonDotprod;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd128::Simd128;
pub use variants::{AnyKernels, VARIANTS, Variant};

/// Kernels in the vectors of `L`.
#[derive(Clone, Debug)]
pub struct Simd<L> {
    lanes: L,
    /// Prepacked layers, by index of the layer.
    layers: Vec<Option<Ready>>,
    /// Combinations of kernel, rescaling and loop that layers were prepacked for.
    #[cfg(test)]
    ways: alloc::collections::BTreeSet<ready::Way>,
}

impl<L: Lanes> Simd<L> {
    /// Creates the kernels, if this processor has the vectors.
    pub fn new() -> Option<Self> {
        L::detect().map(|lanes| Simd {
            lanes,
            layers: Vec::new(),
            #[cfg(test)]
            ways: Default::default(),
        })
    }

    /// Prepacked layer `index`, if it has this shape.
    fn ready(&self, index: usize, kind: Kind, terms: usize, outputs: usize) -> Option<&Ready> {
        let shape = Shape {
            kind,
            terms,
            outputs,
        };
        let ready = self.layers.get(index)?.as_ref()?;
        (ready.shape == shape).then_some(ready)
    }
}

/// Kernel that computes a 3 x 3 convolution.
const fn kind_of_conv3x3<L: Lanes>(channels: usize, stride: usize) -> Kind {
    let few = channels >= 1 && channels <= windows::MOST_CHANNELS && stride <= windows::MOST_STRIDE;
    match few && (channels * stride).is_multiple_of(L::GROUP_BEGINS) {
        true => Kind::Windows,
        false => Kind::Matrix,
    }
}

/// The parameters without weights, if all rows are interleaved and as long as the parameters say.
fn checked<'p, W>(
    params: &WindowParams<'p, W>,
    rows: [Option<&[i8]>; 3],
    output: &[i8],
) -> Option<WindowParams<'p, ()>> {
    let WindowParams {
        layer,
        weights: _,
        input_width,
        input_channels,
        output_width,
        output_channels,
        stride,
        pad_left,
        input_zero_point,
        input_layout,
        output_layout,
        output: stage,
    } = *params;
    let interleaved = [input_layout, output_layout] == [Layout::Interleaved; 2];
    let input_len = input_width * input_channels;
    let long_enough = rows.iter().flatten().all(|row| row.len() == input_len)
        && output.len() == output_width * output_channels;
    (interleaved && long_enough && stride > 0).then_some(WindowParams {
        layer,
        weights: (),
        input_width,
        input_channels,
        output_width,
        output_channels,
        stride,
        pad_left,
        input_zero_point,
        input_layout,
        output_layout,
        output: stage,
    })
}

impl<L: Products> Kernels for Simd<L> {
    fn prepare(&mut self, layer: Weighted<'_>) {
        let (index, output) = match &layer {
            Weighted::Conv3x3(params) => (params.layer, &params.output),
            Weighted::Depthwise3x3(params) => (params.layer, &params.output),
            Weighted::Pointwise(params) => (params.layer, &params.output),
            Weighted::Dense(params) => (params.layer, &params.output),
        };
        let ready = match &layer {
            // The reference rounds once.
            _ if output.single_rounding => None,
            Weighted::Conv3x3(params) => Ready::matrix(
                self.lanes,
                kind_of_conv3x3::<L>(params.input_channels, params.stride),
                params.weights,
                params.input_zero_point,
                output,
            ),
            Weighted::Pointwise(params) => Ready::matrix(
                self.lanes,
                Kind::Matrix,
                params.weights,
                params.input_zero_point,
                output,
            ),
            Weighted::Dense(params) => Ready::matrix(
                self.lanes,
                Kind::Matrix,
                params.weights,
                params.input_zero_point,
                output,
            ),
            Weighted::Depthwise3x3(params) => {
                Ready::depthwise(self.lanes, params.weights, params.input_zero_point, output)
            }
        };
        if self.layers.len() <= index {
            self.layers.resize(index + 1, None);
        }
        #[cfg(test)]
        self.ways.extend(ready.iter().flat_map(Ready::ways));
        self.layers[index] = ready;
    }

    fn depthwise_layout(&self) -> Layout {
        Layout::Interleaved
    }

    fn scratch_len(&self, terms: usize, width: usize) -> usize {
        matrix::scratch_len::<L>(terms, width)
    }

    fn conv3x3(
        &self,
        params: &ConvParams<'_>,
        rows: [Option<&[i8]>; 3],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let (terms, outputs) = (9 * params.input_channels, params.output_channels);
        let kind = kind_of_conv3x3::<L>(params.input_channels, params.stride);
        let ready = self.ready(params.layer, kind, terms, outputs);
        match (ready, checked(params, rows, output)) {
            (Some(ready), Some(windows)) if kind == Kind::Windows => {
                self.lanes.run(Windows {
                    ready,
                    rows,
                    params: windows,
                    output,
                });
            }
            (Some(ready), Some(windows))
                if self.scratch_len(terms, params.output_width) <= scratch.len() =>
            {
                self.lanes.run(Matrix {
                    ready,
                    source: Source::Windows(rows, windows),
                    width: params.output_width,
                    scratch,
                    output,
                });
            }
            _ => Scalar.conv3x3(params, rows, scratch, output),
        }
    }

    fn depthwise3x3(
        &self,
        params: &DepthwiseParams<'_>,
        rows: [Option<&[i8]>; 3],
        output: &mut [i8],
    ) {
        let ready = self.ready(params.layer, Kind::Depthwise, 9, params.output_channels);
        match (ready, checked(params, rows, output)) {
            (Some(ready), Some(windows)) if params.input_channels == params.output_channels => {
                self.lanes.run(Depthwise {
                    ready,
                    rows,
                    params: windows,
                    output,
                });
            }
            _ => Scalar.depthwise3x3(params, rows, output),
        }
    }

    fn pointwise(
        &self,
        params: &PointwiseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let (terms, outputs) = (params.input_channels, params.output_channels);
        let fits = params.output_layout == Layout::Interleaved
            && input.len() == params.width * terms
            && output.len() == params.width * outputs
            && self.scratch_len(terms, params.width) <= scratch.len();
        match self.ready(params.layer, Kind::Matrix, terms, outputs) {
            Some(ready) if fits => self.lanes.run(Matrix {
                ready,
                source: Source::Row(input),
                width: params.width,
                scratch,
                output,
            }),
            _ => Scalar.pointwise(params, input, scratch, output),
        }
    }

    fn dense(
        &self,
        params: &DenseParams<'_>,
        input: &[i8],
        scratch: &mut [u32],
        output: &mut [i8],
    ) {
        let terms = input.len();
        match self.ready(params.layer, Kind::Matrix, terms, output.len()) {
            Some(ready) if self.scratch_len(terms, 1) <= scratch.len() => self.lanes.run(Matrix {
                ready,
                source: Source::Row(input),
                width: 1,
                scratch,
                output,
            }),
            _ => Scalar.dense(params, input, scratch, output),
        }
    }

    fn add(&self, params: &AddParams, a: &[i8], b: &[i8], output: &mut [i8]) {
        let to_the_right = [params.a, params.b, params.output]
            .iter()
            .all(|factor| (-31..=0).contains(&factor.shift) && factor.mantissa >= 0);
        if to_the_right && a.len() == output.len() && b.len() == output.len() {
            self.lanes.run(Add {
                params,
                a,
                b,
                output,
            });
        } else {
            Scalar.add(params, a, b, output);
        }
    }

    fn pool_row(&self, row: &[i8], sums: &mut [i8]) {
        match sums.len() % (4 * L::LANES) {
            0 => self.lanes.run(Pool { row, sums }),
            _ => Scalar.pool_row(row, sums),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::conformance::check;
    use crate::kernels::{I32s, OutputStage, Packed, PerChannel};

    extern crate std;

    /// Compares the processor's kernels with the reference.
    fn conforms<L: Products>() {
        let name = core::any::type_name::<L>();
        match Simd::<L>::new() {
            Some(mut kernels) => {
                if let Err(mismatch) = check(&mut kernels) {
                    panic!("{name}: {mismatch}");
                }
                reaches_every_way::<L>(&kernels);
            }
            None => std::eprintln!("SKIPPED: this processor has no {name}"),
        }
    }

    /// The cases must reach every rescaling in each kernel, every number of turns of few terms and
    /// every load of windows.
    fn reaches_every_way<L: Products>(kernels: &Simd<L>) {
        use ready::Loop;
        use ready::Rescaling::{Integers, Line, SignedLine};
        use turns::Burden;
        let reached = |kind, rescaling, of| {
            let way = (kind, rescaling, of);
            assert!(kernels.ways.contains(&way), "no case comes to {way:?}");
        };
        // Without turns, all windows take one path.
        let burdens = match L::TURN_LIMIT {
            Some(_) => &[Burden::Light, Burden::Medium, Burden::Heavy][..],
            None => &[Burden::Light],
        };
        for rescaling in [Line, SignedLine, Integers] {
            reached(Kind::Matrix, rescaling, Loop::Any);
            reached(Kind::Windows, rescaling, Loop::Any);
            for burden in burdens {
                reached(Kind::Depthwise, rescaling, Loop::Burden(*burden));
            }
        }
        if L::FEW_TERMS > 0 {
            for rescaling in [Line, SignedLine] {
                for turns in [(0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)] {
                    reached(Kind::Matrix, rescaling, Loop::Few(turns.0, turns.1));
                }
            }
        }
    }

    /// Tests of each variant for this kind of processor, if the processor has it.
    macro_rules! variants {
        ($($arch:literal: $conforms:ident $shown:ident $lanes:ident,)*) => {$(
            #[test]
            #[cfg(target_arch = $arch)]
            fn $conforms() {
                conforms::<$lanes>();
            }

            #[test]
            #[cfg(target_arch = $arch)]
            fn $shown() {
                runs_what_was_shown::<$lanes>();
            }
        )*};
    }

    variants! {
        "x86_64": avx512_vnni_conforms avx512_vnni_runs_what_was_shown Avx512Vnni,
        "x86_64": avx_vnni_conforms avx_vnni_runs_what_was_shown AvxVnni,
        "x86_64": avx2_conforms avx2_runs_what_was_shown Avx2,
        "aarch64": neon_dotprod_conforms neon_dotprod_runs_what_was_shown NeonDotprod,
        "aarch64": neon_conforms neon_runs_what_was_shown Neon,
        "wasm32": simd128_conforms simd128_runs_what_was_shown Simd128,
    }

    /// Prepacks a pointwise layer of 4 terms and 2 outputs with this bias.
    fn shown<L: Products>(kernels: &mut Simd<L>, bias: i32) {
        let bias = [bias.to_le_bytes(); 2];
        let multiplier = [(1_i32 << 30).to_le_bytes(); 2];
        kernels.prepare(Weighted::Pointwise(PointwiseParams {
            layer: 3,
            weights: Packed::new(&[1; 8], 4),
            width: 1,
            input_channels: 4,
            output_channels: 2,
            input_zero_point: 0,
            output_layout: Layout::Interleaved,
            output: OutputStage {
                channels: PerChannel {
                    bias: I32s::new(bias.as_flattened()),
                    multiplier: I32s::new(multiplier.as_flattened()),
                    shift: &[0, -31],
                },
                zero_point: 0,
                min: -128,
                max: 127,
                narrow: false,
                single_rounding: false,
            },
        }));
    }

    /// Prepacked layers run in vectors, and no others do: otherwise a variant could pass every test by
    /// leaving all work to the reference.
    fn runs_what_was_shown<L: Products>() {
        let Some(mut kernels) = Simd::<L>::new() else {
            return;
        };
        let ready = |kernels: &Simd<L>, layer, terms, outputs| {
            kernels.ready(layer, Kind::Matrix, terms, outputs).is_some()
        };
        shown(&mut kernels, 1000);
        assert!(ready(&kernels, 3, 4, 2));
        assert!(!ready(&kernels, 3, 4, 3));
        assert!(!ready(&kernels, 3, 8, 2));
        assert!(!ready(&kernels, 2, 4, 2));
        assert!(kernels.ready(3, Kind::Depthwise, 4, 2).is_none());
        // Its rounding could overflow.
        shown(&mut kernels, 1 << 30);
        assert!(!ready(&kernels, 3, 4, 2));
    }
}
