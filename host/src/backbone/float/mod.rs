//! Networks in floating point: the reference for integer networks, and the source of activation
//! ranges.
//!
//! | file | contents |
//! |---|---|
//! | `dequantise.rs` | converts a quantised network to floating point |
//! | `onnx.rs` | a float network as an ONNX model |
//! | `runner.rs` | runs one with tract |

mod dequantise;
pub(crate) mod onnx;
mod runner;
#[cfg(test)]
mod tests;

pub use onnx::{Outputs, onnx_bytes, onnx_model};
pub use runner::{FloatError, FloatRunner};
