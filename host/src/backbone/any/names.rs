//! Names of values, nested graphs included.

use tract_onnx::pb::{GraphProto, NodeProto};

/// Put before every name of the file's own, so that none is taken for one of posy's.
pub(super) const PREFIX: &str = "backbone/";

/// A value's name in the network that is made of a file.
pub(super) fn prefixed(name: &str) -> String {
    match name {
        // An input or output that is left out.
        "" => String::new(),
        name => format!("{PREFIX}{name}"),
    }
}

/// Puts [`PREFIX`] before the names of all values and nodes.
pub(super) fn prefix(graph: &mut GraphProto) {
    let rename = |name: &mut String| *name = prefixed(name);
    for tensor in &mut graph.initializer {
        rename(&mut tensor.name);
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        rename(&mut value.name);
    }
    // Shapes of values in between are found out anew, for the one size that is used.
    graph.value_info.clear();
    for node in &mut graph.node {
        rename(&mut node.name);
        node.input.iter_mut().for_each(rename);
        node.output.iter_mut().for_each(rename);
        for attribute in &mut node.attribute {
            let graphs = attribute.g.iter_mut().chain(&mut attribute.graphs);
            graphs.for_each(prefix);
        }
    }
}

/// Names of the values that a node reads, those of nested graphs included, which may be their own.
pub(super) fn reads(node: &NodeProto) -> Vec<&str> {
    let mut names: Vec<&str> = node.input.iter().map(String::as_str).collect();
    for attribute in &node.attribute {
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            names.extend(graph.node.iter().flat_map(reads));
            names.extend(graph.output.iter().map(|output| output.name.as_str()));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}
