//! Recall of `posy check` on planted faults:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- label-noise [--seeds N] [ARCHITECTURE...]
//! ```
//!
//! For each architecture (by default the command's own) and each of the seeds 1 to N (by default
//! 5): photos under a wrong label among the first 30 suspects, of 20; altered copies under another
//! label that are found, of 10; false pairs; odd files that are missed.
//!
//! Also measures time and memory for many photos or labels:
//!
//! ```text
//! cargo run --release -p posy-tests --bin xtask -- label-noise scale frames|different|labels [COUNT] [ARCHITECTURE]
//! ```
//!
//! `frames` are frames of a camera that does not move (by default 6,000), `different` are pictures
//! that are all different (30,000), `labels` are labels of 30 pictures each (1,000): small
//! synthetic pictures. Measured is `posy retrain` with its defaults, then from its cache without
//! the float network, without and with its check.

use std::path::Path;

use posy_tests::scale::{Set, measure};
use posy_tests::scratch::{ARCHITECTURE, Scratch};
use posy_tests::{data, planted};

use crate::{Arguments, Failure};

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut seeds = 5;
    let mut architectures = Vec::new();
    let mut arguments = arguments.peekable();
    if arguments.next_if_eq("scale").is_some() {
        return scale(&arguments.collect::<Vec<_>>());
    }
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seeds" => seeds = arguments.next().ok_or("--seeds wants a number")?.parse()?,
            _ => architectures.push(argument),
        }
    }
    if architectures.is_empty() {
        architectures.push("mobilenet_0.50_224".into());
    }
    let flowers = data("planted", "flower_photos").ok_or("there are no photos")?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
    let cache = Scratch::new();
    for architecture in &architectures {
        let mut total = (0, 0);
        for seed in 1..=seeds {
            let scratch = Scratch::new();
            let planted = planted::plant(&flowers, &scratch.join("photos"), &fixtures, seed);
            let mut command = scratch.command(["check", "--json", "photos", "--architecture"]);
            command
                .arg(architecture)
                .arg("--bottleneck-dir")
                .arg(cache.path());
            let outcome = posy_tests::scratch::Outcome::of(command);
            let report = outcome.json();
            let judgement = planted.judge(&report);
            println!(
                "{architecture} seed {seed}: {} of 20 among the first 30 of {} suspects; {} of 10 \
                 copies, missed {:?}; other pairs {:?}; not named {:?}",
                judgement.suspected,
                judgement.suspects,
                judgement.copies,
                judgement.missed,
                judgement.false_pairs,
                planted.unnamed(&report)
            );
            total = (total.0 + judgement.suspected, total.1 + judgement.copies);
        }
        let mean = |sum: usize| sum as f64 / f64::from(seeds as u32);
        println!(
            "{architecture}: mean of {seeds} seeds: {:.1} of 20 suspected, {:.1} of 10 copies found",
            mean(total.0),
            mean(total.1)
        );
    }
    Ok(())
}

/// Prints time and memory of `retrain` on a large set.
fn scale(arguments: &[String]) -> Result<(), Failure> {
    let count = |usual: usize| match arguments.get(1) {
        Some(count) => count.parse(),
        None => Ok(usual),
    };
    let set = match arguments.first().map(String::as_str) {
        Some("frames") => Set::Frames(count(6000)?),
        Some("different") => Set::Different(count(30_000)?),
        Some("labels") => Set::Labels(count(1000)?, 30),
        _ => return Err("scale wants frames, different or labels".into()),
    };
    let architecture = arguments.get(2).map_or(ARCHITECTURE, String::as_str);
    data("planted", "models").ok_or("there are no networks")?;
    let scratch = Scratch::new();
    set.make(&scratch.join("photos"));
    println!("{set:?}, {architecture}: {} pictures", set.count());
    let run = |more: &[&str]| {
        let mut command = scratch.command([
            "retrain",
            "--head-only",
            "--image-dir",
            "photos",
            "--architecture",
        ]);
        command
            .args([architecture, "--bottleneck-dir", "cache"])
            .args(more);
        measure(command)
    };
    println!("first run, with the float network: {}", run(&[]));
    println!(
        "from the cache, without float network and check: {}",
        run(&["--no-float", "--no-check"])
    );
    println!(
        "from the cache, without float network: {}",
        run(&["--no-float"])
    );
    Ok(())
}
