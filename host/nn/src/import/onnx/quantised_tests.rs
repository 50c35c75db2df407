//! Quantised ONNX files: the integers of the TensorFlow Lite file that they came from, and those that posy wrote.

use posy_shared::model::InputContract;
use posy_shared::preprocess::{Crop, Filter};
use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

use super::*;
use crate::export::Facts;
use crate::export::onnx_int8::qdq_bytes;
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{IntNetwork, Scoring};
use crate::import::tflite;
use crate::quantise::from_float::from_photos;
use crate::quantise::from_quantised::from_trained;
use crate::testing::{data, mutate, small_float};

/// A network without the names of its layers, and with each dense layer as a convolution of one pixel.
fn plain(mut network: IntNetwork) -> IntNetwork {
    for layer in &mut network.layers {
        layer.common.name.clear();
        layer.fully_connected = false;
    }
    network
}

fn read_quantised(bytes: &[u8]) -> Option<TrainedNetwork> {
    match File::decode(bytes).unwrap().read_network().unwrap() {
        Network::Trained(network) => Some(network),
        Network::Float(_) => None,
    }
}

#[test]
fn a_file_of_tf2onnx_has_the_integers_of_its_tflite_file() {
    let Some(cases) = data("reading a quantised ONNX file", "cases") else {
        return;
    };
    let bytes = |name: &str| std::fs::read(cases.join(name)).unwrap();
    let read = read_quantised(&bytes("onnx/t2o_v1_025_int8.onnx")).expect("a quantised network");
    let theirs = tflite::read(&bytes("keras/v1_025_int8.tflite")).unwrap();
    assert_eq!(read.scoring, Some(Scoring::Softmax { beta: 1.0 }));
    assert_eq!(read.unread, None);
    let of_onnx = from_trained(&read).0;
    let of_tflite = from_trained(&theirs).0;
    for (ours, theirs) in read.layers.iter().zip(&theirs.layers) {
        assert_eq!(ours.fully_connected, theirs.fully_connected);
    }
    assert_eq!(plain(of_onnx), plain(of_tflite));
}

/// A small network in integers.
fn small() -> IntNetwork {
    let float = small_float();
    let photo =
        |seed: usize| (0..9 * 9 * 3).map(move |at| ((at * 37 + seed * 101) % 256) as u8 as i8);
    let photos: Vec<Vec<i8>> = (0..4).map(|seed| photo(seed).collect()).collect();
    from_photos(&float, &photos).unwrap()
}

/// Bytes of an ONNX file of `network`, with `change` made to its graph.
fn file(network: &IntNetwork, beta: f32, change: impl Fn(&mut GraphProto)) -> Vec<u8> {
    let labels = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let facts = Facts {
        labels: &labels,
        beta,
        logistic: false,
        input: InputContract {
            crop: Crop::Squash,
            filter: Filter::Area,
            table: None,
        },
    };
    let mut model = ModelProto::decode(&*qdq_bytes(network, &facts)).unwrap();
    change(model.graph.as_mut().unwrap());
    model.encode_to_vec()
}

#[test]
fn a_file_that_posy_wrote_is_read_exactly() {
    let network = small();
    for beta in [1.0, 0.375] {
        let read = read_quantised(&file(&network, beta, |_| ())).expect("a quantised network");
        assert_eq!(read.scoring, Some(Scoring::Softmax { beta }));
        let mut found = plain(from_trained(&read).0);
        // Pixels of 0 to 255 are told by the range, where the network itself takes them less 128.
        assert_eq!(found.pixels, Some(GreyLevels::RAW));
        found.pixels = network.pixels;
        assert_eq!(found, plain(network.clone()));
    }
}

fn node<'g>(graph: &'g mut GraphProto, written: &str) -> &'g mut NodeProto {
    let mut nodes = graph.node.iter_mut();
    nodes.find(|node| node.output[0] == written).unwrap()
}

fn initialiser<'g>(graph: &'g mut GraphProto, name: &str) -> &'g mut TensorProto {
    let mut tensors = graph.initializer.iter_mut();
    tensors.find(|tensor| tensor.name == name).unwrap()
}

