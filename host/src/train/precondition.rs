//! A preconditioner for the logistic objective: a change of variables with about equal curvature in
//! all directions, so that L-BFGS needs few steps.
//!
//! Near a solution the Hessian of one label's weights is about `P = a Z^T Z / N + r I`, with Z the
//! standardised features `[N, D]`, `a` the mean of `p (1 - p)` over photos and labels and `r` the
//! penalty's `1 / (C N)`. With `P = L L^T` and weights `w = L^-T u`, the Hessian in `u` is about
//! the identity. Standardised features have mean zero, so a bias is independent of the weights and
//! has curvature `a`. Any invertible L gives the same minimum; its accuracy affects only the number
//! of steps, so f32 suffices.
//!
//! Every sum runs in a fixed order whatever the number of threads.

use rayon::prelude::*;

use super::objective::Objective;

/// Maximum number of features for preconditioning: the matrix of more would exceed 16 MiB.
const WIDEST: usize = 2048;
/// Maximum number of photos that the curvature is estimated on.
const PHOTOS: usize = 4096;
/// Rows of the matrix in one unit of parallel work.
const ROWS: usize = 16;
/// Rows that are eliminated together.
const PANEL: usize = 8;

/// `Z^T Z / N`, `[D, D]`; only the upper triangle is used.
pub(super) struct Curvature {
    width: usize,
    padded: usize,
    matrix: Vec<f32>,
}

impl Curvature {
    /// Curvature estimated on the photos `photos`; `None` if there are more than [`WIDEST`]
    /// features.
    pub(super) fn of(objective: &Objective<'_>, photos: &[usize]) -> Option<Self> {
        let width = objective.width();
        if width > WIDEST || photos.is_empty() {
            return None;
        }
        let step = photos.len().div_ceil(PHOTOS);
        let mut rows: Vec<f32> = Vec::new();
        for &photo in photos.iter().step_by(step) {
            rows.extend(objective.standardised_row(photo).map(|value| value as f32));
        }
        let count = rows.len() / width;
        // Padded with zeros, which add nothing, to whole groups of four photos.
        rows.resize(count.next_multiple_of(4) * width, 0.0);
        let scale = 1.0 / count as f32;
        let mut matrix = vec![0.0; width * width];
        let blocks = matrix.par_chunks_mut(ROWS * width).enumerate();
        blocks.for_each(|(block, sums)| {
            for group in rows.chunks_exact(4 * width) {
                let (a, rest) = group.split_at(width);
                let (b, rest) = rest.split_at(width);
                let (c, d) = rest.split_at(width);
                for (row, sums) in sums.chunks_exact_mut(width).enumerate() {
                    let at = block * ROWS + row;
                    let (fa, fb, fc, fd) = (a[at], b[at], c[at], d[at]);
                    let values = a[at..].iter().zip(&b[at..]).zip(&c[at..]).zip(&d[at..]);
                    for (sum, (((a, b), c), d)) in sums[at..].iter_mut().zip(values) {
                        *sum += (fa * a + fb * b) + (fc * c + fd * d);
                    }
                }
            }
            sums.iter_mut().for_each(|sum| *sum *= scale);
        });
        Some(Self {
            width,
            padded: objective.padded_width(),
            matrix,
        })
    }

