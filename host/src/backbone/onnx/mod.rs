//! Reads float networks of MobileNet's kind from ONNX files, as PyTorch and tf2onnx write them.
//!
//! Maps may lie as NCHW or NHWC, batch norms may be folded or not, padding may be explicit, `SAME` or a
//! node of its own; what the file does is brought down to posy's layers by a
//! `Chain` of `assemble`. What comes after the pooled features and is not known to posy
//! is left out, because a new head takes its place.
//!
//! | file | what it does |
//! |---|---|
//! | `external.rs` | constants in files beside it |
//! | `tensors.rs` | constants of the file, and settings of nodes |
//! | `walk.rs` | node after node |
//! | `layers.rs` | nodes that become layers |
//! | `shapes.rs` | nodes that move axes, and those that compute shapes |
//! | `error.rs` | why a file cannot be used |

mod error;
mod external;
mod layers;
mod shapes;
mod tensors;
#[cfg(test)]
mod tests;
mod walk;

use std::path::Path;

use prost::{DecodeError, Message};
use sha2::{Digest, Sha256};
use tract_onnx::pb::{ModelProto, NodeProto};

pub use error::OnnxError;

use super::float_file::{FloatFile, Maker};

/// Whether `bytes` begin as an ONNX file does: with its version, field 1.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=16, ..])
}

/// What an `.onnx` file holds, its constants in place.
#[derive(Clone, Debug)]
pub struct File {
    /// SHA-256 of the file, and of constants that lie beside it.
    pub sha256: [u8; 32],
    /// The model.
    pub model: ModelProto,
    /// Bytes in all.
    len: usize,
}

impl File {
    /// Decodes the bytes of a whole `.onnx` file. Constants may lie in files of `folder`, up to `most`
    /// bytes of them.
    ///
    /// # Errors
    /// [`OnnxError`].
    pub fn open(bytes: &[u8], folder: &Path, most: u64) -> Result<Self, OnnxError> {
        let mut file = File::decode(bytes)?;
        let mut hash = Sha256::new();
        hash.update(bytes);
        external::embed(&mut file.model, folder, most, &mut |piece| {
            hash.update(piece);
            file.len += piece.len();
        })?;
        file.sha256 = hash.finalize().into();
        Ok(file)
    }

    fn decode(bytes: &[u8]) -> Result<Self, OnnxError> {
        let damaged = |error: DecodeError| OnnxError::Damaged(error.to_string());
        Ok(File {
            sha256: Sha256::digest(bytes).into(),
            model: ModelProto::decode(bytes).map_err(damaged)?,
            len: bytes.len(),
        })
    }

    /// The network, if it is of MobileNet's kind.
    ///
    /// # Errors
    /// [`OnnxError`] names the node that posy cannot run, or says how the file is damaged. No bytes
    /// make it panic.
    pub fn read(&self) -> Result<FloatFile, OnnxError> {
        let graph = self.model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
        let assembled = walk::walk(graph, self.len)?;
        if assembled.layers.is_empty() {
            return Err(OnnxError::Empty);
        }
        Ok(FloatFile {
            sha256: self.sha256,
            layers: assembled.layers,
            input: assembled.input,
            maker: match self.model.producer_name.as_str() {
                "pytorch" => Maker::PyTorch,
                _ => Maker::TensorFlow,
            },
        })
    }
}

impl File {
    /// Names of the operators, each once, that no network for a board may have. The last node does not
    /// count: a softmax there is replaced with the last layer.
    pub fn unknown_operators(&self) -> Vec<&str> {
        let graphs = self.model.graph.iter();
        let nodes = graphs.flat_map(|graph| {
            let is_last = |name: &String| graph.output.iter().any(|output| output.name == *name);
            graph
                .node
                .iter()
                .filter(move |node| !node.output.iter().any(is_last))
        });
        let is_known = |node: &&NodeProto| {
            is_own(&node.domain) && walk::KNOWN.contains(&node.op_type.as_str())
        };
        let unknown = nodes.filter(|node| !is_known(node));
        let mut names: Vec<&str> = unknown.map(|node| node.op_type.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads a whole `.onnx` file with its constants inside.
///
/// # Errors
/// As [`File::open`] and [`File::read`].
pub fn read(bytes: &[u8]) -> Result<FloatFile, OnnxError> {
    File::decode(bytes)?.read()
}

/// Whether a domain is that of ONNX's own operators.
fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
