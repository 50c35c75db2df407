//! A float network as an ONNX model: NCHW, operator set 13.

use posy_shared::model::{Op, Padding, Shape};
use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

use crate::graph::network::{Activation, Common, FloatLayer, FloatNetwork};

/// Operator set: the first in which every operator used here has its present form.
const OPERATOR_SET: i64 = 13;
/// ONNX file version 1.8, which came with that operator set.
const IR_VERSION: i64 = 7;

/// Selection of a model's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Output of the last layer.
    Last,
    /// Outputs of every layer, in order.
    All,
}

/// The network as an ONNX model.
///
/// One input, `input`, float32 `[1, C, H, W]` in real values. Outputs are called `layer_0`,
/// `layer_1`, ... and are float32 `[1, C, H, W]`.
pub fn onnx_model(network: &FloatNetwork, outputs: Outputs) -> ModelProto {
    let mut graph = GraphProto {
        name: "posy".into(),
        ..GraphProto::default()
    };
    if let Some(first) = network.layers.first() {
        graph.input.push(value("input", first.common.input));
    }
    graph.initializer.push(tensor("zero", &[], &[0.0]));
    graph.initializer.push(tensor("six", &[], &[6.0]));
    for (index, layer) in network.layers.iter().enumerate() {
        add_layer(&mut graph, index, layer);
        if outputs == Outputs::All || index + 1 == network.layers.len() {
            graph
                .output
                .push(value(&written_by(index), layer.common.output));
        }
    }
    model(graph)
}

/// Wraps a graph as a model.
pub(crate) fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
        producer_name: "posy".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// Bytes of an `.onnx` file of the network; see [`onnx_model`].
pub fn onnx_bytes(network: &FloatNetwork, outputs: Outputs) -> Vec<u8> {
    onnx_model(network, outputs).encode_to_vec()
}

/// Name of a layer's output.
fn written_by(layer: usize) -> String {
    format!("layer_{layer}")
}

fn add_layer(graph: &mut GraphProto, index: usize, layer: &FloatLayer) {
    let common = &layer.common;
    let input = index.checked_sub(1).map_or("input".into(), written_by);
    let output = written_by(index);
    // ONNX has activations as operators of their own.
    let sum = match common.activation {
        Activation::None => output.clone(),
        Activation::Relu | Activation::Relu6 => format!("{output}_sum"),
    };
    let mut node = NodeProto {
        name: format!("{sum}_node"),
        doc_string: common.name.clone(),
        input: vec![input],
        output: vec![sum.clone()],
        ..NodeProto::default()
    };
    match common.op {
        Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise | Op::Dense => {
            node.op_type = "Conv".into();
            let (weights, bias) = (format!("{output}_weights"), format!("{output}_bias"));
            let (extents, numbers) = kernel(common, &layer.weights);
            graph.initializer.push(tensor(&weights, &extents, &numbers));
            graph
                .initializer
                .push(tensor(&bias, &[layer.bias.len()], &layer.bias));
            node.input.extend([weights, bias]);
            node.attribute = convolution(common);
        }
        Op::Add => {
            node.op_type = "Add".into();
            node.input
                .push(common.skip.map_or("input".into(), written_by));
        }
        Op::GlobalAveragePool | Op::Mean => node.op_type = "GlobalAveragePool".into(),
        Op::Flatten => node = flatten(graph, &sum, common, &node.input[0]),
    }
    graph.node.push(node);
    let (op_type, limits): (&str, &[&str]) = match common.activation {
        Activation::None => return,
        Activation::Relu => ("Relu", &[]),
        Activation::Relu6 => ("Clip", &["zero", "six"]),
    };
    graph.node.push(NodeProto {
        name: format!("{output}_node"),
        op_type: op_type.into(),
        input: std::iter::once(sum)
            .chain(limits.iter().map(ToString::to_string))
            .collect(),
        output: vec![output],
        ..NodeProto::default()
    });
}

