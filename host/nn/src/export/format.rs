//! Output format of a network, by file extension and number type.

use std::path::{Path, PathBuf};

/// A file format for networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// posy's own format, for boards.
    Posy,
    /// Float ONNX.
    Onnx,
    /// Int8 ONNX.
    OnnxInt8,
    /// Int8 TensorFlow Lite.
    Tflite,
    /// TensorFlow's frozen graph, float.
    GraphDef,
}

/// Failure to determine the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The extension names no format.
    #[error(
        "{}: models are written as .posy (for boards and posy label), .tflite (int8), .onnx (float, \
         or int8 with --int8) or .pb (float); end the name with one of these",
        .0.display()
    )]
    Unknown(PathBuf),
    /// Int8 was asked of a float-only format.
    #[error(
        "{}: frozen graphs are written in float only; leave out --int8, or end the name with .onnx \
         or .tflite",
        .0.display()
    )]
    Int8(PathBuf),
}

impl Format {
    /// Format for the extension of `path`, in any case. With `int8`, the format must support int8.
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
