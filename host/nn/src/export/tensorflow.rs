//! Writes a float network as a TensorFlow frozen graph with the codelab's names: input `input`,
//! output `final_result`.

use std::collections::HashMap;

use posy_shared::model::{Op, Padding};
use prost::Message;

use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{Activation, Common, FloatLayer, FloatNetwork, Quantisation};
use crate::graph::padding::same_padding;
use crate::import::tensorflow::proto::{
    AttrValue, DT_FLOAT, DT_INT32, GraphDef, ListValue, NodeDef, TensorProto, TensorShapeProto,
    Value, VersionDef,
};

/// `GraphDef` version of TensorFlow 1.2, the codelab's first version: every operation used here is
/// older.
const PRODUCER: i32 = 24;

/// Bytes of a `.pb` file. `network` is complete, head included (see [`super::with_float_head`]);
/// `beta` is the softmax's factor of its logits.
///
/// `input` is float32 `[batch, H, W, 3]`: pixels less 128, divided by 128, as the codelab's
/// `label_image.py` makes them. `final_result` is float32 `[batch, labels]`, probabilities.
pub fn graph_def_bytes(network: &FloatNetwork, beta: f32) -> Vec<u8> {
    scored(network, beta, "Softmax")
}

/// As [`graph_def_bytes`], with a logistic function of each logit in place of the softmax.
pub fn logistic_graph_def_bytes(network: &FloatNetwork) -> Vec<u8> {
    scored(network, 1.0, "Sigmoid")
}

/// The graph with the operation `op` from logits to `final_result`.
fn scored(network: &FloatNetwork, beta: f32, op: &str) -> Vec<u8> {
    let mut graph = Graph::default();
    let mut at = graph.input(network);
    let mut written = Vec::new();
    for (index, layer) in network.layers.iter().enumerate() {
        let skip = layer
            .common
            .skip
            .and_then(|skip| written.get(skip))
            .cloned();
        at = graph.layer(index, layer, &at, skip.as_deref());
        written.push(at.clone());
    }
    if beta != 1.0 {
        at = graph.with_constant("Mul", "calibrated_logits", &at, beta);
    }
    graph.node("final_result", op, &[&at], &[("T", float_type())]);
    GraphDef {
        node: graph.nodes,
        versions: Some(VersionDef {
            producer: PRODUCER,
            min_consumer: 0,
        }),
    }
    .encode_to_vec()
}

#[derive(Default)]
struct Graph {
    nodes: Vec<NodeDef>,
}

impl Graph {
    /// Adds a node and returns its name.
    fn node(&mut self, name: &str, op: &str, inputs: &[&str], attr: &[(&str, Value)]) -> String {
        let attr: HashMap<String, AttrValue> = attr
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        self.nodes.push(NodeDef {
            name: name.into(),
            op: op.into(),
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            attr,
        });
        name.into()
    }

    fn constant(&mut self, name: &str, shape: &[i64], dtype: i32, content: Vec<u8>) -> String {
        let tensor = TensorProto {
            dtype,
            tensor_shape: Some(TensorShapeProto::of(shape)),
            tensor_content: content,
            ..TensorProto::default()
        };
        let attr = [
            ("dtype", Value::Type(dtype)),
            ("value", Value::Tensor(tensor)),
        ];
        self.node(name, "Const", &[], &attr)
    }

    fn floats(&mut self, name: &str, shape: &[i64], numbers: &[f32]) -> String {
        let content = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.constant(name, shape, DT_FLOAT, content)
    }

    fn ints(&mut self, name: &str, shape: &[i64], numbers: &[i32]) -> String {
        let content = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.constant(name, shape, DT_INT32, content)
    }

    /// Adds the operation `op` on `at` and a constant number.
    fn with_constant(&mut self, op: &str, name: &str, at: &str, number: f32) -> String {
        let number = self.floats(&format!("{name}/number"), &[], &[number]);
        self.node(name, op, &[at, &number], &[("T", float_type())])
    }

    /// Adds the placeholder, and nodes that convert it to the network's real input.
    fn input(&mut self, network: &FloatNetwork) -> String {
        let shape = network.layers.first().map(|layer| layer.common.input);
        let extents = shape.map_or([1; 3], |s| [s.height, s.width, s.channels].map(i64::from));
        let shape = TensorShapeProto::of(&[-1, extents[0], extents[1], extents[2]]);
        let attr = [
            ("dtype", Value::Type(DT_FLOAT)),
            ("shape", Value::Shape(shape)),
        ];
        let mut at = self.node("input", "Placeholder", &[], &attr);
        // real = scale * (pixel - 128 - zero point), and the placeholder is (pixel - 128) / 128.
        let Quantisation { scale, zero_point } = network.input;
        let (factor, offset) = match network.pixels {
            None => (128.0 * scale, -scale * zero_point as f32),
            Some(GreyLevels { mean, std }) => (128.0 / std, (128.0 - mean) / std),
        };
        if factor != 1.0 {
            at = self.with_constant("Mul", "input_scaled", &at, factor);
        }
        if offset != 0.0 {
            at = self.with_constant("Add", "input_shifted", &at, offset);
        }
        at
    }

