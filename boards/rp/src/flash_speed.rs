//! The speed of a Pico 2's flash: what weights are read at, past the cache.

/// The flash's clock is the core's by this: 75 MHz of the 133 MHz that the Pico 2's flash takes (W25Q32RV
/// data sheet). The boot ROM leaves 3, at each start and after each write.
const DIVIDER: u32 = 2;
/// Half cycles of the core after which an answer is looked at: as many as the divider, which is what
/// MicroPython's port takes on this board too.
const DELAY: u32 = 2;
/// Fields of the register (RP2350 data sheet, 12.14.6, M0_TIMING): CLKDIV, and RXDELAY with its place.
const DIVIDER_BITS: u32 = 0xFF;
const DELAY_BITS: u32 = 7 << DELAY_AT;
const DELAY_AT: u32 = 8;

/// M0_TIMING with the flash at its speed, given what it is; all else stays.
pub const fn hurried(timing: u32) -> u32 {
    timing & !(DIVIDER_BITS | DELAY_BITS) | DIVIDER | DELAY << DELAY_AT
}
