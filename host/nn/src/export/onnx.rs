//! Writes a complete float network as an ONNX model, and the common end of every ONNX classifier.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, StringStringEntryProto};

use super::metadata::{Facts, in_words};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::head::Head;
use crate::graph::network::FloatNetwork;
use crate::graph::to_onnx::{Outputs, node, onnx_model, tensor, vector};
use crate::onnx_backbone::{FEATURES, Network};

/// Bytes of an `.onnx` file: `input`, float32 `[1, 3, H, W]`; `logits` and `final_result`, float32
/// `[1, labels]`, the latter probabilities. The metadata has the labels, one a line; `mean` and
/// `std`, which turn a pixel of 0 to 255 into input: `(pixel - mean) / std`; `crop` and `resize` in
/// the words of `posy retrain`; and a checksum.
///
/// `network` is complete, head included (see [`super::with_float_head`]).
pub fn onnx_bytes(network: &FloatNetwork, facts: &Facts<'_>) -> Vec<u8> {
    let mut model = onnx_model(network, Outputs::Last);
    let last = model.graph.as_mut().and_then(|graph| graph.output.pop());
    let written = last.map(|value| value.name).unwrap_or_default();
    let grey = GreyLevels::mean_and_std(network.pixels, network.input);
    answer(&mut model, &written, grey, facts);
    model.encode_to_vec()
}

/// As [`onnx_bytes`], for any `network` that the laptop runs, with `head` after its features.
pub fn with_head(network: &Network, head: &Head, facts: &Facts<'_>) -> Vec<u8> {
    let mut model = network.model.clone();
    if let Some(graph) = &mut model.graph {
        graph.output.clear();
        let (labels, width) = (head.labels(), head.width());
        // Weights as `[features, labels]`, the layout of MatMul.
        let by_feature = (0..width).flat_map(|feature| {
            let row = head.weights.iter().skip(feature).step_by(width);
            row.copied()
        });
        let weights: Vec<f32> = by_feature.collect();
        graph
            .initializer
            .push(tensor("weights", &[width, labels], &weights));
        graph
            .initializer
            .push(tensor("bias", &[labels], &head.bias));
        graph
            .node
            .push(node("MatMul", &[FEATURES, "weights"], "products"));
        graph.node.push(node("Add", &["products", "bias"], "sums"));
    }
    // The input is pixels of 0 to 255.
    answer(&mut model, "sums", (0.0, 1.0), facts);
    model.encode_to_vec()
}

/// Appends scores and metadata to a model whose last layer writes `written`; `mean` and `std` are
/// the normalisation of its input.
pub(super) fn answer(
    model: &mut ModelProto,
    written: &str,
    (mean, std): (f32, f32),
    facts: &Facts<'_>,
) {
    let Facts {
        labels,
        beta,
        logistic,
        ..
    } = *facts;
    if let Some(graph) = &mut model.graph {
        graph.node.push(along(1, "Flatten", written, "logits"));
        let mut scaled = "logits";
        if beta != 1.0 {
            graph.initializer.push(tensor("beta", &[], &[beta]));
            scaled = "calibrated_logits";
            graph.node.push(node("Mul", &["logits", "beta"], scaled));
        }
        graph.node.push(match logistic {
            true => node("Sigmoid", &[scaled], "final_result"),
            false => along(1, "Softmax", scaled, "final_result"),
        });
        for name in ["final_result", "logits"] {
            graph.output.push(vector(name, labels.len()));
        }
    }
    let [crop, resize] = in_words(&facts.input);
    let entries = [
        ("labels", labels.join("\n")),
        ("mean", mean.to_string()),
        ("std", std.to_string()),
        (crop.0, crop.1.to_owned()),
        (resize.0, resize.1.to_owned()),
    ];
    model.metadata_props = entries.map(|(key, value)| entry(key, value)).into();
    let checksum = checksum(model);
    model.metadata_props.push(entry(CHECKSUM, checksum));
}

fn entry(key: &str, value: String) -> StringStringEntryProto {
    StringStringEntryProto {
        key: key.into(),
        value,
    }
}

/// Name of the metadata entry that detects damage.
pub const CHECKSUM: &str = "checksum";

/// CRC-32 of the model without the entry [`CHECKSUM`], in hexadecimal.
pub fn checksum(model: &ModelProto) -> String {
    let mut model = model.clone();
    model.metadata_props.retain(|entry| entry.key != CHECKSUM);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    format!("{:08x}", crc.checksum(&model.encode_to_vec()))
}

/// A node with the attribute `axis`.
fn along(axis: i64, op: &str, input: &str, output: &str) -> NodeProto {
    NodeProto {
        attribute: vec![axis_of(axis)],
        ..node(op, &[input], output)
    }
}

/// The attribute `axis`.
pub(super) fn axis_of(axis: i64) -> AttributeProto {
    AttributeProto {
        name: "axis".into(),
        r#type: AttributeType::Int.into(),
        i: axis,
        ..AttributeProto::default()
    }
}
