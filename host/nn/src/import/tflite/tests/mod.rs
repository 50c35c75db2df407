//! Valid files; the other modules hold malformed and damaged ones.

mod damaged;
mod float;
mod refused;

use std::fs;
use std::path::PathBuf;

use posy_shared::model::{Op, Padding, Shape};

use super::fixture::{
    Field, File, OperatorSpec, TensorSpec, integers, map, operator, small, weights,
};
use super::names::*;
use super::*;
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{Activation, Quantisation};
use crate::quantise::from_quantised::from_trained;
use crate::quantise::simulate::run;
use crate::testing::data;

fn message(file: &File) -> String {
    read(&file.bytes()).expect_err("a refusal").to_string()
}

fn shape(height: u16, width: u16, channels: u16) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

#[test]
fn a_small_int8_file_is_read_exactly() {
    let file = small();
    let network = read(&file.bytes()).unwrap();
    let ops: Vec<Op> = network.layers.iter().map(|l| l.common.op).collect();
    let expected = [
        Op::Conv3x3,
        Op::Depthwise3x3,
        Op::Pointwise,
        Op::Add,
        Op::GlobalAveragePool,
        Op::Dense,
    ];
    assert_eq!(ops, expected);
    assert_eq!(
        network.input,
        Quantisation {
            scale: 0.5,
            zero_point: -128
        }
    );

    let conv = &network.layers[0];
    assert_eq!(
        (conv.common.input, conv.common.output),
        (shape(5, 5, 2), shape(3, 3, 4))
    );
    assert_eq!(conv.common.stride, 2);
    assert_eq!(
        conv.common.padding,
        Padding {
            top: 1,
            bottom: 1,
            left: 1,
            right: 1
        }
    );
    assert_eq!(conv.common.activation, Activation::Relu6);
    let held: Vec<i16> = file.tensors[1]
        .data
        .iter()
        .map(|b| i16::from(*b as i8))
        .collect();
    assert_eq!(conv.weights, held);
    assert_eq!(conv.weight_scales, file.tensors[1].scales);
    assert_eq!(conv.bias, [1, -2, 3, -4]);
    assert_eq!(
        conv.output,
        Quantisation {
            scale: 0.02,
            zero_point: -128
        }
    );

    // The file's [1, 3, 3, C] becomes [C, 3, 3], and the PAD before it becomes the layer's padding.
    let depthwise = &network.layers[1];
    let held = &file.tensors[6].data;
    for channel in 0..4 {
        for tap in 0..9 {
            let expected = i16::from(held[tap * 4 + channel] as i8);
            assert_eq!(
                depthwise.weights[channel * 9 + tap],
                expected,
                "channel {channel}, tap {tap}"
            );
        }
    }
    assert_eq!(depthwise.common.input, shape(3, 3, 4));
    assert_eq!(
        depthwise.common.padding,
        Padding {
            top: 1,
            bottom: 1,
            left: 1,
            right: 1
        }
    );

    let mut file = file;
    file.operators[3].inputs.pop();
    let without_bias = read(&file.bytes()).unwrap();
    assert_eq!(
        without_bias.layers[2].bias, [0; 4],
        "no bias is a bias of zeros"
    );
    assert_eq!(network.layers[3].common.skip, Some(0));
    assert_eq!(network.layers[5].common.output, shape(1, 1, 3));
    assert_eq!(network.class_count(), Some(3));
}

#[test]
fn an_addition_may_name_its_operands_in_either_order() {
    let mut file = small();
    file.operators[4].inputs = vec![10, 3];
    let network = read(&file.bytes()).unwrap();
    assert_eq!(
        network,
        TrainedNetwork {
            pixels: Some(GreyLevels::RAW),
            sha256: network.sha256,
            ..read(&small().bytes()).unwrap()
        }
    );
}

