//! Arducam Mega, 3 or 5 megapixels: a camera on SPI alone, mode 0, at most 8 MHz. Its controller sets up the
//! sensor by itself and keeps frames in a buffer, from where they are read as slowly as one likes.
//!
//! Bit 7 of the first byte writes, the other seven are the address; in front of what is read comes a byte that
//! is none of it. Numbers, bits and their order are those of Arducam's library (`Arducam_Mega`,
//! `ArducamCamera.c`) and of its application note on the Mega. Neither says which byte of a pixel comes first:
//! taken is the high one, as from the sensors in it (OV3640, OV5640) with a Mini.

use core::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{self, Operation};
use posy_shared::image::PixelFormat;

use super::exposure::{ExposureWatch, MeanColour};
use super::frame_bus::FrameBus;
use super::state::{CameraReport, CameraState, Module, Readiness};
use super::{Camera, FrameFormat};

/// Added to an address to write.
const WRITE: u8 = 0x80;
/// Keeps what is written, to test the link; 0 after power-up.
const TEST: u8 = 0x00;
/// Commands to the buffer.
const MEMORY: u8 = 0x04;
/// [`MEMORY`]: forget that a frame is complete.
const MEMORY_CLEAR: u8 = 0x01;
/// [`MEMORY`]: keep the next frame.
const MEMORY_START: u8 = 0x02;
/// Bit 6 resets controller and sensor.
const RESET: u8 = 0x07;
const RESET_ALL: u8 = 0x40;
/// Format of pixels.
const FORMAT: u8 = 0x20;
const FORMAT_RGB565: u8 = 0x02;
/// Extent of pictures.
const RESOLUTION: u8 = 0x21;
/// Number of the camera.
const IDENTITY: u8 = 0x40;
/// [`IDENTITY`]: the numbers that there are.
const IDENTITIES: core::ops::RangeInclusive<u8> = 0x81..=0x84;
/// State of sensor and capture.
const STATUS: u8 = 0x44;
/// [`STATUS`]: what the bits say of the sensor, and their value once it can be told something.
const STATUS_SENSOR: u8 = 0x03;
const STATUS_IDLE: u8 = 0x02;
/// [`STATUS`]: the frame is complete.
const STATUS_DONE: u8 = 0x04;
/// Bytes in the buffer: low, middle and high byte in three registers.
const LENGTH: [u8; 3] = [0x45, 0x46, 0x47];
/// Version of the controller's program.
const VERSION: u8 = 0x49;
/// Reads on from where reading stopped, for as long as the chip is selected.
const BURST: u8 = 0x3C;

/// Patterns for the link before and after each frame: each data line carries both levels.
const PATTERNS: [u8; 2] = [0x55, 0xAA];
/// Patterns for the link at a start.
const START_PATTERNS: u8 = 64;
/// Clocks of the wires, in MHz: the controller's limit, and what longer wires may need.
const SPEEDS_MHZ: [u8; 4] = [8, 4, 2, 1];
/// Milliseconds after a write.
const WRITTEN_MS: u32 = 1;
/// Milliseconds between looks at the status.
const POLL_MS: u32 = 2;
/// Milliseconds that setting up a sensor may take.
const IDLE_MS: u32 = 1000;
/// Milliseconds that a frame may take; in the dark sensors slow down severalfold.
const TIMEOUT_MS: u32 = 1000;
/// Milliseconds between looks that see whether the controller still has its registers.
const KEPT_MS: u32 = 32;
/// First frames that may be torn, as they are while a sensor starts.
const TORN: u8 = 2;
/// Bytes of the longest row.
const MAX_ROW: usize = 640;

/// Extent of an [`ArducamMega`]'s frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MegaSize {
    /// 320 x 240 pixels.
    Qvga = 1,
    /// 96 x 96 pixels.
    Square96 = 10,
    /// 128 x 128 pixels.
    Square128 = 11,
}

impl MegaSize {
    /// Format of the frames.
    pub const fn format(self) -> FrameFormat {
        let (width, height) = match self {
            Self::Qvga => (320, 240),
            Self::Square96 => (96, 96),
            Self::Square128 => (128, 128),
        };
        FrameFormat {
            width,
            height,
            pixels: PixelFormat::Rgb565Be,
        }
    }
}

