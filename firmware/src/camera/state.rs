//! State of a camera between captures, and the report of its set-up.

use core::fmt;

use super::exposure::ExposureWatch;

/// Progress of a camera after [`Camera::start`](super::Camera::start).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It has just been set up, and this was found.
    Found(CameraReport),
    /// Exposure and white balance have not come to rest.
    Settling,
    /// Pictures can be taken.
    Ready,
}

/// Result of a camera's self-test: `OV2640 0x2642, ArduChip 0x73, SPI 8 MHz, frame 153,608
/// bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CameraReport {
    /// What the camera is by its own word.
    pub module: Module,
    /// Facts of a camera with a frame buffer: the revision of its controller, and the clock that its wires
    /// carry without errors, in MHz.
    pub buffer: Option<(u8, u8)>,
    /// Bytes that come with a frame: those of its pixels, and what follows them.
    pub frame_len: u32,
    /// Doubts that the test picture leaves.
    pub doubt: Option<Doubt>,
}

/// Identity of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// An OV2640, by its product number, high byte first.
    Ov2640([u8; 2]),
    /// An Arducam Mega, by its number: even ones have 3 megapixels, odd ones 5.
    Mega(u8),
}

/// Doubts that a test picture leaves: answers are given all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The sensor shows no colour bars, so that nothing is known of order and wires.
    NoBars,
    /// Pixels differ from those above them, however slow the wires are.
    Uneven {
        /// Number of them.
        pixels: u32,
    },
}

impl fmt::Display for CameraReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let controller = match self.module {
            Module::Ov2640([high, low]) => {
                write!(f, "OV2640 0x{high:02x}{low:02x}, ")?;
                "ArduChip"
            }
            Module::Mega(id) => {
                let megapixels = if id % 2 == 0 { 3 } else { 5 };
                write!(f, "Arducam Mega {megapixels}MP 0x{id:02x}, ")?;
                "FPGA"
            }
        };
        if let Some((revision, mhz)) = self.buffer {
            write!(f, "{controller} 0x{revision:02x}, SPI {mhz} MHz, ")?;
        }
        let (thousands, ones) = (self.frame_len / 1000, self.frame_len % 1000);
        write!(f, "frame {thousands},{ones:03} bytes")?;
        match self.doubt {
            None => Ok(()),
            Some(Doubt::NoBars) => {
                write!(f, "; no colour bars came: order of colours unchecked")
            }
            Some(Doubt::Uneven { pixels }) => {
                write!(
                    f,
                    "; {pixels} pixels of the test picture are uneven: check the wires"
                )
            }
        }
    }
}

/// Trust in a camera.
#[derive(Clone, Copy, Debug)]
pub(super) enum CameraState {
    /// Not set up, or something failed that its registers may not have survived.
    Down,
    /// Set up; exposure and white balance are on their way.
    Settling(ExposureWatch),
    /// Ready.
    Up,
    /// Ready, and its last frame was torn.
    Suspect,
}

impl CameraState {
    /// The state after a capture, where `is_torn` tells a torn frame from other failures: one torn frame
    /// may be chance, a second in a row is not, and neither is any other failure.
    pub(super) fn after<T, E>(self, taken: &Result<T, E>, is_torn: impl Fn(&E) -> bool) -> Self {
        match (taken, self) {
            (Ok(_), _) => Self::Up,
            (Err(error), Self::Up) if is_torn(error) => Self::Suspect,
            (Err(_), _) => Self::Down,
        }
    }
}
