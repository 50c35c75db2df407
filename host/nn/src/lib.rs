//! Neural networks from files and to files: the graph, its readers and writers, quantisation, and runners.
//!
//! The crate knows no photos and no training. The stages are file -> graph -> int8 graph -> `.posy` bytes.
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
//!
//! # Example
//!
//! Logits of a `.posy` file for an input, computed as a board computes them:
//!
//! ```no_run,standalone_crate
//! use std::path::Path;
//!
//! use posy_nn::model_file::ModelFile;
//! use posy_nn::run::Runner;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = ModelFile::open(Path::new("flowers.posy"))?;
//! let runner = Runner::new(file.classifier()?);
//! let shape = runner.model().input_shape();
//! // A grey picture, int8 `[H, W, 3]`: a pixel less 128.
//! let input = vec![0; usize::from(shape.height) * shape.row_len()];
//! println!("{:?}", runner.output_of(&input)?);
//! # Ok(())
//! # }
//! ```

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
