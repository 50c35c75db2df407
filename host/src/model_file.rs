//! `.posy` files on disk.

use std::path::{Path, PathBuf};

use posy_shared::model::{Model, ReadError};

/// Why a model file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a model.
    #[error("{path}: {source}{}", advice(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: ReadError,
    },
    /// The model gives features and no labels.
    #[error("{0}: the model has no labels: it gives features; write a model with `posy retrain`")]
    NoLabels(PathBuf),
}

/// What to do about a model that does not read.
fn advice(error: &ReadError) -> &'static str {
    match error {
        ReadError::Empty | ReadError::Magic => "; give a file that `posy retrain` wrote",
        ReadError::Version { .. } => "; write it again with this posy's `posy retrain`",
        _ => "; copy it again, or write it again with `posy retrain`",
    }
}

/// The bytes of a model file; a [`Model`] borrows them.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl ModelFile {
    /// Reads the bytes.
    ///
    /// # Errors
    /// [`ModelFileError::Io`].
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        let bytes = std::fs::read(path).map_err(|source| ModelFileError::Io {
            path: path.into(),
            source,
        })?;
        Ok(ModelFile {
            path: path.into(),
            bytes,
        })
    }

    /// A model that was made of the file `path`.
    pub fn made_of(path: &Path, bytes: Vec<u8>) -> Self {
        ModelFile {
            path: path.into(),
            bytes,
        }
    }

    /// The bytes, unchecked.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The checked model.
    ///
    /// # Errors
    /// [`ModelFileError::Read`].
    pub fn model(&self) -> Result<Model<'_>, ModelFileError> {
        Model::read(&self.bytes).map_err(|source| ModelFileError::Read {
            path: self.path.clone(),
            source,
        })
    }

    /// The checked model, which must have labels.
    ///
    /// # Errors
    /// [`ModelFileError::Read`], [`ModelFileError::NoLabels`].
    pub fn classifier(&self) -> Result<Model<'_>, ModelFileError> {
        let model = self.model()?;
        match model.labels().next() {
            Some(_) => Ok(model),
            None => Err(ModelFileError::NoLabels(self.path.clone())),
        }
    }
}
