//! The text that the last call left.

use alloc::string::String;
use core::cell::UnsafeCell;
use core::fmt::{self, Display, Write};

/// A text of a program that has one thread.
struct Text(UnsafeCell<String>);

// SAFETY: the program has one thread; WebAssembly without shared memory has no others.
unsafe impl Sync for Text {}

static TEXT: Text = Text(UnsafeCell::new(String::new()));

/// Leaves a text.
pub fn set(arguments: fmt::Arguments<'_>) {
    // SAFETY: one thread, and no reference to the text outlives a call into the program.
    let text = unsafe { &mut *TEXT.0.get() };
    text.clear();
    // Writing to a string does not fail.
    let _ = text.write_fmt(arguments);
}

/// The text; valid until the next is left.
pub fn get() -> &'static str {
    // SAFETY: as in `set`.
    unsafe { &*TEXT.0.get() }
}

/// 1, or 0 and the error's text.
pub fn ok<E: Display>(result: Result<(), E>) -> u32 {
    match result {
        Ok(()) => 1,
        Err(error) => {
            set(format_args!("{error}"));
            0
        }
    }
}
