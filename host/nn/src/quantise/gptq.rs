//! GPTQ: rounds the weights of a channel together, so that its sums stay close, instead of each
//! weight alone.
//!
//! The inputs of a layer are never independent: behind ReLU6 they are positive, and neighbours are
//! alike. The error of one weight can then be compensated by others. With `H` the second moments of
//! the inputs of a channel's weights `w`, the mean square error of its sums for rounded weights `q`
//! is `(w - q)^T H (w - q)`. The nearest plane algorithm rounds in this measure: with `H = R^T R`,
//! R upper triangular, it goes from the last weight to the first and rounds each after adding the
//! correction for the errors of those behind it (L. Babai, "On Lovász' lattice reduction and the
//! nearest lattice point problem", Combinatorica 6, 1986). The result equals that of GPTQ (Frantar,
//! Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate Post-Training Quantization", 2022), run in the
//! other direction.

use rayon::prelude::*;

use super::moments::Moments;
use crate::graph::linalg::cholesky;
use crate::graph::network::{FloatLayer, FloatNetwork, IntLayer, IntNetwork};

/// Share of the diagonal that is added to it. Inputs that calibration never saw may still occur.
const DAMPING: f64 = 0.01;
/// Share of the mean of the diagonal that is added to it in [`Damping::OfEach`], for inputs that never vary.
const LEAST_DAMPING: f64 = 1e-6;

/// Addition to the diagonal of the moments before they are factored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damping {
    /// 1% of its mean, as in GPTQ: inputs of about one size.
    OfMean,
    /// 1% of each entry: inputs some of which vary a hundred times as much as others, and yet all count.
    OfEach,
}

/// Rounds the weights of `int`, which was quantised from `float`, again by GPTQ; scales and biases
/// stay. `moments` has one entry per layer.
pub fn gptq_round(int: &mut IntNetwork, float: &FloatNetwork, moments: &[Moments]) {
    let layers = int.layers.par_iter_mut().zip(&float.layers).zip(moments);
    layers.for_each(|((ours, theirs), moments)| round_layer(ours, theirs, moments));
}

fn round_layer(ours: &mut IntLayer, theirs: &FloatLayer, moments: &Moments) {
    let n = moments.side;
    if n == 0 || moments.sums.is_empty() {
        return;
    }
    let of_channel = moments.sums.chunks_exact(n * n);
    if of_channel.len() == 1 {
        let Some(hessian) = Hessian::of(&moments.sums, n, Damping::OfMean) else {
            return;
        };
        let channels = ours.weights.par_chunks_exact_mut(n);
        let channels = channels
            .zip(theirs.weights.par_chunks_exact(n))
            .zip(&ours.weight_scales);
        channels.for_each(|((rounded, real), scale)| {
            hessian.round(rounded, real, *scale);
        });
        return;
    }
    let channels = ours
        .weights
        .chunks_exact_mut(n)
        .zip(theirs.weights.chunks_exact(n));
    for (((rounded, real), scale), sums) in channels.zip(&ours.weight_scales).zip(of_channel) {
        if let Some(hessian) = Hessian::of(sums, n, Damping::OfMean) {
            hessian.round(rounded, real, *scale);
        }
    }
}

/// Triangular factor of a moment matrix, for the nearest plane algorithm.
#[derive(Debug)]
pub struct Hessian {
    /// Order of rounding, from the weights that matter most to those that matter least: the last
    /// errors cannot be compensated.
    order: Vec<usize>,
    /// Correction factors `[n, n]`: row `i` is the effect of an error of weight `i` on each later
    /// weight, in this order.
    sensitivity: Vec<f32>,
    /// Cost of the squared error of each weight, in this order, after later weights compensate.
    costs: Vec<f64>,
}

