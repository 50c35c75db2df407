//! The model: what its layers are, and the `.posy` file that carries it.

mod layer;

pub use layer::{Layer, Op, Padding, Shape};
