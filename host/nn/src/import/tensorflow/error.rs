//! Errors for TensorFlow frozen graphs.

use crate::graph::builder::{OrderError, Problem};

/// Defect of a frozen graph. Each message says where it is and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FrozenError {
    /// The bytes are no `GraphDef` protocol buffer.
    #[error("the file is damaged or cut short, or no frozen graph; fetch it again ({0})")]
    Damaged(String),
    /// The graph has no layer that posy could run.
    #[error("the network has no layers")]
    Empty,
    /// The graph does not have exactly one placeholder.
    #[error("the graph has {0} placeholders; posy reads networks with one, the picture")]
    Inputs(usize),
    /// The placeholder is not one image.
    #[error(
        "the placeholder \"{name}\" has shape {shape:?}; posy reads one picture in float32, [1, H, W, 3] with fixed H and \
         W (or -1 for the 1)"
    )]
    Input {
        /// Name of the placeholder.
        name: String,
        /// Shape in the file; -1 for open extents.
        shape: Vec<i64>,
    },
    /// No node has this name.
    #[error(
        "there is no node \"{0}\"; name those that the graph has (--input-layer, --output-layer), or write it again"
    )]
    Missing(String),
    /// The output is not scores.
    #[error(
        "\"{name}\" is {operation}; the output of a classifier is a Softmax or a Sigmoid, name it (--output-layer)"
    )]
    Output {
        /// Name of the node.
        name: String,
        /// Type of its operation.
        operation: String,
    },
    /// The placeholder leaves its size open.
    #[error(
        "the placeholder \"{0}\" leaves height and width open; give them (--input-size; --input_height and --input_width \
         of label-image)"
    )]
    Size(String),
    /// The graph still has variables.
    #[error("the graph has variables (\"{0}\"); freeze it first, with freeze_graph.py")]
    Variables(String),
    /// The nodes cannot be ordered.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// An operation that posy cannot run.
    #[error("operation \"{name}\" ({operation}): {problem}")]
    Operation {
        /// Name of the operation.
        name: String,
        /// Type of the operation.
        operation: String,
        /// Defect of the operation.
        problem: Box<Problem>,
    },
}
