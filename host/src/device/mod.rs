//! Boards as data, and what fits on them.

mod boards;
mod fit;

pub use boards::{BOARDS, Board};
pub use fit::{Footprint, fits};
