//! The seam to a camera, and what implements it.
//!
//! | camera | file |
//! |---|---|
//! | a frame in memory | `stored.rs` |
//! | any camera, with faults by a script | `faulty.rs` |
//! | any camera, with its time measured | `timed.rs` |
//! | ArduCAM Mini 2MP Plus | `arducam.rs`; its errors in `arducam_error.rs` |
//! | OV2640 on a parallel port | `parallel.rs`; its errors in `parallel_error.rs` |
//!
//! The last two share their sensor (`ov2640.rs` its registers, `sensor.rs` how they are set), how
//! exposure settles (`settle.rs`) and when a camera is set up anew (`health.rs`).

mod arducam;
mod arducam_error;
mod faulty;
mod health;
pub mod ov2640;
mod parallel;
mod parallel_error;
mod sensor;
mod settle;
mod stored;
mod timed;

pub use arducam::ArduCam;
pub use arducam_error::ArduCamError;
pub use faulty::{Fault, FaultyCamera, FaultyError};
pub use parallel::{FramePort, GrabError, ParallelCamera};
pub use parallel_error::ParallelError;
pub use settle::Settled;
pub use stored::{StoredFrame, StoredFrameError};
pub use timed::{Clock, TimedCamera};

use posy_shared::image::PixelFormat;

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

    /// Bytes in a frame, without padding.
    pub const fn frame_len(&self) -> usize {
        self.row_len() * self.height as usize
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