    /// The preconditioner for a mean `p (1 - p)` of `spread` and a penalty `1 / (C N)`.
    pub(super) fn factor(&self, spread: f64, penalty: f64) -> Preconditioner {
        let width = self.width;
        let (spread, penalty) = (spread as f32, penalty as f32);
        let mut rows: Vec<f32> = self.matrix.iter().map(|value| spread * value).collect();
        for at in 0..width {
            rows[at * width + at] += penalty;
        }
        // Lower bound of a pivot, which rounding may make negative when features are linearly
        // dependent.
        let greatest = (0..width).fold(0.0f32, |top, at| top.max(rows[at * width + at]));
        let least = greatest * 1e-5 + f32::MIN_POSITIVE;
        for start in (0..width).step_by(PANEL) {
            let end = (start + PANEL).min(width);
            let (above, below) = rows.split_at_mut(end * width);
            for pivot in start..end {
                let (done, row) = above.split_at_mut(pivot * width);
                let row = &mut row[pivot..width];
                for earlier in start..pivot {
                    let earlier = &done[earlier * width + pivot..][..width - pivot];
                    subtract(row, earlier[0], earlier);
                }
                let root = row[0].max(least).sqrt();
                row[0] = root;
                row[1..].iter_mut().for_each(|value| *value /= root);
            }
            let panel = &above[start * width..];
            let rest = below.par_chunks_mut(width).enumerate().with_min_len(16);
            rest.for_each(|(index, row)| {
                let at = end + index;
                for pivot in panel.chunks_exact(width) {
                    subtract(&mut row[at..], pivot[at], &pivot[at..]);
                }
            });
        }
        let bias = f64::from(spread).max(1e-6).sqrt();
        let (padded, upper) = (self.padded, rows);
        let mut factor = Preconditioner {
            width,
            padded,
            upper,
            bias,
            stretch: 1.0,
        };
        factor.stretch = factor.greatest_stretch().max(bias);
        factor
    }
}

/// `row -= factor * other`.
fn subtract(row: &mut [f32], factor: f32, other: &[f32]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value -= factor * other;
    }
}

/// The factor L of `P = L L^T`, stored as its transpose by rows.
pub(super) struct Preconditioner {
    width: usize,
    padded: usize,
    upper: Vec<f32>,
    bias: f64,
    /// Approximate norm of L: an upper bound for the ratio of a gradient's norm in weights to its
    /// norm in `u`.
    pub(super) stretch: f64,
}

impl Preconditioner {
    fn row(&self, at: usize) -> &[f32] {
        &self.upper[at * self.width + at..(at + 1) * self.width]
    }

    /// Converts parameters to variables: `u = L^T w`.
    pub(super) fn variables(&self, parameters: &[f64]) -> Vec<f64> {
        let mut variables = parameters.to_vec();
        self.each(&mut variables, |weights| {
            for at in 0..self.width {
                weights[at] = dot(self.row(at), &weights[at..]);
            }
        });
        self.biases(&mut variables, |bias| bias * self.bias);
        variables
    }

    /// Converts variables to parameters: `w = L^-T u`.
    pub(super) fn parameters(&self, variables: &[f64]) -> Vec<f64> {
        let mut parameters = variables.to_vec();
        self.each(&mut parameters, |weights| {
            for at in (0..self.width).rev() {
                let row = self.row(at);
                let known = dot(&row[1..], &weights[at + 1..]);
                weights[at] = (weights[at] - known) / f64::from(row[0]);
            }
        });
        self.biases(&mut parameters, |bias| bias / self.bias);
        parameters
    }

    /// Converts the gradient by parameters to the gradient by variables: `L^-1 g`.
    pub(super) fn gradient(&self, mut gradient: Vec<f64>) -> Vec<f64> {
        self.each(&mut gradient, |slopes| {
            for at in 0..self.width {
                let row = self.row(at);
                let slope = slopes[at] / f64::from(row[0]);
                slopes[at] = slope;
                for (rest, &value) in slopes[at + 1..].iter_mut().zip(&row[1..]) {
                    *rest -= slope * f64::from(value);
                }
            }
        });
        self.biases(&mut gradient, |slope| slope / self.bias);
        gradient
    }

    /// Applies `change` to each label's weights, in parallel.
    fn each(&self, parameters: &mut [f64], change: impl Fn(&mut [f64]) + Sync) {
        let labels = parameters.len() / (self.padded + 1);
        let weights = &mut parameters[..labels * self.padded];
        weights
            .par_chunks_exact_mut(self.padded)
            .for_each(|weights| change(&mut weights[..self.width]));
    }

    fn biases(&self, parameters: &mut [f64], change: impl Fn(f64) -> f64) {
        let labels = parameters.len() / (self.padded + 1);
        for bias in &mut parameters[labels * self.padded..] {
            *bias = change(*bias);
        }
    }

