//! The loss that the logistic head minimises, and its gradient.
//!
//! With standardised features `x_i` and labels `y_i` of N photos, weights `W [K, D]` and biases
//! `b [K]`:
//!
//! `f(W, b) = 1/N sum_i [ ln sum_k exp(w_k x_i + b_k) - (w_{y_i} x_i + b_{y_i}) ]
//!            + 1 / (2 C N) sum |w|^2`
//!
//! which is scikit-learn's multinomial objective divided by `C N`, so C means what it means
//! there. Biases are not regularised.
//!
//! Sums run over fixed chunks of photos, and the chunks are added in order, so the result has
//! the same bits whatever the number of threads. Only additions and multiplications of f64 are
//! used besides `exp` and `ln`, none of them fused.

use posy_nn::graph::head::Head;
use rayon::prelude::*;

use super::{Features, products};

/// Photos in one unit of parallel work.
const CHUNK: usize = 64;
/// Units whose gradients are in memory at once.
const WAVE: usize = 48;
/// Size of a problem (photos x labels x features) from which on it is computed as [matrix
/// products](super::products) in f32.
const LARGE: usize = 1 << 31;
/// Maximum number of photos that [`Objective::spread`] uses.
const SPREAD_PHOTOS: usize = 4096;
/// Photos that share each load of a weight.
const ROWS: usize = 4;
/// Independent partial sums of a dot product, for SIMD.
const LANES: usize = 4;

/// The problem to minimise: features, standardised or raw, and labels.
///
/// Parameters are one vector: weights `[K, P]`, where P is D rounded up to whole lanes and the
/// padding stays zero, then biases `[K]`.
pub(super) struct Objective<'a> {
    features: &'a Features,
    labels: usize,
    mean: Vec<f64>,
    /// 1 / standard deviation; 0 for a constant feature.
    inverse_deviation: Vec<f64>,
    large: bool,
}

fn is_large(features: &Features, labels: usize) -> bool {
    let products = features.values().len().checked_mul(labels);
    products.is_none_or(|products| products >= LARGE)
}

impl<'a> Objective<'a> {
    /// The problem on raw features.
    pub(super) fn plain(features: &'a Features, labels: usize) -> Self {
        Self {
            features,
            labels,
            mean: vec![0.0; features.width()],
            inverse_deviation: vec![1.0; features.width()],
            large: is_large(features, labels),
        }
    }

    /// The problem on features standardised by their mean and (population) standard deviation.
    pub(super) fn standardised(features: &'a Features, labels: usize) -> Self {
        let (width, count) = (features.width(), features.len() as f64);
        let mut mean = vec![0.0; width];
        let mut constant = vec![true; width];
        let first = features.row(0);
        for (row, _) in features.rows() {
            for (index, &value) in row.iter().enumerate() {
                mean[index] += f64::from(value);
                constant[index] &= value == first[index];
            }
        }
        mean.iter_mut().for_each(|sum| *sum /= count);
        let mut squares = vec![0.0; width];
        for (row, _) in features.rows() {
            for ((square, &value), mean) in squares.iter_mut().zip(row).zip(&mean) {
                *square += (f64::from(value) - mean) * (f64::from(value) - mean);
            }
        }
        let inverse_deviation = squares
            .iter()
            .zip(&constant)
            .map(|(square, &constant)| match constant {
                true => 0.0,
                false => 1.0 / (square / count).sqrt(),
            })
            .collect();
        Self {
            features,
            labels,
            mean,
            inverse_deviation,
            large: is_large(features, labels),
        }
    }

    /// Returns true if the problem is so large that sums are in f32 and a looser tolerance applies.
    pub(super) const fn is_large(&self) -> bool {
        self.large
    }

    /// Number of features, D.
    pub(super) fn width(&self) -> usize {
        self.features.width()
    }

    /// The standardised features of one photo, `[D]`.
    pub(super) fn standardised_row(&self, photo: usize) -> impl Iterator<Item = f64> {
        let seen_through = self.mean.iter().zip(&self.inverse_deviation);
        let row = self.features.row(photo).iter();
        row.zip(seen_through)
            .map(|(&value, (mean, inverse))| (f64::from(value) - mean) * inverse)
    }

    /// Estimate of the mean of `p (1 - p)` over photos and labels, as if every photo had the
    /// probability of its own label that the mean cross entropy implies, and the rest were spread
    /// evenly.
    pub(super) fn spread(&self, parameters: &[f64], batch: &[usize]) -> f64 {
        let step = match self.large {
            true => batch.len().div_ceil(SPREAD_PHOTOS).max(1),
            false => 1,
        };
        let some: Vec<usize> = batch.iter().copied().step_by(step).collect();
        let (loss, _) = self.evaluate(parameters, &some, f64::INFINITY);
        let (own, labels) = ((-loss).exp(), self.labels as f64);
        let others = (1.0 - own) * (1.0 - own) / (labels - 1.0).max(1.0);
        ((1.0 - own * own - others) / labels).max(1e-4)
    }

