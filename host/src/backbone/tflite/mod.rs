//! Reads quantised TensorFlow Lite files.
//!
//! Two kinds are read: uint8 files of quantisation-aware training, as the official MobileNets
//! are, and int8 files of full-integer post-training quantisation. Both become a
//! [`TrainedNetwork`]. The file is checked before anything in it is used; what posy cannot run
//! is refused by name, and what it takes over computes bit for bit what TensorFlow Lite's
//! reference kernels compute (but for MEAN, which may differ by one step).
//!
//! | file | what reads it |
//! |---|---|
//! | `cursor.rs` | verified access to the flatbuffer |
//! | `schema.rs` | the tables of TensorFlow Lite's schema |
//! | `tensors.rs` | maps, weights and constants |
//! | `layers.rs` | one operator, to one layer |
//! | `graph.rs` | the list of operators, to a chain of layers |
//! | `extras.rs` | what makes answers of logits: the softmax, labels, how pictures are prepared |

mod cursor;
mod error;
mod extras;
#[cfg(test)]
mod fixture;
mod graph;
mod layers;
mod names;
mod schema;
mod tensors;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

pub use error::{Problem, TfliteError};
pub use extras::{Extras, extras};

pub(crate) use layers::{same_padding, window_output};

use super::network::TrainedNetwork;
use schema::{IDENTIFIER, Model};
use tensors::Tensors;

/// Whether `bytes` begin as a TensorFlow Lite file does.
pub fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(IDENTIFIER.as_slice())
}

/// Reads a whole `.tflite` file.
///
/// # Errors
/// [`TfliteError`] names the operator and the tensor that posy cannot run, or says how the file
/// is damaged. No bytes make it panic.
pub fn read(bytes: &[u8]) -> Result<TrainedNetwork, TfliteError> {
    if !is_tflite(bytes) {
        return Err(TfliteError::NotTflite);
    }
    let model = Model::read(bytes)?;
    if model.version != 3 {
        return Err(TfliteError::Version(model.version));
    }
    let [graph] = model.graphs.as_slice() else {
        return Err(TfliteError::Count {
            what: "graphs",
            count: model.graphs.len(),
        });
    };
    let tensors = Tensors::new(&model, &graph.tensors, bytes.len());
    graph::read(&model, graph, &tensors, Sha256::digest(bytes).into())
}
