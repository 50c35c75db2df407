//! The model slot: the flash between two symbols of the board's `memory.x`.

use core::slice;

// SAFETY: the linker script of every board has these symbols, whose addresses alone are used.
unsafe extern "C" {
    static _model_start: u8;
    static _model_end: u8;
}

/// The model slot, as long as it is whatever is written in it.
pub fn model_slot() -> &'static [u8] {
    let start = &raw const _model_start;
    let end = &raw const _model_end;
    // SAFETY: `memory.x` puts both symbols at the ends of one region of flash that holds nothing of
    // the program, start before end. The program does not write flash, any bytes are valid `u8`,
    // and flash stays readable for ever.
    unsafe { slice::from_raw_parts(start, end.offset_from_unsigned(start)) }
}
