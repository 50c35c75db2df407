//! Stack usage: the start-up code fills the stack with a pattern, and what has been used has
//! lost that.

use core::ptr;

use cortex_m_rt::STACK_PAINT_VALUE;
use posy_firmware::program::Stack;

// SAFETY: cortex-m-rt's linker script has these symbols, and they are at words. Their addresses alone
// are used; they are declared as nothing at all, since no variable lies there.
unsafe extern "C" {
    /// Lowest word that the stack may use; above everything that the linker placed.
    static _stack_end: [u32; 0];
    /// Start of the stack: one past its highest word.
    static _stack_start: [u32; 0];
}

/// Measures the stack usage: the maximum since the start.
pub fn stack() -> Stack {
    let lowest = (&raw const _stack_end).expose_provenance();
    let past = (&raw const _stack_start).expose_provenance();
    // The linker script asserts that both are word aligned and in this order.
    let words = past.saturating_sub(lowest) / size_of::<u32>();
    let lowest = ptr::with_exposed_provenance::<u32>(lowest);
    let untouched = (0..words)
        .take_while(|&word| {
            // SAFETY: the word is RAM between the two symbols, where nothing else lies. It may be
            // changed by an interrupt meanwhile, hence volatile; that can only end the count.
            unsafe { lowest.add(word).read_volatile() == STACK_PAINT_VALUE }
        })
        .count();
    Stack {
        used: 4 * (words - untouched),
        size: 4 * words,
    }
}
