//! The model slot: the flash between two symbols of the board's `memory.x`.

use core::{ptr, slice};

// SAFETY: the linker script of every board has these symbols, whose addresses alone are used. They
// are declared as nothing at all, since nothing of the program lies there.
unsafe extern "C" {
    static _model_start: [u8; 0];
    static _model_end: [u8; 0];
}

/// The model slot, as long as it is whatever is written in it.
pub fn model_slot() -> &'static [u8] {
    // Addresses, not pointers: those of the two symbols have no bytes behind them to reach.
    let start = (&raw const _model_start).expose_provenance();
    let end = (&raw const _model_end).expose_provenance();
    // SAFETY: `memory.x` puts both symbols at the ends of one region of flash that holds nothing of
    // the program, start before end. The program does not write flash, any bytes are valid `u8`,
    // and flash stays readable for ever.
    unsafe {
        slice::from_raw_parts(
            ptr::with_exposed_provenance(start),
            end.saturating_sub(start),
        )
    }
}
