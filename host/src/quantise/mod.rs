//! Quantisation to int8, from floating point or from a network trained in uint8.
//!
//! | file | contents |
//! |---|---|
//! | `multiplier.rs` | integer multipliers of kernels from real scales |
//! | `trained.rs` | a trained quantised network in the int8 specification |
//! | `float.rs` | a float network and ranges to int8 |
//! | `calibrate.rs` | calibration: activations on photos |
//! | `ranges.rs` | activation range of a layer with least mean square error |
//! | `photos.rs` | a float network and photos to int8 |
//! | `equalise.rs` | cross-layer equalisation |
//! | `moments.rs` | second moments of a layer's inputs |
//! | `nearest.rs` | GPTQ weight rounding by those moments |
//! | `correct.rs` | bias correction |
//! | `constant` | removal of constant channels |

pub mod calibrate;
pub mod constant;
pub mod correct;
pub mod equalise;
pub mod float;
pub mod moments;
pub mod multiplier;
pub mod nearest;
pub mod photos;
pub mod ranges;
#[cfg(test)]
pub(crate) mod simulate;
#[cfg(test)]
mod tests;
pub mod trained;
