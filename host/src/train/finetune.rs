//! Fine-tuning: the last pointwise layer of the backbone is trained together with the head.
//!
//! The layers before it are frozen, so their feature maps are computed once, in the board's
//! integers, for each photo and its augmented variants. Training on them is cheap: one matrix
//! product forwards, and backwards only where an output is not clamped, which few are.
//!
//! Adam (Kingma and Ba 2015) minimises the softmax cross entropy of batches; an epoch uses each
//! photo once, as one of its variants, and the learning rate decays as half a cosine.
//! Regularisation: dropout of features (Srivastava et al. 2014), L2-SP, which draws the layer to
//! its pre-trained weights (Li, Grandvalet and Davoine 2018), and an L2 penalty on the head.
//!
//! The result has the same bits on any number of threads: work is divided by batch or by channel,
//! and every sum has one order. Matrix products come from `matrixmultiply`, whose order depends on
//! the processor's features.

use std::f64::consts::PI;

use ndarray::{ArrayView2, ArrayViewMut2};
use posy_nn::graph::head::Head;
use posy_nn::graph::network::Quantisation;
use rand::seq::SliceRandom;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::HeadError;
use super::observer::{Approach, Meter, PARTS};
use posy_nn::graph::head::softmax;

/// Maximum number of epochs.
const MOST_EPOCHS: usize = 1000;
/// Largest first step; a hundred times the usual one overshoots.
const LARGEST_RATE: f64 = 1.0;
/// Photos that share one matrix product.
const GROUP: usize = 4;
/// Output channels in one unit of parallel work.
const CHANNELS: usize = 16;
const BETA: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Options for fine-tuning.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Epochs: number of times that each photo is used, each time as one of its variants.
    pub epochs: usize,
    /// Photos per batch.
    pub batch: usize,
    /// Adam's initial learning rate for the layer.
    pub layer_rate: f64,
    /// Adam's initial learning rate for the head.
    pub head_rate: f64,
    /// L2-SP weight: factor of the squared distance from the pre-trained layer.
    pub anchor: f32,
    /// L2 penalty: factor of the head's squared weights.
    pub penalty: f32,
    /// Pixels of a map that a step uses, drawn for each step; all if the map has no more.
    pub pixels: usize,
    /// Dropout: share of features that are dropped in training, `0..1`.
    pub dropout: f32,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Options {
    /// The best options over several splits of flower photos; see docs/training.md.
    fn default() -> Self {
        Options {
            epochs: 40,
            batch: 64,
            layer_rate: 6e-3,
            head_rate: 1e-3,
            anchor: 1e-3,
            penalty: 1e-3,
            pixels: 16,
            dropout: 0.2,
            seed: 0,
        }
    }
}

/// A pointwise layer in floating point, and the clamp of its outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// `[O, I]`.
    pub weights: Vec<f32>,
    /// `[O]`.
    pub bias: Vec<f32>,
    /// Lowest and highest output.
    pub clamp: (f32, f32),
}

/// Feature maps that the layer reads.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    /// Entries by photo: its variants, each `[pixels, I]`, int8 as bytes.
    pub values: &'a [Vec<u8>],
    /// Variants per photo; the first is the photo unchanged.
    pub variants: usize,
    /// Height times width.
    pub pixels: usize,
    /// Number of channels, I.
    pub channels: usize,
    /// Quantisation of the values.
    pub quantisation: Quantisation,
}

impl Maps<'_> {
    /// Dequantises a variant's values at `pixels` into `out`, `[pixels, I]`.
    fn read(&self, photo: usize, variant: usize, pixels: &[usize], out: &mut [f32]) {
        let len = self.pixels * self.channels;
        let Quantisation { scale, zero_point } = self.quantisation;
        let map = &self.values[photo][variant * len..][..len];
        for (out, pixel) in out.chunks_exact_mut(self.channels).zip(pixels) {
            for (real, &byte) in out.iter_mut().zip(&map[pixel * self.channels..]) {
                *real = scale * (i32::from(byte as i8) - zero_point) as f32;
            }
        }
    }
}

/// Trainable parameters, with Adam's two moments of each.
struct Adam {
    values: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    fn new(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Adam {
            values,
            first: zeros.clone(),
            second: zeros,
        }
    }
}

