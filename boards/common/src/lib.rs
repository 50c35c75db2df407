//! Code that boards' programs share and only a linker or a core knows: where the model lies in flash, how
//! deep the stack went, how work gets to a second core, and what a program that ended has left to say.
#![no_std]

pub mod last_words;
mod second;
mod slot;
mod stack;

pub use second::{Mailbox, Partner};
pub use slot::{Slot, model_slot, slot_addresses};
pub use stack::stack;