/// Failure of an [`ArducamMega`]; `S` is the error of its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MegaError<S> {
    /// The bus failed.
    Bus(S),
    /// The test register does not read back as written.
    Link {
        /// The byte written.
        written: u8,
        /// The byte read.
        read: u8,
    },
    /// The controller does not come to rest after a setting.
    Busy {
        /// Milliseconds waited.
        waited_ms: u32,
    },
    /// The camera is no Mega that is known.
    Identity {
        /// Its number: 0x81 to 0x84 would be right.
        found: u8,
    },
    /// No frame was complete in time.
    Timeout {
        /// Milliseconds waited.
        waited_ms: u32,
    },
    /// The buffer holds less than a frame, or a row more.
    TornFrame {
        /// Bytes of a frame.
        expected: u32,
        /// Bytes in the buffer.
        found: u32,
    },
    /// The buffer forgot the frame while it was waited for or read: the camera was without power meanwhile.
    FrameLost,
    /// A row was asked for after the last one of the captured frame, or before any capture.
    NoMoreRows,
    /// The buffer for a row is not as long as a row.
    RowLength,
}

impl<S> MegaError<S> {
    const fn is_torn(&self) -> bool {
        matches!(self, Self::TornFrame { .. })
    }
}

impl<S: spi::Error> fmt::Display for MegaError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(error) => write!(f, "the camera's SPI failed: {}", error.kind()),
            Self::Link { written, read } => write!(
                f,
                "SPI link test failed (wrote {written:02x}, read {read:02x}): is the camera \
                 plugged in? check CS, MOSI, MISO, SCK"
            ),
            Self::Busy { waited_ms } => write!(
                f,
                "the camera is still busy after {waited_ms} ms: check its supply"
            ),
            Self::Identity { found } => write!(
                f,
                "wrong camera: identity {found:02x} where an Arducam Mega has 81 to 84"
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

impl<S: spi::Error> core::error::Error for MegaError<S> {}

/// State of the driver, between any two uses of its bus.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    size: MegaSize,
    state: CameraState,
    /// True if the next frame was asked for already.
    ahead: bool,
    /// True if the bus reads the next row already.
    reading: bool,
    /// The frame's first byte, which comes with the one that is none of it.
    first: Option<u8>,
    rows_left: u16,
}

impl Progress {
    pub(super) const fn new(size: MegaSize) -> Self {
        Progress {
            size,
            state: CameraState::Down,
            ahead: false,
            reading: false,
            first: None,
            rows_left: 0,
        }
    }

    /// Returns true if the camera is to be set up.
    pub(super) const fn is_down(&self) -> bool {
        matches!(self.state, CameraState::Down)
    }
}

/// The camera on its bus.
///
/// A capture sets the camera up first where that has not happened yet, and again after a failure:
/// a camera that was unplugged works again when it is back.
#[derive(Debug)]
pub struct ArducamMega<S, D> {
    bus: S,
    delay: D,
    at: Progress,
}

type Error<S> = MegaError<<S as spi::ErrorType>::Error>;

impl<S: FrameBus, D: DelayNs> ArducamMega<S, D> {
    /// A camera on `bus`; nothing is sent yet.
    pub const fn new(bus: S, delay: D, size: MegaSize) -> Self {
        Self::resume(bus, delay, Progress::new(size))
    }

    /// The camera as it was left.
    pub(super) const fn resume(bus: S, delay: D, at: Progress) -> Self {
        ArducamMega { bus, delay, at }
    }

    pub(super) const fn progress(&self) -> Progress {
        self.at
    }

    /// The bus and the delay, back.
    pub fn release(self) -> (S, D) {
        (self.bus, self.delay)
    }

    /// Checks the wires, resets the camera, checks its identity, sets the mode, and takes a frame: at the
    /// fastest clock that the wires carry.
    ///
    /// # Errors
    /// A bus error, [`MegaError::Link`], [`MegaError::Busy`], [`MegaError::Identity`], or why no frame came.
    pub fn init(&mut self) -> Result<CameraReport, Error<S>> {
        self.at.state = CameraState::Down;
        self.give_up_frame();
        let mhz = self.find_speed()?;
        self.write(RESET, RESET_ALL)?;
        let idle = self.await_idle();
        // A camera of another kind may never come to rest.
        let id = self.read(IDENTITY)?;
        if !IDENTITIES.contains(&id) {
            self.check_link()?;
            return Err(MegaError::Identity { found: id });
        }
        idle?;
        self.write(FORMAT, FORMAT_RGB565)?;
        self.await_idle()?;
        self.write(RESOLUTION, self.at.size as u8)?;
        self.await_idle()?;
        let version = self.read(VERSION)?;
        let frame_len = self.first_frame()?;
        self.at.state = CameraState::Settling(ExposureWatch::default());
        Ok(CameraReport {
            module: Module::Mega(id),
            buffer: Some((version, mhz)),
            frame_len,
            doubt: None,
        })
    }

