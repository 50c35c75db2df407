//! Loads a photo from its path, with the file's name in every error.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::decode::{DecodeError, Decoded, Limits, decode_within};

/// Errors of loading a photo.
#[derive(Debug, Error)]
pub enum PhotoError {
    /// An input error.
    #[error("{}: cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The bytes cannot be decoded.
    #[error("{}: {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoding error.
        source: DecodeError,
    },
}

impl PhotoError {
    /// The file in question.
    pub fn path(&self) -> &Path {
        match self {
            PhotoError::Io { path, .. } | PhotoError::Decode { path, .. } => path,
        }
    }
}

/// The bytes of a photo file, at most [`Limits::max_bytes`].
///
/// # Errors
/// [`PhotoError::Io`]; [`DecodeError::TooManyBytes`] before the file is read.
pub fn read_bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>, PhotoError> {
    let io = |source| PhotoError::Io {
        path: path.to_owned(),
        source,
    };
    let too_long = |bytes| PhotoError::Decode {
        path: path.to_owned(),
        source: DecodeError::TooManyBytes {
            bytes,
            limit: limits.max_bytes,
        },
    };
    let file = File::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    if len > limits.max_bytes {
        return Err(too_long(len));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    // The file may have grown, or have a length that the system does not know.
    file.take(limits.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 > limits.max_bytes {
        return Err(too_long(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Reads and decodes a photo file.
///
/// # Errors
/// [`PhotoError`].
pub fn load(path: &Path, limits: &Limits) -> Result<Decoded, PhotoError> {
    let bytes = read_bytes(path, limits)?;
    decode_within(&bytes, limits).map_err(|source| PhotoError::Decode {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daisy.jpg");
        let message = load(&path, &Limits::default()).unwrap_err().to_string();
        assert!(message.contains("daisy.jpg: cannot be read"), "{message}");

        std::fs::write(&path, "not a photo").unwrap();
        let message = load(&path, &Limits::default()).unwrap_err().to_string();
        assert!(message.contains("daisy.jpg: it is a text"), "{message}");

        let limits = Limits {
            max_bytes: 10,
            ..Limits::default()
        };
        let error = load(&path, &limits).unwrap_err();
        assert_eq!(error.path(), path);
        assert!(error.to_string().contains("11 bytes"), "{error}");
        assert!(matches!(
            load(dir.path(), &limits),
            Err(PhotoError::Io { .. } | PhotoError::Decode { .. })
        ));
    }
}
