//! The wires to a camera's frame buffer: an SPI device whose clock can be set, and which can read while the
//! program does something else.

use embedded_hal::spi::{self, Operation, SpiDevice};

/// The wires to the frame buffer: a bus of embedded-hal's kind whose clock can be set, and which can read
/// while the program does something else.
pub trait FrameBus: SpiDevice {
    /// Sets the clock: `mhz`, or the next below that the bus has.
    fn set_speed(&mut self, mhz: u8);

    /// Selects the chip, sends `command` and begins to read `len` bytes, at most 640.
    ///
    /// # Errors
    /// Whatever the bus says. [`FrameBus::finish_read`] is called next in any case but this one.
    fn begin_read(&mut self, command: u8, len: usize) -> Result<(), Self::Error>;

    /// Waits until the bytes are there, lets go of the chip and copies as many of them as `bytes` has
    /// room for.
    ///
    /// # Errors
    /// Whatever the bus says.
    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error>;
}

impl<T: FrameBus + ?Sized> FrameBus for &mut T {
    fn set_speed(&mut self, mhz: u8) {
        T::set_speed(self, mhz);
    }

    fn begin_read(&mut self, command: u8, len: usize) -> Result<(), Self::Error> {
        T::begin_read(self, command, len)
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        T::finish_read(self, bytes)
    }
}

/// A [`FrameBus`] around any SPI device: of one speed, and reading only when the bytes are asked for.
#[derive(Debug)]
pub struct Unhurried<S> {
    bus: S,
    command: u8,
}

impl<S> Unhurried<S> {
    /// A frame bus on `bus`.
    pub const fn new(bus: S) -> Self {
        Unhurried { bus, command: 0 }
    }

    /// The bus, back.
    pub fn release(self) -> S {
        self.bus
    }
}

impl<S: SpiDevice> spi::ErrorType for Unhurried<S> {
    type Error = S::Error;
}

impl<S: SpiDevice> SpiDevice for Unhurried<S> {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), S::Error> {
        self.bus.transaction(operations)
    }
}

impl<S: SpiDevice> FrameBus for Unhurried<S> {
    fn set_speed(&mut self, _: u8) {}

    fn begin_read(&mut self, command: u8, _: usize) -> Result<(), S::Error> {
        self.command = command;
        Ok(())
    }

    fn finish_read(&mut self, bytes: &mut [u8]) -> Result<(), S::Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let command = [self.command];
        self.bus
            .transaction(&mut [Operation::Write(&command), Operation::Read(bytes)])
    }
}
