//! Writing networks into files.

mod posy;

pub use posy::{
    ExportError, Heading, classifier, compact_classifier, compact_extractor, extractor, layer_specs,
};