    /// Adds the nodes of a layer that reads `from`. Returns the name of the last.
    fn layer(
        &mut self,
        index: usize,
        layer: &FloatLayer,
        from: &str,
        skip: Option<&str>,
    ) -> String {
        let common = &layer.common;
        let name = format!("layer_{index}");
        let summed = match common.op {
            Op::Conv3x3 | Op::Depthwise3x3 | Op::Pointwise => self.convolution(&name, layer, from),
            Op::Dense => self.dense(&name, layer, from),
            Op::Add => self.node(
                &format!("{name}/add"),
                "Add",
                &[from, skip.unwrap_or("input")],
                &[("T", float_type())],
            ),
            Op::Flatten => {
                let extents = [-1, i32::from(common.output.channels)];
                let extents = self.ints(&format!("{name}/shape"), &[2], &extents);
                let attr = [("T", float_type()), ("Tshape", Value::Type(DT_INT32))];
                self.node(&format!("{name}/flat"), "Reshape", &[from, &extents], &attr)
            }
            Op::GlobalAveragePool | Op::Mean => {
                let axes = self.ints(&format!("{name}/axes"), &[2], &[1, 2]);
                let attr = [
                    ("T", float_type()),
                    ("Tidx", Value::Type(DT_INT32)),
                    ("keep_dims", Value::B(false)),
                ];
                self.node(&format!("{name}/mean"), "Mean", &[from, &axes], &attr)
            }
        };
        let op = match common.activation {
            Activation::None => return summed,
            Activation::Relu => "Relu",
            Activation::Relu6 => "Relu6",
        };
        self.node(
            &format!("{name}/{op}"),
            op,
            &[&summed],
            &[("T", float_type())],
        )
    }

    fn convolution(&mut self, name: &str, layer: &FloatLayer, from: &str) -> String {
        let common = &layer.common;
        let weights = self.kernel(name, layer);
        let (padding, from) = self.padded(name, common, from);
        let stride = i64::from(common.stride);
        let list = |i: [i64; 4]| Value::List(ListValue { i: i.into() });
        let op = match common.op {
            Op::Depthwise3x3 => "DepthwiseConv2dNative",
            _ => "Conv2D",
        };
        let attr = [
            ("T", float_type()),
            ("data_format", Value::S(b"NHWC".into())),
            ("padding", Value::S(padding.into())),
            ("strides", list([1, stride, stride, 1])),
        ];
        let product = self.node(&format!("{name}/conv"), op, &[&from, &weights], &attr);
        self.biased(name, layer, &product)
    }

    fn dense(&mut self, name: &str, layer: &FloatLayer, from: &str) -> String {
        let (inputs, outputs) = extents(&layer.common);
        let mut columns = Vec::with_capacity(layer.weights.len());
        for input in 0..inputs {
            columns.extend((0..outputs).map(|output| layer.weights[output * inputs + input]));
        }
        let shape = [inputs as i64, outputs as i64];
        let weights = self.floats(&format!("{name}/weights"), &shape, &columns);
        let attr = [
            ("T", float_type()),
            ("transpose_a", Value::B(false)),
            ("transpose_b", Value::B(false)),
        ];
        let product = self.node(
            &format!("{name}/matmul"),
            "MatMul",
            &[from, &weights],
            &attr,
        );
        self.biased(name, layer, &product)
    }

    fn biased(&mut self, name: &str, layer: &FloatLayer, product: &str) -> String {
        let bias = self.floats(
            &format!("{name}/bias"),
            &[layer.bias.len() as i64],
            &layer.bias,
        );
        let attr = [
            ("T", float_type()),
            ("data_format", Value::S(b"NHWC".into())),
        ];
        self.node(
            &format!("{name}/biased"),
            "BiasAdd",
            &[product, &bias],
            &attr,
        )
    }

    /// Weights in TensorFlow's layout, `[H, W, I, O]`; depthwise `[H, W, C, 1]`.
    fn kernel(&mut self, name: &str, layer: &FloatLayer) -> String {
        let (inputs, outputs) = extents(&layer.common);
        let taps = match layer.common.op {
            Op::Conv3x3 | Op::Depthwise3x3 => 9,
            _ => 1,
        };
        let extent = if taps == 9 { 3 } else { 1 };
        let mut numbers = Vec::with_capacity(layer.weights.len());
        let shape = if layer.common.op == Op::Depthwise3x3 {
            for tap in 0..taps {
                numbers.extend((0..outputs).map(|channel| layer.weights[channel * taps + tap]));
            }
            [extent, extent, outputs as i64, 1]
        } else {
            for term in 0..taps * inputs {
                let column =
                    (0..outputs).map(|output| layer.weights[output * taps * inputs + term]);
                numbers.extend(column);
            }
            [extent, extent, inputs as i64, outputs as i64]
        };
        self.floats(&format!("{name}/weights"), &shape, &numbers)
    }

    /// TensorFlow's padding mode for a layer; if neither fits, a pad operation is added before it.
    fn padded(&mut self, name: &str, common: &Common, from: &str) -> (&'static [u8], String) {
        let kernel = match common.op {
            Op::Pointwise => 1,
            _ => 3,
        };
        if common.padding == Padding::default() {
            return (b"VALID", from.into());
        }
        if common.padding == same_padding(common.input, kernel, common.stride) {
            return (b"SAME", from.into());
        }
        let Padding {
            top,
            bottom,
            left,
            right,
        } = common.padding;
        let rows = [0, 0, top, bottom, left, right, 0, 0].map(i32::from);
        let rows = self.ints(&format!("{name}/paddings"), &[4, 2], &rows);
        let attr = [("T", float_type()), ("Tpaddings", Value::Type(DT_INT32))];
        let padded = self.node(&format!("{name}/padded"), "Pad", &[from, &rows], &attr);
        (b"VALID", padded)
    }
}

fn float_type() -> Value {
    Value::Type(DT_FLOAT)
}

/// Number of input and output channels.
fn extents(common: &Common) -> (usize, usize) {
    (common.input.channels.into(), common.output.channels.into())
}
