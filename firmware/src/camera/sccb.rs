//! SCCB over two open-drain pins, bit by bit: the same bus on every board, and one that always ends.
//!
//! SCCB is OmniVision's serial camera control bus (*SCCB Functional Specification*, version 2.2): I2C
//! without repeated starts, whose ninth bit is "don't care". A controller for I2C waits for that bit and
//! for lines that come up by themselves, some of them for ever; a camera with a loose supply wire holds
//! both lines low. Here every wait has a limit, nine clocks and a stop free a sensor that was left in the
//! middle of a byte (I2C-bus specification UM10204, 3.1.16), and a limit that is reached is an error that
//! names its line.

use core::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_hal::i2c::{self, NoAcknowledgeSource, Operation};

/// Microseconds of half a bit: 100 kHz at most, less what the pins themselves take.
const HALF_BIT_US: u32 = 5;
/// Microseconds that the sensor may hold the clock low, in all bits of a transfer together.
const STRETCH_US: u32 = 5_000;
/// Clocks that end any byte: eight bits and the ninth.
const RECOVERY_CLOCKS: u8 = 9;
/// Bit 0 of the first byte: the sensor is to send.
const READ: u8 = 1;

/// Failure of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SccbError {
    /// Something holds the clock low.
    ClockLow,
    /// Something holds the data line low, and nine clocks do not change that.
    DataLow,
    /// No device takes the address.
    NoDevice,
    /// A byte was sent and not acknowledged. SCCB lets the ninth bit be anything: every byte of the
    /// transfer was sent all the same.
    NoAcknowledge,
    /// A pin of the microcontroller cannot be set or read.
    Pin,
}

impl fmt::Display for SccbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClockLow => "SCL stays low",
            Self::DataLow => "SDA stays low",
            Self::NoDevice => "no device at its address",
            Self::NoAcknowledge => "a byte was not acknowledged",
            Self::Pin => "a pin cannot be set",
        })
    }
}

impl core::error::Error for SccbError {}

impl i2c::Error for SccbError {
    fn kind(&self) -> i2c::ErrorKind {
        match self {
            Self::ClockLow | Self::DataLow => i2c::ErrorKind::Bus,
            Self::NoDevice => i2c::ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            Self::NoAcknowledge => i2c::ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data),
            Self::Pin => i2c::ErrorKind::Other,
        }
    }
}

/// The bus on its two pins, which drive low and never high: something else pulls them up.
///
/// It is an embedded-hal [`I2c`](i2c::I2c) of SCCB's kind: each operation of a transaction is a transfer
/// with its own start and stop.
#[derive(Debug)]
pub struct Sccb<C, A, D> {
    clock: C,
    data: A,
    delay: D,
    /// True if the sensor may be in the middle of a byte: before the first transfer, and after a failure.
    suspect: bool,
    /// Microseconds that are left of [`STRETCH_US`].
    patience_us: u32,
}

