//! Cuts of networks against the same layers run alone, and malformed files.

use proptest::prelude::*;
use prost::Message;
use tract_onnx::pb::ModelProto;

use super::truncate::transpose;
use super::*;
use crate::graph::network::FloatNetwork;
use crate::graph::to_onnx::{Outputs, described, node, onnx_model, tensor, vector};
use crate::import::normalisation::Normalisation;
use crate::import::onnx::File;
use crate::runtime::float::FloatRunner;
use crate::testing::{mutate, relative_error, small_float};

/// The first `layers` layers of the small network; the output has the last layer's name.
fn small(layers: usize) -> ModelProto {
    let mut network = small_float();
    network.layers.truncate(layers);
    onnx_model(&network, Outputs::Last)
}

fn open(model: &ModelProto) -> Result<Opened, AnyError> {
    let file = File::open(&model.encode_to_vec(), std::path::Path::new("nowhere"), 0).unwrap();
    Opened::new(file, None)
}

fn pixels() -> Vec<i8> {
    (0..9 * 9 * 3).map(|n| (n * 89 % 256) as u8 as i8).collect()
}

/// Output of the small network's pool.
fn expected() -> Vec<f32> {
    let mut network = small_float();
    network.layers.truncate(5);
    let network = FloatNetwork {
        pixels: None,
        layers: network.layers,
        ..network
    };
    FloatRunner::new(&network)
        .unwrap()
        .features(&pixels())
        .unwrap()
}

/// Cuts the model and compares its features with the small network's pool.
fn is_cut_at(model: &ModelProto, name: &str) {
    let network = open(model).unwrap().cut(&Normalisation::RAW).unwrap();
    assert_eq!(network.cut_at, name);
    assert_eq!(network.width(), 4);
    let features = network.runner().run(&pixels(), 0.0, 1.0).unwrap();
    assert!(
        relative_error(&features, &expected()) < 1e-6,
        "{features:?}"
    );
}

/// The small network up to its flattened pool, followed by the nodes in `more`.
fn behind_pool(more: &[(&str, &[&str], &str)], output: &str, classes: usize) -> ModelProto {
    let mut model = small(5);
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(node("Flatten", &["layer_4"], "flat"));
    graph.initializer.push(tensor("by", &[4, 2], &[0.5; 8]));
    graph.initializer.push(tensor("plus", &[2], &[1.0; 2]));
    graph.node.extend(
        more.iter()
            .map(|(op, inputs, output)| node(op, inputs, output)),
    );
    graph.output = vec![vector(output, classes)];
    model
}

#[test]
fn last_layers_of_every_kind_are_found() {
    // The small network ends in a convolution.
    is_cut_at(&small(6), "layer_4");
    let product: (&str, &[&str], &str) = ("MatMul", &["flat", "by"], "product");
    let sum: (&str, &[&str], &str) = ("Add", &["plus", "product"], "sum");
    is_cut_at(&behind_pool(&[product], "product", 2), "flat");
    let softmax: (&str, &[&str], &str) = ("Softmax", &["sum"], "softmax");
    is_cut_at(&behind_pool(&[product, sum, softmax], "softmax", 2), "flat");
    is_cut_at(
        &behind_pool(&[("Gemm", &["flat", "by", "plus"], "logits")], "logits", 2),
        "flat",
    );
    // Without a last layer the output itself is cut at; a map is averaged.
    is_cut_at(&behind_pool(&[], "flat", 4), "flat");
    is_cut_at(&small(5), "layer_4");
    is_cut_at(&small(4), "layer_3");
}

#[test]
fn channels_may_come_last() {
    let mut model = small(5);
    let graph = model.graph.as_mut().unwrap();
    let name = graph.input[0].name.clone();
    graph.input[0] = described("picture", &[-1, 9, 9, 3]);
    graph
        .node
        .insert(0, transpose("picture", &name, &[0, 3, 1, 2]));
    is_cut_at(&model, "layer_4");
    // A map as the output.
    let mut model = small(4);
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(transpose("layer_3", "map", &[0, 2, 3, 1]));
    graph.output = vec![described("map", &[1, 5, 5, 4])];
    is_cut_at(&model, "map");
}

