//! Reads float networks from TensorFlow's frozen graphs (`.pb`), such as the ones that the
//! codelab's scripts download.
//!
//! Supported are MobileNets in NHWC: convolutions, batch norms as one operation or as the many that
//! TensorFlow 1 writes, ReLU6, one average pool. Arithmetic on constants is done while reading;
//! unknown operations after the pooled features are left out, unless a classifier is asked for.
//!
//! | file | contents |
//! |---|---|
//! | `tensors.rs` | constants, and attributes of operations |
//! | `walk.rs` | walks the operations |
//! | `operations.rs` | each operation |
//! | `error.rs` | errors |
//! | `proto.rs` | protocol buffers of the file |

mod error;
mod operations;
pub mod proto;
mod tensors;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

use std::collections::BTreeMap;

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
    read_part(bytes, &Part::default())
}

/// Reads a part of a `.pb` file; see [`read`].
///
/// # Errors
/// As [`read`].
pub fn read_part(bytes: &[u8], part: &Part<'_>) -> Result<FloatFile, FrozenError> {
    let graph = GraphDef::decode(bytes).map_err(|error| FrozenError::Damaged(error.to_string()))?;
    let assembled = walk::walk(&graph, bytes.len(), part)?;
    if assembled.layers.is_empty() {
        return Err(FrozenError::Empty);
    }
    Ok(FloatFile {
        sha256: Sha256::digest(bytes).into(),
        layers: assembled.layers,
        input: assembled.input,
        producer: Producer::TensorFlow,
        pixels: None,
        head: assembled.head,
        scoring: assembled.scoring,
        hybrids: BTreeMap::new(),
    })
}

/// Part of a graph that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part<'a> {
    /// Name of the input; the only placeholder if it is not given.
    pub input: Option<&'a str>,
    /// Name of the output, which must then be scores; all that depends on the input if it is not given.
    pub output: Option<&'a str>,
    /// Height and width of the input, for a placeholder that leaves them open.
    pub size: Option<(u16, u16)>,
}
