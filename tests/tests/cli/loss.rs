//! What `posy retrain` says, writes and returns where int8 loses much to float.

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
    let mut command = scratch.command(["retrain", "--architecture", ARCHITECTURE]);
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
fn a_loss_is_a_warning_and_an_error_only_beyond_a_bound_that_was_given() {
    let Some(flowers) = data("loss to int8", "flower_photos") else {
        return;
    };
    let scratch = Scratch::new();
    plain_photos(&scratch, &flowers);
    let outcome = retrain(&scratch, &["--json"]).succeeds();
    let points = outcome.json()["answers"]["int8_loss"]["points"]
        .as_f64()
        .unwrap();
    assert!(points > 2.0, "the test needs a loss: {points}");
    let command = "posy retrain --architecture mobilenet_0.25_128 --image-dir 'it'\\''s plain' \
                   --bottleneck-dir cache --validation-percentage 30 --testing-percentage 30 --json \
                   --trainer adjust";
    outcome.says(&["warning: the int8 network names", "points", command]);
    all_written(&scratch);

    let outcome = retrain(&scratch, &["--max-drop", "0.5"]);
    assert!(outcome.stdout.contains("Final test accuracy"), "{outcome}");
    assert_eq!(outcome.code, Some(1), "{outcome}");
    outcome.says(&[
        "error: the int8 network names",
        "--max-drop allows 0.5",
        "--trainer adjust",
    ]);
    all_written(&scratch);

    let outcome = retrain(&scratch, &["--max-drop", "100"]).succeeds();
    assert!(
        !outcome.stderr.contains("the int8 network names"),
        "{outcome}"
    );
    // A file in floating point loses nothing.
    let outcome = retrain(&scratch, &["--output-graph", "float.onnx"]).succeeds();
    assert!(
        !outcome.stderr.contains("the int8 network names"),
        "{outcome}"
    );
}

#[test]
fn a_bound_without_the_float_network_is_refused() {
    let scratch = Scratch::new();
    let outcome = scratch.retrain("flowers", &["--max-drop", "2"]);
    outcome.fails(2, &["--max-drop", "--no-float"]);
}
