//! Options of training: trainer and hyperparameters of the last layer.

use clap::{Args, ValueEnum};

use super::augmentation::VariantArguments;
use crate::cli::{Failure, usage};
use crate::report::events::Hparam;
use crate::retrain::{Blocks, TestSet, Trainer};
use crate::train::sgd::Batch;
use crate::train::{HeadError, logistic, sgd};

/// The only output name that graphs have, as in the codelab.
const TENSOR: &str = "final_result";

#[derive(Debug, Args)]
pub(super) struct TrainingArguments {
    /// Training method of the last layer alone [default: fine-tuning, or sgd if its steps or learning
    /// rate are given].
    #[arg(long, value_enum)]
    trainer: Option<TrainerName>,
    /// Train the network's last blocks too, beside its last layer: how many of them, all, none, or auto
    /// for as many as there is time for [default: auto, where each label has 20 training photos and there
    /// are 40 validation photos].
    #[arg(long, alias = "fine_tune", value_name = "BLOCKS", value_parser = blocks)]
    fine_tune: Option<FineTune>,
    /// Train the last layer alone; the same as --fine-tune none.
    #[arg(long, alias = "head_only", conflicts_with = "fine_tune")]
    head_only: bool,
    /// Seconds that fine-tuning may take on two cores of a laptop, after the features. They become a
    /// number of multiplications, so that every machine does the same work.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    time: u32,
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
    /// Fine-tuning of the network's last block: --fine-tune 1.
    #[value(hide = true)]
    Adjust,
    /// Fine-tuning: see --fine-tune.
    #[value(skip)]
    FineTune,
}

/// Value of `--fine-tune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FineTune {
    /// The last layer alone.
    None,
    /// Blocks and the last layer.
    Blocks(Blocks),
}

fn blocks(text: &str) -> Result<FineTune, String> {
    Ok(match text {
        "none" | "0" => FineTune::None,
        "all" => FineTune::Blocks(Blocks::All),
        "auto" => FineTune::Blocks(Blocks::Auto),
        number => match number.parse() {
            Ok(number @ 1..=99) => FineTune::Blocks(Blocks::Last(number)),
            _ => return Err("must be a number of blocks, all, none or auto".into()),
        },
    })
}

/// Fine-tuning where no option says anything of it.
const USUAL: FineTune = FineTune::Blocks(Blocks::Auto);

impl TrainingArguments {
    /// The named trainer, or the one that the other options imply.
    fn name(&self) -> TrainerName {
        let stepwise = self.how_many_training_steps.is_some() || self.learning_rate.is_some();
        self.trainer
            .unwrap_or(match (stepwise, self.fine_tuning()) {
                (true, _) => TrainerName::Sgd,
                (false, FineTune::None) => TrainerName::Logistic,
                (false, FineTune::Blocks(_)) => TrainerName::FineTune,
            })
    }

    /// Blocks that are fine-tuned.
    fn fine_tuning(&self) -> FineTune {
        match (self.trainer, self.head_only) {
            (Some(TrainerName::Adjust), _) => FineTune::Blocks(Blocks::Last(1)),
            (_, true) => FineTune::None,
            _ => self.fine_tune.unwrap_or(USUAL),
        }
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
        let blocks = match self.fine_tuning() {
            FineTune::Blocks(blocks) => blocks,
            FineTune::None => Blocks::Auto,
        };
        let fine_tuning = variants.fine_tuning(blocks, self.time, self.seed);
        fine_tuning.trainer.check().map_err(usage)?;
        Ok(match self.name() {
            TrainerName::Logistic => Trainer::Logistic(logistic::Strength::default()),
            TrainerName::Sgd => Trainer::Sgd(options),
            TrainerName::Adjust | TrainerName::FineTune => Trainer::FineTune(fine_tuning),
        })
    }

    /// Selection of test photos.
    pub(super) fn test_set(&self) -> Result<TestSet, HeadError> {
        Ok(TestSet {
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
