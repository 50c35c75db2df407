//! Writing networks into files.

mod posy;

pub use posy::{Answering, ExportError, Heading, classifier, extractor, softmax_beta};
