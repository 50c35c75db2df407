//! Quantised operators of ONNX (QOperator form), taken apart into the QDQ form that the walk reads.
//!
//! `QLinearConv` reads and writes integers, and has their scales and zero points among its inputs. It means the same as
//! `Conv` between `DequantizeLinear` and `QuantizeLinear`. ONNX Runtime's domain `com.microsoft` has more of this kind.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::tensors::constant;

/// Domain of ONNX Runtime's own operators.
const MICROSOFT: &str = "com.microsoft";

/// Inputs of a quantised operator by their places.
struct Form {
    /// Domain and name.
    name: (&'static str, &'static str),
    /// Operator on real values.
    real: &'static str,
    /// Place of the value, then of its scale and zero point, of each operand.
    operands: &'static [[usize; 3]],
    /// Axis of the second operand's scales, if there is one for each output.
    axis: i64,
    /// Place of an int32 bias.
    bias: Option<usize>,
    /// Places of the output's scale and zero point.
    output: [usize; 2],
}

/// The quantised operators that are taken apart.
const FORMS: [Form; 5] = [
    Form {
        name: ("", "QLinearConv"),
        real: "Conv",
        operands: &[[0, 1, 2], [3, 4, 5]],
        axis: 0,
        bias: Some(8),
        output: [6, 7],
    },
    Form {
        name: ("", "QLinearMatMul"),
        real: "MatMul",
        operands: &[[0, 1, 2], [3, 4, 5]],
        axis: 1,
        bias: None,
        output: [6, 7],
    },
    Form {
        name: (MICROSOFT, "QGemm"),
        real: "Gemm",
        operands: &[[0, 1, 2], [3, 4, 5]],
        axis: 1,
        bias: Some(6),
        output: [7, 8],
    },
    Form {
        name: (MICROSOFT, "QLinearAdd"),
        real: "Add",
        operands: &[[0, 1, 2], [3, 4, 5]],
        axis: 0,
        bias: None,
        output: [6, 7],
    },
    Form {
        name: (MICROSOFT, "QLinearGlobalAveragePool"),
        real: "GlobalAveragePool",
        operands: &[[0, 1, 2]],
        axis: 0,
        bias: None,
        output: [3, 4],
    },
];

fn form(node: &NodeProto) -> Option<&'static Form> {
    let domain = if node.domain == "ai.onnx" {
        ""
    } else {
        &node.domain
    };
    FORMS
        .iter()
        .find(|form| form.name == (domain, node.op_type.as_str()))
}

/// True for a node that is taken apart.
pub(super) fn is_quantised(node: &NodeProto) -> bool {
    form(node).is_some()
}

/// `graph` in QDQ form; `None` if it has no quantised operators.
pub(super) fn taken_apart(graph: &GraphProto) -> Option<GraphProto> {
    graph.node.iter().find(|node| is_quantised(node))?;
    let mut apart = graph.clone();
    let tensors = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor));
    let tensors: HashMap<&str, &TensorProto> = tensors.collect();
    apart.node.clear();
    for node in &graph.node {
        match form(node).and_then(|form| in_parts(node, form, &tensors)) {
            Some((nodes, scales)) => {
                apart.node.extend(nodes);
                apart.initializer.extend(scales);
            }
            None => apart.node.push(node.clone()),
        }
    }
    Some(apart)
}

/// The nodes that one node stands for, and the scale of its bias; `None` for a use that posy does not know.
fn in_parts(
    node: &NodeProto,
    form: &Form,
    tensors: &HashMap<&str, &TensorProto>,
) -> Option<(Vec<NodeProto>, Option<TensorProto>)> {
    let output = node.output.first()?;
    let input = |place: usize| node.input.get(place).filter(|name| !name.is_empty());
    let own = |part: &str| format!("{output}/{part}");
    let whole = |name: &str| {
        let mut attributes = node.attribute.iter();
        attributes
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.i)
    };
    if whole("channels_last").is_some_and(|last| last != 0) {
        return None;
    }
    // The weights of a Gemm may be turned.
    let axis = match whole("transB") {
        Some(1) => 1 - form.axis,
        _ => form.axis,
    };
    let mut nodes = Vec::new();
    let mut reads = Vec::new();
    for (place, [value, scale, zero]) in form.operands.iter().enumerate() {
        let made = own(&format!("operand_{place}"));
        let mut inputs = vec![input(*value)?.clone(), input(*scale)?.clone()];
        inputs.extend(input(*zero).cloned());
        nodes.push(NodeProto {
            attribute: vec![axis_attribute(axis)],
            ..node_of("DequantizeLinear", inputs, made.clone())
        });
        reads.push(made);
    }
    let mut bias_scale = None;
    if let Some(bias) = form.bias.and_then(input) {
        let [read, weights] = [form.operands.first()?[1], form.operands.get(1)?[1]];
        let [read, weights] = [read, weights].map(|place| {
            let scale = constant(tensors.get(input(place)?.as_str())?).ok()?;
            scale.reals("scale").ok().map(<[f32]>::to_vec)
        });
        let read = *read?.first()?;
        let products: Vec<f32> = weights?.iter().map(|weight| read * weight).collect();
        let name = own("bias_scale");
        let inputs = vec![bias.clone(), name.clone()];
        let made = own("bias");
        bias_scale = Some(TensorProto {
            name,
            // A single scale is a scalar.
            dims: if products.len() == 1 {
                Vec::new()
            } else {
                vec![products.len() as i64]
            },
            data_type: DataType::Float as i32,
            float_data: products,
            ..TensorProto::default()
        });
        nodes.push(NodeProto {
            attribute: vec![axis_attribute(0)],
            ..node_of("DequantizeLinear", inputs, made.clone())
        });
        reads.push(made);
    }
    let [scale, zero] = form.output;
    let Some(scale) = input(scale) else {
        // A QGemm without an output scale writes real values.
        nodes.push(NodeProto {
            attribute: node.attribute.clone(),
            ..node_of(form.real, reads, output.clone())
        });
        return Some((nodes, bias_scale));
    };
    let real = own("real");
    nodes.push(NodeProto {
        attribute: node.attribute.clone(),
        ..node_of(form.real, reads, real.clone())
    });
    let mut inputs = vec![real, scale.clone()];
    inputs.extend(input(zero).cloned());
    nodes.push(node_of("QuantizeLinear", inputs, output.clone()));
    Some((nodes, bias_scale))
}

fn node_of(operator: &str, input: Vec<String>, output: String) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        input,
        output: vec![output],
        ..NodeProto::default()
    }
}

fn axis_attribute(axis: i64) -> AttributeProto {
    AttributeProto {
        name: "axis".to_owned(),
        r#type: tract_onnx::pb::attribute_proto::AttributeType::Int as i32,
        i: axis,
        ..AttributeProto::default()
    }
}