/// Learning rate of a step, and Adam's bias corrections of the moments.
#[derive(Clone, Copy)]
struct Pace {
    rate: f32,
    corrections: (f32, f32),
}

impl Pace {
    fn step(self, value: &mut f32, first: &mut f32, second: &mut f32, slope: f32) {
        *first = BETA.0 * *first + (1.0 - BETA.0) * slope;
        *second = BETA.1 * *second + (1.0 - BETA.1) * slope * slope;
        let deviation = (*second / self.corrections.1).sqrt() + EPSILON;
        *value -= self.rate * (*first / self.corrections.0) / deviation;
    }
}

/// Buffers of one batch.
struct Batch {
    /// The pixels of the maps that are used.
    pixels: Vec<usize>,
    /// `[B, pixels, I]`.
    inputs: Vec<f32>,
    /// Outputs after the clamp, `[B, pixels, O]`.
    outputs: Vec<f32>,
    /// Features `[B, O]`; dropped ones are zero.
    features: Vec<f32>,
    /// Gradient of the loss by the features, divided by the number of pixels, `[B, O]`.
    slopes: Vec<f32>,
}

/// Parts that [`train`] takes on its meter: fine-tuning takes some ten times as long as training a
/// head.
pub const ADJUSTING: usize = 10 * PARTS;

/// Fine-tunes `layer` and `head`, which reads the layer's outputs after global average pooling, on
/// the photos `training` with their `labels` (of all photos). Reports progress to `meter`.
///
/// # Errors
/// [`HeadError::Diverged`] if weights diverge; [`HeadError::Option`].
pub fn train(
    maps: &Maps<'_>,
    training: &[usize],
    labels: &[usize],
    layer: &Layer,
    head: &Head,
    options: &Options,
    meter: &dyn Meter,
) -> Result<(Layer, Head), HeadError> {
    options.check()?;
    let mut approach = Approach::new(meter, ADJUSTING);
    let (count, outputs) = (head.labels(), layer.bias.len());
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let mut weights = Adam::new(layer.weights.clone());
    let mut bias = Adam::new(layer.bias.clone());
    let mut head_weights = Adam::new(head.weights.clone());
    let mut head_bias = Adam::new(head.bias.clone());
    let size = options.batch.min(training.len()).max(1);
    let in_epoch = (training.len() / size).max(1);
    let steps = options.epochs * in_epoch;
    let most = options.pixels.min(maps.pixels);
    let mut batch = Batch {
        pixels: (0..maps.pixels).collect(),
        inputs: vec![0.0; size * most * maps.channels],
        outputs: vec![0.0; size * most * outputs],
        features: vec![0.0; size * outputs],
        slopes: vec![0.0; size * outputs],
    };
    let mut order = training.to_vec();
    for step in 0..steps {
        approach.reach(ADJUSTING, (step, steps));
        let place = step % in_epoch;
        if place == 0 {
            order.shuffle(&mut random);
        }
        let photos: Vec<(usize, usize)> = order[place * size..][..size]
            .iter()
            .map(|&photo| (photo, random.random_range(0..maps.variants)))
            .collect();
        if most < maps.pixels {
            batch.pixels = sample(&mut random, maps.pixels, most).into_vec();
        }
        batch.forward(maps, &photos, &weights.values, &bias.values, layer.clamp);
        for feature in &mut batch.features {
            let kept = random.random::<f32>() >= options.dropout;
            *feature *= if kept {
                1.0 / (1.0 - options.dropout)
            } else {
                0.0
            };
        }
        let fall = 0.5 * (1.0 + (PI * step as f64 / steps as f64).cos());
        let power = (step + 1) as i32;
        let pace = |rate: f64| Pace {
            rate: (rate * fall) as f32,
            corrections: (1.0 - BETA.0.powi(power), 1.0 - BETA.1.powi(power)),
        };
        let truth = photos.iter().map(|&(photo, _)| labels[photo]);
        let loss = batch.step_head(
            truth,
            (count, outputs),
            (&mut head_weights, &mut head_bias),
            pace(options.head_rate),
            options,
        );
        if !loss.is_finite() {
            return Err(HeadError::Diverged {
                step,
                learning_rate: options.layer_rate,
            });
        }
        // A feature is a mean over pixels.
        let share = 1.0 / most as f32 / (1.0 - options.dropout);
        batch.slopes.iter_mut().for_each(|slope| *slope *= share);
        let pace = pace(options.layer_rate);
        batch.step_layer(maps, (&mut weights, &mut bias), layer, pace, options.anchor);
    }
    Ok((
        Layer {
            weights: weights.values,
            bias: bias.values,
            clamp: layer.clamp,
        },
        Head {
            weights: head_weights.values,
            bias: head_bias.values,
        },
    ))
}

