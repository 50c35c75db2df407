//! The model slot: the flash between two symbols of the board's `memory.x`.

use core::ops::Range;
use core::{ptr, slice};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use posy_firmware::slot::SlotFlash;

// SAFETY: the linker script of every board has these symbols, whose addresses alone are used. They
// are declared as nothing at all, since nothing of the program lies there.
unsafe extern "C" {
    static _model_start: [u8; 0];
    static _model_end: [u8; 0];
}

/// Start and length of the slot.
fn extent() -> (usize, usize) {
    // Addresses, not pointers: those of the two symbols have no bytes behind them to reach.
    let start = (&raw const _model_start).expose_provenance();
    let end = (&raw const _model_end).expose_provenance();
    (start, end.saturating_sub(start))
}

/// Addresses of the slot's bytes.
pub fn slot_addresses() -> Range<usize> {
    let (start, len) = extent();
    start..start.saturating_add(len)
}

/// The model slot, as long as it is whatever is written in it; for a program that does not write it.
///
/// # Safety
/// While the bytes are borrowed nothing writes the slot, [`Slot`] neither.
pub unsafe fn model_slot<'a>() -> &'a [u8] {
    let (start, len) = extent();
    // SAFETY: `memory.x` puts both symbols at the ends of one region of flash that holds nothing of
    // the program, start before end. Nothing writes it meanwhile, says the caller; any bytes are
    // valid `u8`, and flash stays readable for ever.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(start), len) }
}

/// The model slot in a chip's flash, which can be written.
#[derive(Debug)]
pub struct Slot<F> {
    flash: F,
    /// From the start of the chip's flash, as `F` counts, to the slot.
    offset: u32,
    /// Told of bytes that were changed, where something else than the chip may hold them.
    changed: fn(start: usize, len: usize),
}

impl<F: NorFlash> Slot<F> {
    /// The slot in `flash`, whose offset 0 is at the address `flash_start`. `changed` is told where
    /// bytes were changed: for a cache that does not see it.
    ///
    /// # Safety
    /// There is one slot at a time, nothing else writes this part of the flash, and no bytes of
    /// [`model_slot`] are borrowed.
    pub unsafe fn new(flash: F, flash_start: usize, changed: fn(start: usize, len: usize)) -> Self {
        let (start, _) = extent();
        Slot {
            flash,
            offset: start.saturating_sub(flash_start) as u32,
            changed,
        }
    }

    /// Checks that these bytes lie in the slot, so that a wrong offset cannot reach the program.
    fn holds(&self, from: u32, len: usize) -> Result<(), NorFlashErrorKind> {
        let end = (from as usize).checked_add(len);
        match end.is_some_and(|end| end <= self.capacity()) {
            true => Ok(()),
            false => Err(NorFlashErrorKind::OutOfBounds),
        }
    }

    fn tell(&self, from: u32, len: usize) {
        (self.changed)(extent().0 + from as usize, len);
    }
}

impl<F: NorFlash> SlotFlash for Slot<F> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: this is the only slot, says the caller of `new`, and it is not written while it is
        // borrowed.
        unsafe { model_slot() }
    }
}

impl<F: NorFlash> ErrorType for Slot<F> {
    type Error = NorFlashErrorKind;
}

impl<F: NorFlash> ReadNorFlash for Slot<F> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let here = self.bytes().get(offset as usize..);
        let here = here.and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(here.ok_or(NorFlashErrorKind::OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        extent().1
    }
}

impl<F: NorFlash> NorFlash for Slot<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let len = to.saturating_sub(from) as usize;
        self.holds(from, len)?;
        let (start, end) = (self.offset + from, self.offset + to);
        let erased = self.flash.erase(start, end);
        self.tell(from, len);
        erased.map_err(|error| error.kind())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.holds(offset, bytes.len())?;
        let written = self.flash.write(self.offset + offset, bytes);
        self.tell(offset, bytes.len());
        written.map_err(|error| error.kind())
    }
}
