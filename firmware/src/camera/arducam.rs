//! ArduCAM Mini 2MP Plus: an OV2640 sensor whose frames a controller (the *ArduChip*) keeps in a
//! buffer of 8 MB, from where they are read as slowly as one likes.
//!
//! Sensor registers go over I2C (see [`ov2640`]), everything else over SPI, mode 0, at most
//! 8 MHz. How SPI is spoken is in ArduCAM's *ArduChip* hardware page (bit 7 of the first byte
//! writes, the other seven are the address); numbers and bits of the registers are those of
//! ArduCAM's libraries for Arduino and the Pico (`RPI-Pico-Cam`).

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};
use posy_shared::image::unpack_row;

use super::arducam_error::ArduCamError;
use super::ov2640::{self, Mode};
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

/// Frames that [`ArduCam::settle`] looks at, at most.
const SETTLE_FRAMES: u8 = 20;
/// Change of the mean brightness, in 1/255, that counts as none.
const SETTLE_CHANGE: u8 = 2;
/// Frames in a row that must be as bright as the one before.
const SETTLE_ALIKE: u8 = 2;
/// Bytes of a frame that are looked at together while settling; divides every frame.
const CHUNK: usize = 64;

/// What [`ArduCam::settle`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Frames that were taken.
    pub frames: u8,
    /// Mean brightness of the last whole one, 0 to 255.
    pub brightness: u8,
    /// Whether brightness came to rest before the frames ran out; it does not under flicker, and
    /// the pictures are then as good as they get.
    pub steady: bool,
}

/// How far the camera can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Not set up, or something failed that its registers may not have survived.
    Down,
    /// Set up.
    Up,
    /// Set up, and its last frame was torn.
    Suspect,
}

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

        self.write_sensor(ov2640::BANK, ov2640::BANK_SENSOR)?;
        let found = [
            self.read_sensor(ov2640::PIDH)?,
            self.read_sensor(ov2640::PIDL)?,
        ];
        if !ov2640::is_ov2640(found) {
            return Err(ArduCamError::Identity { found });
        }
        self.write_sensor(ov2640::COM7, ov2640::COM7_RESET)?;
        self.delay.delay_ms(ov2640::RESET_MS);
        for run in ov2640::SETUP {
            for &value in run.values {
                self.write_sensor(run.register, value)?;
            }
        }
        for (register, value) in ov2640::for_mode(self.mode) {
            self.write_sensor(register, value)?;
        }
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
        let settled = self.settle_frames();
        if settled.is_err() {
            self.health = Health::Down;
        }
        settled
    }

    fn settle_frames(&mut self) -> Result<Settled, Error<I, S>> {
        let mut last: Result<u8, Error<I, S>> = Err(ArduCamError::NoMoreRows);
        let mut alike = 0;
        for frames in 1..=SETTLE_FRAMES {
            match self.take_frame() {
                Ok(()) => {}
                Err(error @ ArduCamError::TornFrame { .. }) => {
                    alike = 0;
                    last = last.or(Err(error));
                    continue;
                }
                Err(error) => return Err(error),
            }
            let brightness = self.brightness()?;
            let rests = last
                .as_ref()
                .is_ok_and(|last| last.abs_diff(brightness) <= SETTLE_CHANGE);
            alike = if rests { alike + 1 } else { 0 };
            if alike == SETTLE_ALIKE {
                return Ok(Settled {
                    frames,
                    brightness,
                    steady: true,
                });
            }
            last = Ok(brightness);
        }
        last.map(|brightness| Settled {
            frames: SETTLE_FRAMES,
            brightness,
            steady: false,
        })
    }

    /// Reads the frame in the buffer away and gives its mean brightness, 0 to 255: luma by
    /// ITU-R BT.601 in 1/256.
    fn brightness(&mut self) -> Result<u8, Error<I, S>> {
        self.rows_left = 0;
        let format = self.format();
        let mut raw = [0; CHUNK];
        let mut rgb = [0; CHUNK / 2 * 3];
        let mut sum: u64 = 0;
        for _ in 0..format.frame_len() / CHUNK {
            self.read_burst(&mut raw)?;
            // The two buffers agree with each other.
            if unpack_row(format.pixels, &raw, &mut rgb).is_err() {
                return Err(ArduCamError::RowLength);
            }
            for pixel in rgb.chunks_exact(3) {
                let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
                sum += u64::from((77 * red + 150 * green + 29 * blue) >> 8);
            }
        }
        let pixels = (format.frame_len() / 2).max(1) as u64;
        Ok((sum / pixels) as u8)
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

    fn write_sensor(&mut self, register: u8, value: u8) -> Result<(), Error<I, S>> {
        self.sensor
            .write(ov2640::ADDRESS, &[register, value])
            .map_err(ArduCamError::SensorBus)
    }

    /// Two transfers, each with its own stop: SCCB knows no repeated start.
    fn read_sensor(&mut self, register: u8) -> Result<u8, Error<I, S>> {
        let mut value = [0];
        self.sensor
            .write(ov2640::ADDRESS, &[register])
            .and_then(|()| self.sensor.read(ov2640::ADDRESS, &mut value))
            .map_err(ArduCamError::SensorBus)?;
        Ok(value[0])
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
        self.health = match (&taken, self.health) {
            (Ok(()), _) => Health::Up,
            (Err(ArduCamError::TornFrame { .. }), Health::Up) => Health::Suspect,
            (Err(_), _) => Health::Down,
        };
        taken
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        if row.len() != self.format().row_len() {
            return Err(ArduCamError::RowLength);
        }
        let Some(rows_left) = self.rows_left.checked_sub(1) else {
            return Err(ArduCamError::NoMoreRows);
        };
        let read = self.read_burst(row);
        if read.is_ok() {
            self.rows_left = rows_left;
        } else {
            self.rows_left = 0;
            self.health = Health::Down;
        }
        read
    }
}
