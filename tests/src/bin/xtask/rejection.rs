//! Rejection of out-of-distribution photos, and calibration of scores:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- rejection [--seeds N] [--by distance|score]
//!     [--percentage P] [--only unknown|calibration] [--fine-tune] [FILE...]
//! ```
//!
//! With `--fine-tune` the last blocks are trained, as by default in `posy retrain`, else the head alone.
//!
//! For each network (by default the four of the table in `docs/unknown.md`) and the photos in
//! `flower_photos` of `POSY_DATA`, over stable splits 80/10/10 with seeds 1 to N (by default 3 for
//! the first table and 30 for the second):
//!
//! - Each label in turn is left out of training. At the threshold stored in the model: the share of
//!   test photos of the other labels that are called unknown, and the share of photos of the omitted
//!   label that are given a label. Without a threshold the latter is 100%.
//! - With all labels: the expected calibration error of the test photos' scores, without and with
//!   the model's temperature. Given are the error over the test photos of all splits together, the
//!   error that perfectly calibrated scores would have by chance with as many photos, and the error
//!   less that of chance; and the mean over splits of each split's own error.

use std::path::PathBuf;

use posy::dataset::decode::decode;
use posy::dataset::split::{Percentages, Rule};
use posy::eval::stats::Proportion;
use posy::eval::{Options, Rejection, Reliability};
use posy::features::progress::Bar;
use posy::retrain::{
    FineTuneOptions, Prepared, TrainOptions, TrainedModel, Trainer, prepare, train,
};
use posy::train::Features;
use posy::train::logistic::Strength;
use posy::train::observer::Unwatched;
use posy_nn::run::Runner;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::Model;
use posy_shared::preprocess::Filter;
use posy_shared::ranking::Ranking;
use posy_tests::{data_root, settings};
use rayon::prelude::*;

use crate::{Arguments, Failure};

const NETWORKS: [&str; 4] = [
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_0.5_224_quant",
    "mobilenet_v1_0.75_192_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
];

/// Photos of all labels but one, and the paths of that one's photos.
fn without(prepared: &Prepared, label: usize) -> Result<(Prepared, Vec<PathBuf>), Failure> {
    let photos = &prepared.dataset.photos;
    let (kept, out): (Vec<usize>, Vec<usize>) =
        (0..photos.len()).partition(|&photo| photos[photo].label != label);
    let mut dataset = prepared.dataset.clone();
    dataset.labels.remove(label);
    dataset.photos = kept.iter().map(|&photo| photos[photo].clone()).collect();
    for photo in &mut dataset.photos {
        photo.label -= usize::from(photo.label > label);
    }
    let rows = |photos: &[usize]| -> Vec<Vec<i8>> {
        let rows = photos.iter();
        rows.map(|&photo| prepared.int8[photo].clone()).collect()
    };
    let all = prepared.int8_features.select(&kept);
    let labels = dataset.photos.iter().map(|photo| photo.label).collect();
    let int8_features = Features::new(all.width(), all.values().to_vec(), labels)?;
    let known = Prepared {
        backbone: prepared.backbone.clone(),
        input: prepared.input,
        dataset,
        int8: rows(&kept),
        int8_features,
        float_features: None,
        skipped: Vec::new(),
        counts: prepared.counts,
        variants: None,
        cache: prepared.cache.clone(),
    };
    let paths = out.iter().map(|&photo| photos[photo].path.clone());
    let paths = paths.collect();
    Ok((known, paths))
}

fn outcome(
    prepared: &Prepared,
    seed: u64,
    (answers, fine_tune): (Options, bool),
) -> Result<TrainedModel, Failure> {
    let trainer = match fine_tune {
        true => Trainer::FineTune(FineTuneOptions::default()),
        false => Trainer::Logistic(Strength::default()),
    };
    let rule = Rule::Stable { seed };
    let options = TrainOptions {
        answers,
        ..TrainOptions::new(rule, Percentages::new(10, 10)?, trainer)
    };
    Ok(train(prepared, &options, &mut Unwatched)?)
}

fn add(sum: &mut Proportion, more: Proportion) {
    sum.part += more.part;
    sum.whole += more.whole;
}

/// Percent with one digit, without its sign.
fn percent(share: Proportion) -> String {
    format!("{:.1}", 100.0 * share.value().unwrap_or(0.0))
}

