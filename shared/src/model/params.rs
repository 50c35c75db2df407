//! Parameters of each layer for the kernels, borrowed from the model's bytes.

use super::layer::{Layer, Op};
use super::read::Model;
use crate::kernels::{
    AddParams, ConvParams, DenseParams, DepthwiseParams, I32s, Layout, MeanParams, OutputStage,
    Packed, PerChannel, PointwiseParams, Weighted, WindowParams, requant::Multiplier,
};

impl<'a> Model<'a> {
    /// A slice of a weight block; empty rather than out of bounds.
    #[inline]
    fn part(&self, offset: u32, len: usize) -> &'a [u8] {
        self.blocks.region(offset, len).unwrap_or(&[])
    }

    #[inline]
    fn weights(&self, layer: &Layer) -> &'a [i8] {
        bytemuck::cast_slice(self.part(layer.weights, layer.weight_len()))
    }

    #[inline]
    fn packed(&self, layer: &Layer) -> Packed<'a> {
        Packed::new(self.weights(layer), layer.terms())
    }

    #[inline]
    fn output_stage(&self, index: usize) -> OutputStage<'a> {
        let layer = &self.layers[index];
        let channels = usize::from(layer.output.channels);
        let tables = self.part(layer.tables, layer.table_len());
        let (bias, rest) = tables.split_at(tables.len().min(channels * 4));
        let (multiplier, shift) = rest.split_at(rest.len().min(channels * 4));
        OutputStage {
            channels: PerChannel {
                bias: I32s::new(bias),
                multiplier: I32s::new(multiplier),
                shift: bytemuck::cast_slice(shift),
            },
            zero_point: layer.output_zero_point,
            min: layer.output_min,
            max: layer.output_max,
            narrow: self.narrow >> index & 1 == 1,
            single_rounding: layer.single_rounding,
        }
    }

    /// Layout of the rows that layer `index` writes; `depthwise` is the layout of the rows that the
    /// plan passes only to depthwise layers.
    #[inline]
    pub(crate) fn output_layout(&self, index: usize, depthwise: Layout) -> Layout {
        match self.plan.slots[index].layout {
            Layout::Planar => depthwise,
            Layout::Interleaved => Layout::Interleaved,
        }
    }

    /// Layout of the rows that layer `index` reads.
    #[inline]
    fn input_layout(&self, index: usize, depthwise: Layout) -> Layout {
        match index {
            0 => Layout::Interleaved,
            _ => self.output_layout(index - 1, depthwise),
        }
    }

    /// Weights of layer `index` for kernels to prepack, if they read depthwise rows in the layout
    /// `depthwise`; `None` for a layer without weights.
    #[inline]
    pub(crate) fn weighted(&self, index: usize, depthwise: Layout) -> Option<Weighted<'a>> {
        match self.layers[index].op {
            Op::Conv3x3 => Some(Weighted::Conv3x3(self.conv_params(index, depthwise))),
            Op::Depthwise3x3 => {
                let params = self.depthwise_params(index, depthwise);
                Some(Weighted::Depthwise3x3(params))
            }
            Op::Pointwise => Some(Weighted::Pointwise(self.pointwise_params(index, depthwise))),
            Op::Dense => Some(Weighted::Dense(self.dense_params(index))),
            Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => None,
        }
    }

    /// Parameters of a 3 x 3 convolution.
    #[inline]
    pub(crate) fn conv_params(&self, index: usize, depthwise: Layout) -> ConvParams<'a> {
        self.window_params(index, depthwise, self.packed(&self.layers[index]))
    }

    /// Parameters of a 3 x 3 depthwise convolution.
    #[inline]
    pub(crate) fn depthwise_params(&self, index: usize, depthwise: Layout) -> DepthwiseParams<'a> {
        self.window_params(index, depthwise, self.weights(&self.layers[index]))
    }

    #[inline]
    fn window_params<W>(&self, index: usize, depthwise: Layout, weights: W) -> WindowParams<'a, W> {
        let layer = &self.layers[index];
        WindowParams {
            layer: index,
            weights,
            input_width: layer.input.width.into(),
            input_channels: layer.input.channels.into(),
            output_width: layer.output.width.into(),
            output_channels: layer.output.channels.into(),
            stride: layer.stride.into(),
            pad_left: layer.padding.left.into(),
            input_zero_point: layer.input_zero_point,
            input_layout: self.input_layout(index, depthwise),
            output_layout: self.output_layout(index, depthwise),
            output: self.output_stage(index),
        }
    }

    /// Parameters of a 1 x 1 convolution.
    #[inline]
    pub(crate) fn pointwise_params(&self, index: usize, depthwise: Layout) -> PointwiseParams<'a> {
        let layer = &self.layers[index];
        PointwiseParams {
            layer: index,
            weights: self.packed(layer),
            width: layer.output.width.into(),
            input_channels: layer.input.channels.into(),
            output_channels: layer.output.channels.into(),
            input_zero_point: layer.input_zero_point,
            output_layout: self.output_layout(index, depthwise),
            output: self.output_stage(index),
        }
    }

    /// Parameters of a dense layer.
    #[inline]
    pub(crate) fn dense_params(&self, index: usize) -> DenseParams<'a> {
        let layer = &self.layers[index];
        DenseParams {
            layer: index,
            weights: self.packed(layer),
            input_zero_point: layer.input_zero_point,
            output: self.output_stage(index),
        }
    }

    /// Parameters of a mean.
    #[inline]
    pub(crate) fn mean_params(&self, index: usize) -> MeanParams {
        let layer = &self.layers[index];
        let tables = I32s::new(self.part(layer.tables, layer.table_len()));
        MeanParams {
            pixels: i32::from(layer.input.height) * i32::from(layer.input.width),
            input_zero_point: layer.input_zero_point,
            scale: Multiplier {
                mantissa: tables.at(0),
                shift: tables.at(1) as i8,
            },
            zero_point: layer.output_zero_point,
            min: layer.output_min,
            max: layer.output_max,
        }
    }

    /// Parameters of an addition.
    #[inline]
    pub(crate) fn add_params(&self, index: usize) -> AddParams {
        let layer = &self.layers[index];
        let tables = I32s::new(self.part(layer.tables, layer.table_len()));
        let multiplier = |pair: usize| Multiplier {
            mantissa: tables.at(pair * 2),
            shift: tables.at(pair * 2 + 1) as i8,
        };
        AddParams {
            a_zero_point: layer.input_zero_point,
            b_zero_point: self.layers[usize::from(layer.skip)].output_zero_point,
            a: multiplier(0),
            b: multiplier(1),
            output: multiplier(2),
            zero_point: layer.output_zero_point,
            min: layer.output_min,
            max: layer.output_max,
        }
    }
}
