//! Evaluation: calibration, rejection, significance and the record of a run.
//!
//! | file | contents |
//! |---|---|
//! | `rejection.rs` | the rule for answering `unknown` |
//! | `calibration.rs` | temperature and reliability of scores |
//! | `cross_validation.rs` | out-of-fold predictions |
//! | `prototypes.rs` | out-of-distribution score by similarity to prototypes |
//! | `spherical_kmeans.rs` | clusters of unit vectors |
//! | `prediction.rs` | the prediction of a photo |
//! | `evaluation.rs` | every figure, from the predictions |
//! | `confusion.rs` | confusion matrix |
//! | `paired.rs` | two networks on the same photos (McNemar) |
//! | `stats.rs` | proportions, their intervals and texts, the sign test |
//! | `run_record/` | the record of a run, and the comparison of two |

pub mod calibration;
pub mod confusion;
mod cross_validation;
pub mod evaluation;
pub mod paired;
pub mod prediction;
mod prototypes;
mod rejection;
pub mod run_record;
mod spherical_kmeans;
pub mod stats;

pub use calibration::Reliability;
pub use cross_validation::{FOLDS, FoldModel, LEAST_PHOTOS, OutOfFold, Photos, cross_validate};
pub use evaluation::Evaluation;
pub use prediction::Prediction;
pub use prototypes::Prototypes;
pub use rejection::*;
