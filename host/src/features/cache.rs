//! The feature cache: one embedded database file.
//!
//! Two tables. *Features*: extractor key (32 bytes) + SHA-256 of the photo's bytes -> feature
//! bytes. *Files*: path -> size, times, inode and SHA-256 of the file when it was last read, so
//! that an unchanged photo need not be read again.
//!
//! Every write is one durable transaction: a run that is killed leaves what it had written. When
//! the file is opened, every page's checksum is checked, so what is read afterwards is what was
//! written; only its length is checked again. A file that fails, or that another version or
//! another program made, is moved aside and a new one begun: a cache can always be computed
//! again.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, StorageError,
    TableDefinition,
};
use thiserror::Error;

use super::stamp::Stamp;

/// SHA-256 of a photo's bytes.
pub type ContentHash = [u8; 32];
/// What tells one way of computing features from another: see
/// [`Extractor::key`](super::extract::Extractor::key).
pub type ExtractorKey = [u8; 32];

/// Raised when tables change their meaning; a file of another number is moved aside.
const FORMAT: u64 = 1;
const META: TableDefinition<&str, u64> = TableDefinition::new("posy-feature-cache");
const FORMAT_KEY: &str = "format";
const FEATURES: TableDefinition<&[u8; 64], &[u8]> = TableDefinition::new("features");
const FILES: TableDefinition<&[u8], &[u8; 64]> = TableDefinition::new("files");

/// Bytes of the file that are kept in memory, at most.
const MEMORY_BYTES: usize = 64 << 20;

/// Why the cache could not be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Another process has the file open.
    #[error(
        "feature cache {path} is in use by another run of posy: wait until that has ended, \
         or give this run a cache file of its own"
    )]
    Locked {
        /// The cache file.
        path: PathBuf,
    },
    /// The file, or its folder, cannot be opened or made.
    #[error("cannot open feature cache {path}: {source}; give another place for it")]
    Open {
        /// The cache file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A damaged file is in the way and could not be renamed.
    #[error("feature cache {path} is not usable and cannot be moved aside: {source}; remove it")]
    MoveAside {
        /// The cache file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or writing failed while in use.
    #[error(
        "feature cache {path} cannot be used: {source}; see that there is space on the disk, \
         or give another place for it"
    )]
    Storage {
        /// The cache file.
        path: PathBuf,
        /// What the database said.
        source: Box<redb::Error>,
    },
}

/// A cache file that could not be used and was moved aside; to be shown as a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedAside {
    /// Where the cache was expected, and is now begun anew.
    pub path: PathBuf,
    /// Where the old file lies now.
    pub aside: PathBuf,
    /// What was wrong with it.
    pub reason: String,
}

impl fmt::Display for MovedAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "feature cache {} was not usable ({}): moved to {}, which can be deleted; features \
             are computed anew",
            self.path.display(),
            self.reason,
            self.aside.display()
        )
    }
}

/// An open cache. While it is open, no other process can open the same file.
#[derive(Debug)]
pub struct Cache {
    database: Database,
    path: PathBuf,
    moved_aside: Option<MovedAside>,
}

/// One photo's features, to be stored.
pub(super) struct Entry {
    pub(super) content: ContentHash,
    /// `None` if they are in the cache already.
    pub(super) features: Option<Vec<u8>>,
    /// The file that it was read from, if it may be recognised by its stamp.
    pub(super) file: Option<(PathBuf, Stamp)>,
}