#[test]
fn uint8_is_shifted_to_int8_and_weights_lose_their_zero_point() {
    let mut file = small();
    for tensor in &mut file.tensors {
        if tensor.number_type == INT8 {
            tensor.number_type = UINT8;
            if tensor.data.is_empty() {
                tensor.zero_points = vec![3];
            } else {
                tensor.scales.truncate(1);
                tensor.zero_points = vec![200];
            }
        }
    }
    let network = read(&file.bytes()).unwrap();
    assert_eq!(network.layers[0].output.zero_point, 3 - 128);
    assert_eq!(network.layers[0].weights[0], -200);
    assert_eq!(network.layers[0].weight_scales, [0.01; 4]);
}

#[test]
fn pad_then_valid_is_what_keras_exports_for_stride_two() {
    let mut file = small();
    file.tensor("paddings").data = [0, 0, 0, 1, 0, 1, 0, 0]
        .iter()
        .flat_map(|v: &i32| v.to_le_bytes())
        .collect();
    file.tensor("padded").shape = vec![1, 4, 4, 4];
    file.tensor("depthwise").shape = vec![1, 2, 2, 4];
    let message = message(&file);
    // The rest of the fixture no longer fits; the depthwise layer itself does.
    assert!(
        message.contains("operator 3 (CONV_2D, writing \"pointwise\")"),
        "{message}"
    );
}

#[test]
fn mean_over_the_map_has_a_scale_of_its_own() {
    let mut file = small();
    file.tensors.push(integers("axes", &[2], &[-2, 1]));
    let axes = file.tensors.len() as i32 - 1;
    file.operators[5] = operator(MEAN, &[11, axes], 12);
    file.tensor("pool").scales = vec![0.03];
    file.tensor("flat").scales = vec![0.03];
    let network = read(&file.bytes()).unwrap();
    assert_eq!(network.layers[4].common.op, Op::Mean);
    assert_eq!(network.layers[4].output.scale, 0.03);
    let features = network.truncate_to_features().unwrap();
    assert_eq!(features.layers.len(), 5);
    *file.tensor("axes") = integers("axes", &[2], &[1, 3]);
    assert!(message(&file).contains("other axes"), "{}", message(&file));
}

#[test]
fn what_follows_the_features_does_not_matter_to_a_backbone() {
    let mut file = small();
    file.operators[7].builtin = 117;
    let network = read(&file.bytes()).unwrap();
    let unread = network.unread.clone().unwrap().to_string();
    assert!(unread.contains("operator 7 (HARD_SWISH"), "{unread}");
    let whole = read(&small().bytes()).unwrap();
    let features = network.truncate_to_features().unwrap();
    assert_eq!(
        features.layers,
        whole.truncate_to_features().unwrap().layers
    );
    // Here the map is in use again.
    let mut file = small();
    file.operators[7].builtin = 117;
    file.operators[7].inputs = vec![13, 11];
    assert!(message(&file).contains("HARD_SWISH"));
}

/// The small file with Edge Impulse's classifier: a dense layer of each pixel, then one of all values.
fn edge_impulse() -> File {
    let mut file = small();
    file.operators.truncate(5);
    file.tensors.extend([
        map("pixels", &[9, 4], 0.05),
        weights("each_w", &[2, 4], 0),
        map("each", &[9, 2], 0.04),
        map("all", &[1, 18], 0.04),
        weights("all_w", &[3, 18], 0),
    ]);
    let [pixels, each_w, each, all, all_w] = std::array::from_fn(|place| 20 + place as i32);
    let dense = |inputs: &[i32], output| OperatorSpec {
        options: Some((8, vec![(0, Field::Byte(0))])),
        ..operator(FULLY_CONNECTED, inputs, output)
    };
    file.operators.extend([
        operator(RESHAPE, &[11, 18], pixels),
        dense(&[pixels, each_w], each),
        operator(RESHAPE, &[each, 18], all),
        dense(&[all, all_w, 15], 16),
        OperatorSpec {
            options: Some((9, vec![(0, Field::Real(1.0))])),
            ..operator(SOFTMAX, &[16], 17)
        },
    ]);
    file
}

