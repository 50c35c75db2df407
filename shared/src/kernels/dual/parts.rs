//! Cuts a row in two, and derives the parameters of each part.

use core::ops::Range;

use super::weave::{MAX_BLOCKS, MAX_REST, append, weave};
use crate::kernels::packed::{Packed, TERMS};
use crate::kernels::params::{
    ConvParams, DenseParams, DepthwiseParams, I32s, Layout, OutputStage, PerChannel,
    PointwiseParams,
};

/// A row, cut in two along its channels or its columns: `0..half` and `half..2 * half` (or up to the
/// end, if the parts are contiguous); and the remainder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Length of the axis that is cut: channels, or columns.
    along: usize,
    /// Length of the other axis.
    across: usize,
    /// Length of the parts; zero if the row stays whole.
    half: usize,
    /// True if each part is contiguous in the row.
    whole: bool,
}

impl Cut {
    /// No cut: one worker computes the whole row.
    pub const fn none(along: usize, across: usize) -> Self {
        Cut {
            along,
            across,
            half: 0,
            whole: true,
        }
    }

    /// A cut along the channels of a row, at a multiple of `step`.
    pub fn channels(width: usize, channels: usize, step: usize, layout: Layout) -> Self {
        Cut::along(channels, width, step, layout == Layout::Planar)
    }

    /// A cut along the columns of a row.
    pub fn columns(width: usize, channels: usize, layout: Layout) -> Self {
        Cut::along(width, channels, 1, layout == Layout::Interleaved)
    }

    fn along(along: usize, across: usize, step: usize, whole: bool) -> Self {
        let half = along / 2 / step * step;
        let cut = Cut {
            along,
            across,
            half,
            whole,
        };
        // A row that cannot be interleaved afterwards stays whole.
        let woven = 2 * across <= MAX_BLOCKS && (along - 2 * half) * across <= MAX_REST;
        match whole || woven {
            true => cut,
            false => Cut::none(along, across),
        }
    }

    /// The whole axis.
    pub const fn all(self) -> Range<usize> {
        0..self.along
    }

    /// The first part.
    pub const fn first(self) -> Range<usize> {
        0..self.half
    }

    /// The second part.
    pub const fn last(self) -> Range<usize> {
        self.half..match self.whole {
            true => self.along,
            false => 2 * self.half,
        }
    }

    /// The remainder.
    pub const fn rest(self) -> Range<usize> {
        self.last().end..self.along
    }

    /// The memory of the three; `None` if the row is not cut.
    pub fn slices(self, output: &mut [i8]) -> Option<[&mut [i8]; 3]> {
        if self.half == 0 {
            return None;
        }
        let (first, others) = output.split_at_mut_checked(self.half * self.across)?;
        let (last, rest) = others.split_at_mut_checked(self.last().len() * self.across)?;
        Some([first, last, rest])
    }

    /// Interleaves a row whose parts have been computed, each into its own memory.
    pub fn weave(self, output: &mut [i8]) {
        if self.whole {
            return;
        }
        let (halves, _) = output.split_at_mut(2 * self.half * self.across);
        weave(halves, self.across, self.half);
        append(output, self.across, 2 * self.half, self.rest().len());
    }
}

/// Part of a table for a range of channels.
fn table<'a>(table: I32s<'a>, channels: &Range<usize>) -> I32s<'a> {
    table.part(channels.clone())
}

/// Output stage of a range of channels.
fn stage<'a>(stage: &OutputStage<'a>, channels: &Range<usize>) -> OutputStage<'a> {
    let shift = stage.channels.shift;
    OutputStage {
        channels: PerChannel {
            bias: table(stage.channels.bias, channels),
            multiplier: table(stage.channels.multiplier, channels),
            shift: shift.get(channels.clone()).unwrap_or_default(),
        },
        ..*stage
    }
}

/// Weights of a range of outputs, which begins with an even index.
fn packed<'a>(weights: Packed<'a>, outputs: &Range<usize>) -> Packed<'a> {
    let terms = weights.terms();
    let whole = terms.next_multiple_of(TERMS);
    let end = Packed::len(outputs.end, terms);
    let bytes = weights.bytes().get(outputs.start * whole..end);
    Packed::new(bytes.unwrap_or_default(), terms)
}

/// Parameters of a range of channels of a 1 x 1 layer.
pub(super) fn pointwise_of<'a>(
    params: &PointwiseParams<'a>,
    channels: Range<usize>,
) -> PointwiseParams<'a> {
    PointwiseParams {
        weights: packed(params.weights, &channels),
        output_channels: channels.len(),
        output: stage(&params.output, &channels),
        ..*params
    }
}

/// Parameters of a range of outputs of a dense layer.
pub(super) fn dense_of<'a>(params: &DenseParams<'a>, channels: Range<usize>) -> DenseParams<'a> {
    DenseParams {
        weights: packed(params.weights, &channels),
        output: stage(&params.output, &channels),
        ..*params
    }
}

/// Parameters of a range of channels of a depthwise layer whose rows are planar.
pub(super) fn depthwise_of<'a, 'r>(
    params: &DepthwiseParams<'a>,
    rows: [Option<&'r [i8]>; 3],
    channels: Range<usize>,
) -> (DepthwiseParams<'a>, [Option<&'r [i8]>; 3]) {
    let width = params.input_width;
    let numbers = channels.start * width..channels.end * width;
    let rows = rows.map(|row| row.map(|row| row.get(numbers.clone()).unwrap_or_default()));
    let taps = 9 * channels.start..9 * channels.end;
    let params = DepthwiseParams {
        weights: params.weights.get(taps).unwrap_or_default(),
        input_channels: channels.len(),
        output_channels: channels.len(),
        output: stage(&params.output, &channels),
        ..*params
    };
    (params, rows)
}

/// Parameters of a range of columns of a 3 x 3 convolution. A range that does not begin the row begins
/// inside the map.
pub(super) fn columns_of<'a, 'r>(
    params: &ConvParams<'a>,
    rows: [Option<&'r [i8]>; 3],
    columns: Range<usize>,
) -> (ConvParams<'a>, [Option<&'r [i8]>; 3]) {
    let output_width = columns.len();
    let first = columns.start * params.stride;
    if columns.start == 0 {
        let params = ConvParams {
            output_width,
            ..*params
        };
        return (params, rows);
    }
    let before = first
        .saturating_sub(params.pad_left)
        .min(params.input_width);
    let numbers = before * params.input_channels..;
    let rows = rows.map(|row| row.map(|row| row.get(numbers.clone()).unwrap_or_default()));
    let params = ConvParams {
        input_width: params.input_width - before,
        output_width,
        pad_left: 0,
        ..*params
    };
    (params, rows)
}