impl Cache {
    /// Opens the cache at `path`, making the file and its folders if they are missing.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| CacheError::Open {
                path: path.into(),
                source,
            })?;
        }
        let reason = match Self::try_open(path) {
            Ok(database) => return Ok(Self::new(database, path, None)),
            Err(Refusal::Fatal(error)) => return Err(error),
            Err(Refusal::Unusable(reason)) => reason,
        };
        let aside = move_aside(path).map_err(|source| CacheError::MoveAside {
            path: path.into(),
            source,
        })?;
        let moved_aside = MovedAside {
            path: path.into(),
            aside,
            reason,
        };
        match Self::try_open(path) {
            Ok(database) => Ok(Self::new(database, path, Some(moved_aside))),
            Err(Refusal::Fatal(error)) => Err(error),
            Err(Refusal::Unusable(reason)) => Err(CacheError::Open {
                path: path.into(),
                source: io::Error::other(reason),
            }),
        }
    }

    fn new(database: Database, path: &Path, moved_aside: Option<MovedAside>) -> Self {
        Self {
            database,
            path: path.into(),
            moved_aside,
        }
    }

    fn try_open(path: &Path) -> Result<Database, Refusal> {
        let database = Builder::new()
            .set_cache_size(MEMORY_BYTES)
            .set_check_integrity_on_open(true)
            .create(path)
            .map_err(|error| Refusal::of_open(path, error))?;
        match check_format(&database) {
            Ok(None) => Ok(database),
            Ok(Some(reason)) => Err(Refusal::Unusable(reason)),
            Err(redb::Error::Io(source)) => Err(Refusal::Fatal(CacheError::Open {
                path: path.into(),
                source,
            })),
            Err(error) => Err(Refusal::Unusable(error.to_string())),
        }
    }

    /// The file that had to be moved aside when this cache was opened.
    pub fn moved_aside(&self) -> Option<&MovedAside> {
        self.moved_aside.as_ref()
    }

    /// Where the cache lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A view of what the cache holds at this moment; later writes do not show in it.
    pub(super) fn reader(&self) -> Result<Reader, CacheError> {
        self.try_reader().map_err(|error| self.failed(error))
    }

    fn try_reader(&self) -> Result<Reader, redb::Error> {
        let transaction = self.database.begin_read()?;
        Ok(Reader {
            features: transaction.open_table(FEATURES)?,
            files: transaction.open_table(FILES)?,
        })
    }

    /// Stores entries, all or none, durably.
    pub(super) fn write(&self, key: &ExtractorKey, entries: &[Entry]) -> Result<(), CacheError> {
        self.try_write(key, entries)
            .map_err(|error| self.failed(error))
    }

    fn try_write(&self, key: &ExtractorKey, entries: &[Entry]) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut features = transaction.open_table(FEATURES)?;
            let mut files = transaction.open_table(FILES)?;
            for entry in entries {
                if let Some(values) = &entry.features {
                    features.insert(&features_key(key, &entry.content), values.as_slice())?;
                }
                if let Some((path, stamp)) = &entry.file {
                    let value = join(&stamp.to_bytes(), &entry.content);
                    files.insert(path.as_os_str().as_encoded_bytes(), &value)?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn failed(&self, error: redb::Error) -> CacheError {
        CacheError::Storage {
            path: self.path.clone(),
            source: Box::new(error),
        }
    }
}

/// What the cache held when it was asked for. What cannot be read counts as not there.
pub(super) struct Reader {
    features: ReadOnlyTable<&'static [u8; 64], &'static [u8]>,
    files: ReadOnlyTable<&'static [u8], &'static [u8; 64]>,
}

impl Reader {
    /// Features of a photo, if there are any and they are `len` bytes.
    pub(super) fn features(
        &self,
        key: &ExtractorKey,
        content: &ContentHash,
        len: usize,
    ) -> Option<Vec<u8>> {
        let found = self
            .features
            .get_owned(&features_key(key, content))
            .ok()??;
        let values = found.value();
        (values.len() == len).then(|| values.to_vec())
    }

    /// SHA-256 of the file at `path`, if it was read before and its stamp has not changed.
    pub(super) fn content(&self, path: &Path, stamp: &Stamp) -> Option<ContentHash> {
        let found = self
            .files
            .get_owned(path.as_os_str().as_encoded_bytes())
            .ok()??;
        let (known, content) = found.value().split_at(Stamp::LEN);
        if known == stamp.to_bytes() {
            content.try_into().ok()
        } else {
            None
        }
    }
}

fn features_key(key: &ExtractorKey, content: &ContentHash) -> [u8; 64] {
    join(key, content)
}

fn join(first: &[u8; 32], second: &[u8; 32]) -> [u8; 64] {
    let mut both = [0; 64];
    both[..32].copy_from_slice(first);
    both[32..].copy_from_slice(second);
    both
}

/// Why a file was not opened.
enum Refusal {
    /// It is no good; another can take its place.
    Unusable(String),
    /// Nothing to be done here.
    Fatal(CacheError),
}

impl Refusal {
    fn of_open(path: &Path, error: DatabaseError) -> Self {
        let path = path.to_path_buf();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::Fatal(CacheError::Locked { path })
            }
            DatabaseError::Storage(StorageError::Io(source)) => match source.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Self::Unusable(source.to_string())
                }
                _ => Self::Fatal(CacheError::Open { path, source }),
            },
            damaged => Self::Unusable(damaged.to_string()),
        }
    }
}

/// Says what is wrong with the tables, if anything is; makes them in a new database.
fn check_format(database: &Database) -> Result<Option<String>, redb::Error> {
    let reading = database.begin_read()?;
    if reading.list_tables()?.next().is_none() {
        let transaction = database.begin_write()?;
        transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
        transaction.open_table(FEATURES)?;
        transaction.open_table(FILES)?;
        transaction.commit()?;
        return Ok(None);
    }
    let Ok(meta) = reading.open_table(META) else {
        return Ok(Some("another program's database".into()));
    };
    match meta.get_owned(FORMAT_KEY)?.map(|format| format.value()) {
        Some(FORMAT) => {
            reading.open_table(FEATURES)?;
            reading.open_table(FILES)?;
            Ok(None)
        }
        Some(other) => Ok(Some(format!("format {other}, where {FORMAT} is expected"))),
        None => Ok(Some("no format number".into())),
    }
}

/// Renames a file to the first free of `<name>.unusable`, `<name>.unusable-2`, ...
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let mut name = OsString::from(path);
        match number {
            1 => name.push(".unusable"),
            _ => name.push(format!(".unusable-{number}")),
        }
        let aside = PathBuf::from(name);
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
        number += 1;
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
