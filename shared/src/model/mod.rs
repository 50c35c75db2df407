//! The model: its layers, and the `.posy` file that stores it.
//!
//! [`Model::read`] checks everything once and borrows; after that, running cannot fail. The file
//! is described for another implementer in `FORMAT.md` beside this module. In a board's flash it lies in a
//! [`slot`], where its head can be replaced without its backbone.

mod blocks;
mod check;
mod distinct;
mod header;
mod layer;
mod params;
mod prelude;
mod read;
pub mod slot;
#[cfg(feature = "alloc")]
mod write;

pub use blocks::HEAD_BLOCK;
pub use check::LayerFault;
pub use header::{
    Acceptance, Golden, GoldenRows, InputContract, MAX_LABELS, Provenance, SplitFacts, Verdict,
};
pub use layer::{Layer, MAX_LAYERS, Op, Padding, Shape};
pub use prelude::{CRC, FORMAT_VERSION, HEAD_ALIGN, MAGIC, PRELUDE_LEN, Prelude};
pub use read::{Model, ReadError};
#[cfg(feature = "alloc")]
pub use write::{
    AcceptanceSpec, AddTables, ChannelTables, LayerSpec, ModelSpec, Tables, WriteError, write,
    write_with,
};
