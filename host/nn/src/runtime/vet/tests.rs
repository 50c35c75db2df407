//! Graphs that are let through with what they take, and graphs that are not, by node.

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, TensorProto};

use super::*;
use crate::graph::to_onnx::{Outputs, integers, node, onnx_model, tensor};
use crate::testing::small_float;

fn small() -> ModelProto {
    onnx_model(&small_float(), Outputs::Last)
}

#[test]
fn a_network_takes_what_its_layers_take() {
    let layers = small_float().layers;
    let products: u64 = layers.iter().map(|layer| layer.common.products()).sum();
    let cost = vet(&small()).unwrap();
    // Activations, sums and means count a little too.
    assert!(
        (products..2 * products).contains(&cost.products),
        "{cost:?} of {products}"
    );
    let largest = layers
        .iter()
        .map(|layer| 4 * layer.common.output.len())
        .max();
    assert!(cost.memory > largest.unwrap() as u64, "{cost:?}");
}

/// Error message for the small network after `change`.
fn message(change: &dyn Fn(&mut GraphProto)) -> String {
    let mut model = small();
    change(model.graph.as_mut().unwrap());
    vet(&model).expect_err("a refusal").to_string()
}

#[test]
fn refusals_name_the_node_and_the_reason() {
    let says = |text: &str, change: &dyn Fn(&mut GraphProto)| {
        let message = message(change);
        assert!(message.contains(text), "{message:?} does not say {text:?}");
    };
    let setting = |graph: &mut GraphProto, name: &str, numbers: &[i64]| {
        let settings = &mut graph.node[0].attribute;
        settings.retain(|setting| setting.name != name);
        settings.push(integers(name, numbers));
    };
    for pads in [
        [0, 0, 1 << 31, 0],
        [-1, 0, 0, 0],
        [0, 0, 0, 4000],
        [i64::MAX, 0, 0, 0],
    ] {
        says("(Conv): its setting \"pads\"", &|graph| {
            setting(graph, "pads", &pads)
        });
    }
    says("its setting \"strides\"", &|graph| {
        setting(graph, "strides", &[0, 1])
    });
    says("its setting \"dilations\"", &|graph| {
        setting(graph, "dilations", &[1])
    });
    says("its setting \"kernel_shape\"", &|graph| {
        setting(graph, "kernel_shape", &[5, 5])
    });
    says("nothing before it writes", &|graph| {
        drop(graph.node.remove(0))
    });
    says("two values have this name", &|graph| {
        let again = graph.node[0].clone();
        graph.node.push(again);
    });
    says("does not hold the numbers", &|graph| {
        graph.initializer[0].dims = vec![3]
    });
    says("its setting \"dims\"", &|graph| {
        graph.initializer[0].dims = vec![-1]
    });
    says("posy runs values of up to", &|graph| {
        graph.initializer[0].dims = vec![1 << 20, 1 << 20]
    });
    says("lie in another file", &|graph| {
        graph.initializer[0].data_location = Some(1)
    });
    says("nothing writes the output", &|graph| {
        graph.output[0].name = "nothing".into()
    });
    says("depends on the picture", &|graph| {
        graph.input[0].r#type = None
    });
}

/// Values unknown beforehand pass, with all that is computed of them; the rest is checked as ever.
#[test]
fn what_cannot_be_told_is_open() {
    let nodes = small().graph.unwrap().node.len();
    let body = AttributeProto {
        name: "body".into(),
        r#type: AttributeType::Graph.into(),
        g: Some(GraphProto::default()),
        ..AttributeProto::default()
    };
    let changes: [&dyn Fn(&mut GraphProto); 3] = [
        &|graph| graph.node[0].op_type = "NonZero".into(),
        &|graph| graph.node[0].attribute.push(body.clone()),
        &|graph| graph.initializer[0].data_type = 8,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut model = small();
        change(model.graph.as_mut().unwrap());
        let cost = vet(&model).unwrap();
        // The nodes stand in a row: all from the first that reads what was changed.
        let graph = model.graph.as_ref().unwrap();
        let reads = |name: &String| *name == graph.initializer[0].name;
        let reader = graph
            .node
            .iter()
            .position(|node| node.input.iter().any(reads));
        let first = if index == 2 { reader.unwrap() } else { 0 };
        assert_eq!(cost.open, nodes - first, "{index}");
        // A constant that lies stays one.
        model.graph.as_mut().unwrap().initializer[1].dims = vec![1 << 40];
        assert!(vet(&model).is_err(), "{index}");
    }
    let mut model = small();
    model.opset_import[0].version = 1000;
    assert_eq!(vet(&model).unwrap().open, nodes);
    assert_eq!(vet(&small()).unwrap().open, 0);
}

