//! Reads a network from a file, whatever its kind.

use std::path::{Path, PathBuf};

use super::float_file::FloatFile;
use super::onnx::{self, OnnxError};
use super::tensorflow::{self, FrozenError};
use super::tflite::{self, TfliteError};
use crate::bounded::{self, FileError, NETWORK};
use crate::graph::cost::{CostError, check_cost};
use crate::graph::network::{Common, TrainedNetwork};
use crate::import::kind::Kind;

/// Reasons for which a network's file could not be used; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read the network {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Reason of the refusal.
        source: FileError,
    },
    /// A network that takes more than any board or laptop should.
    #[error("{path}: {source}")]
    Cost {
        /// The file.
        path: PathBuf,
        /// Cost that is too large.
        source: CostError,
    },
    /// Another kind of file.
    #[error(
        "{} is {}; posy reads TensorFlow Lite files (.tflite), ONNX files (.onnx) and TensorFlow's frozen graphs \
         (.pb). {}",
        path.display(), kind.what(), kind.help(path)
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// Kind that its bytes look like.
        kind: Kind,
    },
    /// A TensorFlow Lite file that posy cannot use.
    #[error("{path}: {source}")]
    Tflite {
        /// The file.
        path: PathBuf,
        /// Reason of the refusal.
        source: TfliteError,
    },
    /// An ONNX file that posy cannot use.
    #[error("{path}: {source}")]
    Onnx {
        /// The file.
        path: PathBuf,
        /// Reason of the refusal.
        source: OnnxError,
    },
    /// A frozen graph that posy cannot use.
    #[error("{path}: {source}")]
    Frozen {
        /// The file.
        path: PathBuf,
        /// Reason of the refusal.
        source: FrozenError,
    },
    /// A float network where a quantised one is needed.
    #[error(
        "{path} is a network in floating point; it must be quantised with photos first, which posy retrain --backbone does"
    )]
    Float {
        /// The file.
        path: PathBuf,
    },
}

/// Contents of a network's file.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    /// A quantised network.
    Trained(TrainedNetwork),
    /// A network in floating point.
    Float(FloatFile),
}

/// Reads the quantised network in `path`.
///
/// # Errors
/// As [`read_network`]; [`ReadError::Float`].
pub fn read_file(path: &Path) -> Result<TrainedNetwork, ReadError> {
    match read_network(path)? {
        Network::Trained(network) => Ok(network),
        Network::Float(_) => Err(ReadError::Float { path: path.into() }),
    }
}

/// Reads the network in `path`; what kind of file it is, its bytes say.
///
/// # Errors
/// [`ReadError`] names the file, and what is wrong with it.
pub fn read_network(path: &Path) -> Result<Network, ReadError> {
    read_network_sized(path, None)
}

/// As [`read_network`]; a frozen graph or a TensorFlow Lite file that leaves the size of its input open is read for
/// pictures of `size` x `size` pixels.
///
/// # Errors
/// As [`read_network`].
pub fn read_network_sized(path: &Path, size: Option<u16>) -> Result<Network, ReadError> {
    let network = decode_network(path, size)?;
    let layers: Vec<&Common> = match &network {
        Network::Trained(network) => network.layers.iter().map(|layer| &layer.common).collect(),
        Network::Float(file) => file.layers.iter().map(|layer| &layer.common).collect(),
    };
    match check_cost(&layers) {
        Ok(()) => Ok(network),
        Err(source) => Err(ReadError::Cost {
            path: path.into(),
            source,
        }),
    }
}

fn decode_network(path: &Path, size: Option<u16>) -> Result<Network, ReadError> {
    let named = || PathBuf::from(path);
    let bytes = bytes_of(path)?;
    let kind = Kind::of(&bytes);
    if kind == Kind::Tflite {
        let read = match tflite::read_float_sized(&bytes, size) {
            Ok(Some(file)) => Ok(Network::Float(file)),
            Ok(None) => tflite::read_sized(&bytes, size).and_then(|network| {
                let first = network.layers.first();
                let channels = first.map_or(0, |layer| layer.common.input.channels);
                match channels {
                    1 | 3 => Ok(Network::Trained(network)),
                    other => Err(TfliteError::Channels(other)),
                }
            }),
            Err(source) => Err(source),
        };
        return read.map_err(|source| ReadError::Tflite {
            path: named(),
            source,
        });
    }
    if kind == Kind::Onnx {
        let read = decode_onnx(path, &bytes).and_then(|file| file.read_network());
        return read.map_err(|source| ReadError::Onnx {
            path: named(),
            source,
        });
    }
    if kind == Kind::Frozen {
        let part = tensorflow::Part {
            size: size.map(|size| (size, size)),
            ..tensorflow::Part::default()
        };
        let read = tensorflow::read_part(&bytes, &part).map(Network::Float);
        return read.map_err(|source| ReadError::Frozen {
            path: named(),
            source,
        });
    }
    Err(ReadError::Kind {
        path: named(),
        kind,
    })
}

/// Reads the ONNX model in `path`; none if it is a file of another kind.
///
/// # Errors
/// [`ReadError`].
pub fn read_onnx(path: &Path) -> Result<Option<onnx::File>, ReadError> {
    let bytes = bytes_of(path)?;
    if Kind::of(&bytes) != Kind::Onnx {
        return Ok(None);
    }
    let file = decode_onnx(path, &bytes);
    file.map(Some).map_err(|source| ReadError::Onnx {
        path: path.into(),
        source,
    })
}

fn decode_onnx(path: &Path, bytes: &[u8]) -> Result<onnx::File, OnnxError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    onnx::File::open(bytes, folder, NETWORK)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, ReadError> {
    if let Some(kind) = Kind::of_folder(path) {
        let path = path.into();
        return Err(ReadError::Kind { path, kind });
    }
    bounded::read(path, NETWORK).map_err(|source| ReadError::Io {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let message = read_file(file.path()).unwrap_err().to_string();
        assert!(message.contains(file.path().to_str().unwrap()), "{message}");
        message
    }

    #[test]
    fn refusals_name_the_file_and_its_kind() {
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(&[0x1f, 0x8b, 8, 0]).contains("archive"));
        assert!(refusal(b"<!DOCTYPE html>").contains("web page"));
        assert!(refusal(&[8, 7, 0x12, 4]).contains("damaged or cut short"));
        assert!(refusal(b"\x0a\x2b\x0a\x05input").contains("damaged or cut short"));
        assert!(refusal(b"\x20\0\0\0TFL3 and then nothing").contains("damaged"));
        let missing = read_file(Path::new("/nowhere/net.tflite"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("/nowhere/net.tflite"), "{missing}");
    }
}
