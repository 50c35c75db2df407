//! Converts a classifier, with its own classes, to another format: a quantised TensorFlow Lite file as it is, a
//! float one, or a frozen graph, quantised with photos.

use std::path::{Path, PathBuf};

use posy_shared::model::{InputContract, Provenance, Shape, SplitFacts};

use crate::bounded::{self, FileError};
use crate::export::metadata::{CROP, RESIZE, from_words};
use crate::export::onnx::onnx_bytes;
use crate::export::onnx_int8::qdq_bytes;
use crate::export::tensorflow::{graph_def_bytes, logistic_graph_def_bytes};
use crate::export::tflite::tflite_bytes;
use crate::export::{ExportError, Facts, Format, ModelMetadata, ScoreParams, compact_extractor};
use crate::graph::grey_levels::GreyLevels;
use crate::graph::network::{FloatNetwork, IntNetwork, Scoring};
use crate::import::file::{Network, ReadError, read_network_sized};
use crate::import::float_file::FloatFile;
use crate::import::normalisation::Normalisation;
use crate::import::tflite::{Extras, PICTURES, TfliteError, extras, is_tflite};
use crate::quantise::from_float::from_photos;
use crate::quantise::from_quantised::from_trained;
use crate::quantise::from_ranges::QuantiseError;

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
    /// An operator behind the features that posy cannot run.
    #[error(
        "{path}: {reason}; as a backbone (posy retrain --backbone) what follows its features does not matter"
    )]
    Unread {
        /// Path of the file.
        path: PathBuf,
        /// Refusal of the operator.
        reason: String,
    },
    /// A float network without photos.
    #[error(
        "{0} is a network in floating point; give photos of what it tells apart, so that it can be quantised (--photos \
         FOLDER), or teach it labels of your own with posy retrain --backbone"
    )]
    Float(PathBuf),
    /// A float network that cannot be quantised.
    #[error("{path}: {source}")]
    Quantise {
        /// Path of the network's file.
        path: PathBuf,
        /// Cause.
        source: QuantiseError,
    },
    /// The network cannot be written.
    #[error("{path}: {source}")]
    Export {
        /// Path of the network's file.
        path: PathBuf,
        /// Cause.
        source: ExportError,
    },
}

/// Score of one half in 1/65536: below it, a label of logistic scores is not meant.
const LOGISTIC_HALF: u32 = 1 << 15;

/// A complete classifier from a file.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    sha256: [u8; 32],
    int: IntNetwork,
    float: FloatNetwork,
    beta: f32,
    /// True if scores are a logistic function of each logit.
    pub logistic: bool,
    input: InputContract,
    /// Labels in the order of the outputs; `None` if the file has none.
    pub labels: Option<Vec<String>>,
    /// Number of classes.
    pub classes: usize,
}

/// A float classifier, which photos must quantise.
#[derive(Clone, Debug)]
pub struct FloatSource {
    path: PathBuf,
    file: FloatFile,
    scoring: Scoring,
    facts: FileFacts,
}

/// A classifier from a file.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A quantised one.
    Ready(Box<Source>),
    /// A float one.
    Float(Box<FloatSource>),
}

/// Facts that a file states besides its layers.
#[derive(Clone, Debug)]
struct FileFacts {
    beta: f32,
    logistic: bool,
    labels: Option<Vec<String>>,
    input: InputContract,
    classes: usize,
}

impl FileFacts {
    /// Facts of the file `path` with `classes` classes; `labels` replace its own.
    fn read(
        path: &Path,
        classes: usize,
        labels: Option<Vec<String>>,
    ) -> Result<Self, ConvertError> {
        let bytes = bounded::read(path, bounded::NETWORK).map_err(|source| ConvertError::Io {
            path: path.into(),
            source,
        })?;
        let Extras {
            beta,
            logistic,
            labels: own,
            texts,
        } = match is_tflite(&bytes) {
            true => extras(&bytes).map_err(|source| ConvertError::Extras {
                path: path.into(),
                source,
            })?,
            false => Extras::default(),
        };
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
        Ok(FileFacts {
            beta,
            logistic,
            labels,
            input,
            classes,
        })
    }

    /// Takes the scores that the network's reader found.
    fn score(&mut self, scoring: Scoring) {
        match scoring {
            Scoring::Softmax { beta } => self.beta = beta,
            Scoring::Logistic => self.logistic = true,
        }
    }

    fn source(
        self,
        path: PathBuf,
        sha256: [u8; 32],
        int: IntNetwork,
        float: FloatNetwork,
    ) -> Source {
        Source {
            path,
            sha256,
            int,
            float,
            beta: self.beta,
            logistic: self.logistic,
            input: self.input,
            labels: self.labels,
            classes: self.classes,
        }
    }
}

