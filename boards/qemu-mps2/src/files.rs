//! Arguments and files of the host, by semihosting.

use core::ffi::CStr;
use core::fmt;

use semihosting::fs::File;
use semihosting::io::{Error, Read};

/// Longest path, with the zero after it.
const PATH_LEN: usize = 1024;

/// Reasons for which a file of the host could not be read.
#[derive(Debug)]
pub enum FileError {
    /// The path is too long or has a zero in it.
    Path,
    /// The host refused.
    Host(Error),
    /// The file is longer than the memory for it.
    TooLong {
        /// Bytes of the file.
        found: u64,
        /// Bytes of the memory.
        room: usize,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => write!(f, "the path is longer than {PATH_LEN} bytes"),
            Self::Host(error) => write!(f, "{error}"),
            Self::TooLong { found, room } => {
                write!(f, "it is {found} bytes long and there is room for {room}")
            }
        }
    }
}

impl From<Error> for FileError {
    fn from(error: Error) -> Self {
        Self::Host(error)
    }
}

/// Opens a file of the host.
///
/// # Errors
/// See [`FileError`].
pub fn open(path: &str) -> Result<File, FileError> {
    let mut bytes = [0; PATH_LEN];
    let place = bytes.get_mut(..path.len()).ok_or(FileError::Path)?;
    place.copy_from_slice(path.as_bytes());
    let path = bytes.get(..=path.len()).ok_or(FileError::Path)?;
    let path = CStr::from_bytes_with_nul(path).map_err(|_| FileError::Path)?;
    Ok(File::open(path)?)
}

/// Reads a whole file of the host into `memory`; the part of it that the file fills.
///
/// # Errors
/// See [`FileError`].
pub fn read<'m>(path: &str, memory: &'m mut [u8]) -> Result<&'m [u8], FileError> {
    let mut file = open(path)?;
    let (found, room) = (file.metadata()?.len(), memory.len());
    let len = usize::try_from(found).ok().filter(|&len| len <= room);
    let len = len.ok_or(FileError::TooLong { found, room })?;
    let place = &mut memory[..len];
    file.read_exact(place)?;
    Ok(place)
}
