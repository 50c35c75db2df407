//! Errors of preprocessing.

use core::fmt;

use super::{MAX_OUTPUT_SIDE, Size};

/// Reason that a picture cannot be preprocessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreprocessError {
    /// A side of the source is zero.
    EmptySource(Size),
    /// A side of the output is zero or above [`MAX_OUTPUT_SIDE`].
    OutputSize(Size),
    /// The scratch memory is too small.
    ScratchTooSmall {
        /// Words of 32 bits that [`super::scratch_len`] asks for.
        needed: usize,
        /// Words given.
        given: usize,
    },
    /// A row is not three bytes for each pixel of the source.
    RowLength {
        /// Index of the row, from the top.
        row: u16,
        /// Bytes that a row must have.
        expected: usize,
        /// Bytes given.
        given: usize,
    },
    /// More rows than the source has.
    TooManyRows {
        /// Number of rows of the source.
        height: u16,
    },
    /// A row was skipped that the output needs.
    RowNeeded {
        /// Index of the row, from the top.
        row: u16,
    },
    /// The source ended early.
    MissingRows {
        /// Number of rows of the source.
        height: u16,
        /// Number of rows that came.
        given: u16,
    },
}

impl fmt::Display for PreprocessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use PreprocessError::*;
        match *self {
            EmptySource(Size { width, height }) => {
                write!(f, "a picture of {width} x {height} pixels holds nothing")
            }
            OutputSize(Size { width, height }) => write!(
                f,
                "network input of {width} x {height} pixels: each side must be 1 to {MAX_OUTPUT_SIDE}"
            ),
            ScratchTooSmall { needed, given } => {
                write!(f, "scratch memory has {given} words, {needed} are needed")
            }
            RowLength {
                row,
                expected,
                given,
            } => write!(f, "row {row} has {given} bytes instead of {expected}"),
            TooManyRows { height } => write!(f, "more rows than the {height} of the picture"),
            RowNeeded { row } => write!(f, "row {row} was skipped but is needed"),
            MissingRows { height, given } => {
                write!(f, "the picture ended after {given} of {height} rows")
            }
        }
    }
}

impl core::error::Error for PreprocessError {}
