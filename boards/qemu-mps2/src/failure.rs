//! Why the program gave up.

use core::fmt;

use embedded_io::{ErrorKind, WriteFmtError};
use posy_firmware::camera::StoredFrameError;
use posy_firmware::classify::ClassifyError;
use posy_shared::engine::EngineError;
use posy_shared::model::ReadError;

use crate::files::FileError;

/// Why the program gave up.
#[derive(Debug)]
pub enum Failure {
    /// It was not started with a model and frames.
    Arguments,
    /// The model's file could not be read.
    ModelFile(FileError),
    /// The model's bytes are not a model.
    Model(ReadError),
    /// The model could not be run, or does not answer as it did on the laptop.
    Engine(EngineError),
    /// The rows of the model's input are longer than the buffers.
    Width,
    /// The frames' file could not be read.
    Frames(FileError),
    /// The frames' file does not end with a whole frame.
    TornFrame,
    /// A frame got no answer.
    Classify(ClassifyError<StoredFrameError>),
    /// The host does not take what is printed.
    Output,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments => write!(f, "the arguments are: the program's name, MODEL, FRAMES"),
            Self::ModelFile(error) => write!(f, "the model's file: {error}"),
            Self::Model(error) => write!(f, "{error}"),
            Self::Engine(error) => write!(f, "{error}"),
            Self::Width => write!(f, "the model's input is wider than a camera frame"),
            Self::Frames(error) => write!(f, "the frames' file: {error}"),
            Self::TornFrame => write!(f, "the frames' file ends within a frame"),
            Self::Classify(error) => write!(f, "a frame was not classified: {error:?}"),
            Self::Output => write!(f, "the host does not take what is printed"),
        }
    }
}

impl From<ErrorKind> for Failure {
    fn from(_: ErrorKind) -> Self {
        Self::Output
    }
}

impl From<WriteFmtError<ErrorKind>> for Failure {
    fn from(_: WriteFmtError<ErrorKind>) -> Self {
        Self::Output
    }
}
