//! Test accuracy over many splits, for every network in a folder:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- accuracy [--seeds N] [--resize area|legacy] [FILE...]
//! ```
//!
//! For each network (by default all quantised ones in the models folder of `POSY_DATA`): test
//! accuracy of the integer pipeline and of the float pipeline over stable splits 80/10/10 with
//! seeds 1 to N; the mean of each, and the mean of their paired differences, with standard errors.
//! Features are cached as by `posy retrain`.

use std::path::{Path, PathBuf};

use posy::dataset::split::{Percentages, Rule};
use posy::features::progress::Bar;
use posy::retrain::{Accuracy, Tested, Trainer, prepare, train};
use posy::train::logistic::Strength;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::preprocess::Filter;
use posy_tests::{data_root, settings};

use crate::{Arguments, Failure};

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

fn networks(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = [folder.to_owned(), folder.join("int8")]
        .iter()
        .filter_map(|folder| folder.read_dir().ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "tflite")
        })
        .collect();
    found.sort();
    found
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let mut seeds = 10;
    let mut filter = Filter::Area;
    let mut files = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seeds" => seeds = arguments.next().ok_or("--seeds wants a number")?.parse()?,
            "--resize" => {
                filter = match arguments.next().as_deref() {
                    Some("area") => Filter::Area,
                    Some("legacy") => Filter::LegacyBilinear,
                    _ => return Err("--resize wants area or legacy".into()),
                }
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if files.is_empty() {
        files = networks(&data_root().join("models"));
    }
    println!("test accuracy in %, mean over {seeds} splits (standard error)");
    println!("network  int8  float  int8 less float");
    for path in &files {
        let settings = settings(data_root().join("flower_photos"), filter, true);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let backbone = Backbone::read(path, &name)?;
        let prepared = prepare(
            &settings,
            backbone,
            &|what| Box::new(Bar::new(what)),
            &mut |_| {},
        )?;
        let (mut int8, mut float, mut difference) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 1..=seeds {
            let rule = Rule::Stable { seed };
            let trainer = Trainer::Logistic(Strength::default());
            let percentages = Percentages::new(10, 10)?;
            let outcome = train(
                &prepared,
                &rule,
                percentages,
                &trainer,
                Tested::ALL,
                &mut |_| {},
            )?;
            let percent = |accuracy: Accuracy| 100.0 * accuracy.share().unwrap_or(0.0);
            int8.push(percent(outcome.int8));
            float.push(outcome.float.map_or(0.0, percent));
            difference.push(int8[int8.len() - 1] - float[float.len() - 1]);
        }
        let shown = [&int8, &float, &difference].map(|values| {
            let (mean, error) = mean(values);
            format!("{mean:.2} ({error:.2})")
        });
        println!("{name}  {}", shown.join("  "));
    }
    Ok(())
}
