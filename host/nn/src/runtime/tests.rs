use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use posy_shared::model::{Op, Padding, Shape};
use prost::Message;
use rayon::prelude::*;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

use super::float::{FloatError, FloatRunner};
use super::hybrid::HybridRunner;
use crate::graph::network::{
    Activation, Common, FloatLayer, FloatNetwork, Hybrid, Quantisation, TrainedNetwork,
};
use crate::graph::to_onnx::{Outputs, onnx_bytes, onnx_model};
use crate::import::file::read_file;
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

/// The uint8 photos of `parity`, as int8.
fn photos(folder: &Path, size: usize) -> Vec<Vec<i8>> {
    let bytes = fs::read(folder.join(format!("parity/inputs_u8_{size}.bin"))).unwrap();
    let photo = |p: &[u8]| p.iter().map(|b| (b ^ 0x80).cast_signed()).collect();
    bytes.chunks_exact(size * size * 3).map(photo).collect()
}

/// Compares pooled features with those that TensorFlow Lite's reference kernels recorded for the
/// uint8 networks. The remaining difference is the rounding of activations.
#[test]
fn float_features_are_close_to_those_of_tensorflow_lite() {
    let Some(folder) = data("comparing float features", "") else {
        return;
    };
    for (name, size) in [
        ("mobilenet_v1_0.25_128", 128),
        ("mobilenet_v1_0.25_224", 224),
        ("mobilenet_v1_0.75_192", 192),
    ] {
        let network = read_file(&folder.join(format!("models/{name}_quant.tflite"))).unwrap();
        let network = network.truncate_to_features().unwrap();
        let pool = network.layers.last().unwrap().output;
        let runner = FloatRunner::new(&FloatNetwork::from(&network)).unwrap();
        let recorded = fs::read(folder.join(format!("parity/{name}_quant_pool_ref.bin"))).unwrap();
        let photos = photos(&folder, size);
        let len = recorded.len() / photos.len();
        let cosines: Vec<f64> = photos
            .iter()
            .zip(recorded.chunks_exact(len))
            .step_by(2)
            .map(|(photo, recorded)| {
                let real = |q: &u8| pool.scale * (i32::from(*q) - 128 - pool.zero_point) as f32;
                let recorded: Vec<f32> = recorded.iter().map(real).collect();
                cosine(&runner.features(photo).unwrap(), &recorded)
            })
            .collect();
        let least = cosines.iter().copied().fold(1.0, f64::min);
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        eprintln!("{name}: cosine mean {mean:.4}, least {least:.4}");
        assert!(least > 0.99, "{name}: {cosines:?}");
        assert!(mean > 0.998, "{name}: {cosines:?}");
    }
}

/// Compares every layer with the outputs that TensorFlow Lite's reference kernels recorded for one
/// photo; a wrong padding, weight layout or activation would show.
#[test]
fn every_layer_is_close_to_that_of_tensorflow_lite() {
    let Some(folder) = data("comparing every float layer", "") else {
        return;
    };
    let name = "mobilenet_v1_0.75_192_quant";
    let network = read_file(&folder.join(format!("models/{name}.tflite"))).unwrap();
    let runner = FloatRunner::of_every_layer(&FloatNetwork::from(&network)).unwrap();
    let ours = runner.run(&photos(&folder, 192)[0]).unwrap();
    let recorded = folder.join(format!("parity/{name}_layers_ref_image0.npz"));
    compare_layers(&network, &ours, &recorded, |q| i32::from(q) - 128);

    let network = read_file(&folder.join("models/int8/vww_96_int8.tflite")).unwrap();
    let runner = FloatRunner::of_every_layer(&FloatNetwork::from(&network)).unwrap();
    for photo in ["cat", "hopper", "sunflower"] {
        let input = fs::read(folder.join(format!("parity/vww/{photo}.in.i8"))).unwrap();
        let input: Vec<i8> = input.iter().map(|b| b.cast_signed()).collect();
        let ours = runner.run(&input).unwrap();
        let recorded = folder.join(format!("parity/vww/{photo}.layers_ref.npz"));
        compare_layers(&network, &ours, &recorded, |q| i32::from(q.cast_signed()));
    }
}

