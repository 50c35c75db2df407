//! The model slot in the chip's flash. While a sector of the bank that the program runs from is
//! erased, the core waits for its next instruction (RM0433, "Embedded flash memory").

use cortex_m::Peripherals;
use embassy_stm32::Peri;
use embassy_stm32::flash::{Blocking, Flash};
use embassy_stm32::peripherals::FLASH;
use posy_board::Slot;

/// Start address of the chip's flash.
const START: usize = 0x0800_0000;

/// Bytes of a line of the data cache.
const LINE: usize = 32;

/// The model slot.
pub fn slot(flash: Peri<'static, FLASH>) -> Slot<Flash<'static, Blocking>> {
    // SAFETY: the peripheral, of which there is one, goes into this slot; nothing else writes flash
    // or borrows the slot's bytes.
    unsafe { Slot::new(Flash::new_blocking(flash), START, forget) }
}

/// Takes bytes out of the data cache, which does not see that flash was written.
fn forget(start: usize, len: usize) {
    // SAFETY: nobody else uses this register block once the caches are on.
    let mut scb = unsafe { Peripherals::steal().SCB };
    let first = start / LINE * LINE;
    let past = (start + len).next_multiple_of(LINE);
    // SAFETY: whole lines; flash is never written through the cache, so none of them holds what
    // memory does not.
    unsafe { scb.invalidate_dcache_by_address(first, past - first) };
}