    /// D rounded up to whole lanes, P.
    pub(super) fn padded_width(&self) -> usize {
        self.features.width().next_multiple_of(LANES)
    }

    /// Length of the parameter vector.
    pub(super) fn parameters(&self) -> usize {
        self.labels * (self.padded_width() + 1)
    }

    /// Loss and gradient over the photos `batch` (indices; some may repeat), with regularisation
    /// strength `c` (smaller is stronger; infinite is none).
    pub(super) fn evaluate(&self, parameters: &[f64], batch: &[usize], c: f64) -> (f64, Vec<f64>) {
        let weights = self.labels * self.padded_width();
        let (loss, mut gradient) = match self.large {
            true => products::sums(self, parameters, batch),
            false => self.sums(parameters, batch),
        };
        let count = batch.len() as f64;
        let strength = 1.0 / (c * count);
        gradient.iter_mut().for_each(|sum| *sum /= count);
        let mut squares = 0.0;
        for (slope, weight) in gradient.iter_mut().zip(&parameters[..weights]) {
            *slope += strength * weight;
            squares += weight * weight;
        }
        (loss / count + 0.5 * strength * squares, gradient)
    }

    /// Unregularised sums of loss and gradient over the photos `batch`.
    fn sums(&self, parameters: &[f64], batch: &[usize]) -> (f64, Vec<f64>) {
        let mut loss = 0.0;
        let mut gradient = vec![0.0; self.parameters()];
        for batch in batch.chunks(WAVE * CHUNK) {
            let parts: Vec<(f64, Vec<f64>)> = batch
                .par_chunks(CHUNK)
                .map(|photos| self.evaluate_chunk(parameters, photos))
                .collect();
            for (part_loss, part_gradient) in parts {
                loss += part_loss;
                for (sum, part) in gradient.iter_mut().zip(part_gradient) {
                    *sum += part;
                }
            }
        }
        (loss, gradient)
    }

    /// Label of a photo.
    pub(super) fn label(&self, photo: usize) -> usize {
        self.features.labels()[photo]
    }

    /// Number of labels, K.
    pub(super) const fn labels(&self) -> usize {
        self.labels
    }

    /// Unregularised sums of loss and gradient over the photos of one chunk.
    fn evaluate_chunk(&self, parameters: &[f64], photos: &[usize]) -> (f64, Vec<f64>) {
        let (width, labels) = (self.padded_width(), self.labels);
        let (weights, biases) = parameters.split_at(labels * width);
        let mut gradient = vec![0.0; self.parameters()];
        let mut loss = 0.0;
        let mut block = vec![0.0; ROWS * width];
        let mut residuals = vec![[0.0; ROWS]; labels];
        for photos in photos.chunks(ROWS) {
            self.standardise_rows(photos, &mut block);
            for (label, out) in residuals.iter_mut().enumerate() {
                *out = dot_rows(&weights[label * width..][..width], &block);
                out.iter_mut().for_each(|logit| *logit += biases[label]);
            }
            for row in 0..ROWS {
                match photos.get(row) {
                    Some(&photo) => {
                        let label = self.features.labels()[photo];
                        loss += to_residuals(&mut residuals, row, label);
                    }
                    None => residuals.iter_mut().for_each(|label| label[row] = 0.0),
                }
            }
            let (weight_slopes, bias_slopes) = gradient.split_at_mut(labels * width);
            for (label, residual) in residuals.iter().enumerate() {
                add_rows(
                    &mut weight_slopes[label * width..][..width],
                    residual,
                    &block,
                );
                bias_slopes[label] += residual.iter().sum::<f64>();
            }
        }
        (loss, gradient)
    }

    /// Writes the standardised features of up to `ROWS` photos into `block`, `[ROWS, P]`. Further
    /// rows keep their values; their residuals are zero.
    fn standardise_rows(&self, photos: &[usize], block: &mut [f64]) {
        for (out, &photo) in block.chunks_exact_mut(self.padded_width()).zip(photos) {
            for (((out, &value), mean), inverse) in out
                .iter_mut()
                .zip(self.features.row(photo))
                .zip(&self.mean)
                .zip(&self.inverse_deviation)
            {
                *out = (f64::from(value) - mean) * inverse;
            }
        }
    }

    /// Parameter vector with these weights `[K, D]` and zero biases.
    pub(super) fn parameters_from(&self, weights: &[f64]) -> Vec<f64> {
        let mut parameters = vec![0.0; self.parameters()];
        for (row, weights) in parameters
            .chunks_exact_mut(self.padded_width())
            .zip(weights.chunks_exact(self.features.width()))
        {
            row[..weights.len()].copy_from_slice(weights);
        }
        parameters
    }

    /// The head for raw features: `w = w' / deviation`, `b = b' - sum w' mean / deviation`.
    pub(super) fn head(&self, parameters: &[f64]) -> Head {
        let (weights, biases) = parameters.split_at(self.labels * self.padded_width());
        let mut head = Head {
            weights: Vec::with_capacity(self.labels * self.features.width()),
            bias: Vec::with_capacity(self.labels),
        };
        for (row, &bias) in weights.chunks_exact(self.padded_width()).zip(biases) {
            let mut bias = bias;
            for ((weight, inverse), mean) in row.iter().zip(&self.inverse_deviation).zip(&self.mean)
            {
                let weight = weight * inverse;
                bias -= weight * mean;
                head.weights.push(weight as f32);
            }
            head.bias.push(bias as f32);
        }
        head
    }
}

