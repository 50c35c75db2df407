//! Writes an int8 network as an ONNX model in QDQ form: operators compute in real numbers between
//! `DequantizeLinear` and `QuantizeLinear`, and capable runtimes fuse the three into one integer
//! operator.
//!
//! Weights, biases, scales and zero points are exactly the board's. Rounding is the runtime's:
//! results may be a step away from posy's here and there.

use posy_shared::model::Op;
use prost::Message;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};

use super::metadata::Facts;
use super::onnx::{answer, axis_of};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{Activation, IntLayer, IntNetwork, Quantisation};
use crate::graph::to_onnx::{convolution, flatten, kernel, model, node, tensor, value};

/// Bytes of an int8 `.onnx` file. Input, outputs and metadata are real numbers, as in
/// [`onnx_bytes`](super::onnx::onnx_bytes). `logits` are multiples of the scale of the last layer's
/// output.
///
/// `network` is complete, head included (see [`super::with_int_head`]).
pub fn qdq_bytes(network: &IntNetwork, facts: &Facts<'_>) -> Vec<u8> {
    let mut graph = GraphProto {
        name: "posy".into(),
        ..GraphProto::default()
    };
    if let Some(first) = network.layers.first() {
        graph.input.push(value("input", first.common.input));
    }
    let mut activations = network.layers.iter().map(|layer| layer.common.activation);
    if activations.any(|activation| activation == Activation::Relu6) {
        graph.initializer.push(tensor("zero", &[], &[0.0]));
        graph.initializer.push(tensor("six", &[], &[6.0]));
    }
    quantised(&mut graph, "input", network.input);
    let mut at = ("input".to_owned(), network.input);
    let mut written = Vec::new();
    for (index, layer) in network.layers.iter().enumerate() {
        let name = format!("layer_{index}");
        let skip = layer.common.skip.and_then(|skip| written.get(skip));
        add_layer(&mut graph, &name, layer, &at, skip);
        quantised(&mut graph, &name, layer.output);
        written.push(name.clone());
        at = (name, layer.output);
    }
    let mut model = model(graph);
    let grey = GreyLevels::mean_and_std(network.pixels, network.input);
    answer(&mut model, &real(&at.0), grey, facts);
    model.encode_to_vec()
}

/// Name of the dequantised value of `name`.
fn real(name: &str) -> String {
    format!("{name}_real")
}

/// Adds a QuantizeLinear and DequantizeLinear pair for the value `name`.
fn quantised(graph: &mut GraphProto, name: &str, quantisation: Quantisation) {
    let [scale, zero, int8] = ["scale", "zero_point", "int8"].map(|what| format!("{name}_{what}"));
    // In -128..=127 in every network that readers accept.
    let zero_point = [quantisation.zero_point as i8];
    graph.initializer.extend([
        tensor(&scale, &[], &[quantisation.scale]),
        bytes(&zero, &[], &zero_point),
    ]);
    graph.node.extend([
        node("QuantizeLinear", &[name, &scale, &zero], &int8),
        node("DequantizeLinear", &[&int8, &scale, &zero], &real(name)),
    ]);
}

/// Adds the operators of a layer that writes the value `name`.
fn add_layer(
    graph: &mut GraphProto,
    name: &str,
    layer: &IntLayer,
    (from, quantisation): &(String, Quantisation),
    skip: Option<&String>,
) {
    let common = &layer.common;
    // ONNX has activations as operators of their own.
    let sum = match common.activation {
        Activation::None => name.to_owned(),
        Activation::Relu | Activation::Relu6 => format!("{name}_sum"),
    };
    let from = real(from);
    let mut written = match common.op {
        Op::Add => node("Add", &[&from, &real(skip.map_or("input", |s| s))], &sum),
        Op::GlobalAveragePool | Op::Mean => node("GlobalAveragePool", &[&from], &sum),
        Op::Flatten => flatten(graph, &sum, &layer.common, &from),
        Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise | Op::Dense => {
            let (weights, bias) = constants(graph, name, layer, quantisation.scale);
            node("Conv", &[&from, &weights, &bias], &sum)
        }
    };
    written.doc_string = common.name.clone();
    if written.op_type == "Conv" {
        written.attribute = convolution(common);
    }
    graph.node.push(written);
    match common.activation {
        Activation::None => {}
        Activation::Relu => graph.node.push(node("Relu", &[&sum], name)),
        Activation::Relu6 => graph.node.push(node("Clip", &[&sum, "zero", "six"], name)),
    }
}

/// Adds weights and biases, one scale per channel. Returns the names of their dequantised values.
fn constants(
    graph: &mut GraphProto,
    name: &str,
    layer: &IntLayer,
    input_scale: f32,
) -> (String, String) {
    let channels = [layer.weight_scales.len()];
    let (extents, weights) = kernel(&layer.common, &layer.weights);
    let bias_scales = layer.weight_scales.iter().map(|scale| scale * input_scale);
    let bias_scales: Vec<f32> = bias_scales.collect();
    let zeros = vec![0; layer.bias.len()];
    let [kernel, bias] = ["weights", "bias"].map(|what| format!("{name}_{what}"));
    let part = |whole: &str, what: &str| format!("{whole}_{what}");
    graph.initializer.extend([
        bytes(&part(&kernel, "int8"), &extents, &weights),
        tensor(&part(&kernel, "scale"), &channels, &layer.weight_scales),
        bytes(
            &part(&kernel, "zero_point"),
            &channels,
            &vec![0; channels[0]],
        ),
        words(&part(&bias, "int32"), &layer.bias),
        tensor(&part(&bias, "scale"), &channels, &bias_scales),
        words(&part(&bias, "zero_point"), &zeros),
    ]);
    for (whole, number) in [(&kernel, "int8"), (&bias, "int32")] {
        let inputs = [number, "scale", "zero_point"].map(|what| part(whole, what));
        let [numbers, scale, zero] = &inputs;
        let mut node = node("DequantizeLinear", &[numbers, scale, zero], whole);
        node.attribute = vec![axis_of(0)];
        graph.node.push(node);
    }
    (kernel, bias)
}

/// An int8 constant.
fn bytes(name: &str, dims: &[usize], values: &[i8]) -> TensorProto {
    TensorProto {
        data_type: DataType::Int8.into(),
        raw_data: values.iter().map(|value| *value as u8).collect(),
        ..tensor(name, dims, &[])
    }
}

/// A one-dimensional int32 constant.
fn words(name: &str, values: &[i32]) -> TensorProto {
    TensorProto {
        data_type: DataType::Int32.into(),
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..tensor(name, &[values.len()], &[])
    }
}
