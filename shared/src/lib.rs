//! The code that laptop and board share, so that both give the same answer bit for bit.
//!
//! `no_std`, no allocation (outside [`model`]'s writer, behind the feature `alloc`, and the kernels of
//! laptops, behind `std`), no floating point between the camera's pixels and the ranked labels, no
//! panic on any bytes.
//!
//! A picture passes through [`image`] -> [`preprocess`] -> [`engine`] (with [`kernels`], scheduled by a
//! [`plan`]) -> [`ranking`]; [`picture`] runs all stages but the last.
//!
//! # Example
//!
//! ```
//! use posy_shared::engine::{Engine, EngineError};
//! use posy_shared::kernels::scalar::Scalar;
//! use posy_shared::model::Model;
//! use posy_shared::ranking::Ranking;
//!
//! /// Prints the labels of an input, int8 `[H, W, 3]`, computed in the caller's memory.
//! fn classify(model: &Model<'_>, input: &[i8], arena: &mut [i8]) -> Result<(), EngineError> {
//!     let mut engine = Engine::new(model, arena, Scalar)?;
//!     for row in input.chunks_exact(model.input_shape().row_len()) {
//!         engine.push_row(row)?;
//!     }
//!     println!("{}", Ranking::<5>::new(model, engine.finish()?));
//!     Ok(())
//! }
//!
//! // A file is checked once, when it is read; running it cannot fail after that.
//! assert!(Model::read(b"no model").is_err());
//! ```
#![no_std]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;

pub mod engine;
pub mod familiarity;
pub mod image;
pub mod kernels;
pub mod link;
pub mod model;
pub mod picture;
pub mod plan;
pub mod preprocess;
pub mod ranking;
pub mod scores;
pub mod shown;
pub mod softmax;
