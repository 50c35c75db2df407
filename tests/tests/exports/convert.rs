//! `posy convert`: foreign classifiers in and out again.

use std::path::Path;

use posy_tests::exports::{Python, photo_count};
use posy_tests::scratch::Scratch;
use posy_tests::{data, int8_file};
use serde_json::json;

/// Inputs of MLPerf Tiny's person detection: the recorded ones, and photos.
fn inputs(parity: &Path, scratch: &Scratch, flowers: &Path, model: &Path) -> Vec<i8> {
    use posy::dataset::decode::Limits;
    use posy::dataset::load::load;
    let mut inputs = Vec::new();
    for name in ["cat", "hopper", "lcg", "sunflower"] {
        inputs.extend(int8_file(&parity.join(format!("{name}.in.i8"))));
    }
    scratch.copy_photos(flowers, "flowers", &["daisy", "roses"], photo_count(60) / 2);
    let bytes = std::fs::read(model).unwrap();
    let model = posy_shared::model::Model::read(&bytes).unwrap();
    for label in ["daisy", "roses"] {
        for name in scratch.names(Path::new("flowers").join(label)) {
            let path = scratch.join("flowers").join(label).join(name);
            let photo = load(&path, &Limits::default()).unwrap();
            inputs.extend(posy_nn::run::input(&model, &photo).unwrap());
        }
    }
    inputs
}

#[test]
fn person_detection_in_and_out() {
    let test = "person_detection_in_and_out";
    let (Some(original), Some(parity), Some(flowers), Some(python)) = (
        data(test, "models/int8/vww_96_int8.tflite"),
        data(test, "parity/vww"),
        data(test, "flower_photos"),
        Python::runtimes(test),
    ) else {
        return;
    };
    let scratch = Scratch::new();
    scratch.write("labels.txt", "no person\nperson\n");
    for target in ["out.tflite", "again.tflite", "out.posy"] {
        // The second is made from the first, which carries its labels.
        let (source, labels) = match target {
            "again.tflite" => (Path::new("out.tflite"), vec![]),
            _ => (original.as_path(), vec!["--labels", "labels.txt"]),
        };
        let mut command = scratch.command(["convert"]);
        command.arg(source).arg(target).args(labels);
        posy_tests::scratch::Outcome::of(command)
            .succeeds()
            .says(&[&format!("wrote {target}")]);
    }
    let inputs = inputs(&parity, &scratch, &flowers, &scratch.join("out.posy"));
    let run = |file: &Path| python.outputs("run_tflite.py", file, &inputs);
    let (theirs, said) = run(&original);
    assert_eq!(said, json!({}), "the original has no labels");
    assert_eq!(theirs.len(), inputs.len() / (96 * 96 * 3) * 4);
    // The four recorded inputs come first; TensorFlow Lite Micro recorded their scores.
    for (name, outputs) in ["cat", "hopper", "lcg", "sunflower"]
        .iter()
        .zip(theirs.chunks(4))
    {
        let recorded = std::fs::read(parity.join(format!("{name}.tflm_out.i8"))).unwrap();
        assert_eq!(outputs[2..], recorded, "{name}");
    }
    for target in ["out.tflite", "again.tflite"] {
        let (ours, said) = run(&scratch.join(target));
        assert!(ours == theirs, "{target}");
        assert_eq!(said["labels"], json!(["no person", "person"]));
    }
    eprintln!(
        "person detection: {} inputs equal in TensorFlow Lite",
        theirs.len() / 4
    );
    let bytes = scratch.read("out.posy");
    let model = posy_shared::model::Model::read(&bytes).unwrap();
    let runner = posy_nn::run::Runner::new(model);
    for (input, theirs) in inputs.chunks(96 * 96 * 3).zip(theirs.chunks(4)) {
        let logits = runner.output_of(input).unwrap();
        let logits: Vec<u8> = logits.into_iter().map(|logit| logit as u8).collect();
        assert_eq!(logits, theirs[..2]);
    }
}

/// Input file, output file, options, exit code, and texts of the output.
type Case<'c> = (&'c Path, &'c str, &'c [&'c str], i32, &'c [&'c str]);

#[test]
fn refusals_say_what_to_do() {
    let test = "convert_refusals";
    let Some(models) = data(test, "models") else {
        return;
    };
    let scratch = Scratch::new();
    let classifier = models.join("int8/vww_96_int8.tflite");
    let features = models.join("mobilenet_v1_1.0_224_quant_embedding_extractor.tflite");
    scratch.write("three.txt", "a\nb\nc\n");
    let cases: [Case<'_>; 6] = [
        (&classifier, "out.h5", &[], 2, &["out.h5", ".tflite (int8)"]),
        (
            &classifier,
            "out.pb",
            &["--int8"],
            2,
            &["out.pb", "leave out --int8"],
        ),
        (
            &features,
            "out.onnx",
            &[],
            1,
            &["embedding_extractor.tflite", "ends in features"],
        ),
        (
            &classifier,
            "out.posy",
            &["--labels", "three.txt"],
            1,
            &["vww_96_int8.tflite", "2 classes, and 3 labels"],
        ),
        (
            &classifier,
            "out.posy",
            &["--labels", "nowhere.txt"],
            1,
            &["nowhere.txt: cannot be read"],
        ),
        (
            Path::new("nowhere.tflite"),
            "out.posy",
            &[],
            1,
            &["nowhere.tflite"],
        ),
    ];
    for (source, target, more, code, texts) in cases {
        let mut command = scratch.command(["convert"]);
        command.arg(source).arg(target).args(more);
        posy_tests::scratch::Outcome::of(command).fails(code, texts);
        assert!(!scratch.join(target).exists(), "{target}");
    }
}
