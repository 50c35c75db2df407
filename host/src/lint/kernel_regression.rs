//! Leave-one-out predictions of kernel ridge regression.
//!
//! Least squares with an L2 penalty and a Gaussian kernel fits scores: 1 for a photo's own label
//! and 0 for the others. Leaving a photo out needs no new fit: with `A = kernel + penalty` and `a =
//! A^-1 (targets - mean)`, the prediction for photo i of the fit without it is `target_i - a_i /
//! (A^-1)_ii` (Rasmussen and Williams, Gaussian Processes for Machine Learning, section 5.4.2).

use posy_nn::graph::linalg::{cholesky, dot};
use rayon::prelude::*;

use crate::train::Features;

/// Steepness of the kernel, `exp(-STEEPNESS (1 - cosine))`.
///
/// Measured with this value and [`PENALTY`]: 20 of 1,229 photos of flowers were moved to a wrong
/// label, and 16.4 of them were among the first 30 suspects by features of the whole photo (mean of
/// 60 draws; MobileNet v1 0.50_224). With features of the central square as well, 17.2 were, and
/// never fewer than 16 (6 draws).
const STEEPNESS: f32 = 3.0;
/// Ridge penalty, added to the kernel's diagonal.
const PENALTY: f32 = 0.5;
/// Labels that are solved for at once.
const TOGETHER: usize = 8;

/// Leave-one-out scores `[N, K]` of the photos for `labels` labels (K): each photo's scores come
/// from a fit without it. `views` are several feature sets of the same photos.
pub(super) fn left_out_scores(views: &[Features], labels: usize) -> Vec<f32> {
    let Some(first) = views.first() else {
        return Vec::new();
    };
    scores(&kernel(views, first), first.labels(), labels)
}

/// Unit-length feature vectors of the photos, `[N, D]`: square roots of the features (which dampens
/// their few large values), summed over the views and standardised.
fn directions(views: &[Features], width: usize, count: usize) -> Vec<f32> {
    let root = |value: f32| value.abs().sqrt().copysign(value);
    let mut rows = vec![0f32; count * width];
    for view in views {
        for (sum, &value) in rows.iter_mut().zip(view.values()) {
            *sum += root(value);
        }
    }
    let mut moments = vec![(0f64, 0f64); width];
    for row in rows.chunks_exact(width) {
        for ((sum, squares), &value) in moments.iter_mut().zip(row) {
            *sum += f64::from(value);
            *squares += f64::from(value).powi(2);
        }
    }
    let n = count.max(1) as f64;
    let scales: Vec<(f32, f32)> = moments
        .into_iter()
        .map(|(sum, squares)| {
            let mean = sum / n;
            let deviation = (squares / n - mean * mean).max(0.0).sqrt();
            // A constant feature carries no information.
            let scale = if deviation > 1e-6 {
                1.0 / deviation
            } else {
                0.0
            };
            (mean as f32, scale as f32)
        })
        .collect();
    for row in rows.chunks_exact_mut(width) {
        for (value, (mean, scale)) in row.iter_mut().zip(&scales) {
            *value = (*value - mean) * scale;
        }
        let length = dot(row, row).sqrt().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|value| *value /= length);
    }
    rows
}

/// The kernel matrix plus the penalty, `[N, N]`, of `views` with the shape of `first`.
fn kernel(views: &[Features], first: &Features) -> Vec<f32> {
    let (count, width) = (first.len(), first.width());
    let rows = directions(views, width, count);
    let row = |photo: usize| &rows[photo * width..][..width];
    let mut kernel = vec![0f32; count * count];
    kernel
        .par_chunks_mut(count.max(1))
        .enumerate()
        .for_each(|(first, line)| {
            // The factorisation reads the lower triangle alone.
            for (second, value) in line.iter_mut().enumerate().take(first + 1) {
                *value = (STEEPNESS * (dot(row(first), row(second)) - 1.0)).exp();
            }
            line[first] += PENALTY;
        });
    kernel
}

/// Leave-one-out scores from the kernel matrix plus the penalty.
fn scores(matrix: &[f32], truth: &[usize], labels: usize) -> Vec<f32> {
    let count = truth.len();
    let mut lower = matrix.to_vec();
    // The penalty keeps the matrix positive definite.
    if cholesky(&mut lower, count).is_none() {
        return vec![0.0; count * labels];
    }
    let diagonal: Vec<f32> = (0..count)
        .into_par_iter()
        .map(|photo| inverse_diagonal(&lower, count, photo))
        .collect();
    let mut members = vec![Vec::new(); labels];
    for (photo, &label) in truth.iter().enumerate() {
        members[label].push(photo);
    }
    let columns: Vec<Vec<[f32; TOGETHER]>> = members
        .par_chunks(TOGETHER)
        .map(|members| left_out(&lower, &diagonal, members))
        .collect();
    let mut scores = Vec::with_capacity(count * labels);
    for photo in 0..count {
        let row = columns.iter().flat_map(|column| column[photo]);
        scores.extend(row.take(labels));
    }
    scores
}

