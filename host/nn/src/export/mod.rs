//! Writes networks to files.
//!
//! | file | contents |
//! |---|---|
//! | `format.rs` | file formats by extension |
//! | `attach_head.rs` | attaches a head to a backbone |
//! | `posy.rs` | `.posy`, for boards |
//! | `tflite/` | `.tflite`, int8 with labels in its metadata |
//! | `metadata.rs` | metadata of files for other tools |
//! | `onnx.rs` | `.onnx`, float |
//! | `onnx_int8.rs` | `.onnx`, int8 |
//! | `tensorflow.rs` | `.pb`, TensorFlow's frozen graph, float |
//! | `convert.rs` | a TensorFlow Lite classifier in another format |

mod attach_head;
pub mod convert;
mod format;
pub mod metadata;
pub mod onnx;
pub mod onnx_int8;
mod posy;
pub mod tensorflow;
pub mod tflite;

pub use attach_head::{with_float_head, with_int_head};
pub use format::{Format, FormatError};
pub use metadata::Facts;
pub use posy::{
    ExportError, ModelMetadata, ScoreParams, classifier, compact_classifier, compact_extractor,
    extractor, layer_specs, softmax_beta,
};
