//! What every board's program shares and only a linker knows: where the model lies in flash, and
//! how deep the stack went.
#![no_std]

mod slot;
mod stack;

pub use slot::model_slot;
pub use stack::stack;
