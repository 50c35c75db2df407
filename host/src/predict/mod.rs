//! Classifiers from files of every format that posy writes, run on the laptop.
//!
//! | file | contents |
//! |---|---|
//! | `pixels.rs` | image preparation of the codelab's scripts, in real numbers |
//! | `frozen.rs` | runs frozen TensorFlow graphs |
//! | `onnx.rs` | runs ONNX models |
//! | `profile.rs` | time per layer of a model |

mod frozen;
mod onnx;
mod pixels;
pub mod profile;

use std::path::{Path, PathBuf};

use posy_nn::export::Format;
use posy_nn::export::convert::{ConvertError, Source};
use posy_nn::import::kind::Kind;
use posy_nn::import::tensorflow::classifier::FrozenError;
use posy_nn::model_file::{ModelFile, ModelFileError};
use posy_nn::runtime::float::FloatError;
use posy_shared::picture::PictureError;

pub use frozen::FrozenGraph;
pub use onnx::OnnxModel;

/// Failure to open or run a classifier.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// A `.posy` file cannot be read.
    #[error(transparent)]
    Model(#[from] ModelFileError),
    /// A TensorFlow Lite file cannot be used.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A frozen graph cannot be read.
    #[error("{path}: {source}")]
    Frozen {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: FrozenError,
    },
    /// An ONNX model cannot be read.
    #[error("{path}: {reason}; give a model that posy retrain or posy convert wrote")]
    Onnx {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// A float network failed to run.
    #[error("{path}: {source}")]
    Float {
        /// Path of its file.
        path: PathBuf,
        /// Cause.
        source: FloatError,
    },
    /// The photo has no pixels.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Input and output names of a frozen graph, and its normalisation: `(pixel - mean) / std` for a
/// pixel of 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<'a> {
    /// Name of the input node.
    pub input: &'a str,
    /// Name of the output node.
    pub output: &'a str,
    /// Mean, subtracted from each pixel.
    pub mean: f32,
    /// Divisor of each pixel after that.
    pub std: f32,
}

impl Default for Reading<'_> {
    /// Defaults of the codelab's `label_image.py`.
    fn default() -> Self {
        Reading {
            input: "input",
            output: "final_result",
            mean: 128.0,
            std: 128.0,
        }
    }
}

/// A classifier read from a file.
#[derive(Debug)]
pub enum Classifier {
    /// A model for posy's engine, from a `.posy` or a `.tflite` file.
    Engine(ModelFile),
    /// A frozen graph.
    Frozen(Box<FrozenGraph>),
    /// An ONNX model.
    Onnx(Box<OnnxModel>),
}

impl Classifier {
    /// Reads the file `path`. A TensorFlow Lite file is recognised by its bytes, an ONNX model or a
    /// frozen graph by its name. `reading` is for frozen graphs.
    ///
    /// # Errors
    /// [`ClassifyError`].
    pub fn open(path: &Path, reading: &Reading<'_>) -> Result<Self, ClassifyError> {
        let file = ModelFile::open(path)?;
        let bytes = file.bytes();
        if bytes.starts_with(b"POSY") {
            return Ok(Classifier::Engine(file));
        }
        let kind = Kind::of(bytes);
        // A file too damaged to be recognised goes by its name.
        if !kind.is_read() {
            let path = path.into();
            return Err(ModelFileError::Kind { path, kind }.into());
        }
        if kind == Kind::Tflite {
            let model = Source::read(path, None)?.write(Format::Posy)?;
            return Ok(Classifier::Engine(ModelFile::made_of(path, model)));
        }
        match Format::of(path, false) {
            Ok(Format::GraphDef) => {
                let graph = FrozenGraph::read(path, bytes, reading)?;
                Ok(Classifier::Frozen(Box::new(graph)))
            }
            Ok(Format::Onnx) => {
                let model = OnnxModel::read(path, bytes)?;
                Ok(Classifier::Onnx(Box::new(model)))
            }
            _ => Ok(Classifier::Engine(file)),
        }
    }
}
