//! Reads float networks of MobileNet's kind from ONNX files, as PyTorch and tf2onnx write them.
//!
//! Maps may lie as NCHW or NHWC, batch norms may be folded or not, padding may be explicit, `SAME` or a
//! node of its own; what the file does is brought down to posy's layers by a
//! `Chain` of `assemble`. What comes after the pooled features and is not known to posy
//! is left out, because a new head takes its place.
//!
//! | file | what it does |
//! |---|---|
//! | `tensors.rs` | constants of the file, and settings of nodes |
//! | `walk.rs` | node after node |
//! | `layers.rs` | nodes that become layers |
//! | `shapes.rs` | nodes that move axes, and those that compute shapes |
//! | `error.rs` | why a file cannot be used |

mod error;
mod layers;
mod shapes;
mod tensors;
#[cfg(test)]
mod tests;
mod walk;

use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::ModelProto;

pub use error::OnnxError;

use super::float_file::{FloatFile, Maker};

/// Whether `bytes` begin as an ONNX file does: with its version, field 1.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=16, ..])
}

/// Reads a whole `.onnx` file.
///
/// # Errors
/// [`OnnxError`] names the node that posy cannot run, or says how the file is damaged. No bytes
/// make it panic.
pub fn read(bytes: &[u8]) -> Result<FloatFile, OnnxError> {
    let model = ModelProto::decode(bytes).map_err(|error| OnnxError::Damaged(error.to_string()))?;
    let graph = model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
    let assembled = walk::walk(graph, bytes.len())?;
    if assembled.layers.is_empty() {
        return Err(OnnxError::Empty);
    }
    Ok(FloatFile {
        sha256: Sha256::digest(bytes).into(),
        layers: assembled.layers,
        input: assembled.input,
        maker: match model.producer_name.as_str() {
            "pytorch" => Maker::PyTorch,
            _ => Maker::TensorFlow,
        },
    })
}

/// Whether a domain is that of ONNX's own operators.
fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
