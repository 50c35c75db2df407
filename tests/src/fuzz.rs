//! Bytes from outside at every reader: the bodies that `tests/fuzz` runs for hours and the default tests for
//! seconds, and the seeds that both begin with.
//!
//! A body panics, runs without an end or fills the memory where posy would; whatever it is given, it returns.

use std::ops::Range;
use std::path::{Path, PathBuf};

use posy::dataset::decode::decode_to_average;
use posy::dataset::{Limits, Percentages, Rule, SplitFile, decode_within, headers};
use posy::device::protocol::{Line, Lines};
use posy::eval::run_record::{Record, compare};
use posy_nn::export::metadata::Facts;
use posy_nn::export::tensorflow::graph_def_bytes;
use posy_nn::export::tflite::tflite_bytes;
use posy_nn::graph::cost::check_cost;
use posy_nn::graph::network::{FloatNetwork, IntNetwork, TrainedNetwork};
use posy_nn::import::file::Network;
use posy_nn::import::float_file::FloatFile;
use posy_nn::import::normalisation::Normalisation;
use posy_nn::import::{onnx, tensorflow, tflite};
use posy_nn::quantise::from_float::from_photos;
use posy_nn::quantise::from_quantised::from_trained;
use posy_nn::run::Runner;
use posy_nn::runtime::hybrid::HybridRunner;
use posy_nn::runtime::vet::vet;
use posy_nn::{labels, onnx_backbone};
use posy_shared::model::{CRC, Layer, Model, PRELUDE_LEN, Prelude};
use posy_shared::preprocess::Size;
use prost::Message;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::graphs::{many_operators, mutant, small_network};
use crate::networks::metadata;
use crate::small_classifier;

/// A reader of bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which `tests/fuzz.sh` takes.
    pub name: &'static str,
    /// Gives it bytes.
    pub body: fn(&[u8]),
    /// Sound inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "posy",
        body: posy_model,
        seeds: || vec![small_classifier(3), small_classifier(1)],
    },
    Target {
        name: "tflite",
        body: tflite_file,
        seeds: || {
            let mut seeds = networks("tflite");
            seeds.push(tflite_bytes(&int_network(), &facts_of_none()));
            seeds
        },
    },
    Target {
        name: "onnx",
        body: onnx_file,
        seeds: || {
            let mut seeds = networks("onnx");
            seeds.push(small_network().encode_to_vec());
            seeds.push(many_operators().encode_to_vec());
            seeds
        },
    },
    Target {
        name: "guard",
        body: guarded_graph,
        seeds: || vec![Vec::new(), vec![7, 3, 1, 0, 2, 9, 4, 5, 5, 8, 1, 2]],
    },
    Target {
        name: "graph_def",
        body: graph_def,
        seeds: || vec![graph_def_bytes(&float_network(), 1.0)],
    },
    Target {
        name: "photo",
        body: photo,
        seeds: photos,
    },
    Target {
        name: "serial",
        body: serial,
        seeds: || {
            vec![
                b"posy: golden check passed\ndaisy 97.2%  roses 1.9%  412 ms\n".to_vec(),
                b"unknown (daisy 31.0%)  9 ms\r\nposy: the model slot is empty; flash one\n"
                    .to_vec(),
            ]
        },
    },
    Target {
        name: "files",
        body: side_file,
        seeds: side_files,
    },
];

/// Maximum number of products (MACs) of a model that is run here.
const MOST_PRODUCTS: u64 = 20_000_000;
/// Maximum number of pixels and of bytes of a photo that is decoded here.
const SMALL: Limits = Limits {
    max_pixels: 1 << 20,
    max_bytes: 1 << 20,
};

/// Bytes of a `.posy` file that hold the checksum of its backbone; see `FORMAT.md`.
const BACKBONE_CRC: Range<usize> = PRELUDE_LEN + 4..PRELUDE_LEN + 8;

/// `bytes` with the lengths and the checksums of a `.posy` file put right, so that what lies behind them is
/// read.
pub fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut file = bytes.to_vec();
    let prelude = Prelude::parse(bytes).ok()?;
    let backbone = file.get(prelude.head_len as usize..)?;
    let prelude = Prelude {
        backbone_offset: prelude.head_len,
        backbone_len: u32::try_from(backbone.len()).ok()?,
        ..prelude
    };
    let backbone = CRC.checksum(backbone);
    file.get_mut(BACKBONE_CRC)?
        .copy_from_slice(&backbone.to_le_bytes());
    let prelude = prelude.sealed(file.get(PRELUDE_LEN..prelude.head_len as usize)?);
    *file.first_chunk_mut()? = prelude.to_bytes();
    Some(file)
}

