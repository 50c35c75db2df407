//! Names of values in a graph, nested graphs included.

use tract_onnx::pb::{GraphProto, NodeProto};

/// Prefix of every name from the file, so that none collides with posy's own.
pub(super) const PREFIX: &str = "backbone/";

/// Name of a file's value in the network that posy builds from it.
pub(super) fn prefixed(name: &str) -> String {
    match name {
        // An omitted optional input or output.
        "" => String::new(),
        name => format!("{PREFIX}{name}"),
    }
}

/// Adds [`PREFIX`] to the names of all values and nodes.
pub(super) fn prefix(graph: &mut GraphProto) {
    let rename = |name: &mut String| *name = prefixed(name);
    for tensor in &mut graph.initializer {
        rename(&mut tensor.name);
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        rename(&mut value.name);
    }
    // Shapes of intermediate values are inferred anew for the one size in use.
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

/// Names of the values that a node reads, including reads of nested graphs, some of which are the
/// nested graph's own values.
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
