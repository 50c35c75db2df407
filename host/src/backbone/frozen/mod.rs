//! Reads the frozen TensorFlow graphs that posy writes, back into a float network.
//!
//! | file | what it does |
//! |---|---|
//! | `error.rs` | why a graph cannot be used |
//! | `nodes.rs` | nodes by name, their attributes and constants |
//! | `chain.rs` | nodes from output to input, to a chain of layers |

mod chain;
mod error;
mod nodes;

#[cfg(test)]
mod tests;

pub use error::{FrozenError, Problem};

use prost::Message;

use super::network::FloatNetwork;
use crate::tensorflow::GraphDef;

/// A classifier out of a frozen graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// Its layers. They read `scale * x + offset` of each number `x` of the graph's input.
    pub network: FloatNetwork,
    /// See `network`.
    pub scale: f32,
    /// See `network`.
    pub offset: f32,
    /// What the softmax multiplies logits by.
    pub beta: f32,
}

/// Reads a graph from the node `input` to the node `output`, which is a softmax.
///
/// # Errors
/// [`FrozenError`] names the node that posy cannot run, or says how the file is damaged. No bytes
/// make it panic.
pub fn read(bytes: &[u8], input: &str, output: &str) -> Result<Frozen, FrozenError> {
    let graph = GraphDef::decode(bytes).map_err(|error| FrozenError::Damaged(error.to_string()))?;
    chain::read(&graph, input, output)
}
