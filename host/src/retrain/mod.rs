//! Retraining: trains a model on a folder of photos and a backbone.
//!
//! [`prepare`] computes everything that does not depend on the split (finding photos, features),
//! [`train`] the rest, so that many splits can use one preparation.

mod calibration;
pub mod conversion;
mod dataset_features;
mod error;
mod files;
mod finetune;
mod float_only;
mod prepare;
mod train;

pub use calibration::{Calibration, PHOTOS as CALIBRATION_PHOTOS};
pub use dataset_features::{Notice, Settings, Skipped};
pub use error::RetrainError;
pub use files::file;
pub use finetune::{Adjusted, Variants, can_adjust, prepare_variants};
pub use float_only::{FloatOnly, FloatOutcome, prepare_float, train_float};
pub use prepare::{Prepared, prepare};
pub use train::{FeatureView, Heads, TestSet, TrainOptions, TrainedModel, Trainer, train};
