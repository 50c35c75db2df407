//! The seam to a camera.

use posy_shared::image::{ImageView, PixelFormat};

/// What a camera's frames are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFormat {
    /// Pixels in a row.
    pub width: u16,
    /// Rows in a frame.
    pub height: u16,
    /// How a pixel is written.
    pub pixels: PixelFormat,
}

impl FrameFormat {
    /// Bytes in a row, without padding.
    pub const fn row_len(&self) -> usize {
        self.pixels.row_len(self.width)
    }
}

/// A camera that hands over a frame row by row, so that no frame need ever be in RAM.
///
/// ```
/// use posy_firmware::camera::{Camera, FrameFormat};
/// use posy_shared::image::PixelFormat;
///
/// /// A camera in a dark room.
/// struct Dark;
///
/// impl Camera for Dark {
///     type Error = core::convert::Infallible;
///
///     fn format(&self) -> FrameFormat {
///         FrameFormat { width: 160, height: 120, pixels: PixelFormat::Grey8 }
///     }
///
///     fn capture(&mut self) -> Result<(), Self::Error> {
///         Ok(())
///     }
///
///     fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
///         row.fill(0);
///         Ok(())
///     }
/// }
/// ```
pub trait Camera {
    /// What can go wrong.
    type Error: core::fmt::Debug;

    /// Size and pixels of every frame; does not change.
    fn format(&self) -> FrameFormat;

    /// Takes a picture and waits until its first row can be read. What is left of a frame before,
    /// read in part or torn, is thrown away.
    ///
    /// # Errors
    /// Where the camera does not answer in time, or says that it failed.
    fn capture(&mut self) -> Result<(), Self::Error>;

    /// Reads the next row of the captured frame, top first, into `row`, which is
    /// [`FrameFormat::row_len`] bytes long.
    ///
    /// # Errors
    /// Where the frame is torn or the bus fails; the frame is then to be given up.
    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error>;
}

/// A frame in memory that is served as a camera would.
#[derive(Clone, Debug)]
pub struct StoredFrame<'a> {
    frame: ImageView<'a>,
    next_row: u16,
}

/// What can go wrong with a [`StoredFrame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredFrameError {
    /// Every row has been read.
    NoMoreRows,
    /// The buffer is not as long as a row.
    RowLength,
}

impl core::fmt::Display for StoredFrameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
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