impl Batch {
    /// Forward pass: dequantises the photos' maps, runs the layer and pools.
    fn forward(
        &mut self,
        maps: &Maps<'_>,
        photos: &[(usize, usize)],
        weights: &[f32],
        bias: &[f32],
        (low, high): (f32, f32),
    ) {
        let (inputs, outputs, pixels) = (maps.channels, bias.len(), self.pixels.len());
        let drawn = &self.pixels;
        self.inputs
            .par_chunks_mut(GROUP * pixels * inputs)
            .zip(self.outputs.par_chunks_mut(GROUP * pixels * outputs))
            .zip(self.features.par_chunks_mut(GROUP * outputs))
            .zip(photos.par_chunks(GROUP))
            .for_each(|(((x, z), features), photos)| {
                for (x, &(photo, variant)) in x.chunks_exact_mut(pixels * inputs).zip(photos) {
                    maps.read(photo, variant, drawn, x);
                }
                for z in z.chunks_exact_mut(outputs) {
                    z.copy_from_slice(bias);
                }
                let rows = photos.len() * pixels;
                let shapes = (
                    ArrayView2::from_shape((rows, inputs), x),
                    ArrayView2::from_shape((outputs, inputs), weights),
                    ArrayViewMut2::from_shape((rows, outputs), z),
                );
                if let (Ok(x), Ok(w), Ok(mut z)) = shapes {
                    ndarray::linalg::general_mat_mul(1.0, &x, &w.t(), 1.0, &mut z);
                }
                z.iter_mut().for_each(|z| *z = z.clamp(low, high));
                let maps = z.chunks_exact(pixels * outputs);
                for (features, map) in features.chunks_exact_mut(outputs).zip(maps) {
                    features.fill(0.0);
                    for pixel in map.chunks_exact(outputs) {
                        features.iter_mut().zip(pixel).for_each(|(f, z)| *f += z);
                    }
                    features.iter_mut().for_each(|f| *f /= pixels as f32);
                }
            });
    }

    /// Updates the head, and writes the gradient by the features. Returns the batch's mean cross
    /// entropy.
    fn step_head(
        &mut self,
        truth: impl Iterator<Item = usize>,
        (count, outputs): (usize, usize),
        (weights, bias): (&mut Adam, &mut Adam),
        pace: Pace,
        options: &Options,
    ) -> f32 {
        let size = (self.features.len() / outputs) as f32;
        let mut slopes_of_weights = vec![0.0; count * outputs];
        let mut slopes_of_bias = vec![0.0; count];
        let mut loss = 0.0;
        self.slopes.fill(0.0);
        let rows = self.features.chunks_exact(outputs);
        let slopes = self.slopes.chunks_exact_mut(outputs);
        for ((features, slopes), truth) in rows.zip(slopes).zip(truth) {
            let logits: Vec<f32> = weights
                .values
                .chunks_exact(outputs)
                .zip(&bias.values)
                .map(|(row, b)| b + row.iter().zip(features).map(|(w, f)| w * f).sum::<f32>())
                .collect();
            let scores = softmax(&logits);
            // `max` alone would hide NaN.
            loss -= match scores[truth] {
                score if score.is_nan() => score,
                score => score.max(f32::MIN_POSITIVE).ln() / size,
            };
            for (label, score) in scores.into_iter().enumerate() {
                let slope = (score - f32::from(u8::from(label == truth))) / size;
                let row = label * outputs..(label + 1) * outputs;
                slopes_of_bias[label] += slope;
                let both = slopes_of_weights[row.clone()].iter_mut().zip(features);
                both.for_each(|(sum, f)| *sum += slope * f);
                let both = slopes.iter_mut().zip(&weights.values[row]);
                both.for_each(|(sum, w)| *sum += slope * w);
            }
            // A dropped feature has no gradient.
            let both = slopes.iter_mut().zip(features);
            both.filter(|(_, f)| **f == 0.0).for_each(|(s, _)| *s = 0.0);
        }
        let pull = 2.0 * options.penalty;
        for (index, slope) in slopes_of_weights.into_iter().enumerate() {
            let value = &mut weights.values[index];
            let slope = slope + pull * *value;
            pace.step(
                value,
                &mut weights.first[index],
                &mut weights.second[index],
                slope,
            );
        }
        for (index, slope) in slopes_of_bias.into_iter().enumerate() {
            let moments = (&mut bias.first[index], &mut bias.second[index]);
            pace.step(&mut bias.values[index], moments.0, moments.1, slope);
        }
        loss
    }