/// A `.posy` file: read, its golden check and every figure, and run on a grey picture.
fn posy_model(bytes: &[u8]) {
    let _ = Model::read(bytes);
    let Some(file) = sealed(bytes) else {
        return;
    };
    let Ok(model) = Model::read(&file) else {
        return;
    };
    let products = model.layers().iter().map(Layer::products);
    let input = model.input_shape().len();
    if products.fold(0, u64::saturating_add) <= MOST_PRODUCTS && input <= 1 << 20 {
        let answer = Runner::new(model).output_of(&vec![0; input]);
        answer.expect("a model that is read runs");
    }
}

/// A TensorFlow Lite file: read, and what was quantised brought into posy's integers. Open sizes are small.
fn tflite_file(bytes: &[u8]) {
    let _ = tflite::extras(bytes);
    match tflite::read_float_sized(bytes, Some(8)) {
        Ok(Some(file)) => float_file(&file),
        Ok(None) => {
            if let Ok(network) = tflite::read_sized(bytes, Some(8)) {
                trained(&network);
            }
        }
        Err(_) => {}
    }
}

/// A quantised network that was read: brought into posy's integers.
fn trained(network: &TrainedNetwork) {
    let layers: Vec<_> = network.layers.iter().map(|layer| &layer.common).collect();
    if check_cost(&layers).is_ok() {
        from_trained(network);
    }
}

/// A float network that was read: brought to pixels, and run if it quantises as it runs.
fn float_file(file: &FloatFile) {
    let layers: Vec<_> = file.layers.iter().map(|layer| &layer.common).collect();
    if check_cost(&layers).is_ok() {
        file.network(&file.usual_normalisation());
    }
    let products = layers.iter().map(|layer| layer.products());
    let products = products.fold(0, u64::saturating_add);
    let input = file.input_shape().map_or(0, |shape| shape.len());
    if !file.hybrids.is_empty()
        && products <= MOST_PRODUCTS
        && layers.iter().all(|layer| layer.output.len() <= 1 << 16)
        && let Ok(runner) = HybridRunner::new(&file.layers, &file.hybrids)
    {
        let output = runner.run_real(&vec![0.5; input]);
        output.expect("a network that is read runs");
    }
}

/// An ONNX file by posy's own reader.
fn onnx_file(bytes: &[u8]) {
    if let Ok(file) = onnx::File::open(bytes, Path::new(""), 0) {
        file.unknown_operators();
        match file.read_network() {
            Ok(Network::Float(file)) => float_file(&file),
            Ok(Network::Trained(network)) => trained(&network),
            Err(_) => {}
        }
    }
}

/// An ONNX classifier whose structure is changed as the bytes decide, as far as the checks let it into tract.
/// What they leave open is for a process of its own.
fn guarded_graph(choices: &[u8]) {
    let model = mutant(&many_operators(), choices);
    if vet(&model).is_ok_and(|cost| cost.open == 0 && cost.products < 4 * MOST_PRODUCTS) {
        let _ = onnx_backbone::try_out(&model.encode_to_vec());
    }
}

/// A frozen graph, as a backbone and as a classifier.
fn graph_def(bytes: &[u8]) {
    if let Ok(file) = tensorflow::read(bytes) {
        float_file(&file);
    }
    let part = tensorflow::Part {
        input: Some("input"),
        output: Some("final_result"),
        size: Some((8, 8)),
    };
    if let Ok(file) = tensorflow::read_part(bytes, &part) {
        float_file(&file);
    }
}

/// A photo, whole and reduced.
fn photo(bytes: &[u8]) {
    headers::facts(bytes);
    let whole = decode_within(bytes, &SMALL);
    let wanted = Size {
        width: 24,
        height: 24,
    };
    let reduced = decode_to_average(bytes, &SMALL, wanted);
    if let Ok(photo) = whole {
        assert_eq!(photo.rows().len(), usize::from(photo.height));
    }
    drop(reduced);
}

/// Reads the lines of a board, in pieces; no control character comes through.
fn serial(bytes: &[u8]) {
    let mut lines = Lines::default();
    for piece in bytes.chunks(7) {
        for line in lines.push(piece) {
            let shown = posy_shared::shown::Shown::line(&line.to_string()).to_string();
            assert!(
                !shown.chars().any(|c| c.is_control() && c != '\t'),
                "{shown:?}"
            );
        }
    }
    let _ = Line::read(bytes);
}