impl<C, A, D> Sccb<C, A, D>
where
    C: InputPin + OutputPin,
    A: InputPin + OutputPin,
    D: DelayNs,
{
    /// A bus on the pins `clock` (SCL) and `data` (SDA), both open drain; nothing is sent yet.
    pub const fn new(clock: C, data: A, delay: D) -> Self {
        Sccb {
            clock,
            data,
            delay,
            suspect: true,
            patience_us: 0,
        }
    }

    /// The two pins and the delay, back.
    pub fn release(self) -> (C, A, D) {
        (self.clock, self.data, self.delay)
    }

    fn half_bit(&mut self) {
        self.delay.delay_us(HALF_BIT_US);
    }

    fn clock_low(&mut self) -> Result<(), SccbError> {
        self.clock.set_low().map_err(|_| SccbError::Pin)
    }

    /// Lets the clock go and waits until it is high: the sensor may hold it a while.
    fn clock_high(&mut self) -> Result<(), SccbError> {
        self.clock.set_high().map_err(|_| SccbError::Pin)?;
        while self.clock.is_low().map_err(|_| SccbError::Pin)? {
            let left = self.patience_us.checked_sub(HALF_BIT_US);
            self.patience_us = left.ok_or(SccbError::ClockLow)?;
            self.half_bit();
        }
        Ok(())
    }

    fn set_data(&mut self, high: bool) -> Result<(), SccbError> {
        let set = if high {
            self.data.set_high()
        } else {
            self.data.set_low()
        };
        set.map_err(|_| SccbError::Pin)
    }

    fn data_is_high(&mut self) -> Result<bool, SccbError> {
        self.data.is_high().map_err(|_| SccbError::Pin)
    }

    /// Ends whatever transfer a sensor is in: by a stop, before more clocks are one more byte to a sensor that is
    /// written to; and where it sends, and so holds the data line, by clocking it out of its byte first. With
    /// both lines let go and nobody on them this does nothing that a sensor would notice.
    fn recover(&mut self) -> Result<(), SccbError> {
        let mut ended = Ok(());
        for clocks in [0, RECOVERY_CLOCKS] {
            self.set_data(true)?;
            for _ in 0..clocks {
                self.clock_low()?;
                self.half_bit();
                self.clock_high()?;
                self.half_bit();
            }
            self.clock_low()?;
            ended = self.stop();
            if ended != Err(SccbError::DataLow) {
                break;
            }
        }
        ended
    }

    /// The start of a transfer: the data line falls while the clock is high.
    fn start(&mut self) -> Result<(), SccbError> {
        self.patience_us = STRETCH_US;
        self.set_data(true)?;
        self.clock_high()?;
        if self.suspect || !self.data_is_high()? {
            self.recover()?;
        }
        self.half_bit();
        self.set_data(false)?;
        self.half_bit();
        self.clock_low()
    }

    /// The end of a transfer: the data line rises while the clock is high.
    fn stop(&mut self) -> Result<(), SccbError> {
        self.set_data(false)?;
        self.half_bit();
        self.clock_high()?;
        self.half_bit();
        self.set_data(true)?;
        self.half_bit();
        if self.data_is_high()? {
            Ok(())
        } else {
            Err(SccbError::DataLow)
        }
    }

    /// Clocks one bit, with the data line let go or driven low; gives its level while the clock is high.
    fn bit(&mut self, high: bool) -> Result<bool, SccbError> {
        self.set_data(high)?;
        self.half_bit();
        self.clock_high()?;
        self.half_bit();
        let level = self.data_is_high()?;
        self.clock_low()?;
        Ok(level)
    }

    /// Sends a byte, its highest bit first; whether it was acknowledged.
    fn send(&mut self, byte: u8) -> Result<bool, SccbError> {
        for shift in (0..8).rev() {
            self.bit(byte >> shift & 1 != 0)?;
        }
        Ok(!self.bit(true)?)
    }

    /// Receives a byte. SCCB's sensors send one byte a transfer: the ninth bit says that it was the last.
    fn receive(&mut self, last: bool) -> Result<u8, SccbError> {
        let mut byte = 0;
        for _ in 0..8 {
            byte = byte << 1 | u8::from(self.bit(true)?);
        }
        self.bit(last)?;
        Ok(byte)
    }

    /// Makes a transfer, from its start to its stop.
    fn transfer(&mut self, address: u8, operation: &mut Operation<'_>) -> Result<(), SccbError> {
        self.start()?;
        let read = matches!(operation, Operation::Read(_));
        let taken = self.send(address << 1 | if read { READ } else { 0 })?;
        if !taken {
            self.stop()?;
            return Err(SccbError::NoDevice);
        }
        let mut acknowledged = true;
        match operation {
            Operation::Write(bytes) => {
                for &byte in bytes.iter() {
                    acknowledged &= self.send(byte)?;
                }
            }
            Operation::Read(bytes) => {
                let len = bytes.len();
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = self.receive(index + 1 == len)?;
                }
            }
        }
        self.stop()?;
        if acknowledged {
            Ok(())
        } else {
            Err(SccbError::NoAcknowledge)
        }
    }
}

impl<C, A, D> i2c::ErrorType for Sccb<C, A, D> {
    type Error = SccbError;
}

impl<C, A, D> i2c::I2c for Sccb<C, A, D>
where
    C: InputPin + OutputPin,
    A: InputPin + OutputPin,
    D: DelayNs,
{
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SccbError> {
        for operation in operations {
            let done = self.transfer(address, operation);
            self.suspect = matches!(
                done,
                Err(SccbError::ClockLow | SccbError::DataLow | SccbError::Pin)
            );
            if self.suspect {
                // Nothing is left driven: whoever holds the line may let go of it meanwhile.
                let _ = self.clock.set_high();
                let _ = self.data.set_high();
            }
            done?;
        }
        Ok(())
    }
}
