//! The model slot in the chip's flash. While it is erased or written the core stands still (product
//! specification, NVMC).

use embassy_nrf::Peri;
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::peripherals::NVMC;
use posy_board::Slot;

/// The model slot.
pub fn slot(flash: Peri<'static, NVMC>) -> Slot<Nvmc<'static>> {
    // SAFETY: the peripheral, of which there is one, goes into this slot; nothing else writes flash
    // or borrows the slot's bytes.
    unsafe { Slot::new(Nvmc::new(flash), 0, |_, _| {}) }
}
