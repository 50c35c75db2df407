//! Reads networks of MobileNet's kind from ONNX files, as PyTorch and tf2onnx write them: float ones, and
//! quantised ones in QDQ and in QOperator form.
//!
//! The layout may be NCHW or NHWC, batch norms may be folded or not, and padding may be explicit,
//! `SAME` or a node of its own; a `Chain` of `graph::builder` reduces all of it to posy's layers. Unknown
//! nodes after the pooled features are left out, because a new head replaces them.
//!
//! | file | contents |
//! |---|---|
//! | `external.rs` | external data |
//! | `tensors.rs` | constants, and attributes of nodes |
//! | `walk.rs` | walks the nodes |
//! | `qoperator.rs` | quantised operators, taken apart into QDQ form |
//! | `quantised.rs` | nodes of quantised models |
//! | `exact.rs` | integers of quantised models |
//! | `layers.rs` | nodes that become layers |
//! | `shapes.rs` | nodes that move axes or compute shapes |
//! | `error.rs` | errors |

mod error;
mod exact;
mod external;
mod layers;
mod qoperator;
mod quantised;
#[cfg(test)]
mod quantised_tests;
mod shapes;
mod tensors;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use prost::{DecodeError, Message};
use sha2::{Digest, Sha256};
use tract_onnx::pb::{ModelProto, NodeProto};

pub use error::OnnxError;
pub(crate) use walk::sole_input;

use super::file::Network;
use super::float_file::{FloatFile, Producer};
use super::normalisation::Normalisation;
use crate::graph::network::TrainedNetwork;

/// True if `bytes` begin as an ONNX file does: with its version, field 1.
pub fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=16, ..])
}

/// A decoded `.onnx` file with its constants in place.
#[derive(Clone, Debug)]
pub struct File {
    /// SHA-256 of the file and its external data.
    pub sha256: [u8; 32],
    /// The model.
    pub model: ModelProto,
    /// Size with external data, bytes.
    len: usize,
}

impl File {
    /// Decodes a whole `.onnx` file. External data may lie in files of `folder`, up to `most`
    /// bytes.
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

    /// Converts the model to a float network of MobileNet's kind.
    ///
    /// # Errors
    /// [`OnnxError`] names the node that posy cannot run, or describes the damage. It never panics,
    /// whatever the bytes are.
    pub fn read(&self) -> Result<FloatFile, OnnxError> {
        self.read_both().map(|(float, _)| float)
    }

    /// Reads a network of MobileNet's kind, as it is quantised if it is.
    ///
    /// # Errors
    /// As [`File::read`].
    pub fn read_network(&self) -> Result<Network, OnnxError> {
        self.read_both().map(|(float, trained)| match trained {
            Some(trained) => Network::Trained(trained),
            None => Network::Float(float),
        })
    }

    /// The real network, and the quantised one if the model is quantised.
    fn read_both(&self) -> Result<(FloatFile, Option<TrainedNetwork>), OnnxError> {
        let graph = self.model.graph.as_ref().ok_or(OnnxError::NoGraph)?;
        let apart = qoperator::taken_apart(graph);
        let walked = walk::walk(apart.as_ref().unwrap_or(graph), self.len)?;
        if walked.assembled.layers.is_empty() {
            return Err(OnnxError::Empty);
        }
        let pixels = walked.pixels;
        let mut float = FloatFile {
            sha256: self.sha256,
            layers: Vec::new(),
            input: walked.assembled.input.clone(),
            head: walked.assembled.head,
            scoring: walked.assembled.scoring,
            hybrids: BTreeMap::new(),
            pixels: pixels.map(|levels| Normalisation::from_levels(levels.mean, levels.std)),
            producer: match self.model.producer_name.as_str() {
                "pytorch" => Producer::PyTorch,
                _ => Producer::TensorFlow,
            },
        };
        let normalisation = float.usual_normalisation();
        let record = walked.record;
        let trained = record.finish(
            &walked.assembled,
            self.sha256,
            walked.unread,
            &normalisation,
        );
        float.layers = walked.assembled.layers;
        Ok((float, trained))
    }
}

impl File {
    /// Names of the operators that boards cannot run, each once. The last node does not count: a
    /// softmax there is replaced with the last layer.
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
            qoperator::is_quantised(node)
                || is_own(&node.domain) && walk::KNOWN.contains(&node.op_type.as_str())
        };
        let unknown = nodes.filter(|node| !is_known(node));
        let mut names: Vec<&str> = unknown.map(|node| node.op_type.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads a whole `.onnx` file without external data.
///
/// # Errors
/// As [`File::open`] and [`File::read`].
pub fn read(bytes: &[u8]) -> Result<FloatFile, OnnxError> {
    File::decode(bytes)?.read()
}

/// True for the domain of ONNX's own operators.
fn is_own(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
