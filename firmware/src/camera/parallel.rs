//! An OV2640 whose eight data lines go to a parallel port of the microcontroller, which writes
//! whole frames to memory by itself (STM32's DCMI with DMA is such a port).
//!
//! Sensor registers go over SCCB (see [`ov2640`](super::ov2640)). What the port must do is [`FramePort`]; the
//! sensor's default signals are: a byte is good at PCLK's rising edge while HREF is high, and
//! VSYNC is high throughout a frame's rows.

use core::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::colour_bars::{BarsCheck, Lines, PictureFault, Verdict};
use super::exposure::{Exposure, ExposureWatch, MeanColour};
use super::ov2640::{Mode, Ov2640, SensorError};
use super::state::{CameraReport, CameraState, Doubt, Module, Readiness};
use super::{Camera, FrameFormat};

/// Milliseconds that a frame may take: at 15 frames a second two periods are 133, and in the
/// dark the sensor slows down severalfold.
const TIMEOUT_MS: u32 = 800;
/// Milliseconds that the test picture may take, which the dark does not slow down.
const BARS_TIMEOUT_MS: u32 = 300;
/// Test pictures that may be torn, as frames are while a sensor starts.
const TORN_BARS: u8 = 2;
/// Bytes in a word of frame memory.
const WORD: usize = size_of::<u32>();
/// Bytes of the longest row.
const MAX_ROW: usize = 640;

/// Failure of a [`FramePort`] to give a frame; `E` is the port's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrabError<E> {
    /// Timeout: no byte of a frame came.
    Timeout,
    /// The frame ended, or stopped coming, before the memory was full.
    Short {
        /// Whole words that came.
        words: usize,
    },
    /// Bytes were lost, or the frame went on when the memory was full.
    Overrun,
    /// The port itself failed.
    Port(E),
}

/// A port that puts frames into memory.
pub trait FramePort {
    /// Failure besides [`GrabError`]'s other cases.
    type Error: core::fmt::Debug;

    /// Waits for the beginning of the next frame and puts the whole frame into `frame`, which is
    /// as long as a frame is to be: four bytes in a word, the first in its lowest eight bits. Has
    /// ended, successfully or not, about `timeout_ms` milliseconds later, and writes to `frame` no
    /// more then; and is ready for the next call.
    ///
    /// # Errors
    /// See [`GrabError`]; the content of `frame` is then undefined.
    fn grab(&mut self, frame: &mut [u32], timeout_ms: u32) -> Result<(), GrabError<Self::Error>>;
}

/// Failure of a [`ParallelCamera`]; `I` and `P` are the errors of the sensor's bus and of the port.
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
        /// Value written to the register.
        written: u8,
        /// Value it holds.
        read: u8,
    },
    /// The test picture rules answers out.
    Picture(PictureFault),
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
    /// Returns true if only this one frame is known to be bad.
    const fn is_torn(&self) -> bool {
        matches!(self, Self::TornFrame { .. } | Self::Overrun)
    }
}

impl<I, P> From<SensorError<I>> for ParallelError<I, P> {
    fn from(error: SensorError<I>) -> Self {
        match error {
            SensorError::Bus(error) => Self::SensorBus(error),
            SensorError::Identity(found) => Self::Identity { found },
            SensorError::Setting { written, read, .. } => Self::SettingsLost { written, read },
        }
    }
}

impl<I: fmt::Display, P: fmt::Display> fmt::Display for ParallelError<I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensorBus(error) => write!(
                f,
                "the sensor does not answer on I2C ({error}): check SDA, SCL, XCLK and power"
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
            Self::Picture(fault) => fault.fmt(f),
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

impl<I: fmt::Debug + fmt::Display, P: fmt::Debug + fmt::Display> core::error::Error
    for ParallelError<I, P>
{
}

/// The camera: its sensor's bus, its port, and memory for a frame.
///
/// A capture sets the sensor up first where that has not happened yet, and again after a failure:
/// a camera that was unplugged works again when it is back.
#[derive(Debug)]
pub struct ParallelCamera<'f, I, P, D> {
    sensor: Ov2640<I>,
    port: P,
    delay: D,
    mode: Mode,
    frame: &'f mut [u32],
    state: CameraState,
    rows_left: u16,
}