/// Leave-one-out scores of a few labels; `members` are the photos of each.
fn left_out(lower: &[f32], diagonal: &[f32], members: &[Vec<usize>]) -> Vec<[f32; TOGETHER]> {
    let count = diagonal.len();
    let mut targets = vec![[0f32; TOGETHER]; count];
    for (label, members) in members.iter().enumerate() {
        members
            .iter()
            .for_each(|&photo| targets[photo][label] = 1.0);
    }
    let mut means = [0f32; TOGETHER];
    for (mean, members) in means.iter_mut().zip(members) {
        *mean = members.len() as f32 / count.max(1) as f32;
    }
    let less_mean = |target: &[f32; TOGETHER]| std::array::from_fn(|at| target[at] - means[at]);
    let mut solution: Vec<[f32; TOGETHER]> = targets.iter().map(less_mean).collect();
    solve(lower, &mut solution);
    for ((value, target), diagonal) in solution.iter_mut().zip(&targets).zip(diagonal) {
        *value = std::array::from_fn(|at| target[at] - value[at] / diagonal);
    }
    solution
}

/// Element (i, i) of `(L L^T)^-1`: the squared length of column i of `L^-1`.
fn inverse_diagonal(lower: &[f32], count: usize, index: usize) -> f32 {
    let mut column = vec![0f32; count - index];
    column[0] = 1.0 / lower[index * count + index];
    for row in index + 1..count {
        let line = &lower[row * count..];
        let sum = dot(&line[index..row], &column[..row - index]);
        column[row - index] = -sum / line[row];
    }
    dot(&column, &column)
}

/// Solves `L L^T X = X` in place, for [`TOGETHER`] right-hand sides at once: reading the factor
/// from memory takes longer than the products.
fn solve(lower: &[f32], x: &mut [[f32; TOGETHER]]) {
    let count = x.len();
    for row in 0..count {
        let line = &lower[row * count..][..=row];
        let (known, rest) = x.split_at_mut(row);
        let mut sums = [0f32; TOGETHER];
        for (factor, values) in line.iter().zip(known.iter()) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += factor * value;
            }
        }
        for (value, sum) in rest[0].iter_mut().zip(sums) {
            *value = (*value - sum) / line[row];
        }
    }
    for row in (0..count).rev() {
        let line = &lower[row * count..][..=row];
        let (others, rest) = x.split_at_mut(row);
        rest[0].iter_mut().for_each(|value| *value /= line[row]);
        for (other, factor) in others.iter_mut().zip(line) {
            for (other, value) in other.iter_mut().zip(rest[0]) {
                *other -= factor * value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Solves a small system by Gaussian elimination, in f64.
    fn eliminate(mut matrix: Vec<Vec<f64>>) -> Vec<f64> {
        let count = matrix.len();
        for pivot in 0..count {
            for row in 0..count {
                if row != pivot {
                    let factor = matrix[row][pivot] / matrix[pivot][pivot];
                    let pivoted = matrix[pivot].clone();
                    for (number, other) in matrix[row].iter_mut().zip(pivoted).skip(pivot) {
                        *number -= factor * other;
                    }
                }
            }
        }
        (0..count)
            .map(|row| matrix[row][count] / matrix[row][row])
            .collect()
    }

    /// The formula against fits that do leave each photo out; the sizes lie around the edges of
    /// the blocks of 64 that the factorisation works in.
    #[test]
    fn scores_are_those_of_fits_without_the_photo() {
        for count in [3, 63, 64, 65, 137] {
            let values: Vec<f32> = (0..count * 5)
                .map(|at| ((at * 37 + at / 5 * 11) % 23) as f32 / 4.0)
                .collect();
            let truth: Vec<usize> = (0..count).map(|photo| photo * 7 % 3).collect();
            let features = Features::new(5, values, truth.clone()).unwrap();
            let kernel = kernel(std::slice::from_ref(&features), &features);
            let found = scores(&kernel, &truth, 3);
            let value = |a: usize, b: usize| f64::from(kernel[a.max(b) * count + a.min(b)]);
            for photo in [0, count / 2, count - 1] {
                let others: Vec<usize> = (0..count).filter(|&other| other != photo).collect();
                for label in 0..3 {
                    let target = |photo: usize| f64::from(u8::from(truth[photo] == label));
                    let mean = (0..count).map(target).sum::<f64>() / count as f64;
                    let rows = others.iter().map(|&row| {
                        let line = others.iter().map(|&column| value(row, column));
                        line.chain([target(row) - mean]).collect()
                    });
                    let weights = eliminate(rows.collect());
                    let pairs = others.iter().zip(weights);
                    let expected: f64 = pairs.map(|(&other, w)| w * value(photo, other)).sum();
                    let expected = expected + mean;
                    let score = f64::from(found[photo * 3 + label]);
                    assert!(
                        (score - expected).abs() < 1e-4,
                        "{count} {photo} {score} {expected}"
                    );
                }
            }
        }
    }
}
