//! Finds the input of a classifier's last layer.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb::{GraphProto, NodeProto};

use super::input::described;

/// Number of ImageNet classes, without and with one for the background.
const IMAGENET: [i64; 2] = [1000, 1001];

/// Name of the features: the input of the last layer that has weights.
///
/// The search goes back from the graph's first output, past a softmax and nodes that only reshape.
/// If the network ends otherwise, for example because its last layer was removed, its output itself
/// is the result.
pub(super) fn find(graph: &GraphProto) -> Option<&str> {
    let output = graph.output.first()?;
    let writers = Writers::of(graph);
    let classes = described(output)
        .0
        .and_then(|extents| extents.last().copied().flatten());
    let mut is_classifier = classes.is_some_and(|classes| IMAGENET.contains(&classes));
    let mut end = output.name.as_str();
    let mut name = end;
    // A path is no longer than the number of nodes, unless it is a cycle.
    for _ in 0..=graph.node.len() {
        let Some(node) = writers.writer(name) else {
            break;
        };
        let first = node.input.first().map(String::as_str)?;
        let weights = node
            .input
            .get(1)
            .is_some_and(|name| writers.is_constant(name));
        name = match node.op_type.as_str() {
            "Softmax" | "LogSoftmax" | "Sigmoid" => {
                is_classifier = true;
                end = first;
                first
            }
            "Gemm" | "MatMul" | "Conv" if weights => return Some(first),
            // A convolution before one of these is a classifier's last layer, or any layer of a
            // network whose last layer was removed.
            "GlobalAveragePool" | "AveragePool" | "ReduceMean" | "Relu" if !is_classifier => break,
            "GlobalAveragePool" | "AveragePool" | "ReduceMean" | "Relu" | "Identity" | "Cast"
            | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "QuantizeLinear"
            | "DequantizeLinear" => first,
            "Add" | "Sub" | "Mul" | "Div" => match writers.varying(node).as_slice() {
                &[only] => only,
                _ => break,
            },
            _ => break,
        };
    }
    Some(end)
}

/// Index from values to the nodes that write them.
struct Writers<'a> {
    nodes: HashMap<&'a str, &'a NodeProto>,
    constants: HashSet<&'a str>,
}

impl<'a> Writers<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let mut constants: HashSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        let mut nodes = HashMap::new();
        // Running order makes every value that is computed from constants a constant too.
        for node in &graph.node {
            let outputs = node
                .output
                .iter()
                .map(String::as_str)
                .filter(|name| !name.is_empty());
            let inputs = node.input.iter().map(String::as_str);
            let computed = inputs
                .filter(|name| !name.is_empty())
                .all(|name| constants.contains(name));
            for output in outputs {
                nodes.insert(output, node);
                if computed {
                    constants.insert(output);
                }
            }
        }
        Writers { nodes, constants }
    }

    fn writer(&self, name: &str) -> Option<&'a NodeProto> {
        self.nodes.get(name).copied()
    }

    fn is_constant(&self, name: &str) -> bool {
        self.constants.contains(name)
    }

    /// Inputs of a node that are not constants.
    fn varying(&self, node: &'a NodeProto) -> Vec<&'a str> {
        let names = node.input.iter().map(String::as_str);
        names
            .filter(|name| !name.is_empty() && !self.is_constant(name))
            .collect()
    }
}