#[test]
fn an_open_size_is_what_is_asked_for() {
    let mut model = small(5);
    model.graph.as_mut().unwrap().input[0] = described("input", &[-1, 3, -1, -1]);
    let file = || File::open(&model.encode_to_vec(), std::path::Path::new(""), 0).unwrap();
    let network = Opened::new(file(), Some(9)).unwrap();
    let network = network.cut(&Normalisation::RAW).unwrap();
    let features = network.runner().run(&pixels(), 0.0, 1.0).unwrap();
    assert!(relative_error(&features, &expected()) < 1e-6);
    let usual = Opened::new(file(), None)
        .unwrap()
        .cut(&Normalisation::RAW)
        .unwrap();
    assert_eq!((usual.shape.height, usual.shape.width), (224, 224));
}

#[test]
fn pixels_are_normalised_in_the_model() {
    let torch = open(&small(6)).unwrap().cut(&Normalisation::TORCH).unwrap();
    let raw = open(&small(6)).unwrap().cut(&Normalisation::RAW).unwrap();
    let same = Normalisation {
        mean: [10.0; 3],
        std: [4.0; 3],
    };
    let scaled = open(&small(6)).unwrap().cut(&same).unwrap();
    let run = |network: &Network, mean, std| network.runner().run(&pixels(), mean, std).unwrap();
    assert!(relative_error(&run(&scaled, 0.0, 1.0), &run(&raw, 10.0, 4.0)) < 1e-6);
    assert!(relative_error(&run(&torch, 0.0, 1.0), &run(&raw, 0.0, 1.0)) > 0.01);
}

#[test]
fn what_a_pixel_is_the_first_node_says() {
    let usual = |op: &str, number: f32| {
        let mut model = small(5);
        let graph = model.graph.as_mut().unwrap();
        graph.initializer.push(tensor("number", &[], &[number]));
        for node in &mut graph.node {
            for name in &mut node.input {
                if name == "input" {
                    *name = "scaled".into();
                }
            }
        }
        graph
            .node
            .insert(0, node(op, &["input", "number"], "scaled"));
        open(&model).unwrap().usual_normalisation()
    };
    assert_eq!(usual("Sub", 127.5), Normalisation::RAW);
    assert_eq!(usual("Mul", 1.0 / 255.0), Normalisation::RAW);
    assert_eq!(usual("Sub", 0.5), Normalisation::UNIT);
    assert_eq!(usual("Div", 0.5), Normalisation::UNIT);
    let mut model = small(5);
    assert_eq!(
        open(&model).unwrap().usual_normalisation(),
        Normalisation::TENSORFLOW
    );
    model.producer_name = "pytorch".into();
    assert_eq!(
        open(&model).unwrap().usual_normalisation(),
        Normalisation::TORCH
    );
}

#[test]
fn refusals_say_what_is_wrong() {
    let says = |text: &str, change: &dyn Fn(&mut ModelProto)| {
        let mut model = small(6);
        change(&mut model);
        let cut = open(&model).and_then(|opened| opened.cut(&Normalisation::RAW));
        let message = cut.unwrap_err().to_string();
        assert!(message.contains(text), "{message:?} does not say {text:?}");
    };
    says("operator set 6", &|model| model.opset_import[0].version = 6);
    says("2 inputs", &|model| {
        model
            .graph
            .as_mut()
            .unwrap()
            .input
            .push(described("more", &[1, 3, 9, 9]));
    });
    says("[1, 4, 9, 9]", &|model| {
        model.graph.as_mut().unwrap().input[0] = described("input", &[1, 4, 9, 9]);
    });
    says("does not run", &|model| {
        model.graph.as_mut().unwrap().node[0].op_type = "Nonsense".into();
    });
    says("computes nothing", &|model| {
        model.graph.as_mut().unwrap().output[0].name = "input".into();
    });
    says("layer_0", &|model| {
        model.graph.as_mut().unwrap().node.remove(0);
    });
}

proptest! {
    /// Every damaged file either runs or is refused.
    #[test]
    fn damage_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = small(6).encode_to_vec();
        mutate(&mut bytes, &changes, cut);
        if let Ok(file) = File::open(&bytes, std::path::Path::new("nowhere"), 0)
            && let Ok(opened) = Opened::new(file, None)
            && let Ok(network) = opened.cut(&Normalisation::RAW)
        {
            let len = network.shape.len();
            let _ = network.runner().run(&vec![0; len], 0.0, 1.0);
        }
    }
}
