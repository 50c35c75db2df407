//! Why a frozen graph cannot be used.

use crate::backbone::assemble::{OrderError, Problem};

/// What is wrong with a frozen graph. Says where, and what would help.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FrozenError {
    /// The bytes are no protocol buffer of a graph's kind.
    #[error("the file is damaged or cut short, or no frozen graph; fetch it again ({0})")]
    Damaged(String),
    /// The graph has no layer that posy could run.
    #[error("the network has no layers")]
    Empty,
    /// Not exactly one placeholder.
    #[error("the graph has {0} placeholders; posy reads networks with one, the picture")]
    Inputs(usize),
    /// A placeholder that is not one picture.
    #[error(
        "the placeholder \"{name}\" has shape {shape:?}; posy reads one picture in float32, [1, H, W, 3] with fixed H and \
         W (or -1 for the 1)"
    )]
    Input {
        /// Its name.
        name: String,
        /// Its shape as the file has it, -1 for what is open.
        shape: Vec<i64>,
    },
    /// The graph still has variables.
    #[error("the graph has variables (\"{0}\"); freeze it first, with freeze_graph.py")]
    Variables(String),
    /// The nodes have no running order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// An operation that posy cannot run.
    #[error("operation \"{name}\" ({operation}): {problem}")]
    Operation {
        /// Its name.
        name: String,
        /// What it is.
        operation: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
}