/// The same for batches of any size: all batches are open, and so are the shapes behind the map, which operators
/// compute. What the file states for an open extent is 1.
fn open_edge_impulse() -> File {
    let mut file = edge_impulse();
    let maps = [
        ("input", 4),
        ("conv", 4),
        ("padded", 4),
        ("depthwise", 4),
        ("pointwise", 4),
        ("sum", 4),
        ("logits", 2),
        ("softmax", 2),
    ];
    for (name, rank) in maps {
        let tensor = file.tensor(name);
        assert_eq!(tensor.shape.len(), rank);
        tensor.signature = tensor.shape.clone();
        tensor.signature[0] = -1;
    }
    for (name, shape, signature) in [
        ("pixels", vec![1, 1], vec![-1, -1]),
        ("each", vec![1, 2], vec![-1, 2]),
        ("all", vec![1, 1], vec![-1, -1]),
    ] {
        let tensor = file.tensor(name);
        (tensor.shape, tensor.signature) = (shape, signature);
    }
    let whole = |name: &str, values: &[i32]| integers(name, &[values.len() as i32], values);
    let unwritten = |name: &str| TensorSpec {
        data: Vec::new(),
        ..integers(name, &[1], &[0])
    };
    let first = file.tensors.len() as i32;
    file.tensors.extend([
        unwritten("of_sum"),
        whole("from", &[1]),
        whole("to", &[3]),
        whole("one", &[1]),
        unwritten("sides"),
        whole("axis", &[0]),
        unwritten("pixel_count"),
        whole("channels", &[4]),
        unwritten("wanted"),
        unwritten("of_each"),
        unwritten("length"),
        unwritten("vector"),
    ]);
    let [
        of_sum,
        from,
        to,
        one,
        sides,
        axis,
        count,
        channels,
        wanted,
        of_each,
        length,
        vector,
    ] = std::array::from_fn(|place| first + place as i32);
    let [
        conv,
        pad,
        depthwise,
        pointwise,
        sum,
        pixels,
        each,
        all,
        dense,
        softmax,
    ] = <[OperatorSpec; 10]>::try_from(file.operators).ok().unwrap();
    file.operators = vec![
        conv,
        pad,
        depthwise,
        pointwise,
        sum,
        operator(SHAPE, &[11], of_sum),
        OperatorSpec {
            options: Some((32, Vec::new())),
            ..operator(STRIDED_SLICE, &[of_sum, from, to, one], sides)
        },
        operator(REDUCE_PROD, &[sides, axis], count),
        operator(PACK, &[count, channels], wanted),
        OperatorSpec {
            inputs: vec![11, wanted],
            ..pixels
        },
        each,
        operator(SHAPE, &[21 + 1], of_each),
        operator(REDUCE_PROD, &[of_each, axis], length),
        operator(PACK, &[one, length], vector),
        OperatorSpec {
            inputs: vec![22, vector],
            ..all
        },
        dense,
        softmax,
    ];
    file
}

#[test]
fn shapes_that_a_file_leaves_open_are_computed() {
    let expected = read(&edge_impulse().bytes()).unwrap();
    let open = read(&open_edge_impulse().bytes()).unwrap();
    assert_eq!(open.unread, None);
    assert_eq!(open.layers, expected.layers);
    // A RESHAPE to a shape of which nothing is known.
    let mut file = open_edge_impulse();
    file.tensor("channels").data = vec![0; 3];
    let refused = message(&file);
    assert!(
        refused.contains("(RESHAPE, writing \"pixels\")") && refused.contains("dynamic shape"),
        "{refused}"
    );
    // One open extent is counted.
    let pixels = file.tensor("pixels");
    (pixels.shape, pixels.signature) = (vec![1, 4], vec![-1, 4]);
    assert_eq!(read(&file.bytes()).unwrap().layers, expected.layers);
}

