//! Last words: why a program ended, in memory that a restart leaves as it is.
//!
//! A board without a debug probe shows nothing of a panic. So its text is kept, and said on
//! the serial port after the restart.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr;

/// Bytes of text; what is longer is cut.
const LEN: usize = 96;
/// Marks of memory in which a program has run, and of words in it.
const RAN: u32 = 0x5261_6E21;
const SAID: u32 = 0x5361_6964;

/// A text of bounded length.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; LEN],
    len: usize,
}

impl Text {
    /// An empty one.
    pub const fn new() -> Self {
        Text {
            bytes: [0; LEN],
            len: 0,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let room = self.bytes.get_mut(self.len..).unwrap_or_default();
            if room.len() < character.len_utf8() {
                return Err(fmt::Error);
            }
            self.len += character.encode_utf8(room).len();
        }
        Ok(())
    }
}

/// Trace of an earlier run of a program.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    /// The mark that it ran, and no words.
    Ran,
    /// Its last words.
    Said(Text),
}

/// The memory: the same in every run of the program, whatever ended the one before.
#[repr(C)]
struct Kept {
    mark: u32,
    text: Text,
    /// Checksum of both fields above.
    checksum: u32,
}

// SAFETY: the section is memory that the start-up code of cortex-m-rt neither fills nor clears; any bytes
// may lie there, which the type allows.
#[unsafe(link_section = ".uninit.last_words")]
static mut KEPT: MaybeUninit<Kept> = MaybeUninit::uninit();

fn checksum(mark: u32, text: &Text) -> u32 {
    let bytes = text.bytes.iter().fold(mark, |sum, &byte| {
        sum.rotate_left(5).wrapping_add(u32::from(byte))
    });
    bytes.rotate_left(7) ^ text.len as u32
}

/// Reads what is there, word by word, since it may be anything.
fn read() -> (u32, Text, u32) {
    let kept = (&raw const KEPT).cast::<Kept>();
    // SAFETY: the fields are integers, for which any bits are a value, and lie in RAM that is aligned for
    // them. Volatile, since what is there was written by another run of the program.
    unsafe {
        (
            ptr::read_volatile(&raw const (*kept).mark),
            ptr::read_volatile(&raw const (*kept).text),
            ptr::read_volatile(&raw const (*kept).checksum),
        )
    }
}

fn write(mark: u32, text: Text) {
    let checksum = checksum(mark, &text);
    let kept = (&raw mut KEPT).cast::<Kept>();
    // SAFETY: nothing holds a reference to the memory, and it is RAM that is aligned for the value.
    // Interrupts that come meanwhile do not touch it, but for one that ends the program.
    unsafe {
        ptr::write_volatile(
            kept,
            Kept {
                mark,
                text,
                checksum,
            },
        );
    }
}

/// Takes the trace of the run before; `None` where there was none since the memory lost its power. What is
/// there is gone then, and this run leaves its mark. To be called first thing.
pub fn take() -> Option<Before> {
    let (mark, text, sum) = read();
    let before = match mark {
        _ if sum != checksum(mark, &text) => None,
        RAN => Some(Before::Ran),
        SAID => Some(Before::Said(text)),
        _ => None,
    };
    write(RAN, Text::new());
    before
}

/// Keeps where the program has panicked, and why as far as that needs no numbers.
pub fn say_panic(info: &PanicInfo<'_>) {
    let mut text = Text::new();
    // What does not fit is cut.
    let _ = text.write_str("panic");
    if let Some(place) = info.location() {
        let file = place.file();
        // The end of a path says more than its beginning.
        let start = file.len().saturating_sub(LEN / 2);
        let _ = write!(
            text,
            " at {}:{}",
            file.get(start..).unwrap_or(file),
            place.line()
        );
    }
    if let Some(message) = info.message().as_str() {
        let _ = write!(text, ": {message}");
    }
    write(SAID, text);
}

/// Keeps a text.
pub fn say(words: &str) {
    let mut text = Text::new();
    // What does not fit is cut.
    let _ = text.write_str(words);
    write(SAID, text);
}

/// Keeps where the core has faulted.
pub fn say_fault(address: u32) {
    let mut text = Text::new();
    let _ = write!(text, "hard fault at {address:#010x}");
    write(SAID, text);
}