fn rejection(
    prepared: &Prepared,
    name: &str,
    seeds: u64,
    verdict: (Options, bool),
) -> Result<(), Failure> {
    let (mut rejected, mut accepted) = (Proportion::default(), Proportion::default());
    let mut cells = Vec::new();
    for label in 0..prepared.dataset.labels.len() {
        let (known, others) = without(prepared, label)?;
        let (mut of_known, mut of_others) = (Proportion::default(), Proportion::default());
        for seed in 1..=seeds {
            let outcome = outcome(&known, seed, verdict)?;
            add(&mut of_known, outcome.evaluation.unknown.rejected);
            let runner = Runner::new(Model::read(&outcome.whole)?);
            let unknown = |path: &PathBuf| -> Result<bool, Failure> {
                let photo = decode(&std::fs::read(path)?)?;
                let outputs = runner.output(&photo)?;
                Ok(Ranking::<1>::new(runner.model(), &outputs).is_unknown())
            };
            let unknown: Vec<bool> = others.par_iter().map(unknown).collect::<Result<_, _>>()?;
            let accepted = unknown.iter().filter(|unknown| !**unknown).count();
            add(&mut of_others, Proportion::new(accepted, unknown.len()));
        }
        let both = format!("{} / {}", percent(of_known), percent(of_others));
        cells.push(both);
        add(&mut rejected, of_known);
        add(&mut accepted, of_others);
    }
    cells.push(format!("{} / {}", percent(rejected), percent(accepted)));
    println!("| {name} | {} |", cells.join(" | "));
    Ok(())
}

fn calibration(
    prepared: &Prepared,
    name: &str,
    seeds: u64,
    verdict: (Options, bool),
) -> Result<(), Failure> {
    let mut pooled = [Reliability::default(); 2];
    let mut plain = [0.0; 2];
    let mut chance = [0.0; 2];
    let mut temperatures = 0.0;
    let mut known = Proportion::default();
    for seed in 1..=seeds {
        let outcome = outcome(prepared, seed, verdict)?;
        temperatures += outcome.decision.temperature / seeds as f64;
        add(&mut known, outcome.evaluation.unknown.rejected);
        for (which, reliability) in outcome.evaluation.reliability.iter().enumerate() {
            pooled[which].add(reliability);
            plain[which] += reliability.expected_error().unwrap_or(0.0) / seeds as f64;
            chance[which] += reliability.error_by_chance().unwrap_or(0.0) / seeds as f64;
        }
    }
    let shown = |pair: [f64; 2]| format!("{:.1} / {:.1}", 100.0 * pair[0], 100.0 * pair[1]);
    let of = |of: fn(&Reliability) -> Option<f64>| shown(pooled.map(|r| of(&r).unwrap_or(0.0)));
    println!(
        "| {name} | {temperatures:.2} | {} | {} | {} | {} | {} | {} |",
        of(Reliability::expected_error),
        of(Reliability::error_by_chance),
        of(Reliability::debiased_error),
        shown(plain),
        shown(chance),
        percent(known)
    );
    Ok(())
}

pub fn run(mut arguments: Arguments) -> Result<(), Failure> {
    let mut seeds = None;
    let (mut verdict, mut fine_tune) = (Options::default(), false);
    let (mut tables, mut files) = ([true; 2], Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seeds" => seeds = Some(value()?.parse()?),
            "--only" => {
                tables = match value()?.as_str() {
                    "unknown" => [true, false],
                    "calibration" => [false, true],
                    _ => return Err("--only wants unknown or calibration".into()),
                }
            }
            "--fine-tune" => fine_tune = true,
            "--percentage" => verdict.rejected = value()?.parse::<f64>()? / 100.0,
            "--by" => {
                verdict.rejection = match value()?.as_str() {
                    "distance" => Rejection::Distance,
                    "score" => Rejection::Score,
                    _ => return Err("--by wants distance or score".into()),
                }
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    if files.is_empty() {
        let folder = data_root().join("models");
        files = NETWORKS
            .iter()
            .map(|name| folder.join(format!("{name}.tflite")))
            .collect();
    }
    let mut all = Vec::new();
    for path in &files {
        let settings = settings(data_root().join("flower_photos"), Filter::Area, false);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let backbone = Backbone::read(path, &name)?;
        let progress = |what| Box::new(Bar::new(what)) as Box<_>;
        all.push((name, prepare(&settings, backbone, &progress, &mut |_| {})?));
    }
    if tables[0] {
        let count = seeds.unwrap_or(3);
        let first = all.first().map(|(_, prepared)| prepared);
        let labels = first.map_or(&[][..], |prepared| &prepared.dataset.labels);
        println!(
            "In %, of test photos of the labels called unknown / of photos of the label taken"
        );
        println!("out given a label; {count} splits\n");
        println!("| network | {} | all |", labels.join(" | "));
        println!("|---|{}---|", "---|".repeat(labels.len()));
        for (name, prepared) in &all {
            rejection(prepared, name, count, (verdict, fine_tune))?;
        }
        println!();
    }
    if tables[1] {
        let count = seeds.unwrap_or(30);
        println!(
            "Expected calibration error on test photos in %, before / after; {count} splits\n"
        );
        println!(
            "| network | temperature | together | by chance alone | together, less chance | mean | \
             by chance alone | called unknown |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (name, prepared) in &all {
            calibration(prepared, name, count, (verdict, fine_tune))?;
        }
    }
    Ok(())
}
