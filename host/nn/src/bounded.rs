//! Files read whole, up to a length that each reader names: a file that somebody else made may be of any
//! size, and what has a file's name may be a pipe or a device that never ends.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Maximum size of a network or a model, bytes; the largest MobileNet has 7 MB in int8.
pub const NETWORK: u64 = 256 << 20;
/// Maximum size of a text, bytes: labels, a split, a record of a run.
pub const TEXT: u64 = 64 << 20;

/// Reasons for which a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder.
    #[error("it is a directory, not a file; name a file in it")]
    Folder,
    /// A pipe or a device, which has no length.
    #[error("it is a pipe or a device, not a file; put its bytes into a file, and name that")]
    Stream,
    /// More bytes than there may be.
    #[error("it has {found}more than {most} MiB, the most that posy reads of such a file; give another file",
        found = found.map_or(String::new(), |len| format!("{} MiB, ", len >> 20)))]
    TooLarge {
        /// Size in bytes, where the system says it.
        found: Option<u64>,
        /// Maximum size, MiB.
        most: u64,
    },
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error,
            error => io::Error::other(error),
        }
    }
}

/// Refuses what is no file of at most `most` bytes.
fn check(there: &Metadata, most: u64) -> Result<(), FileError> {
    if there.is_dir() {
        return Err(FileError::Folder);
    }
    if !there.is_file() {
        return Err(FileError::Stream);
    }
    match there.len() {
        len if len > most => Err(FileError::TooLarge {
            found: Some(len),
            most: most >> 20,
        }),
        _ => Ok(()),
    }
}

/// Opens a file of at most `most` bytes. Pipes are not opened: that would wait for a writer.
///
/// # Errors
/// [`FileError`].
pub fn open(path: &Path, most: u64) -> Result<File, FileError> {
    check(&std::fs::metadata(path)?, most)?;
    let file = File::open(path)?;
    // Another one may lie there by now.
    check(&file.metadata()?, most)?;
    Ok(file)
}

/// The bytes of a file of at most `most` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path, most)?;
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(most) as usize);
    // It may be growing.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(FileError::TooLarge {
            found: None,
            most: most >> 20,
        }),
        false => Ok(bytes),
    }
}

/// The text of a file of at most [`TEXT`] bytes.
///
/// # Errors
/// [`FileError`]; also where the bytes are not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    let text = String::from_utf8(read(path, TEXT)?);
    text.map_err(|error| {
        FileError::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_up_to_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap(), [7; 100]);
        let refused = read(&path, 99).unwrap_err().to_string();
        assert!(refused.contains("more than"), "{refused}");
        assert!(matches!(read(folder.path(), 100), Err(FileError::Folder)));
        assert!(matches!(
            read(&folder.path().join("none"), 100),
            Err(FileError::Io(_))
        ));
    }

    /// Devices without an end are refused at once, without waiting and without filling the memory.
    #[test]
    #[cfg(unix)]
    fn what_never_ends_is_not_read() {
        for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
            if !Path::new(device).exists() {
                continue;
            }
            assert!(
                matches!(read(Path::new(device), NETWORK), Err(FileError::Stream)),
                "{device}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let sparse = folder.path().join("sparse");
        File::create(&sparse).unwrap().set_len(10 << 30).unwrap();
        let refused = read(&sparse, NETWORK).unwrap_err().to_string();
        assert!(
            refused.starts_with("it has 10240 MiB, more than 256 MiB"),
            "{refused}"
        );
    }
}
