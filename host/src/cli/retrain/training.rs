//! Options of training: trainer and hyperparameters of the last layer.

use clap::{Args, ValueEnum};

use super::augmentation::VariantArguments;
use crate::cli::{Failure, usage};
use crate::report::events::Hparam;
use crate::retrain::{Tested, Trainer};
use crate::train::sgd::Batch;
use crate::train::{HeadError, logistic, sgd};

/// The only output name that graphs have, as in the codelab.
const TENSOR: &str = "final_result";

#[derive(Debug, Args)]
pub(super) struct TrainingArguments {
    /// Training method of the last layer [default: logistic, or sgd if its steps or learning rate
    /// are given].
    #[arg(long, value_enum)]
    trainer: Option<TrainerName>,
    /// Training steps of --trainer sgd, one batch of photos each [default: 4000].
    #[arg(long, alias = "how_many_training_steps", value_name = "STEPS")]
    how_many_training_steps: Option<usize>,
    /// Learning rate of --trainer sgd: too small is slow, too large overshoots [default: 0.01].
    #[arg(long, alias = "learning_rate", value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Photos per batch of --trainer sgd; -1 for all.
    #[arg(
        long,
        alias = "train_batch_size",
        value_name = "PHOTOS",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    train_batch_size: i64,
    /// Photos per measurement of --trainer sgd; -1 for all.
    #[arg(
        long,
        alias = "validation_batch_size",
        value_name = "PHOTOS",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    validation_batch_size: i64,
    /// Test photos, drawn at random; -1, or more than there are, for all.
    #[arg(
        long,
        alias = "test_batch_size",
        value_name = "PHOTOS",
        default_value_t = -1,
        allow_negative_numbers = true
    )]
    test_batch_size: i64,
    /// Steps between measurements of --trainer sgd.
    #[arg(
        long,
        alias = "eval_step_interval",
        value_name = "STEPS",
        default_value_t = 10
    )]
    eval_step_interval: usize,
    /// Seed of all random draws in training and testing.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Name of the output in a .pb file; only final_result is supported.
    #[arg(long, alias = "final_tensor_name", value_name = "NAME", default_value = TENSOR)]
    final_tensor_name: String,
    /// Steps between intermediate graphs; only 0, because training takes seconds and none is
    /// written.
    #[arg(
        long,
        alias = "intermediate_store_frequency",
        value_name = "STEPS",
        default_value_t = 0
    )]
    intermediate_store_frequency: u64,
    /// Folder for intermediate graphs; not used, because none is written.
    #[arg(long, alias = "intermediate_output_graphs_dir", value_name = "FOLDER")]
    intermediate_output_graphs_dir: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TrainerName {
    /// Logistic regression solved to convergence, with regularisation chosen on the validation
    /// photos.
    Logistic,
    /// Stochastic gradient descent, as in retrain.py.
    Sgd,
    /// Fine-tuning of the network's last pointwise layer together with the head, on augmented
    /// photos.
    Adjust,
}

impl TrainingArguments {
    /// The named trainer, or the one that the other options imply.
    fn name(&self) -> TrainerName {
        let stepwise = self.how_many_training_steps.is_some() || self.learning_rate.is_some();
        self.trainer.unwrap_or(match stepwise {
            true => TrainerName::Sgd,
            false => TrainerName::Logistic,
        })
    }

    /// Options of stochastic gradient descent.
    fn sgd(&self) -> Result<sgd::Options, HeadError> {
        let defaults = sgd::Options::default();
        let options = sgd::Options {
            how_many_training_steps: self
                .how_many_training_steps
                .unwrap_or(defaults.how_many_training_steps),
            learning_rate: self.learning_rate.unwrap_or(defaults.learning_rate),
            train_batch: Batch::from_option("--train-batch-size", self.train_batch_size)?,
            validation_batch: Batch::from_option(
                "--validation-batch-size",
                self.validation_batch_size,
            )?,
            eval_step_interval: self.eval_step_interval,
            seed: self.seed,
        };
        options.check()?;
        Ok(options)
    }

    /// The trainer. Options are checked even if the chosen trainer does not use them.
    pub(super) fn trainer(&self, variants: &VariantArguments) -> Result<Trainer, Failure> {
        if self.final_tensor_name != TENSOR {
            return Err(usage(format!(
                "--final-tensor-name {}: the output is always called {TENSOR}; leave the option out",
                self.final_tensor_name
            )));
        }
        if self.intermediate_store_frequency != 0 {
            return Err(usage(format!(
                "--intermediate-store-frequency {}: no intermediate graphs are written; leave the \
                 option out",
                self.intermediate_store_frequency
            )));
        }
        let options = self.sgd().map_err(usage)?;
        let adjustment = variants.adjustment(self.seed);
        adjustment.check().map_err(usage)?;
        Ok(match self.name() {
            TrainerName::Logistic => Trainer::Logistic(logistic::Strength::default()),
            TrainerName::Sgd => Trainer::Sgd(options),
            TrainerName::Adjust => Trainer::Adjust(adjustment),
        })
    }

    /// Selection of test photos.
    pub(super) fn tested(&self) -> Result<Tested, HeadError> {
        Ok(Tested {
            batch: Batch::from_option("--test-batch-size", self.test_batch_size)?,
            seed: self.seed,
        })
    }

    /// Hyperparameters for TensorBoard's table of runs.
    pub(super) fn hparams(&self) -> Vec<(&'static str, Hparam)> {
        let name = self.name();
        let word = format!("{name:?}").to_lowercase();
        let mut hparams = vec![
            ("trainer", Hparam::Text(word)),
            ("seed", Hparam::Number(self.seed as f64)),
        ];
        if let (TrainerName::Sgd, Ok(options)) = (name, self.sgd()) {
            hparams.extend([
                (
                    "how_many_training_steps",
                    Hparam::Number(options.how_many_training_steps as f64),
                ),
                ("learning_rate", Hparam::Number(options.learning_rate)),
                (
                    "train_batch_size",
                    Hparam::Number(self.train_batch_size as f64),
                ),
            ]);
        }
        hparams
    }
}
