//! What stands for a board's serial port: plain text on an output of the host.

use embedded_io::{ErrorKind, ErrorType, Write};
use semihosting::io;
// Structured logs, where there are any, have standard output to themselves.
#[cfg(feature = "defmt")]
use semihosting::io::{Stderr as Output, stderr as output};
#[cfg(not(feature = "defmt"))]
use semihosting::io::{Stdout as Output, stdout as output};

use crate::failure::Failure;

/// The serial port.
pub struct Serial(Output);

impl Serial {
    /// Opens it.
    ///
    /// # Errors
    /// Where the host does not give it.
    pub fn open() -> Result<Self, Failure> {
        output().map(Serial).map_err(|_| Failure::Output)
    }
}

impl ErrorType for Serial {
    type Error = ErrorKind;
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        io::Write::write(&mut self.0, bytes).map_err(|_| ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
