//! Reads a network from a file, whatever its kind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::network::TrainedNetwork;
use super::tflite::{self, TfliteError};

/// Bytes that a network's file may have; the largest MobileNet has 7 MB in int8.
const MAX_LEN: u64 = 256 << 20;

/// Why a network's file could not be used; each names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read the network {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Larger than any network that posy runs.
    #[error("{path} has {len} bytes; posy reads networks up to {MAX_LEN} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
    /// Another kind of file.
    #[error("{path} is {kind}; posy reads quantised TensorFlow Lite files (.tflite). {advice}")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        kind: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A TensorFlow Lite file that posy cannot use.
    #[error("{path}: {source}")]
    Tflite {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TfliteError,
    },
}

/// Reads the network in `path`; what kind of file it is, its bytes say.
///
/// # Errors
/// [`ReadError`] names the file, and what is wrong with it.
pub fn read_file(path: &Path) -> Result<TrainedNetwork, ReadError> {
    let io = |source| ReadError::Io {
        path: path.into(),
        source,
    };
    let len = fs::metadata(path).map_err(io)?.len();
    if len > MAX_LEN {
        return Err(ReadError::TooLarge {
            path: path.into(),
            len,
        });
    }
    let bytes = fs::read(path).map_err(io)?;
    if tflite::is_tflite(&bytes) {
        return tflite::read(&bytes).map_err(|source| ReadError::Tflite {
            path: path.into(),
            source,
        });
    }
    let (kind, advice) = sniff(&bytes);
    Err(ReadError::Kind {
        path: path.into(),
        kind,
        advice,
    })
}

/// What a file that is no TensorFlow Lite file seems to be, and what to do.
fn sniff(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [] => ("empty", "Fetch it again."),
        [0x1f, 0x8b, ..] => (
            "a compressed archive",
            "Unpack it and give the .tflite file inside.",
        ),
        [b'P', b'K', 3, 4, ..] => (
            "a zip archive",
            "Unpack it and give the .tflite file inside.",
        ),
        [b'P', b'O', b'S', b'Y', ..] => (
            "a model that posy has written",
            "Give the network it was trained from.",
        ),
        [0x89, b'H', b'D', b'F', ..] => (
            "a Keras or HDF5 file",
            "Convert it with full-integer quantisation.",
        ),
        [b'<', ..] => ("a web page", "The download did not give the file itself."),
        // Protocol buffers: an ONNX file begins with its version (field 1), a frozen TensorFlow
        // graph with its first node (field 1, a message).
        [0x08, 1..=16, ..] => (
            "probably an ONNX file",
            "Give the network's quantised .tflite file.",
        ),
        [0x0a, ..] => (
            "probably a TensorFlow graph",
            "Give the network's quantised .tflite file.",
        ),
        _ => (
            "of unknown kind",
            "Give the network's quantised .tflite file.",
        ),
    }
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
        assert!(refusal(&[8, 7, 0x12, 4]).contains("ONNX"));
        assert!(refusal(b"\x20\0\0\0TFL3 and then nothing").contains("damaged"));
        let missing = read_file(Path::new("/nowhere/net.tflite"))
            .unwrap_err()
            .to_string();
        assert!(missing.contains("/nowhere/net.tflite"), "{missing}");
    }
}
