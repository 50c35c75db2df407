//! Parameters of a layer for its kernel. Borrowed from the model's bytes; made once a row.

use super::packed::Packed;
use super::requant::{self, Multiplier};

/// Order of the values in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[W, C]`: the channels of a pixel side by side.
    Interleaved,
    /// `[C, W]`: the pixels of a channel side by side.
    Planar,
}

impl Layout {
    /// Steps from a pixel to the next and from a channel to the next, in a row of `width` pixels of
    /// `channels` values.
    pub const fn steps(self, width: usize, channels: usize) -> (usize, usize) {
        match self {
            Layout::Interleaved => (channels, 1),
            Layout::Planar => (1, width),
        }
    }
}

/// A table of little-endian i32 that may lie at any address.
#[derive(Clone, Copy, Debug)]
pub struct I32s<'a>(&'a [[u8; 4]]);

impl<'a> I32s<'a> {
    /// Views bytes as a table; trailing bytes that make no whole entry are left out.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        I32s(bytes.as_chunks().0)
    }

    /// Number of entries.
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no entries.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Entries of a range; empty if it is not in the table.
    pub fn part(self, range: core::ops::Range<usize>) -> I32s<'a> {
        I32s(self.0.get(range).unwrap_or_default())
    }

    /// Address of the table.
    pub const fn as_ptr(self) -> *const i32 {
        self.0.as_ptr().cast()
    }

    /// Entry `index`; the index is below [`I32s::len`].
    #[inline]
    pub fn at(self, index: usize) -> i32 {
        i32::from_le_bytes(self.0[index])
    }
}

/// Tables of a layer with weights: one entry per output channel in each.
#[derive(Clone, Copy, Debug)]
pub struct PerChannel<'a> {
    /// Bias, added to the sum of products.
    pub bias: I32s<'a>,
    /// Mantissa of the requantisation multiplier, `0..2^31`, in units of 2^-31.
    pub multiplier: I32s<'a>,
    /// Power of two of the requantisation multiplier, `-31..=30`; positive shifts left.
    pub shift: &'a [i8],
}

/// Requantisation of a sum to an output value.
#[derive(Clone, Copy, Debug)]
pub struct OutputStage<'a> {
    /// Bias and multiplier of each channel.
    pub channels: PerChannel<'a>,
    /// Zero point of the output.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
    /// True if all shifts are [narrow](OutputStage::NARROW_SHIFTS) and no sum, bias included, exceeds
    /// 2^30: kernels may then double sums.
    pub narrow: bool,
    /// True if sums are rescaled with [one rounding](requant::rescale_once). Such a stage is not narrow.
    pub single_rounding: bool,
}

impl OutputStage<'_> {
    /// Shifts of a narrow stage: never to the left, and to the right only so far that there is headroom
    /// to add a zero point before the shift.
    pub const NARROW_SHIFTS: core::ops::RangeInclusive<i8> = -22..=0;

    /// Output of `channel` for the sum of its products: bias, rescale, zero point, clamp.
    pub fn apply(&self, channel: usize, sum: i32) -> i8 {
        let scale = Multiplier {
            mantissa: self.channels.multiplier.at(channel),
            shift: self.channels.shift[channel],
        };
        let sum = sum + self.channels.bias.at(channel);
        let scaled = match self.single_rounding {
            true => requant::rescale_once(sum, scale),
            false => requant::rescale(sum, scale),
        };
        requant::place(scaled, self.zero_point, self.min, self.max)
    }
}

/// Parameters of a 3 x 3 convolution with weights `[O, 3, 3, I]`, that is `9 * I` terms.
pub type ConvParams<'a> = WindowParams<'a, Packed<'a>>;

/// Parameters of a 3 x 3 depthwise convolution with weights `[C, 3, 3]`, which are not packed.
pub type DepthwiseParams<'a> = WindowParams<'a, &'a [i8]>;

/// Parameters of a 3 x 3 layer with weights of type `W`.
#[derive(Clone, Copy, Debug)]
pub struct WindowParams<'a, W> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// Weights in the form of `W`.
    pub weights: W,
    /// Pixels in an input row.
    pub input_width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Pixels in an output row.
    pub output_width: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// Stride of the window.
    pub stride: usize,
    /// Columns of padding to the left.
    pub pad_left: usize,
    /// Zero point of the input, which is also the value of padding.
    pub input_zero_point: i8,
    /// Order of the input rows.
    pub input_layout: Layout,
    /// Order of the output row.
    pub output_layout: Layout,
    /// Requantisation of the sums.
    pub output: OutputStage<'a>,
}

/// Parameters of a 1 x 1 convolution.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseParams<'a> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// Weights, `[O, I]`.
    pub weights: Packed<'a>,
    /// Pixels in a row.
    pub width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// Zero point of the input.
    pub input_zero_point: i8,
    /// Order of the output row.
    pub output_layout: Layout,
    /// Requantisation of the sums.
    pub output: OutputStage<'a>,
}

/// Parameters of a dense layer; its sizes are those of its input and output slices.
#[derive(Clone, Copy, Debug)]
pub struct DenseParams<'a> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// Weights, `[O, I]`.
    pub weights: Packed<'a>,
    /// Zero point of the input.
    pub input_zero_point: i8,
    /// Requantisation of the sums.
    pub output: OutputStage<'a>,
}

/// Parameters of a layer with weights, for [`Kernels::prepare`](super::Kernels::prepare).
#[derive(Clone, Copy, Debug)]
pub enum Weighted<'a> {
    /// Parameters for [`Kernels::conv3x3`](super::Kernels::conv3x3).
    Conv3x3(ConvParams<'a>),
    /// Parameters for [`Kernels::depthwise3x3`](super::Kernels::depthwise3x3).
    Depthwise3x3(DepthwiseParams<'a>),
    /// Parameters for [`Kernels::pointwise`](super::Kernels::pointwise).
    Pointwise(PointwiseParams<'a>),
    /// Parameters for [`Kernels::dense`](super::Kernels::dense).
    Dense(DenseParams<'a>),
}

/// A mean over a whole map whose output has a scale of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanParams {
    /// Pixels of the map.
    pub pixels: i32,
    /// Zero point of the input.
    pub input_zero_point: i8,
    /// Multiplier from the sum over all pixels to the output's scale: the ratio of the scales, divided
    /// by the number of pixels.
    pub scale: Multiplier,
    /// Zero point of the output.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
}

/// An addition of two maps, each with its own scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddParams {
    /// Zero point of the first operand.
    pub a_zero_point: i8,
    /// Zero point of the second operand.
    pub b_zero_point: i8,
    /// Multiplier from the first operand's scale to the common one.
    pub a: Multiplier,
    /// Multiplier from the second operand's scale to the common one.
    pub b: Multiplier,
    /// Multiplier from the common scale to the output's.
    pub output: Multiplier,
    /// Zero point of the output.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
}
