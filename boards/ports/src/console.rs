//! The console: a serial port with a buffer each way, filled and emptied by interrupts, and the
//! button.

use core::task::Poll;

use embassy_futures::{block_on, poll_once};
use embedded_io::{ErrorType, Write};
use embedded_io_async::{Read, Write as AsyncWrite};
use posy_firmware::program::Console;

use crate::button;

/// Byte that a press of the button stands for: one answer.
pub(crate) const PRESS: u8 = b'c';

/// The serial port and the button; the button counts once [`watch`](crate::watch) runs.
#[derive(Debug)]
pub struct Ports<U> {
    serial: U,
}

impl<U> Ports<U> {
    /// A console on `serial`.
    pub const fn new(serial: U) -> Self {
        Ports { serial }
    }
}

impl<U: ErrorType> ErrorType for Ports<U> {
    type Error = U::Error;
}

/// Waits for room in the serial port's buffer.
impl<U: AsyncWrite> Write for Ports<U> {
    fn write(&mut self, text: &[u8]) -> Result<usize, U::Error> {
        block_on(self.serial.write(text))
    }

    fn flush(&mut self) -> Result<(), U::Error> {
        block_on(self.serial.flush())
    }
}

impl<U: Read + AsyncWrite> Console for Ports<U> {
    fn poll(&mut self) -> Option<u8> {
        let mut byte = [0];
        // A byte that came in broken, as on plugging in, is none.
        match poll_once(self.serial.read(&mut byte)) {
            Poll::Ready(Ok(1)) => Some(byte[0]),
            _ => None,
        }
    }

    fn asked(&mut self) -> Option<u8> {
        button::was_pressed().then_some(PRESS)
    }
}