/// A run's record, a split, or labels.
fn side_file(bytes: &[u8]) {
    if let Ok(record) = Record::parse(PathBuf::from("x.run.json"), bytes) {
        compare(&record, &record);
        record.to_bytes().expect("a record that is read is written");
    }
    if let Ok(split) = SplitFile::parse(Path::new("x.split.json"), bytes) {
        split.to_bytes().expect("a split that is read is written");
    }
    labels::of_text(&String::from_utf8_lossy(bytes));
}

fn float_network() -> FloatNetwork {
    let file = onnx::read(&small_network().encode_to_vec()).expect("a network that posy reads");
    file.network(&Normalisation::TENSORFLOW)
}

fn int_network() -> IntNetwork {
    let network = float_network();
    let len = network.layers[0].common.input.len();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut photo = || (0..len).map(|_| random.random()).collect::<Vec<i8>>();
    from_photos(&network, &[photo(), photo()]).expect("photos for every layer")
}

/// Small networks of the fixtures whose names end so: open shapes, a grey input, dynamic range, quantised operators.
fn networks(ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/networks");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("networks of the tests")
        .map(|entry| entry.expect("a network").path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read(path).expect("a network");
    paths.iter().map(read).collect()
}

fn facts_of_none() -> Facts<'static> {
    Facts {
        labels: &[],
        beta: 1.0,
        logistic: false,
        input: metadata().input,
    }
}

/// Small photos of each format, orientation and profile among them.
fn photos() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("photos of the tests")
        .map(|entry| entry.expect("a photo").path())
        .filter(|path| path.extension().is_some_and(|ending| ending != "rgb"))
        .filter(|path| path.metadata().is_ok_and(|there| there.len() < 4096))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| std::fs::read(path).expect("a photo");
    paths.iter().map(read).collect()
}

fn side_files() -> Vec<Vec<u8>> {
    let split = SplitFile {
        rule: Rule::Stable { seed: 7 },
        percentages: Percentages::default(),
        labels: [("daisy".to_owned(), Default::default())].into(),
    };
    let record = serde_json::json!({
        "format": posy::eval::run_record::FORMAT, "posy_version": "0", "arguments": ["--json"], "image_dir": "photos",
        "architecture": "a", "backbone_sha256": "", "c": 0.1,
        "split": {"rule": {"name": "stable", "seed": 7}, "percentages": {"validation": 10, "testing": 10},
            "training": 1, "validation": 1, "testing": 1},
        "model": {"file": "x.posy", "sha256": "", "flash_bytes": 1, "ram_bytes": 1, "products": 1},
        "labels": ["a", "b"], "int8": {"right": 1, "photos": 1}, "int8_validation": {"right": 1, "photos": 1},
        "float": null, "photos": [{"photo": "a/1.png", "truth": 0, "answer": 0, "scores": [0.9, 0.1]}],
    });
    vec![
        split.to_bytes().expect("a split"),
        record.to_string().into_bytes(),
        b"\xef\xbb\xbf0 daisy\r\n1 roses\r\n".to_vec(),
    ]
}

/// `count` inputs made of `seeds` by a seeded generator: bytes changed, cut, doubled and mixed.
pub fn mutants(seeds: &[Vec<u8>], count: usize, seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(move |_| {
        let mut bytes = seeds.choose(&mut random).cloned().unwrap_or_default();
        for _ in 0..random.random_range(1..8) {
            change(&mut bytes, seeds, &mut random);
        }
        bytes
    })
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut ChaCha8Rng) {
    let at = random.random_range(0..=bytes.len());
    let end = random.random_range(at..=bytes.len().min(at + 64));
    match random.random_range(0..8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        3 => {
            let other = seeds.choose(random).map_or(&[][..], Vec::as_slice);
            let from = random.random_range(0..=other.len());
            bytes.splice(at..end, other[from..].iter().take(64).copied());
        }
        4 => {
            let new: Vec<u8> = (0..random.random_range(0..16))
                .map(|_| random.random())
                .collect();
            bytes.splice(at..end, new);
        }
        kind => {
            let Some(byte) = bytes.get_mut(at) else {
                return;
            };
            *byte = match kind {
                5 => *byte ^ 1 << random.random_range(0..8),
                6 => *[0, 1, 0x7f, 0x80, 0xff].choose(random).unwrap_or(&0),
                _ => random.random(),
            };
        }
    }
}