    /// Sets the fastest clock at which patterns come back as they were written.
    fn find_speed(&mut self) -> Result<u8, Error<S>> {
        let mut last = Err(MegaError::NoMoreRows);
        for mhz in SPEEDS_MHZ {
            self.bus.set_speed(mhz);
            // Any two that follow each other differ in several bits.
            let patterns = (0..START_PATTERNS).map(|at| at.wrapping_mul(0x9D));
            let found = patterns
                .into_iter()
                .try_for_each(|pattern| self.check_pattern(pattern));
            last = found.map(|()| mhz);
            if !matches!(last, Err(MegaError::Link { .. })) {
                break;
            }
        }
        last
    }

    /// Waits until the controller has told the sensor what it was told.
    fn await_idle(&mut self) -> Result<(), Error<S>> {
        let mut waited_ms = 0;
        while self.read(STATUS)? & STATUS_SENSOR != STATUS_IDLE {
            if waited_ms >= IDLE_MS {
                return Err(MegaError::Busy { waited_ms });
            }
            self.delay.delay_ms(POLL_MS);
            waited_ms += POLL_MS;
        }
        Ok(())
    }

    /// Takes a frame, whose bytes it gives, and reads it away.
    fn first_frame(&mut self) -> Result<u32, Error<S>> {
        let mut torn = 0;
        loop {
            self.begin_frame()?;
            match self.await_frame() {
                Err(error) if error.is_torn() && torn < TORN => torn += 1,
                taken => {
                    let frame_len = taken?;
                    self.mean_colour()?;
                    return Ok(frame_len);
                }
            }
        }
    }

    /// Shows `watch` one frame; returns true once exposure and white balance rest.
    fn look(&mut self, watch: &mut ExposureWatch) -> Result<bool, Error<S>> {
        let seen = match self.take_frame() {
            Ok(()) => self
                .mean_colour()
                .map(|mean| watch.add(Some(mean)).is_some()),
            Err(error) if error.is_torn() => match watch.add(None) {
                Some(_) => Err(error),
                None => Ok(false),
            },
            Err(error) => Err(error),
        };
        if seen.is_err() {
            self.at.state = CameraState::Down;
        }
        seen
    }

    /// Reads the frame in the buffer away and gives its mean colours.
    fn mean_colour(&mut self) -> Result<[u8; 3], Error<S>> {
        let mut raw = [0; MAX_ROW];
        let row = raw.get_mut(..self.format().row_len());
        let row = row.ok_or(MegaError::RowLength)?;
        let mut colour = MeanColour::default();
        while self.at.rows_left > 0 {
            self.next_row(row)?;
            colour.add(row).map_err(|_| MegaError::RowLength)?;
        }
        Ok(colour.mean())
    }

    /// Has the next frame put into the buffer, unless that has been done, and waits for it.
    fn take_frame(&mut self) -> Result<(), Error<S>> {
        if !self.at.ahead {
            self.begin_frame()?;
        }
        self.await_frame().map(|_| ())
    }

    /// Has the next frame put into the buffer.
    fn begin_frame(&mut self) -> Result<(), Error<S>> {
        self.give_up_frame();
        self.check_link()?;
        self.write(MEMORY, MEMORY_CLEAR)?;
        self.write(MEMORY, MEMORY_START)
    }

    /// Waits for the frame, checks its length, which it gives, and begins to read it.
    fn await_frame(&mut self) -> Result<u32, Error<S>> {
        self.at.ahead = false;
        self.check_kept()?;
        let mut waited_ms = 0;
        while self.read(STATUS)? & STATUS_DONE == 0 {
            if waited_ms >= TIMEOUT_MS {
                return Err(MegaError::Timeout { waited_ms });
            }
            self.delay.delay_ms(POLL_MS);
            waited_ms += POLL_MS;
            if waited_ms.is_multiple_of(KEPT_MS) {
                self.check_kept()?;
            }
        }
        let [low, middle, high] = LENGTH;
        let bytes = [self.read(low)?, self.read(middle)?, self.read(high)?, 0];
        let found = u32::from_le_bytes(bytes);
        // A camera that has gone says that everything is done, and of any length.
        self.check_kept()?;
        let format = self.format();
        let expected = format.frame_len() as u32;
        // Controllers may count a few bytes behind a frame.
        if !(expected..expected + format.row_len() as u32).contains(&found) {
            return Err(MegaError::TornFrame { expected, found });
        }
        // The first burst of a frame begins with a byte that is none of it.
        let mut front = [0; 2];
        self.bus
            .transaction(&mut [Operation::Write(&[BURST]), Operation::Read(&mut front)])
            .map_err(MegaError::Bus)?;
        let [_, first] = front;
        self.at.first = Some(first);
        self.at.rows_left = format.height;
        self.begin_burst(format.row_len() - 1)?;
        Ok(found)
    }

