//! From floating point, or from trained uint8, to int8.
//!
//! | file | what it does |
//! |---|---|
//! | `multiplier.rs` | the integers that kernels need, from real scales |
//! | `trained.rs` | a trained quantised network in the int8 specification |
//! | `float.rs` | a float network and ranges, to int8 |
//! | `calibrate.rs` | what layers write for photos |
//! | `ranges.rs` | the range that a layer's steps are laid over |
//! | `photos.rs` | a float network and photos, to int8 |
//! | `equalise.rs` | channels that differ wildly are made alike first |
//! | `moments.rs` | how what weights read varies together |
//! | `nearest.rs` | weights rounded together, by that |
//! | `correct.rs` | what rounding weights does to means is taken back |
//! | `constant` | channels that are the same for every picture are taken out |

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
