//! Rows of a map with their padding.

use crate::kernels::WindowParams;

/// What of a stretch of a padded row is inside the map.
pub(super) struct Inside {
    /// The first column of the stretch that is, and the one behind the last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The number of the row with which the first of them begins.
    pub(super) from: usize,
}

/// The map's part of `columns` columns of the padded row from the one at `left` on.
#[inline(always)]
pub(super) fn inside(params: &WindowParams<'_, ()>, left: usize, columns: usize) -> Inside {
    let start = params.pad_left.saturating_sub(left).min(columns);
    let end = (params.input_width + params.pad_left).saturating_sub(left);
    Inside {
        start,
        end: end.clamp(start, columns),
        from: (left + start).saturating_sub(params.pad_left) * params.input_channels,
    }
}
