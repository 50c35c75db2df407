//! The OV2640 on its bus, for every camera that is built around one: from power-up to a mode, its test
//! picture, and whether it has kept its settings. Which registers there are is in `registers.rs`.

mod registers;

pub use registers::*;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{Error as _, ErrorKind, I2c, NoAcknowledgeSource};

/// Transfers that are tried before the bus is given up, and milliseconds before each: a sensor that comes
/// out of reset is deaf for a while.
const TRIES_AFTER_MS: [u32; 3] = [0, 1, 10];
/// Times that the sensor is set up where a byte was not acknowledged, or a setting is not there.
const SETUPS: u8 = 3;

/// Failure to set the sensor up; `E` is its bus's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SensorError<E> {
    /// The bus failed, or the sensor did not answer.
    Bus(E),
    /// Another sensor answered, with this product number.
    Identity([u8; 2]),
    /// A register does not hold what was written to it.
    Setting { register: u8, written: u8, read: u8 },
}

/// The sensor, on any bus of embedded-hal's kind. Reads are two transfers, each with its own stop: SCCB
/// knows no repeated start.
#[derive(Debug)]
pub(super) struct Ov2640<I> {
    bus: I,
    /// Bytes that were not acknowledged since the set-up began.
    unacknowledged: u16,
}

impl<I: I2c> Ov2640<I> {
    pub const fn new(bus: I) -> Self {
        Ov2640 {
            bus,
            unacknowledged: 0,
        }
    }

    pub fn release(self) -> I {
        self.bus
    }

    /// Checks the sensor's identity, resets it, sets `mode` and gives the product number. Leaves the
    /// signal processor's bank chosen.
    ///
    /// SCCB lets a sensor acknowledge nothing. So a byte that was not acknowledged is a reason to set the
    /// sensor up anew, and no failure where it goes on so and the settings are there.
    ///
    /// # Errors
    /// See [`SensorError`]. Nothing but the bank is written to a sensor of another kind.
    pub fn start<D: DelayNs>(
        &mut self,
        delay: &mut D,
        mode: Mode,
    ) -> Result<[u8; 2], SensorError<I::Error>> {
        self.write(delay, BANK, BANK_SENSOR)?;
        let product = [self.read(delay, PIDH)?, self.read(delay, PIDL)?];
        if !is_ov2640(product) {
            return Err(SensorError::Identity(product));
        }
        for _ in 1..SETUPS {
            self.set(delay, mode)?;
            let acknowledged = self.unacknowledged == 0;
            if acknowledged && self.has_size(delay, mode)? && self.check(delay).is_ok() {
                return Ok(product);
            }
        }
        self.set(delay, mode)?;
        self.check(delay)?;
        Ok(product)
    }

    fn set<D: DelayNs>(&mut self, delay: &mut D, mode: Mode) -> Result<(), SensorError<I::Error>> {
        self.write(delay, BANK, BANK_SENSOR)?;
        self.write(delay, COM7, COM7_RESET)?;
        delay.delay_ms(RESET_MS);
        self.unacknowledged = 0;
        for run in SETUP {
            for &value in run.values {
                self.write(delay, run.register, value)?;
            }
        }
        for (register, value) in for_mode(mode) {
            self.write(delay, register, value)?;
        }
        Ok(())
    }

    /// Returns true if the size of the output is as `mode` asks for; no picture can do without.
    fn has_size<D: DelayNs>(
        &mut self,
        delay: &mut D,
        mode: Mode,
    ) -> Result<bool, SensorError<I::Error>> {
        for (register, value) in for_mode(mode) {
            if SIZES.contains(&register) && self.read(delay, register)? != value {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks that the sensor sends RGB565: one that lost power comes back with its defaults, whose frames
    /// would be garbage.
    ///
    /// # Errors
    /// [`SensorError::Setting`], or the bus's.
    pub fn check<D: DelayNs>(&mut self, delay: &mut D) -> Result<(), SensorError<I::Error>> {
        let (register, written) = (IMAGE_MODE, IMAGE_MODE_RGB565);
        let read = self.read(delay, register)?;
        if read != written {
            return Err(SensorError::Setting {
                register,
                written,
                read,
            });
        }
        Ok(())
    }

    /// Has the sensor send small frames, four times as often; until it is set up anew.
    ///
    /// # Errors
    /// The bus's.
    pub fn make_small<D: DelayNs>(&mut self, delay: &mut D) -> Result<(), SensorError<I::Error>> {
        SMALL
            .into_iter()
            .try_for_each(|(register, value)| self.write(delay, register, value))
    }

    /// Has the sensor send its eight colour bars, or what it sees, from the next frame on.
    pub fn show_bars<D: DelayNs>(
        &mut self,
        delay: &mut D,
        bars: bool,
    ) -> Result<(), SensorError<I::Error>> {
        self.write(delay, BANK, BANK_SENSOR)?;
        self.write(delay, COM7, com7(bars))?;
        self.write(delay, BANK, BANK_DSP)
    }

    fn write<D: DelayNs>(
        &mut self,
        delay: &mut D,
        register: u8,
        value: u8,
    ) -> Result<(), SensorError<I::Error>> {
        self.send(delay, &[register, value])
    }

    fn read<D: DelayNs>(
        &mut self,
        delay: &mut D,
        register: u8,
    ) -> Result<u8, SensorError<I::Error>> {
        let mut value = [0];
        self.send(delay, &[register])?;
        retried(delay, || self.bus.read(ADDRESS, &mut value))?;
        Ok(value[0])
    }

    fn send<D: DelayNs>(
        &mut self,
        delay: &mut D,
        bytes: &[u8],
    ) -> Result<(), SensorError<I::Error>> {
        let Self {
            bus,
            unacknowledged,
        } = self;
        retried(delay, || match bus.write(ADDRESS, bytes) {
            Err(error) if is_of_a_byte(error.kind()) => {
                *unacknowledged = unacknowledged.saturating_add(1);
                Ok(())
            }
            done => done,
        })
    }
}

/// Tries a transfer until it succeeds, and [`TRIES_AFTER_MS`] says how often.
fn retried<D: DelayNs, E>(
    delay: &mut D,
    mut transfer: impl FnMut() -> Result<(), E>,
) -> Result<(), SensorError<E>> {
    let mut last = Ok(());
    for after_ms in TRIES_AFTER_MS {
        if after_ms > 0 {
            delay.delay_ms(after_ms);
        }
        last = transfer();
        if last.is_ok() {
            break;
        }
    }
    last.map_err(SensorError::Bus)
}

/// Returns true if a byte behind the address was not acknowledged, which SCCB allows.
const fn is_of_a_byte(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data))
}
