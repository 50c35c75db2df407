//! Round trips of graphs that posy writes, and damaged graphs.

use prost::Message;

use super::*;
use crate::export::tensorflow::graph_def_bytes;
use crate::import::tensorflow::proto::{TensorProto, Value};
use crate::testing::small_float_network;

fn read_usual(bytes: &[u8]) -> Result<Frozen, FrozenError> {
    read(bytes, "input", "final_result")
}

#[test]
fn what_is_written_is_read() {
    let written = small_float_network();
    let mut frozen = read_usual(&graph_def_bytes(&written, 0.75)).unwrap();
    for layer in &mut frozen.network.layers {
        layer.common.name.clear();
    }
    assert_eq!(frozen.network, written);
    // The real input is twice the graph's input plus 1/64.
    assert_eq!((frozen.scale, frozen.offset), (2.0, 1.0 / 64.0));
    assert_eq!(frozen.beta, 0.75);
    let plain = read_usual(&graph_def_bytes(&written, 1.0)).unwrap();
    assert_eq!(plain.beta, 1.0);
}

/// Reads the graph after `change`.
fn changed(change: impl FnOnce(&mut GraphDef)) -> Result<Frozen, FrozenError> {
    let mut graph =
        GraphDef::decode(graph_def_bytes(&small_float_network(), 0.75).as_slice()).unwrap();
    change(&mut graph);
    read_usual(&graph.encode_to_vec())
}

/// Tensor of the constant `name`.
fn tensor<'g>(graph: &'g mut GraphDef, name: &str) -> &'g mut TensorProto {
    let node = graph
        .node
        .iter_mut()
        .find(|node| node.name == name)
        .unwrap();
    let value = node.attr.get_mut("value").unwrap().value.as_mut().unwrap();
    let Value::Tensor(tensor) = value else {
        panic!("{name}");
    };
    tensor
}

fn node(error: &FrozenError) -> (&str, &Problem) {
    match error {
        FrozenError::Node { name, problem, .. } => (name, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn damage_is_named() {
    changed(|_| {}).unwrap();
    let circle = changed(|graph| {
        let node = graph
            .node
            .iter_mut()
            .find(|node| node.name == "layer_0/conv");
        node.unwrap().input[0] = "layer_2/biased".into();
    });
    assert_eq!(circle.unwrap_err(), FrozenError::Circle);
    let twice = changed(|graph| graph.node.push(graph.node[0].clone()));
    assert_eq!(twice.unwrap_err(), FrozenError::Twice("input".into()));
    let missing = changed(|graph| graph.node.retain(|node| node.name != "layer_1/weights"));
    let missing = missing.unwrap_err();
    assert_eq!(node(&missing), ("layer_1/conv", &Problem::Input(1)));
    let infinite = changed(|graph| {
        tensor(graph, "layer_2/weights").tensor_content[..4]
            .copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let constant = Problem::NotFinite("layer_2/weights".into());
    assert_eq!(node(&infinite.unwrap_err()), ("layer_2/conv", &constant));
    let short = changed(|graph| {
        tensor(graph, "layer_6/weights").tensor_content.pop();
    });
    let constant = Problem::Constant("layer_6/weights".into());
    assert_eq!(node(&short.unwrap_err()), ("layer_6/matmul", &constant));
    let extents = changed(|graph| {
        let shape = tensor(graph, "layer_2/weights")
            .tensor_shape
            .as_mut()
            .unwrap();
        shape.dim.swap(0, 3);
    });
    assert_eq!(
        node(&extents.unwrap_err()),
        ("layer_2/conv", &Problem::Shape)
    );
    let operation = changed(|graph| {
        let node = graph.node.iter_mut().find(|node| node.op == "Relu6");
        node.unwrap().op = "Elu".into();
    });
    assert_eq!(node(&operation.unwrap_err()).1, &Problem::Operation);
    let output = read(
        &graph_def_bytes(&small_float_network(), 1.0),
        "input",
        "layer_6/biased",
    );
    assert!(output.unwrap_err().to_string().contains("Softmax"));
    let input = read(
        &graph_def_bytes(&small_float_network(), 1.0),
        "Placeholder",
        "final_result",
    );
    assert!(input.unwrap_err().to_string().contains("\"Placeholder\""));
}

/// No prefix, flipped bit or mismatched shape causes a panic.
#[test]
fn no_bytes_make_it_panic() {
    let bytes = graph_def_bytes(&small_float_network(), 0.75);
    for len in 0..bytes.len() {
        // The output is written last, so every cut removes at least that.
        read_usual(&bytes[..len.min(bytes.len() - 12)]).unwrap_err();
    }
    let mut read = 0;
    for index in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << bit;
            let Ok(Frozen { network, .. }) = read_usual(&flipped) else {
                continue;
            };
            read += 1;
            for pair in network.layers.windows(2) {
                assert_eq!(pair[0].common.output, pair[1].common.input);
            }
        }
    }
    // Flipped bits in the weights cannot be detected.
    assert!(read > 100, "{read}");
}
