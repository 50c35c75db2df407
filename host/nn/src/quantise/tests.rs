//! Whole networks through the quantiser, run in integers and compared in real values.

use std::fs;
use std::path::Path;

use posy_shared::model::{Op, Padding, Shape};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::equalise::{damage, equalise};
use super::from_float::from_photos;
use super::from_quantised::from_trained;
use super::from_ranges::{QuantiseError, activation_quantisation, carried_ranges, from_float};
use super::observe::RangeObserver;
use super::simulate::{real, run};
use crate::graph::network::{
    Activation, Common, FloatLayer, FloatNetwork, IntNetwork, Quantisation, TrainedNetwork,
};
use crate::import::file::read_file;
use crate::runtime::float::FloatRunner;
use crate::testing::data;

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The recorded uint8 photos of this size, as int8. Photos of 96 pixels are 2 x 2 means of those of
/// 192.
fn photos(folder: &Path, size: usize) -> Vec<Vec<i8>> {
    if size == 96 {
        let halve = |photo: &Vec<i8>| {
            let at = |y: usize, x: usize, c: usize| i16::from(photo[(y * 192 + x) * 3 + c]);
            let mean = |i: usize| {
                let (y, x, c) = (i / 288 * 2, i / 3 % 96 * 2, i % 3);
                ((at(y, x, c) + at(y, x + 1, c) + at(y + 1, x, c) + at(y + 1, x + 1, c)) / 4) as i8
            };
            (0..96 * 96 * 3).map(mean).collect()
        };
        return photos(folder, 192).iter().map(halve).collect();
    }
    let bytes = fs::read(folder.join(format!("parity/inputs_u8_{size}.bin"))).unwrap();
    let photo = |p: &[u8]| p.iter().map(|b| (b ^ 0x80).cast_signed()).collect();
    bytes.chunks_exact(size * size * 3).map(photo).collect()
}

fn features(folder: &Path, name: &str) -> TrainedNetwork {
    let path = folder.join(format!("models/{name}.tflite"));
    read_file(&path).unwrap().truncate_to_features().unwrap()
}

/// Mean cosine between the integer network's features and the float network's, over photos.
fn agreement(float: &FloatNetwork, int: &IntNetwork, photos: &[Vec<i8>]) -> f64 {
    let runner = FloatRunner::new(float).unwrap();
    let last = int.layers.last().unwrap().output;
    let cosines = photos.iter().map(|photo| {
        let ours = real(run(int, photo).last().unwrap(), last);
        cosine(&ours, &runner.features(photo).unwrap())
    });
    cosines.sum::<f64>() / photos.len() as f64
}

/// Compares each layer of a converted int8 file with the outputs of TensorFlow Lite's reference
/// kernels, given the recorded output of the layer before. The runner of these tests rounds ties
/// differently, so a few numbers may be one step off.
#[test]
fn layers_of_an_int8_file_compute_what_they_compute_in_tensorflow_lite() {
    let Some(folder) = data("running an int8 file", "") else {
        return;
    };
    let (int, _) = from_trained(&features(&folder, "int8/vww_96_int8"));
    let input = fs::read(folder.join("parity/vww/cat.in.i8")).unwrap();
    let mut before: Vec<i8> = input.iter().map(|b| b.cast_signed()).collect();
    let recorded = posy_npz::read(&folder.join("parity/vww/cat.layers_ref.npz"));
    let mut quantisation = int.input;
    for (layer, recorded) in int.layers.iter().zip(&recorded) {
        let (name, theirs) = (&recorded.name, recorded.signed());
        let alone = IntNetwork {
            pixels: None,
            input_table: None,
            input: quantisation,
            layers: vec![layer.clone()],
        };
        let ours = run(&alone, &before).remove(0);
        let most = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| (i16::from(*a) - i16::from(*b)).abs())
            .max();
        let differing = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
        assert!(most <= Some(1), "{name}: {most:?}");
        assert!(
            differing * 200 <= ours.len(),
            "{name}: {differing} of {}",
            ours.len()
        );
        (before, quantisation) = (theirs.clone(), layer.output);
    }
}

