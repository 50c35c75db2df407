//! Rows of a map with their padding.

use crate::kernels::WindowParams;

/// Columns of a stretch of a padded row that are inside the map.
pub(super) struct Inside {
    /// First column of the stretch inside the map, and the column after the last.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index in the row of the first value inside the map.
    pub(super) from: usize,
}

/// Finds the map's part of `columns` columns of the padded row, starting from column `left`.
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
