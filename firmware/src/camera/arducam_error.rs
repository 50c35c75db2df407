//! What can go wrong with an ArduCAM, and what to do about it.

use core::fmt;

use embedded_hal::{i2c, spi};

use super::sensor::SensorError;

/// What can go wrong with an [`ArduCam`](super::ArduCam); `I` and `S` are the errors of its two
/// buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArduCamError<I, S> {
    /// The sensor does not answer on its bus (I2C).
    SensorBus(I),
    /// The frame buffer's bus (SPI) failed.
    BufferBus(S),
    /// What was written to the frame buffer's test register does not read back.
    Link {
        /// The byte written.
        written: u8,
        /// The byte read.
        read: u8,
    },
    /// The sensor is not an OV2640.
    Identity {
        /// Its product number: 0x26, then 0x40 to 0x42, would be right.
        found: [u8; 2],
    },
    /// No frame was complete in time.
    Timeout {
        /// Milliseconds waited.
        waited_ms: u32,
    },
    /// The buffer holds more or less than a frame.
    TornFrame {
        /// Bytes of a frame.
        expected: u32,
        /// Bytes in the buffer.
        found: u32,
    },
    /// The buffer forgot the frame while it was read: the camera was without power meanwhile.
    FrameLost,
    /// A row was asked for after the last one of the captured frame, or before any capture.
    NoMoreRows,
    /// The buffer for a row is not as long as a row.
    RowLength,
}

impl<I, S> ArduCamError<I, S> {
    pub(super) const fn is_torn(&self) -> bool {
        matches!(self, Self::TornFrame { .. })
    }
}

impl<I, S> From<SensorError<I>> for ArduCamError<I, S> {
    fn from(error: SensorError<I>) -> Self {
        match error {
            SensorError::Bus(error) => Self::SensorBus(error),
            SensorError::Identity(found) => Self::Identity { found },
        }
    }
}

impl<I: i2c::Error, S: spi::Error> fmt::Display for ArduCamError<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensorBus(error) => write!(
                f,
                "the sensor does not answer on I2C ({}): check SDA and SCL",
                error.kind()
            ),
            Self::BufferBus(error) => write!(f, "the camera's SPI failed: {}", error.kind()),
            Self::Link { written, read } => write!(
                f,
                "SPI link test failed (wrote {written:02x}, read {read:02x}): is the camera \
                 plugged in? check CS, MOSI, MISO, SCK"
            ),
            Self::Identity { found: [high, low] } => write!(
                f,
                "wrong sensor: identity {high:02x} {low:02x} where an OV2640 has 26 40 to 26 42"
            ),
            Self::Timeout { waited_ms } => {
                write!(f, "no frame within {waited_ms} ms: is the sensor running?")
            }
            Self::TornFrame { expected, found } => {
                write!(f, "torn frame: {found} bytes came, a frame has {expected}")
            }
            Self::FrameLost => write!(
                f,
                "the camera lost the frame while it was read: check its plug and supply"
            ),
            Self::NoMoreRows => write!(f, "no frame, or no more rows of it, to read"),
            Self::RowLength => write!(f, "the buffer is not as long as a row"),
        }
    }
}

impl<I: i2c::Error, S: spi::Error> core::error::Error for ArduCamError<I, S> {}
