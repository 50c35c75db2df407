//! Reads float networks from TensorFlow's frozen graphs (`.pb`), as the codelab's scripts download them.
//!
//! The pattern is MobileNet's in NHWC: convolutions, batch norms in one operation or in the many that
//! TensorFlow 1 writes, ReLU6, one average pool. Arithmetic with constants is done while reading;
//! what follows the pooled features and is not known to posy is left out.
//!
//! | file | what it does |
//! |---|---|
//! | `tensors.rs` | constants of the file, and settings of operations |
//! | `walk.rs` | operation after operation |
//! | `operations.rs` | what each does |
//! | `error.rs` | why a file cannot be used |

mod error;
mod operations;
mod tensors;
#[cfg(test)]
pub(crate) mod tests;
mod walk;

use prost::Message;
use sha2::{Digest, Sha256};

pub use error::FrozenError;

use super::float_file::{FloatFile, Maker};
use crate::tensorflow::GraphDef;

/// Whether `bytes` begin as a frozen graph does: with a first node, field 1, that has a name, its
/// field 1.
pub fn is_frozen(bytes: &[u8]) -> bool {
    let [0x0a, rest @ ..] = bytes else {
        return false;
    };
    // The node's length: seven bits a byte, the last without the eighth.
    let continued = rest.iter().take_while(|byte| **byte >= 0x80).count();
    continued < 5 && rest.get(continued + 1) == Some(&0x0a)
}

/// Reads a whole `.pb` file.
///
/// # Errors
/// [`FrozenError`] names the operation that posy cannot run, or says how the file is damaged. No
/// bytes make it panic.
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
        maker: Maker::TensorFlow,
    })
}
