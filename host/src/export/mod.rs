//! Writes networks to files.
//!
//! | file | contents |
//! |---|---|
//! | `kind.rs` | file formats by extension |
//! | `graph.rs` | attaches a head to a backbone |
//! | `posy.rs` | `.posy`, for boards |
//! | `tflite/` | `.tflite`, int8 with labels in its metadata |
//! | `facts.rs` | metadata of files for other tools |
//! | `onnx.rs` | `.onnx`, float |
//! | `qdq.rs` | `.onnx`, int8 |
//! | `graph_def.rs` | `.pb`, TensorFlow's frozen graph, float |

pub mod facts;
mod graph;
pub mod graph_def;
mod kind;
pub mod onnx;
mod posy;
pub mod qdq;
pub mod tflite;

pub use facts::Facts;
pub use graph::{with_float_head, with_int_head};
pub use kind::{Format, FormatError};
pub use posy::{
    Answering, ExportError, Heading, classifier, compact_classifier, compact_extractor, extractor,
    layer_specs, softmax_beta,
};
