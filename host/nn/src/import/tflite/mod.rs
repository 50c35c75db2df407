//! Reads TensorFlow Lite files.
//!
//! Two kinds of quantised files are read: uint8 files of quantisation-aware training, such as the
//! official MobileNets, and int8 files of full-integer post-training quantisation. Both become a
//! [`TrainedNetwork`]. A file is checked before any of it is used, unsupported operators are
//! refused by name, and supported ones compute bit for bit what TensorFlow Lite's reference kernels
//! compute. Float32 files become a [`FloatFile`], which
//! posy quantises itself.
//!
//! | file | contents |
//! |---|---|
//! | `cursor.rs` | verified access to the flatbuffer |
//! | `schema.rs` | tables of TensorFlow Lite's schema |
//! | `tensors.rs` | maps, weights and constants |
//! | `shapes.rs` | extents that a file leaves open |
//! | `layers.rs` | one operator to one layer |
//! | `graph.rs` | list of operators to a chain of layers |
//! | `input.rs` | arithmetic on the integer input, as a lookup table |
//! | `float.rs` | operators of a float file |
//! | `extras.rs` | softmax, labels, and image preparation |

mod cursor;
mod error;
mod extras;
#[cfg(test)]
mod fixture;
mod float;
mod graph;
mod input;
mod layers;
mod names;
mod schema;
mod shapes;
mod tensors;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

pub use error::{Problem, TfliteError};
pub use extras::{Extras, extras};

use super::float_file::{FloatFile, Producer};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::input_table::InputTable;
use crate::graph::network::TrainedNetwork;
use schema::{Graph, IDENTIFIER, Model};
use tensors::Tensors;

/// Name of the metadata entry for image preparation: lines of a name and a word, see
/// [`from_words`](crate::export::metadata::from_words).
pub const PICTURES: &str = "posy_pictures";

/// True if `bytes` begin as a TensorFlow Lite file does.
pub fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(IDENTIFIER.as_slice())
}

/// Reads a whole quantised `.tflite` file.
///
/// # Errors
/// [`TfliteError`] names the operator and the tensor that posy cannot run, or describes the damage.
/// It never panics, whatever the bytes are.
pub fn read(bytes: &[u8]) -> Result<TrainedNetwork, TfliteError> {
    read_sized(bytes, None)
}

/// As [`read`]; a file that leaves the size of its input open is read for pictures of `size` x `size` pixels.
///
/// # Errors
/// As [`read`].
pub fn read_sized(bytes: &[u8], size: Option<u16>) -> Result<TrainedNetwork, TfliteError> {
    let model = model(bytes)?;
    let graph = graph(&model)?;
    let tensors = Tensors::new(&model, &graph.tensors, bytes.len());
    tensors.settle_input(graph, size);
    let mut network = graph::read(&model, graph, &tensors, Sha256::digest(bytes).into())?;
    // Files written by posy state it in their metadata.
    let mut entries = model.entries.iter();
    if let Some(entry) = entries.find(|entry| entry.name.bytes() == PICTURES.as_bytes()) {
        let words = model.buffers.get(entry.buffer as usize);
        let words = words.map_or(&b""[..], |buffer| buffer.data.bytes());
        let words = String::from_utf8_lossy(words);
        let first = network.layers.first().map(|layer| layer.common.input);
        let channels = first.map_or(0, |input| input.channels.into());
        network.pixels = GreyLevels::from_words(&words);
        network.input_table = InputTable::from_words(&words, channels);
    }
    Ok(network)
}

/// Reads a whole `.tflite` file that computes in floating point, whatever its weights are; `None` for
/// one that computes in integers.
///
/// # Errors
/// As [`read`].
pub fn read_float(bytes: &[u8]) -> Result<Option<FloatFile>, TfliteError> {
    read_float_sized(bytes, None)
}

/// As [`read_float`]; a file that leaves the size of its input open is read for pictures of `size` x `size` pixels.
///
/// # Errors
/// As [`read`].
pub fn read_float_sized(bytes: &[u8], size: Option<u16>) -> Result<Option<FloatFile>, TfliteError> {
    let model = model(bytes)?;
    let graph = graph(&model)?;
    if !float::is_float(&model, graph) {
        return Ok(None);
    }
    let tensors = Tensors::new(&model, &graph.tensors, bytes.len());
    tensors.settle_input(graph, size);
    let (assembled, hybrids) = float::read(&model, graph, &tensors, bytes.len())?;
    if assembled.layers.is_empty() {
        return Err(TfliteError::Empty);
    }
    Ok(Some(FloatFile {
        sha256: Sha256::digest(bytes).into(),
        layers: assembled.layers,
        input: assembled.input,
        producer: Producer::TensorFlow,
        pixels: None,
        head: assembled.head,
        scoring: assembled.scoring,
        hybrids,
    }))
}

fn model(bytes: &[u8]) -> Result<Model<'_>, TfliteError> {
    if !is_tflite(bytes) {
        return Err(TfliteError::NotTflite);
    }
    let model = Model::read(bytes)?;
    match model.version {
        3 => Ok(model),
        other => Err(TfliteError::Version(other)),
    }
}

fn graph<'m, 'a>(model: &'m Model<'a>) -> Result<&'m Graph<'a>, TfliteError> {
    match model.graphs.as_slice() {
        [graph] => Ok(graph),
        graphs => Err(TfliteError::Count {
            what: "graphs",
            count: graphs.len(),
        }),
    }
}
