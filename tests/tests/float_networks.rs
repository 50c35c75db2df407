//! Float networks from files of other programs: their float features against ONNX Runtime's on the
//! same file, and the quantised network's features, from the integer engine, against those.

use std::path::{Path, PathBuf};

use posy_nn::graph::network::{FloatNetwork, Quantisation};
use posy_nn::import::file::{Network, read_network};
use posy_nn::import::float_file::FloatFile;
use posy_nn::import::normalisation::Normalisation;
use posy_nn::run::Runner;
use posy_nn::runtime::float::FloatRunner;
use posy_nn::zoo::backbone::{Backbone, Opened};
use posy_shared::model::{InputContract, Model, Op};
use posy_shared::preprocess::{Crop, Filter};
use posy_tests::data;
use posy_tests::onnx::{Runtime, export};

/// Number of recorded photos for comparison; the others calibrate.
const COMPARED: usize = 20;

/// Recorded photos of a size, as bytes `[H, W, 3]`. Photos of 96 pixels are the middle of those of
/// 128.
fn photos(parity: &Path, side: usize) -> Vec<Vec<u8>> {
    let recorded = if side == 96 { 128 } else { side };
    let bytes = std::fs::read(parity.join(format!("inputs_u8_{recorded}.bin"))).unwrap();
    let row = recorded * 3;
    let edge = (recorded - side) / 2;
    let cut = |photo: &[u8]| {
        let rows = photo.chunks_exact(row).skip(edge).take(side);
        rows.flat_map(|row| &row[edge * 3..][..side * 3])
            .copied()
            .collect()
    };
    bytes.chunks_exact(recorded * row).map(cut).collect()
}

/// Normalised input of the network for a photo.
fn real(photo: &[u8], normalisation: &Normalisation) -> Vec<f32> {
    let number = |(place, pixel): (usize, &u8)| {
        let c = place % 3;
        ((f64::from(*pixel) - normalisation.mean[c]) / normalisation.std[c]) as f32
    };
    photo.iter().enumerate().map(number).collect()
}

