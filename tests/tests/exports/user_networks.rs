//! Classifiers that users made with Keras, Teachable Machine and Edge Impulse, and such that the test makes with
//! TensorFlow, against LiteRT's reference kernels: as classifiers all logits and scores, as backbones the features,
//! from the same pixels.

use std::ffi::OsString;
use std::path::Path;

use posy::dataset::decode::Limits;
use posy::dataset::load::load;
use posy::predict::{Classifier, Reading};
use posy_nn::export::Format;
use posy_nn::export::convert::{Opened, Source};
use posy_nn::graph::network::{FloatNetwork, Quantisation};
use posy_nn::import::file::{Network, read_network};
use posy_nn::import::normalisation::Normalisation;
use posy_nn::rgb::Rgb;
use posy_nn::run::{Runner, input, input_of, plain_map};
use posy_nn::runtime::float::FloatRunner;
use posy_nn::runtime::hybrid::HybridRunner;
use posy_nn::zoo::backbone::Backbone;
use posy_shared::model::{InputContract, Model, Shape};
use posy_shared::preprocess::{Crop, Filter, PixelMap};
use posy_shared::scores::Scores;
use posy_tests::data;
use posy_tests::draw::{draw, extent};
use posy_tests::exports::{Python, photo_count};
use posy_tests::scratch::Scratch;

/// Preparation of photos that are as large as the input already.
const INPUT: InputContract = InputContract {
    crop: Crop::Squash,
    filter: Filter::Area,
    table: None,
};

/// Files below `cases`, and what their users feed them; see `run_user_network.py`.
const FILES: [(&str, &str); 13] = [
    ("keras/avg1_int8", "centred"),
    ("keras/avg3_sigmoid", "centred"),
    ("keras/ei3_int8", "centred"),
    ("keras/flat3_int8", "centred"),
    ("keras/v1_025_flat_int8", "centred"),
    ("keras/v1_025_floatio", "signed"),
    ("keras/v1_025_int8", "centred"),
    ("keras/v1_025_rescale_int8", "raw"),
    ("keras/v1_025_uint8", "raw"),
    ("models/ei_mask", "centred"),
    ("models/ei_partial_range", "unit"),
    ("models/ei_sanya", "centred"),
    ("models/tm_mask", "raw"),
];

/// Float files, what they are fed, and the greatest error of scores in int8. The last two are dynamic-range files:
/// LiteRT quantises activations as it runs. The weights of the first two are random, and make small errors larger.
const FLOAT_FILES: [(&str, &str, f32); 3] = [
    ("keras/v1_025_f16", "signed", 0.25),
    ("keras/v1_025_dynamic", "signed", 0.25),
    ("models/tm_tiny_grey", "signed", 0.1),
];

/// Greatest relative error of a float file's features, and error of its scores.
const APART: f32 = 1e-3;

/// Photos of flowers, squashed to `side` x `side` pixels.
fn photos(flowers: &Path, side: u16, count: usize) -> Vec<Rgb> {
    let shape = Shape {
        height: side,
        width: side,
        channels: 3,
    };
    let mut photos = Vec::new();
    for label in ["daisy", "roses", "tulips", "dandelion", "sunflowers"] {
        let mut paths: Vec<_> = flowers.join(label).read_dir().unwrap().collect();
        paths.sort_by_key(|entry| entry.as_ref().unwrap().path());
        for entry in paths.into_iter().take(count.div_ceil(5)) {
            let photo = load(&entry.unwrap().path(), &Limits::default()).unwrap();
            let pixels = input_of(&photo, shape, INPUT, PixelMap::Centred).unwrap();
            photos.push(Rgb {
                width: side,
                height: side,
                data: pixels.iter().map(|pixel| (pixel ^ -128) as u8).collect(),
            });
        }
    }
    photos.truncate(count);
    photos
}

/// Outputs of a file in LiteRT.
struct Theirs {
    /// Logits, scores and features of each picture, in bytes.
    parts: Vec<[Vec<u8>; 3]>,
    /// True if the features are pooled.
    pooled: bool,
}