/// Dot products of one label's weights `[P]` with each of the block's rows `[ROWS, P]`.
fn dot_rows(weights: &[f64], block: &[f64]) -> [f64; ROWS] {
    let (first, rest) = block.split_at(weights.len());
    let (second, rest) = rest.split_at(weights.len());
    let (third, fourth) = rest.split_at(weights.len());
    let mut sums = [[0.0; LANES]; ROWS];
    for ((((w, a), b), c), d) in weights
        .chunks_exact(LANES)
        .zip(first.chunks_exact(LANES))
        .zip(second.chunks_exact(LANES))
        .zip(third.chunks_exact(LANES))
        .zip(fourth.chunks_exact(LANES))
    {
        for lane in 0..LANES {
            sums[0][lane] += w[lane] * a[lane];
            sums[1][lane] += w[lane] * b[lane];
            sums[2][lane] += w[lane] * c[lane];
            sums[3][lane] += w[lane] * d[lane];
        }
    }
    sums.map(|lanes| (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
}

/// Adds the block's rows `[ROWS, P]`, each times its factor, to the gradient `slopes` `[P]`.
fn add_rows(slopes: &mut [f64], factors: &[f64; ROWS], block: &[f64]) {
    let (first, rest) = block.split_at(slopes.len());
    let (second, rest) = rest.split_at(slopes.len());
    let (third, fourth) = rest.split_at(slopes.len());
    for ((((slope, a), b), c), d) in slopes
        .iter_mut()
        .zip(first)
        .zip(second)
        .zip(third)
        .zip(fourth)
    {
        *slope += (factors[0] * a + factors[1] * b) + (factors[2] * c + factors[3] * d);
    }
}

/// Turns one photo's logits (column `row` of `[K, ROWS]`) into `softmax - one_hot(label)`, the
/// gradient of its cross entropy. Returns the cross entropy.
fn to_residuals(logits: &mut [[f64; ROWS]], row: usize, label: usize) -> f64 {
    let top = logits
        .iter()
        .fold(f64::NEG_INFINITY, |top, logit| top.max(logit[row]));
    let own = logits[label][row] - top;
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        logit[row] = (logit[row] - top).exp();
        sum += logit[row];
    }
    logits.iter_mut().for_each(|power| power[row] /= sum);
    logits[label][row] -= 1.0;
    sum.ln() - own
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7 photos of 5 features (neither a multiple of rows nor lanes), feature 3 constant.
    fn small() -> Features {
        let values = (0..35)
            .map(|i| match i % 5 {
                3 => 0.7,
                _ => ((i * 37 % 23) as f32) * 0.13 - 1.0,
            })
            .collect();
        Features::new(5, values, vec![0, 1, 2, 1, 0, 2, 2]).unwrap()
    }

    #[test]
    fn gradient_is_the_slope_of_the_loss() {
        let features = small();
        let objective = Objective::standardised(&features, 3);
        let at: Vec<f64> = (0..objective.parameters())
            .map(|i| match i {
                i if i < 24 && i % 8 >= 5 => 0.0,
                i => ((i * 29 % 17) as f64) * 0.05 - 0.4,
            })
            .collect();
        let batch = [0, 1, 2, 3, 4, 5, 6, 2, 2];
        let (_, gradient) = objective.evaluate(&at, &batch, 0.3);
        for index in (0..at.len()).filter(|i| *i >= 24 || i % 8 < 5) {
            let step = |by: f64| {
                let mut moved = at.clone();
                moved[index] += by;
                objective.evaluate(&moved, &batch, 0.3).0
            };
            let slope = (step(1e-5) - step(-1e-5)) / 2e-5;
            assert!(
                (slope - gradient[index]).abs() < 1e-8,
                "{index}: {slope} {}",
                gradient[index]
            );
        }
    }

    #[test]
    fn head_of_raw_features_gives_the_logits_of_standardised_ones() {
        let features = small();
        let objective = Objective::standardised(&features, 3);
        let parameters: Vec<f64> = (0..objective.parameters())
            .map(|i| (i as f64 * 0.61).sin())
            .collect();
        let head = objective.head(&parameters);
        let (weights, biases) = parameters.split_at(24);
        for photo in 0..features.len() {
            let logits = head.logits(features.row(photo));
            for label in 0..3 {
                let mut expected = biases[label];
                for feature in 0..5 {
                    let value = f64::from(features.row(photo)[feature]);
                    expected += weights[label * 8 + feature]
                        * (value - objective.mean[feature])
                        * objective.inverse_deviation[feature];
                }
                assert!((f64::from(logits[label]) - expected).abs() < 1e-5);
            }
        }
        assert!((0..3).all(|label| head.weights[label * 5 + 3] == 0.0));
    }
}
