//! Why retraining ended without a model.

use std::path::PathBuf;

use posy_shared::engine::EngineError;
use posy_shared::model::ReadError;

use crate::backbone::float::FloatError;
use crate::backbone::load::BackboneError;
use crate::export::ExportError;
use crate::head::HeadError;
use crate::photos::ScanError;

/// Why retraining ended without a model.
#[derive(Debug, thiserror::Error)]
pub enum RetrainError {
    /// The photos cannot be found.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// There is no backbone.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The float network does not run.
    #[error("the float network does not run: {0}")]
    Float(#[from] FloatError),
    /// The head could not be trained.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The model could not be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A model of our own making does not read or run.
    #[error("the network makes no valid model: {0}")]
    Model(#[from] ReadError),
    /// The model gave another answer with its constant channels taken out.
    #[error(
        "the model answers otherwise without its constant channels: a fault in posy, please report \
         it with the network's file"
    )]
    Compact,
    /// The last layer does not run.
    #[error("the model's last layer does not run: {0}")]
    Engine(#[from] EngineError),
    /// Photos were skipped, and that is not wanted.
    #[error(
        "{count} of the files in {} cannot be used (named above); mend or remove them, or leave \
         out --strict to go on without them",
        folder.display()
    )]
    Strict {
        /// How many.
        count: usize,
        /// The folder of photos.
        folder: PathBuf,
    },
    /// All photos of a label are tested or chosen on.
    #[error(
        "the split leaves label {label:?} no photo to train on; add photos of it, take its folder \
         away, or divide the photos otherwise (--split, --split-seed)"
    )]
    NoTrainingPhotos {
        /// The label.
        label: String,
    },
    /// The backbone has no last layer that could be adjusted, or its maps are missing.
    #[error(
        "the network does not end in a pointwise layer and a pool, so there is nothing to adjust; \
         train with --trainer logistic"
    )]
    NothingToAdjust,
    /// A photo that could be read a moment ago cannot be read again.
    #[error("{}: {reason}; was it changed while posy ran? Run posy again", path.display())]
    Variants {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Too few photos could be read.
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