impl Opened {
    /// Reads the classifier in `path`; `labels` replace its own. A frozen graph that leaves its input's
    /// size open is read for pictures of `size` x `size` pixels.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn read(
        path: &Path,
        labels: Option<Vec<String>>,
        size: Option<u16>,
    ) -> Result<Self, ConvertError> {
        let features = || ConvertError::Features(path.into());
        match read_network_sized(path, size)? {
            Network::Trained(network) => {
                // A backbone may end anywhere behind its features, a classifier is needed whole.
                if let Some(reason) = &network.unread {
                    let (path, reason) = (path.into(), reason.clone());
                    return Err(ConvertError::Unread { path, reason });
                }
                let classes = network.class_count().ok_or_else(features)?;
                let mut facts = FileFacts::read(path, classes, labels)?;
                if let Some(scoring) = network.scoring {
                    facts.score(scoring);
                }
                let (int, float) = (from_trained(&network).0, FloatNetwork::from(&network));
                let source = facts.source(path.into(), network.sha256, int, float);
                Ok(Opened::Ready(Box::new(source)))
            }
            Network::Float(file) => {
                let scoring = file.scoring.ok_or_else(features)?;
                let last = file.layers.last().ok_or_else(features)?;
                let facts = FileFacts::read(path, last.common.output.len(), labels)?;
                Ok(Opened::Float(Box::new(FloatSource {
                    path: path.into(),
                    file,
                    scoring,
                    facts,
                })))
            }
        }
    }
}

impl FloatSource {
    /// Shape of the input.
    pub fn input_shape(&self) -> Option<Shape> {
        self.file.input_shape()
    }

    /// Preparation of pictures.
    pub fn input(&self) -> InputContract {
        self.facts.input
    }

    /// Guessed pixel normalisation.
    pub fn usual_normalisation(&self) -> Normalisation {
        self.file.usual_normalisation()
    }

    /// Quantises the network with `photos`, inputs `[H, W, C]` of pixels less 128, for `normalisation`.
    ///
    /// # Errors
    /// [`ConvertError::Quantise`].
    pub fn quantise(
        self,
        normalisation: &Normalisation,
        photos: &[Vec<i8>],
    ) -> Result<Source, ConvertError> {
        let FloatSource {
            path,
            file,
            scoring,
            mut facts,
        } = self;
        let float = file.network(normalisation);
        let int = from_photos(&float, photos).map_err(|source| ConvertError::Quantise {
            path: path.clone(),
            source,
        })?;
        facts.score(scoring);
        Ok(facts.source(path, file.sha256, int, float))
    }
}

impl Source {
    /// Reads the quantised classifier in `path`; `labels` replace its own.
    ///
    /// # Errors
    /// [`ConvertError`].
    pub fn read(path: &Path, labels: Option<Vec<String>>) -> Result<Self, ConvertError> {
        match Opened::read(path, labels, None)? {
            Opened::Ready(source) => Ok(*source),
            Opened::Float(_) => Err(ConvertError::Float(path.into())),
        }
    }

    /// The network in floating point.
    pub fn float(&self) -> &FloatNetwork {
        &self.float
    }

    /// Pixel scaling of its input, if it is not a pixel less 128.
    pub fn grey_levels(&self) -> Option<GreyLevels> {
        self.int.pixels
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
            logistic: self.logistic,
            input: self.input,
        };
        Ok(match format {
            Format::Posy => self.model(labels)?,
            Format::Tflite => tflite_bytes(&self.int, &facts),
            Format::Onnx => onnx_bytes(&self.float, &facts),
            Format::OnnxInt8 => qdq_bytes(&self.int, &facts),
            Format::GraphDef if self.logistic => logistic_graph_def_bytes(&self.float),
            Format::GraphDef => graph_def_bytes(&self.float, self.beta),
        })
    }

    fn model(&self, labels: Vec<String>) -> Result<Vec<u8>, ConvertError> {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let metadata = ModelMetadata {
            input: self.input,
            labels,
            score_params: ScoreParams {
                temperature: 1.0 / self.beta,
                logistic: self.logistic,
                unknown_below: if self.logistic { LOGISTIC_HALF } else { 0 },
                ..ScoreParams::default()
            },
            provenance: Provenance {
                architecture: &name,
                backbone_sha256: self.sha256,
                posy_version: env!("CARGO_PKG_VERSION"),
                split: SplitFacts::default(),
                float_accuracy: None,
                int8_accuracy: None,
            },
        };
        compact_extractor(&self.int, &metadata).map_err(|source| ConvertError::Export {
            path: self.path.clone(),
            source,
        })
    }
}
