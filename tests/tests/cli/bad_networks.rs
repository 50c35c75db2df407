//! Unusable files of pre-trained networks: refused by name, with the reason.

use std::path::Path;

use posy_tests::data;
use posy_tests::scratch::{Outcome, Scratch};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const NETWORK: &str = "mobilenet_v1_0.25_128_quant.tflite";

/// A folder with a few photos, and the bytes of a valid network.
fn scratch(test: &str) -> Option<(Scratch, Vec<u8>)> {
    let photos = data(test, "flower_photos")?;
    let network = data(test, &format!("models/{NETWORK}"))?;
    let scratch = Scratch::new();
    scratch.copy_photos(&photos, "flowers", &["daisy", "roses"], 3);
    Some((scratch, std::fs::read(network).unwrap()))
}

fn retrain(scratch: &Scratch, network: &Path) -> Outcome {
    let mut command = scratch.command([
        "retrain",
        "--head-only",
        "--no-float",
        "--image-dir=flowers",
    ]);
    command.arg("--bottleneck-dir=cache");
    command.arg("--backbone").arg(network);
    Outcome::of(command)
}

fn refused(scratch: &Scratch, network: &str, texts: &[&str]) {
    let outcome = retrain(scratch, Path::new(network));
    outcome.fails(1, &["error: ", network]).says(texts);
    assert!(!scratch.join("flowers.posy").exists());
}

#[test]
fn missing_files() {
    let Some((scratch, _)) = scratch("missing_network_files") else {
        return;
    };
    let texts = ["cannot read the network nowhere.tflite", "No such file"];
    refused(&scratch, "nowhere.tflite", &texts);
    std::fs::create_dir(scratch.join("models")).unwrap();
    refused(&scratch, "models", &["directory"]);
    // A known architecture without a file.
    let arguments = ["--image-dir=flowers", "--model-dir=models"];
    let architecture = "--architecture=mobilenet_v2_1.4_224";
    let outcome = scratch.posy(["retrain", architecture].iter().chain(&arguments));
    let texts = [
        "no network file for mobilenet_v2_1.4_224 in models or ",
        ": put mobilenet_v2_1.4_224_quant",
    ];
    outcome.fails(1, &texts).says(&["--backbone"]);
}

#[test]
fn cut_off() {
    let Some((scratch, network)) = scratch("cut_off_networks") else {
        return;
    };
    for len in [8, 20, 1000, network.len() / 2, network.len() - 1000] {
        scratch.write("cut.tflite", &network[..len]);
        refused(
            &scratch,
            "cut.tflite",
            &["damaged or cut short; fetch it again"],
        );
    }
    for len in [1, 7] {
        scratch.write("cut.tflite", &network[..len]);
        refused(&scratch, "cut.tflite", &["of unknown kind"]);
    }
}

/// A flipped bit in a weight gives another valid network; elsewhere it is an error, or changes
/// something that posy does not read. It never causes a panic, and the error names the file.
#[test]
fn with_bits_flipped() {
    let Some((scratch, network)) = scratch("networks_with_bits_flipped") else {
        return;
    };
    let mut random = ChaCha8Rng::seed_from_u64(8);
    // The tables that describe the network are at both ends; the weights are between them.
    let ends = [0..64, network.len() - 20_000..network.len()];
    let mut refusals = 0;
    for place in 0..40 {
        let mut bytes = network.clone();
        let at = random.random_range(ends[usize::from(place >= 8)].clone());
        bytes[at] ^= 1 << random.random_range(0..8);
        scratch.write("flipped.tflite", &bytes);
        let outcome = retrain(&scratch, Path::new("flipped.tflite"));
        if outcome.code != Some(0) {
            outcome.fails(1, &["error: ", "flipped.tflite"]);
            refusals += 1;
        }
    }
    eprintln!("{refusals} of 40 flipped bits were refused");
    assert!(refusals > 0);
}

#[test]
fn of_another_kind() {
    let Some((scratch, network)) = scratch("networks_of_another_kind") else {
        return;
    };
    let cases: [(&str, &[u8], &[&str]); 7] = [
        ("empty.tflite", b"", &["is empty", "Fetch it again"]),
        ("page.tflite", b"<!DOCTYPE html>", &["a web page"]),
        (
            "net.onnx",
            &[8, 7, 0x12, 7, b'p', b'y'],
            &["damaged or cut short", "export it again"],
        ),
        (
            "graph.pb",
            b"\x0a\x2b\x0a\x05input",
            &["damaged or cut short", "fetch it again"],
        ),
        (
            "net.tgz",
            &[0x1f, 0x8b, 8, 0],
            &["a compressed archive", "`tar xzf net.tgz` unpacks it"],
        ),
        (
            "text.tflite",
            b"weights: 3, 5, 7",
            &["is a text", "`posy models`"],
        ),
        (
            "flowers.posy",
            b"POSY\x01\0\0\0",
            &["a model that posy has written"],
        ),
    ];
    for (name, bytes, texts) in cases {
        let path = scratch.write(name, bytes);
        let outcome = retrain(&scratch, Path::new(name));
        let texts = [&["error: ", name], texts].concat();
        outcome.fails(1, &texts);
        std::fs::remove_file(path).unwrap();
    }
    let mut version = network;
    let ending = version[4..8].to_vec();
    assert_eq!(ending, b"TFL3");
    version[7] = b'4';
    scratch.write("version.tflite", &version);
    refused(&scratch, "version.tflite", &["of unknown kind"]);
}

/// Float networks: refused if truncated; otherwise quantised with the photos and made into models.
#[test]
fn frozen_graphs_and_onnx_files() {
    let test = "frozen_graphs_and_onnx_files";
    let (Some((scratch, _)), Some(models)) = (scratch(test), data(test, "models")) else {
        return;
    };
    for (name, file) in [
        ("net.pb", "mobilenet_v1_0.25_128_frozen_graph.pb"),
        ("net.onnx", "onnx/mobilenet_v1_0.25_128.onnx"),
    ] {
        let bytes = std::fs::read(models.join(file)).unwrap();
        scratch.write(name, &bytes[..bytes.len() / 2]);
        refused(&scratch, name, &["damaged or cut short"]);
        scratch.write(name, &bytes);
        let outcome = retrain(&scratch, Path::new(name));
        assert_eq!(outcome.code, Some(0));
        outcome.says(&["it is quantised with", "mean [127.5, 127.5, 127.5]"]);
        assert!(scratch.join("flowers.posy").exists());
        std::fs::remove_file(scratch.join("flowers.posy")).unwrap();
    }
}
