//! A camera that shows the frames in a file of the host, one after another.

use core::cell::Cell;
use core::fmt;

use posy_firmware::camera::{Camera, FrameFormat};
use posy_shared::image::PixelFormat;
use semihosting::fs::File;
use semihosting::io::{Error, Read, Seek, SeekFrom};

use crate::failure::Failure;
use crate::files::{self, FileError};

/// Frames are QVGA, in the format in which the ArduCAM hands them over.
pub const FORMAT: FrameFormat = FrameFormat {
    width: 320,
    height: 240,
    pixels: PixelFormat::Rgb565Be,
};

/// The camera. No frame is ever in memory: a row is read when it is asked for.
pub struct FrameFile<'c> {
    file: File,
    /// Frames in the file.
    frames: usize,
    /// Frames that were begun.
    shown: &'c Cell<usize>,
}

/// Errors of a [`FrameFile`].
#[derive(Debug)]
pub enum FrameFileError {
    /// Every frame has been shown.
    NoMoreFrames,
    /// The host refused.
    Host(Error),
}

impl fmt::Display for FrameFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMoreFrames => write!(f, "every frame of the file has been shown"),
            Self::Host(error) => write!(f, "the frames' file: {error}"),
        }
    }
}

impl From<Error> for FrameFileError {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

impl<'c> FrameFile<'c> {
    /// Opens the file; in `shown` frames are counted as they are begun.
    ///
    /// # Errors
    /// Where it cannot be read, is empty, or does not end with a whole frame.
    pub fn open(path: &str, shown: &'c Cell<usize>) -> Result<Self, Failure> {
        let file = files::open(path).map_err(Failure::Frames)?;
        let len = file.metadata().map_err(FileError::Host);
        let len = len.map_err(Failure::Frames)?.len();
        let frame_len = FORMAT.frame_len() as u64;
        if len == 0 || !len.is_multiple_of(frame_len) {
            return Err(Failure::TornFrame);
        }
        Ok(FrameFile {
            file,
            frames: (len / frame_len) as usize,
            shown,
        })
    }

    /// Frames in the file.
    pub const fn frames(&self) -> usize {
        self.frames
    }
}

impl Camera for FrameFile<'_> {
    type Error = FrameFileError;

    fn format(&self) -> FrameFormat {
        FORMAT
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        let index = self.shown.get();
        if index == self.frames {
            return Err(FrameFileError::NoMoreFrames);
        }
        self.shown.set(index + 1);
        let start = index as u64 * FORMAT.frame_len() as u64;
        self.file.seek(SeekFrom::Start(start))?;
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        Ok(self.file.read_exact(row)?)
    }
}
