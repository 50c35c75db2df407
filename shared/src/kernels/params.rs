//! What a kernel is told about its layer. Borrowed from the model's bytes; made once a row.

use super::packed::Packed;
use super::requant::{self, Multiplier};

/// Order of the numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[W, C]`: the channels of a pixel side by side.
    Interleaved,
    /// `[C, W]`: the pixels of a channel side by side.
    Planar,
}

impl Layout {
    /// Steps from a pixel to the next and from a channel to the next, in a row of `width` pixels
    /// of `channels` numbers.
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

    /// Whether there are no entries.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The entries of a range; none where it is not in the table.
    pub fn part(self, range: core::ops::Range<usize>) -> I32s<'a> {
        I32s(self.0.get(range).unwrap_or_default())
    }

    /// Where the table lies.
    pub const fn as_ptr(self) -> *const i32 {
        self.0.as_ptr().cast()
    }

    /// Entry `index`; the index is below [`I32s::len`].
    #[inline]
    pub fn at(self, index: usize) -> i32 {
        i32::from_le_bytes(self.0[index])
    }
}

/// The tables of a layer with weights: one entry per output channel in each.
#[derive(Clone, Copy, Debug)]
pub struct PerChannel<'a> {
    /// Added to the sum of products.
    pub bias: I32s<'a>,
    /// Mantissa of the rescaling, `0..2^31`, in units of 2^-31.
    pub multiplier: I32s<'a>,
    /// Power of two of the rescaling, `-31..=30`; positive shifts left.
    pub shift: &'a [i8],
}

/// How a sum becomes an output number.
#[derive(Clone, Copy, Debug)]
pub struct OutputStage<'a> {
    /// Bias and rescaling of each channel.
    pub channels: PerChannel<'a>,
    /// The output number that stands for zero.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
    /// Whether all shifts are [narrow](OutputStage::NARROW_SHIFTS) and no sum, bias included, exceeds
    /// 2^30: kernels may then double sums.
    pub narrow: bool,
}

impl OutputStage<'_> {
    /// Shifts of a narrow stage: not to the left, and no further to the right than what leaves room to
    /// add a zero point before it.
    pub const NARROW_SHIFTS: core::ops::RangeInclusive<i8> = -22..=0;

    /// Output of `channel` for the sum of its products: bias, rescale, zero point, clamp.
    pub fn apply(&self, channel: usize, sum: i32) -> i8 {
        let scale = Multiplier {
            mantissa: self.channels.multiplier.at(channel),
            shift: self.channels.shift[channel],
        };
        let scaled = requant::rescale(sum + self.channels.bias.at(channel), scale);
        requant::place(scaled, self.zero_point, self.min, self.max)
    }
}

/// A 3 x 3 convolution; its weights `[O, 3, 3, I]`, that is `9 * I` terms.
pub type ConvParams<'a> = WindowParams<'a, Packed<'a>>;

/// A 3 x 3 depthwise convolution; its weights `[C, 3, 3]`, as they are.
pub type DepthwiseParams<'a> = WindowParams<'a, &'a [i8]>;

/// A 3 x 3 layer with weights of type `W`.
#[derive(Clone, Copy, Debug)]
pub struct WindowParams<'a, W> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// The weights.
    pub weights: W,
    /// Pixels in an input row.
    pub input_width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Pixels in an output row.
    pub output_width: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// Step between windows.
    pub stride: usize,
    /// Columns of padding to the left.
    pub pad_left: usize,
    /// The input number that stands for zero, of which padding is made.
    pub input_zero_point: i8,
    /// Order of the input rows.
    pub input_layout: Layout,
    /// Order of the output row.
    pub output_layout: Layout,
    /// From sums to outputs.
    pub output: OutputStage<'a>,
}

/// A 1 x 1 layer.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseParams<'a> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// `[O, I]`.
    pub weights: Packed<'a>,
    /// Pixels in a row.
    pub width: usize,
    /// Channels of the input.
    pub input_channels: usize,
    /// Channels of the output.
    pub output_channels: usize,
    /// The input number that stands for zero.
    pub input_zero_point: i8,
    /// Order of the output row.
    pub output_layout: Layout,
    /// From sums to outputs.
    pub output: OutputStage<'a>,
}

/// A fully connected layer; its sizes are those of its input and output slices.
#[derive(Clone, Copy, Debug)]
pub struct DenseParams<'a> {
    /// Index of the layer in its model.
    pub layer: usize,
    /// `[O, I]`.
    pub weights: Packed<'a>,
    /// The input number that stands for zero.
    pub input_zero_point: i8,
    /// From sums to outputs.
    pub output: OutputStage<'a>,
}

/// A layer with weights, as its kernel is told of it.
#[derive(Clone, Copy, Debug)]
pub enum Weighted<'a> {
    /// For [`Kernels::conv3x3`](super::Kernels::conv3x3).
    Conv3x3(ConvParams<'a>),
    /// For [`Kernels::depthwise3x3`](super::Kernels::depthwise3x3).
    Depthwise3x3(DepthwiseParams<'a>),
    /// For [`Kernels::pointwise`](super::Kernels::pointwise).
    Pointwise(PointwiseParams<'a>),
    /// For [`Kernels::dense`](super::Kernels::dense).
    Dense(DenseParams<'a>),
}

/// An addition of two maps, each with its own scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddParams {
    /// Zero point of the first operand.
    pub a_zero_point: i8,
    /// Zero point of the second operand.
    pub b_zero_point: i8,
    /// From the first operand's scale to the common one.
    pub a: Multiplier,
    /// From the second operand's scale to the common one.
    pub b: Multiplier,
    /// From the common scale to the output's.
    pub output: Multiplier,
    /// The output number that stands for zero.
    pub zero_point: i8,
    /// Lower clamp.
    pub min: i8,
    /// Upper clamp.
    pub max: i8,
}
