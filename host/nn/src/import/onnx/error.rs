//! Errors for `.onnx` files.

use std::path::PathBuf;

use crate::graph::builder::{OrderError, Problem};

/// Defect of an `.onnx` file. Each message says where it is and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// The bytes are no ONNX protocol buffer.
    #[error("the file is damaged or cut short; fetch or export it again ({0})")]
    Damaged(String),
    /// The file has no graph, or no operator set.
    #[error("the file holds no graph; it is damaged or cut short; fetch or export it again")]
    NoGraph,
    /// External data that is not in the network's folder.
    #[error(
        "the numbers of \"{tensor}\" lie in another file, \"{location}\", and posy opens only what is named in the \
         same folder; save the network with its weights inside (external_data=False)"
    )]
    Elsewhere {
        /// Name of the tensor.
        tensor: String,
        /// Location of the data by the file.
        location: String,
    },
    /// The external data cannot be read.
    #[error(
        "its weights are in {path}, which cannot be used: {reason}; put it beside the network, whole, as it was exported"
    )]
    Beside {
        /// Path of the data file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The graph has no layer that posy could run.
    #[error("the network has no layers")]
    Empty,
    /// The graph does not have exactly one input.
    #[error(
        "the graph has {0} inputs beside its weights; posy reads networks with one, the picture"
    )]
    Inputs(usize),
    /// The input is not one image.
    #[error(
        "the input \"{name}\" has shape [{shape}]; posy reads one picture, [1, C, H, W] or [1, H, W, C] with C 3, or 1 for \
         grey, and fixed H and W: export the network with a fixed input size"
    )]
    Input {
        /// Name of the input.
        name: String,
        /// Shape in the file.
        shape: String,
    },
    /// The input is of a type that no picture has.
    #[error(
        "the input \"{0}\" holds neither float32 nor 8-bit integers; export the network with an input of one of these"
    )]
    InputType(String),
    /// The nodes cannot be ordered.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A node that posy cannot run.
    #[error("node {index} ({operator}, writing \"{output}\"): {problem}")]
    Node {
        /// Index in the file's list of nodes.
        index: usize,
        /// Operator of the node.
        operator: String,
        /// Name of the tensor that it writes.
        output: String,
        /// Defect of the node.
        problem: Box<Problem>,
    },
}
