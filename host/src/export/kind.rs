//! Which file is written, by the name it gets and the numbers that are wanted.

use std::path::{Path, PathBuf};

/// A format that networks are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// posy's own, for boards.
    Posy,
    /// ONNX, float.
    Onnx,
    /// ONNX, int8.
    OnnxInt8,
    /// TensorFlow Lite, int8.
    Tflite,
    /// TensorFlow's frozen graph, float.
    GraphDef,
}

/// Why it is not known which format is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A name that says no format.
    #[error(
        "{}: models are written as .posy (for boards and posy label), .tflite (int8), .onnx (float, \
         or int8 with --int8) or .pb (float); end the name with one of these",
        .0.display()
    )]
    Unknown(PathBuf),
    /// Int8 in a format that has floats only.
    #[error(
        "{}: frozen graphs are written in float only; leave out --int8, or end the name with .onnx \
         or .tflite",
        .0.display()
    )]
    Int8(PathBuf),
}

impl Format {
    /// By the extension of `path`; capitals make no difference. With `int8`, the format must have
    /// such numbers.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn of(path: &Path, int8: bool) -> Result<Self, FormatError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_ascii_lowercase().as_str() {
            "posy" => Ok(Self::Posy),
            "onnx" if int8 => Ok(Self::OnnxInt8),
            "onnx" => Ok(Self::Onnx),
            "tflite" => Ok(Self::Tflite),
            "pb" if int8 => Err(FormatError::Int8(path.to_owned())),
            "pb" => Ok(Self::GraphDef),
            _ => Err(FormatError::Unknown(path.to_owned())),
        }
    }
}