    /// Estimate of the norm of L by some steps of the power method on `L L^T`, with a small margin.
    fn greatest_stretch(&self) -> f64 {
        let mut vector = vec![1.0; self.width];
        let mut norm = 1.0;
        for _ in 0..12 {
            // L^T v, then L times the result.
            let across: Vec<f64> = {
                let of = |at| dot(self.row(at), &vector[at..]);
                (0..self.width).map(of).collect()
            };
            let mut next = vec![0.0; self.width];
            for (at, &value) in across.iter().enumerate() {
                for (sum, &entry) in next[at..].iter_mut().zip(self.row(at)) {
                    *sum += value * f64::from(entry);
                }
            }
            let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            norm = length(&next) / length(&vector).max(f64::MIN_POSITIVE);
            vector = next;
            let scale = 1.0 / length(&vector).max(f64::MIN_POSITIVE);
            vector.iter_mut().for_each(|value| *value *= scale);
        }
        1.1 * norm.max(f64::MIN_POSITIVE).sqrt()
    }
}

/// Dot product in four partial sums.
fn dot(row: &[f32], values: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (rows, row_rest) = row.as_chunks::<4>();
    let (chunks, value_rest) = values[..row.len()].as_chunks::<4>();
    for (row, values) in rows.iter().zip(chunks) {
        for lane in 0..4 {
            sums[lane] += f64::from(row[lane]) * values[lane];
        }
    }
    let rest: f64 = row_rest
        .iter()
        .zip(value_rest)
        .map(|(&a, b)| f64::from(a) * b)
        .sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::super::Features;
    use super::*;

    /// 61 photos of 19 features (no multiple of a panel, a lane or four), feature 3 constant and
    /// feature 5 a copy of feature 4.
    fn features() -> Features {
        let mut values: Vec<f32> = (0..61 * 19)
            .map(|i| ((i * 37 % 101) as f32) * 0.07 - (i % 7) as f32)
            .collect();
        for row in values.chunks_exact_mut(19) {
            row[3] = 0.5;
            row[5] = row[4];
        }
        Features::new(19, values, (0..61).map(|i| i % 3).collect()).unwrap()
    }

    #[test]
    fn the_factor_is_that_of_the_matrix() {
        let features = features();
        let objective = Objective::standardised(&features, 3);
        let photos: Vec<usize> = (0..61).collect();
        let curvature = Curvature::of(&objective, &photos).unwrap();
        let factor = curvature.factor(0.2, 0.1);
        let rows: Vec<Vec<f64>> = (0..61)
            .map(|photo| objective.standardised_row(photo).collect())
            .collect();
        for i in 0..19 {
            for j in i..19 {
                let mean: f64 = rows.iter().map(|row| row[i] * row[j]).sum::<f64>() / 61.0;
                let expected = 0.2 * mean + if i == j { 0.1 } else { 0.0 };
                let found: f64 = (0..=i)
                    .map(|k| f64::from(factor.row(k)[i - k]) * f64::from(factor.row(k)[j - k]))
                    .sum();
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{i} {j} {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn there_and_back_and_the_gradient_follows() {
        let features = features();
        let objective = Objective::standardised(&features, 3);
        let photos: Vec<usize> = (0..61).collect();
        let curvature = Curvature::of(&objective, &photos).unwrap();
        let factor = curvature.factor(0.2, 0.03);
        let parameters: Vec<f64> = (0..objective.parameters())
            .map(|at| match at {
                at if at < 60 && at % 20 == 19 => 0.0,
                at => (at as f64 * 0.37).sin(),
            })
            .collect();
        let variables = factor.variables(&parameters);
        for (back, there) in factor.parameters(&variables).iter().zip(&parameters) {
            assert!((back - there).abs() < 1e-9);
        }
        // The directional derivative is the same in both: g_u . du = g_w . dw.
        let (_, slopes) = objective.evaluate(&parameters, &photos, 0.3);
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let by_parameters = sum(&slopes, &parameters);
        let by_variables = sum(&factor.gradient(slopes), &variables);
        assert!((by_parameters - by_variables).abs() < 1e-9);
    }
}
