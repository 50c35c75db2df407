//! Dot product and Cholesky factorisation, in single and in double precision.

use std::iter::Sum;
use std::ops::{AddAssign, Div, Mul, Sub};

use rayon::prelude::*;

/// Rows that are factored before those below them are, in parallel.
const BLOCK: usize = 64;

/// `f32` and `f64`.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Send
    + Sync
    + AddAssign
    + Div<Output = Self>
    + Mul<Output = Self>
    + Sub<Output = Self>
    + Sum
{
    /// The square root; `None` unless the number is finite and above zero.
    fn root(self) -> Option<Self>;
}

impl Real for f32 {
    fn root(self) -> Option<Self> {
        (self > 0.0 && self.is_finite()).then(|| self.sqrt())
    }
}

impl Real for f64 {
    fn root(self) -> Option<Self> {
        (self > 0.0 && self.is_finite()).then(|| self.sqrt())
    }
}

/// Dot product in eight partial sums, which the compiler turns into SIMD.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [T::default(); 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut sum: T = sums.into_iter().sum();
    sum += a_rest.iter().zip(b_rest).map(|(&a, &b)| a * b).sum();
    sum
}

/// Replaces the lower triangle of the symmetric `matrix`, `[N, N]`, by its Cholesky factor: L with
/// `L L^T = matrix`. Reads the lower triangle alone. `None` if the matrix is not positive definite.
/// The result does not depend on the number of threads.
pub fn cholesky<T: Real>(matrix: &mut [T], n: usize) -> Option<()> {
    let eliminate = |line: &mut [T], above: &[T], column: usize| {
        let other = &above[column * n..];
        let sum = line[column] - dot(&line[..column], &other[..column]);
        line[column] = sum / other[column];
    };
    for from in (0..n).step_by(BLOCK) {
        let to = (from + BLOCK).min(n);
        let (upper, lower) = matrix.split_at_mut(to * n);
        for row in from..to {
            let (above, line) = upper.split_at_mut(row * n);
            (from..row).for_each(|column| eliminate(line, above, column));
            let rest = line[row] - dot(&line[..row], &line[..row]);
            line[row] = rest.root()?;
        }
        let lines = lower.par_chunks_mut(n).with_min_len(8);
        lines.for_each(|line| (from..to).for_each(|column| eliminate(line, upper, column)));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_times_itself_is_the_matrix() {
        for n in [1, 3, 70, 150] {
            let value = |row: usize, column: usize| match row == column {
                true => n as f64 + 1.0,
                false => ((row * column) as f64 * 0.7).sin(),
            };
            let mut lower: Vec<f64> = (0..n * n).map(|at| value(at / n, at % n)).collect();
            cholesky(&mut lower, n).unwrap();
            for row in 0..n {
                for column in 0..=row {
                    let (a, b) = (
                        &lower[row * n..][..=column],
                        &lower[column * n..][..=column],
                    );
                    assert!((dot(a, b) - value(row, column)).abs() < 1e-9);
                }
            }
        }
        assert!(cholesky(&mut [1.0, 0.0, 2.0, 1.0], 2).is_none());
        assert!(cholesky(&mut [f32::NAN], 1).is_none());
    }
}
