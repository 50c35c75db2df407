//! Reads float networks from TensorFlow's frozen graphs (`.pb`), such as the ones that the
//! codelab's scripts download.
//!
//! Supported are MobileNets in NHWC: convolutions, batch norms as one operation or as the many that
//! TensorFlow 1 writes, ReLU6, one average pool. Arithmetic on constants is done while reading;
//! unknown operations after the pooled features are left out.
//!
//! | file | contents |
//! |---|---|
//! | `tensors.rs` | constants, and attributes of operations |
//! | `walk.rs` | walks the operations |
//! | `operations.rs` | each operation |
//! | `error.rs` | errors |
//! | `proto.rs` | protocol buffers of the file |
//! | `classifier/` | complete classifiers, as posy writes them |

pub mod classifier;
mod error;
mod operations;
pub mod proto;
mod tensors;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

use prost::Message;
use sha2::{Digest, Sha256};

pub use error::FrozenError;

use super::float_file::{FloatFile, Producer};
use crate::import::tensorflow::proto::GraphDef;

/// True if `bytes` begin as a frozen graph does: with a first node (field 1) that has a name (its
/// field 1).
pub fn is_frozen(bytes: &[u8]) -> bool {
    let [0x0a, rest @ ..] = bytes else {
        return false;
    };
    // The node's length is a varint: seven bits a byte, the top bit clear in the last byte.
    let continued = rest.iter().take_while(|byte| **byte >= 0x80).count();
    continued < 5 && rest.get(continued + 1) == Some(&0x0a)
}

/// Reads a whole `.pb` file.
///
/// # Errors
/// [`FrozenError`] names the operation that posy cannot run, or describes the damage. It never
/// panics, whatever the bytes are.
pub fn read(bytes: &[u8]) -> Result<FloatFile, FrozenError> {
    let graph = GraphDef::decode(bytes).map_err(|error| FrozenError::Damaged(error.to_string()))?;
    let assembled = walk::walk(&graph, bytes.len())?;
    if assembled.layers.is_empty() {
        return Err(FrozenError::Empty);
    }
    Ok(FloatFile {
        sha256: Sha256::digest(bytes).into(),
        layers: assembled.layers,
        input: assembled.input,
        producer: Producer::TensorFlow,
    })
}