#[test]
fn unsigned_integers_and_biases_in_real_numbers_are_read_as_well() {
    let network = small();
    let bytes = file(&network, 1.0, |graph| {
        // The second layer's output in uint8.
        let zero = initialiser(graph, "layer_1_zero_point");
        zero.data_type = 2;
        zero.raw_data[0] ^= 0x80;
        // The third layer's bias in real numbers.
        let steps = network.layers[1].output.scale;
        let layer = &network.layers[2];
        let real = layer.bias.iter().zip(&layer.weight_scales);
        let real = real.map(|(bias, scale)| *bias as f32 * steps * scale);
        let bias = TensorProto {
            name: "real_bias".into(),
            dims: vec![layer.bias.len() as i64],
            data_type: 1,
            raw_data: real.flat_map(f32::to_le_bytes).collect(),
            ..TensorProto::default()
        };
        graph.initializer.push(bias);
        node(graph, "layer_2").input[2] = "real_bias".into();
    });
    let read = read_quantised(&bytes).expect("a quantised network");
    let mut found = plain(from_trained(&read).0);
    found.pixels = network.pixels;
    assert_eq!(found, plain(network));
}

/// A model that is not quantised as the engine computes is quantised anew, from its real numbers.
#[test]
fn a_model_that_is_quantised_in_part_or_twice_is_read_in_real_numbers() {
    let network = small();
    let is_real =
        |change: &dyn Fn(&mut GraphProto)| read_quantised(&file(&network, 1.0, change)).is_none();
    assert!(!is_real(&|_| ()));
    // The depthwise layer reads real numbers.
    assert!(is_real(&|graph| {
        graph
            .node
            .retain(|node| !matches!(node.output[0].as_str(), "layer_0_int8" | "layer_0_real"));
        node(graph, "layer_1_sum").input[0] = "layer_0".into();
        node(graph, "layer_3").input[1] = "layer_0".into();
    }));
    // Integers are made real with another scale than they were made with.
    assert!(is_real(&|graph| {
        node(graph, "layer_1_real").input[1] = "layer_0_scale".into();
    }));
    // The weights of a layer are real.
    assert!(is_real(&|graph| {
        node(graph, "layer_2_weights").output[0] = "unused".into();
        let weights = TensorProto {
            name: "layer_2_weights".into(),
            dims: vec![4, 4, 1, 1],
            data_type: 1,
            float_data: vec![0.5; 16],
            ..TensorProto::default()
        };
        graph.initializer.push(weights);
    }));
}

#[test]
fn a_head_in_real_numbers_leaves_the_features_as_they_are_quantised() {
    let network = small();
    let bytes = file(&network, 1.0, |graph| {
        node(graph, "logits").input[0] = "layer_5".into();
    });
    let read = read_quantised(&bytes).expect("a quantised network");
    assert_eq!(read.layers.len(), 5);
    let unread = read.unread.as_deref().unwrap_or_default();
    assert!(unread.contains("has no quantised output"), "{unread}");
    let refused = File::decode(&file(&network, 1.0, |graph| {
        initialiser(graph, "layer_1_scale").raw_data = 0_f32.to_le_bytes().to_vec();
    }));
    let refused = refused.unwrap().read_network().unwrap_err().to_string();
    assert!(refused.contains("scale is 0"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = file(&small(), 1.0, |_| ());
        mutate(&mut bytes, &changes, cut);
        // Only panics and endless loops fail here.
        if let Ok(file) = File::decode(&bytes) {
            let _ = file.read_network();
        }
    }
}

/// ONNX Runtime wrote both files of one network, in its two forms.
#[test]
fn quantised_operators_are_read_as_their_qdq_form() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/networks");
    let read = |name: &str| {
        let bytes = std::fs::read(format!("{folder}/{name}.onnx")).unwrap();
        let model = File::decode(&bytes).unwrap();
        assert_eq!(model.unknown_operators(), [""; 0], "{name}");
        read_quantised(&bytes).expect("a quantised network")
    };
    let [taken_apart, qdq] = ["qoperator", "qdq"].map(read);
    assert_eq!(qdq.unread, None);
    assert_eq!(taken_apart.unread, None);
    assert_eq!(
        plain(from_trained(&taken_apart).0),
        plain(from_trained(&qdq).0)
    );
}
