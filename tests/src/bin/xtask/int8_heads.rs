//! Compares heads in int8 with the same heads in floating point, on the same features:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- int8-heads [--seeds N] [--set SET]... [--per-label N]
//!     [--sgd] [FILE...]
//! ```
//!
//! For each set of photos and each network (by default v1 0.25_128, 0.50_128 and 0.50_224): test
//! accuracy of the trained float head and of the int8 head that a board runs, over stable splits
//! 80/10/10 with seeds 1 to N (10); the mean of their paired differences with its standard error;
//! and the number of test photos that the two label differently. Sets, by default the first four of
//! these, are made from the photos in `flower_photos` of `POSY_DATA`, and kept as PNG files in
//! posy's cache folder:
//!
//! - `flowers`: unchanged;
//! - `contrast:0.08`, `contrast:0.05`, or another number c: every value p becomes
//!   `round(200 + c (p - 128))`, so that little but a plain grey is left;
//! - `tints:4`, or another number: every photo in this many tints, each with a label of its own;
//! - `contrast:C+tints:N`: both.
//!
//! `--per-label` limits the photos of each label; `--sgd` trains as the codelab does.

use std::fs;
use std::path::{Path, PathBuf};

use posy::dataset::split::{Percentages, Rule};
use posy::features::progress::Bar;
use posy::retrain::{Prepared, TrainOptions, TrainedModel, Trainer, prepare, train};
use posy::train::logistic::Strength;
use posy::train::metrics::argmax;
use posy::train::observer::Unwatched;
use posy::train::sgd;
use posy_nn::dirs::cache_dir;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::preprocess::Filter;
use posy_tests::plain::Alteration;
use posy_tests::{data_root, settings};
use rayon::prelude::*;

use crate::{Arguments, Failure};

const SETS: [&str; 4] = ["flowers", "contrast:0.08", "contrast:0.05", "tints:4"];

const NETWORKS: [&str; 3] = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.5_128_quant",
    "mobilenet_v1_0.5_224_quant",
];

/// Photos of a folder, sorted by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = folder
        .read_dir()
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    found.sort();
    Ok(found)
}

/// Makes the photos of a set unless they exist. Returns their folder.
fn made(set: &str, per_label: usize) -> Result<PathBuf, Failure> {
    let alteration = Alteration::named(set).ok_or(format!("no set is called {set:?}"))?;
    let source = data_root().join("flower_photos");
    if alteration == Alteration::NONE && per_label == usize::MAX {
        return Ok(source);
    }
    let name = match per_label {
        usize::MAX => set.replace([':', '+'], "_"),
        count => format!("{}_{count}", set.replace([':', '+'], "_")),
    };
    let root = cache_dir().join("sets").join(name);
    for label in files(&source)?.iter().filter(|path| path.is_dir()) {
        let label_name = label.file_name().unwrap_or_default().to_string_lossy();
        let photos: Vec<PathBuf> = files(label)?.into_iter().take(per_label).collect();
        for tint in 0..alteration.tints {
            let folder = match alteration.tints {
                1 => root.join(&*label_name),
                _ => root.join(format!("{label_name} {tint}")),
            };
            fs::create_dir_all(&folder)?;
            photos
                .par_iter()
                .try_for_each(|path| -> Result<(), Failure> {
                    let stem = path.file_stem().unwrap_or_default();
                    let target = folder.join(stem).with_extension("png");
                    if target.exists() {
                        return Ok(());
                    }
                    let photo = image::open(path)?.to_rgb8();
                    // Renamed when complete, so that an interrupted run leaves no partial photo.
                    let partial = target.with_extension("partial");
                    alteration
                        .of(&photo, tint)
                        .save_with_format(&partial, image::ImageFormat::Png)?;
                    Ok(fs::rename(&partial, &target)?)
                })?;
        }
    }
    Ok(root)
}

/// Number of test photos in a split, and of those that each head labels correctly.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    photos: usize,
    float: usize,
    int8: usize,
    differing: usize,
}

fn count(prepared: &Prepared, outcome: &TrainedModel) -> Counts {
    let mut counts = Counts::default();
    for found in &outcome.evaluation.predictions {
        let features = prepared.int8_features.row(found.photo);
        let float = argmax(&outcome.heads.real.logits(features));
        counts.photos += 1;
        counts.float += usize::from(float == found.truth);
        counts.int8 += usize::from(found.is_right());
        counts.differing += usize::from(float != found.likeliest);
    }
    counts
}

/// Mean and standard error.
fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

fn compare(path: &Path, folder: &Path, trainer: &Trainer, seeds: u64) -> Result<String, Failure> {
    let settings = settings(folder.to_owned(), Filter::Area, false);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let backbone = Backbone::read(path, &name)?;
    let progress = |what: &'static str| Box::new(Bar::new(what)) as Box<_>;
    let prepared = prepare(&settings, backbone, &progress, &mut |_| {})?;
    let mut splits = Vec::new();
    for seed in 1..=seeds {
        let rule = Rule::Stable { seed };
        let shares = Percentages::new(10, 10)?;
        let options = TrainOptions::new(rule, shares, trainer.clone());
        let outcome = train(&prepared, &options, &mut Unwatched)?;
        splits.push(count(&prepared, &outcome));
    }
    let percent = |part: fn(&Counts) -> f64| {
        let shares = splits
            .iter()
            .map(|split| 100.0 * part(split) / split.photos as f64);
        let (mean, error) = mean(shares);
        format!("{mean:.2} ({error:.2})")
    };
    Ok(format!(
        "{name}  {}  {}  {}  {}",
        percent(|split| split.float as f64),
        percent(|split| split.int8 as f64),
        percent(|split| split.int8 as f64 - split.float as f64),
        percent(|split| split.differing as f64),
    ))
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let (mut seeds, mut per_label) = (10, usize::MAX);
    let mut trainer = Trainer::Logistic(Strength::default());
    let (mut sets, mut networks) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seeds" => seeds = value()?.parse()?,
            "--per-label" => per_label = value()?.parse()?,
            "--set" => sets.push(value()?),
            "--sgd" => trainer = Trainer::Sgd(sgd::Options::default()),
            _ => networks.push(PathBuf::from(argument)),
        }
    }
    if sets.is_empty() {
        sets = SETS.map(String::from).into();
    }
    if networks.is_empty() {
        let folder = data_root().join("models");
        networks = NETWORKS
            .map(|name| folder.join(format!("{name}.tflite")))
            .into();
    }
    println!("test accuracy in %, mean over {seeds} splits (standard error)");
    println!("network  float head  int8 head  int8 less float  named differently");
    for set in &sets {
        let folder = made(set, per_label)?;
        println!("{set}");
        for path in &networks {
            println!("  {}", compare(path, &folder, &trainer, seeds)?);
        }
    }
    Ok(())
}