/// Compares a converted uint8 network with the pooled features that TensorFlow Lite's reference
/// kernels recorded for the file itself. The difference comes from the 1.5% of channels that had to
/// be rescaled.
#[test]
fn a_carried_network_computes_nearly_what_the_uint8_file_computes() {
    let Some(folder) = data("running a carried network", "") else {
        return;
    };
    let name = "mobilenet_v1_0.25_128_quant";
    let (int, _) = from_trained(&features(&folder, name));
    let recorded = fs::read(folder.join(format!("parity/{name}_pool_ref.bin"))).unwrap();
    for (photo, recorded) in photos(&folder, 128)
        .iter()
        .zip(recorded.chunks_exact(256))
        .step_by(8)
    {
        let ours = run(&int, photo);
        let ours: Vec<f32> = ours
            .last()
            .unwrap()
            .iter()
            .map(|q| f32::from(*q) + 128.0)
            .collect();
        let theirs: Vec<f32> = recorded.iter().map(|q| f32::from(*q)).collect();
        let cosine = cosine(&ours, &theirs);
        let apart = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| (a - b).abs())
            .sum::<f32>()
            / 256.0;
        eprintln!("cosine {cosine:.4}, {apart:.2} steps apart on average");
        assert!(cosine > 0.995 && apart < 3.0, "{cosine}, {apart}");
    }
}

#[test]
fn a_network_survives_the_way_through_floating_point() {
    let Some(folder) = data("quantising from float", "") else {
        return;
    };
    for (name, size) in [
        ("mobilenet_v1_0.25_128_quant", 128),
        ("mobilenet_v2_1.0_96_quant", 96),
    ] {
        let trained = features(&folder, name);
        let float = FloatNetwork::from(&trained);
        let photos = photos(&folder, size);
        let (seen, tested) = (
            &photos[..],
            [photos[3].clone(), photos[20].clone(), photos[37].clone()],
        );
        let carried = from_float(&float, &carried_ranges(&float).unwrap()).unwrap();
        let (direct, _) = from_trained(&trained);
        for (a, b) in carried.layers.iter().zip(&direct.layers) {
            assert_eq!(
                a.output.zero_point, b.output.zero_point,
                "{}",
                a.common.name
            );
            assert!(
                (a.output.scale / b.output.scale - 1.0).abs() < 1e-6,
                "{}",
                a.common.name
            );
        }
        let observed = RangeObserver::of(&float, seen).unwrap();
        let calibrated = from_float(&float, &observed.ranges()).unwrap();
        let whole = from_photos(&float, seen).unwrap();
        let ways = [
            ("as trained", agreement(&float, &direct, &tested)),
            ("ranges of training", agreement(&float, &carried, &tested)),
            ("calibrated", agreement(&float, &calibrated, &tested)),
            ("all that is done", agreement(&float, &whole, &tested)),
        ];
        let mut equal = float.clone();
        let scaled = equalise(&mut equal, &observed);
        let ranges = RangeObserver::of(&equal, seen).unwrap().ranges();
        let equalised = agreement(&float, &from_float(&equal, &ranges).unwrap(), &tested);
        eprintln!("{name}: {ways:?}; {scaled} channels equalised: {equalised}");
        for (way, cosine) in ways {
            assert!(cosine > 0.98, "{name}, {way}: {cosine}");
        }
        assert!(equalised > 0.98, "{name}: {equalised}");
    }
}

/// Scaling channels apart does not change a float network, but ruins it for quantisation unless it
/// is equalised first.
#[test]
fn equalisation_restores_channels_that_were_scaled_apart() {
    let Some(folder) = data("equalising a network", "") else {
        return;
    };
    let original = FloatNetwork::from(&features(&folder, "mobilenet_v1_0.25_128_quant"));
    let photos = photos(&folder, 128);
    let tested: Vec<Vec<i8>> = photos.iter().step_by(10).cloned().collect();
    let mut apart = original.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let observed = RangeObserver::of(&original, &photos).unwrap();
    let scaled = damage::scale_apart(&mut apart, &observed, &mut rng);

    // In floating point nothing has changed.
    let (before, after) = (
        FloatRunner::new(&original).unwrap(),
        FloatRunner::new(&apart).unwrap(),
    );
    for photo in &tested {
        let same = cosine(
            &before.features(photo).unwrap(),
            &after.features(photo).unwrap(),
        );
        assert!(same > 0.999_99, "{same}");
    }
    let quantise = |network: &FloatNetwork| {
        let ranges = RangeObserver::of(network, &photos).unwrap().ranges();
        agreement(&original, &from_float(network, &ranges).unwrap(), &tested)
    };
    let (whole, ruined) = (quantise(&original), quantise(&apart));
    let mut equal = apart.clone();
    let restored = equalise(&mut equal, &RangeObserver::of(&apart, &photos).unwrap());
    let healed = quantise(&equal);
    eprintln!(
        "{scaled} channels scaled apart, {restored} scaled back: cosine {whole:.4} before, {ruined:.4} apart, \
         {healed:.4} equalised"
    );
    assert!(ruined < whole - 0.01, "{ruined}");
    assert!(healed > whole - 0.003, "{healed}");
}

