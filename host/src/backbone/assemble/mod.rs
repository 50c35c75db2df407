//! Puts a float network together from the operators of a file.
//!
//! Files of three kinds hold float networks: ONNX, TensorFlow's frozen graphs and float TensorFlow
//! Lite files. Each has a reader of its own that walks its operators in order and asks a
//! `Chain` for what they do; the chain knows which axis of a tensor is which, folds scales and
//! shifts into the layer before them, and refuses what posy's six layers do not say.
//!
//! | file | what it holds |
//! |---|---|
//! | `chain.rs` | the layers read so far, and the value that each operator writes |
//! | `windows.rs` | convolutions |
//! | `folding.rs` | scales, shifts and clamps that become part of a layer |
//! | `pooling.rs` | means, and what follows them |
//! | `value.rs` | what a tensor stands for while a file is read |
//! | `constant.rs` | tensors that are known, and arithmetic with them |
//! | `order.rs` | which operators are needed, in which order |
//! | `problem.rs` | why an operator is refused |

mod chain;
mod constant;
mod folding;
mod order;
mod pooling;
mod problem;
#[cfg(test)]
mod tests;
mod value;
mod windows;

pub(crate) use chain::{Assembled, Chain};
pub(crate) use constant::{Arithmetic, Constant, extents};
pub use order::OrderError;
pub(crate) use order::{Links, running_order};
pub use problem::Problem;
pub(crate) use problem::shown;
pub(crate) use value::{Axis, Map, Value, from_end};
pub(crate) use windows::{Pads, Window};
