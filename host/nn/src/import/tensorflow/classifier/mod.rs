//! Reads frozen TensorFlow graphs written by posy back into a float network.
//!
//! | file | contents |
//! |---|---|
//! | `error.rs` | errors |
//! | `nodes.rs` | nodes by name, their attributes and constants |
//! | `chain.rs` | nodes to a chain of layers |

mod chain;
mod error;
mod nodes;

#[cfg(test)]
mod tests;

pub use error::{FrozenError, Problem};

use prost::Message;

use crate::graph::network::FloatNetwork;
use crate::import::tensorflow::proto::GraphDef;

/// A classifier from a frozen graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// Layers of the network. Their input is `scale * x + offset` for each value `x` of the graph's
    /// input.
    pub network: FloatNetwork,
    /// Scale of the input; see `network`.
    pub scale: f32,
    /// Offset of the input; see `network`.
    pub offset: f32,
    /// The softmax's beta, the factor of its logits.
    pub beta: f32,
}

/// Reads a graph from the node `input` to the node `output`, which is a softmax.
///
/// # Errors
/// [`FrozenError`] names the node that posy cannot run, or describes the damage. It never panics,
/// whatever the bytes are.
pub fn read(bytes: &[u8], input: &str, output: &str) -> Result<Frozen, FrozenError> {
    let graph = GraphDef::decode(bytes).map_err(|error| FrozenError::Damaged(error.to_string()))?;
    chain::read(&graph, input, output)
}
