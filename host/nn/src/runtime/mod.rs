//! Runs networks in floating point with tract: the reference for integer networks, and the source of
//! activation ranges.
//!
//! | file | contents |
//! |---|---|
//! | `float.rs` | runs a float network |
//! | `hybrid.rs` | runs a dynamic-range network, which quantises maps as it runs |
//! | `onnx.rs` | runs an ONNX model that takes pixels |
//! | `vet/` | bounds on an ONNX graph, checked before it runs |
//! | `guarded.rs` | panics of tract as errors |

pub mod float;
mod guarded;
pub mod hybrid;
pub mod onnx;
#[cfg(test)]
mod tests;
pub mod vet;
