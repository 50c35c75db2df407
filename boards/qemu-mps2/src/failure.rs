//! Reasons for which the program gave up.

use core::fmt;

use embedded_io::ErrorKind;
use posy_shared::engine::EngineError;
use posy_shared::kernels::conformance::Mismatch;
use posy_shared::model::ReadError;

use crate::files::FileError;

/// Reasons for which the program gave up.
#[derive(Debug)]
pub enum Failure {
    /// It was not started with a model and frames.
    Arguments,
    /// The model's file could not be read.
    Model(FileError),
    /// The frames' file could not be read.
    Frames(FileError),
    /// The frames' file is not one or more whole frames.
    TornFrame,
    /// Frames got no answer; why was said before.
    Unanswered {
        /// Frames that there are.
        frames: usize,
        /// Frames that were answered.
        answered: usize,
    },
    /// The emulator's clock does not count instructions.
    Clock,
    /// The model cannot be read.
    Read(ReadError),
    /// The model cannot be run.
    Run(EngineError),
    /// The kernels are not right on this core.
    Kernels(Mismatch),
    /// The host does not take what is printed.
    Output,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments => write!(
                f,
                "the arguments are the program's name and MODEL FRAMES, MODEL FRAMES --serial, MODEL --profile, or --check"
            ),
            Self::Model(error) => write!(f, "the model's file: {error}"),
            Self::Frames(error) => write!(f, "the frames' file: {error}"),
            Self::TornFrame => write!(f, "the frames' file does not end with a whole frame"),
            Self::Unanswered { frames, answered } => {
                write!(f, "{answered} of {frames} frames were answered")
            }
            Self::Clock => write!(
                f,
                "the clock does not count instructions: run QEMU with -icount shift=0"
            ),
            Self::Read(error) => write!(f, "{error}"),
            Self::Run(error) => write!(f, "{error}"),
            Self::Kernels(error) => write!(f, "{error}"),
            Self::Output => write!(f, "the host does not take what is printed"),
        }
    }
}

impl From<ErrorKind> for Failure {
    fn from(_: ErrorKind) -> Self {
        Self::Output
    }
}
