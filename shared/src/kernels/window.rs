//! im2col: windows of a 3 x 3 convolution, gathered for kernels that process each as a row of terms.

use super::params::ConvParams;

/// Terms of the largest 3 x 3 convolution that is gathered: that of eight channels.
pub(super) const MAX_WINDOW: usize = 72;

/// Gathers the values under the window at output column `x`: `[3, 3, I]`, with zero points in the
/// padding.
pub(super) fn gather(
    params: &ConvParams<'_>,
    rows: [Option<&[i8]>; 3],
    x: usize,
    window: &mut [i8],
) {
    let inputs = params.input_channels;
    let taps = window.chunks_exact_mut(3 * inputs);
    for (row, taps) in rows.into_iter().zip(taps) {
        let whole = row
            .filter(|_| x * params.stride >= params.pad_left)
            .and_then(|row| {
                row.get((x * params.stride - params.pad_left) * inputs..)?
                    .get(..taps.len())
            });
        if let Some(numbers) = whole {
            taps.copy_from_slice(numbers);
            continue;
        }
        for (kx, tap) in taps.chunks_exact_mut(inputs).enumerate() {
            let column = (x * params.stride + kx).checked_sub(params.pad_left);
            let pixel = column.and_then(|column| row?.get(column * inputs..)?.get(..inputs));
            match pixel {
                Some(pixel) => tap.copy_from_slice(pixel),
                None => tap.fill(params.input_zero_point),
            }
        }
    }
}
