//! The speed of the flash: what weights are read at, past the cache.

use embassy_rp::pac;

/// The flash's clock is the core's by this: 75 MHz of the 133 MHz that the Pico 2's flash takes (W25Q32RV
/// data sheet). The boot ROM leaves 3.
const DIVIDER: u8 = 2;
/// Half cycles of the core after which an answer is looked at: as many as the divider, which is what
/// MicroPython's port takes on this board too.
const DELAY: u8 = 2;

/// Sets the flash to its speed; to be called before anything else runs.
pub fn hurry() {
    // One core runs, and no interrupt whose code would be fetched meanwhile.
    cortex_m::interrupt::free(|_| set());
}

/// Runs from RAM, so that nothing is read from flash while its timing changes.
#[inline(never)]
// SAFETY: the start-up code copies this section to RAM before `main`, and RAM holds code as well as data.
#[unsafe(link_section = ".data.flash")]
fn set() {
    pac::QMI.mem(0).timing().modify(|timing| {
        timing.set_clkdiv(DIVIDER);
        timing.set_rxdelay(DELAY);
    });
    // What was set is there before anything is fetched.
    pac::QMI.mem(0).timing().read();
}
