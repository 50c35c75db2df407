//! Any ONNX classifier as a backbone for the laptop: cut before its last layer and run in floating
//! point by tract. Boards cannot run it; they run the networks that [`import::onnx`](crate::import::onnx) reads.
//!
//! | file | contents |
//! |---|---|
//! | `input.rs` | the graph's image input |
//! | `features.rs` | finds the input of the last layer |
//! | `truncate.rs` | cuts the graph there and gives it pixels as input |
//! | `names.rs` | names of values, nested graphs included |
//! | `error.rs` | errors |

mod error;
mod features;
mod input;
mod names;
#[cfg(test)]
mod tests;
mod truncate;

pub use crate::runtime::onnx::{PixelRunner, RunError};
pub use error::AnyError;
pub use truncate::{Network, Opened};

use std::path::Path;

use super::import::normalisation::Normalisation;
use super::import::onnx;

/// Runs the network in the bytes of an `.onnx` file once, on a grey picture, as far as it goes: with it what
/// the library is given by whatever bytes can be tried out.
///
/// # Errors
/// [`AnyError`]; a file that is no ONNX model computes [`Nothing`](AnyError::Nothing).
pub fn try_out(bytes: &[u8]) -> Result<(), AnyError> {
    let file = onnx::File::open(bytes, Path::new(""), 0).map_err(|_| AnyError::Nothing)?;
    let network = Opened::new(file, None)?.cut(&Normalisation::RAW)?;
    network.try_out()
}

/// Name of the features of a [`Network`], float32 `[1, D]`.
pub const FEATURES: &str = "features";
