//! A camera without a camera: one frame in memory.

use core::fmt;

use posy_shared::image::ImageView;

use super::{Camera, FrameFormat};

/// A frame in memory that is served as a camera would.
#[derive(Clone, Debug)]
pub struct StoredFrame<'a> {
    frame: ImageView<'a>,
    next_row: u16,
}

/// Errors of a [`StoredFrame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredFrameError {
    /// Every row has been read.
    NoMoreRows,
    /// The buffer is not as long as a row.
    RowLength,
}

impl fmt::Display for StoredFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMoreRows => "every row of the stored frame has been read",
            Self::RowLength => "the buffer is not as long as a row of the stored frame",
        })
    }
}

impl core::error::Error for StoredFrameError {}

impl<'a> StoredFrame<'a> {
    /// A camera that shows `frame`, again at each capture.
    pub const fn new(frame: ImageView<'a>) -> Self {
        StoredFrame { frame, next_row: 0 }
    }
}

impl Camera for StoredFrame<'_> {
    type Error = StoredFrameError;

    fn format(&self) -> FrameFormat {
        FrameFormat {
            width: self.frame.width(),
            height: self.frame.height(),
            pixels: self.frame.format(),
        }
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        self.next_row = 0;
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        let stored = self.frame.row(self.next_row);
        let stored = stored.ok_or(StoredFrameError::NoMoreRows)?;
        if stored.len() != row.len() {
            return Err(StoredFrameError::RowLength);
        }
        row.copy_from_slice(stored);
        self.next_row += 1;
        Ok(())
    }
}
