//! ArduCAM Mini 2MP, of every generation: an OV2640 sensor whose frames a controller (the *ArduChip*)
//! keeps in a buffer, from where they are read as slowly as one likes.
//!
//! Sensor registers go over SCCB (see [`ov2640`](super::ov2640)), everything else over SPI, mode 0, at most
//! 8 MHz. How SPI is spoken is in ArduCAM's *ArduChip* hardware page (bit 7 of the first byte
//! writes, the other seven are the address); numbers and bits of the registers are those of
//! ArduCAM's libraries for Arduino and the Pico (`RPI-Pico-Cam`). That controllers of other revisions than
//! 0x73 send a byte too many is in Silicon Labs' driver (`mltk`, `arducam_m_2mp_driver.c`).

use core::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{self, Operation};

use super::colour_bars::{BarsCheck, Lines, PictureFault, Verdict};
use super::exposure::{Exposure, ExposureWatch, MeanColour};
use super::frame_bus::FrameBus;
use super::ov2640::{Mode, Ov2640, SMALL_SIZE, SensorError};
use super::state::{CameraReport, CameraState, Doubt, Module, Readiness};
use super::{Camera, FrameFormat};

/// Added to an address to write.
const WRITE: u8 = 0x80;
/// Keeps what is written, to test the link.
const TEST: u8 = 0x00;
/// Frames to take at each start, less one.
const FRAMES: u8 = 0x01;
/// Commands to the buffer.
const FIFO: u8 = 0x04;
/// [`FIFO`]: forget the last frame and its "complete" bit; reading begins at the front. Bits 4 and
/// 5, which reset its pointers one by one, are left alone: ArduCAM's issue 581 tells of short
/// frames with them.
const FIFO_CLEAR: u8 = 0x01;
/// [`FIFO`]: keep the next frame.
const FIFO_START: u8 = 0x02;
/// Bit 7 holds the controller in reset.
const RESET: u8 = 0x07;
/// Revision of the controller.
const REVISION: u8 = 0x40;
/// [`REVISION`]: the first burst after a capture begins with the frame. Others begin with a byte that is
/// none of it.
const REVISION_EXACT: u8 = 0x73;
/// State of the capture.
const STATUS: u8 = 0x41;
/// [`STATUS`]: the frame is complete.
const STATUS_DONE: u8 = 0x08;
/// Bytes in the buffer: low, middle and high (7 bits) byte in three registers.
const FIFO_LEN: [u8; 3] = [0x42, 0x43, 0x44];
/// Reads on from where reading stopped, for as long as the chip is selected.
const BURST: u8 = 0x3C;

/// Patterns for the link before and after each frame: each data line carries both levels.
const PATTERNS: [u8; 2] = [0x55, 0xAA];
/// Patterns for the link at a start.
const START_PATTERNS: u8 = 64;
/// Clocks of the wires, in MHz: the controller's limit, and what longer wires may need.
const SPEEDS_MHZ: [u8; 4] = [8, 4, 2, 1];
/// Milliseconds of each half of the controller's reset.
const RESET_MS: u32 = 100;
/// Milliseconds between looks at the status.
const POLL_MS: u32 = 1;
/// Milliseconds that a frame may take: at 15 frames a second two periods are 133, and in the
/// dark the sensor slows down severalfold.
const TIMEOUT_MS: u32 = 800;
/// Milliseconds that the test picture may take, which the dark does not slow down.
const BARS_TIMEOUT_MS: u32 = 300;
/// Milliseconds after which small frames are whole: two of the sensor's longest.
const SMALL_MS: u32 = 133;
/// Looks at the status between two that see whether the controller still has its registers.
const POLLS: u32 = 32;
/// Test pictures that may be torn, as frames are while a sensor starts.
const TORN_BARS: u8 = 2;
/// Bytes of the longest row.
const MAX_ROW: usize = 640;

/// Failure of an [`ArduCam`]; `I` and `S` are the errors of its two buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArduCamError<I, S> {
    /// The sensor does not answer on its bus.
    SensorBus(I),
    /// The frame buffer's bus (SPI) failed.
    BufferBus(S),
    /// The frame buffer's test register does not read back as written.
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
    /// The sensor does not keep a setting.
    Setting {
        /// The register.
        register: u8,
        /// The value written.
        written: u8,
        /// The value read.
        read: u8,
    },
    /// The test picture rules answers out.
    Picture(PictureFault),
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