fn centred(photo: &[u8]) -> Vec<i8> {
    photo.iter().map(|pixel| (pixel ^ 0x80) as i8).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let product = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
    a.iter().zip(b).map(product).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn relative_error(ours: &[f32], theirs: &[f32]) -> f64 {
    let apart: Vec<f32> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
    (dot(&apart, &apart) / dot(theirs, theirs)).sqrt()
}

fn float_file(path: &Path) -> FloatFile {
    match read_network(path).unwrap() {
        Network::Float(file) => file,
        Network::Trained(_) => panic!("{}: a float network", path.display()),
    }
}

/// Compares the network in `path` with ONNX Runtime on the same file, and the quantised network
/// with that. Returns the worst relative error of the float features, the worst cosine of the
/// integer features, and the least cosine allowed.
fn compare(
    path: &Path,
    weights: Weights,
    parity: &Path,
    runtime: &Runtime,
    scratch: &Path,
) -> (f64, f64, f64) {
    let file = float_file(path);
    let normalisation = file.usual_normalisation();
    let side = usize::from(file.input_shape().unwrap().height);
    let photos = photos(parity, side);
    let compared: Vec<&Vec<u8>> = photos.iter().step_by(2).take(COMPARED).collect();
    assert_eq!(compared.len(), COMPARED);
    let inputs: Vec<Vec<f32>> = compared.iter().map(|p| real(p, &normalisation)).collect();

    // The head as well, if it is the file's own end.
    let pooled =
        |layer: &posy_nn::graph::network::FloatLayer| layer.common.op == Op::GlobalAveragePool;
    let pool = file.layers.iter().position(pooled).unwrap();
    let features = file.layers[pool].common.output.len();
    let tensor = file.layers[pool].common.name.clone();
    let theirs = runtime.compute(path, &inputs, &tensor, scratch);
    let whole = FloatNetwork {
        pixels: None,
        input: Quantisation {
            scale: 1.0,
            zero_point: 0,
        },
        layers: file.layers.clone(),
    };
    let runner = FloatRunner::of_every_layer(&whole).unwrap();
    let mut float_error = 0.0_f64;
    // The file's own input transform is kept apart from its layers.
    let first_reads = |input: &[f32]| -> Vec<f32> {
        let pairs = file.input.iter().cycle();
        let scaled = |(number, (factor, added)): (&f32, &(f64, f64))| {
            (f64::from(*number) * factor + added) as f32
        };
        input.iter().zip(pairs).map(scaled).collect()
    };
    for (input, theirs) in inputs.iter().zip(&theirs) {
        let ours = runner.run_real(&first_reads(input)).unwrap();
        let (their_features, their_scores) = theirs.split_at(features);
        let error = relative_error(&ours[pool], their_features);
        float_error = float_error.max(error);
        // A softmax is not part of the network that is read.
        let sum: f32 = their_scores.iter().sum();
        if (sum - 1.0).abs() > 1e-3 {
            let error = relative_error(ours.last().unwrap(), their_scores);
            float_error = float_error.max(error);
        }
    }

    let Opened::Float(network) = Backbone::open(path, "network").unwrap() else {
        panic!("a float network");
    };
    let seen: Vec<&Vec<u8>> = photos.iter().skip(1).step_by(2).collect();
    let calibration: Vec<Vec<i8>> = seen.iter().map(|photo| centred(photo)).collect();
    let backbone = network.quantise(&normalisation, &calibration).unwrap();
    let contract = InputContract {
        crop: Crop::Squash,
        filter: Filter::Area,
        table: None,
    };
    let bytes = backbone.extractor(contract).unwrap();
    let engine = Runner::new(Model::read(&bytes).unwrap());
    let Quantisation { scale, zero_point } = backbone.features();
    let mut worst = 1.0_f64;
    for (photo, theirs) in compared.iter().zip(&theirs) {
        let ours = engine.output_of(&centred(photo)).unwrap();
        let ours: Vec<f32> = ours
            .iter()
            .map(|q| scale * (i32::from(*q) - zero_point) as f32)
            .collect();
        worst = worst.min(cosine(&ours, &theirs[..features]));
    }
    let mut least = LEAST;
    if weights != Weights::Trained {
        let seen: Vec<Vec<f32>> = seen.iter().map(|p| real(p, &normalisation)).collect();
        let peer = runtime.quantised(path, &seen, &inputs, &tensor, scratch);
        let peer = peer.iter().zip(&theirs);
        let peer = peer.map(|(peer, theirs)| cosine(peer, &theirs[..features]));
        let peer = peer.fold(1.0, f64::min);
        eprintln!("least cosine of ONNX Runtime's int8 network {peer:.4}");
        if weights == Weights::Amplifying {
            least = least.min(peer - BELOW_PEER);
        }
    }
    let name = path.file_name().unwrap().to_string_lossy();
    eprintln!(
        "{name}: {} layers, float error {float_error:.1e}, least cosine {worst:.4}",
        file.layers.len()
    );
    (float_error, worst, least)
}

/// Minimum cosine between a network's integer and float features, over photos.
const LEAST: f64 = 0.98;
/// Margin by which posy's cosine may be below that of ONNX Runtime's own int8 network if that is
/// below [`LEAST`] itself, as it is for most networks whose random weights amplify small
/// differences.
const BELOW_PEER: f64 = 0.002;

/// Origin of a network's weights.
#[derive(Clone, Copy, PartialEq)]
enum Weights {
    /// Trained, or equivalent variants of trained networks.
    Trained,
    /// Random, by the library's initialisation. Also compared with ONNX Runtime's own quantisation
    /// of the same file with the same photos.
    Begun,
    /// Random, and such that small differences grow from layer to layer. The bound is [`LEAST`], or
    /// ONNX Runtime's own quantisation if that is below it.
    Amplifying,
}

/// Compares each network, then reports all that are too far off.
fn hold(paths: &[PathBuf], weights: Weights, parity: &Path, runtime: &Runtime, scratch: &Path) {
    let mut wrong = Vec::new();
    for path in paths {
        let (error, cosine, least) = compare(path, weights, parity, runtime, scratch);
        let near = error < 1e-4 && cosine >= least;
        if !near {
            let name = path.display();
            wrong.push(format!("{name}: {error:.1e}, {cosine:.4} of {least:.4}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The `.onnx` files in a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn files_of_tf2onnx() {
    let test = "files_of_tf2onnx";
    let (Some(models), Some(parity)) = (data(test, "models/onnx"), data(test, "parity")) else {
        return;
    };
    let Some(runtime) = Runtime::find(test) else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    hold(
        &files(&models),
        Weights::Trained,
        &parity,
        &runtime,
        scratch.path(),
    );
}

/// Compares the networks that PyTorch exports with weights of this `beginning`.
fn pytorch(test: &str, beginning: &str, weights: Weights) {
    let Some(parity) = data(test, "parity") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let recorded = parity.join("inputs_u8_128.bin");
    let Some(runtime) = Runtime::find(test) else {
        return;
    };
    if !export(test, scratch.path(), &recorded, beginning) {
        return;
    }
    let paths = files(scratch.path());
    assert_eq!(paths.len(), 6);
    for path in &paths {
        let usual = float_file(path).usual_normalisation();
        assert_eq!(usual, Normalisation::TORCH);
    }
    hold(&paths, weights, &parity, &runtime, scratch.path());
}

#[test]
fn files_of_pytorch_as_its_layers_begin() {
    let test = "files_of_pytorch_as_its_layers_begin";
    pytorch(test, "pytorch", Weights::Begun);
}

#[test]
fn files_of_pytorch_as_torchvision_begins() {
    let test = "files_of_pytorch_as_torchvision_begins";
    pytorch(test, "torchvision", Weights::Begun);
}

#[test]
fn files_of_pytorch_that_amplify() {
    pytorch(
        "files_of_pytorch_that_amplify",
        "amplifying",
        Weights::Amplifying,
    );
}

/// One network as other exporters write it; ONNX Runtime runs each variant, so the expected output
/// is independent of posy.
#[test]
fn other_spellings() {
    let test = "other_spellings";
    let (Some(models), Some(parity)) = (data(test, "models/onnx"), data(test, "parity")) else {
        return;
    };
    let Some(runtime) = Runtime::find(test) else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let model = models.join("mobilenet_v1_0.25_128_nchw.onnx");
    runtime.variants(&model, scratch.path());
    let paths = files(scratch.path());
    assert_eq!(paths.len(), 6);
    for path in &paths {
        let scaled = path.file_stem().unwrap() == "scaled_input";
        let expected = match scaled {
            true => Normalisation::RAW,
            false => Normalisation::TENSORFLOW,
        };
        assert_eq!(float_file(path).usual_normalisation(), expected);
    }
    hold(&paths, Weights::Trained, &parity, &runtime, scratch.path());
}
