//! Gain of each trainer over plain logistic regression, split by split:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- finetune-gain [--seeds N] [--sgd] [--try SPEC]... [FILE...]
//! ```
//!
//! For each network (by default those of docs/training.md in the models folder of `POSY_DATA`):
//! test accuracy of the integer pipeline over stable splits 80/10/10 with seeds 1 to N; for
//! logistic regression, with `--sgd` for gradient descent as in `retrain.py` (4,000 steps, rate
//! 0.01, batches of 100), and for each fine-tuning setting given by `--try`. A SPEC lists settings
//! that differ from the defaults, for example `blocks=2,views=4,rate=0.006,epochs=12`; `default`
//! changes nothing; with `head` only the logistic regression is trained, on augmented photos. The
//! output has means of paired differences with standard errors, on validation photos too, which
//! alone may decide between settings. Every split is reported on stderr as it is done.

use std::path::PathBuf;
use std::time::Instant;

use posy::dataset::augment::Recipe;
use posy::dataset::split::{Percentages, Rule};
use posy::eval::stats::Proportion;
use posy::features::progress::Bar;
use posy::retrain::{
    Blocks, FineTuneOptions, Prepared, TrainOptions, Trainer, prepare, prepare_variants, train,
};
use posy::train::logistic::Strength;
use posy::train::observer::Unwatched;
use posy::train::qat::Arithmetic;
use posy::train::sgd;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::preprocess::Filter;
use posy_tests::{data_root, settings};

use crate::{Arguments, Failure};

const NETWORKS: [&str; 4] = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.5_224_quant",
    "mobilenet_v1_0.75_192_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
];

/// Settings of one `--try`.
struct Attempt {
    name: String,
    recipe: Option<Recipe>,
    trainer: Trainer,
}

impl Attempt {
    fn new(spec: &str) -> Result<Self, Failure> {
        let mut options = FineTuneOptions::default();
        let mut head = false;
        for setting in spec.split(',') {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let (recipe, trainer) = (&mut options.recipe, &mut options.trainer);
            match name {
                "default" => {}
                "head" => head = true,
                "blocks" => options.blocks = Blocks::Last(value.parse()?),
                "all" => options.blocks = Blocks::All,
                "time" => options.seconds = value.parse()?,
                "epochs" => options.epochs = Some(value.parse()?),
                "nearest" => options.compensate = false,
                "old-views" => *recipe = Recipe::default(),
                "views" => recipe.count = value.parse()?,
                "flip" => recipe.flip_left_right = value.parse()?,
                "crop" => recipe.random_crop = value.parse()?,
                "scale" => recipe.random_scale = value.parse()?,
                "brightness" => recipe.random_brightness = value.parse()?,
                "aspect" => recipe.random_aspect = value.parse()?,
                "colour" => recipe.random_colour = value.parse()?,
                "camera" => recipe.camera = value.parse()?,
                "batch" => trainer.batch = value.parse()?,
                "rate" => trainer.rate = value.parse()?,
                "head-rate" => trainer.head_rate = value.parse()?,
                "decay" => trainer.decay = value.parse()?,
                "smoothing" => trainer.smoothing = value.parse()?,
                "mixup" => trainer.mixup = value.parse()?,
                "choose" => trainer.choose = true,
                "float" => trainer.arithmetic = Arithmetic::Float,
                "seed" => trainer.seed = value.parse()?,
                _ => return Err(format!("--try {spec}: there is no setting {name}").into()),
            }
        }
        let recipe = head.then_some(options.recipe);
        let trainer = match head {
            true => Trainer::Logistic(Strength::default()),
            false => Trainer::FineTune(options),
        };
        Ok(Attempt {
            name: spec.to_owned(),
            recipe,
            trainer,
        })
    }
}

/// Accuracies in percent: on test photos, on validation photos, and before quantisation on test photos.
type Figures = Vec<(f64, f64, f64)>;

/// Mean and standard error.
fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

fn over_splits(
    name: &str,
    prepared: &Prepared,
    trainer: &Trainer,
    seeds: u64,
) -> Result<(Figures, f64), Failure> {
    let started = Instant::now();
    let percent = |accuracy: Proportion| 100.0 * accuracy.value().unwrap_or(0.0);
    let mut figures = Vec::new();
    for seed in 1..=seeds {
        let rule = Rule::Stable { seed };
        let shares = Percentages::new(10, 10)?;
        let options = TrainOptions::new(rule, shares, trainer.clone());
        let found = train(prepared, &options, &mut Unwatched)?.evaluation;
        figures.push((
            percent(found.accuracy()),
            percent(found.validation_accuracy()),
            found.float_accuracy().map_or(f64::NAN, percent),
        ));
        eprintln!(
            "{name}, split {seed}: {:.2} {:.1} s",
            percent(found.accuracy()),
            started.elapsed().as_secs_f64()
        );
    }
    Ok((figures, started.elapsed().as_secs_f64() / seeds as f64))
}

fn report(name: &str, plain: &Figures, (figures, seconds): (Figures, f64)) {
    let accuracy = mean(figures.iter().map(|f| f.0));
    let paired = || figures.iter().zip(plain);
    let shown = [
        accuracy,
        mean(paired().map(|(a, b)| a.0 - b.0)),
        mean(paired().map(|(a, b)| a.1 - b.1)),
        mean(figures.iter().map(|f| f.0 - f.2)),
    ]
    .map(|(mean, error)| format!("{mean:.2} ({error:.2})"));
    println!("  {name}  {}  {seconds:.1} s", shown.join("  "));
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let (mut seeds, mut with_sgd) = (10, false);
    let mut attempts = Vec::new();
    let mut files = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seeds" => seeds = arguments.next().ok_or("--seeds wants a number")?.parse()?,
            "--sgd" => with_sgd = true,
            "--try" => attempts.push(Attempt::new(
                &arguments.next().ok_or("--try wants a SPEC")?,
            )?),
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if attempts.is_empty() {
        attempts.push(Attempt::new("default")?);
    }
    if files.is_empty() {
        let folder = data_root().join("models");
        files.extend(NETWORKS.map(|name| folder.join(format!("{name}.tflite"))));
    }
    println!("accuracy in %, mean over {seeds} splits (standard error)");
    println!(
        "  trainer  test  test less plain  validation less plain  int8 less float  time a split"
    );
    for path in &files {
        let settings = settings(data_root().join("flower_photos"), Filter::Area, false);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        println!("{name}");
        let backbone = Backbone::read(path, &name)?;
        let mut prepared = prepare(
            &settings,
            backbone,
            &|what| Box::new(Bar::new(what)),
            &mut |_| {},
        )?;
        let logistic = Trainer::Logistic(Strength::default());
        let plain = over_splits("plain", &prepared, &logistic, seeds)?;
        report("plain", &plain.0, plain.clone());
        if with_sgd {
            let trainer = Trainer::Sgd(sgd::Options::default());
            let figures = over_splits("sgd", &prepared, &trainer, seeds)?;
            report("sgd", &plain.0, figures);
        }
        for attempt in &attempts {
            prepared.variants = match attempt.recipe {
                Some(recipe) => {
                    let bar = Bar::new("variants");
                    Some(prepare_variants(&prepared, &settings, recipe, &bar)?)
                }
                None => None,
            };
            let figures = over_splits(&attempt.name, &prepared, &attempt.trainer, seeds)?;
            report(&attempt.name, &plain.0, figures);
        }
    }
    Ok(())
}
