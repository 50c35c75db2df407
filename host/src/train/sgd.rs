//! Stochastic gradient descent (SGD) with the procedure of TensorFlow's `retrain.py`, for users who
//! need its behaviour.
//!
//! Weights start as small noise and biases at zero. Each step draws a batch (a random label, then a
//! random photo of it, with replacement, so that labels count equally however many photos they
//! have) and moves against the gradient of the batch's mean softmax cross entropy. Features are
//! used raw, and there is no regularisation. Progress is measured every
//! [`Options::eval_step_interval`] steps and at the last step.

use std::f64::consts::TAU;
use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use posy_nn::graph::head::Head;

use super::metrics::{accuracy, cross_entropy};
use super::objective::Objective;
use super::observer::{Approach, OnMeasured, PARTS, Step, Watch};
use super::{Features, HeadError};

/// Standard deviation of the initial weights, as in `retrain.py`.
const INITIAL_DEVIATION: f64 = 0.001;

/// Maximum number of photos in a batch or a measurement.
const MOST_PHOTOS: usize = 100_000;
/// Maximum number of steps: some hours.
const MOST_STEPS: usize = 10_000_000;
/// Largest learning rate. That of `retrain.py` is 0.01; from 1 on, features of hundreds overshoot.
const LARGEST_RATE: f64 = 1000.0;
/// Logits beyond this are of weights that have overshot: no score can tell them apart.
const LARGEST_LOGIT: f32 = 1000.0;

/// Size of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// All photos of the set (`-1` in `retrain.py`'s options).
    All,
    /// This number of photos, drawn anew each time; above zero.
    Photos(usize),
}

impl Batch {
    /// Parses an option's number: -1 for all, or the number of photos, above zero.
    pub fn from_option(option: &'static str, count: i64) -> Result<Self, HeadError> {
        match usize::try_from(count) {
            _ if count == -1 => Ok(Self::All),
            Ok(photos) if (1..=MOST_PHOTOS).contains(&photos) => Ok(Self::Photos(photos)),
            _ => Err(HeadError::Option {
                option,
                value: count.to_string(),
                must: "from 1 to 100000, or -1 for all photos",
            }),
        }
    }
}

/// Options, with the names and defaults of `retrain.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Number of steps; above zero.
    pub how_many_training_steps: usize,
    /// Learning rate: factor of the gradient in each step; above zero.
    pub learning_rate: f64,
    /// Training batch of a step.
    pub train_batch: Batch,
    /// Validation batch of a measurement.
    pub validation_batch: Batch,
    /// Steps between measurements; above zero.
    pub eval_step_interval: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            how_many_training_steps: 4000,
            learning_rate: 0.01,
            train_batch: Batch::Photos(100),
            validation_batch: Batch::Photos(100),
            eval_step_interval: 10,
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
        let refuse_for = |option, value: String, must| {
            Err(HeadError::Option {
                option,
                value,
                must,
            })
        };
        let refuse = |option, value| refuse_for(option, value, "above zero");
        if self.how_many_training_steps > MOST_STEPS {
            let steps = self.how_many_training_steps.to_string();
            return refuse_for("--how-many-training-steps", steps, "at most 10000000");
        }
        if self.learning_rate > LARGEST_RATE {
            let rate = format!("{:e}", self.learning_rate);
            return refuse_for("--learning-rate", rate, "at most 1000; 0.01 is usual");
        }
        if self.how_many_training_steps == 0 {
            return refuse("--how-many-training-steps", "0".into());
        }
        if self.eval_step_interval == 0 {
            return refuse("--eval-step-interval", "0".into());
        }
        if self.train_batch == Batch::Photos(0) {
            return refuse("--train-batch-size", "0".into());
        }
        if self.validation_batch == Batch::Photos(0) {
            return refuse("--validation-batch-size", "0".into());
        }
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate.is_finite()) {
            return refuse("--learning-rate", rate.to_string());
        }
        Ok(())
    }
}

/// A measurement after one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Step, from 0.
    pub step: usize,
    /// Accuracy on the step's batch, `0..=1`.
    pub train_accuracy: f64,
    /// Mean cross entropy on the step's batch, nats.
    pub cross_entropy: f64,
    /// Measurement on validation photos; `None` if there are none.
    pub validation: Option<ValidationReport>,
}

/// The part of a measurement on validation photos.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidationReport {
    /// Accuracy, `0..=1`.
    pub accuracy: f64,
    /// Mean cross entropy, nats.
    pub cross_entropy: f64,
    /// Number of photos measured.
    pub photos: usize,
}

impl StepReport {
    /// The lines that `retrain.py` logs, without time stamps.
    pub fn lines(&self) -> Vec<String> {
        let step = self.step;
        let mut lines = vec![
            format!(
                "Step {step}: Train accuracy = {:.1}%",
                self.train_accuracy * 100.0
            ),
            format!("Step {step}: Cross entropy = {:.6}", self.cross_entropy),
        ];
        if let Some(validation) = &self.validation {
            lines.push(format!(
                "Step {step}: Validation accuracy = {:.1}% (N={})",
                validation.accuracy * 100.0,
                validation.photos
            ));
        }
        lines
    }
}

