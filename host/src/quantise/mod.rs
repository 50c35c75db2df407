//! From floating point, or from trained uint8, to int8.
//!
//! | file | what it does |
//! |---|---|
//! | `multiplier.rs` | the integers that kernels need, from real scales |
//! | `trained.rs` | a trained quantised network in the int8 specification |

pub mod multiplier;
pub mod trained;
