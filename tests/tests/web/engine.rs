//! The engine for browsers: the same integers as here, in Node.js and in Chromium.

use crc::{CRC_32_ISO_HDLC, Crc};
use posy::dataset::decode::{Decoded, decode};
use posy::page::{ENGINE_ORIGIN, PLAIN, SIMD128};
use posy_nn::rgb::Rgb;
use posy_nn::run::{self, Runner};
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_tests::draw::{extent, in_full_runs};
use posy_tests::scratch::Scratch;
use posy_tests::web::{Host, base64, build, has_target, origin};
use posy_tests::{Maps, data, extractors, noise, small_classifier};
use serde_json::{Value, json};

use super::photos;

/// Networks that are run in browsers, by a part of their files' names.
const NETWORKS: [&str; 5] = [
    "v1_0.25_128_quant",
    "v1_0.5_224_quant",
    "v1_1.0_224_quant",
    "v2_0.5_224_quant",
    "vww_96",
];

fn rgba(photo: &Rgb) -> Value {
    let pixels = photo.data.as_chunks::<3>().0.iter();
    let pixels: Vec<u8> = pixels.flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
    json!({"width": photo.width, "height": photo.height, "rgba": base64(&pixels)})
}

#[test]
fn logits_are_equal_here_in_node_and_in_chromium() {
    let test = "logits_are_equal_here_in_node_and_in_chromium";
    let (Some(models), Some(flowers)) = (data(test, "models"), data(test, "flower_photos")) else {
        return;
    };
    let photos: Vec<Decoded> = photos(test, &flowers, extent(5, 50))
        .iter()
        .map(|path| decode(&std::fs::read(path).expect("a photo")).expect("a photo"))
        .collect();
    let pictures: Vec<Value> = photos.iter().map(|photo| rgba(photo)).collect();
    let mut networks = extractors(&models);
    networks.retain(|(name, _)| NETWORKS.iter().any(|part| name.contains(part)));
    assert_eq!(networks.len(), NETWORKS.len());
    // One with labels, for the ranking.
    networks.push(("classifier".into(), small_classifier(3)));
    let call = |file: &[u8]| json!({"model": base64(file), "pictures": pictures});
    for (host, mut engine) in Host::all(test) {
        for (name, file) in &networks {
            let runner = Runner::new(Model::read(file).unwrap());
            let answers = engine.run(SIMD128, &[call(file)]).remove(0);
            let answers = answers
                .as_array()
                .unwrap_or_else(|| panic!("{name}: {answers}"));
            assert_eq!(answers.len(), photos.len());
            for (photo, answer) in photos.iter().zip(answers) {
                let outputs = runner.output(photo).unwrap();
                assert_eq!(answer["outputs"], json!(outputs), "{name} in {host}");
                let ranking = Ranking::<32>::new(runner.model(), &outputs);
                let ranked: Vec<_> = ranking
                    .iter()
                    .map(|one| json!([one.index, one.score.fine()]))
                    .collect();
                assert_eq!(answer["ranked"], json!(ranked), "{name} in {host}");
                assert_eq!(answer["unknown"], ranking.is_unknown(), "{name} in {host}");
            }
        }
        // The plain engine once, on the smallest.
        let (_, file) = networks.last().unwrap();
        let both = [SIMD128, PLAIN].map(|wasm| engine.run(wasm, &[call(file)]).remove(0));
        assert_eq!(both[0], both[1], "{host}");
    }
}

#[test]
fn damaged_models_give_words() {
    let test = "damaged_models_give_words";
    let file = small_classifier(3);
    let mut damaged = Vec::new();
    for at in (0..file.len()).step_by(file.len().div_ceil(97)) {
        let mut bytes = file.clone();
        bytes[at] ^= 0x40;
        damaged.push(bytes);
        damaged.push(file[..at].to_vec());
    }
    damaged.push(vec![0xFF; 1000]);
    let call = |file: &Vec<u8>| json!({"model": base64(file), "pictures": []});
    let mut calls: Vec<Value> = damaged.iter().map(call).collect();
    // A sound one is still taken after all of them; a picture without pixels is not.
    let pictures = [json!({"width": 0, "height": 5, "rgba": ""})];
    calls.push(json!({"model": base64(&file), "pictures": pictures}));
    for (host, mut engine) in Host::all(test) {
        for wasm in [SIMD128, PLAIN] {
            let mut said = engine.run(wasm, &calls);
            let sound = said.pop().unwrap();
            assert!(
                sound[0].as_str().unwrap().contains("0 x 5 pixels"),
                "{sound}"
            );
            for (said, damaged) in said.iter().zip(&damaged) {
                let error = Model::read(damaged).unwrap_err().to_string();
                assert_eq!(said, &json!(error), "{host}");
            }
        }
    }
}

#[test]
fn kernels_conform_and_every_layer_of_the_real_networks_is_equal() {
    let test = "kernels_conform_and_every_layer_of_the_real_networks_is_equal";
    let (Some(models), Some(photo)) = (
        data(test, "models"),
        data(test, "flower_photos/daisy/21652746_cc379e0eea_m.jpg"),
    ) else {
        return;
    };
    if !in_full_runs(test) || !has_target(test) {
        return;
    }
    let scratch = Scratch::new();
    build(&["--check"], &scratch.join("engine"));
    let wasm = std::fs::read(scratch.join("engine/posy-simd128.wasm")).unwrap();
    let photo = decode(&std::fs::read(photo).unwrap()).unwrap();
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut networks = extractors(&models);
    networks.push(("classifier".into(), small_classifier(3)));
    for (host, mut engine) in Host::all(test) {
        assert_eq!(
            engine.run(&wasm, &[json!({"kernels": true})]),
            [""],
            "{host}"
        );
        for (name, file) in &networks {
            let model = Model::read(file).unwrap();
            let inputs = [run::input(&model, &photo).unwrap(), noise(&model)];
            let bytes = |values: &[i8]| values.iter().map(|value| *value as u8).collect();
            let given = inputs.each_ref().map(|input| {
                let bytes: Vec<u8> = bytes(input);
                base64(&bytes)
            });
            let call = json!({"layers": base64(file), "inputs": given});
            let said = engine.run(&wasm, &[call]).remove(0);
            for (input, said) in inputs.iter().zip(said.as_array().unwrap()) {
                let mut maps = Maps::new(&model);
                posy_tests::run(&model, input, &mut maps);
                let expected: String = (maps.maps.iter())
                    .map(|map| {
                        let bytes: Vec<u8> = bytes(map);
                        format!("{:08x}\n", crc.checksum(&bytes))
                    })
                    .collect();
                assert_eq!(said, &json!(expected), "{name} in {host}");
            }
        }
    }
}

#[test]
fn the_engine_is_what_its_sources_make() {
    let test = "the_engine_is_what_its_sources_make";
    if !in_full_runs(test) || !has_target(test) {
        return;
    }
    if origin() != ENGINE_ORIGIN {
        eprintln!(
            "SKIPPED: {test}: another compiler or lock file made the engine: {ENGINE_ORIGIN}"
        );
        return;
    }
    let scratch = Scratch::new();
    build(&[], &scratch.join("engine"));
    for (name, carried) in [("posy-simd128.wasm", SIMD128), ("posy-plain.wasm", PLAIN)] {
        let built = std::fs::read(scratch.join("engine").join(name)).unwrap();
        assert!(built == carried, "{name}: run host/web/build.sh");
    }
}
