//! Real files against TensorFlow's outputs; malformed, damaged and hostile files.

use proptest::prelude::*;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{GraphProto, NodeProto};

use posy_shared::model::Op;

use super::*;
use crate::graph::builder::Problem;
use crate::graph::network::{FloatNetwork, Scoring};
use crate::graph::to_onnx::{Outputs, onnx_model};
use crate::import::normalisation::Normalisation;
use crate::import::tensorflow::tests::agrees_with_tensorflow;
use crate::testing::{data, mutate, nameless, small_float};

#[test]
fn files_of_tf2onnx_compute_what_they_compute_in_tensorflow() {
    let Some(folder) = data("reading ONNX files", "") else {
        return;
    };
    for size in ["128", "224"] {
        for layout in ["", "_nchw"] {
            let name = format!("models/onnx/mobilenet_v1_0.25_{size}{layout}.onnx");
            let file = read(&std::fs::read(folder.join(name)).unwrap()).unwrap();
            assert_eq!(file.layers.len(), 29);
            assert_eq!(file.usual_normalisation(), Normalisation::TENSORFLOW);
            agrees_with_tensorflow(&folder, size, file);
        }
    }
}

fn small() -> ModelProto {
    onnx_model(&small_float(), Outputs::Last)
}

#[test]
fn a_small_file_is_read_exactly() {
    let file = read(&small().encode_to_vec()).unwrap();
    assert_eq!(nameless(&file.layers), nameless(&small_float().layers));
}

/// The small network with all values of its map in the classifier, in place of their mean.
fn flattened() -> FloatNetwork {
    let mut network = small_float();
    let [.., pool, dense] = network.layers.as_mut_slice() else {
        panic!("a pool and a classifier");
    };
    let len = pool.common.input.len();
    (pool.common.op, pool.common.output.channels) = (Op::Flatten, len as u16);
    dense.common.input = pool.common.output;
    dense.weights = (0..3 * len)
        .map(|at| (at * 31 % 97) as f32 - 48.0)
        .collect();
    network
}

/// A vector of a map that the file has channel by channel: the engine's is pixel by pixel.
#[test]
fn flattened_maps_are_read_in_the_order_of_the_file() {
    let network = flattened();
    let interleaved = onnx_model(&network, Outputs::Last);
    let file = read(&interleaved.encode_to_vec()).unwrap();
    assert_eq!(nameless(&file.layers), nameless(&network.layers));
    assert_eq!(file.head, Some(4));
    let features = file.truncate_to_features().unwrap();
    assert_eq!(
        features.layers.last().unwrap().common.op,
        Op::GlobalAveragePool
    );

    let mut planar = interleaved;
    let nodes = &mut planar.graph.as_mut().unwrap().node;
    let place = nodes
        .iter()
        .position(|node| node.op_type == "Transpose")
        .unwrap();
    let transpose = nodes.remove(place);
    for node in nodes
        .iter_mut()
        .filter(|node| node.input[0] == transpose.output[0])
    {
        node.input[0] = transpose.input[0].clone();
    }
    let file = read(&planar.encode_to_vec()).unwrap();
    let (ours, written) = (&file.layers[5].weights, &network.layers[5].weights);
    let (pixels, channels) = (25, 4);
    for (place, weight) in ours.iter().enumerate() {
        let (output, place) = (place / 100, place % 100);
        let (pixel, channel) = (place / channels, place % channels);
        assert_eq!(*weight, written[output * 100 + channel * pixels + pixel]);
    }
    assert_ne!(ours, written);
}

