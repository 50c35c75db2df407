//! The model slot in the flash chip behind the chip's quad SPI interface.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::peripherals::FLASH;
use posy_board::Slot;

/// Address at which the flash is read in place (RP2040 data sheet, 2.6.3; RP2350 data sheet, 2.2.1).
const WINDOW: usize = 0x1000_0000;

/// Bytes of flash on the board: a Pico's, a Pico 2's.
const SIZE: usize = if cfg!(feature = "rp2040") {
    2 << 20
} else {
    4 << 20
};

/// The flash chip. What runs while it is written lies in RAM, the second core and interrupts wait
/// meanwhile, and the cache before it is emptied: the hardware crate sees to all three.
pub type Chip = Flash<'static, FLASH, Blocking, SIZE>;

/// The model slot.
pub fn slot(flash: Peri<'static, FLASH>) -> Slot<Chip> {
    // SAFETY: the peripheral, of which there is one, goes into this slot; nothing else writes flash
    // or borrows the slot's bytes.
    unsafe { Slot::new(Flash::new_blocking(flash), WINDOW, |_, _| {}) }
}
