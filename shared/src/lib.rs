//! The code that laptop and board share, so that both give the same answer bit for bit.
//!
//! `no_std`, no allocation (outside [`model`]'s writer, behind the feature `alloc`, and the kernels of
//! laptops, behind `std`), no floating point between the camera's pixels and the ranked labels, no
//! panic on any bytes.
//!
//! A picture passes through [`image`] -> [`preprocess`] -> [`engine`] (with [`kernels`], scheduled by a
//! [`plan`]) -> [`ranking`]; [`picture`] runs all stages but the last.
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
