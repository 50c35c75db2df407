//! Parity of the engine with TFLite's recorded outputs: reference kernels, int8, byte for byte.

use std::path::Path;

use posy_nn::export::{ModelMetadata, ScoreParams, extractor};
use posy_nn::graph::network::IntNetwork;
use posy_nn::import::file::read_file;
use posy_nn::quantise::from_quantised::from_trained;
use posy_shared::model::{InputContract, Model, Provenance, SplitFacts};
use posy_shared::preprocess::{Crop, Filter};
use posy_shared::softmax::Softmax;
use posy_tests::{Maps, data, int8_file, run};

const INPUTS: [&str; 4] = ["cat", "hopper", "lcg", "sunflower"];

/// Model file of a whole network, its own classifier included.
fn whole(path: &Path) -> Vec<u8> {
    model(&from_trained(&read_file(path).unwrap()).0)
}

/// Model file of a network, unchanged.
fn model(network: &IntNetwork) -> Vec<u8> {
    let metadata = ModelMetadata {
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::LegacyBilinear,
            table: None,
        },
        labels: Vec::new(),
        score_params: ScoreParams::default(),
        provenance: Provenance {
            architecture: "parity",
            backbone_sha256: [0; 32],
            posy_version: "",
            split: SplitFacts::default(),
            float_accuracy: None,
            int8_accuracy: None,
        },
    };
    extractor(network, &metadata).unwrap()
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
        for recorded in posy_npz::read(&parity.join(format!("{name}.layers_ref.npz"))) {
            let (layer, expected) = (&recorded.name, recorded.signed());
            let actual = if layer.contains("SOFTMAX") {
                softmax(&model, &logits)
            } else if layer.contains("RESHAPE") {
                // The pooled features, unchanged.
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

/// `parity/<network>_pool_ref.bin`: pooled features of 40 photos, recorded from TFLite's uint8
/// reference kernels. One channel in seventy does not fit int8 and is rescaled, so features differ,
/// about as much as those of TFLite's own fast kernels do (1.2 on average).
#[test]
fn features_of_the_uint8_mobilenets_are_close() {
    let test = "features_of_the_uint8_mobilenets_are_close";
    for (network, size) in [("0.25_128", 128), ("0.25_224", 224), ("0.75_192", 192)] {
        let Some(parity) = data(test, "parity") else {
            return;
        };
        let name = format!("mobilenet_v1_{network}_quant");
        let path = parity.join(format!("../models/{name}.tflite"));
        let trained = read_file(&path).unwrap().truncate_to_features().unwrap();
        let file = model(&from_trained(&trained).0);
        let model = Model::read(&file).unwrap();
        let inputs = std::fs::read(parity.join(format!("inputs_u8_{size}.bin"))).unwrap();
        let expected = std::fs::read(parity.join(format!("{name}_pool_ref.bin"))).unwrap();
        let photos = inputs.len() / model.input_shape().len();
        assert_eq!(expected.len(), photos * model.output_len());
        // Every second photo: four of each label.
        let (mut count, mut equal, mut distance) = (0, 0, 0);
        for photo in (0..photos).step_by(2) {
            let input = inputs.chunks_exact(model.input_shape().len()).nth(photo);
            let input: Vec<i8> = input.unwrap().iter().map(|&p| (p ^ 0x80) as i8).collect();
            let features = run(&model, &input, &mut ());
            let recorded = expected
                .chunks_exact(model.output_len())
                .nth(photo)
                .unwrap();
            for (feature, &recorded) in features.into_iter().zip(recorded) {
                let apart = (i32::from(feature) + 128).abs_diff(recorded.into());
                count += 1;
                equal += usize::from(apart == 0);
                distance += apart;
            }
        }
        let share = equal as f64 / count as f64;
        let mean = f64::from(distance) / count as f64;
        eprintln!(
            "{network}: {:.1}% equal, {mean:.3} apart on average",
            100.0 * share
        );
        assert!(mean < 2.0, "{network}: {mean} apart");
    }
}
