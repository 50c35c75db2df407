//! A complete float network as an ONNX model.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, NodeProto, StringStringEntryProto, ValueInfoProto};

use crate::backbone::float::onnx::{Outputs, onnx_model, tensor, vector};
use crate::backbone::network::{FloatNetwork, Quantisation};

/// The bytes of an `.onnx` file: `input`, float32 `[1, 3, H, W]`; `logits` and `final_result`,
/// float32 `[1, labels]`, the latter probabilities. The metadata has the labels, one a line, and
/// `mean` and `std` with which a pixel of 0 to 255 becomes input: `(pixel - mean) / std`.
///
/// `network` is complete, head included (see [`super::with_float_head`]); `beta` is what the softmax
/// multiplies logits by.
pub fn onnx_bytes(network: &FloatNetwork, labels: &[String], beta: f32) -> Vec<u8> {
    let mut model = onnx_model(network, Outputs::Last);
    if let Some(graph) = &mut model.graph {
        let last = graph.output.pop();
        let written = last
            .map(|value: ValueInfoProto| value.name)
            .unwrap_or_default();
        graph.node.push(node("Flatten", &[&written], "logits", 1));
        let mut scaled = "logits".to_owned();
        if beta != 1.0 {
            graph.initializer.push(tensor("beta", &[], &[beta]));
            scaled = "calibrated_logits".into();
            let mut multiplied = node("Mul", &["logits", "beta"], &scaled, 0);
            multiplied.attribute.clear();
            graph.node.push(multiplied);
        }
        graph
            .node
            .push(node("Softmax", &[&scaled], "final_result", 1));
        for name in ["final_result", "logits"] {
            graph.output.push(vector(name, labels.len()));
        }
    }
    let Quantisation { scale, zero_point } = network.input;
    let entries = [
        ("labels", labels.join("\n")),
        ("mean", (128 + zero_point).to_string()),
        ("std", (1.0 / scale).to_string()),
    ];
    model.metadata_props = entries
        .map(|(key, value)| StringStringEntryProto {
            key: key.into(),
            value,
        })
        .into();
    model.encode_to_vec()
}

/// A node with the attribute `axis`.
fn node(op: &str, inputs: &[&str], output: &str, axis: i64) -> NodeProto {
    NodeProto {
        name: format!("{output}_node"),
        op_type: op.into(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.into()],
        attribute: vec![AttributeProto {
            name: "axis".into(),
            r#type: AttributeType::Int.into(),
            i: axis,
            ..AttributeProto::default()
        }],
        ..NodeProto::default()
    }
}
