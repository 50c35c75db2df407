//! Writing networks into files.

mod posy;

pub use posy::{ExportError, Heading, classifier, extractor};
