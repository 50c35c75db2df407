//! Features of photos: parallel extraction on all cores, cached by content.
//!
//! [`extract`](extract::extract) maps photo files to the bytes that an
//! [`Extractor`](extract::Extractor) computes (int8 values, or little-endian f32), asking a
//! [`Cache`](cache::Cache) first. It knows nothing of pixels or networks; [`extractors`] do.

pub mod cache;
pub mod extract;
pub mod extractors;
pub mod maps;
pub mod pair;
pub mod progress;
mod segment;
mod stamp;
#[cfg(test)]
pub(crate) mod testing;
pub mod usage;
