//! What boards' programs share and only a linker or a core knows: where the model lies in flash, how
//! deep the stack went, and how work gets to a second core.
#![no_std]

mod second;
mod slot;
mod stack;

pub use second::{Mailbox, Partner};
pub use slot::{Slot, model_slot};
pub use stack::stack;
