//! The machine's first UART as the board's serial port: where a laptop is connected.

use core::cell::Cell;

use embedded_io::{ErrorKind, ErrorType, Write};
use posy_firmware::program::Console;

/// Arm's CMSDK UART (application note DAI 0385, Cortex-M System Design Kit, "APB UART"). In the
/// Cortex-M33's machine this is its secure alias (application note DAI 0521).
const UART: usize = if cfg!(feature = "an505") {
    0x5020_0000
} else {
    0x4000_4000
};

/// Register offsets.
const DATA: usize = 0x00;
const STATE: usize = 0x04;
const CONTROL: usize = 0x08;
const BAUD_DIVIDER: usize = 0x10;

/// STATE: the byte to send has not gone yet; a byte has come.
const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;
/// CONTROL: sends and receives.
const ENABLE: u32 = 3;
/// The smallest divider that the UART takes.
const FASTEST: u32 = 16;

fn read(register: usize) -> u32 {
    // SAFETY: a register of the UART, which this program alone uses.
    unsafe { ((UART + register) as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { ((UART + register) as *mut u32).write_volatile(value) };
}

/// The serial port. The camera's frames begin anew once all have been shown.
pub struct Serial<'c> {
    frames: usize,
    shown: &'c Cell<usize>,
}

impl<'c> Serial<'c> {
    /// Switches the UART on, for a camera with so many frames, which counts them in `shown`.
    pub fn open(frames: usize, shown: &'c Cell<usize>) -> Self {
        write(BAUD_DIVIDER, FASTEST);
        write(CONTROL, ENABLE);
        Serial { frames, shown }
    }
}

impl ErrorType for Serial<'_> {
    type Error = ErrorKind;
}

impl Write for Serial<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        for &byte in bytes {
            while read(STATE) & TX_FULL != 0 {}
            write(DATA, byte.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Console for Serial<'_> {
    fn poll(&mut self) -> Option<u8> {
        if self.shown.get() == self.frames {
            self.shown.set(0);
        }
        (read(STATE) & RX_FULL != 0).then(|| read(DATA) as u8)
    }
}
