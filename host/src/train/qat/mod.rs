//! Quantisation-aware fine-tuning of a network's last blocks, together with the head.
//!
//! The layers before a [`Segment`] are frozen: their int8 maps are computed once for each photo and
//! its augmented views. The segment is trained in floating point with fake quantisation, so that
//! what was trained is what a board runs. [`AdamW`] minimises the cross entropy of mixed batches
//! with smoothed labels (Szegedy et al. 2016); the learning rate rises over the first tenth of the
//! steps and falls as half a cosine. After each epoch the validation photos are measured, and the
//! parameters with the least validation loss are kept for the case that training is stopped.
//!
//! The result has the same bits on any number of threads: a batch is divided into a fixed number of
//! groups, whose gradients are added in order, and every sum has one order. Matrix products come from
//! `matrixmultiply`, whose bits depend on whether the processor has fused multiply-adds.

pub mod adamw;
mod batch;
mod depthwise;
mod fake_quantise;
mod gemm;
mod pass;
mod segment;

use std::f64::consts::PI;

use posy_nn::graph::head::softmax;
use posy_nn::graph::network::Quantisation;
use rayon::prelude::*;

use adamw::AdamW;
use batch::{Mixture, View};
pub use fake_quantise::Arithmetic;
use pass::Weights;
pub use pass::Workspace;
pub use segment::{Kind, Layer, Parameters, Segment, block_starts};

use super::HeadError;
use super::metrics::{accuracy, argmax, cross_entropy, log_sum_exp};

/// Maximum number of epochs.
const MOST_EPOCHS: usize = 1000;
/// Largest learning rate; a hundred times the usual one overshoots.
const LARGEST_RATE: f64 = 1.0;
/// Groups of a batch, each on one thread.
const GROUPS: usize = 8;
/// Photos of one forward pass outside training.
const TOGETHER: usize = 4;
/// Share of the steps over which the learning rate rises.
const WARM_UP: f64 = 0.1;

/// Options of fine-tuning.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Epochs: number of times that each photo is used, each time as one of its views.
    pub epochs: usize,
    /// Photos per batch.
    pub batch: usize,
    /// Greatest learning rate, in units of each parameter.
    pub rate: f64,
    /// Learning rate of the head, as a share of the others'.
    pub head_rate: f64,
    /// True if the parameters with the least validation loss are kept, false for the last ones. Those
    /// of a run that is stopped are the best so far in any case.
    pub choose: bool,
    /// Weight decay towards the pre-trained parameters.
    pub decay: f64,
    /// Label smoothing: share of the target that is spread over all labels.
    pub smoothing: f32,
    /// Parameter of mixup's beta distribution; 0 for none.
    pub mixup: f64,
    /// Arithmetic of forward passes in training.
    pub arithmetic: Arithmetic,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Options {
    /// The best options over several splits of flower photos; see docs/training.md.
    fn default() -> Self {
        Options {
            epochs: 40,
            batch: 32,
            rate: 3e-3,
            head_rate: 1.0,
            choose: false,
            decay: 0.01,
            smoothing: 0.1,
            mixup: 0.2,
            arithmetic: Arithmetic::Quantised,
            seed: 0,
        }
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
        if self.epochs > MOST_EPOCHS {
            return refuse("--adjust-epochs", self.epochs.to_string(), "at most 1000");
        }
        if self.epochs == 0 {
            return refuse("--adjust-epochs", "0".into(), "above zero");
        }
        if !(self.rate > 0.0 && self.rate <= LARGEST_RATE) {
            let rate = format!("{:e}", self.rate);
            return refuse("--adjust-rate", rate, "above zero, at most 1");
        }
        Ok(())
    }
}

/// Int8 maps before the first trained layer.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    /// Entries by photo: its views, each `[H, W, C]`, int8 as bytes; the first is the photo as it is.
    pub values: &'a [Vec<u8>],
    /// Values of a map.
    pub len: usize,
    /// Quantisation of the values.
    pub quantisation: Quantisation,
}

impl Maps<'_> {
    /// Number of a photo's views.
    fn views(&self, photo: usize) -> usize {
        self.values[photo].len() / self.len.max(1)
    }

    fn map(&self, view: View) -> &[u8] {
        &self.values[view.photo][view.view * self.len..][..self.len]
    }

    /// Writes the real values of a mixture.
    fn read(&self, mixture: &Mixture, real: &mut [f32]) {
        let Quantisation { scale, zero_point } = self.quantisation;
        let zero = zero_point as f32;
        let value = |byte: u8| f32::from(byte as i8) - zero;
        let [a, b] = mixture.views.map(|view| self.map(view));
        let shares = [scale * mixture.share, scale * (1.0 - mixture.share)];
        for ((real, &a), &b) in real.iter_mut().zip(a).zip(b) {
            *real = shares[0] * value(a) + shares[1] * value(b);
        }
    }
}

