//! Errors of retraining.

use std::path::PathBuf;

use posy_nn::export::ExportError;
use posy_nn::runtime::float::FloatError;
use posy_nn::zoo::backbone::BackboneError;
use posy_shared::engine::EngineError;
use posy_shared::model::ReadError;

use crate::dataset::ScanError;
use crate::train::HeadError;

/// Errors of retraining.
#[derive(Debug, thiserror::Error)]
pub enum RetrainError {
    /// The photos cannot be found.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The backbone cannot be loaded.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The float network cannot run.
    #[error("the float network does not run: {0}")]
    Float(#[from] FloatError),
    /// Training of the head failed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The model cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A model written by posy cannot be read or run.
    #[error("the network makes no valid model: {0}")]
    Model(#[from] ReadError),
    /// The model's answer changed when its constant channels were removed.
    #[error(
        "the model answers otherwise without its constant channels: a fault in posy, please report \
         it with the network's file"
    )]
    Compact,
    /// The last layer cannot run.
    #[error("the model's last layer does not run: {0}")]
    Engine(#[from] EngineError),
    /// Photos were skipped in strict mode.
    #[error(
        "{count} of the files in {} cannot be used (named above); mend or remove them, or leave \
         out --strict to go on without them",
        folder.display()
    )]
    Strict {
        /// Number of skipped files.
        count: usize,
        /// The folder of photos.
        folder: PathBuf,
    },
    /// A label has no training photos.
    #[error(
        "the split leaves label {label:?} no photo to train on; add photos of it, take its folder \
         away, or divide the photos otherwise (--split, --split-seed)"
    )]
    NoTrainingPhotos {
        /// The label.
        label: String,
    },
    /// The backbone has no last layer that can be fine-tuned, or its maps are missing.
    #[error(
        "the network does not end in a pointwise layer and a pool, so there is nothing to adjust; \
         train with --trainer logistic"
    )]
    NothingToAdjust,
    /// A photo could be read before, but not again.
    #[error("{}: {reason}; was it changed while posy ran? Run posy again", path.display())]
    Variants {
        /// File of the photo.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Fewer than two labels have readable photos.
    #[error(
        "{}: photos of fewer than two labels can be read; nothing can be told apart. Fill at \
         least two folders with photos",
        folder.display()
    )]
    TooFewLabels {
        /// The folder of photos.
        folder: PathBuf,
    },
}
