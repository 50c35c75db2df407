//! Damaged `.posy` files: every command refuses them by name, with the reason and advice.

use std::path::Path;

use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::scratch::Scratch;
use posy_tests::{data, small_classifier};

/// Asserts that `label`, `inspect` and `fit` refuse `bad.posy`.
fn refused(scratch: &Scratch, texts: &[&str]) {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos/grey.png");
    let label = ["label", "--model", "bad.posy", photo.to_str().unwrap()];
    let commands: [&[&str]; 5] = [
        &label,
        &["inspect", "bad.posy"],
        &["inspect", "--json", "bad.posy"],
        &["fit", "bad.posy"],
        &["fit", "--json", "bad.posy"],
    ];
    for command in commands {
        let outcome = scratch.posy(command).fails(1, &["error: bad.posy: "]);
        outcome.says(texts);
    }
}

fn refused_bytes(bytes: &[u8], texts: &[&str]) {
    let scratch = Scratch::new();
    scratch.write("bad.posy", bytes);
    refused(&scratch, texts);
}

#[test]
fn cut_off() {
    let model = small_classifier(3);
    for len in [1, 3] {
        refused_bytes(&model[..len], &["not a posy model"]);
    }
    for len in [4, 7, 12, 31] {
        refused_bytes(&model[..len], &["header is damaged", "copy it again"]);
    }
    for len in [32, 33, model.len() / 2, model.len() - 1] {
        let expected = format!("should be {} bytes long and is {len}", model.len());
        refused_bytes(&model[..len], &[&expected, "copy it again"]);
    }
}

#[test]
fn empty_or_erased() {
    refused_bytes(
        b"",
        &["empty or erased", "give a file that `posy retrain` wrote"],
    );
    refused_bytes(&[0xFF; 64], &["empty or erased"]);
}

#[test]
fn of_another_kind() {
    refused_bytes(b"\xFF\xD8\xFF\xE0 a photo", &["not a posy model"]);
    refused_bytes(&[0; 64], &["not a posy model"]);
}

#[test]
fn of_another_version() {
    let mut model = small_classifier(3);
    let next = posy_shared::model::FORMAT_VERSION + 1;
    model[4..6].copy_from_slice(&next.to_le_bytes());
    let texts = ["format version 7", "reads version 6", "write it again"];
    refused_bytes(&model, &texts);
}

#[test]
fn with_more_behind_it() {
    let mut model = small_classifier(3);
    let expected = format!(
        "should be {} bytes long and is {}",
        model.len(),
        model.len() + 3
    );
    model.extend(b"xyz");
    refused_bytes(&model, &[&expected, "appended"]);
}

/// One flipped bit, anywhere: in the prelude, the header, the weights. All commands use the same
/// reader, so one of them is tested.
#[test]
fn with_one_bit_flipped() {
    let model = small_classifier(3);
    let scratch = Scratch::new();
    let places = (0..32).chain((32..model.len()).step_by(model.len() / 24));
    for place in places.chain([model.len() - 1]) {
        let mut bytes = model.clone();
        bytes[place] ^= 1 << (place % 8);
        scratch.write("bad.posy", &bytes);
        let outcome = scratch.posy(["inspect", "bad.posy"]);
        let text = match place {
            0..4 => "not a posy model",
            4..6 => "format version",
            28.. => "damaged: its checksum is",
            _ => "the model",
        };
        outcome.fails(1, &["error: bad.posy: ", text]);
    }
}

#[test]
fn missing_or_a_folder() {
    let scratch = Scratch::new();
    scratch
        .posy(["inspect", "bad.posy"])
        .fails(1, &["bad.posy: there is no such file", "`posy retrain"]);
    std::fs::create_dir(scratch.join("bad.posy")).unwrap();
    refused(&scratch, &["directory"]);
}

/// A network that ends in features is a valid file, but has no labels.
#[test]
fn without_labels() {
    let network = "models/mobilenet_v1_0.25_128_quant.tflite";
    let Some(network) = data("without_labels", network) else {
        return;
    };
    let input = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let backbone = Backbone::read(&network, "mobilenet").unwrap();
    let scratch = Scratch::new();
    scratch.write("bad.posy", backbone.extractor(input).unwrap());
    let label = scratch.posy(["label", "--model=bad.posy", "photo.jpg"]);
    label.fails(1, &["error: bad.posy: ", "no labels"]);
    scratch.posy(["inspect", "bad.posy"]).succeeds();
}
