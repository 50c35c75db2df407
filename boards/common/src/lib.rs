//! Code that boards' programs share and only a linker or a core knows: where the model lies in flash, how
//! deep the stack went, how work gets to a second core, what a program that ended has left to say, and flash that
//! cannot be read.
#![no_std]

mod half_written;
pub mod last_words;
mod second;
mod slot;
mod stack;

pub use half_written::erase_unreadable;
pub use second::{Mailbox, Partner};
pub use slot::{Slot, model_slot, slot_addresses};
pub use stack::stack;