    /// Updates the layer, a group of channels at a time.
    fn step_layer(
        &self,
        maps: &Maps<'_>,
        (weights, bias): (&mut Adam, &mut Adam),
        original: &Layer,
        pace: Pace,
        anchor: f32,
    ) {
        let (inputs, outputs, pixels) = (maps.channels, original.bias.len(), self.pixels.len());
        let (low, high) = original.clamp;
        weights
            .values
            .par_chunks_mut(CHANNELS * inputs)
            .zip(weights.first.par_chunks_mut(CHANNELS * inputs))
            .zip(weights.second.par_chunks_mut(CHANNELS * inputs))
            .zip(bias.values.par_chunks_mut(CHANNELS))
            .zip(bias.first.par_chunks_mut(CHANNELS))
            .zip(bias.second.par_chunks_mut(CHANNELS))
            .enumerate()
            .for_each(|(chunk, (((((w, w1), w2), b), b1), b2))| {
                let from = chunk * CHANNELS;
                let mut slopes = vec![0.0f32; w.len()];
                let mut slopes_of_bias = vec![0.0f32; b.len()];
                let photos = self.inputs.chunks_exact(pixels * inputs);
                let outs = self.outputs.chunks_exact(pixels * outputs);
                let by_feature = self.slopes.chunks_exact(outputs);
                for ((x, z), by_feature) in photos.zip(outs).zip(by_feature) {
                    let by_feature = &by_feature[from..][..b.len()];
                    for (x, z) in x.chunks_exact(inputs).zip(z.chunks_exact(outputs)) {
                        let z = &z[from..][..b.len()];
                        for (c, (&z, &slope)) in z.iter().zip(by_feature).enumerate() {
                            if z > low && z < high && slope != 0.0 {
                                slopes_of_bias[c] += slope;
                                let row = &mut slopes[c * inputs..][..inputs];
                                row.iter_mut().zip(x).for_each(|(sum, x)| *sum += slope * x);
                            }
                        }
                    }
                }
                let pull = 2.0 * anchor;
                let before = &original.weights[from * inputs..][..w.len()];
                for (index, w) in w.iter_mut().enumerate() {
                    let slope = slopes[index] + pull * (*w - before[index]);
                    pace.step(w, &mut w1[index], &mut w2[index], slope);
                }
                let before = &original.bias[from..][..b.len()];
                for (index, b) in b.iter_mut().enumerate() {
                    let slope = slopes_of_bias[index] + pull * (*b - before[index]);
                    pace.step(b, &mut b1[index], &mut b2[index], slope);
                }
            });
    }
}

impl Options {
    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`HeadError::Option`] names the first option out of range.
    pub fn check(&self) -> Result<(), HeadError> {
        let refuse = |option, value: String, must| {
            Err(HeadError::Option {
                option,
                value,
                must,
            })
        };
        let above_zero = |rate: f64| rate > 0.0 && rate.is_finite();
        if self.epochs > MOST_EPOCHS {
            return refuse("--adjust-epochs", self.epochs.to_string(), "at most 1000");
        }
        if self.epochs == 0 {
            return refuse("--adjust-epochs", "0".into(), "above zero");
        }
        if !above_zero(self.layer_rate) || self.layer_rate > LARGEST_RATE {
            let rate = format!("{:e}", self.layer_rate);
            return refuse("--adjust-rate", rate, "above zero, at most 1");
        }
        if !above_zero(self.head_rate) {
            return refuse("the head's rate", self.head_rate.to_string(), "above zero");
        }
        if self.pixels == 0 {
            return refuse("the pixels of a step", "0".into(), "above zero");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse("dropout", self.dropout.to_string(), "at least 0, below 1");
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "finetune_tests.rs"]
mod tests;