impl fmt::Display for StepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Trains a head of `labels` labels; calls `report` with every measurement.
pub fn train(
    training: &Features,
    validation: &Features,
    labels: usize,
    options: &Options,
    report: impl FnMut(&StepReport),
) -> Result<Head, HeadError> {
    let watch = &mut OnMeasured(report);
    train_watched(training, validation, labels, options, watch)
}

/// Like [`train`], and calls `watch` at every step.
///
/// # Errors
/// As [`train`].
pub fn train_watched(
    training: &Features,
    validation: &Features,
    labels: usize,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<Head, HeadError> {
    options.check()?;
    training.check_trainable(labels)?;
    if !validation.is_empty() {
        validation.check_against(training, labels)?;
    }
    watch.begins(training, validation);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let objective = Objective::plain(training, labels);
    let first: Vec<f64> = (0..labels * training.width())
        .map(|_| INITIAL_DEVIATION * truncated_normal(&mut rng))
        .collect();
    let mut parameters = objective.parameters_from(&first);
    let training_photos = Drawer::new(training, labels);
    let validation_photos = Drawer::new(validation, labels);
    let meter = watch.meter();
    let mut approach = Approach::new(&*meter, PARTS);
    for step in 0..options.how_many_training_steps {
        approach.reach(PARTS, (step, options.how_many_training_steps));
        let batch = training_photos.draw(options.train_batch, &mut rng);
        let (loss, gradient) = objective.evaluate(&parameters, &batch, f64::INFINITY);
        for (parameter, slope) in parameters.iter_mut().zip(gradient) {
            *parameter -= options.learning_rate * slope;
        }
        if !loss.is_finite() {
            return Err(HeadError::Diverged {
                step,
                learning_rate: options.learning_rate,
            });
        }
        let last = step + 1 == options.how_many_training_steps;
        let measured = last || step % options.eval_step_interval == 0;
        if watch.follows() {
            watch.stepped(&Step {
                number: step,
                batch: Some(&batch),
                measured,
                head: objective.head(&parameters),
            });
        }
        if measured {
            let head = objective.head(&parameters);
            let (train_accuracy, cross_entropy, _) =
                measure(&head, training, &batch).unwrap_or_default();
            let held_out = validation_photos.draw(options.validation_batch, &mut rng);
            watch.measured(&StepReport {
                step,
                train_accuracy,
                cross_entropy,
                validation: measure(&head, validation, &held_out).map(
                    |(accuracy, cross_entropy, photos)| ValidationReport {
                        accuracy,
                        cross_entropy,
                        photos,
                    },
                ),
            });
        }
    }
    let head = objective.head(&parameters);
    let overshot = |(row, _): (&[f32], usize)| {
        let mut logits = head.logits(row).into_iter();
        logits.any(|logit| logit.is_nan() || logit.abs() > LARGEST_LOGIT)
    };
    match training.rows().any(overshot) {
        true => Err(HeadError::Diverged {
            step: options.how_many_training_steps - 1,
            learning_rate: options.learning_rate,
        }),
        false => Ok(head),
    }
}

/// Accuracy, mean cross entropy and number of the photos `batch`; `None` without photos.
fn measure(head: &Head, features: &Features, batch: &[usize]) -> Option<(f64, f64, usize)> {
    let logits: Vec<f32> = batch
        .iter()
        .flat_map(|&photo| head.logits(features.row(photo)))
        .collect();
    let labels: Vec<usize> = batch.iter().map(|&i| features.labels()[i]).collect();
    Some((
        accuracy(&logits, &labels)?,
        cross_entropy(&logits, &labels)?,
        batch.len(),
    ))
}

/// Draws batches from a set.
struct Drawer {
    photos: usize,
    /// Indices of the photos of each label with any.
    by_label: Vec<Vec<usize>>,
}

impl Drawer {
    fn new(features: &Features, labels: usize) -> Self {
        let mut by_label = vec![Vec::new(); labels];
        for (photo, &label) in features.labels().iter().enumerate() {
            by_label[label].push(photo);
        }
        by_label.retain(|photos| !photos.is_empty());
        Self {
            photos: features.len(),
            by_label,
        }
    }

    fn draw(&self, batch: Batch, rng: &mut ChaCha8Rng) -> Vec<usize> {
        match batch {
            _ if self.by_label.is_empty() => Vec::new(),
            Batch::All => (0..self.photos).collect(),
            Batch::Photos(count) => (0..count)
                .map(|_| {
                    let photos = &self.by_label[rng.random_range(0..self.by_label.len())];
                    photos[rng.random_range(0..photos.len())]
                })
                .collect(),
        }
    }
}

/// A truncated normal deviate (Box and Muller, Ann. Math. Statist. 29, 1958), drawn again beyond
/// two standard deviations, as TensorFlow's `truncated_normal` does.
fn truncated_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let radius: f64 = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let deviate = radius * (TAU * rng.random::<f64>()).cos();
        if deviate.abs() <= 2.0 {
            return deviate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two features; label 0 where the first is greater, else label 1; label 1 is rare.
    fn two_labels() -> Features {
        let values = (0..40).flat_map(|i| match i {
            0..4 => [0.2 + i as f32 * 0.1, 2.0],
            _ => [2.0, 0.1 + i as f32 * 0.02],
        });
        let labels = (0..40).map(|i| usize::from(i < 4)).collect();
        Features::new(2, values.collect(), labels).unwrap()
    }

    fn run(options: &Options) -> (Head, Vec<StepReport>) {
        let features = two_labels();
        let mut reports = Vec::new();
        let head = train(&features, &features, 2, options, |report| {
            reports.push(report.clone());
        });
        (head.unwrap(), reports)
    }

    #[test]
    fn steps_are_reported_as_retrain_py_does() {
        let (_, reports) = run(&Options {
            how_many_training_steps: 25,
            ..Options::default()
        });
        let steps: Vec<usize> = reports.iter().map(|report| report.step).collect();
        assert_eq!(steps, [0, 10, 20, 24]);
        let report = StepReport {
            step: 10,
            train_accuracy: 0.65,
            cross_entropy: 2.566_831_2,
            validation: Some(ValidationReport {
                accuracy: 0.56,
                cross_entropy: 0.0,
                photos: 100,
            }),
        };
        assert_eq!(
            report.to_string(),
            "Step 10: Train accuracy = 65.0%\nStep 10: Cross entropy = 2.566831\n\
             Step 10: Validation accuracy = 56.0% (N=100)"
        );
    }

    #[test]
    fn learns_and_is_reproducible() {
        let options = Options {
            how_many_training_steps: 300,
            learning_rate: 0.1,
            validation_batch: Batch::All,
            ..Options::default()
        };
        let (head, reports) = run(&options);
        let last = reports.last().unwrap();
        let validation = last.validation.as_ref().unwrap();
        assert_eq!((validation.accuracy, validation.photos), (1.0, 40));
        assert!(last.cross_entropy < 0.5 * reports[0].cross_entropy);
        assert_eq!(run(&options), (head.clone(), reports));
        let other = run(&Options { seed: 1, ..options });
        assert_ne!(other.0, head);
    }

    /// One step over all photos from known weights, by hand: with all logits equal the residual is
    /// 1/2 - [label], so the bias of the rare label moves by -rate (1/2 - 4/40).
    #[test]
    fn a_step_goes_down_the_mean_gradient() {
        let (head, _) = run(&Options {
            how_many_training_steps: 1,
            learning_rate: 1.0,
            train_batch: Batch::All,
            ..Options::default()
        });
        assert!((head.bias[1] + 0.4).abs() < 0.01, "{:?}", head.bias);
        assert!((head.bias[0] - 0.4).abs() < 0.01, "{:?}", head.bias);
    }

    #[test]
    fn rare_labels_are_drawn_as_often() {
        let features = two_labels();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let batch = Drawer::new(&features, 2).draw(Batch::Photos(4000), &mut rng);
        let rare = batch.iter().filter(|&&photo| photo < 4).count();
        assert!((1800..2200).contains(&rare), "{rare}");
    }

    #[test]
    fn first_weights_are_truncated_noise() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let drawn: Vec<f64> = (0..20_000).map(|_| truncated_normal(&mut rng)).collect();
        assert!(drawn.iter().all(|x| x.abs() <= 2.0));
        let square = drawn.iter().map(|x| x * x).sum::<f64>() / drawn.len() as f64;
        // Variance of a normal truncated at two: 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.7737.
        assert!((square - 0.7737).abs() < 0.02, "{square}");
    }

    #[test]
    fn bad_options_and_divergence_are_named() {
        assert_eq!(Batch::from_option("x", -1), Ok(Batch::All));
        assert_eq!(Batch::from_option("x", 7), Ok(Batch::Photos(7)));
        assert!(Batch::from_option("x", 0).is_err());
        assert!(Batch::from_option("x", -2).is_err());
        assert!(Batch::from_option("x", 999_999_999_999).is_err());
        let features = two_labels();
        let with = |options: Options| train(&features, &features, 2, &options, |_| {});
        assert!(matches!(
            with(Options {
                eval_step_interval: 0,
                ..Options::default()
            }),
            Err(HeadError::Option { .. })
        ));
        // Features of hundreds, as networks have them.
        let values = features
            .rows()
            .flat_map(|(row, _)| row.iter().map(|value| value * 100.0));
        let large = Features::new(2, values.collect(), features.labels().to_vec()).unwrap();
        let options = Options {
            learning_rate: 1000.0,
            ..Options::default()
        };
        let overshot = train(&large, &large, 2, &options, |_| {});
        assert!(matches!(overshot, Err(HeadError::Diverged { .. })));
        let options = Options {
            learning_rate: 1e30,
            ..Options::default()
        };
        assert!(matches!(with(options), Err(HeadError::Option { .. })));
    }
}
