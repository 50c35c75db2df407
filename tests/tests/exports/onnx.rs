//! ONNX files in ONNX Runtime and in tract.

use posy::dataset::decode::Limits;
use posy::dataset::load::load;
use posy::predict::{Classifier, Reading};
use posy_nn::export::Format;
use posy_tests::exports::{Python, Retrained, apart};

const LABELS: usize = 5;

/// Index of the greatest number.
fn first(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (label, number) in numbers.iter().enumerate() {
        if *number > numbers[best] {
            best = label;
        }
    }
    best
}

fn float(test: &str, name: &str, count: usize) {
    let Some(python) = Python::runtimes(test) else {
        return;
    };
    let Some(retrained) = Retrained::of(test, name, true) else {
        return;
    };
    let file = retrained.file(Format::Onnx, "flowers.onnx");
    let photos = retrained.photos(count);
    let (inputs, _) = retrained.board(&photos);
    let ours = retrained.float(&photos);
    let (theirs, said) = python.floats("run_onnx.py", &file, &inputs);
    let worst = apart(&ours, &theirs);
    eprintln!(
        "{name}: {} photos, ONNX Runtime within {worst:e}",
        photos.len()
    );
    assert!(worst < 1e-4, "{worst}");
    let labels = &retrained.prepared.dataset.labels;
    assert_eq!(said["labels"], serde_json::json!(labels));

    // The file itself in tract, from a photo's pixels on.
    let classifier = Classifier::open(&file, &Reading::default()).unwrap();
    let Classifier::Onnx(model) = classifier else {
        panic!("{classifier:?}");
    };
    let mut worst = 0.0f32;
    for (&photo, ours) in photos.iter().zip(ours.chunks_exact(2 * LABELS)) {
        let photo = &retrained.prepared.dataset.photos[photo];
        let photo = load(&photo.path, &Limits::default()).unwrap();
        let scores = model.scores(&photo).unwrap();
        worst = worst.max(apart(&scores, &ours[LABELS..]));
    }
    eprintln!("{name}: {} photos, tract within {worst:e}", photos.len());
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn float_v1() {
    float("onnx_float_v1", "mobilenet_v1_0.25_128_quant", 60);
}

#[test]
fn float_v2() {
    float("onnx_float_v2", "mobilenet_v2_1.0_96_quant", 60);
}

/// Int8 like the board's model, but in a runtime that rounds differently: nearly always the same
/// label, and logits a few steps away, `mean` steps on average and `steps` at most.
fn int8(test: &str, name: &str, mean: f32, steps: f32) {
    let Some(python) = Python::runtimes(test) else {
        return;
    };
    let Some(retrained) = Retrained::of(test, name, false) else {
        return;
    };
    let file = retrained.file(Format::OnnxInt8, "flowers.onnx");
    let photos = retrained.photos(200);
    let (inputs, logits) = retrained.board(&photos);
    let (theirs, said) = python.floats("run_onnx.py", &file, &inputs);
    // The runtime fuses the operators into integer ones.
    assert_eq!(said["integer"], true, "{said}");
    let scale = retrained.outcome.heads.int.output.scale;
    let zero_point = retrained.outcome.heads.int.output.zero_point;
    assert_eq!(theirs.len(), logits.len() * 2 * LABELS);
    let (mut same, mut sum, mut worst) = (0, 0.0, 0.0f32);
    for (ours, theirs) in logits.iter().zip(theirs.chunks_exact(2 * LABELS)) {
        let theirs: Vec<f32> = theirs[..LABELS].iter().map(|real| real / scale).collect();
        let ours: Vec<f32> = ours
            .iter()
            .map(|q| (i32::from(*q) - zero_point) as f32)
            .collect();
        same += usize::from(first(&ours) == first(&theirs));
        let far = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        sum += far.clone().sum::<f32>();
        worst = worst.max(far.fold(0.0, f32::max));
    }
    let count = logits.len();
    let found = sum / (count * LABELS) as f32;
    eprintln!(
        "{name}: {count} photos, {same} with the same label, logits {found:.2} steps apart on the \
         average, {worst:.0} at most; a step is {scale}"
    );
    assert!(same * 100 >= count * 98, "{same} of {count}");
    assert!(found <= mean && worst <= steps, "{found} {worst}");
}

#[test]
fn int8_v1() {
    int8("onnx_int8_v1", "mobilenet_v1_0.25_128_quant", 2.0, 8.0);
}

#[test]
fn int8_v2() {
    int8("onnx_int8_v2", "mobilenet_v2_1.0_96_quant", 4.0, 20.0);
}
