//! Int8 TensorFlow Lite files in TensorFlow Lite's own reference kernels: logits and scores equal
//! those of the board's model byte for byte.
//!
//! The reference kernels take seconds per photo for a large network: a fifth of the photos by
//! default, more under `tests/run.sh --all`; `POSY_EXPORT_PHOTOS=200` runs all photos in every
//! network.

use posy_nn::export::Format;
use posy_shared::model::Model;
use posy_shared::softmax::Softmax;
use posy_tests::draw::extent;
use posy_tests::exports::{Python, Retrained, photo_count};

/// Compares the network in the file `name` with TensorFlow Lite on `usual` photos, a fifth of them
/// by default.
fn hold(test: &str, name: &str, usual: usize) {
    let Some(python) = Python::runtimes(test) else {
        return;
    };
    let Some(retrained) = Retrained::of(test, name, false) else {
        return;
    };
    let file = retrained.file(Format::Tflite, "flowers.tflite");
    let photos = retrained.photos(photo_count(extent(usual.div_ceil(5), usual)));
    let (inputs, logits) = retrained.board(&photos);

    let (outputs, said) = python.outputs("run_tflite.py", &file, &inputs);
    let model = Model::read(&retrained.outcome.model).unwrap();
    let mut answers = std::collections::BTreeSet::new();
    let mut expected = Vec::new();
    for logits in &logits {
        let softmax = Softmax::new(model.verdict().beta, logits);
        let scores = logits.iter().map(|&logit| softmax.int8(logit));
        expected.extend(logits.iter().copied().chain(scores).map(|n| n as u8));
        answers.insert((0..logits.len()).max_by_key(|&label| logits[label]));
    }
    assert_eq!(outputs.len(), photos.len() * 10);
    let wrong = outputs
        .iter()
        .zip(&expected)
        .filter(|(a, b)| a != b)
        .count();
    assert_eq!(wrong, 0, "numbers that differ of {}", expected.len());
    // The network tells these photos apart.
    assert!(answers.len() > 2.min(photos.len() - 1), "{answers:?}");
    eprintln!(
        "{name}: {} photos, every logit and score equal",
        photos.len()
    );

    let labels = retrained.prepared.dataset.labels.iter();
    let labels: Vec<_> = labels.map(String::as_str).collect();
    assert_eq!(said["labels"], serde_json::json!(labels));
    // A pixel less the mean, divided by the standard deviation, is the network's real input.
    let input = retrained.prepared.backbone.int.input;
    let said = |name: &str| said[name].as_f64().unwrap() as f32;
    for pixel in [0, 128, 255] {
        let real = input.scale * (pixel - 128 - input.zero_point) as f32;
        let by_metadata = (pixel as f32 - said("mean")) / said("std");
        assert!((real - by_metadata).abs() < 1e-6, "{real} {by_metadata}");
    }
}

#[test]
fn v1_quarter_128() {
    hold("tflite_v1_quarter_128", "mobilenet_v1_0.25_128_quant", 200);
}

#[test]
fn v1_half_224() {
    hold("tflite_v1_half_224", "mobilenet_v1_0.5_224_quant", 20);
}

#[test]
fn v1_whole_224() {
    let name = "mobilenet_v1_1.0_224_quant_embedding_extractor";
    hold("tflite_v1_whole_224", name, 6);
}

#[test]
fn v2_half_224() {
    hold("tflite_v2_half_224", "mobilenet_v2_0.5_224_quant", 20);
}

#[test]
fn v2_whole_96() {
    hold("tflite_v2_whole_96", "mobilenet_v2_1.0_96_quant", 20);
}
