//! Matrix products (GEMM) in f32, by `matrixmultiply`.
//!
//! Its sums have one order for given extents, whatever the number of threads, because it is called on
//! one thread for each part of the work.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Left factor of a product.
#[derive(Clone, Copy, Debug)]
pub enum Left<'a> {
    /// `[M, K]`.
    Rows(&'a [f32]),
    /// `[K, M]`, used transposed.
    Columns(&'a [f32]),
}

/// Right factor of a product.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// `[K, N]`.
    Rows(&'a [f32]),
    /// `[N, K]`, used transposed.
    Columns(&'a [f32]),
}

/// Extents of a product `[M, K] x [K, N]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extents {
    /// Rows of the result, M.
    pub rows: usize,
    /// Terms of each sum, K.
    pub depth: usize,
    /// Columns of the result, N.
    pub columns: usize,
}

/// Adds `left x right` to `sum`, `[M, N]`. Slices of other lengths than the extents say add nothing.
pub fn add_product(left: Left<'_>, right: Right<'_>, sum: &mut [f32], extents: Extents) {
    let Extents {
        rows,
        depth,
        columns,
    } = extents;
    let left = match left {
        Left::Rows(left) => ArrayView2::from_shape((rows, depth), left),
        Left::Columns(left) => {
            ArrayView2::from_shape((depth, rows), left).map(ArrayView2::reversed_axes)
        }
    };
    let right = match right {
        Right::Rows(right) => ArrayView2::from_shape((depth, columns), right),
        Right::Columns(right) => {
            ArrayView2::from_shape((columns, depth), right).map(ArrayView2::reversed_axes)
        }
    };
    let sum = ArrayViewMut2::from_shape((rows, columns), sum);
    debug_assert!(left.is_ok() && right.is_ok() && sum.is_ok(), "{extents:?}");
    if let (Ok(left), Ok(right), Ok(mut sum)) = (left, right, sum) {
        general_mat_mul(1.0, &left, &right, 1.0, &mut sum);
    }
}