/// A graph of nodes on a picture of 8 x 8 pixels, `input`, and constants.
fn graph(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> ModelProto {
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    graph.input = vec![crate::graph::to_onnx::described("input", &[1, 3, 8, 8])];
    let last = nodes.last().unwrap().output[0].clone();
    graph.output = vec![crate::graph::to_onnx::unshaped(&last)];
    graph.node = nodes;
    graph.initializer = constants;
    model
}

fn list(name: &str, numbers: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![numbers.len() as i64],
        data_type: 7,
        int64_data: numbers.into(),
        ..TensorProto::default()
    }
}

/// Extents that a graph computes itself are followed.
#[test]
fn extents_are_followed_through_arithmetic() {
    let concat = NodeProto {
        attribute: vec![AttributeProto {
            name: "axis".into(),
            r#type: AttributeType::Int.into(),
            ..AttributeProto::default()
        }],
        ..node("Concat", &["one", "twice", "rest"], "shape")
    };
    let nodes = |factor: &str| {
        vec![
            node("Shape", &["input"], "extents"),
            node("Gather", &["extents", "which"], "channels"),
            node("Mul", &["channels", factor], "twice"),
            concat.clone(),
            node("Reshape", &["input", "shape"], "out"),
        ]
    };
    let constants = || {
        vec![
            list("which", &[1]),
            list("two", &[2]),
            list("five", &[5]),
            list("one", &[1]),
            list("rest", &[-1]),
        ]
    };
    vet(&graph(nodes("two"), constants())).unwrap();
    let refused = vet(&graph(nodes("five"), constants()))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("node \"out\" (Reshape)"), "{refused}");
}

/// Small steps that together are too much.
#[test]
fn work_and_memory_are_bounded_in_all() {
    let large = [1, 3, 1024, 1024];
    let shape = list("shape", &large);
    let grow = |count: usize| {
        let mut nodes = vec![node("Expand", &["one", "shape"], "v0")];
        for index in 1..count {
            let (from, to) = (format!("v{}", index - 1), format!("v{index}"));
            nodes.push(node("Exp", &[&from], &to));
        }
        let all: Vec<String> = (0..count).map(|index| format!("v{index}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        nodes.push(node("Sum", &all[count.saturating_sub(60)..], "sum"));
        graph(nodes, vec![tensor("one", &[1], &[1.0]), shape.clone()])
    };
    vet(&grow(4)).unwrap();
    assert!(matches!(vet(&grow(100)), Err(VetError::Memory { .. })));
    let products: Vec<NodeProto> = (0..40)
        .map(|index| {
            let from = if index == 0 {
                "square".to_owned()
            } else {
                format!("p{}", index - 1)
            };
            node("MatMul", &[&from, "square"], &format!("p{index}"))
        })
        .collect();
    let mut nodes = vec![node("Expand", &["one", "side"], "square")];
    nodes.extend(products);
    let model = graph(
        nodes,
        vec![tensor("one", &[1], &[1.0]), list("side", &[2048, 2048])],
    );
    assert!(matches!(vet(&model), Err(VetError::Products(_))));
}

#[test]
fn names_of_extents_are_names() {
    let mut model = small();
    let graph = model.graph.as_mut().unwrap();
    let described = graph.input[0].clone();
    let mut wrong = described.clone();
    if let Some(type_proto::Value::TensorType(tensor)) =
        wrong.r#type.as_mut().and_then(|kind| kind.value.as_mut())
    {
        tensor.shape.as_mut().unwrap().dim[0].value =
            Some(dimension::Value::DimParam("(".repeat(60)));
    }
    graph.value_info = vec![wrong];
    assert!(matches!(vet(&model), Err(VetError::Value { .. })));
}
