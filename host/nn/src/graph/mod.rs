//! Networks in memory: a chain of layers, in floating point or in integers.
//!
//! | file | contents |
//! |---|---|
//! | `network.rs` | layers and networks |
//! | `head.rs` | the last layer |
//! | `builder/` | a float network from the operators of a file |
//! | `padding.rs` | TensorFlow's SAME padding and output sizes |
//! | `grey_levels.rs` | pixel scaling of a quantised network |
//! | `input_table.rs` | lookup table from pixels to the input |
//! | `multiplier.rs` | integer multipliers of kernels from real scales |
//! | `cost.rs` | bounds on a network's work and memory |
//! | `dequantise.rs` | converts a quantised network to floating point |
//! | `linalg.rs` | dot product and Cholesky factorisation |
//! | `to_onnx.rs` | a float network as an ONNX model |

pub(crate) mod builder;
pub mod cost;
mod dequantise;
pub mod grey_levels;
pub mod head;
pub mod input_table;
pub mod linalg;
pub mod multiplier;
pub mod network;
pub(crate) mod padding;
pub mod to_onnx;