impl<I, S> ArduCamError<I, S> {
    const fn is_torn(&self) -> bool {
        matches!(self, Self::TornFrame { .. })
    }
}

impl<I, S> From<SensorError<I>> for ArduCamError<I, S> {
    fn from(error: SensorError<I>) -> Self {
        match error {
            SensorError::Bus(error) => Self::SensorBus(error),
            SensorError::Identity(found) => Self::Identity { found },
            SensorError::Setting {
                register,
                written,
                read,
            } => Self::Setting {
                register,
                written,
                read,
            },
        }
    }
}

impl<I: fmt::Display, S: spi::Error> fmt::Display for ArduCamError<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SensorBus(error) => write!(
                f,
                "the sensor does not answer on I2C ({error}): check SDA, SCL and the camera's supply"
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
            Self::Setting {
                register,
                written,
                read,
            } => write!(
                f,
                "the sensor does not keep a setting (wrote {written:02x} to {register:02x}, read \
                 {read:02x}): check its supply, SDA and SCL"
            ),
            Self::Picture(fault) => fault.fmt(f),
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

impl<I: fmt::Debug + fmt::Display, S: spi::Error> core::error::Error for ArduCamError<I, S> {}

/// The camera on its two buses.
///
/// A capture sets the camera up first where that has not happened yet, and again after a failure:
/// a camera that was unplugged works again when it is back.
#[derive(Debug)]
pub struct ArduCam<I, S, D> {
    sensor: Ov2640<I>,
    buffer: S,
    delay: D,
    mode: Mode,
    /// True if frames are small.
    small: bool,
    state: CameraState,
    /// True if the first burst of a frame begins with a byte that is none of it.
    extra_byte: bool,
    /// True if the next frame was asked for already.
    ahead: bool,
    /// True if the bus reads the next row already.
    reading: bool,
    rows_left: u16,
}

type Error<I, S> = ArduCamError<
    <I as embedded_hal::i2c::ErrorType>::Error,
    <S as embedded_hal::spi::ErrorType>::Error,
>;

impl<I: I2c, S: FrameBus, D: DelayNs> ArduCam<I, S, D> {
    /// A camera with its sensor on `sensor` and its frame buffer on `buffer`; nothing is sent
    /// yet.
    pub const fn new(sensor: I, buffer: S, delay: D, mode: Mode) -> Self {
        ArduCam {
            sensor: Ov2640::new(sensor),
            buffer,
            delay,
            mode,
            small: false,
            state: CameraState::Down,
            extra_byte: false,
            ahead: false,
            reading: false,
            rows_left: 0,
        }
    }

    /// The buses and the delay, back.
    pub fn release(self) -> (I, S, D) {
        (self.sensor.release(), self.buffer, self.delay)
    }

    /// The bus to the frame buffer and the delay, for another driver of a camera there.
    pub(super) const fn wires(&mut self) -> (&mut S, &mut D) {
        (&mut self.buffer, &mut self.delay)
    }

    /// Returns true if the camera is to be set up.
    pub(super) const fn is_down(&self) -> bool {
        matches!(self.state, CameraState::Down)
    }

    /// Resets the camera, checks its wires and the sensor's identity, sets the mode, and looks at a test
    /// picture: at the fastest clock that the wires carry.
    ///
    /// # Errors
    /// A bus error, [`ArduCamError::Link`], [`ArduCamError::Identity`], [`ArduCamError::Setting`],
    /// [`ArduCamError::Picture`], or why no test picture came.
    pub fn init(&mut self) -> Result<CameraReport, Error<I, S>> {
        self.state = CameraState::Down;
        self.small = false;
        self.give_up_frame();
        let [.., slowest] = SPEEDS_MHZ;
        self.buffer.set_speed(slowest);
        self.write(RESET, 0x80)?;
        self.delay.delay_ms(RESET_MS);
        self.write(RESET, 0x00)?;
        self.delay.delay_ms(RESET_MS);
        let fastest = self.find_speed()?;
        let revision = self.read(REVISION)?;
        self.extra_byte = revision != REVISION_EXACT;

        let product = self.sensor.start(&mut self.delay, self.mode)?;
        self.write(FRAMES, 0)?;
        let (mhz, frame_len, doubt) = self.test_picture(fastest)?;
        self.state = CameraState::Settling(ExposureWatch::default());
        Ok(CameraReport {
            module: Module::Ov2640(product),
            buffer: Some((revision, mhz)),
            frame_len,
            doubt,
        })
    }

    /// Sets the fastest clock at which patterns come back as they were written, and gives its index.
    fn find_speed(&mut self) -> Result<usize, Error<I, S>> {
        let mut last = Ok(());
        for (index, mhz) in SPEEDS_MHZ.into_iter().enumerate() {
            self.buffer.set_speed(mhz);
            // Any two that follow each other differ in several bits.
            last = (0..START_PATTERNS).try_for_each(|at| self.check_pattern(at.wrapping_mul(0x9D)));
            match last {
                Ok(()) => return Ok(index),
                Err(ArduCamError::Link { .. }) => {}
                Err(_) => break,
            }
        }
        last.map(|()| 0)
    }

    /// Looks at the sensor's colour bars, ever slower while single pixels are wrong. Gives the clock that
    /// is set then, the bytes of a frame and what is left open.
    fn test_picture(&mut self, fastest: usize) -> Result<(u8, u32, Option<Doubt>), Error<I, S>> {
        self.sensor.show_bars(&mut self.delay, true)?;
        let speeds = SPEEDS_MHZ.get(fastest..).unwrap_or_default();
        let mut best = None;
        for &mhz in speeds {
            self.buffer.set_speed(mhz);
            let (frame_len, mut bars) = self.look_at_bars()?;
            // A controller of unknown revision may as well send no byte too many.
            if bars.verdict() == Verdict::Fault(PictureFault::ByteOrder) && self.extra_byte {
                self.extra_byte = false;
                bars = self.look_at_bars()?.1;
            }
            self.check_lines(bars.constant_lines())?;
            let verdict = bars.verdict();
            let doubt = match verdict {
                Verdict::Good => None,
                Verdict::NoBars => Some(Doubt::NoBars),
                Verdict::Uneven { pixels } => {
                    // Where slower wires help no more, speed is not the reason.
                    best.get_or_insert((mhz, frame_len, Some(Doubt::Uneven { pixels })));
                    continue;
                }
                Verdict::Fault(fault) => return Err(ArduCamError::Picture(fault)),
            };
            best = Some((mhz, frame_len, doubt));
            break;
        }
        let found = best.ok_or(ArduCamError::NoMoreRows)?;
        self.buffer.set_speed(found.0);
        let bars = self.mode.colour_bars;
        self.sensor.show_bars(&mut self.delay, bars)?;
        Ok(found)
    }

    /// Checks in a picture of what is seen that the lines that were the same all over the bars change.
    fn check_lines(&mut self, mut lines: Lines) -> Result<(), Error<I, S>> {
        if lines.fault().is_none() {
            return Ok(());
        }
        self.sensor.show_bars(&mut self.delay, false)?;
        self.begin_frame()?;
        self.await_frame(TIMEOUT_MS)?;
        self.for_each_row(|row| lines = lines.and(Lines::of(row)))?;
        self.sensor.show_bars(&mut self.delay, true)?;
        lines
            .fault()
            .map_or(Ok(()), |fault| Err(ArduCamError::Picture(fault)))
    }

    /// Takes a frame of colour bars; its bytes, and what was seen.
    fn look_at_bars(&mut self) -> Result<(u32, BarsCheck), Error<I, S>> {
        let mut torn = 0;
        let frame_len = loop {
            self.begin_frame()?;
            match self.await_frame(BARS_TIMEOUT_MS) {
                Err(error) if error.is_torn() && torn < TORN_BARS => torn += 1,
                other => break other?,
            }
        };
        let mut bars = BarsCheck::new();
        self.for_each_row(|row| bars.add(row))?;
        Ok((frame_len, bars))
    }

    /// Takes frames until exposure and white balance rest, and at most 20. Torn frames, which occur while
    /// the sensor starts, are passed over.
    ///
    /// # Errors
    /// As [`Camera::capture`]; [`ArduCamError::TornFrame`] only if the last frame was and none rested.
    pub fn settle(&mut self) -> Result<Exposure, Error<I, S>> {
        let mut watch = ExposureWatch::default();
        loop {
            if let Some(exposure) = self.look(&mut watch)? {
                self.state = CameraState::Up;
                return Ok(exposure);
            }
        }
    }

    /// Shows `watch` one frame.
    fn look(&mut self, watch: &mut ExposureWatch) -> Result<Option<Exposure>, Error<I, S>> {
        let seen = match self.take_frame() {
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

    /// Reads the frame in the buffer away and gives its mean colours.
    fn mean_colour(&mut self) -> Result<[u8; 3], Error<I, S>> {
        let mut mean = MeanColour::default();
        let mut added = Ok(());
        self.for_each_row(|row| added = added.and(mean.add(row)))?;
        added.map_err(|_| ArduCamError::RowLength)?;
        Ok(mean.mean())
    }

    /// Reads the rest of the frame, row by row.
    fn for_each_row(&mut self, mut see: impl FnMut(&[u8])) -> Result<(), Error<I, S>> {
        let mut raw = [0; MAX_ROW];
        let row = raw.get_mut(..self.format().row_len());
        let row = row.ok_or(ArduCamError::RowLength)?;
        while self.rows_left > 0 {
            self.next_row(row)?;
            see(row);
        }
        Ok(())
    }

    /// Has the next frame put into the buffer, unless that has been done, and waits for it.
    fn take_frame(&mut self) -> Result<(), Error<I, S>> {
        if !self.ahead {
            self.begin_frame()?;
        }
        self.await_frame(TIMEOUT_MS).map(|_| ())
    }

    /// Has the next frame put into the buffer.
    fn begin_frame(&mut self) -> Result<(), Error<I, S>> {
        self.give_up_frame();
        self.check_link()?;
        self.write(FIFO, FIFO_CLEAR)?;
        self.write(FIFO, FIFO_START)
    }

    /// Waits for the frame, checks its length, which it gives, and begins to read it.
    fn await_frame(&mut self, timeout_ms: u32) -> Result<u32, Error<I, S>> {
        self.ahead = false;
        self.check_kept()?;
        let mut waited_ms = 0;
        while self.read(STATUS)? & STATUS_DONE == 0 {
            if waited_ms >= timeout_ms {
                return Err(ArduCamError::Timeout { waited_ms });
            }
            self.delay.delay_ms(POLL_MS);
            waited_ms += POLL_MS;
            if waited_ms.is_multiple_of(POLLS) {
                self.check_kept()?;
            }
        }
        let [low, middle, high] = FIFO_LEN;
        let bytes = [
            self.read(low)?,
            self.read(middle)?,
            self.read(high)? & 0x7F,
            0,
        ];
        let found = u32::from_le_bytes(bytes);
        let format = self.format();
        let expected = format.frame_len() as u32;
        // Controllers count a few bytes behind a frame, each generation its own number.
        if !(expected..expected + format.row_len() as u32).contains(&found) {
            return Err(ArduCamError::TornFrame { expected, found });
        }
        if self.extra_byte {
            let mut none = [0];
            self.begin_burst(none.len())?;
            self.finish_burst(&mut none)?;
        }
        self.rows_left = format.height;
        self.begin_burst(format.row_len())?;
        Ok(found)
    }

    /// The next row, which is being read already; what follows is begun.
    fn next_row(&mut self, row: &mut [u8]) -> Result<(), Error<I, S>> {
        let Some(rows_left) = self.rows_left.checked_sub(1) else {
            return Err(ArduCamError::NoMoreRows);
        };
        self.rows_left = 0;
        let read = self.finish_burst(row).and_then(|()| match rows_left {
            0 => self.check_still_there(),
            _ => self.begin_burst(row.len()),
        });
        match read {
            Ok(()) => self.rows_left = rows_left,
            Err(_) => self.state = CameraState::Down,
        }
        read
    }

    /// Lets go of whatever is left of a frame.
    fn give_up_frame(&mut self) {
        self.rows_left = 0;
        self.ahead = false;
        if self.reading {
            // Whoever needs the bus next hears what is wrong with it.
            let _ = self.finish_burst(&mut []);
        }
    }

    /// Checks that the controller still holds what was written to it when the frame was begun: one that lost
    /// power meanwhile says that nothing is done, for ever, and one that is gone that everything is.
    fn check_kept(&mut self) -> Result<(), Error<I, S>> {
        let [.., kept] = PATTERNS;
        if self.read(TEST)? == kept {
            return Ok(());
        }
        self.check_link()?;
        Err(ArduCamError::FrameLost)
    }

    fn check_link(&mut self) -> Result<(), Error<I, S>> {
        PATTERNS
            .into_iter()
            .try_for_each(|pattern| self.check_pattern(pattern))
    }

    fn check_pattern(&mut self, written: u8) -> Result<(), Error<I, S>> {
        self.write(TEST, written)?;
        let read = self.read(TEST)?;
        if read != written {
            return Err(ArduCamError::Link { written, read });
        }
        Ok(())
    }

    /// Checks that the frame that has been read was in the buffer all the while. A camera that is
    /// unplugged meanwhile gives bytes all the same, and one that is plugged in again too.
    fn check_still_there(&mut self) -> Result<(), Error<I, S>> {
        self.check_link()?;
        match self.read(STATUS)? & STATUS_DONE {
            0 => Err(ArduCamError::FrameLost),
            _ => Ok(()),
        }
    }

    fn write(&mut self, register: u8, value: u8) -> Result<(), Error<I, S>> {
        self.buffer
            .write(&[register | WRITE, value])
            .map_err(ArduCamError::BufferBus)
    }

    fn read(&mut self, register: u8) -> Result<u8, Error<I, S>> {
        let mut value = [0];
        self.buffer
            .transaction(&mut [Operation::Write(&[register]), Operation::Read(&mut value)])
            .map_err(ArduCamError::BufferBus)?;
        Ok(value[0])
    }

    fn begin_burst(&mut self, len: usize) -> Result<(), Error<I, S>> {
        let begun = self.buffer.begin_read(BURST, len);
        self.reading = begun.is_ok();
        begun.map_err(ArduCamError::BufferBus)
    }

    fn finish_burst(&mut self, bytes: &mut [u8]) -> Result<(), Error<I, S>> {
        self.reading = false;
        self.buffer
            .finish_read(bytes)
            .map_err(ArduCamError::BufferBus)
    }
}

impl<I: I2c, S: FrameBus, D: DelayNs> Camera for ArduCam<I, S, D> {
    type Error = Error<I, S>;

    fn format(&self) -> FrameFormat {
        let format = self.mode.format();
        match self.small {
            true => FrameFormat {
                width: SMALL_SIZE.0,
                height: SMALL_SIZE.1,
                ..format
            },
            false => format,
        }
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
        let taken = self.take_frame();
        self.state = self.state.after(&taken, ArduCamError::is_torn);
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        if row.len() != self.format().row_len() {
            return Err(ArduCamError::RowLength);
        }
        self.next_row(row)
    }

    fn begin_next(&mut self) {
        if matches!(self.state, CameraState::Up) && self.rows_left == 0 {
            // Where it fails, the capture begins anew and says why.
            self.ahead = self.begin_frame().is_ok();
        }
    }

    fn discard_next(&mut self) {
        self.ahead = false;
    }

    fn has_small(&self) -> bool {
        true
    }

    fn enter_small(&mut self) -> Result<(), Self::Error> {
        if self.small {
            return Ok(());
        }
        self.give_up_frame();
        let made = self.sensor.make_small(&mut self.delay);
        self.small = made.is_ok();
        // The frame that is under way is of neither size.
        let taken = made.map_err(ArduCamError::from).and_then(|()| {
            self.begin_frame()?;
            self.delay.delay_ms(SMALL_MS);
            Ok(())
        });
        if taken.is_err() {
            self.state = CameraState::Down;
        }
        taken
    }

    fn leave_small(&mut self) {
        if self.small {
            self.small = false;
            self.state = CameraState::Down;
        }
    }
}
