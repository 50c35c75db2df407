//! The graph of a network, as TensorBoard draws it.

use prost::Message;

use super::proto::{self, Attr, AttrKind, dtype};

/// Version of TensorFlow's graphs whose operators the names are of.
const PRODUCER: i32 = 21;

/// An operator.
#[derive(Clone, Debug)]
pub struct GraphNode {
    /// Its name; `/` nests.
    pub name: String,
    /// The name of its operator in TensorFlow.
    pub op: &'static str,
    /// The nodes that it reads.
    pub inputs: Vec<String>,
    /// Extents of what it gives, e.g. `[1, H, W, C]`; -1 for any number.
    pub shape: Vec<i64>,
    /// Steps of its window, `[1, y, x, 1]`; empty where it has none.
    pub strides: Vec<i64>,
    /// True if its output is int8, false if it is f32.
    pub int8: bool,
}

/// A network.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The nodes, each after those that it reads.
    pub nodes: Vec<GraphNode>,
}

impl Graph {
    pub(super) fn encode(&self) -> Vec<u8> {
        let graph = proto::GraphDef {
            node: self.nodes.iter().map(GraphNode::proto).collect(),
            versions: Some(proto::Versions { producer: PRODUCER }),
        };
        graph.encode_to_vec()
    }
}

impl GraphNode {
    fn proto(&self) -> proto::Node {
        let attr = |kind| Attr { kind: Some(kind) };
        let shape = proto::TensorShape {
            dim: self.shape.iter().map(|&size| proto::Dim { size }).collect(),
        };
        let number = match self.int8 {
            true => dtype::INT8,
            false => dtype::FLOAT,
        };
        let mut attrs = vec![
            ("T".to_owned(), attr(AttrKind::Type(number))),
            (
                // The name by which TensorBoard finds extents.
                "_output_shapes".to_owned(),
                attr(AttrKind::List(proto::AttrList {
                    int: Vec::new(),
                    shape: vec![shape.clone()],
                })),
            ),
        ];
        if self.inputs.is_empty() {
            attrs.push(("shape".to_owned(), attr(AttrKind::Shape(shape))));
        }
        if !self.strides.is_empty() {
            let list = proto::AttrList {
                int: self.strides.clone(),
                shape: Vec::new(),
            };
            attrs.push(("strides".to_owned(), attr(AttrKind::List(list))));
            let padding = AttrKind::Text(b"SAME".to_vec());
            attrs.push(("padding".to_owned(), attr(padding)));
        }
        proto::Node {
            name: self.name.clone(),
            op: self.op.to_owned(),
            input: self.inputs.clone(),
            attr: attrs.into_iter().collect(),
        }
    }
}
