//! Which file is written, by the name it gets.

use std::path::{Path, PathBuf};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// posy's own, for boards.
    Posy,
    /// ONNX, float.
    Onnx,
    /// TensorFlow Lite, int8.
    Tflite,
    /// TensorFlow's frozen graph, float.
    GraphDef,
}

/// A name that says no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: models are written as .posy (for boards and posy label), .tflite (int8), .onnx or .pb \
     (float); end the name with one of these",
    .0.display()
)]
pub struct UnknownKind(pub PathBuf);

impl Kind {
    /// By the extension of `path`; capitals make no difference.
    ///
    /// # Errors
    /// [`UnknownKind`].
    pub fn of(path: &Path) -> Result<Self, UnknownKind> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_ascii_lowercase().as_str() {
            "posy" => Ok(Self::Posy),
            "onnx" => Ok(Self::Onnx),
            "tflite" => Ok(Self::Tflite),
            "pb" => Ok(Self::GraphDef),
            _ => Err(UnknownKind(path.to_owned())),
        }
    }
}