/// The bias of Edge Impulse's dense layer as Keras writes it for batches of any size: added in integers, behind a
/// RESHAPE. Expected: the sum of the real values, in steps of the output.
#[test]
fn a_bias_that_is_added_later_becomes_a_layer_of_one_tap() {
    let mut file = edge_impulse();
    let place = file.tensors.len() as i32;
    file.tensors.extend([
        map("biased", &[9, 2], 0.05),
        TensorSpec {
            zero_points: vec![3],
            data: vec![90, -60_i8 as u8],
            ..map("bias", &[2], 0.03)
        },
    ]);
    file.tensor("all").scales = vec![0.05];
    file.operators[7].inputs[0] = place;
    let add = OperatorSpec {
        options: Some((11, vec![(0, Field::Byte(1))])),
        ..operator(ADD, &[22, place + 1], place)
    };
    file.operators.insert(7, add);
    let network = read(&file.bytes()).unwrap();
    assert_eq!(network.unread, None);
    let ops: Vec<Op> = network.layers[4..].iter().map(|l| l.common.op).collect();
    assert_eq!(
        ops,
        [Op::Pointwise, Op::Depthwise3x3, Op::Flatten, Op::Dense]
    );
    let layer = &network.layers[5];
    assert_eq!(layer.common.output, shape(3, 3, 2));
    for (channel, added) in [(0, 0.03 * 87.0), (1, 0.03 * -63.0)] {
        let weight = f64::from(layer.weights[9 * channel + 4]);
        let scale = f64::from(layer.weight_scales[channel]);
        assert!((weight * scale - 1.0).abs() < 1e-6);
        // In steps of what it reads times the weight's.
        let bias = f64::from(layer.bias[channel]) * 0.04 * scale;
        assert!((bias - added).abs() < 0.04 / 10.0, "{bias} {added}");
    }
}

/// A file for pictures of any size has no shapes at all.
#[test]
fn an_input_of_open_size_is_given_one() {
    let mut file = small();
    file.operators[5].builtin = MEAN;
    file.tensors.push(integers("axes", &[2], &[1, 2]));
    file.operators[5].inputs.push(file.tensors.len() as i32 - 1);
    let expected = read(&file.bytes()).unwrap();
    for name in ["input", "conv", "padded", "depthwise", "pointwise", "sum"] {
        let tensor = file.tensor(name);
        let channels = tensor.shape[3];
        tensor.shape = vec![1, 1, 1, channels];
        tensor.signature = vec![-1, -1, -1, channels];
    }
    file.tensor("pool").signature = vec![-1, 1, 1, 4];
    assert!(
        message(&file).contains("--input-size"),
        "{}",
        message(&file)
    );
    let read = read_sized(&file.bytes(), Some(5)).unwrap();
    assert_eq!(read.layers, expected.layers);
    let larger = read_sized(&file.bytes(), Some(7)).unwrap();
    assert_eq!(larger.layers[0].common.output, shape(4, 4, 4));
}

#[test]
fn dense_layers_read_each_pixel_or_all() {
    let network = read(&edge_impulse().bytes()).unwrap();
    assert_eq!(network.unread, None);
    let ops: Vec<Op> = network.layers[4..].iter().map(|l| l.common.op).collect();
    assert_eq!(ops, [Op::Pointwise, Op::Flatten, Op::Dense]);
    let layers = &network.layers;
    assert_eq!(layers[4].common.output, shape(3, 3, 2));
    assert!(layers[4].fully_connected && layers[6].fully_connected);
    assert_eq!(layers[5].common.output, shape(1, 1, 18));
    assert_eq!(network.class_count(), Some(3));
    // As a backbone, the map before is averaged.
    let features = network.truncate_to_features().unwrap();
    let last = features.layers.last().unwrap();
    assert_eq!(features.layers.len(), 5);
    assert_eq!(last.common.op, Op::GlobalAveragePool);
    assert_eq!(last.common.output, shape(1, 1, 4));
    assert_eq!(last.output, features.layers[3].output);
}

