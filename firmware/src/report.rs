//! Lines that a board says: plain text that any serial monitor shows.
//!
//! Labels and names come from whoever made the model: every line is cleaned on its way, so that none
//! of them ends it, forges another or acts on a terminal.

use core::fmt::{self, Write as _};

use embedded_io::Write;
use posy_shared::ranking::Ranking;
use posy_shared::shown::Cleaned;

/// Writes news, good or bad, as a line: `posy: the model slot is empty; ...`.
///
/// # Errors
/// Whatever the serial port says.
pub fn notice<W: Write>(serial: &mut W, what: impl fmt::Display) -> Result<(), W::Error> {
    said(serial, format_args!("posy: {what}"))
}

/// Writes one answer as a line: `daisy 97.2%  roses 1.9%  412 ms`.
///
/// # Errors
/// Whatever the serial port says.
pub fn line<W: Write, const N: usize>(
    serial: &mut W,
    ranking: &Ranking<'_, N>,
    time_ms: u32,
) -> Result<(), W::Error> {
    said(serial, format_args!("{ranking}  {time_ms} ms"))
}

/// Writes a line, cleaned.
fn said<W: Write>(serial: &mut W, what: fmt::Arguments<'_>) -> Result<(), W::Error> {
    let port = Port {
        serial,
        failed: Ok(()),
    };
    let mut cleaned = Cleaned(port);
    // Formatting fails only where the port does, which keeps its own error.
    let _ = cleaned.write_fmt(what);
    let Cleaned(port) = cleaned;
    port.failed?;
    port.serial.write_all(b"\r\n")
}

/// A serial port to format into.
struct Port<'s, W: Write> {
    serial: &'s mut W,
    failed: Result<(), W::Error>,
}

impl<W: Write> fmt::Write for Port<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.failed = self.serial.write_all(text.as_bytes());
        self.failed.as_ref().map_err(|_| fmt::Error).copied()
    }
}
