//! Data-aware rounding of a last layer's weights to int8 (GPTQ).
//!
//! Photos with a plain background have features that vary little about their means, and large
//! weights to make use of it. Rounding each weight to nearest is then costly: its error times the
//! mean shifts an output for all photos alike, and the variation of the features adds further
//! error. So the bias compensates the shift (with the means of the training photos), and the
//! weights of an output are rounded jointly, by how the features vary about their means
//! (`Scatter`): see [`nearest`](posy_nn::quantise::gptq).

use posy_nn::quantise::gptq::{Damping, Hessian};
use rayon::prelude::*;

use super::Features;
use super::scatter::Scatter;

/// Greatest int8 weight; -128 is not used.
const WEIGHT_MAX: f64 = 127.0;
/// Greatest bias in int32 steps. The other half of the range is left for the sum of products, of
/// which a board's network cannot use a tenth: 4,096 features x 255 x 127 is below 2^27.
const BIAS_MAX: f64 = (1 << 30) as f64;
/// Candidate scales, as shares of the scale at which an output's greatest weight is 127. A smaller
/// scale clips the greatest weights, which the other weights compensate, and reduces the rounding
/// error of all. On plain backgrounds the greatest weight is that of a feature which hardly ever
/// varies, and hundreds of times the median.
const STEPS: [f64; 11] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05];

/// A quantised layer of K outputs and D inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// Row-major `[K, D]`; `-127..=127`.
    pub weights: Vec<i8>,
    /// Scale of each output's weights, `[K]`.
    pub scales: Vec<f32>,
    /// `[K]`, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
}

/// Quantises real `weights`, row-major `[K, D]`, and `bias`, `[K]`, and preserves the outputs for
/// the inputs `read`, whose quantisation step is `input_scale`. The labels of `read` are not used.
pub fn round_by(read: &Features, weights: &[f32], bias: &[f32], input_scale: f32) -> Rounded {
    let scatter = Scatter::of(read);
    let hessian = Hessian::of(&scatter.sums, read.width(), Damping::OfEach);
    let rows = weights.par_chunks_exact(read.width()).zip(bias);
    let rows: Vec<Row> = rows
        .map(|(weights, &bias)| {
            let row = Real { weights, bias };
            row.round(input_scale, &scatter.mean, hessian.as_ref())
        })
        .collect();
    Rounded {
        weights: rows.iter().flat_map(|row| &row.weights).copied().collect(),
        scales: rows.iter().map(|row| row.scale).collect(),
        bias: rows.iter().map(|row| row.bias).collect(),
    }
}

/// Real weights and bias of one output.
struct Real<'a> {
    weights: &'a [f32],
    bias: f32,
}

/// Quantised weights and bias of one output.
struct Row {
    weights: Vec<i8>,
    scale: f32,
    bias: i32,
}

impl Real<'_> {
    /// Rounds jointly by `hessian`, or each weight to nearest without them; `mean` is the mean of
    /// the inputs.
    fn round(&self, input_scale: f32, mean: &[f64], hessian: Option<&Hessian>) -> Row {
        let whole = self.scale(input_scale, 1.0);
        let mut rounded = vec![0; self.weights.len()];
        let (scale, weights) = match hessian {
            Some(hessian) => {
                let mut best = (f64::INFINITY, whole, Vec::new());
                for share in STEPS {
                    let scale = self.scale(input_scale, share);
                    let error = hessian.round(&mut rounded, self.weights, scale);
                    if best.2.is_empty() || error < best.0 {
                        best = (error, scale, rounded.clone());
                    }
                }
                (best.1, best.2)
            }
            None => {
                for (rounded, &weight) in rounded.iter_mut().zip(self.weights) {
                    let steps = (f64::from(weight) / f64::from(whole)).round_ties_even();
                    *rounded = steps.clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8;
                }
                (whole, rounded)
            }
        };
        let step = f64::from(scale);
        let errors = self.weights.iter().zip(&weights).zip(mean);
        let shift: f64 = errors
            .map(|((&real, &rounded), mean)| (f64::from(real) - step * f64::from(rounded)) * mean)
            .sum();
        let steps = (f64::from(self.bias) + shift) / (f64::from(input_scale) * step);
        Row {
            weights,
            scale,
            bias: steps.round_ties_even().clamp(-BIAS_MAX, BIAS_MAX) as i32,
        }
    }

    /// The least scale at which `share` of the greatest weight fits int8 and the bias fits
    /// `BIAS_MAX`, as f32.
    fn scale(&self, input_scale: f32, share: f64) -> f32 {
        let weights = self.weights.iter();
        let greatest = weights.fold(0.0f64, |top, &weight| top.max(f64::from(weight).abs()));
        let for_bias = f64::from(self.bias).abs() / (f64::from(input_scale) * BIAS_MAX);
        let scale = (share * greatest / WEIGHT_MAX).max(for_bias);
        // Weights and bias are zero: any scale will do.
        if scale > 0.0 {
            (scale as f32).max(f32::MIN_POSITIVE)
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(rounded: &Rounded, row: &[f32], input_scale: f32) -> Vec<f64> {
        let rows = rounded.weights.chunks_exact(row.len());
        rows.zip(&rounded.scales)
            .zip(&rounded.bias)
            .map(|((weights, &scale), &bias)| {
                let products = weights.iter().zip(row);
                let sum: f64 = products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                f64::from(scale) * (sum + f64::from(bias) * f64::from(input_scale))
            })
            .collect()
    }

    /// Two features that differ by a constant, beside a constant feature: only the sum of their
    /// weights matters, and the bias absorbs the constant's error.
    #[test]
    fn singular_and_constant_features_cost_nothing() {
        let read: Vec<f32> = (0..64)
            .flat_map(|photo| [photo as f32 * 0.1, photo as f32 * 0.1 + 3.0, 2.5])
            .collect();
        let features = Features::new(3, read, vec![0; 64]).unwrap();
        let (weights, bias) = ([1.0, 0.013, 0.021], [0.3]);
        let rounded = round_by(&features, &weights, &bias, 0.1);
        for (row, _) in features.rows() {
            let real: f32 = weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + bias[0];
            let found = outputs(&rounded, row, 0.1)[0];
            assert!(
                (found - f64::from(real)).abs() < 0.012,
                "{found} for {real}"
            );
        }
    }

    #[test]
    fn of_nothing_that_varies_each_weight_is_rounded_alone() {
        let features = Features::new(2, vec![1.0, 2.0, 1.0, 2.0], vec![0, 1]).unwrap();
        let rounded = round_by(&features, &[127.0, 3.4, 0.0, 0.0], &[0.0, 5.0], 1.0);
        assert_eq!(rounded.weights, [127, 3, 0, 0]);
        // The shortfall of the second weight, times its mean.
        assert_eq!(rounded.bias[0], 1);
        assert_eq!(rounded.bias[1], 1 << 30);
        let none = features.select(&[]);
        assert_eq!(
            round_by(&none, &[127.0, 3.4], &[0.0], 1.0).weights,
            [127, 3]
        );
    }
}
