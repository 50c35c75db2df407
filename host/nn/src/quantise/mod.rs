//! Quantisation to int8, from floating point or from a network trained in uint8.
//!
//! | file | contents |
//! |---|---|
//! | `from_quantised.rs` | a trained quantised network in the int8 specification |
//! | `from_ranges.rs` | a float network and ranges to int8 |
//! | `observe.rs` | calibration: activations on photos |
//! | `ranges.rs` | activation range of a layer with least mean square error |
//! | `from_float.rs` | a float network and photos to int8 |
//! | `equalise.rs` | cross-layer equalisation |
//! | `moments.rs` | second moments of a layer's inputs |
//! | `gptq.rs` | GPTQ weight rounding by those moments |
//! | `bias_correction.rs` | bias correction |
//! | `constant_channels/` | removal of constant channels |

pub mod bias_correction;
pub mod constant_channels;
pub mod equalise;
pub mod from_float;
pub mod from_quantised;
pub mod from_ranges;
pub mod gptq;
pub mod moments;
pub mod observe;
pub mod ranges;
#[cfg(test)]
pub(crate) mod simulate;
#[cfg(test)]
mod tests;
