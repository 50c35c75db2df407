//! What a board says: plain lines that any serial monitor shows.

use embedded_io::Write;
use posy_shared::ranking::Ranking;

/// Writes news, good or bad, as a line: `posy: the model slot is empty; ...`.
///
/// # Errors
/// Whatever the serial port says.
pub fn notice<W: Write>(serial: &mut W, what: impl core::fmt::Display) -> Result<(), W::Error> {
    match write!(serial, "posy: {what}\r\n") {
        Ok(()) | Err(embedded_io::WriteFmtError::FmtError) => Ok(()),
        Err(embedded_io::WriteFmtError::Other(error)) => Err(error),
    }
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
    match write!(serial, "{ranking}  {time_ms} ms\r\n") {
        Ok(()) => Ok(()),
        Err(embedded_io::WriteFmtError::Other(error)) => Err(error),
        // Formatting a ranking does not fail; a formatter without a cause has nothing to tell.
        Err(embedded_io::WriteFmtError::FmtError) => Ok(()),
    }
}
