//! Flash that cannot be read: some chips keep checksums of its words, and a word in whose writing power
//! failed is a fault of the core when it is read.

use embedded_storage::nor_flash::NorFlash;

/// Erases each sector of `flash` that has a word which `can_be_read` denies, given its offset; so that what
/// is left is a model, or none, and is named as such. Nothing is lost by it: such a word has no contents, and
/// whatever was whole before the write lies in other sectors. `feed` is called for each sector. Gives
/// the number of sectors that were erased.
///
/// # Errors
/// Of the flash.
pub fn erase_unreadable<F: NorFlash>(
    flash: &mut F,
    mut can_be_read: impl FnMut(u32) -> bool,
    mut feed: impl FnMut(),
) -> Result<u32, F::Error> {
    let mut erased = 0;
    let len = flash.capacity() as u32;
    for start in (0..len).step_by(F::ERASE_SIZE) {
        feed();
        let end = len.min(start.saturating_add(F::ERASE_SIZE as u32));
        if !(start..end).step_by(F::WRITE_SIZE).all(&mut can_be_read) {
            flash.erase(start, end)?;
            erased += 1;
        }
    }
    Ok(erased)
}
