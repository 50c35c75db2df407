//! Converts a quantised TensorFlow Lite classifier, with its own classes, to another format.

use std::path::{Path, PathBuf};

use posy_shared::model::{InputContract, Provenance, SplitFacts};

use crate::bounded::{self, FileError};
use crate::export::metadata::{CROP, RESIZE, from_words};
use crate::export::onnx::onnx_bytes;
use crate::export::onnx_int8::qdq_bytes;
use crate::export::tensorflow::graph_def_bytes;
use crate::export::tflite::tflite_bytes;
use crate::export::{ExportError, Facts, Format, ModelMetadata, ScoreParams, compact_extractor};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{FloatNetwork, TrainedNetwork};
use crate::import::file::{ReadError, read_file};
use crate::import::tflite::{Extras, PICTURES, TfliteError, extras};
use crate::quantise::from_quantised::from_trained;

/// Failure to convert a file; each message names it.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file changed while it was read, or reading it again failed.
    #[error("{path}: {source}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: FileError,
    },
    /// Its metadata or softmax cannot be read.
    #[error("{path}: {source}")]
    Extras {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: TfliteError,
    },
    /// The network has no classifier.
    #[error(
        "{0}: the network ends in features and names nothing; give a classifier, or teach it labels \
         with posy retrain --backbone"
    )]
    Features(PathBuf),
    /// The softmax's beta is not positive.
    #[error(
        "{path}: its softmax multiplies by {beta}, which must be above 0; fetch the file again"
    )]
    Beta {
        /// Path of the file.
        path: PathBuf,
        /// The beta.
        beta: f32,
    },
    /// The number of labels differs from the number of classes.
    #[error(
        "{path}: the network has {classes} classes, and {labels} labels were given; give a file with \
         one label a line (--labels)"
    )]
    Labels {
        /// Path of the network's file.
        path: PathBuf,
        /// Number of the network's outputs.
        classes: usize,
        /// Number of labels.
        labels: usize,
    },
    /// The metadata for image preparation has unknown words.
    #[error(
        "{0}: it says in words unknown to this posy how pictures are resized; use a newer posy"
    )]
    Pictures(PathBuf),
    /// The network cannot be written.
    #[error("{path}: {source}")]
    Export {
        /// Path of the network's file.
        path: PathBuf,
        /// Cause.
        source: ExportError,
    },
}

/// A complete classifier from a file.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    network: TrainedNetwork,
    beta: f32,
    input: InputContract,
    /// Labels in the order of the outputs; `None` if the file has none.
    pub labels: Option<Vec<String>>,
    /// Number of classes.
    pub classes: usize,
}

impl Source {
    /// Reads the classifier in `path`; `labels` replace its own.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn read(path: &Path, labels: Option<Vec<String>>) -> Result<Self, ConvertError> {
        let network = read_file(path)?;
        let bytes = bounded::read(path, bounded::NETWORK).map_err(|source| ConvertError::Io {
            path: path.into(),
            source,
        })?;
        let Extras {
            beta,
            labels: own,
            texts,
        } = extras(&bytes).map_err(|source| ConvertError::Extras {
            path: path.into(),
            source,
        })?;
        let features = || ConvertError::Features(path.into());
        let classes = network.class_count().ok_or_else(features)?;
        let labels = labels.or(own);
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != classes) {
            return Err(ConvertError::Labels {
                path: path.into(),
                classes,
                labels: labels.len(),
            });
        }
        let beta = beta.unwrap_or(1.0);
        if !(beta > 0.0 && beta.is_finite()) {
            let path = path.into();
            return Err(ConvertError::Beta { path, beta });
        }
        let mut words = texts.iter().filter(|(name, _)| name == PICTURES);
        let words = words.next().map_or("", |(_, text)| text);
        let word = |name| {
            let mut pairs = words.lines().filter_map(|line| line.split_once(' '));
            pairs.find(|(key, _)| *key == name).map(|(_, word)| word)
        };
        let input = from_words(word(CROP), word(RESIZE))
            .ok_or_else(|| ConvertError::Pictures(path.into()))?;
        Ok(Source {
            path: path.into(),
            network,
            beta,
            input,
            labels,
            classes,
        })
    }

    /// Pixel scaling of its input, if it is not a pixel less 128.
    pub fn grey_levels(&self) -> Option<GreyLevels> {
        self.network.pixels
    }

    /// Bytes of a file in this format. Classes without a label are named `class 0` and so on.
    ///
    /// # Errors
    /// [`ConvertError::Export`].
    pub fn write(&self, format: Format) -> Result<Vec<u8>, ConvertError> {
        let numbered = || (0..self.classes).map(|class| format!("class {class}"));
        let labels = self.labels.clone().unwrap_or_else(|| numbered().collect());
        let facts = Facts {
            labels: &labels,
            beta: self.beta,
            input: self.input,
        };
        let int8 = || from_trained(&self.network).0;
        let float = || FloatNetwork::from(&self.network);
        Ok(match format {
            Format::Posy => self.model(labels)?,
            Format::Tflite => tflite_bytes(&int8(), &facts),
            Format::Onnx => onnx_bytes(&float(), &facts),
            Format::OnnxInt8 => qdq_bytes(&int8(), &facts),
            Format::GraphDef => graph_def_bytes(&float(), self.beta),
        })
    }

    fn model(&self, labels: Vec<String>) -> Result<Vec<u8>, ConvertError> {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let metadata = ModelMetadata {
            input: self.input,
            labels,
            score_params: ScoreParams {
                temperature: 1.0 / self.beta,
                ..ScoreParams::default()
            },
            provenance: Provenance {
                architecture: &name,
                backbone_sha256: self.network.sha256,
                posy_version: env!("CARGO_PKG_VERSION"),
                split: SplitFacts::default(),
                float_accuracy: None,
                int8_accuracy: None,
            },
        };
        let network = from_trained(&self.network).0;
        compact_extractor(&network, &metadata).map_err(|source| ConvertError::Export {
            path: self.path.clone(),
            source,
        })
    }
}
