//! Why an `.onnx` file cannot be used.

use std::path::PathBuf;

use crate::backbone::assemble::{OrderError, Problem};

/// What is wrong with an `.onnx` file. Says where, and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// The bytes are no protocol buffer of ONNX's kind.
    #[error("the file is damaged or cut short; fetch or export it again ({0})")]
    Damaged(String),
    /// The file has no graph, or no operator set.
    #[error("the file holds no graph; it is damaged or cut short; fetch or export it again")]
    NoGraph,
    /// Numbers in a file that is not beside the network's.
    #[error(
        "the numbers of \"{tensor}\" lie in another file, \"{location}\", and posy opens only what is named in the \
         same folder; save the network with its weights inside (external_data=False)"
    )]
    Elsewhere {
        /// Name of the tensor.
        tensor: String,
        /// Where it says that they are.
        location: String,
    },
    /// The file with the numbers cannot be read.
    #[error(
        "its weights are in {path}, which cannot be used: {reason}; put it beside the network, whole, as it was exported"
    )]
    Beside {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The graph has no layer that posy could run.
    #[error("the network has no layers")]
    Empty,
    /// Not exactly one input.
    #[error(
        "the graph has {0} inputs beside its weights; posy reads networks with one, the picture"
    )]
    Inputs(usize),
    /// An input that is not one picture.
    #[error(
        "the input \"{name}\" has shape [{shape}]; posy reads one picture in float32, [1, 3, H, W] or [1, H, W, 3] with \
         fixed H and W: export the network with a fixed input size"
    )]
    Input {
        /// Its name.
        name: String,
        /// Its shape as the file has it.
        shape: String,
    },
    /// The nodes have no running order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A node that posy cannot run.
    #[error("node {index} ({operator}, writing \"{output}\"): {problem}")]
    Node {
        /// Place in the file's list of nodes.
        index: usize,
        /// Its operator.
        operator: String,
        /// Name of the tensor that it writes.
        output: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
}