impl Hessian {
    /// Factors the moments `sums`, `[n, n]`, of which the upper triangle is read. `None` if all
    /// inputs are zero or the factorisation fails.
    pub fn of(sums: &[f32], n: usize, damping: Damping) -> Option<Self> {
        let at = |a: usize, b: usize| f64::from(sums[a.min(b) * n + a.max(b)]);
        let mean = (0..n).map(|i| at(i, i)).sum::<f64>() / n as f64;
        if !mean.is_normal() {
            return None;
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| at(*b, *b).total_cmp(&at(*a, *a)).then(a.cmp(b)));
        // With the first weight rounded last, H = R^T R, and R^T is Cholesky's lower factor.
        let back = |place: usize| order[n - 1 - place];
        let mut lower = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..=row {
                lower[row * n + column] = at(back(row), back(column));
            }
            let entry = &mut lower[row * n + row];
            *entry += match damping {
                Damping::OfMean => DAMPING * mean,
                Damping::OfEach => DAMPING * *entry + LEAST_DAMPING * mean,
            };
        }
        cholesky(&mut lower, n)?;
        // R[i, j] / R[i, i] for j after i, permuted to the order of rounding.
        let mut sensitivity = vec![0.0; n * n];
        for j in 0..n {
            for i in 0..j {
                let share = lower[j * n + i] / lower[i * n + i];
                sensitivity[(n - 1 - j) * n + (n - 1 - i)] = share as f32;
            }
        }
        let costs = (0..n).rev().map(|i| lower[i * n + i].powi(2)).collect();
        Some(Hessian {
            order,
            sensitivity,
            costs,
        })
    }

    /// Rounds the weights `real` of one channel to steps of `scale`. Returns the squared error of
    /// the channel's sums over all windows of the moments.
    pub fn round(&self, rounded: &mut [i8], real: &[f32], scale: f32) -> f64 {
        let n = self.order.len();
        let mut cost = 0.0;
        let mut wanted: Vec<f32> = self
            .order
            .iter()
            .map(|&weight| real[weight] / scale)
            .collect();
        for (place, &weight) in self.order.iter().enumerate() {
            let (done, rest) = wanted.split_at_mut(place + 1);
            let nearest = done[place].round_ties_even().clamp(-127.0, 127.0);
            rounded[weight] = nearest as i8;
            cost += self.costs[place] * f64::from(done[place] - nearest).powi(2);
            // Error of the original weight, without the correction, in steps.
            let error = real[weight] / scale - nearest;
            let sensitivity = &self.sensitivity[place * n + place + 1..][..rest.len()];
            for (wanted, factor) in rest.iter_mut().zip(sensitivity) {
                *wanted += error * factor;
            }
        }
        cost * f64::from(scale).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Windows of positive, correlated numbers, as behind ReLU6.
    fn windows(random: &mut ChaCha8Rng, n: usize, count: usize) -> Vec<Vec<f32>> {
        let mixing: Vec<Vec<f32>> = (0..n)
            .map(|_| (0..4).map(|_| random.random_range(-1.0..1.0)).collect())
            .collect();
        let window = |random: &mut ChaCha8Rng| {
            let causes: Vec<f32> = (0..4).map(|_| random.random_range(-1.0..1.0)).collect();
            let number = |mix: &Vec<f32>, noise: f32| {
                let sum: f32 = mix.iter().zip(&causes).map(|(m, c)| m * c).sum();
                (sum + 0.4 + noise).max(0.0)
            };
            mixing
                .iter()
                .map(|mix| number(mix, random.random_range(-0.1..0.1)))
                .collect()
        };
        (0..count).map(|_| window(random)).collect()
    }

    fn moments(windows: &[Vec<f32>], n: usize) -> Vec<f32> {
        let mut sums = vec![0.0; n * n];
        for window in windows {
            for (i, a) in window.iter().enumerate() {
                for (j, b) in window.iter().enumerate().skip(i) {
                    sums[i * n + j] += a * b;
                }
            }
        }
        sums
    }

    /// Mean square error of the sums, in steps.
    fn error(windows: &[Vec<f32>], real: &[f32], rounded: &[i8], scale: f32) -> f64 {
        let off = |window: &Vec<f32>| -> f64 {
            let terms = window.iter().zip(real).zip(rounded);
            let sum: f64 = terms
                .map(|((x, real), rounded)| f64::from(x * (real / scale - f32::from(*rounded))))
                .sum();
            sum * sum
        };
        windows.iter().map(off).sum::<f64>() / windows.len() as f64
    }

    #[test]
    fn sums_stay_nearer_than_with_weights_rounded_alone() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for n in [1, 2, 9, 27, 40] {
            let all = windows(&mut random, n, 1_200);
            let (seen, others) = all.split_at(800);
            let hessian = Hessian::of(&moments(seen, n), n, Damping::OfMean).unwrap();
            let (mut ours, mut alone) = (0.0, 0.0);
            for _ in 0..20 {
                let real: Vec<f32> = (0..n).map(|_| random.random_range(-1.0..1.0)).collect();
                let scale = 1.0 / 127.0;
                let plain: Vec<i8> = real
                    .iter()
                    .map(|w| (w / scale).round_ties_even() as i8)
                    .collect();
                let mut rounded = vec![0; n];
                hessian.round(&mut rounded, &real, scale);
                ours += error(others, &real, &rounded, scale);
                alone += error(others, &real, &plain, scale);
            }
            eprintln!("{n} weights: {ours:.3} and {alone:.3}");
            if n < 2 {
                assert_eq!(ours, alone);
            } else {
                assert!(
                    ours < alone * if n < 9 { 1.01 } else { 0.5 },
                    "{n}: {ours} and {alone}"
                );
            }
        }
    }

    #[test]
    fn inputs_that_vary_little_count_where_damping_is_of_each() {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let n = 40;
        // Every other input is a hundredth of what it was, and its weights make up for it.
        let share = |i: usize| if i.is_multiple_of(2) { 0.01 } else { 1.0 };
        let mut all = windows(&mut random, n, 1_200);
        for window in &mut all {
            for (i, x) in window.iter_mut().enumerate() {
                *x *= share(i);
            }
        }
        let (seen, others) = all.split_at(800);
        let moments = moments(seen, n);
        let hessians = [Damping::OfEach, Damping::OfMean]
            .map(|damping| Hessian::of(&moments, n, damping).unwrap());
        let mut errors = [0.0; 2];
        for _ in 0..20 {
            let real: Vec<f32> = (0..n)
                .map(|i| random.random_range(-1.0..1.0) / share(i))
                .collect();
            let scale = 100.0 / 127.0;
            let mut rounded = vec![0; n];
            for (hessian, sum) in hessians.iter().zip(&mut errors) {
                hessian.round(&mut rounded, &real, scale);
                *sum += error(others, &real, &rounded, scale);
            }
        }
        eprintln!("{errors:?}");
        assert!(errors[0] < 0.7 * errors[1], "{errors:?}");
    }

    #[test]
    fn what_is_never_read_is_rounded_alone() {
        assert!(Hessian::of(&[0.0; 4], 2, Damping::OfMean).is_none());
        let hessian = Hessian::of(&[1.0, 0.0, 0.0, 0.0], 2, Damping::OfMean).unwrap();
        let mut rounded = [0; 2];
        hessian.round(&mut rounded, &[0.3, 0.8], 0.5);
        assert_eq!(rounded, [1, 2]);
    }
}
