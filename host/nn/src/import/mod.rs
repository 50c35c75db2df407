//! Readers of network files.
//!
//! | file | contents |
//! |---|---|
//! | `kind.rs` | recognises kinds of file by their bytes |
//! | `file.rs` | reads a network of any kind |
//! | `float_file.rs` | a float network before its pixel normalisation is chosen |
//! | `normalisation.rs` | pixel normalisation of float networks |
//! | `tflite/` | TensorFlow Lite |
//! | `onnx/` | ONNX |
//! | `tensorflow/` | TensorFlow's frozen graphs |

pub mod file;
pub mod float_file;
pub mod kind;
pub mod normalisation;
pub mod onnx;
pub mod tensorflow;
pub mod tflite;
