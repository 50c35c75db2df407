//! Boards: their data, what fits them, flashing, and the serial protocol.

mod boards;
pub mod dfu;
pub mod drive;
pub mod elf;
pub mod emulator;
mod fit;
pub mod flash;
pub mod hex;
pub mod image;
pub mod link;
pub mod port;
pub mod probe;
pub mod program;
pub mod protocol;
pub mod samba;
pub mod speed;
pub mod tool;
pub mod uf2;

pub use boards::{BOARDS, Board, FileKind, Loader, SambaPort, Uf2Drive};
pub use fit::{Footprint, fits, fitting};