/// Expected values: LiteRT 2.3.0's reference kernels compute these for a Rescaling layer of Keras, whose
/// constants are 1 / 127.5 and -1: nearly the pixel less 128.
#[test]
fn scaling_at_the_input_becomes_a_table() {
    let mut file = small();
    let scalar = |name: &str, scale: f32, zero_point: i64, value: i8| TensorSpec {
        zero_points: vec![zero_point],
        data: vec![value as u8],
        ..map(name, &[], scale)
    };
    let signed = |name: &str, scale: f32, zero_point| TensorSpec {
        zero_points: vec![zero_point],
        ..map(name, &[1, 5, 5, 2], scale)
    };
    file.tensor("input").scales = vec![1.0];
    file.tensors.extend([
        scalar("factor", 1.0 / 127.5 / 255.0, -128, 127),
        signed("scaled", 2.0 / 255.0, -128),
        scalar("offset", 1.0 / 255.0, 127, -128),
        signed("moved", 2.0 / 255.0, -1),
    ]);
    let arithmetic = |builtin, kind, inputs: &[i32], output| OperatorSpec {
        options: Some((kind, vec![(0, Field::Byte(0))])),
        ..operator(builtin, inputs, output)
    };
    file.operators[0].inputs[0] = 23;
    file.operators.insert(0, arithmetic(MUL, 21, &[0, 20], 21));
    file.operators.insert(1, arithmetic(ADD, 11, &[21, 22], 23));
    let network = read(&file.bytes()).unwrap();
    let table = network.input_table.unwrap();
    assert_eq!(table.rows.len(), 2);
    for (level, value) in table.rows[1].iter().enumerate() {
        let apart = (level as i16 - 128 - i16::from(*value)).abs();
        assert!(apart <= 1, "{level}: {value}");
    }
    assert_eq!(network.input.zero_point, -1);
    let levels = network.pixels.unwrap();
    assert!((levels.mean - 127.5).abs() < 0.01 && (levels.std - 127.5).abs() < 0.01);
    // A constant of another length is no scale of channels.
    file.tensor("factor").shape = vec![3];
    file.tensor("factor").data = vec![1; 3];
    assert!(
        message(&file).contains("one for all channels"),
        "{}",
        message(&file)
    );
}

#[test]
fn float_ends_are_taken_where_they_are_exact() {
    let mut file = small();
    file.tensor("input").number_type = FLOAT32;
    file.tensor("input").scales.clear();
    file.tensors.push(map("quantised", &[1, 5, 5, 2], 0.5));
    file.tensors.push(map("float", &[1, 3], 1.0));
    let last = file.tensors.len() as i32 - 1;
    file.tensor("float").number_type = FLOAT32;
    file.operators[0].inputs[0] = last - 1;
    file.operators.insert(0, operator(QUANTIZE, &[0], last - 1));
    file.operators.push(operator(DEQUANTIZE, &[17], last));
    file.outputs = vec![last];
    let expected = read(&small().bytes()).unwrap();
    let network = read(&file.bytes()).unwrap();
    assert_eq!(
        network,
        TrainedNetwork {
            pixels: Some(GreyLevels::RAW),
            sha256: network.sha256,
            ..expected
        }
    );
}

fn real_files() -> Option<Vec<PathBuf>> {
    let folder = data("reading every network", "models")?;
    let mut files: Vec<PathBuf> = [folder.clone(), folder.join("int8")]
        .iter()
        .flat_map(|f| fs::read_dir(f).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "tflite"))
        .collect();
    files.sort();
    Some(files)
}

