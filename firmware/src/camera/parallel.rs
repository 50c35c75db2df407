//! An OV2640 whose eight data lines go to a parallel port of the microcontroller, which writes
//! whole frames to memory by itself (STM32's DCMI with DMA is such a port).
//!
//! Sensor registers go over I2C (see [`ov2640`]). What the port must do is [`FramePort`]; the
//! sensor's default signals are: a byte is good at PCLK's rising edge while HREF is high, and
//! VSYNC is high throughout a frame's rows.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::health::Health;
use super::ov2640::{self, Mode};
use super::parallel_error::ParallelError;
use super::settle::{self, Brightness, Look, Settled};
use super::{Camera, FrameFormat, sensor};

/// Milliseconds that a frame may take: at 15 frames a second two periods are 133, and in the
/// dark the sensor slows down severalfold.
const TIMEOUT_MS: u32 = 1000;
/// Bytes in a word of frame memory.
const WORD: usize = size_of::<u32>();
/// Words whose brightness is added up together.
const CHUNK: usize = 16;

/// Why a [`FramePort`] has no frame; `E` is what the port itself can fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrabError<E> {
    /// Nothing came.
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
    /// What it can fail with besides [`GrabError`]'s other cases.
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

/// The camera: its sensor's bus, its port, and memory for a frame.
///
/// A capture sets the sensor up first where that has not happened yet, and again after a failure:
/// a camera that was unplugged works again when it is back.
#[derive(Debug)]
pub struct ParallelCamera<'f, I, P, D> {
    sensor: I,
    port: P,
    delay: D,
    mode: Mode,
    frame: &'f mut [u32],
    health: Health,
    rows_left: u16,
}

type Error<I, P> =
    ParallelError<<I as embedded_hal::i2c::ErrorType>::Error, <P as FramePort>::Error>;

impl<'f, I: I2c, P: FramePort, D: DelayNs> ParallelCamera<'f, I, P, D> {
    /// A camera with its sensor on `sensor` and its data lines on `port`, whose frames are put
    /// into the front of `frame`; nothing is sent yet. QVGA takes 38,400 words, QQVGA 9,600.
    pub const fn new(sensor: I, port: P, delay: D, mode: Mode, frame: &'f mut [u32]) -> Self {
        ParallelCamera {
            sensor,
            port,
            delay,
            mode,
            frame,
            health: Health::Down,
            rows_left: 0,
        }
    }

    /// The bus, the port and the delay, back.
    pub fn release(self) -> (I, P, D) {
        (self.sensor, self.port, self.delay)
    }

    /// Checks the sensor's identity, resets it and sets the mode.
    ///
    /// # Errors
    /// A bus error, [`ParallelError::Identity`] or [`ParallelError::FrameMemory`].
    pub fn init(&mut self) -> Result<(), Error<I, P>> {
        self.health = Health::Down;
        self.rows_left = 0;
        let (needed, given) = (self.format().frame_len() / WORD, self.frame.len());
        if needed > given {
            return Err(ParallelError::FrameMemory { needed, given });
        }
        sensor::start(&mut self.sensor, &mut self.delay, self.mode)?;
        self.health = Health::Up;
        Ok(())
    }

    /// Takes frames until exposure rests: until the mean brightness of successive ones no longer
    /// changes, and at most 20. Torn frames, which occur while the sensor starts, are passed over.
    ///
    /// # Errors
    /// As [`Camera::capture`]; a torn frame only if every frame was.
    pub fn settle(&mut self) -> Result<Settled, Error<I, P>> {
        let settled = settle::settle(|| self.look());
        // The last frame has served.
        self.rows_left = 0;
        if settled.is_err() {
            self.health = Health::Down;
        }
        settled
    }

    fn look(&mut self) -> Result<Look<Error<I, P>>, Error<I, P>> {
        match self.take_frame() {
            Ok(()) => self.brightness().map(Look::Whole),
            Err(error) if error.is_torn() => Ok(Look::Torn(error)),
            Err(error) => Err(error),
        }
    }

    /// Mean brightness of the frame in memory, 0 to 255.
    fn brightness(&self) -> Result<u8, Error<I, P>> {
        let words = self.format().frame_len() / WORD;
        let frame = self.frame.get(..words).unwrap_or_default();
        let mut brightness = Brightness::default();
        for words in frame.chunks(CHUNK) {
            let mut raw = [0; CHUNK * WORD];
            let raw = raw.get_mut(..words.len() * WORD).unwrap_or_default();
            copy_bytes(words, raw);
            brightness.add(raw).map_err(|_| ParallelError::RowLength)?;
        }
        Ok(brightness.mean())
    }

    /// Has the port put the next frame into memory.
    fn take_frame(&mut self) -> Result<(), Error<I, P>> {
        self.rows_left = 0;
        self.check_settings()?;
        let format = self.format();
        let (needed, given) = (format.frame_len() / WORD, self.frame.len());
        let frame = self.frame.get_mut(..needed);
        let frame = frame.ok_or(ParallelError::FrameMemory { needed, given })?;
        self.port
            .grab(frame, TIMEOUT_MS)
            .map_err(|error| match error {
                GrabError::Timeout => ParallelError::Timeout {
                    waited_ms: TIMEOUT_MS,
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

    /// A sensor that lost power comes back with its defaults, whose frames would be garbage; its
    /// format of output is one of them. [`sensor::start`] has left the right bank chosen.
    fn check_settings(&mut self) -> Result<(), Error<I, P>> {
        let written = ov2640::IMAGE_MODE_RGB565;
        let read = sensor::read(&mut self.sensor, ov2640::IMAGE_MODE)?;
        if read != written {
            return Err(ParallelError::SettingsLost { written, read });
        }
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

    /// Takes a picture; sets the camera up and lets it settle first, where it is not.
    ///
    /// A torn frame may be chance; the camera is set up anew after the second in a row, and after
    /// any other failure.
    fn capture(&mut self) -> Result<(), Self::Error> {
        if self.health == Health::Down {
            self.init()?;
            self.settle()?;
        }
        let taken = self.take_frame();
        self.health = self.health.after(&taken, ParallelError::is_torn);
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        let format = self.format();
        if row.len() != format.row_len() {
            return Err(ParallelError::RowLength);
        }
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
}