type Error<I, P> =
    ParallelError<<I as embedded_hal::i2c::ErrorType>::Error, <P as FramePort>::Error>;

impl<'f, I: I2c, P: FramePort, D: DelayNs> ParallelCamera<'f, I, P, D> {
    /// A camera with its sensor on `sensor` and its data lines on `port`, whose frames are put
    /// into the front of `frame`; nothing is sent yet. QVGA takes 38,400 words, QQVGA 9,600.
    pub const fn new(sensor: I, port: P, delay: D, mode: Mode, frame: &'f mut [u32]) -> Self {
        ParallelCamera {
            sensor: Ov2640::new(sensor),
            port,
            delay,
            mode,
            frame,
            state: CameraState::Down,
            rows_left: 0,
        }
    }

    /// The bus, the port and the delay, back.
    pub fn release(self) -> (I, P, D) {
        (self.sensor.release(), self.port, self.delay)
    }

    /// Checks the sensor's identity, resets it, sets the mode, and looks at a test picture.
    ///
    /// # Errors
    /// A bus error, [`ParallelError::Identity`], [`ParallelError::SettingsLost`],
    /// [`ParallelError::Picture`], [`ParallelError::FrameMemory`], or why no test picture came.
    pub fn init(&mut self) -> Result<CameraReport, Error<I, P>> {
        self.state = CameraState::Down;
        self.rows_left = 0;
        let (needed, given) = (self.format().frame_len() / WORD, self.frame.len());
        if needed > given {
            return Err(ParallelError::FrameMemory { needed, given });
        }
        let product = self.sensor.start(&mut self.delay, self.mode)?;
        self.sensor.show_bars(&mut self.delay, true)?;
        let bars = self.look_at_bars()?;
        self.sensor.show_bars(&mut self.delay, false)?;
        // Lines that were the same all over the bars change in a picture of what is seen.
        let mut lines = bars.constant_lines();
        if lines.fault().is_some() {
            self.take_frame(TIMEOUT_MS)?;
            self.for_each_row(|row| lines = lines.and(Lines::of(row)))?;
        }
        if self.mode.colour_bars {
            self.sensor.show_bars(&mut self.delay, true)?;
        }
        let stuck = lines.fault().map(Verdict::Fault);
        let verdict = stuck.unwrap_or_else(|| bars.verdict());
        let doubt = match verdict {
            Verdict::Good => None,
            Verdict::NoBars => Some(Doubt::NoBars),
            Verdict::Uneven { pixels } => Some(Doubt::Uneven { pixels }),
            Verdict::Fault(fault) => return Err(ParallelError::Picture(fault)),
        };
        self.state = CameraState::Settling(ExposureWatch::default());
        Ok(CameraReport {
            module: Module::Ov2640(product),
            buffer: None,
            frame_len: self.format().frame_len() as u32,
            doubt,
        })
    }

    /// Takes a frame of colour bars and looks at it.
    fn look_at_bars(&mut self) -> Result<BarsCheck, Error<I, P>> {
        let mut torn = 0;
        loop {
            match self.take_frame(BARS_TIMEOUT_MS) {
                Err(error) if error.is_torn() && torn < TORN_BARS => torn += 1,
                other => break other?,
            }
        }
        let mut bars = BarsCheck::new();
        self.for_each_row(|row| bars.add(row))?;
        Ok(bars)
    }

    /// Takes frames until exposure and white balance rest, and at most 20. Torn frames, which occur while
    /// the sensor starts, are passed over.
    ///
    /// # Errors
    /// As [`Camera::capture`]; a torn frame only if the last was and none rested.
    pub fn settle(&mut self) -> Result<Exposure, Error<I, P>> {
        let mut watch = ExposureWatch::default();
        loop {
            if let Some(exposure) = self.look(&mut watch)? {
                self.state = CameraState::Up;
                return Ok(exposure);
            }
        }
    }

    /// Shows `watch` one frame.
    fn look(&mut self, watch: &mut ExposureWatch) -> Result<Option<Exposure>, Error<I, P>> {
        let seen = match self.take_frame(TIMEOUT_MS) {
            Ok(()) => self.mean_colour().map(|mean| watch.add(Some(mean))),
            Err(error) if error.is_torn() => {
                let exposure = watch.add(None);
                match exposure {
                    Some(_) => Err(error),
                    None => Ok(None),
                }
            }
            Err(error) => Err(error),
        };
        if seen.is_err() {
            self.state = CameraState::Down;
        }
        seen
    }

