//! A backbone: a pre-trained network cut after its pooled features, in integers and floating point.

use std::path::{Path, PathBuf};

use posy_shared::model::{InputContract, Provenance, Shape, SplitFacts};

use super::{Architecture, SourceError};
use crate::dirs::{data_dir_for, data_dirs};
use crate::download::{ProgressSink, RetryPolicy};
use crate::export::{ExportError, ModelMetadata, ScoreParams, extractor};
use crate::graph::network::{
    Common, FloatLayer, FloatNetwork, IntNetwork, Quantisation, TrainedNetwork,
};
use crate::import::file::{Network, ReadError, read_network_sized};
use crate::import::float_file::FloatFile;
use crate::import::normalisation::Normalisation;
use crate::quantise::from_float::from_photos;
use crate::quantise::from_quantised::from_trained;
use crate::quantise::from_ranges::QuantiseError;
use crate::runtime::float::{FloatError, FloatRunner};

/// Failure to open a backbone.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The network has no map, so it has no features.
    #[error(
        "{0}: the network has no map before its classifier, so it has no features to train on; \
         give a MobileNet classifier or feature extractor"
    )]
    NoFeatures(PathBuf),
    /// The network cannot be run in integers.
    #[error("{path}: {source}")]
    Export {
        /// The network's file.
        path: PathBuf,
        /// Cause.
        source: ExportError,
    },
    /// The float network cannot be quantised.
    #[error("{path}: {source}")]
    Quantise {
        /// The network's file.
        path: PathBuf,
        /// Cause.
        source: QuantiseError,
    },
    /// No file of the architecture is on disk, and none could be fetched.
    #[error(
        "no network file for {name} in {}: {source}, or name a file with --backbone, or a folder \
         with --model-dir or POSY_DATA",
        listed(.folders)
    )]
    Fetch {
        /// Architecture.
        name: Architecture,
        /// Folders searched.
        folders: Vec<PathBuf>,
        /// Cause of the failed fetch.
        source: Box<SourceError>,
    },
    /// No file of the architecture was found.
    #[error(
        "no network file for {name} in {}: put {} there, or name a file with --backbone, or a \
         folder with --model-dir or POSY_DATA; posy models lists those that it can fetch",
        listed(.folders),
        name.file_names().join(" or ")
    )]
    Missing {
        /// Architecture.
        name: Architecture,
        /// Folders searched.
        folders: Vec<PathBuf>,
    },
}

fn listed(folders: &[PathBuf]) -> String {
    let names = folders.iter().map(|folder| folder.display().to_string());
    names.collect::<Vec<_>>().join(" or ")
}

/// Subfolder of a data folder that holds networks.
const MODELS: &str = "models";

/// Folders searched for network files, in order, and the folder for downloads.
#[derive(Clone, Debug)]
pub struct ModelDirs {
    folders: Vec<PathBuf>,
    fetched: PathBuf,
}

impl ModelDirs {
    /// Searches `named` alone if given, else `models` in the data folders. Downloads go into the
    /// first of them that is writable.
    pub fn new(named: Option<&Path>) -> Self {
        match named {
            Some(folder) => ModelDirs {
                folders: vec![folder.into()],
                fetched: folder.into(),
            },
            None => ModelDirs {
                folders: data_dirs().iter().map(|data| data.join(MODELS)).collect(),
                fetched: data_dir_for("models/network").join(MODELS),
            },
        }
    }

    /// Appends the default folders to the search; the download folder stays.
    pub fn and_usual(mut self) -> Self {
        for folder in ModelDirs::new(None).folders {
            if !self.folders.contains(&folder) {
                self.folders.push(folder);
            }
        }
        self
    }

    /// File of an architecture, if it is on disk.
    pub fn find(&self, architecture: &Architecture) -> Option<PathBuf> {
        let mut folders = self.folders.iter();
        folders.find_map(|folder| architecture.find_file(folder))
    }

    /// File of an architecture, downloaded if it is not on disk.
    ///
    /// # Errors
    /// [`BackboneError::Missing`] if its address is unknown, [`BackboneError::Fetch`].
    pub fn fetch(
        &self,
        architecture: &Architecture,
        retries: &RetryPolicy,
        progress: &dyn ProgressSink,
    ) -> Result<PathBuf, BackboneError> {
        if let Some(path) = self.find(architecture) {
            return Ok(path);
        }
        let (name, folders) = (*architecture, self.folders.clone());
        let Some(source) = architecture.source() else {
            return Err(BackboneError::Missing { name, folders });
        };
        let file_name = architecture.file_names().swap_remove(0);
        let path = self.fetched.join(file_name);
        match source.fetch(&path, retries, progress) {
            Ok(()) => Ok(path),
            Err(source) => Err(BackboneError::Fetch {
                name,
                folders,
                source: Box::new(source),
            }),
        }
    }
}

/// A pre-trained network, cut after its pooled features.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// Name of the architecture, or of the file.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// In floating point: the values of the file.
    pub float: FloatNetwork,
    /// In integers, as posy's engine runs it.
    pub int: IntNetwork,
}

