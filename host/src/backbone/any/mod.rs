//! Any ONNX classifier as a backbone for the laptop: cut before its last layer and run in floating
//! point by tract. Boards cannot run it; they run the networks that [`onnx`](super::onnx) reads.
//!
//! | file | contents |
//! |---|---|
//! | `input.rs` | the graph's image input |
//! | `features.rs` | finds the input of the last layer |
//! | `cut.rs` | cuts the graph there and gives it pixels as input |
//! | `names.rs` | names of values, nested graphs included |
//! | `runner.rs` | runs a model that takes pixels |
//! | `guarded.rs` | panics of tract as errors |
//! | `error.rs` | errors |

mod cut;
mod error;
mod features;
mod guarded;
mod input;
mod names;
mod runner;
#[cfg(test)]
mod tests;

pub use cut::{Network, Opened};
pub use error::AnyError;
pub use runner::{PixelRunner, RunError};

use std::path::Path;

use super::onnx;
use super::pixels::Normalisation;

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

/// Name of the input of every model that posy writes: pixels, float32 `[1, 3, H, W]`.
pub const INPUT: &str = "input";
/// Name of the features of a [`Network`], float32 `[1, D]`.
pub const FEATURES: &str = "features";
