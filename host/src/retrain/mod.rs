//! Retraining: trains a model on a folder of photos and a backbone.
//!
//! [`prepare`] computes everything that does not depend on the split (finding photos, features),
//! [`train`] the rest, so that many splits can use one preparation.

mod blocks;
mod calibration;
mod checkpoint;
pub mod conversion;
mod dataset_features;
mod error;
mod files;
mod float_only;
mod prepare;
mod train;
mod variants;

pub use blocks::{Blocks, FineTuneOptions, FineTuned, Plan, Unfit, can_fine_tune};
pub use calibration::{Calibration, PHOTOS as CALIBRATION_PHOTOS};
pub use dataset_features::{Notice, Settings, Skipped};
pub use error::RetrainError;
pub use files::file;
pub use float_only::{FloatOnly, FloatOutcome, prepare_float, train_float};
pub use prepare::{Prepared, prepare};
pub use train::{FeatureView, Heads, TestSet, TrainOptions, TrainedModel, Trainer, planned, train};
pub use variants::{Variants, prepare_variants};