    /// The next row, which is being read already; what follows is begun.
    fn next_row(&mut self, row: &mut [u8]) -> Result<(), Error<S>> {
        let Some(rows_left) = self.at.rows_left.checked_sub(1) else {
            return Err(MegaError::NoMoreRows);
        };
        self.at.rows_left = 0;
        let len = row.len();
        let rest = match (self.at.first.take(), row) {
            (Some(byte), [front, rest @ ..]) => {
                *front = byte;
                rest
            }
            (_, row) => row,
        };
        let read = self.finish_burst(rest).and_then(|()| match rows_left {
            // A camera that was unplugged meanwhile gives bytes all the same, and one that is plugged in
            // again too.
            0 => self.check_kept(),
            _ => self.begin_burst(len),
        });
        match read {
            Ok(()) => self.at.rows_left = rows_left,
            Err(_) => self.at.state = CameraState::Down,
        }
        read
    }

    /// Lets go of whatever is left of a frame.
    fn give_up_frame(&mut self) {
        self.at.rows_left = 0;
        self.at.first = None;
        self.at.ahead = false;
        if self.at.reading {
            // Whoever needs the bus next hears what is wrong with it.
            let _ = self.finish_burst(&mut []);
        }
    }

    /// Checks that the controller still holds what was written to it when the frame was begun: one that lost
    /// power meanwhile has forgotten it.
    fn check_kept(&mut self) -> Result<(), Error<S>> {
        let [.., kept] = PATTERNS;
        if self.read(TEST)? == kept {
            return Ok(());
        }
        self.check_link()?;
        Err(MegaError::FrameLost)
    }

    fn check_link(&mut self) -> Result<(), Error<S>> {
        PATTERNS
            .into_iter()
            .try_for_each(|pattern| self.check_pattern(pattern))
    }

    fn check_pattern(&mut self, written: u8) -> Result<(), Error<S>> {
        self.write(TEST, written)?;
        let read = self.read(TEST)?;
        if read != written {
            return Err(MegaError::Link { written, read });
        }
        Ok(())
    }

    fn write(&mut self, register: u8, value: u8) -> Result<(), Error<S>> {
        self.bus
            .write(&[register | WRITE, value])
            .map_err(MegaError::Bus)?;
        self.delay.delay_ms(WRITTEN_MS);
        Ok(())
    }

    fn read(&mut self, register: u8) -> Result<u8, Error<S>> {
        let mut answer = [0; 2];
        self.bus
            .transaction(&mut [Operation::Write(&[register]), Operation::Read(&mut answer)])
            .map_err(MegaError::Bus)?;
        let [_, value] = answer;
        Ok(value)
    }

    fn begin_burst(&mut self, len: usize) -> Result<(), Error<S>> {
        let begun = self.bus.begin_read(BURST, len);
        self.at.reading = begun.is_ok();
        begun.map_err(MegaError::Bus)
    }

    fn finish_burst(&mut self, bytes: &mut [u8]) -> Result<(), Error<S>> {
        self.at.reading = false;
        self.bus.finish_read(bytes).map_err(MegaError::Bus)
    }
}

impl<S: FrameBus, D: DelayNs> Camera for ArducamMega<S, D> {
    type Error = Error<S>;

    fn format(&self) -> FrameFormat {
        self.at.size.format()
    }

    fn start(&mut self) -> Result<Readiness, Self::Error> {
        match self.at.state {
            CameraState::Down => self.init().map(Readiness::Found),
            CameraState::Settling(mut watch) => {
                let rested = self.look(&mut watch)?;
                self.at.state = match rested {
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
        let taken = self.take_frame();
        self.at.state = self.at.state.after(&taken, MegaError::is_torn);
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        if row.len() != self.format().row_len() {
            return Err(MegaError::RowLength);
        }
        self.next_row(row)
    }

    fn begin_next(&mut self) {
        if matches!(self.at.state, CameraState::Up) && self.at.rows_left == 0 {
            // Where it fails, the capture begins anew and says why.
            self.at.ahead = self.begin_frame().is_ok();
        }
    }

    fn discard_next(&mut self) {
        self.at.ahead = false;
    }
}