fn compare_layers(
    network: &TrainedNetwork,
    ours: &[Vec<f32>],
    recorded: &Path,
    signed: impl Fn(u8) -> i32,
) {
    let mut arrays = posy_npz::read(recorded);
    assert!(arrays.len() >= ours.len(), "{}", arrays.len());
    // RESHAPE and SOFTMAX are no layers in posy.
    arrays.retain(|array| {
        ["RESHAPE", "SOFTMAX"]
            .iter()
            .all(|op| !array.name.contains(op))
    });
    assert_eq!(arrays.len(), ours.len());
    for ((layer, ours), recorded) in network.layers.iter().zip(ours).zip(arrays) {
        let name = recorded.name;
        let q = layer.output;
        let real = |n: u8| q.scale * (signed(n) - q.zero_point) as f32;
        let theirs: Vec<f32> = recorded.bytes.into_iter().map(real).collect();
        let cosine = cosine(ours, &theirs);
        assert!(cosine > 0.98, "{name}: {cosine}");
    }
}

#[test]
fn onnx_says_what_it_reads_and_writes() {
    let shape = Shape {
        height: 4,
        width: 6,
        channels: 2,
    };
    let pooled = Shape {
        height: 1,
        width: 1,
        channels: 2,
    };
    let common = |op, output| Common {
        name: "a layer".into(),
        op,
        input: shape,
        output,
        stride: 1,
        padding: Padding::default(),
        activation: Activation::None,
        skip: None,
    };
    let layer = |common, weights, bias| FloatLayer {
        common,
        weights,
        bias,
        range: None,
    };
    let network = FloatNetwork {
        pixels: None,
        input: Quantisation {
            scale: 0.5,
            zero_point: -1,
        },
        layers: vec![
            layer(
                common(Op::Pointwise, shape),
                vec![1.0, 2.0, -1.0, 0.5],
                vec![0.25, 0.0],
            ),
            layer(common(Op::GlobalAveragePool, pooled), vec![], vec![]),
        ],
    };
    let model = ModelProto::decode(onnx_bytes(&network, Outputs::All).as_slice()).unwrap();
    assert_eq!(model, onnx_model(&network, Outputs::All));
    let graph = model.graph.unwrap();
    let names =
        |values: &[ValueInfoProto]| values.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&graph.input), names(&graph.output)),
        (
            vec!["input".into()],
            vec!["layer_0".into(), "layer_1".into()]
        )
    );
    assert_eq!(
        onnx_model(&network, Outputs::Last)
            .graph
            .unwrap()
            .output
            .len(),
        1
    );

    // Channels (0, 1) of every pixel are (1, 3): q = 1 and 5 with zero point -1, scale 0.5.
    let input: Vec<i8> = [1, 5].repeat(24);
    let all = FloatRunner::of_every_layer(&network)
        .unwrap()
        .run(&input)
        .unwrap();
    assert_eq!(all[0], [7.25, 0.5].repeat(24));
    assert_eq!(all[1], [7.25, 0.5]);
    let runner = FloatRunner::new(&network).unwrap();
    assert_eq!(runner.features(&input).unwrap(), [7.25, 0.5]);
    let error = runner.features(&input[1..]).unwrap_err();
    assert_eq!(
        error,
        FloatError::InputLength {
            found: 47,
            expected: 48
        }
    );
    let empty = FloatNetwork {
        pixels: None,
        input: network.input,
        layers: vec![],
    };
    assert_eq!(FloatRunner::new(&empty).unwrap_err(), FloatError::Empty);
}

/// Threads that share a runner get the same features as one thread.
#[test]
fn a_runner_is_shared_by_threads() {
    let Some(folder) = data("sharing a runner", "") else {
        return;
    };
    let network = read_file(&folder.join("models/mobilenet_v1_0.25_128_quant.tflite")).unwrap();
    let network = network.truncate_to_features().unwrap();
    let runner = FloatRunner::new(&FloatNetwork::from(&network)).unwrap();
    let photos = photos(&folder, 128);
    let alone: Vec<_> = photos.iter().map(|p| runner.features(p).unwrap()).collect();
    let together: Vec<_> = photos
        .par_iter()
        .map(|p| runner.features(p).unwrap())
        .collect();
    assert_eq!(alone, together);
}

