//! Builds a float network from the operators of a file.
//!
//! Three kinds of files hold float networks: ONNX, TensorFlow's frozen graphs and float TensorFlow
//! Lite. Each has its own reader that walks the operators in order and passes them to a `Chain`.
//! The chain tracks the meaning of each axis of a tensor, folds scales and shifts into the layer
//! before them, and refuses operators that posy's six layer kinds cannot express.
//!
//! | file | contents |
//! |---|---|
//! | `chain.rs` | the layers read so far, and the value that each operator writes |
//! | `windows.rs` | convolutions |
//! | `folding.rs` | folding of scales, shifts and clamps |
//! | `pooling.rs` | means over the map |
//! | `value.rs` | values of tensors while a file is read |
//! | `constant.rs` | constant tensors and arithmetic on them |
//! | `order.rs` | topological order of a graph's nodes |
//! | `problem.rs` | errors of one operator |

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
pub(crate) use windows::{Pads, Window, widened};
