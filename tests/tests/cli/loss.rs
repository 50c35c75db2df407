//! Warnings, results and exit code of `posy retrain` if int8 loses much accuracy to float.

use std::io::Cursor;
use std::path::Path;

use image::ImageFormat;
use posy_tests::data;
use posy_tests::plain::Alteration;
use posy_tests::scratch::{ARCHITECTURE, Outcome, Scratch};

const LABELS: [&str; 5] = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];

/// Photos with hardly any contrast, whose features in int8 are a few steps each.
fn plain_photos(scratch: &Scratch, flowers: &Path) {
    let alteration = Alteration::named("contrast:0.02").unwrap();
    scratch.copy_photos(flowers, "originals", &LABELS, 40);
    for label in LABELS {
        for name in scratch.names(format!("originals/{label}")) {
            let photo = image::open(scratch.join(format!("originals/{label}/{name}")));
            let altered = alteration.of(&photo.unwrap().to_rgb8(), 0);
            let mut bytes = Cursor::new(Vec::new());
            altered.write_to(&mut bytes, ImageFormat::Png).unwrap();
            scratch.write(format!("it's plain/{label}/{name}.png"), bytes.into_inner());
        }
    }
}

fn retrain(scratch: &Scratch, more: &[&str]) -> Outcome {
    let mut command = scratch.command(["retrain", "--head-only", "--architecture", ARCHITECTURE]);
    command.args(["--image-dir", "it's plain", "--bottleneck-dir", "cache"]);
    command.args([
        "--validation-percentage",
        "30",
        "--testing-percentage",
        "30",
    ]);
    command.args(more);
    Outcome::of(command)
}

fn all_written(scratch: &Scratch) {
    for name in [
        "flowers.posy",
        "flowers.split.json",
        "flowers.run.json",
        "flowers.report.html",
    ] {
        std::fs::remove_file(scratch.join(name)).unwrap_or_else(|_| panic!("{name} is missing"));
    }
}

#[test]
fn everything_is_written_however_plain_the_photos_are() {
    let Some(flowers) = data("plain photos", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    plain_photos(&scratch, &flowers);
    let output = ["--output-graph", "flowers.posy"];
    let outcome = retrain(&scratch, &[&output[..], &["--json"]].concat()).succeeds();
    let points = outcome.json()["answers"]["int8_loss"]["points"].as_f64();
    let points = points.unwrap_or_else(|| panic!("{outcome}"));
    all_written(&scratch);

    // A bound just below the loss is an error, one just above is not; all results are written both
    // times.
    let code = |bound: f64| {
        let bound = bound.max(0.0).to_string();
        let more = [&output[..], &["--max-drop", &bound]].concat();
        let outcome = retrain(&scratch, &more);
        assert!(outcome.stdout.contains("Final test accuracy"), "{outcome}");
        all_written(&scratch);
        outcome.code
    };
    assert_eq!(code(points + 0.5), Some(0), "{points}");
    if points > 0.5 {
        assert_eq!(code(points - 0.5), Some(1), "{points}");
    }
}

#[test]
fn a_bound_without_the_float_network_is_refused() {
    let scratch = Scratch::new();
    let outcome = scratch.retrain("flowers", &["--max-drop", "2"]);
    outcome.fails(2, &["--max-drop", "--no-float"]);
}
