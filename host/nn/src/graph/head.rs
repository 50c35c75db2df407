//! The last layer of a classifier, in floating point and in int8.

use super::network::Quantisation;

/// A trained last layer: `logits = weights x features + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Row-major `[K, D]`, K labels by D features.
    pub weights: Vec<f32>,
    /// `[K]`.
    pub bias: Vec<f32>,
}

impl Head {
    /// Number of labels, K.
    pub fn labels(&self) -> usize {
        self.bias.len()
    }

    /// Number of features, D.
    pub fn width(&self) -> usize {
        self.weights.len() / self.bias.len().max(1)
    }

    /// Logits `[K]` for the features `[D]` of one photo. Sums are in f64, in order.
    pub fn logits(&self, features: &[f32]) -> Vec<f32> {
        let mut logits = Vec::with_capacity(self.labels());
        let width = self.width().max(1);
        let rows = self.weights.chunks(TOGETHER * width);
        for (rows, biases) in rows.zip(self.bias.chunks(TOGETHER)) {
            let sums = match <[f32; TOGETHER]>::try_from(biases) {
                Ok(_) => sums_of_some(rows, features),
                Err(_) => std::array::from_fn(|row| {
                    let row = rows.chunks_exact(width).nth(row).unwrap_or_default();
                    let products = row.iter().zip(features);
                    products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum()
                }),
            };
            let sums = sums.iter().zip(biases);
            logits.extend(sums.map(|(sum, &bias)| (sum + f64::from(bias)) as f32));
        }
        logits
    }
}

/// Labels whose sums run side by side; a single sum would wait for each of its additions.
const TOGETHER: usize = 8;

/// Dot products of `features` with each of the rows, each summed in order.
fn sums_of_some(rows: &[f32], features: &[f32]) -> [f64; TOGETHER] {
    let width = rows.len() / TOGETHER;
    let rows: [&[f32]; TOGETHER] = std::array::from_fn(|row| &rows[row * width..][..width]);
    let mut sums = [0f64; TOGETHER];
    for (at, &x) in features.iter().enumerate().take(width) {
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum += f64::from(row[at]) * f64::from(x);
        }
    }
    sums
}

/// The last layer in int8.
#[derive(Clone, Debug, PartialEq)]
pub struct IntHead {
    /// Row-major `[K, D]`, K labels by D features; `-127..=127`.
    pub weights: Vec<i8>,
    /// Scale of each label's weights, `[K]`.
    pub weight_scales: Vec<f32>,
    /// `[K]`, in steps of input scale x weight scale.
    pub bias: Vec<i32>,
    /// Quantisation of the logits.
    pub output: Quantisation,
}

impl IntHead {
    /// Dequantises the weights and the bias; the logits stay real.
    pub fn as_real(&self, input: Quantisation) -> Head {
        let width = self.weights.len() / self.bias.len().max(1);
        Head {
            weights: self
                .weights
                .chunks_exact(width.max(1))
                .zip(&self.weight_scales)
                .flat_map(|(row, &scale)| row.iter().map(move |&weight| f32::from(weight) * scale))
                .collect(),
            bias: self
                .bias
                .iter()
                .zip(&self.weight_scales)
                .map(|(&bias, &scale)| {
                    (f64::from(bias) * f64::from(scale) * f64::from(input.scale)) as f32
                })
                .collect(),
        }
    }
}
