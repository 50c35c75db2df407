//! Boards: their data, what fits them, flashing, and the serial protocol.

mod boards;
pub mod drive;
pub mod elf;
pub mod emulator;
mod fit;
pub mod flash;
pub mod port;
pub mod probe;
pub mod program;
pub mod protocol;
pub mod speed;
pub mod uf2;

pub use boards::{BOARDS, Board, Uf2Drive};
pub use fit::{Footprint, fits, fitting};
