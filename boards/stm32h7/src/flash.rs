//! The model slot in the chip's flash. While a sector of the bank that the program runs from is
//! erased, the core waits for its next instruction (RM0433, "Embedded flash memory").
//!
//! Each word of 256 bits has a checksum: one in whose writing power failed is a bus fault when it is read.

use core::arch::asm;
use core::ptr;

use cortex_m::Peripherals;
use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::SCB;
use embassy_stm32::Peri;
use embassy_stm32::flash::{Blocking, Flash};
use embassy_stm32::peripherals::FLASH;
use posy_board::{Slot, erase_unreadable, slot_addresses};

/// Start address of the chip's flash.
const START: usize = 0x0800_0000;

/// Bytes of a line of the data cache.
const LINE: usize = 32;

/// SCB_CCR: handlers of priority -1 go on after a bus fault of data (ARMv7-M Architecture Reference Manual,
/// B3.2.8).
const IGNORE: u32 = 1 << 8;
/// SCB_CFSR: causes of bus faults (B3.2.15).
const BUS_FAULTS: u32 = 0xFF << 8;

/// The model slot, whose words can all be read. `feed` is called while it is looked through.
pub fn slot(flash: Peri<'static, FLASH>, feed: fn()) -> Slot<Flash<'static, Blocking>> {
    // SAFETY: the peripheral, of which there is one, goes into this slot; nothing else writes flash
    // or borrows the slot's bytes.
    let mut slot = unsafe { Slot::new(Flash::new_blocking(flash), START, forget) };
    let first = slot_addresses().start;
    let can_be_read = |offset: u32| can_be_read(first + offset as usize);
    // Where that fails, the fault handler names what is to be done.
    let _ = erase_unreadable(&mut slot, can_be_read, feed);
    slot
}

/// Returns true if flash at an address of the slot can be read. The processor goes on after a fault there,
/// which is found in its registers.
fn can_be_read(address: usize) -> bool {
    // SAFETY: nothing else changes these registers, and they are as before in the end. Between the two
    // instructions the program has the priority of a fault's handler, and it reads one word that is
    // there, is aligned, and may be anything.
    unsafe {
        let scb = &*SCB::PTR;
        scb.ccr.modify(|control| control | IGNORE);
        // Each bit is cleared by writing it.
        scb.cfsr.write(BUS_FAULTS);
        asm!("cpsid f");
        dsb();
        isb();
        ptr::read_volatile(ptr::with_exposed_provenance::<u32>(address));
        dsb();
        let faults = scb.cfsr.read() & BUS_FAULTS;
        scb.cfsr.write(BUS_FAULTS);
        asm!("cpsie f");
        scb.ccr.modify(|control| control & !IGNORE);
        faults == 0
    }
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
