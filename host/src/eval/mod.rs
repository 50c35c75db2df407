//! Evaluation: calibration, rejection, significance and the record of a run.
//!
//! | file | contents |
//! |---|---|
//! | `rejection.rs` | the rule for answering `unknown` |
//! | `calibration.rs` | temperature and reliability of scores |
//! | `cross_validation.rs` | out-of-fold predictions |
//! | `prototypes.rs` | out-of-distribution score by similarity to prototypes |
//! | `spherical_kmeans.rs` | clusters of unit vectors |
//! | `report.rs` | rejection and calibration on the test photos |
//! | `mcnemar.rs` | two networks on the same photos |
//! | `stats.rs` | shares and their intervals |
//! | `run_record/` | the record of a run, and the comparison of two |

pub mod calibration;
mod cross_validation;
pub mod mcnemar;
mod prototypes;
mod rejection;
mod report;
pub mod run_record;
mod spherical_kmeans;
pub mod stats;

pub use calibration::Reliability;
pub use cross_validation::{FOLDS, FoldModel, LEAST_PHOTOS, OutOfFold, Photos, cross_validate};
pub use prototypes::Prototypes;
pub use rejection::*;
pub use report::{Report, Tested, report};
