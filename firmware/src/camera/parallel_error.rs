//! What can go wrong with a camera on a parallel port, and what to do about it.

use core::fmt;

use embedded_hal::i2c;

use super::sensor::SensorError;

/// What can go wrong with a [`ParallelCamera`](super::ParallelCamera); `I` and `P` are the errors
/// of the sensor's bus and of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParallelError<I, P> {
    /// The sensor does not answer on its bus (I2C).
    SensorBus(I),
    /// The sensor is not an OV2640.
    Identity {
        /// Its product number: 0x26, then 0x40 to 0x42, would be right.
        found: [u8; 2],
    },
    /// The sensor no longer has the output format that was set, as after a loss of power.
    SettingsLost {
        /// What the register was set to.
        written: u8,
        /// What it holds.
        read: u8,
    },
    /// The memory for frames is shorter than a frame.
    FrameMemory {
        /// Words of a frame.
        needed: usize,
        /// Words of the memory.
        given: usize,
    },
    /// No frame came in time.
    Timeout {
        /// Milliseconds waited.
        waited_ms: u32,
    },
    /// Less than a frame came.
    TornFrame {
        /// Bytes of a frame.
        expected: u32,
        /// Bytes that came.
        found: u32,
    },
    /// Some of the frame was lost on its way to memory, or more than a frame came.
    Overrun,
    /// The port itself failed.
    Port(P),
    /// A row was asked for after the last one of the captured frame, or before any capture.
    NoMoreRows,
    /// The buffer for a row is not as long as a row.
    RowLength,
}

impl<I, P> ParallelError<I, P> {
    /// Whether only this one frame is known to be bad.
    pub(super) const fn is_torn(&self) -> bool {
        matches!(self, Self::TornFrame { .. } | Self::Overrun)
    }
}

impl<I, P> From<SensorError<I>> for ParallelError<I, P> {
    fn from(error: SensorError<I>) -> Self {
        match error {
            SensorError::Bus(error) => Self::SensorBus(error),
            SensorError::Identity(found) => Self::Identity { found },
        }
    }
}

impl<I: i2c::Error, P: fmt::Display> fmt::Display for ParallelError<I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensorBus(error) => write!(
                f,
                "the sensor does not answer on I2C ({}): check SDA, SCL, XCLK and power",
                error.kind()
            ),
            Self::Identity { found: [high, low] } => write!(
                f,
                "wrong sensor: identity {high:02x} {low:02x} where an OV2640 has 26 40 to 26 42"
            ),
            Self::SettingsLost { written, read } => write!(
                f,
                "the sensor lost its settings (wrote {written:02x}, read {read:02x}): was it \
                 unplugged?"
            ),
            Self::FrameMemory { needed, given } => write!(
                f,
                "a frame has {needed} words, the memory for it {given}: choose smaller frames"
            ),
            Self::Timeout { waited_ms } => write!(
                f,
                "no frame within {waited_ms} ms: check VSYNC, HREF, PCLK and XCLK"
            ),
            Self::TornFrame { expected, found } => write!(
                f,
                "torn frame: {found} bytes came, a frame has {expected}; check HREF and PCLK"
            ),
            Self::Overrun => write!(
                f,
                "torn frame: bytes were lost, or more than a frame came; check PCLK and VSYNC"
            ),
            Self::Port(error) => write!(f, "the camera's port failed: {error}"),
            Self::NoMoreRows => write!(f, "no frame, or no more rows of it, to read"),
            Self::RowLength => write!(f, "the buffer is not as long as a row"),
        }
    }
}

impl<I: i2c::Error, P: fmt::Debug + fmt::Display> core::error::Error for ParallelError<I, P> {}