/// A node that flattens a map, pixel by pixel, to the value `name`, `[1, H * W * C, 1, 1]`. The
/// transposition that it reads is added.
pub(crate) fn flatten(
    graph: &mut GraphProto,
    name: &str,
    common: &Common,
    from: &str,
) -> NodeProto {
    let (pixels, shape) = (format!("{name}_pixels"), format!("{name}_shape"));
    let mut transpose = self::node("Transpose", &[from], &pixels);
    transpose.attribute = vec![integers("perm", &[0, 2, 3, 1])];
    graph.node.push(transpose);
    let extents = [1, i64::from(common.output.channels), 1, 1];
    graph.initializer.push(TensorProto {
        name: shape.clone(),
        dims: vec![4],
        data_type: DataType::Int64.into(),
        raw_data: extents
            .iter()
            .flat_map(|extent| extent.to_le_bytes())
            .collect(),
        ..TensorProto::default()
    });
    self::node("Reshape", &[&pixels, &shape], name)
}

/// Weights in ONNX's layout, `[O, I, H, W]`, depthwise `[C, 1, H, W]`: extents and values.
pub(crate) fn kernel<T: Copy>(common: &Common, weights: &[T]) -> ([usize; 4], Vec<T>) {
    let [inputs, outputs] = [common.input, common.output].map(|s| usize::from(s.channels));
    match common.op {
        Op::Conv3x3 => {
            let taps = 9;
            let mut ordered = Vec::with_capacity(weights.len());
            for channel in weights.chunks_exact((taps * inputs).max(1)) {
                for input in 0..inputs {
                    ordered.extend((0..taps).map(|tap| channel[tap * inputs + input]));
                }
            }
            ([outputs, inputs, 3, 3], ordered)
        }
        Op::Depthwise3x3 => ([outputs, 1, 3, 3], weights.to_vec()),
        _ => ([outputs, inputs, 1, 1], weights.to_vec()),
    }
}

/// Attributes of a convolution.
pub(crate) fn convolution(common: &Common) -> Vec<AttributeProto> {
    let Padding {
        top,
        bottom,
        left,
        right,
    } = common.padding;
    let (kernel, group) = match common.op {
        Op::Conv3x3 => (3, 1),
        Op::Depthwise3x3 => (3, i64::from(common.input.channels)),
        _ => (1, 1),
    };
    vec![
        integers("kernel_shape", &[kernel; 2]),
        integers("strides", &[i64::from(common.stride); 2]),
        integers("pads", &[top, left, bottom, right].map(i64::from)),
        AttributeProto {
            name: "group".into(),
            r#type: AttributeType::Int.into(),
            i: group,
            ..AttributeProto::default()
        },
    ]
}

/// An attribute of integers.
pub(crate) fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: values.into(),
        ..AttributeProto::default()
    }
}

/// A float32 constant with extents `dims`.
pub(crate) fn tensor(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.iter().map(|extent| *extent as i64).collect(),
        data_type: DataType::Float.into(),
        raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// A float32 value `[1, C, H, W]`.
pub(crate) fn value(name: &str, shape: Shape) -> ValueInfoProto {
    let extents = [1, shape.channels, shape.height, shape.width];
    described(name, &extents.map(i64::from))
}

/// A value without declared type and shape.
pub(crate) fn unshaped(name: &str) -> ValueInfoProto {
    ValueInfoProto {
        name: name.into(),
        ..ValueInfoProto::default()
    }
}

/// A node that writes `output`.
pub(crate) fn node(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("{output}_node"),
        op_type: op.into(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// A float32 value `[1, len]`.
pub(crate) fn vector(name: &str, len: usize) -> ValueInfoProto {
    described(name, &[1, len as i64])
}

/// A float32 value with these extents.
pub(crate) fn described(name: &str, extents: &[i64]) -> ValueInfoProto {
    let dim = extents.iter().map(|extent| Dimension {
        value: Some(dimension::Value::DimValue(*extent)),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    let r#type = TypeProto {
        value: Some(type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(r#type),
        ..ValueInfoProto::default()
    }
}
