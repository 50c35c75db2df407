//! A backbone: a pre-trained network cut after its pooled features, in every form that is needed.

use std::path::{Path, PathBuf};

use posy_shared::model::{InputContract, Provenance, SplitFacts};

use super::file::{ReadError, read_file};
use super::network::{IntNetwork, Quantisation, TrainedNetwork};
use super::zoo::Architecture;
use crate::export::{Answering, ExportError, Heading, extractor};
use crate::quantise::trained::from_trained;

/// Why there is no backbone.
#[derive(Debug, thiserror::Error)]
pub enum BackboneError {
    /// The file does not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The network has no global pool, so it has no features.
    #[error(
        "{0}: the network never averages over its whole map, so it has no features to train on; \
         give a MobileNet classifier or feature extractor"
    )]
    NoFeatures(PathBuf),
    /// The network cannot be run in integers.
    #[error("{path}: {source}")]
    Export {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: ExportError,
    },
    /// No file of the architecture was found.
    #[error(
        "no network file for {name} in {}: put {} there, or name a file with --backbone, or a \
         folder with --model-dir or POSY_DATA",
        folder.display(),
        name.file_names().join(" or ")
    )]
    Missing {
        /// What was asked for.
        name: Architecture,
        /// Where it was looked for.
        folder: PathBuf,
    },
}

/// A pre-trained network, cut after its pooled features.
#[derive(Clone, Debug)]
pub struct Backbone {
    /// Name of the architecture, or of the file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// As the file has it.
    pub trained: TrainedNetwork,
    /// As posy's engine runs it.
    pub int: IntNetwork,
}

impl Backbone {
    /// Reads the network in the file `path` and calls it `name`.
    ///
    /// # Errors
    /// [`BackboneError::Read`], [`BackboneError::NoFeatures`].
    pub fn read(path: &Path, name: &str) -> Result<Self, BackboneError> {
        let trained = read_file(path)?
            .truncate_to_features()
            .ok_or_else(|| BackboneError::NoFeatures(path.into()))?;
        let (int, _) = from_trained(&trained);
        Ok(Backbone {
            name: name.to_owned(),
            path: path.into(),
            trained,
            int,
        })
    }

    /// Finds and reads the file of an architecture in `folder`.
    ///
    /// # Errors
    /// [`BackboneError::Missing`], and as [`Backbone::read`].
    pub fn find(architecture: &Architecture, folder: &Path) -> Result<Self, BackboneError> {
        let path = architecture
            .find_file(folder)
            .ok_or_else(|| BackboneError::Missing {
                name: *architecture,
                folder: folder.into(),
            })?;
        Self::read(&path, &architecture.to_string())
    }

    /// Quantisation of the features.
    pub fn features(&self) -> Quantisation {
        self.int
            .layers
            .last()
            .map_or(self.int.input, |layer| layer.output)
    }

    /// The model whose output is the features.
    ///
    /// # Errors
    /// [`BackboneError::Export`].
    pub fn extractor(&self, input: InputContract) -> Result<Vec<u8>, BackboneError> {
        let heading = Heading {
            input,
            labels: Vec::new(),
            answering: Answering::default(),
            provenance: Provenance {
                architecture: &self.name,
                backbone_sha256: self.trained.sha256,
                posy_version: "",
                split: SplitFacts::default(),
                float_accuracy: None,
                int8_accuracy: None,
            },
        };
        extractor(&self.int, &heading).map_err(|source| BackboneError::Export {
            path: self.path.clone(),
            source,
        })
    }
}
