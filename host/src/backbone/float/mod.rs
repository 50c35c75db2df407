//! Networks in floating point: the reference that integer networks are held against, and the
//! source of activation ranges.
//!
//! | file | what it does |
//! |---|---|
//! | `dequantise.rs` | a quantised network's real values |
//! | `onnx.rs` | a float network as an ONNX model |
//! | `runner.rs` | runs one with tract |

mod dequantise;
pub(crate) mod onnx;
mod runner;
#[cfg(test)]
mod tests;

pub use onnx::{Outputs, onnx_bytes, onnx_model};
pub use runner::{FloatError, FloatRunner};
