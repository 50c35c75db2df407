//! Features of photos, computed in parallel on all cores and cached by content.
//!
//! [`extract`](extract::extract) takes photo files to the bytes that an
//! [`Extractor`](extract::Extractor) makes of them (int8 values, or f32 little-endian), asking a
//! [`Cache`](cache::Cache) first. It knows nothing of pixels or networks;
//! [`extractors`] do.

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
