//! An ONNX classifier of many operators, and mutants of its structure: bytes that are changed at random
//! seldom decode, and what a library makes of a graph that decodes is what matters.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Whole numbers at which programs go wrong.
const NUMBERS: [i64; 22] = [
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    31,
    64,
    255,
    1000,
    4096,
    65_536,
    1 << 24,
    1 << 31,
    1 << 40,
    i64::MAX,
    i64::MIN,
];

/// Operators that mutants have, those that posy refuses among them.
const OPERATORS: [&str; 44] = [
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "CumSum",
    "DepthToSpace",
    "Div",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "Loop",
    "MatMul",
    "MaxPool",
    "Mul",
    "NonZero",
    "OneHot",
    "Pad",
    "Pow",
    "Range",
    "ReduceMean",
    "ReduceSum",
    "Reshape",
    "Resize",
    "Scan",
    "Shape",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Tile",
    "TopK",
    "Transpose",
    "Where",
];

/// Settings that mutants get.
const SETTINGS: [&str; 14] = [
    "axes",
    "axis",
    "blocksize",
    "ceil_mode",
    "dilations",
    "group",
    "keepdims",
    "kernel_shape",
    "pads",
    "perm",
    "split",
    "strides",
    "to",
    "transB",
];

fn whole(name: &str, number: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int.into(),
        i: number,
        ..AttributeProto::default()
    }
}

fn wholes(name: &str, numbers: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: numbers.into(),
        ..AttributeProto::default()
    }
}

/// A node.
pub fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    settings: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|name| (*name).into()).collect(),
        output: vec![output.into()],
        attribute: settings,
        ..NodeProto::default()
    }
}

/// A constant of float32.
pub fn reals(name: &str, dims: &[i64]) -> TensorProto {
    let count: i64 = dims.iter().product();
    let numbers = (0..count).map(|n| (n * 37 % 17) as f32 / 16.0 - 0.5);
    TensorProto {
        name: name.into(),
        dims: dims.into(),
        data_type: DataType::Float.into(),
        raw_data: numbers.flat_map(f32::to_le_bytes).collect(),
        ..TensorProto::default()
    }
}

