//! How well `posy check` finds faults that are known:
//!
//! ```text
//! cargo run --release -p posy-tests --bin planted -- [--seeds N] [ARCHITECTURE...]
//! ```
//!
//! For each architecture (by default the command's own) and each of the seeds 1 to N (by default 5):
//! photos under a wrong label that are among the first 30 suspects, of 20; altered copies under
//! another label that are found, of 10; pairs that are named and are none; odd files not named.

use std::path::Path;

use posy_tests::scratch::Scratch;
use posy_tests::{data, planted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut seeds = 5;
    let mut architectures = Vec::new();
    let mut arguments = std::env::args().skip(1);
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
