//! ONNX classifiers of other kinds than MobileNet: retrained and run on the laptop, compared with
//! ONNX Runtime, and refused for boards by the name of the missing operator.

use std::path::Path;

use posy::dataset::decode::Limits;
use posy::dataset::for_model::decode_to;
use posy_nn::import::normalisation::Normalisation;
use posy_nn::run::input_of;
use posy_shared::model::{InputContract, Shape};
use posy_shared::preprocess::{Crop, Filter, PixelMap};
use posy_tests::data;
use posy_tests::onnx::{Runtime, export_others};
use posy_tests::scratch::Scratch;
use serde_json::Value;

/// Input width and height of the exported networks, pixels.
const SIDE: u16 = 64;
const LABELS: [&str; 3] = ["daisy", "roses", "tulips"];

/// Pixels of a photo with default preparation, `[H, W, 3]`, 0 to 255.
fn pixels(path: &Path) -> Vec<f32> {
    let shape = Shape {
        height: SIDE,
        width: SIDE,
        channels: 3,
    };
    let contract = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let bytes = std::fs::read(path).unwrap();
    let photo = decode_to(shape, contract, &bytes, &Limits::default()).unwrap();
    let input = input_of(&photo, shape, contract, PixelMap::Centred).unwrap();
    input
        .iter()
        .map(|pixel| f32::from(*pixel) + 128.0)
        .collect()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1.0_f32, |m, b| m.max(b.abs()));
    a.iter()
        .zip(b)
        .fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()))
        / largest
}

/// Operators that posy's engine does not have, which the refusal must name.
fn missing(name: &str) -> &'static str {
    match name {
        "inception_set11" | "squeezenet_set9" | "shufflenet_set12" => "have not: MaxPool.",
        "transformer_set14" => "Erf",
        _ => "have not: Sigmoid.",
    }
}

fn hold(scratch: &Scratch, name: &str, runtime: &Runtime) {
    let network = format!("{name}.onnx");
    let backbone = format!("--backbone={network}");
    let mut arguments = vec![
        "--bottleneck-dir=cache",
        backbone.as_str(),
        "--image-dir=flowers",
    ];
    let size = format!("--input-size={SIDE}");
    if name.starts_with("open_size") {
        arguments.push(&size);
    }
    let retrain = |more: &[&str]| {
        let all = ["retrain"].iter().chain(&arguments).chain(more);
        scratch.posy(all.collect::<Vec<_>>())
    };

    // For a board, the missing operators are named and nothing is written.
    let refused = retrain(&["--output-graph=board.posy"]);
    refused.fails(1, &[&network, missing(name), "ends in .onnx"]);
    assert!(!scratch.join("board.posy").exists());

    let output = format!("{name}.out.onnx");
    let graph = format!("--output-graph={output}");
    let first = retrain(&[&graph, "--json"]).succeeds();
    let json: Value = first.json();
    let count = 8 * LABELS.len() as u64;
    assert_eq!(
        (&json["computed"], &json["boards"]),
        (&count.into(), &false.into())
    );
    assert!(json["float_test_accuracy"].is_number());
    let cut_at = first.stderr.split("features, from \"").nth(1).unwrap();
    let cut_at = cut_at.split('"').next().unwrap();
    // A second run takes all features from the cache and writes the same file.
    let before = scratch.read(&output);
    let again = retrain(&[&graph, "--json"]).succeeds().json();
    assert_eq!(again["computed"], 0);
    assert!(before == scratch.read(&output));

    let photos = scratch.names("flowers/roses");
    let photos: Vec<_> = photos
        .iter()
        .take(3)
        .map(|p| scratch.join("flowers/roses").join(p))
        .collect();
    let seen: Vec<Vec<f32>> = photos.iter().map(|photo| pixels(photo)).collect();
    let written = runtime.compute(&scratch.join(&output), &seen, "features", scratch.path());
    let width = written[0].len() - LABELS.len();
    assert_eq!(json["features"], width);

    // ONNX Runtime's output for the file as exported.
    if !name.starts_with("open_size") {
        let normal = |(place, pixel): (usize, &f32)| {
            let Normalisation { mean, std } = Normalisation::TORCH;
            ((f64::from(*pixel) - mean[place % 3]) / std[place % 3]) as f32
        };
        let normal = |photo: &Vec<f32>| photo.iter().enumerate().map(normal).collect();
        let inputs: Vec<Vec<f32>> = seen.iter().map(normal).collect();
        let theirs = runtime.compute(&scratch.join(&network), &inputs, cut_at, scratch.path());
        for (ours, theirs) in written.iter().zip(&theirs) {
            // The original's classes follow its features, which may be a map.
            let map = &theirs[..theirs.len() - 12];
            let area = map.len() / width;
            let means = map
                .chunks(area)
                .map(|plane| plane.iter().sum::<f32>() / area as f32);
            let error = apart(&ours[..width], &means.collect::<Vec<f32>>());
            assert!(error < 1e-4, "{name}: features {error}");
        }
    }

    // ONNX Runtime's output for the file that posy wrote, compared with posy's.
    let mut command = scratch.command(["label", "--json", "--model", &output]);
    command.args(&photos);
    let labelled = posy_tests::scratch::Outcome::of(command).succeeds();
    for (line, theirs) in labelled.stdout.lines().zip(&written) {
        let line: Value = serde_json::from_str(line).unwrap();
        let ranked = line["labels"].as_array().unwrap();
        assert_eq!(ranked.len(), LABELS.len());
        for one in ranked {
            let place = LABELS
                .iter()
                .position(|label| one["label"] == *label)
                .unwrap();
            let score = one["score"].as_f64().unwrap() as f32;
            let error = (score - theirs[width + place]).abs();
            assert!(error < 1e-4, "{name}: score {error}");
        }
    }
    eprintln!("{name}: {width} features from {cut_at:?}");
}