/// Measurement after an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// Epochs done.
    pub epoch: usize,
    /// Mean cross entropy of the epoch's training batches, as trained: of mixtures, against smoothed
    /// labels.
    pub training_loss: f64,
    /// Share of the mixtures that are given the label of their greater part.
    pub training_accuracy: f64,
    /// Mean cross entropy of the validation photos; NaN without any.
    pub validation_loss: f64,
    /// Share of the validation photos that are classified correctly; NaN without any.
    pub validation_accuracy: f64,
}

/// State between epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Epochs done.
    pub epoch: usize,
    /// The optimiser.
    pub adam: AdamW,
    /// Parameters with the least validation loss so far; at the end, those to be used.
    pub best: Vec<f32>,
    /// Least validation loss.
    pub best_loss: f64,
    /// Measurements so far.
    pub history: Vec<Measurement>,
}

impl State {
    /// The state before the first epoch.
    pub fn new(parameters: &Parameters) -> Self {
        State {
            epoch: 0,
            adam: AdamW::new(&parameters.values),
            best: parameters.values.clone(),
            best_loss: f64::INFINITY,
            history: Vec::new(),
        }
    }
}

/// Photos for training and for measuring, by their indices.
#[derive(Clone, Copy, Debug)]
pub struct Photos<'a> {
    /// Training photos.
    pub training: &'a [usize],
    /// Validation photos.
    pub validation: &'a [usize],
    /// Labels of all photos.
    pub labels: &'a [usize],
}

/// Called between epochs; training ends where it returns false.
pub type AfterEpoch<'a> = dyn FnMut(&State) -> bool + 'a;

/// Trains from `state` to the last epoch, and leaves the parameters to be used in [`State::best`].
///
/// # Errors
/// [`HeadError::Diverged`].
pub fn train(
    segment: &Segment,
    start: &Parameters,
    state: &mut State,
    (maps, photos): (&Maps<'_>, &Photos<'_>),
    options: &Options,
    after: &mut AfterEpoch<'_>,
) -> Result<(), HeadError> {
    let size = options.batch.min(photos.training.len()).max(1);
    let in_epoch = (photos.training.len() / size).max(1);
    let steps = options.epochs * in_epoch;
    let mut weights = Weights::default();
    let mut groups = vec![Workspace::default(); GROUPS];
    while state.epoch < options.epochs {
        let drawn = batch::draw(
            maps,
            photos.training,
            (options.seed, state.epoch),
            options.mixup,
        );
        let (mut loss, mut right) = (0.0, 0);
        for (number, batch) in drawn.chunks_exact(size).enumerate() {
            let step = state.epoch * in_epoch + number;
            weights.set(segment, &state.adam.values, options.arithmetic);
            let part = size.div_ceil(GROUPS);
            let used = size.div_ceil(part);
            let results: Vec<(f64, usize)> = groups[..used]
                .par_iter_mut()
                .zip(batch.par_chunks(part))
                .map(|(group, mixtures)| {
                    group.learn(segment, &weights, (maps, photos), mixtures, (size, options))
                })
                .collect();
            for (loss_of_group, right_of_group) in results {
                loss += loss_of_group;
                right += right_of_group;
            }
            if !loss.is_finite() {
                return Err(HeadError::Diverged {
                    step,
                    learning_rate: options.rate,
                });
            }
            let gradients: Vec<&[f32]> = groups[..used].iter().map(|g| &*g.gradient).collect();
            let rate = options.rate * schedule(step, steps);
            state.adam.step(start, &gradients, rate, options.decay);
        }
        state.epoch += 1;
        let (validation_loss, validation_accuracy) = measure(
            segment,
            &state.adam.values,
            (maps, photos),
            options.arithmetic,
        );
        state.history.push(Measurement {
            epoch: state.epoch,
            training_loss: loss / (in_epoch * size) as f64,
            training_accuracy: right as f64 / (in_epoch * size) as f64,
            validation_loss,
            validation_accuracy,
        });
        // Without validation photos the last parameters are the best.
        if validation_loss < state.best_loss || validation_loss.is_nan() {
            state.best_loss = validation_loss;
            state.best.clone_from(&state.adam.values);
        }
        if !after(state) {
            return Ok(());
        }
    }
    if !options.choose {
        state.best.clone_from(&state.adam.values);
    }
    Ok(())
}

