//! The seam to a camera, and what implements it.
//!
//! | camera | file |
//! |---|---|
//! | a frame in memory | `stored.rs` |
//! | any camera, with faults by a script | `faulty.rs` |
//! | any camera, with its time measured | `timed.rs` |
//! | ArduCAM Mini 2MP, of every generation | `arducam.rs`; the wires to its frame buffer in `frame_bus.rs` |
//! | Arducam Mega | `mega.rs`, on the same wires |
//! | whichever of these two is there | `any_arducam.rs` |
//! | OV2640 on a parallel port | `parallel.rs` |
//!
//! ArduCAM Mini and parallel port share their sensor (`ov2640/`), its bus (`sccb.rs`) and the test picture
//! (`colour_bars.rs`); with the Mega how exposure settles (`exposure.rs`), and what becomes of a camera between
//! captures (`state.rs`).

mod any_arducam;
mod arducam;
mod colour_bars;
mod exposure;
mod faulty;
mod frame_bus;
mod mega;
pub mod ov2640;
mod parallel;
mod sccb;
mod state;
mod stored;
mod timed;

pub use any_arducam::{AnyArducam, AnyArducamError};
pub use arducam::{ArduCam, ArduCamError};
pub use colour_bars::PictureFault;
pub use exposure::Exposure;
pub use faulty::{Fault, FaultyCamera, FaultyError};
pub use frame_bus::{FrameBus, Unhurried};
pub use mega::{ArducamMega, MegaError, MegaSize};
pub use parallel::{FramePort, GrabError, ParallelCamera, ParallelError};
pub use sccb::{Sccb, SccbError};
pub use state::{CameraReport, Doubt, Module, Readiness};
pub use stored::{StoredFrame, StoredFrameError};
pub use timed::{Clock, TimedCamera};

use posy_shared::image::PixelFormat;

/// Size and pixels of a camera's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFormat {
    /// Pixels in a row.
    pub width: u16,
    /// Rows in a frame.
    pub height: u16,
    /// Pixel format.
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
    /// Failure of a capture or a row.
    type Error: core::fmt::Debug;

    /// Size and pixels of every frame; another while frames are small.
    fn format(&self) -> FrameFormat;

    /// Goes one step on the way to pictures: sets the camera up, or looks at one more frame while exposure
    /// settles; does nothing once it is ready. Between steps a program can look after other things.
    ///
    /// # Errors
    /// An error if the camera cannot be set up, or fails meanwhile.
    fn start(&mut self) -> Result<Readiness, Self::Error> {
        Ok(Readiness::Ready)
    }

    /// Takes a picture and waits until its first row can be read. What is left of a frame before,
    /// read in part or torn, is thrown away.
    ///
    /// # Errors
    /// An error if the camera does not answer in time, or reports a failure.
    fn capture(&mut self) -> Result<(), Self::Error>;

    /// Reads the next row of the captured frame, top first, into `row`, which is
    /// [`FrameFormat::row_len`] bytes long.
    ///
    /// # Errors
    /// An error if the frame is torn or the bus fails; the frame is then to be given up.
    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error>;

    /// Begins the next capture ahead of time, once the last row has been read, where the camera can take
    /// a frame while the program computes. [`Camera::capture`] then gives that frame.
    fn begin_next(&mut self) {}

    /// Forgets a capture that was begun ahead of time: a picture is wanted of what is seen from now on.
    fn discard_next(&mut self) {}

    /// True if there are small frames, which come more often, for a preview.
    fn has_small(&self) -> bool {
        false
    }

    /// Makes frames small from the next on, once the camera is ready; nothing where they are, or there are none.
    ///
    /// # Errors
    /// An error if the camera cannot be set.
    fn enter_small(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Makes frames as they were; the camera may have to be set up anew. Nothing where they are.
    fn leave_small(&mut self) {}
}
