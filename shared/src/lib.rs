//! What the laptop and the board have in common, so that both give the same answer bit for bit.
//!
//! `no_std`, no allocation (outside [`model::write`], behind the feature `alloc`), no floating
//! point between the camera's pixels and the ranked labels, no panic on any bytes.
//!
//! The road of one picture: [`image`] -> [`preprocess`] -> [`engine`] (with [`kernels`], along a
//! [`plan`]) -> [`ranking`].
#![no_std]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;

pub mod image;
pub mod model;
pub mod preprocess;