#[test]
fn every_real_file_is_read() {
    let Some(files) = real_files() else { return };
    assert!(files.len() >= 8, "{files:?}");
    for path in files {
        let network =
            read(&fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let name = path.file_name().unwrap().to_str().unwrap();
        let adds = network
            .layers
            .iter()
            .filter(|l| l.common.op == Op::Add)
            .count();
        assert_eq!(adds, if name.contains("_v2_") { 10 } else { 0 }, "{name}");
        let expected = match name {
            _ if name.contains("extractor") => None,
            _ if name.contains("vww") => Some(2),
            _ => Some(1001),
        };
        assert_eq!(network.class_count(), expected, "{name}");
        let features = network.clone().truncate_to_features().unwrap();
        assert_eq!(
            features.layers.last().unwrap().common.op,
            Op::GlobalAveragePool,
            "{name}"
        );
    }
}

/// Quantisation of layers as reported by TensorFlow Lite's interpreter, recorded with the reference
/// outputs in `parity`.
#[test]
fn quantisation_is_what_tensorflow_lite_reports() {
    let Some(folder) = data("comparing quantisation", "") else {
        return;
    };
    let name = "mobilenet_v1_0.75_192_quant";
    let network = read(&fs::read(folder.join(format!("models/{name}.tflite"))).unwrap()).unwrap();
    let text = fs::read_to_string(folder.join(format!("parity/{name}_layers.json"))).unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (layer, recorded) in network.layers.iter().zip(recorded.as_array().unwrap()) {
        assert_eq!(layer.common.name, recorded["name"].as_str().unwrap());
        assert_eq!(
            layer.output.scale,
            recorded["scale"].as_f64().unwrap() as f32
        );
        assert_eq!(
            i64::from(layer.output.zero_point) + 128,
            recorded["zero_point"].as_i64().unwrap()
        );
        let extents: Vec<u64> = recorded["shape"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e.as_u64().unwrap())
            .collect();
        let Shape {
            height,
            width,
            channels,
        } = layer.common.output;
        assert_eq!(
            extents[1..],
            [u64::from(height), u64::from(width), u64::from(channels)]
        );
    }
}
/// Outputs of TensorFlow Lite's reference kernels (LiteRT 2.3.0, `BUILTIN_REF`) for the fixture's
/// bytes, layer by layer, for the input `31 * i % 256 - 128`. They show that TensorFlow Lite reads
/// the fixture too, and that posy reads padding, addition and weight layout in the same way.
#[test]
fn a_small_file_computes_what_it_computes_in_tensorflow_lite() {
    let recorded: [&[i8]; 6] = [
        &[
            127, 127, -128, 127, 127, -128, -128, 127, -128, -128, 127, -128, 127, 127, -128, 127,
            127, -128, 127, 35, 127, -128, 127, 127, 127, 127, -128, 127, 127, -128, 127, -128,
            127, -128, 127, 127,
        ],
        &[
            -80, 72, -122, -128, -128, -128, 72, -128, -128, -128, -128, -128, -128, 72, 3, -128,
            -128, -128, 72, 72, -128, -128, -128, -128, -113, -23, 72, -128, -128, -107, -18, 72,
            -128, -128, -128, -75,
        ],
        &[
            -69, -128, 22, -128, -17, -128, 22, -97, -128, -128, -128, -128, 0, -128, 22, -128, 22,
            -128, -94, 7, -128, -128, -128, -128, 12, -128, 22, -128, 22, -128, -128, -13, -84,
            -124, -128, -101,
        ],
        &[
            21, -26, -8, -26, 63, -128, -8, -1, -128, -128, -26, -128, 76, -26, -8, -26, 94, -128,
            1, 45, -26, -128, -26, -26, 86, -26, -8, -26, 94, -128, -26, -36, 9, -125, -26, -4,
        ],
        &[32, -94, -15, -25],
        &[-22, -128, -51],
    ];
    let (network, _) = from_trained(&read(&small().bytes()).unwrap());
    let input: Vec<i8> = (0..50).map(|i| (31 * i % 256 - 128) as i8).collect();
    for ((ours, theirs), layer) in run(&network, &input)
        .iter()
        .zip(recorded)
        .zip(&network.layers)
    {
        assert_eq!(ours.len(), theirs.len());
        let apart = ours
            .iter()
            .zip(theirs)
            .map(|(a, b)| (i16::from(*a) - i16::from(*b)).abs());
        // The runner of these tests rounds ties differently.
        assert!(
            apart.clone().max() <= Some(1),
            "{}: {ours:?}",
            layer.common.name
        );
        assert!(apart.sum::<i16>() <= 3, "{}: {ours:?}", layer.common.name);
    }
}
