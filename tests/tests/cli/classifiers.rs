//! Third-party classifiers in `convert` and `label`: pixel scaling and labels.

use std::path::Path;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use serde_json::{Value, json};

/// A classifier whose input has the scale 0.003118, zero point -128: 0 to 0.795 of 0 to 1.
const PARTIAL: &str = "cases/models/ei_partial_range.tflite";

/// Photo, left and upper edge, logits, and logits for the pixel less 128.
type Square = (&'static str, u32, u32, [i64; 2], [i64; 2]);

/// Logits of crops of 96 x 96 pixels from the photos, from their left and upper edge on: LiteRT
/// 2.3, reference kernels, input `round(pixel / 255 / scale) - 128`, clamped at 127. The last two
/// are its logits for the pixel less 128, from which the first must differ.
const SQUARES: [Square; 5] = [
    ("daisy_96.png", 0, 0, [-68, 12], [-65, 7]),
    ("daisy_160.png", 64, 64, [-25, -29], [-26, -26]),
    ("daisy_160.png", 32, 32, [-18, -7], [-17, -13]),
    ("daisy_224.png", 0, 0, [-67, -2], [-44, -12]),
    ("daisy_224.png", 32, 32, [-40, -22], [-40, -17]),
];

fn numbers(value: &Value) -> Vec<i64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_i64().unwrap()).collect()
}

/// `.tflite` as it is, as `.posy`, and as a `.tflite` written by posy, whose metadata states the
/// scaling.
#[test]
fn an_input_scale_of_its_own_is_honoured() {
    let test = "an_input_scale_of_its_own_is_honoured";
    let (Some(network), Some(cases)) = (data(test, PARTIAL), data(test, "cases")) else {
        return;
    };
    let scratch = Scratch::new();
    std::fs::copy(network, scratch.join("net.tflite")).unwrap();
    for (from, to) in [("net.tflite", "net.posy"), ("net.tflite", "own.tflite")] {
        let outcome = scratch.posy(["convert", from, to]).succeeds();
        outcome.says(&["a pixel is taken for (pixel - 0) / 255"]);
    }
    for (place, (name, x, y, logits, unscaled)) in SQUARES.into_iter().enumerate() {
        let photo = image::open(cases.join(name))
            .unwrap()
            .crop_imm(x, y, 96, 96);
        let square = format!("{place}.png");
        photo.to_rgb8().save(scratch.join(&square)).unwrap();
        for model in ["net.tflite", "net.posy", "own.tflite"] {
            let answer = scratch.posy(["label", "--json", "-m", model, &square]);
            let found = numbers(&answer.succeeds().json()["logits"]);
            let off = |other: [i64; 2]| found.iter().zip(other).map(|(a, b)| a.abs_diff(b)).max();
            // Its pool is a MEAN, which rounds as an average pool does.
            assert!(
                off(logits) <= Some(1),
                "{model} {square}: {found:?} for {logits:?}"
            );
            assert!(off(unscaled) > Some(1), "{model} {square}: {found:?}");
        }
    }
    let shown = scratch.posy(["inspect", "net.posy"]).succeeds().stdout;
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("grey levels go through a table of its own"),
        "{shown}"
    );
}

#[test]
fn files_of_labels_as_people_and_tools_write_them() {
    let test = "files_of_labels_as_people_and_tools_write_them";
    let (Some(network), Some(labels)) = (data(test, PARTIAL), data(test, "cases/labels")) else {
        return;
    };
    let scratch = Scratch::new();
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/grey.png");
    for name in [
        "bom.txt",
        "trailing_blank_line.txt",
        "teachable_machine.txt",
        "tab.txt",
    ] {
        let mut command = scratch.command(["convert", "--labels"]);
        command.arg(labels.join(name)).arg(&network).arg("net.posy");
        Outcome::of(command).succeeds();
        let inside = scratch.posy(["inspect", "--json", "net.posy"]).succeeds();
        assert_eq!(inside.json()["labels"], json!(["a", "b"]), "{name}");
        let mut command = scratch.command(["label-image", "--graph=net.posy", "--labels"]);
        command.arg(labels.join(name)).arg("--image").arg(&photo);
        let said = Outcome::of(command).succeeds().stdout;
        let mut ranked: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once(" (score=").map(|(label, _)| label))
            .collect();
        ranked.sort_unstable();
        assert_eq!(ranked, ["a", "b"], "{name}: {said}");
    }
    scratch.write("gap.txt", "a\n\nb\n");
    let mut command = scratch.command(["convert", "--labels", "gap.txt"]);
    command.arg(&network).arg("out.posy");
    Outcome::of(command).fails(1, &["gap.txt: line 2 is blank"]);
    assert!(!scratch.join("out.posy").exists());
}