/// One layer of 4 x 4 pixels with weights in steps of a sixteenth.
fn single(op: Op, inputs: u16, outputs: u16) -> FloatNetwork {
    let shape = |channels: u16| Shape {
        height: 4,
        width: 4,
        channels,
    };
    let (taps, padding) = match op.is_window() {
        true => (9, 1),
        false => (1, 0),
    };
    let of_each = match op {
        Op::Depthwise3x3 => taps,
        _ => taps * usize::from(inputs),
    };
    let len = of_each * usize::from(outputs);
    FloatNetwork {
        input: Quantisation {
            scale: 1.0,
            zero_point: 0,
        },
        pixels: None,
        layers: vec![FloatLayer {
            common: Common {
                name: "layer".into(),
                op,
                input: shape(inputs),
                output: shape(outputs),
                stride: 1,
                padding: Padding {
                    top: padding,
                    bottom: padding,
                    left: padding,
                    right: padding,
                },
                activation: Activation::Relu,
                skip: None,
            },
            weights: (0..len)
                .map(|at| (at * 37 % 255) as f32 / 16.0 - 8.0)
                .collect(),
            bias: (0..outputs)
                .map(|channel| f32::from(channel) - 1.5)
                .collect(),
            range: None,
        }],
    }
}

/// Values that are whole steps of a range from -1 to 1.5, which is 255 steps: quantising them changes nothing.
#[test]
fn a_dynamic_range_layer_computes_the_real_layer_on_whole_steps() {
    for (op, inputs, outputs) in [
        (Op::Conv3x3, 3, 5),
        (Op::Depthwise3x3, 4, 4),
        (Op::Pointwise, 6, 5),
    ] {
        let network = single(op, inputs, outputs);
        let len = network.layers[0].common.input.len();
        let step = 2.5 / 255.0;
        let mut input: Vec<f32> = (0..len)
            .map(|at| ((at * 53 % 256) as f32 - 102.0) * step)
            .collect();
        let pixel = usize::from(inputs);
        for pixel in input.chunks_exact_mut(pixel) {
            // Each pixel has both ends, for layers that quantise pixel by pixel.
            (pixel[0], pixel[1]) = (-102.0 * step, 153.0 * step);
        }
        let real = FloatRunner::new(&network)
            .unwrap()
            .run_real(&input)
            .unwrap();
        for each_pixel in [false, true] {
            let hybrid = Hybrid {
                scales: vec![1.0 / 16.0; usize::from(outputs)],
                asymmetric: true,
                each_pixel,
            };
            let runner =
                HybridRunner::new(&network.layers, &BTreeMap::from([(0, hybrid)])).unwrap();
            let found = runner.run_real(&input).unwrap();
            let error = crate::testing::relative_error(&found, &real[0]);
            assert!(error < 1e-5, "{op:?}, {each_pixel}: {error}");
        }
        // Without integers it is the real layer whatever the input is.
        let odd: Vec<f32> = input.iter().map(|value| value * 1.37 + 0.011).collect();
        let runner = HybridRunner::new(&network.layers, &BTreeMap::new()).unwrap();
        let real = FloatRunner::new(&network).unwrap().run_real(&odd).unwrap();
        let error = crate::testing::relative_error(&runner.run_real(&odd).unwrap(), &real[0]);
        assert!(error < 1e-6, "{op:?}: {error}");
    }
}

/// Expected: 0.31 of -1 to 1 is 39 of 127 steps where both ends are alike; with a zero point 0.31 of 0 to 1 is 79 of 255.
#[test]
fn what_a_dynamic_range_layer_reads_is_rounded() {
    let network = single(Op::Pointwise, 1, 1);
    let weight = network.layers[0].weights[0];
    assert!(weight < 0.0);
    let mut layers = network.layers;
    (layers[0].common.activation, layers[0].bias[0]) = (Activation::None, 0.0);
    for (asymmetric, least, expected) in [(false, -1.0, 39.0 / 127.0), (true, 0.0, 79.0 / 255.0)] {
        let hybrid = Hybrid {
            scales: vec![1.0 / 16.0],
            asymmetric,
            each_pixel: false,
        };
        let runner = HybridRunner::new(&layers, &BTreeMap::from([(0, hybrid)])).unwrap();
        let mut input = [0.0; 16];
        (input[0], input[1], input[2]) = (least, 1.0, 0.31);
        let found = runner.run_real(&input).unwrap();
        assert!((found[2] - expected * weight).abs() < 1e-6, "{found:?}");
        assert_eq!(runner.run_real(&[0.0; 16]).unwrap(), [0.0; 16]);
    }
    let empty = HybridRunner::new(&[], &BTreeMap::new()).unwrap_err();
    assert_eq!(empty, FloatError::Empty);
}