#[test]
fn other_kinds_are_retrained_for_the_laptop() {
    let test = "other_kinds_are_retrained_for_the_laptop";
    let Some(flowers) = data(test, "flower_photos") else {
        return;
    };
    let Some(runtime) = Runtime::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    if !export_others(test, scratch.path()) {
        return;
    }
    scratch.copy_photos(&flowers, "flowers", &LABELS, 8);
    let names = scratch.names("");
    let names = names.iter().filter_map(|name| name.strip_suffix(".onnx"));
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert_eq!(names.len(), 6);
    for name in &names {
        hold(&scratch, name, &runtime);
    }
}

/// External data, as PyTorch's exporter writes it.
#[test]
fn weights_may_lie_beside_the_network() {
    let test = "weights_may_lie_beside_the_network";
    let (Some(flowers), Some(network)) = (
        data(test, "flower_photos"),
        data(test, "models/onnx/mobilenet_v1_0.25_128_nchw.onnx"),
    ) else {
        return;
    };
    let Some(runtime) = Runtime::find(test) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.copy_photos(&flowers, "flowers", &LABELS, 8);
    std::fs::copy(network, scratch.join("whole.onnx")).unwrap();
    runtime.with_weights_beside(&scratch.join("whole.onnx"), &scratch.join("beside.onnx"));
    assert!(
        scratch
            .names("")
            .iter()
            .any(|name| name == "beside.onnx.data")
    );
    let retrain = |network: &str, output: &str| {
        let backbone = format!("--backbone={network}");
        let output = format!("--output-graph={output}");
        let more = [
            "--bottleneck-dir=cache",
            "--image-dir=flowers",
            "--no-float",
            "--no-check",
        ];
        scratch.posy(["retrain", &backbone, &output].into_iter().chain(more))
    };
    retrain("whole.onnx", "whole.posy").succeeds();
    retrain("beside.onnx", "beside.posy").succeeds();
    // They differ in the provenance of their network file.
    assert_eq!(
        scratch.read("whole.posy").len(),
        scratch.read("beside.posy").len()
    );
    let label = |model: &str| {
        scratch
            .posy(["label", "--json", "--model", model, "flowers"])
            .stdout
    };
    assert_eq!(label("whole.posy"), label("beside.posy"));

    let weights = scratch.read("beside.onnx.data");
    scratch.write("beside.onnx.data", &weights[..weights.len() / 2]);
    retrain("beside.onnx", "cut.posy")
        .fails(1, &["beside.onnx: ", "beside.onnx.data", "cut short"]);
    std::fs::remove_file(scratch.join("beside.onnx.data")).unwrap();
    retrain("beside.onnx", "none.posy").fails(1, &["beside.onnx.data", "No such file"]);
    // A name of the same length that leads out of the folder.
    let bytes = scratch.read("beside.onnx");
    let name = b"beside.onnx.data";
    let mut elsewhere = bytes.clone();
    for at in 0..bytes.len() - name.len() {
        if &bytes[at..at + name.len()] == name {
            elsewhere[at..at + name.len()].copy_from_slice(b"../../etc/passwd");
        }
    }
    scratch.write("elsewhere.onnx", &elsewhere);
    retrain("elsewhere.onnx", "none.posy").fails(1, &["../../etc/passwd", "same folder"]);
    assert!(!scratch.join("none.posy").exists() && !scratch.join("cut.posy").exists());
}
