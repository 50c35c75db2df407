//! posy's engine for browsers: a model and pixels in, logits and ranking out.
//!
//! The exports are plain functions on addresses in the program's memory, without glue: a page reads and
//! writes there. Everything between pixels and answer is `posy-shared`, as on a laptop and a board.
//!
//! | export | what it does |
//! |---|---|
//! | [`posy_allocate`] | memory for a model or pixels |
//! | [`posy_release`] | gives it back |
//! | [`posy_open`] | takes a `.posy` file, checks it and runs its golden check |
//! | [`posy_close`] | gives a session and its model back |
//! | [`posy_label`] | a label of the model |
//! | [`posy_begin`] | begins a picture of an extent |
//! | [`posy_push`] | takes the next rows, RGBA |
//! | [`posy_finish`] | the answer |
//! | [`posy_text`] | the text that the last call left: an error's, or a label |
//!
//! A function that fails returns zero and leaves a text, which says what is wrong. Nothing panics on
//! any bytes of a model; a page that passes addresses that it was not given is its own to blame.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(feature = "check")]
mod check;
mod session;
mod text;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::{self, null_mut};
use core::slice;

use session::{Answer, Session};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Ends the program where it finds a fault of its own; without a message, whose making is a third of
/// its size.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Memory of `len` bytes, zeros, for a model or pixels; null where there is none.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub extern "C" fn posy_allocate(len: usize) -> *mut u8 {
    let mut bytes = Vec::<u8>::new();
    if bytes.try_reserve_exact(len).is_err() {
        text::set(format_args!(
            "the browser has no {len} bytes of memory left; close other pages"
        ));
        return null_mut();
    }
    bytes.resize(len, 0);
    Box::into_raw(bytes.into_boxed_slice()).cast()
}

/// Gives back what [`posy_allocate`] gave.
///
/// # Safety
/// `bytes` and `len` are those of a call of [`posy_allocate`], not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_release(bytes: *mut u8, len: usize) {
    // SAFETY: the caller guarantees it.
    drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(bytes, len)) });
}

/// A session with the model in a `.posy` file, which becomes the session's; null where the file is not
/// sound, or this browser computes another answer than the laptop that wrote it.
///
/// # Safety
/// `bytes` and `len` are those of a call of [`posy_allocate`], not given back before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_open(bytes: *mut u8, len: usize) -> *mut Session {
    // SAFETY: the caller guarantees it.
    let file = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(bytes, len)) };
    match Session::open(file) {
        Ok(session) => Box::into_raw(session),
        Err(error) => {
            text::set(format_args!("{error}"));
            null_mut()
        }
    }
}

/// Gives back a session.
///
/// # Safety
/// `session` is what [`posy_open`] gave, not closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_close(session: *mut Session) {
    // SAFETY: the caller guarantees it.
    drop(unsafe { Box::from_raw(session) });
}

/// Leaves the label of logit `index` as text; returns 0 where there is none.
///
/// # Safety
/// `session` is what [`posy_open`] gave, not closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_label(session: *const Session, index: usize) -> u32 {
    // SAFETY: the caller guarantees it.
    let label = unsafe { &*session }.label(index);
    if let Some(label) = label {
        text::set(format_args!("{label}"));
    }
    label.is_some().into()
}

/// Begins a picture of `width` x `height` pixels; returns 0 where that is no extent of a picture.
///
/// # Safety
/// `session` is what [`posy_open`] gave, not closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_begin(session: *mut Session, width: u32, height: u32) -> u32 {
    // SAFETY: the caller guarantees it.
    text::ok(unsafe { &mut *session }.begin(width, height))
}

/// Takes the next `rows` of the picture, each `width` pixels of four bytes: red, green, blue, and one
/// that is not looked at. Returns 0 where no picture has begun or it has fewer rows.
///
/// # Safety
/// `session` is what [`posy_open`] gave, not closed before; `pixels` is at as many rows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_push(session: *mut Session, pixels: *const u8, rows: u32) -> u32 {
    // SAFETY: the caller guarantees it.
    let (session, pixels) = unsafe {
        let session = &mut *session;
        let len = session.row_len() * rows as usize;
        (session, slice::from_raw_parts(pixels, len))
    };
    text::ok(session.push(pixels))
}

/// The answer, once all rows have come: it stays until the next picture begins. Null where rows are
/// missing.
///
/// # Safety
/// `session` is what [`posy_open`] gave, not closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_finish(session: *mut Session) -> *const Answer {
    // SAFETY: the caller guarantees it.
    match unsafe { &mut *session }.finish() {
        Ok(answer) => answer,
        Err(error) => {
            text::set(format_args!("{error}"));
            null_mut()
        }
    }
}

/// The text that the last call left, UTF-8: writes its length to `len`.
///
/// # Safety
/// `len` is at a word of memory that [`posy_allocate`] gave.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posy_text(len: *mut usize) -> *const u8 {
    let text = text::get();
    // SAFETY: the caller guarantees it.
    unsafe { len.write_unaligned(text.len()) };
    text.as_ptr()
}
