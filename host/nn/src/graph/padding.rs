//! Paddings and output sizes of convolutions and pools, as TensorFlow computes them.

use posy_shared::model::{Padding, Shape};

/// Explicit amounts of TensorFlow's SAME padding. The output has `ceil(extent / stride)` windows;
/// the rows and columns beyond the map are split in halves, the odd one after (TensorFlow Lite:
/// `ComputePaddingHeightWidth` in `kernels/padding.h`).
pub(crate) fn same_padding(input: Shape, kernel: u16, stride: u8) -> Padding {
    let split = |extent: u16| {
        let stride = u32::from(stride);
        let windows = u32::from(extent).div_ceil(stride);
        let needed = (windows - 1) * stride + u32::from(kernel);
        // Less than the kernel's extent, which is at most 3.
        let total = needed.saturating_sub(u32::from(extent)) as u8;
        (total / 2, total - total / 2)
    };
    let ((top, bottom), (left, right)) = (split(input.height), split(input.width));
    Padding {
        top,
        bottom,
        left,
        right,
    }
}

/// Output shape of windows of `kernel` x `kernel`; `None` if the kernel does not fit or the shape
/// is too large.
pub(crate) fn window_output(
    input: Shape,
    kernel: u16,
    stride: u8,
    padding: Padding,
    channels: u16,
) -> Option<Shape> {
    let windows = |extent: u16, before: u8, after: u8| {
        let padded = u32::from(extent) + u32::from(before) + u32::from(after);
        let steps = padded.checked_sub(u32::from(kernel))? / u32::from(stride);
        u16::try_from(steps + 1).ok()
    };
    Some(Shape {
        height: windows(input.height, padding.top, padding.bottom)?,
        width: windows(input.width, padding.left, padding.right)?,
        channels,
    })
}
