//! ArduCAM Mini 2MP Plus: an OV2640 sensor whose frames a controller (the *ArduChip*) keeps in a
//! buffer of 8 MB, from where they are read as slowly as one likes.
//!
//! Sensor registers go over I2C (see [`ov2640`](super::ov2640)), everything else over SPI, mode 0, at most
//! 8 MHz. How SPI is spoken is in ArduCAM's *ArduChip* hardware page (bit 7 of the first byte
//! writes, the other seven are the address); numbers and bits of the registers are those of
//! ArduCAM's libraries for Arduino and the Pico (`RPI-Pico-Cam`).

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};

use super::arducam_error::ArduCamError;
use super::health::Health;
use super::ov2640::Mode;
use super::settle::{self, Brightness, Look, Settled};
use super::{Camera, FrameFormat, sensor};

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
/// What goes on.
const STATUS: u8 = 0x41;
/// [`STATUS`]: the frame is complete.
const STATUS_DONE: u8 = 0x08;
/// Bytes in the buffer: low, middle and high (7 bits) byte in three registers.
const FIFO_LEN: [u8; 3] = [0x42, 0x43, 0x44];
/// Reads on from where reading stopped, for as long as the chip is selected.
const BURST: u8 = 0x3C;

/// Patterns for the link: each data line carries both levels.
const PATTERNS: [u8; 2] = [0x55, 0xAA];
/// Bytes that the Plus's buffer counts behind an uncompressed frame. They are no pixels; ArduCAM's
/// own example for the Pico reads and drops them.
const TRAILER_LEN: u32 = 8;
/// Milliseconds of each half of the controller's reset.
const RESET_MS: u32 = 100;
/// Milliseconds between looks at the status.
const POLL_MS: u32 = 1;
/// Milliseconds that a frame may take: at 15 frames a second two periods are 133, and in the
/// dark the sensor slows down severalfold.
const TIMEOUT_MS: u32 = 1000;

/// Bytes of a frame that are read together while settling; divides every frame.
const CHUNK: usize = 64;

/// The camera on its two buses.
///
/// A capture sets the camera up first where that has not happened yet, and again after a failure:
/// a camera that was unplugged works again when it is back.
#[derive(Debug)]
pub struct ArduCam<I, S, D> {
    sensor: I,
    buffer: S,
    delay: D,
    mode: Mode,
    health: Health,
    rows_left: u16,
}

type Error<I, S> = ArduCamError<
    <I as embedded_hal::i2c::ErrorType>::Error,
    <S as embedded_hal::spi::ErrorType>::Error,
>;

impl<I: I2c, S: SpiDevice, D: DelayNs> ArduCam<I, S, D> {
    /// A camera with its sensor on `sensor` and its frame buffer on `buffer`; nothing is sent
    /// yet.
    pub const fn new(sensor: I, buffer: S, delay: D, mode: Mode) -> Self {
        ArduCam {
            sensor,
            buffer,
            delay,
            mode,
            health: Health::Down,
            rows_left: 0,
        }
    }

    /// The buses and the delay, back.
    pub fn release(self) -> (I, S, D) {
        (self.sensor, self.buffer, self.delay)
    }

    /// Resets the camera, checks the link and the sensor's identity, and sets the mode.
    ///
    /// # Errors
    /// A bus error, [`ArduCamError::Link`] or [`ArduCamError::Identity`].
    pub fn init(&mut self) -> Result<(), Error<I, S>> {
        self.health = Health::Down;
        self.rows_left = 0;
        self.write(RESET, 0x80)?;
        self.delay.delay_ms(RESET_MS);
        self.write(RESET, 0x00)?;
        self.delay.delay_ms(RESET_MS);
        self.check_link()?;

        sensor::start(&mut self.sensor, &mut self.delay, self.mode)?;
        self.write(FRAMES, 0)?;
        self.health = Health::Up;
        Ok(())
    }

    /// Takes frames until exposure rests: until the mean brightness of successive ones no longer
    /// changes, and at most 20. Torn frames, which occur while the sensor starts, are passed over.
    ///
    /// # Errors
    /// As [`Camera::capture`]; [`ArduCamError::TornFrame`] only if every frame was.
    pub fn settle(&mut self) -> Result<Settled, Error<I, S>> {
        let settled = settle::settle(|| self.look());
        if settled.is_err() {
            self.health = Health::Down;
        }
        settled
    }

    fn look(&mut self) -> Result<Look<Error<I, S>>, Error<I, S>> {
        match self.take_frame() {
            Ok(()) => self.brightness().map(Look::Whole),
            Err(error) if error.is_torn() => Ok(Look::Torn(error)),
            Err(error) => Err(error),
        }
    }

    /// Reads the frame in the buffer away and gives its mean brightness, 0 to 255.
    fn brightness(&mut self) -> Result<u8, Error<I, S>> {
        self.rows_left = 0;
        let mut brightness = Brightness::default();
        let mut raw = [0; CHUNK];
        for _ in 0..self.format().frame_len() / CHUNK {
            self.read_burst(&mut raw)?;
            brightness.add(&raw).map_err(|_| ArduCamError::RowLength)?;
        }
        Ok(brightness.mean())
    }

    /// Has the next frame put into the buffer, waits for it and checks its length.
    fn take_frame(&mut self) -> Result<(), Error<I, S>> {
        self.rows_left = 0;
        self.check_link()?;
        self.write(FIFO, FIFO_CLEAR)?;
        self.write(FIFO, FIFO_START)?;
        let mut waited_ms = 0;
        while self.read(STATUS)? & STATUS_DONE == 0 {
            if waited_ms >= TIMEOUT_MS {
                return Err(ArduCamError::Timeout { waited_ms });
            }
            self.delay.delay_ms(POLL_MS);
            waited_ms += POLL_MS;
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
        if found != expected && found != expected + TRAILER_LEN {
            return Err(ArduCamError::TornFrame { expected, found });
        }
        self.rows_left = format.height;
        Ok(())
    }

    fn check_link(&mut self) -> Result<(), Error<I, S>> {
        for written in PATTERNS {
            self.write(TEST, written)?;
            let read = self.read(TEST)?;
            if read != written {
                return Err(ArduCamError::Link { written, read });
            }
        }
        Ok(())
    }

    /// Whether the frame that has been read was in the buffer all the while. A camera that is
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

    fn read_burst(&mut self, bytes: &mut [u8]) -> Result<(), Error<I, S>> {
        self.buffer
            .transaction(&mut [Operation::Write(&[BURST]), Operation::Read(bytes)])
            .map_err(ArduCamError::BufferBus)
    }
}

impl<I: I2c, S: SpiDevice, D: DelayNs> Camera for ArduCam<I, S, D> {
    type Error = Error<I, S>;

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
        self.health = self.health.after(&taken, ArduCamError::is_torn);
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        if row.len() != self.format().row_len() {
            return Err(ArduCamError::RowLength);
        }
        let Some(rows_left) = self.rows_left.checked_sub(1) else {
            return Err(ArduCamError::NoMoreRows);
        };
        let mut read = self.read_burst(row);
        if read.is_ok() && rows_left == 0 {
            read = self.check_still_there();
        }
        if read.is_ok() {
            self.rows_left = rows_left;
        } else {
            self.rows_left = 0;
            self.health = Health::Down;
        }
        read
    }
}