/// PyTorch's classifiers end in logits, and may normalise the vector that the last layer reads.
#[test]
fn a_classifier_may_end_in_logits_and_scale_its_features() {
    let file = read(&small().encode_to_vec()).unwrap();
    assert_eq!(file.scoring, Some(Scoring::Softmax { beta: 1.0 }));
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    let real = |name: &str, numbers: Vec<f32>| tract_onnx::pb::TensorProto {
        name: name.into(),
        dims: vec![numbers.len() as i64],
        data_type: tract_onnx::pb::tensor_proto::DataType::Float as i32,
        float_data: numbers,
        ..Default::default()
    };
    graph.initializer.extend([
        real("scale", vec![2.0, 0.5, 1.0, -1.0]),
        real("shift", vec![0.25, 0.0, -1.0, 0.5]),
        real("mean", vec![0.0, 1.0, 0.0, 0.0]),
        real("variance", vec![1.0 - 1e-5; 4]),
    ]);
    let pool = node(graph, "GlobalAveragePool").output[0].clone();
    for node in &mut graph.node {
        for input in node.input.iter_mut().filter(|input| **input == pool) {
            *input = "normed".into();
        }
    }
    let place = graph
        .node
        .iter()
        .position(|node| node.output[0] == pool)
        .unwrap();
    let norm = NodeProto {
        op_type: "BatchNormalization".into(),
        input: [pool.as_str(), "scale", "shift", "mean", "variance"]
            .map(Into::into)
            .into(),
        output: vec!["normed".into()],
        ..NodeProto::default()
    };
    graph.node.insert(place + 1, norm);
    let scaled = read(&model.encode_to_vec()).unwrap();
    let (ours, plain) = (&scaled.layers[5], &small_float().layers[5]);
    assert_eq!(scaled.layers[..5], file.layers[..5]);
    let shifts = [0.25, -0.5, -1.0, 0.5];
    for output in 0..3 {
        let weights = &plain.weights[4 * output..][..4];
        let shift: f32 = weights
            .iter()
            .zip(shifts)
            .map(|(weight, shift)| weight * shift)
            .sum();
        assert!((ours.bias[output] - plain.bias[output] - shift).abs() < 1e-5);
        for (place, scale) in [2.0, 0.5, 1.0, -1.0].into_iter().enumerate() {
            assert!((ours.weights[4 * output + place] - weights[place] * scale).abs() < 1e-5);
        }
    }
}

/// Error message for the small file after `change`.
fn message(change: impl Fn(&mut GraphProto)) -> String {
    let mut model = small();
    change(model.graph.as_mut().unwrap());
    read(&model.encode_to_vec())
        .expect_err("a refusal")
        .to_string()
}

fn says(text: &str, change: impl Fn(&mut GraphProto)) {
    let message = message(change);
    assert!(message.contains(text), "{message:?} does not say {text:?}");
}

fn node<'g>(graph: &'g mut GraphProto, operator: &str) -> &'g mut NodeProto {
    let mut nodes = graph.node.iter_mut();
    nodes.find(|node| node.op_type == operator).unwrap()
}

/// Weights of the first layer.
fn weights(graph: &mut GraphProto) -> &mut tract_onnx::pb::TensorProto {
    let mut tensors = graph.initializer.iter_mut();
    tensors
        .find(|tensor| tensor.name.ends_with("weights"))
        .unwrap()
}