    /// Mean colours of the frame in memory, which has served then.
    fn mean_colour(&mut self) -> Result<[u8; 3], Error<I, P>> {
        let mut mean = MeanColour::default();
        let mut added = Ok(());
        self.for_each_row(|row| added = added.and(mean.add(row)))?;
        added.map_err(|_| ParallelError::RowLength)?;
        Ok(mean.mean())
    }

    /// Goes through the rest of the frame, row by row.
    fn for_each_row(&mut self, mut see: impl FnMut(&[u8])) -> Result<(), Error<I, P>> {
        let mut raw = [0; MAX_ROW];
        let row = raw.get_mut(..self.format().row_len());
        let row = row.ok_or(ParallelError::RowLength)?;
        while self.rows_left > 0 {
            self.next_row(row)?;
            see(row);
        }
        Ok(())
    }

    /// The next row of the frame in memory.
    fn next_row(&mut self, row: &mut [u8]) -> Result<(), Error<I, P>> {
        let format = self.format();
        let Some(rows_left) = self.rows_left.checked_sub(1) else {
            return Err(ParallelError::NoMoreRows);
        };
        let words = format.row_len() / WORD;
        let start = usize::from(format.height - self.rows_left) * words;
        let source = self.frame.get(start..start + words);
        copy_bytes(source.ok_or(ParallelError::NoMoreRows)?, row);
        self.rows_left = rows_left;
        Ok(())
    }

    /// Has the port put the next frame into memory.
    fn take_frame(&mut self, timeout_ms: u32) -> Result<(), Error<I, P>> {
        self.rows_left = 0;
        self.sensor.check(&mut self.delay)?;
        let format = self.format();
        let (needed, given) = (format.frame_len() / WORD, self.frame.len());
        let frame = self.frame.get_mut(..needed);
        let frame = frame.ok_or(ParallelError::FrameMemory { needed, given })?;
        self.port
            .grab(frame, timeout_ms)
            .map_err(|error| match error {
                GrabError::Timeout => ParallelError::Timeout {
                    waited_ms: timeout_ms,
                },
                GrabError::Short { words } => ParallelError::TornFrame {
                    expected: format.frame_len() as u32,
                    found: words.saturating_mul(WORD) as u32,
                },
                GrabError::Overrun => ParallelError::Overrun,
                GrabError::Port(error) => ParallelError::Port(error),
            })?;
        self.rows_left = format.height;
        Ok(())
    }
}

/// Copies words to bytes, the lowest eight bits first; as many as both have.
fn copy_bytes(words: &[u32], bytes: &mut [u8]) {
    for (bytes, word) in bytes.chunks_exact_mut(WORD).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

impl<I: I2c, P: FramePort, D: DelayNs> Camera for ParallelCamera<'_, I, P, D> {
    type Error = Error<I, P>;

    fn format(&self) -> FrameFormat {
        self.mode.format()
    }

    fn start(&mut self) -> Result<Readiness, Self::Error> {
        match self.state {
            CameraState::Down => self.init().map(Readiness::Found),
            CameraState::Settling(mut watch) => {
                let rested = self.look(&mut watch)?.is_some();
                self.state = match rested {
                    true => CameraState::Up,
                    false => CameraState::Settling(watch),
                };
                Ok(Readiness::Settling)
            }
            CameraState::Up | CameraState::Suspect => Ok(Readiness::Ready),
        }
    }

    /// Takes a picture; sets the camera up and lets it settle first, where it is not.
    ///
    /// A torn frame may be chance; the camera is set up anew after the second in a row, and after
    /// any other failure.
    fn capture(&mut self) -> Result<(), Self::Error> {
        while self.start()? != Readiness::Ready {}
        let taken = self.take_frame(TIMEOUT_MS);
        self.state = self.state.after(&taken, ParallelError::is_torn);
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        if row.len() != self.format().row_len() {
            return Err(ParallelError::RowLength);
        }
        self.next_row(row)
    }
}
