//! Stand-in for a board's serial port and for the person at it: plain text on an output of the
//! host, and an end once every frame has been shown.

use core::cell::Cell;
use core::fmt;

use embedded_io::{ErrorKind, ErrorType, Write, WriteFmtError};
use posy_firmware::program::Console;
use semihosting::io;
// Structured logs, where there are any, have standard output to themselves.
#[cfg(feature = "defmt")]
use semihosting::io::{Stderr as Output, stderr as output};
#[cfg(not(feature = "defmt"))]
use semihosting::io::{Stdout as Output, stdout as output};

use crate::end;
use crate::failure::Failure;

/// Asks the program for its line on RAM.
const STATUS: u8 = b's';

/// The serial port, and who reads along.
pub struct Terminal<'c> {
    output: Output,
    /// Frames that there are.
    frames: usize,
    /// Frames that the camera has shown.
    shown: &'c Cell<usize>,
    /// Value of `shown` when the program last asked for input.
    seen: Option<usize>,
    /// Frames that were answered.
    answered: usize,
    asked_for_status: bool,
}

impl<'c> Terminal<'c> {
    /// A terminal for as many frames; in `shown` the camera counts them.
    ///
    /// # Errors
    /// Where the host does not give an output.
    pub fn open(frames: usize, shown: &'c Cell<usize>) -> Result<Self, Failure> {
        Ok(Terminal {
            output: output().map_err(|_| Failure::Output)?,
            frames,
            shown,
            seen: None,
            answered: 0,
            asked_for_status: false,
        })
    }
}

impl ErrorType for Terminal<'_> {
    type Error = ErrorKind;
}

impl Write for Terminal<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        io::Write::write(&mut self.output, bytes).map_err(|_| ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Console for Terminal<'_> {
    /// A program that asks for input again and has taken no picture meanwhile waits for something
    /// that does not happen here: another model, another try. It has ended then.
    fn poll(&mut self) -> Option<u8> {
        let shown = self.shown.get();
        let is_waiting = self.seen.replace(shown) == Some(shown);
        if shown < self.frames && !is_waiting {
            return None;
        }
        if self.answered < self.frames {
            end(Err(Failure::Unanswered {
                frames: self.frames,
                answered: self.answered,
            }));
        }
        if self.asked_for_status {
            end(Ok(()));
        }
        self.asked_for_status = true;
        Some(STATUS)
    }

    fn logits(&mut self, logits: &[i8]) -> Result<(), ErrorKind> {
        self.answered += 1;
        match write!(self, "logits:{}\r\n", Logits(logits)) {
            Ok(()) => Ok(()),
            Err(WriteFmtError::Other(error)) => Err(error),
            // Formatting numbers does not fail.
            Err(WriteFmtError::FmtError) => Ok(()),
        }
    }
}

/// Each with a space before it.
struct Logits<'l>(&'l [i8]);

impl fmt::Display for Logits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|logit| write!(f, " {logit}"))
    }
}
