//! Description of a layer of an integer network, as plain data.

use serde::{Deserialize, Serialize};

use crate::kernels::Packed;

/// Largest number of layers of a network. MobileNet v2 with its new last layer has 64.
pub const MAX_LAYERS: usize = 96;

/// Operation of a layer. The arithmetic is that of the TFLite int8 specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// 3 x 3 convolution over all input channels; weights `[O, 3, 3, I]`.
    Conv3x3,
    /// 3 x 3 convolution of each channel by itself; weights `[C, 3, 3]`.
    Depthwise3x3,
    /// 1 x 1 convolution; weights `[O, I]`.
    Pointwise,
    /// Sum of the previous layer's output and an earlier layer's; see [`Layer::skip`].
    Add,
    /// Mean over the whole map: `[H, W, C]` to `[1, 1, C]`.
    GlobalAveragePool,
    /// Fully connected: `[1, 1, I]` to `[1, 1, O]`; weights `[O, I]`.
    Dense,
    /// Mean over the whole map with an output scale of its own: `[H, W, C]` to `[1, 1, C]`.
    Mean,
    /// The values of a map as one pixel: `[H, W, C]` to `[1, 1, H * W * C]`.
    Flatten,
}

impl Op {
    /// Returns true for operations with a sliding 3 x 3 window.
    pub const fn is_window(self) -> bool {
        matches!(self, Op::Conv3x3 | Op::Depthwise3x3)
    }

    /// Returns true for operations with weights, and with a bias and a multiplier for each output
    /// channel.
    pub const fn has_weights(self) -> bool {
        matches!(
            self,
            Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise | Op::Dense
        )
    }

    /// Returns true for operations that turn a whole map into one pixel.
    pub const fn is_global(self) -> bool {
        matches!(self, Op::GlobalAveragePool | Op::Mean | Op::Flatten)
    }

    /// Returns true for operations that average over the whole map.
    pub const fn is_mean(self) -> bool {
        matches!(self, Op::GlobalAveragePool | Op::Mean)
    }
}

/// Extent of a feature map, `[H, W, C]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Rows.
    pub height: u16,
    /// Pixels in a row.
    pub width: u16,
    /// Values in a pixel.
    pub channels: u16,
}

impl Shape {
    /// Bytes in one row of an int8 map.
    pub const fn row_len(self) -> usize {
        self.width as usize * self.channels as usize
    }

    /// Bytes in an int8 map; `usize::MAX` if a `usize` of 32 bits cannot count them, which no memory
    /// plan admits.
    pub const fn len(self) -> usize {
        (self.height as usize).saturating_mul(self.row_len())
    }

    /// Returns true if any extent is zero.
    pub const fn is_empty(self) -> bool {
        self.height == 0 || self.width == 0 || self.channels == 0
    }
}

/// Rows and columns of zero points around a map. TFLite's SAME padding in explicit form: `total / 2`
/// before, the rest after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Padding {
    /// Rows above.
    pub top: u8,
    /// Rows below.
    pub bottom: u8,
    /// Columns to the left.
    pub left: u8,
    /// Columns to the right.
    pub right: u8,
}

/// Layer of a network. Each layer reads the output of the layer before it (the first reads the input).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Operation that the layer computes.
    pub op: Op,
    /// Shape of the input map.
    pub input: Shape,
    /// Shape of the output map.
    pub output: Shape,
    /// Stride of the window, the same in both directions; 1 for all layers but 3 x 3 ones.
    pub stride: u8,
    /// Padding of 3 x 3 layers; zero for the others.
    pub padding: Padding,
    /// Zero point of the input.
    pub input_zero_point: i8,
    /// Zero point of the output.
    pub output_zero_point: i8,
    /// Lower clamp of the output; with ReLU and ReLU6 the quantised zero.
    pub output_min: i8,
    /// Upper clamp of the output; with ReLU6 the quantised six, or 127.
    pub output_max: i8,
    /// True if sums are rescaled with one rounding, as TFLite's `FULLY_CONNECTED` does;
    /// [`Op::Pointwise`] and [`Op::Dense`] only.
    pub single_rounding: bool,
    /// [`Op::Add`] only: index of the layer whose output is the second operand. It comes before the
    /// previous layer, and all layers between have stride 1 and are no [global](Op::is_global) ones.
    pub skip: u8,
    /// Offset of the int8 weights; with [`HEAD_BLOCK`](super::HEAD_BLOCK) in the head's block, else in
    /// the backbone's.
    pub weights: u32,
    /// Offset of the layer's tables, likewise.
    pub tables: u32,
}

impl Layer {
    /// Products summed for one output value (the depth K of the GEMM).
    #[inline]
    pub const fn terms(&self) -> usize {
        let inputs = self.input.channels as usize;
        match self.op {
            Op::Conv3x3 => 9 * inputs,
            Op::Depthwise3x3 => 9,
            Op::Pointwise | Op::Dense => inputs,
            Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => 0,
        }
    }

    /// Number of int8 weights; `usize::MAX` if a `usize` of 32 bits cannot count them.
    pub const fn weight_count(&self) -> usize {
        (self.output.channels as usize).saturating_mul(self.terms())
    }

    /// Bytes of the weights as stored in the block: [packed](Packed) for all but depthwise layers;
    /// `usize::MAX` if a `usize` of 32 bits cannot count them, which no block holds.
    #[inline]
    pub const fn weight_len(&self) -> usize {
        match self.op {
            Op::Depthwise3x3 | Op::Add | Op::GlobalAveragePool | Op::Mean | Op::Flatten => {
                self.weight_count()
            }
            Op::Conv3x3 | Op::Pointwise | Op::Dense => {
                Packed::len(self.output.channels as usize, self.terms())
            }
        }
    }

    /// Bytes of tables: bias and multiplier (i32) and shift (i8) per output channel; three multipliers
    /// and shifts (i32) for an addition, one for a mean.
    #[inline]
    pub const fn table_len(&self) -> usize {
        match self.op {
            Op::Add => 6 * 4,
            Op::Mean => 2 * 4,
            Op::GlobalAveragePool | Op::Flatten => 0,
            _ => self.output.channels as usize * 9,
        }
    }

    /// Multiply-accumulates (MACs) in one inference, with those on padding included.
    pub const fn products(&self) -> u64 {
        let pixels = self.output.height as u64 * self.output.width as u64;
        pixels.saturating_mul(self.weight_count() as u64)
    }
}