/// A float network that needs calibration photos before it can be quantised.
#[derive(Clone, Debug)]
pub struct Unquantised {
    name: String,
    path: PathBuf,
    file: FloatFile,
}

/// Result of opening a file.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A quantised network, ready to run.
    Ready(Box<Backbone>),
    /// A float network.
    Float(Box<Unquantised>),
}

impl Opened {
    /// Layers up to the features, as posy's engine would run them.
    pub fn layers(&self) -> Vec<Common> {
        let commons = |layers: &[FloatLayer]| layers.iter().map(|l| l.common.clone()).collect();
        match self {
            Opened::Ready(backbone) => commons(&backbone.float.layers),
            Opened::Float(network) => {
                let normalisation = network.usual_normalisation();
                commons(&network.file.network(&normalisation).layers)
            }
        }
    }
}

impl Unquantised {
    /// Runs every layer once, in floating point, on a grey picture.
    ///
    /// # Errors
    /// [`FloatError`].
    pub fn try_out(&self) -> Result<(), FloatError> {
        let network = self.file.network(&self.usual_normalisation());
        let grey = vec![0.0; self.input_shape().map_or(0, Shape::len)];
        FloatRunner::of_every_layer(&network)?
            .run_real(&grey)
            .map(drop)
    }

    /// Shape of the input.
    pub fn input_shape(&self) -> Option<Shape> {
        self.file.input_shape()
    }

    /// Guessed pixel normalisation.
    pub fn usual_normalisation(&self) -> Normalisation {
        self.file.usual_normalisation()
    }

    /// Quantises the network for `normalisation`. `photos` are calibration inputs, `[H, W, C]`,
    /// pixels less 128, of the kind that will be classified; activation ranges come from them.
    ///
    /// # Errors
    /// [`BackboneError::Quantise`].
    pub fn quantise(
        self,
        normalisation: &Normalisation,
        photos: &[Vec<i8>],
    ) -> Result<Backbone, BackboneError> {
        let Unquantised { name, path, file } = self;
        let float = file.network(normalisation);
        match from_photos(&float, photos) {
            Ok(int) => Ok(Backbone {
                name,
                path,
                sha256: file.sha256,
                float,
                int,
            }),
            Err(source) => Err(BackboneError::Quantise { path, source }),
        }
    }
}

impl Backbone {
    /// Reads the network in the file `path` and names it `name`.
    ///
    /// # Errors
    /// [`BackboneError::Read`], [`BackboneError::NoFeatures`].
    pub fn open(path: &Path, name: &str) -> Result<Opened, BackboneError> {
        Self::open_sized(path, name, None)
    }

    /// As [`Backbone::open`]; a frozen graph that leaves the size of its input open is read for pictures
    /// of `size` x `size` pixels.
    ///
    /// # Errors
    /// As [`Backbone::open`].
    pub fn open_sized(path: &Path, name: &str, size: Option<u16>) -> Result<Opened, BackboneError> {
        Ok(match read_network_sized(path, size)? {
            Network::Trained(network) => Opened::Ready(Box::new(Self::cut(network, path, name)?)),
            Network::Float(file) => Opened::Float(Box::new(Unquantised {
                name: name.to_owned(),
                path: path.into(),
                file: file
                    .truncate_to_features()
                    .ok_or_else(|| BackboneError::NoFeatures(path.into()))?,
            })),
        })
    }

    /// Cuts `network`, read from `path`, after its pooled features and names it `name`.
    pub(super) fn cut(
        network: TrainedNetwork,
        path: &Path,
        name: &str,
    ) -> Result<Self, BackboneError> {
        let trained = network
            .truncate_to_features()
            .ok_or_else(|| BackboneError::NoFeatures(path.into()))?;
        let (int, _) = from_trained(&trained);
        Ok(Backbone {
            name: name.to_owned(),
            path: path.into(),
            sha256: trained.sha256,
            float: FloatNetwork::from(&trained),
            int,
        })
    }

    /// Reads the quantised network in the file `path` and names it `name`.
    ///
    /// # Errors
    /// As [`Backbone::open`]; [`ReadError::Float`].
    pub fn read(path: &Path, name: &str) -> Result<Self, BackboneError> {
        match Backbone::open(path, name)? {
            Opened::Ready(backbone) => Ok(*backbone),
            Opened::Float(_) => Err(ReadError::Float { path: path.into() }.into()),
        }
    }

    /// Quantisation of the features.
    pub fn features(&self) -> Quantisation {
        self.int
            .layers
            .last()
            .map_or(self.int.input, |layer| layer.output)
    }

    /// A `.posy` model whose output is the features.
    ///
    /// # Errors
    /// [`BackboneError::Export`].
    pub fn extractor(&self, input: InputContract) -> Result<Vec<u8>, BackboneError> {
        let metadata = ModelMetadata {
            input,
            labels: Vec::new(),
            score_params: ScoreParams::default(),
            provenance: Provenance {
                architecture: &self.name,
                backbone_sha256: self.sha256,
                posy_version: "",
                split: SplitFacts::default(),
                float_accuracy: None,
                int8_accuracy: None,
            },
        };
        extractor(&self.int, &metadata).map_err(|source| BackboneError::Export {
            path: self.path.clone(),
            source,
        })
    }
}
