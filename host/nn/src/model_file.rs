//! `.posy` files on disk.

use std::io;
use std::path::{Path, PathBuf};

use posy_shared::model::{Layer, Model, ReadError};

use crate::bounded::{self, FileError};
use crate::graph::cost::{MOST_NUMBERS, MOST_PRODUCTS};

use crate::import::kind::Kind;
use crate::shell::quoted_path;

/// Failure to read a model file.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The file does not exist.
    #[error(
        "{}: there is no such file; `posy retrain --output-graph {}` writes one",
        .0.display(), quoted_path(.0)
    )]
    Missing(PathBuf),
    /// The file is of another kind.
    #[error("{}: is {}, not a posy model. {}", path.display(), kind.what(), help(kind, path))]
    Kind {
        /// Path of the file.
        path: PathBuf,
        /// Apparent kind.
        kind: Kind,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: FileError,
    },
    /// The bytes are no valid model.
    #[error("{path}: {source}{}", advice(source))]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: ReadError,
    },
    /// The model takes more time than a photo is worth.
    #[error(
        "{path}: a photo takes its network {products} million products, about {minutes} minutes at 1,000 million a \
         second; posy runs models of up to {most} million (MobileNet 1.0 at 224 pixels has 568): give another \
         model, or --slow to run it all the same",
        minutes = products / 60_000 + 1,
        most = MOST_PRODUCTS / 1_000_000
    )]
    Slow {
        /// The file.
        path: PathBuf,
        /// Products of a photo in millions.
        products: u64,
    },
    /// The model's maps take more memory than a photo is worth.
    #[error(
        "{path}: its maps have {numbers} million numbers together; give a model that reads a smaller picture, \
             or --slow to run it all the same"
    )]
    Large {
        /// The file.
        path: PathBuf,
        /// Numbers of all maps in millions.
        numbers: u64,
    },
    /// The model outputs features and has no labels.
    #[error("{0}: the model has no labels: it gives features; write a model with `posy retrain`")]
    NoLabels(PathBuf),
}

/// Advice on converting a file of another kind to a model.
fn help(kind: &Kind, path: &Path) -> String {
    let shown = quoted_path(path);
    match kind {
        Kind::Tflite => format!(
            "`posy convert {shown} model.posy` makes one of it, with its own classes; `posy retrain --backbone \
             {shown}` teaches it yours."
        ),
        Kind::Photo | Kind::Program | Kind::Text | Kind::Unknown => {
            "Give a file that `posy retrain` wrote.".into()
        }
        _ => kind.help(path),
    }
}

/// Advice for an invalid model.
fn advice(error: &ReadError) -> &'static str {
    match error {
        ReadError::Empty => "; give a file that `posy retrain` wrote",
        ReadError::Version { .. } => "; write it again with this posy's `posy retrain`",
        _ => "; copy it again, or write it again with `posy retrain`",
    }
}

/// Bytes of a model file; a [`Model`] borrows them.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl ModelFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ModelFileError::Io`].
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        if let Some(kind) = Kind::of_folder(path) {
            let path = path.into();
            return Err(ModelFileError::Kind { path, kind });
        }
        let bytes = bounded::read(path, bounded::NETWORK).map_err(|source| match source {
            FileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                ModelFileError::Missing(path.into())
            }
            source => ModelFileError::Io {
                path: path.into(),
                source,
            },
        })?;
        Ok(ModelFile {
            path: path.into(),
            bytes,
        })
    }

    /// A model converted from the file `path`.
    pub fn made_of(path: &Path, bytes: Vec<u8>) -> Self {
        ModelFile {
            path: path.into(),
            bytes,
        }
    }

    /// Unchecked bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Checks the bytes and returns the model.
    ///
    /// # Errors
    /// [`ModelFileError::Read`].
    pub fn model(&self) -> Result<Model<'_>, ModelFileError> {
        Model::read(&self.bytes).map_err(|source| match source {
            ReadError::Magic => ModelFileError::Kind {
                path: self.path.clone(),
                kind: Kind::of(&self.bytes),
            },
            _ => ModelFileError::Read {
                path: self.path.clone(),
                source,
            },
        })
    }

    /// Refuses a model that would run for minutes or fill the memory, unless that is wanted (`slow`).
    ///
    /// # Errors
    /// [`ModelFileError::Slow`], [`ModelFileError::Large`].
    pub fn check_cost(&self, model: &Model<'_>, slow: bool) -> Result<(), ModelFileError> {
        let sum = |of: fn(&Layer) -> u64| {
            let each = model.layers().iter().map(of);
            each.fold(0_u64, u64::saturating_add)
        };
        let path = || self.path.clone();
        let products = sum(Layer::products);
        let numbers =
            sum(|layer| (layer.input.len() as u64).saturating_add(layer.output.len() as u64));
        match slow {
            false if products > MOST_PRODUCTS => Err(ModelFileError::Slow {
                path: path(),
                products: products / 1_000_000,
            }),
            false if numbers > MOST_NUMBERS => Err(ModelFileError::Large {
                path: path(),
                numbers: numbers / 1_000_000,
            }),
            _ => Ok(()),
        }
    }

    /// Checks the bytes and returns the model, which must have labels.
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