/// Expected values by hand, from `real = scale * (q - zero_point)`.
#[test]
fn ranges_become_steps_with_an_exact_zero() {
    let q = activation_quantisation(0.0, 6.0);
    assert_eq!(
        q,
        Quantisation {
            scale: 6.0 / 255.0,
            zero_point: -128
        }
    );
    assert_eq!(
        activation_quantisation(-51.0, 204.0),
        Quantisation {
            scale: 1.0,
            zero_point: -77
        }
    );
    // Widened to zero on either side.
    assert_eq!(
        activation_quantisation(2.0, 255.0),
        Quantisation {
            scale: 1.0,
            zero_point: -128
        }
    );
    assert_eq!(
        activation_quantisation(-255.0, -3.0),
        Quantisation {
            scale: 1.0,
            zero_point: 127
        }
    );
    assert_eq!(activation_quantisation(0.0, 0.0).zero_point, 0);
    for (least, greatest) in [(-0.3, 7.9), (-12.0, 0.01), (-1e-3, 1e3)] {
        let q = activation_quantisation(least, greatest);
        let (low, high) = (
            q.scale * (-128 - q.zero_point) as f32,
            q.scale * (127 - q.zero_point) as f32,
        );
        assert!(
            (low - least).abs() <= q.scale && (high - greatest).abs() <= q.scale,
            "{q:?}"
        );
    }
}

#[test]
fn what_cannot_be_quantised_is_refused_by_name() {
    let network = one_layer(vec![1.0, f32::NAN], vec![0.0, 0.0]);
    let error = from_float(&network, &[(0.0, 1.0)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 0 (\"dense\") has weights that are not finite"
    );
    let error = from_float(&network, &[]).unwrap_err();
    assert_eq!(
        error,
        QuantiseError::Ranges {
            found: 0,
            expected: 1
        }
    );
    let network = one_layer(vec![1.0, 1.0], vec![0.0, 0.0]);
    let error = from_float(&network, &[(0.0, f32::INFINITY)]).unwrap_err();
    assert!(error.to_string().contains("activation ranges"), "{error}");
    assert_eq!(
        RangeObserver::of(&network, &[]).unwrap_err(),
        QuantiseError::NoPhotos
    );
}

/// Channels without weights, or with a bias far beyond them, still output their bias.
#[test]
fn a_channel_that_is_only_a_bias_keeps_it() {
    let network = one_layer(vec![0.0, 1e-9], vec![1.25, -3.5]);
    let int = from_float(&network, &[(-4.0, 4.0)]).unwrap();
    for input in [-128, 0, 127] {
        let map = run(&int, &[input]);
        let real = real(&map[0], int.layers[0].output);
        assert!(
            (real[0] - 1.25).abs() < 0.02 && (real[1] + 3.5).abs() < 0.02,
            "{real:?}"
        );
    }
    let carried = from_float(&network, &[(-4.0, 4.0)])
        .unwrap()
        .layers
        .remove(0);
    assert!(
        carried.bias.iter().all(|b| b.abs() <= 1 << 30),
        "{:?}",
        carried.bias
    );
}

/// A fully connected layer from one input to two outputs.
fn one_layer(weights: Vec<f32>, bias: Vec<f32>) -> FloatNetwork {
    let shape = |channels| Shape {
        height: 1,
        width: 1,
        channels,
    };
    let common = Common {
        name: "dense".into(),
        op: Op::Dense,
        input: shape(1),
        output: shape(2),
        stride: 1,
        padding: Padding::default(),
        activation: Activation::None,
        skip: None,
    };
    let input = Quantisation {
        scale: 0.01,
        zero_point: 0,
    };
    FloatNetwork {
        pixels: None,
        input,
        layers: vec![FloatLayer {
            common,
            weights,
            bias,
            range: None,
        }],
    }
}
