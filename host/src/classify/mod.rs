//! Classifiers out of files of any format that posy writes, run on the laptop.
//!
//! | file | what it does |
//! |---|---|
//! | `pixels.rs` | a photo as the codelab's scripts prepare it, in real numbers |
//! | `frozen.rs` | runs frozen TensorFlow graphs |
//! | `graph/` | reads such graphs |
//! | `onnx.rs` | runs ONNX models |

mod frozen;
pub mod graph;
mod onnx;
mod pixels;

use std::path::{Path, PathBuf};

use posy_shared::picture::PictureError;

use crate::backbone::float::FloatError;
use crate::convert::{ConvertError, Source};
use crate::export::Format;
use crate::kind::Kind;
use crate::model_file::{ModelFile, ModelFileError};

use graph::FrozenError;

pub use frozen::FrozenGraph;
pub use onnx::OnnxModel;

/// Why a classifier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The file of a board's model cannot be read.
    #[error(transparent)]
    Model(#[from] ModelFileError),
    /// A TensorFlow Lite file cannot be used.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A frozen graph does not read.
    #[error("{path}: {source}")]
    Frozen {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FrozenError,
    },
    /// An ONNX model does not read.
    #[error("{path}: {reason}; give a model that posy retrain or posy convert wrote")]
    Onnx {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A float network does not run.
    #[error("{path}: {source}")]
    Float {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: FloatError,
    },
    /// The photo has no pixels.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// Names of a frozen graph's input and output, and how pixels of 0 to 255 become its input:
/// `(pixel - mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading<'a> {
    /// The node that photos go into.
    pub input: &'a str,
    /// The node that scores come out of.
    pub output: &'a str,
    /// Taken from each pixel.
    pub mean: f32,
    /// What each pixel is divided by after that.
    pub std: f32,
}

impl Default for Reading<'_> {
    /// As the codelab's `label_image.py` has it.
    fn default() -> Self {
        Reading {
            input: "input",
            output: "final_result",
            mean: 128.0,
            std: 128.0,
        }
    }
}

/// A classifier out of a file.
#[derive(Debug)]
pub enum Classifier {
    /// One that posy's engine runs: of a `.posy` or a `.tflite` file.
    Engine(ModelFile),
    /// A frozen graph.
    Frozen(Box<FrozenGraph>),
    /// An ONNX model.
    Onnx(Box<OnnxModel>),
}

impl Classifier {
    /// Reads the file `path`; its bytes say whether it is a TensorFlow Lite file, and its name
    /// whether it is an ONNX model or a frozen graph. `reading` is for frozen graphs.
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
        // What is damaged beyond knowing is told by its name.
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
