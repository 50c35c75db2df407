//! The model: its layers, and the `.posy` file that stores it.
//!
//! [`Model::read`] checks everything once and borrows; after that, running cannot fail. The file is
//! described for another implementer in `FORMAT.md` beside this module.

mod check;
mod distinct;
mod header;
mod layer;
mod params;
mod read;
#[cfg(feature = "alloc")]
mod write;

pub use check::LayerFault;
pub use header::{
    Acceptance, Golden, GoldenRows, InputContract, MAX_LABELS, Provenance, SplitFacts, Verdict,
};
pub use layer::{Layer, MAX_LAYERS, Op, Padding, Shape};
pub use read::{FORMAT_VERSION, MAGIC, Model, PRELUDE_LEN, ReadError};
#[cfg(feature = "alloc")]
pub use write::{
    AcceptanceSpec, AddTables, ChannelTables, LayerSpec, ModelSpec, Tables, WriteError, write,
};