/// Share of the greatest learning rate at a step.
fn schedule(step: usize, steps: usize) -> f64 {
    let warm = (WARM_UP * steps as f64).max(1.0);
    let at = step as f64;
    if at < warm {
        return (at + 1.0) / warm;
    }
    let done = (at - warm) / (steps as f64 - warm).max(1.0);
    0.5 * (1.0 + (PI * done).cos())
}

impl Workspace {
    /// Runs mixtures forwards and backwards. Returns the sum of their losses, and how many are given
    /// the label of their greater part.
    fn learn(
        &mut self,
        segment: &Segment,
        weights: &Weights,
        (maps, photos): (&Maps<'_>, &Photos<'_>),
        mixtures: &[Mixture],
        (size, options): (usize, &Options),
    ) -> (f64, usize) {
        self.input.resize(mixtures.len() * maps.len, 0.0);
        let inputs = self.input.chunks_exact_mut(maps.len);
        inputs
            .zip(mixtures)
            .for_each(|(input, mixture)| maps.read(mixture, input));
        let labels = segment.labels;
        let mut slopes = self.forward(segment, weights, mixtures.len()).to_vec();
        let (mut loss, mut right) = (0.0, 0);
        for (logits, mixture) in slopes.chunks_exact_mut(labels).zip(mixtures) {
            let mut target = vec![options.smoothing / labels as f32; labels];
            let shares = [mixture.share, 1.0 - mixture.share];
            for (view, share) in mixture.views.into_iter().zip(shares) {
                target[photos.labels[view.photo]] += (1.0 - options.smoothing) * share;
            }
            right += usize::from(argmax(logits) == argmax(&target));
            loss += cross_entropy_slope(logits, &target, 1.0 / size as f32);
        }
        self.backward(segment, weights, &slopes);
        (loss, right)
    }
}

/// Cross entropy of `logits` against `target`; replaces the logits by its gradient times `share`.
fn cross_entropy_slope(logits: &mut [f32], target: &[f32], share: f32) -> f64 {
    let (log_sum, scores) = (log_sum_exp(logits), softmax(logits));
    let mut loss = 0.0;
    for ((logit, &target), score) in logits.iter_mut().zip(target).zip(scores) {
        loss += f64::from(target) * (log_sum - f64::from(*logit));
        *logit = share * (score - target);
    }
    loss
}

/// Mean cross entropy of the validation photos, and the share that is classified correctly.
fn measure(
    segment: &Segment,
    values: &[f32],
    (maps, photos): (&Maps<'_>, &Photos<'_>),
    arithmetic: Arithmetic,
) -> (f64, f64) {
    let logits = run(
        segment,
        values,
        maps,
        photos.validation,
        arithmetic,
        |workspace| workspace.logits().to_vec(),
    );
    let labels = photos.validation.iter().map(|&photo| photos.labels[photo]);
    let labels: Vec<usize> = labels.collect();
    (
        cross_entropy(&logits, &labels).unwrap_or(f64::NAN),
        accuracy(&logits, &labels).unwrap_or(f64::NAN),
    )
}

/// Runs photos as they are, without variation, and concatenates what `of` takes from each pass.
pub fn run(
    segment: &Segment,
    values: &[f32],
    maps: &Maps<'_>,
    photos: &[usize],
    arithmetic: Arithmetic,
    of: impl Fn(&Workspace) -> Vec<f32> + Sync,
) -> Vec<f32> {
    let mut weights = Weights::default();
    weights.set(segment, values, arithmetic);
    let some = |workspace: &mut Workspace, photos: &[usize]| {
        workspace.input.resize(photos.len() * maps.len, 0.0);
        let inputs = workspace.input.chunks_exact_mut(maps.len);
        for (input, &photo) in inputs.zip(photos) {
            let view = View { photo, view: 0 };
            let plain = Mixture {
                views: [view; 2],
                share: 1.0,
            };
            maps.read(&plain, input);
        }
        workspace.forward(segment, &weights, photos.len());
        of(workspace)
    };
    let parts: Vec<Vec<f32>> = photos
        .par_chunks(TOGETHER)
        .map_init(Workspace::default, |workspace, photos| {
            some(workspace, photos)
        })
        .collect();
    parts.concat()
}

#[cfg(test)]
mod tests;
