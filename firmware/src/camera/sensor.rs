//! The OV2640 on its bus: from power-up to a mode, for every camera that is built around one.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::ov2640::{self, Mode};

/// Why the sensor was not set up; `E` is its bus's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SensorError<E> {
    /// The bus failed, or the sensor did not acknowledge.
    Bus(E),
    /// Another sensor answered, with this product number.
    Identity([u8; 2]),
}

/// Checks the sensor's identity, resets it and sets `mode`. Leaves the signal processor's bank
/// chosen.
///
/// # Errors
/// See [`SensorError`]. Nothing but the bank is written to a sensor of another kind.
pub(super) fn start<I: I2c, D: DelayNs>(
    sensor: &mut I,
    delay: &mut D,
    mode: Mode,
) -> Result<(), SensorError<I::Error>> {
    write(sensor, ov2640::BANK, ov2640::BANK_SENSOR)?;
    let found = [read(sensor, ov2640::PIDH)?, read(sensor, ov2640::PIDL)?];
    if !ov2640::is_ov2640(found) {
        return Err(SensorError::Identity(found));
    }
    write(sensor, ov2640::COM7, ov2640::COM7_RESET)?;
    delay.delay_ms(ov2640::RESET_MS);
    for run in ov2640::SETUP {
        for &value in run.values {
            write(sensor, run.register, value)?;
        }
    }
    for (register, value) in ov2640::for_mode(mode) {
        write(sensor, register, value)?;
    }
    Ok(())
}

fn write<I: I2c>(sensor: &mut I, register: u8, value: u8) -> Result<(), SensorError<I::Error>> {
    sensor
        .write(ov2640::ADDRESS, &[register, value])
        .map_err(SensorError::Bus)
}

/// A register of the bank that is chosen. Two transfers, each with its own stop: SCCB knows no
/// repeated start.
pub(super) fn read<I: I2c>(sensor: &mut I, register: u8) -> Result<u8, SensorError<I::Error>> {
    let mut value = [0];
    sensor
        .write(ov2640::ADDRESS, &[register])
        .and_then(|()| sensor.read(ov2640::ADDRESS, &mut value))
        .map_err(SensorError::Bus)?;
    Ok(value[0])
}
