//! The model slot in the flash chip behind the chip's quad SPI interface.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, Flash};
#[cfg(not(feature = "rp2040"))]
use embassy_rp::pac::{self, qmi::regs::Timing};
use embassy_rp::peripherals::FLASH;
use posy_board::Slot;
use posy_ports::SerialNumber;

#[cfg(not(feature = "rp2040"))]
use crate::flash_speed::hurried;

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

/// Serial number of the board, as programs of Raspberry Pi's own C library have it: the RP2040's is that of
/// its flash chip, since it has none itself.
#[cfg(feature = "rp2040")]
pub fn serial_number(flash: Peri<'_, FLASH>) -> Option<SerialNumber> {
    let mut number = [0; 8];
    let mut chip = Flash::<_, Blocking, SIZE>::new_blocking(flash);
    chip.blocking_unique_id(&mut number).ok()?;
    SerialNumber::new(&number)
}

/// Serial number of the board: the chip's (RP2350 data sheet, 13.10, CHIPID).
#[cfg(not(feature = "rp2040"))]
pub fn serial_number(_: Peri<'_, FLASH>) -> Option<SerialNumber> {
    let number = embassy_rp::otp::get_chipid().ok()?;
    SerialNumber::new(&number.to_be_bytes())
}

/// The model slot.
pub fn slot(flash: Peri<'static, FLASH>) -> Slot<Chip> {
    // SAFETY: the peripheral, of which there is one, goes into this slot; nothing else writes flash
    // or borrows the slot's bytes.
    unsafe { Slot::new(Flash::new_blocking(flash), WINDOW, changed) }
}

/// To be called after a write: what reads flash is as the boot ROM has it then.
fn changed(_: usize, _: usize) {
    #[cfg(not(feature = "rp2040"))]
    {
        // The second core was stopped meanwhile. It goes back to waiting for work, and reads nothing
        // from flash once it has found its few instructions.
        cortex_m::asm::delay(SECOND_CORE_CYCLES);
        hurry();
    }
}

/// Cycles within which a core goes back to sleep: 20 microseconds.
#[cfg(not(feature = "rp2040"))]
const SECOND_CORE_CYCLES: u32 = 3_000;

/// Sets the flash to its speed; to be called before anything else runs, too.
#[cfg(not(feature = "rp2040"))]
pub fn hurry() {
    // No interrupt whose code would be fetched meanwhile.
    cortex_m::interrupt::free(|_| set());
}

/// Runs from RAM, so that nothing is read from flash while its timing changes.
#[cfg(not(feature = "rp2040"))]
#[inline(never)]
// SAFETY: the start-up code copies this section to RAM before `main`, and RAM holds code as well as data.
#[unsafe(link_section = ".data.flash")]
fn set() {
    let timing = pac::QMI.mem(0).timing();
    let found = timing.read();
    timing.write_value(Timing(hurried(found.0)));
    // What was set is there before anything is fetched.
    timing.read();
}
