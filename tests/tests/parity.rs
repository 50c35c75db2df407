//! The engine against TFLite's recorded outputs: reference kernels, int8, byte for byte.

use std::path::Path;

use posy::backbone::file::read_file;
use posy::export::{Heading, extractor};
use posy::quantise::trained::from_trained;
use posy_shared::model::{InputContract, Model, Provenance, SplitFacts};
use posy_shared::preprocess::{Crop, Filter};
use posy_shared::softmax::Softmax;
use posy_tests::{Maps, data, int8_file, npz_arrays, run};

const INPUTS: [&str; 4] = ["cat", "hopper", "lcg", "sunflower"];

/// The model file of a whole network, its own classifier included.
fn whole(path: &Path) -> Vec<u8> {
    let (network, _) = from_trained(&read_file(path).unwrap());
    let heading = Heading {
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::LegacyBilinear,
            table: None,
        },
        labels: Vec::new(),
        unknown_below: 0,
        provenance: Provenance {
            architecture: "parity",
            backbone_sha256: [0; 32],
            posy_version: "",
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        },
    };
    extractor(&network, &heading).unwrap()
}

fn softmax(model: &Model<'_>, logits: &[i8]) -> Vec<i8> {
    let softmax = Softmax::new(model.verdict().beta, logits);
    logits.iter().map(|&logit| softmax.int8(logit)).collect()
}

/// `parity/vww`: inputs and outputs recorded from TFLite Micro, every layer's output from LiteRT
/// with its reference kernels.
#[test]
fn every_layer_of_person_detection_is_equal() {
    let Some(parity) = data("every_layer_of_person_detection_is_equal", "parity/vww") else {
        return;
    };
    let file = whole(&parity.join("../../models/int8/vww_96_int8.tflite"));
    let model = Model::read(&file).unwrap();
    for name in INPUTS {
        let input = int8_file(&parity.join(format!("{name}.in.i8")));
        let mut maps = Maps::new(&model);
        let logits = run(&model, &input, &mut maps);
        let mut layers = maps.maps.iter();
        let mut compared = 0;
        for (layer, _, expected) in npz_arrays(&parity.join(format!("{name}.layers_ref.npz"))) {
            let expected: Vec<i8> = expected.into_iter().map(|byte| byte as i8).collect();
            let actual = if layer.contains("SOFTMAX") {
                softmax(&model, &logits)
            } else if layer.contains("RESHAPE") {
                // The pooled features, as they are.
                maps.maps[compared - 1].clone()
            } else {
                compared += 1;
                layers.next().unwrap().clone()
            };
            assert!(actual == expected, "{name}: {layer} differs");
        }
        assert_eq!(compared, model.layers().len());
        let recorded = int8_file(&parity.join(format!("{name}.tflm_out.i8")));
        assert_eq!(softmax(&model, &logits), recorded, "{name}");
    }
}

/// `parity/mn128` and `parity/mn224`: scores of 1,001 classes recorded from TFLite Micro.
#[test]
fn scores_of_the_int8_mobilenets_are_equal() {
    for (folder, networks) in [
        (
            "mn128",
            &["mobilenet_v1_0.25_128_int8", "mobilenet_v1_0.5_128_int8"][..],
        ),
        ("mn224", &["mobilenet_v1_0.5_224_int8"]),
    ] {
        let name = format!("parity/{folder}");
        let Some(parity) = data("scores_of_the_int8_mobilenets_are_equal", &name) else {
            return;
        };
        for network in networks {
            let file = whole(&parity.join(format!("../../models/int8/{network}.tflite")));
            let model = Model::read(&file).unwrap();
            for input in INPUTS {
                let numbers = int8_file(&parity.join(format!("{input}.in.i8")));
                let logits = run(&model, &numbers, &mut ());
                let recorded = parity.join(format!("{network}.{input}.tflm_out.i8"));
                assert!(
                    softmax(&model, &logits) == int8_file(&recorded),
                    "{network}: {input}"
                );
            }
        }
    }
}