/// Runs `file` in LiteRT on `pixels`; `size` is that of a number in bytes.
fn theirs(python: &Python, file: &Path, pixels: &[u8], contract: &str, size: usize) -> Theirs {
    let scratch = Scratch::new();
    let inputs = scratch.write("inputs", pixels);
    let [outputs, said] = ["outputs", "said"].map(|name| scratch.join(name));
    let contract = std::path::PathBuf::from(contract);
    let arguments = [file, &inputs, &outputs, &said, &contract];
    python.run("run_user_network.py", &arguments);
    let said: serde_json::Value = serde_json::from_slice(&scratch.read("said")).unwrap();
    let lengths: Vec<usize> = serde_json::from_value(said["lengths"].clone()).unwrap();
    let bytes = scratch.read("outputs");
    let of_each = bytes.chunks_exact(size * lengths.iter().sum::<usize>());
    let parts = of_each.map(|bytes| {
        let (logits, rest) = bytes.split_at(size * lengths[0]);
        let (scores, rest) = rest.split_at(size * lengths[1]);
        [logits, scores, rest].map(<[u8]>::to_vec)
    });
    Theirs {
        parts: parts.collect(),
        pooled: said["pooled"] == true,
    }
}

fn bytes(values: &[i8]) -> Vec<u8> {
    values.iter().map(|value| value.cast_unsigned()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.as_chunks().0.iter();
    numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Scores of logits in TensorFlow Lite's int8, in 1/256 less 128. `output` is the quantisation of the logits.
///
/// A softmax rounds the same sum to 8 bits that posy shows to 16. The reference kernel of LOGISTIC looks a score up in a
/// table, made in single precision and rounded half away from zero (`PopulateLookupTable` in `activations.cc`).
fn int8_scores(scores: &Scores<'_>, logits: &[i8], output: Quantisation) -> Vec<i8> {
    let logistic = |logit: &i8| {
        let real = output.scale * (i32::from(*logit) - output.zero_point) as f32;
        let score = 1.0 / (1.0 + (-real).exp());
        ((score * 256.0).round() - 128.0).clamp(-128.0, 127.0) as i8
    };
    match scores {
        Scores::Softmax(softmax) => logits.iter().map(|logit| softmax.int8(*logit)).collect(),
        Scores::Logistic(_) => logits.iter().map(logistic).collect(),
    }
}

/// True if `fine`, in 1/65,536, is the score that `int8` is in 1/256 less 128: it lies within half a step of it, or
/// above the greatest.
fn is_score(fine: u32, int8: i8) -> bool {
    let middle = 256 * (i64::from(int8) + 128);
    (i64::from(fine) - middle).abs() <= 128 || (int8 == 127 && i64::from(fine) > middle)
}

/// Holds the quantised network in `file` to LiteRT on `photos`.
fn hold(python: &Python, name: &str, file: &Path, contract: &str, photos: &[Rgb]) {
    hold_to(python, name, (file, file), contract, photos);
}

/// Holds the quantised network in `file` to `original`, of the same integers, in LiteRT.
fn hold_to(
    python: &Python,
    name: &str,
    (file, original): (&Path, &Path),
    contract: &str,
    photos: &[Rgb],
) {
    let source = Source::read(file, None).unwrap();
    let Ok(Network::Trained(network)) = read_network(file) else {
        panic!("{name}: a quantised network");
    };
    let last = network.layers.last().unwrap().output;
    let model = source.write(Format::Posy).unwrap();
    let runner = Runner::new(Model::read(&model).unwrap());
    let model = runner.model();
    let pixels: Vec<u8> = photos.iter().flat_map(|photo| photo.data.clone()).collect();
    let found = theirs(python, original, &pixels, contract, 1);
    assert_eq!(found.parts.len(), photos.len());
    let backbone = Backbone::read(file, "net").unwrap();
    let extractor = backbone.extractor(INPUT).unwrap();
    let extractor = Runner::new(Model::read(&extractor).unwrap());
    let mut inputs = Vec::new();
    for (photo, [logits, scores, features]) in photos.iter().zip(&found.parts) {
        let input = input(model, photo).unwrap();
        let ours = runner.output_of(&input).unwrap();
        assert_eq!(&bytes(&ours), logits, "{name}: logits");
        let of_each = model.scores(&ours);
        let rounded = int8_scores(&of_each, &ours, last);
        assert_eq!(&bytes(&rounded), scores, "{name}: scores");
        for (logit, rounded) in ours.iter().zip(rounded) {
            let fine = of_each.fine(*logit);
            assert!(
                is_score(fine, rounded),
                "{name}: {fine} in 1/65,536, {rounded}"
            );
        }
        let ours = extractor.output_of(&input).unwrap();
        if found.pooled {
            assert_eq!(&bytes(&ours), features, "{name}: features");
        } else {
            for (channel, value) in ours.iter().enumerate() {
                let map = features.iter().skip(channel).step_by(ours.len());
                let sum: i32 = map.clone().map(|byte| i32::from(*byte as i8)).sum();
                let mean = f64::from(sum) / map.count() as f64;
                assert!((f64::from(*value) - mean).abs() <= 0.5, "{name}: {channel}");
            }
        }
        inputs.extend(bytes(&input));
    }
    // The file written again, from the same integers.
    let scratch = Scratch::new();
    let again = scratch.write("again.tflite", source.write(Format::Tflite).unwrap());
    let written = theirs(python, &again, &inputs, "int8", 1);
    for ([logits, ..], [found, ..]) in written.parts.iter().zip(&found.parts) {
        assert_eq!(logits, found, "{name}: written again");
    }
    let count = photos.len();
    eprintln!(
        "{name}: {count} photos equal in LiteRT: features, logits and scores, and written again"
    );
}

/// Holds the float network in `file` to LiteRT on `photos`: features, scores, and scores of the network that
/// photos quantise, of which the greatest error is `in_int8`.
fn hold_float(
    python: &Python,
    name: &str,
    file: &Path,
    contract: &str,
    photos: &[Rgb],
    in_int8: f32,
) {
    let pixels: Vec<u8> = photos.iter().flat_map(|photo| photo.data.clone()).collect();
    let found = theirs(python, file, &pixels, contract, 4);
    let Ok(Opened::Float(float)) = Opened::read(file, None, None) else {
        panic!("{name}: a float classifier");
    };
    let shape = float.input_shape().unwrap();
    let normalisation = match contract {
        "raw" => Normalisation::RAW,
        _ => Normalisation::TENSORFLOW,
    };
    assert_eq!(float.usual_normalisation(), normalisation, "{name}");
    let inputs = photos
        .iter()
        .map(|photo| input_of(photo, shape, INPUT, plain_map(shape)).unwrap());
    let inputs: Vec<Vec<i8>> = inputs.collect();
    let Ok(Network::Float(network)) = read_network(file) else {
        panic!("{name}: a float network");
    };
    let features = network.truncate_to_features().unwrap();
    // The file's own layers, without pixels folded in.
    let plain = FloatNetwork {
        input: Quantisation {
            scale: 1.0,
            zero_point: 0,
        },
        pixels: None,
        layers: features.layers.clone(),
    };
    let runs = FloatRunner::new(&plain).unwrap();
    let hybrid = HybridRunner::new(&features.layers, &features.hybrids).unwrap();
    let run = |read: &[f32]| match features.hybrids.is_empty() {
        true => runs.run_real(read).unwrap().concat(),
        false => hybrid.run_real(read).unwrap(),
    };
    let real = |(place, value): (usize, &i8)| {
        let channel = place % features.input.len();
        let (mean, std) = normalisation.of_channel(channel, features.input.len());
        let (factor, added) = features.input[channel];
        // As Keras' preprocess_input computes it, and then the file.
        let (mean, std) = (mean as f32, std as f32);
        let fed = (f32::from(*value) + 128.0) / std - mean / std;
        match (factor, added) {
            (1.0, 0.0) => fed,
            (factor, added) => fed * factor as f32 + added as f32,
        }
    };
    let Ok(Classifier::Float(classifier)) = Classifier::open(file, &Reading::default()) else {
        panic!("{name}: a float classifier");
    };
    let quantised = float.quantise(&normalisation, &inputs).unwrap();
    let model = quantised.write(Format::Posy).unwrap();
    let runner = Runner::new(Model::read(&model).unwrap());
    let mut worst = [0.0_f32; 3];
    for ((photo, input), [_, scores, theirs]) in photos.iter().zip(&inputs).zip(&found.parts) {
        let (scores, theirs) = (floats(scores), floats(theirs));
        let read: Vec<f32> = input.iter().enumerate().map(real).collect();
        let ours = run(&read);
        let theirs: Vec<f32> = (0..ours.len())
            .map(|channel| {
                let map = theirs.iter().skip(channel).step_by(ours.len());
                map.clone().sum::<f32>() / map.count() as f32
            })
            .collect();
        let sum = |numbers: &[f32]| numbers.iter().map(|n| n * n).sum::<f32>().sqrt();
        let differences: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        worst[0] = worst[0].max(sum(&differences) / sum(&theirs));
        let ours = classifier.scores(photo).unwrap();
        worst[1] = worst[1].max(posy_tests::exports::apart(&ours, &scores));
        let logits = runner.output_of(input).unwrap();
        let of_each = runner.model().scores(&logits);
        let int8 = logits.iter().map(|q| of_each.fine(*q) as f32 / 65536.0);
        let int8: Vec<f32> = int8.collect();
        worst[2] = worst[2].max(posy_tests::exports::apart(&int8, &scores));
    }
    let [features, scores, int8] = worst;
    let count = photos.len();
    eprintln!(
        "{name}: {count} photos, features within {features:.1e} of LiteRT, scores within {scores:.1e}, in int8 {int8:.2}"
    );
    assert!(features < APART && scores < APART, "{name}: {worst:?}");
    assert!(int8 < in_int8, "{name}: {worst:?}");
}

#[test]
fn users_files_compute_what_they_compute_in_tensorflow_lite() {
    let test = "users_files_compute_what_they_compute_in_tensorflow_lite";
    let (Some(cases), Some(flowers), Some(python)) = (
        data(test, "cases"),
        data(test, "flower_photos"),
        Python::runtimes(test),
    ) else {
        return;
    };
    let count = photo_count(extent(6, 50));
    for (name, contract) in draw(test, FILES, 5) {
        let file = cases.join(format!("{name}.tflite"));
        let bytes = Source::read(&file, None)
            .unwrap()
            .write(Format::Posy)
            .unwrap();
        let side = Model::read(&bytes).unwrap().input_shape().height;
        let photos = photos(&flowers, side, count);
        hold(&python, name, &file, contract, &photos);
    }
    // `v1_025_int8` again, through tf2onnx.
    let file = cases.join("onnx/t2o_v1_025_int8.onnx");
    let original = cases.join("keras/v1_025_int8.tflite");
    let photos = self::photos(&flowers, 96, count);
    let name = "onnx/t2o_v1_025_int8";
    hold_to(&python, name, (&file, &original), "centred", &photos);
    for (name, contract, in_int8) in FLOAT_FILES {
        let file = cases.join(format!("{name}.tflite"));
        let photos = self::photos(&flowers, 96, count);
        hold_float(&python, name, &file, contract, &photos, in_int8);
    }
}

/// Networks that TensorFlow makes in the test; see `make_networks.py`.
const MADE: [&str; 24] = [
    "v1_0.25_96_rgb_pool_int8_int",
    "v1_0.25_96_grey_flat_uint8_int",
    "v1_0.5_128_rgb_ei_float_int",
    "v1_0.25_160_grey_sigmoid_int8_int",
    "v2_0.35_96_rgb_ei_int8_int",
    "v2_0.35_160_grey_pool_uint8_int",
    "v2_0.1_96_rgb_sigmoid_int8_int",
    "v2_0.1_160_grey_flat_float_int",
    "v2_0.35_96_grey_ei_uint8_int",
    "v3_1.0_96_rgb_pool_int8_int",
    "v3_1.0_160_grey_flat_uint8_int",
    "v3_0.75_96_rgb_ei_float_int",
    "v3_1.0_96_grey_sigmoid_int8_int",
    "tiny_0.25_96_grey_pool_int8_int",
    "tiny_0.25_96_grey_flat_uint8_int",
    "tiny_0.25_160_rgb_pool_int8_int",
    "v1_0.25_96_rgb_pool_float_dynamic",
    "v2_0.35_96_rgb_ei_float_dynamic",
    "v1_0.25_160_rgb_flat_float_f16",
    "v2_0.1_96_grey_pool_float_f16",
    "v3_1.0_96_rgb_sigmoid_float_f16",
    "v2_0.35_160_rgb_flat_float_float",
    "v3_1.0_96_grey_pool_float_float",
    "tiny_0.25_96_grey_flat_float_float",
];

/// Those of [`MADE`] in `fixtures/made`, as TensorFlow 2.21.0 wrote them: making one takes it half a minute.
const CARRIED: [&str; 4] = [
    "v1_0.25_96_grey_flat_uint8_int",
    "v2_0.1_96_rgb_sigmoid_int8_int",
    "tiny_0.25_96_grey_pool_int8_int",
    "v2_0.1_96_grey_pool_float_f16",
];

#[test]
fn carried_networks_compute_what_they_compute_in_tensorflow_lite() {
    let test = "carried_networks_compute_what_they_compute_in_tensorflow_lite";
    let (Some(flowers), Some(python)) = (data(test, "flower_photos"), Python::runtimes(test))
    else {
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/made");
    for name in CARRIED {
        hold_made(&python, &flowers, name, &folder);
    }
}

#[test]
fn made_networks_compute_what_they_compute_in_tensorflow_lite() {
    let test = "made_networks_compute_what_they_compute_in_tensorflow_lite";
    let (Some(flowers), Some(models), Some(tensorflow), Some(python)) = (
        data(test, "flower_photos"),
        data(test, "models"),
        Python::tensorflow(test),
        Python::runtimes(test),
    ) else {
        return;
    };
    let scratch = Scratch::new();
    let folder = scratch.join("");
    let mut arguments: Vec<OsString> = [&folder, &models, &flowers].map(Into::into).into();
    arguments.extend(MADE.iter().map(OsString::from));
    tensorflow.run("make_networks.py", &arguments);
    let mut faulty = Vec::new();
    for name in MADE {
        // Each is looked at, whatever the others do.
        let held = std::panic::catch_unwind(|| hold_made(&python, &flowers, name, &folder));
        if held.is_err() {
            faulty.push(name);
        }
    }
    assert!(faulty.is_empty(), "{faulty:?}");
}

/// Holds the network `name` of [`MADE`], whose file lies in `folder`.
fn hold_made(python: &Python, flowers: &Path, name: &str, folder: &Path) {
    let words: Vec<&str> = name.split('_').collect();
    let [family, _, side, colour, _, ends, kind] = words[..] else {
        panic!("{name}");
    };
    let photos = photos(flowers, side.parse().unwrap(), photo_count(extent(3, 10)));
    let file = folder.join(format!("{name}.tflite"));
    let raw = family == "v3" && colour == "rgb";
    let contract = match ends {
        "int8" => "centred",
        "uint8" => "raw",
        _ if raw => "raw",
        _ => "signed",
    };
    match kind {
        "int" => hold(python, name, &file, contract, &photos),
        _ => {
            // TensorFlow's own int8 forms of two v2 networks, trained for a minute, are 0.34 and 0.38 away.
            let in_int8 = if family == "v2" { 0.45 } else { 0.2 };
            hold_float(python, name, &file, contract, &photos, in_int8);
        }
    }
}