#[test]
fn wrong_files_are_refused_by_name() {
    says("which nothing before it writes", |graph| {
        graph.initializer.clear()
    });
    says("computed, by way of others, from itself", |graph| {
        let last = graph.node[4].output[0].clone();
        graph.node[0].input[0] = last;
    });
    says("written by two nodes", |graph| {
        let node = graph.node[0].clone();
        graph.node.push(node);
    });
    says("posy has no such operator", |graph| {
        node(graph, "Add").op_type = "Mul".into();
    });
    says("posy has no such operator", |graph| {
        graph.node[0].domain = "com.example".into();
    });
    says("node 0 (HardSwish", |graph| {
        graph.node[0].op_type = "HardSwish".into()
    });
    says("not all finite", |graph| {
        weights(graph).raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    says("needs 108 numbers, the file holds 107", |graph| {
        weights(graph).raw_data.truncate(107 * 4);
    });
    says("in another file", |graph| {
        weights(graph).data_location = Some(DataLocation::External as i32);
    });
    says("float16; export the network in float32", |graph| {
        weights(graph).data_type = tract_onnx::pb::tensor_proto::DataType::Float16 as i32;
    });
    says("weights have the channels", |graph| {
        weights(graph).dims = vec![4, 9, 3, 1];
    });
    says("extents are not negative", |graph| {
        weights(graph).dims = vec![-4, 3, 3, 3];
    });
    says("kernel of 1 x 9", |graph| {
        weights(graph).dims = vec![4, 3, 1, 9];
    });
    says("stride [9, 9]", |graph| {
        let attributes = &mut graph.node[0].attribute;
        let strides = attributes.iter_mut().find(|a| a.name == "strides");
        strides.unwrap().ints = vec![9, 9];
    });
    says("up to 2 rows", |graph| {
        let attributes = &mut graph.node[0].attribute;
        let pads = attributes.iter_mut().find(|a| a.name == "pads");
        pads.unwrap().ints = vec![1, i64::MAX, 1, 1];
    });
    says("two different layers", |graph| {
        let node = node(graph, "Add");
        node.input[1] = node.input[0].clone();
    });
    says("0 inputs beside its weights", |graph| graph.input.clear());
    says("has shape [unknown]", |graph| graph.input[0].r#type = None);
    says("something else than the layer before it", |graph| {
        // The depthwise layer reads the first layer's output from before its activation.
        let sum = graph.node[0].output[0].clone();
        graph.node[2].input[0] = sum;
    });
    says("clamps to 0 to 3", |graph| {
        let six = graph
            .initializer
            .iter_mut()
            .find(|tensor| tensor.name == "six");
        six.unwrap().raw_data = 3_f32.to_le_bytes().to_vec();
    });
    says("no layers", |graph| graph.output.clear());
    assert!(read(&[8, 7]).unwrap_err().to_string().contains("no graph"));
}

#[test]
fn what_follows_the_features_may_be_anything_but_damaged() {
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    let last = graph.node.last_mut().unwrap();
    last.op_type = "SomethingNew".into();
    let file = read(&model.encode_to_vec()).unwrap();
    assert_eq!(file.layers.len(), 5);
    // Squeeze-and-excitation reads the map again, so it cannot be left out.
    let graph = model.graph.as_mut().unwrap();
    let map = graph.node[4].output[0].clone();
    graph.node.last_mut().unwrap().input.push(map);
    let refused = read(&model.encode_to_vec()).unwrap_err().to_string();
    assert!(refused.contains("SomethingNew"), "{refused}");
    says("not all finite", |graph| {
        let mut tensors = graph.initializer.iter_mut();
        let head = tensors.find(|tensor| tensor.name == "layer_5_weights");
        head.unwrap().raw_data[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    });
}

#[test]
fn a_small_file_cannot_ask_for_many_weights() {
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    let mut pointwise = graph.node[4].clone();
    let mut writes = graph.node[4].output[0].clone();
    assert_eq!(pointwise.op_type, "Conv");
    // A wide layer whose weights are shared by all others.
    let tensor = |graph: &mut GraphProto, name: &str, dims: Vec<i64>| {
        let len: i64 = dims.iter().product();
        graph.initializer.push(tract_onnx::pb::TensorProto {
            name: name.into(),
            dims,
            data_type: 1,
            raw_data: vec![0; 4 * len as usize],
            ..Default::default()
        });
    };
    tensor(graph, "widen", vec![60, 4, 1, 1]);
    tensor(graph, "wide", vec![60, 60, 1, 1]);
    graph.node.truncate(5);
    for index in 0..200 {
        let weights = if index == 0 { "widen" } else { "wide" };
        pointwise.input = vec![writes, weights.into()];
        writes = format!("wide_{index}");
        pointwise.output = vec![writes.clone()];
        graph.node.push(pointwise.clone());
    }
    graph.output[0].name = writes;
    let refused = read(&model.encode_to_vec()).unwrap_err().to_string();
    assert!(refused.contains("used by too many layers"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = small().encode_to_vec();
        mutate(&mut bytes, &changes, cut);
        // Only panics and endless loops fail here.
        let _ = read(&bytes);
    }
}

#[test]
fn every_cut_of_a_real_file_is_refused() {
    let Some(folder) = data("cutting a real ONNX file", "models/onnx") else {
        return;
    };
    let original = std::fs::read(folder.join("mobilenet_v1_0.25_128.onnx")).unwrap();
    for cut in (0..original.len()).step_by(50_021) {
        assert!(read(&original[..cut]).is_err(), "{cut}");
    }
}

/// The list of known operators agrees with the function that reads them.
#[test]
fn operators_that_are_known_are_listed() {
    let is_unknown = |operator: &str| {
        let mut model = small();
        node(model.graph.as_mut().unwrap(), "Conv").op_type = operator.into();
        let read = read(&model.encode_to_vec());
        matches!(read, Err(OnnxError::Node { problem, .. }) if *problem == Problem::Operator)
    };
    for operator in walk::KNOWN.iter().filter(|known| **known != "Conv") {
        // Other errors about the operator are not of interest here.
        assert!(!is_unknown(operator), "{operator}");
    }
    assert!(is_unknown("MaxPool") && is_unknown("Sigmoid"));
    let mut model = small();
    for (node, operator) in model
        .graph
        .as_mut()
        .unwrap()
        .node
        .iter_mut()
        .zip(["MaxPool", "Gelu", "MaxPool"])
    {
        node.op_type = operator.into();
    }
    let file = File::decode(&model.encode_to_vec()).unwrap();
    assert_eq!(file.unknown_operators(), ["Gelu", "MaxPool"]);
}