/// A constant of int64, a list.
pub fn list(name: &str, numbers: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![numbers.len() as i64],
        data_type: DataType::Int64.into(),
        int64_data: numbers.into(),
        ..TensorProto::default()
    }
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|extent| Dimension {
        value: Some(dimension::Value::DimValue(*extent)),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float.into(),
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// A classifier of pictures of 32 x 32 pixels with these nodes, from `x` to `o`.
pub fn classifier(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    ModelProto {
        ir_version: 7,
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: 13,
        }],
        graph: Some(GraphProto {
            name: "g".into(),
            node: nodes,
            initializer: constants,
            input: vec![value("x", &[1, 3, 32, 32])],
            output: vec![value("o", &[1, 10])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

/// A classifier that boards run too: a MobileNet of three convolutions.
pub fn small_network() -> ModelProto {
    let padded = |stride: i64, group: i64| {
        vec![
            wholes("pads", &[1, 1, 1, 1]),
            wholes("strides", &[stride, stride]),
            whole("group", group),
        ]
    };
    let limit = |from: &str, to: &str| node("Clip", &[from, "low", "high"], to, vec![]);
    let nodes = vec![
        node("Conv", &["x", "w1", "b1"], "c1", padded(2, 1)),
        limit("c1", "r1"),
        node("Conv", &["r1", "w2", "b1"], "c2", padded(1, 4)),
        limit("c2", "r2"),
        node("Conv", &["r2", "w3", "b3"], "c3", vec![]),
        limit("c3", "r3"),
        node("GlobalAveragePool", &["r3"], "p", vec![]),
        node("Flatten", &["p"], "f", vec![]),
        node("Gemm", &["f", "last", "b4"], "o", vec![whole("transB", 1)]),
    ];
    let one = |name: &str, number: f32| TensorProto {
        raw_data: number.to_le_bytes().into(),
        ..reals(name, &[])
    };
    let constants = vec![
        reals("w1", &[4, 3, 3, 3]),
        reals("b1", &[4]),
        reals("w2", &[4, 1, 3, 3]),
        reals("w3", &[8, 4, 1, 1]),
        reals("b3", &[8]),
        reals("last", &[10, 8]),
        reals("b4", &[10]),
        one("low", 0.0),
        one("high", 6.0),
    ];
    classifier(nodes, constants)
}

/// A classifier with an operator of nearly every kind that is known.
pub fn many_operators() -> ModelProto {
    let nodes = vec![
        node(
            "Conv",
            &["x", "w"],
            "c",
            vec![wholes("pads", &[1, 1, 1, 1]), wholes("strides", &[2, 2])],
        ),
        node(
            "BatchNormalization",
            &["c", "g", "b", "m", "v"],
            "n",
            vec![],
        ),
        node("Clip", &["n", "low", "high"], "r", vec![]),
        node(
            "MaxPool",
            &["r"],
            "p",
            vec![
                wholes("kernel_shape", &[3, 3]),
                whole("ceil_mode", 1),
                wholes("strides", &[2, 2]),
            ],
        ),
        node(
            "AveragePool",
            &["p"],
            "q",
            vec![
                wholes("kernel_shape", &[2, 2]),
                wholes("pads", &[0, 0, 1, 1]),
            ],
        ),
        node("Concat", &["p", "q"], "both", vec![whole("axis", 1)]),
        node("Conv", &["both", "w2"], "narrow", vec![whole("group", 4)]),
        node("Sigmoid", &["narrow"], "weight", vec![]),
        node("Mul", &["narrow", "weight"], "swish", vec![]),
        node("Pad", &["swish", "margins"], "padded", vec![]),
        node("Slice", &["padded", "from", "to", "at"], "cut", vec![]),
        node("Resize", &["cut", "", "scales"], "large", vec![]),
        node("Shape", &["large"], "extents", vec![]),
        node("Gather", &["extents", "first"], "channels", vec![]),
        node(
            "Concat",
            &["one", "channels", "rest"],
            "shape",
            vec![whole("axis", 0)],
        ),
        node("Reshape", &["large", "shape"], "flat", vec![]),
        node(
            "Transpose",
            &["flat"],
            "tokens",
            vec![wholes("perm", &[0, 2, 1])],
        ),
        node("MatMul", &["tokens", "flat"], "looks", vec![]),
        node("Softmax", &["looks"], "shares", vec![whole("axis", 2)]),
        node("MatMul", &["shares", "tokens"], "mixed", vec![]),
        node(
            "ReduceMean",
            &["mixed"],
            "mean",
            vec![wholes("axes", &[1]), whole("keepdims", 1)],
        ),
        node("Squeeze", &["mean", "one"], "thin", vec![]),
        node("Gemm", &["thin", "last"], "o", vec![whole("transB", 1)]),
    ];
    let constants = vec![
        reals("w", &[8, 3, 3, 3]),
        reals("g", &[8]),
        reals("b", &[8]),
        reals("m", &[8]),
        TensorProto {
            raw_data: [1.0_f32; 8].iter().flat_map(|n| n.to_le_bytes()).collect(),
            ..reals("v", &[8])
        },
        TensorProto {
            raw_data: 0.0_f32.to_le_bytes().into(),
            ..reals("low", &[])
        },
        TensorProto {
            raw_data: 6.0_f32.to_le_bytes().into(),
            ..reals("high", &[])
        },
        reals("w2", &[8, 4, 1, 1]),
        list("margins", &[0, 0, 1, 1, 0, 0, 1, 1]),
        list("from", &[1, 1]),
        list("to", &[9, 9]),
        list("at", &[2, 3]),
        TensorProto {
            raw_data: [1.0_f32, 1.0, 2.0, 2.0]
                .iter()
                .flat_map(|n| n.to_le_bytes())
                .collect(),
            ..reals("scales", &[4])
        },
        list("first", &[1]),
        list("one", &[1]),
        list("rest", &[-1]),
        reals("last", &[10, 8]),
    ];
    classifier(nodes, constants)
}

/// Decisions, one after the other; zeros when they are used up.
struct Choices<'c>(std::slice::Iter<'c, u8>);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        self.0.next().copied().unwrap_or(0).into()
    }

    fn below(&mut self, count: usize) -> usize {
        self.next() % count.max(1)
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn number(&mut self) -> i64 {
        *self.of(&NUMBERS)
    }
}

/// `model` with its structure changed as `choices` decide: inputs, operators, settings, extents, nodes. Each
/// change takes a few bytes; what bytes there are decides how many changes are made.
pub fn mutant(model: &ModelProto, choices: &[u8]) -> ModelProto {
    let mut model = model.clone();
    let Some(graph) = &mut model.graph else {
        return model;
    };
    let mut left = Choices(choices.iter());
    while left.0.len() > 0 && !graph.node.is_empty() {
        change(graph, &mut left);
    }
    model
}

fn change(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let written = graph.node.iter().flat_map(|node| &node.output);
    let constants = graph.initializer.iter().map(|tensor| &tensor.name);
    let names: Vec<String> = written
        .chain(constants)
        .cloned()
        .chain(["x".into(), String::new()])
        .collect();
    let kind = choices.below(11);
    let place = choices.below(graph.node.len());
    match kind {
        0 => {
            let node = &mut graph.node[place];
            let input = choices.below(node.input.len());
            if let Some(input) = node.input.get_mut(input) {
                input.clone_from(choices.of(&names));
            }
        }
        1 => graph.node[place].op_type = (*choices.of(&OPERATORS)).into(),
        2 | 3 => {
            let settings = &mut graph.node[place].attribute;
            let at = choices.below(settings.len());
            if let Some(setting) = settings.get_mut(at) {
                let number = choices.number();
                let at = choices.below(setting.ints.len());
                match setting.ints.get_mut(at) {
                    Some(one) => *one = number,
                    None => setting.i = number,
                }
            }
        }
        4 => {
            let name = choices.of(&SETTINGS);
            let count = choices.below(5);
            let numbers: Vec<i64> = (0..count).map(|_| choices.number()).collect();
            let setting = match numbers.as_slice() {
                [number] => whole(name, *number),
                numbers => wholes(name, numbers),
            };
            let settings = &mut graph.node[place].attribute;
            settings.retain(|other| other.name != setting.name);
            settings.push(setting);
        }
        5 => {
            let at = choices.below(graph.initializer.len());
            if let Some(tensor) = graph.initializer.get_mut(at) {
                let (axis, number) = (choices.below(tensor.dims.len() + 1), choices.number());
                match tensor.dims.get_mut(axis) {
                    Some(extent) => *extent = number,
                    None => tensor.dims.push(number),
                }
                // As many numbers as it now says, where that is not much.
                let count = tensor
                    .dims
                    .iter()
                    .try_fold(1_i64, |n, extent| n.checked_mul(*extent));
                if let Some(count @ 0..=65_536) = count
                    && !tensor.raw_data.is_empty()
                {
                    tensor.raw_data.resize(4 * count as usize, 0);
                }
            }
        }
        6 => {
            let at = choices.below(graph.initializer.len());
            if let Some(tensor) = graph.initializer.get_mut(at) {
                let number = choices.number();
                let at = choices.below(tensor.int64_data.len());
                if let Some(one) = tensor.int64_data.get_mut(at) {
                    *one = number;
                }
            }
        }
        7 => {
            let output = format!("new_{}", graph.node.len());
            let inputs: Vec<String> = (0..choices.below(4))
                .map(|_| choices.of(&names).clone())
                .collect();
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let operator: &str = choices.of::<&str>(&OPERATORS);
            let new = node(operator, &inputs, &output, vec![]);
            // Whoever comes next reads it.
            if let Some(input) = graph.node[place].input.first_mut() {
                *input = output;
            }
            graph.node.insert(place, new);
        }
        8 => drop(graph.node.remove(place)),
        9 => {
            let twin = graph.node[place].clone();
            graph.node.push(twin);
        }
        _ => {
            let rank = choices.below(6);
            let dims: Vec<i64> = (0..rank).map(|_| choices.number()).collect();
            graph.input = vec![value("x", &dims)];
        }
    }
}
