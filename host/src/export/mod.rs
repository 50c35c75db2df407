//! Writing networks into files.
//!
//! | file | what it writes |
//! |---|---|
//! | `kind.rs` | nothing: which file, by its name |
//! | `graph.rs` | nothing: backbone and head in one network |
//! | `posy.rs` | `.posy`, for boards |
//! | `tflite/` | `.tflite`, int8 with labels in its metadata |
//! | `onnx.rs` | `.onnx`, float |
//! | `graph_def.rs` | `.pb`, TensorFlow's frozen graph, float |

mod graph;
pub mod graph_def;
mod kind;
pub mod onnx;
mod posy;
pub mod tflite;

pub use graph::{with_float_head, with_int_head};
pub use kind::{Kind, UnknownKind};
pub use posy::{
    Answering, ExportError, Heading, classifier, compact_classifier, compact_extractor, extractor,
    layer_specs, softmax_beta,
};
