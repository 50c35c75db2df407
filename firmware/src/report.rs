//! What a board says: a plain line that any serial monitor shows, and with the feature `defmt` a
//! structured one for a debug probe.

use embedded_io::Write;
use posy_shared::ranking::Ranking;

/// Writes what went wrong as a line: `posy: the model slot is empty; ...`.
///
/// # Errors
/// Whatever the serial port says.
pub fn problem<W: Write>(serial: &mut W, what: impl core::fmt::Display) -> Result<(), W::Error> {
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

/// Logs one answer: the likeliest label, or that it is unknown, at level info; the labels after it
/// at level debug. Scores travel as whole thousandths.
#[cfg(feature = "defmt")]
pub fn log<const N: usize>(ranking: &Ranking<'_, N>, time_ms: u32) {
    let tenths = |(whole, tenths): (u32, u32)| 10 * whole + tenths;
    match ranking.top() {
        Some(top) => defmt::info!(
            "{=str} permille={=u32} time_ms={=u32}",
            top.label,
            tenths(top.score.percent()),
            time_ms
        ),
        None => defmt::info!("unknown time_ms={=u32}", time_ms),
    }
    let rest = usize::from(ranking.top().is_some());
    for ranked in ranking.iter().skip(rest) {
        defmt::debug!(
            "{=str} permille={=u32}",
            ranked.label,
            tenths(ranked.score.percent())
        );
    }
}
