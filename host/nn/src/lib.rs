//! Neural networks from files and to files: the graph, its readers and writers, quantisation, and runners.
//!
//! Nothing here knows photos or training. The stages are file -> graph -> int8 graph -> `.posy` bytes.
//!
//! | room | contents |
//! |---|---|
//! | `graph` | the networks in memory, float and int8, and their builder |
//! | `runtime` | runs float networks with tract |
//! | `quantise` | float networks to int8 |
//! | `import` | readers of TensorFlow Lite, ONNX and TensorFlow files |
//! | `onnx_backbone` | any ONNX classifier as a feature extractor |
//! | `export` | writers of `.posy`, TensorFlow Lite, ONNX and TensorFlow files |
//! | `download` | pinned files over HTTP |
//! | `zoo` | MobileNets by name |

#![forbid(unsafe_code)]

pub mod atomic;
pub mod bounded;
pub mod dirs;
pub mod download;
pub mod export;
pub mod graph;
pub mod import;
pub mod labels;
pub mod model_file;
pub mod near;
pub mod onnx_backbone;
pub mod quantise;
pub mod rgb;
pub mod run;
pub mod runtime;
pub mod shell;
#[cfg(test)]
mod testing;
pub mod zoo;
