//! Parallel feature extraction from photo files, through the cache.
//!
//! For each photo: if the cache recognises the file by its metadata, its features come from there
//! without reading the file. Otherwise the file is read and hashed; if the cache has that content,
//! the features come from there; otherwise they are computed. Computed features go to one writer,
//! which stores them every half second, so that a killed run loses no more than that.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf, absolute};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::cache::{Cache, ContentHash, Entry, ExtractorKey, Reader, Set};
use super::progress::Progress;
use super::stamp::Stamp;

/// Longest time that computed features wait to be stored.
const STORE_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of entries in one write, and in the queue before it.
const STORE_ENTRIES: usize = 256;

/// Computes the features of a photo. All threads share one value.
pub trait Extractor: Sync {
    /// Cache key. It differs whenever [`Extractor::compute`] may give different bytes for the same
    /// photo: a hash over backbone, preprocessing and element type (int8 or f32).
    fn key(&self) -> ExtractorKey;

    /// Kind in a word or two, for people who look into the cache; fit for a file name.
    fn kind(&self) -> &'static str;

    /// Length of one photo's features, bytes.
    fn value_len(&self) -> usize;

    /// Computes the features of the encoded photo: [`Extractor::value_len`] bytes, int8 values or
    /// little-endian f32. An error concerns this photo alone, and says what is wrong with it.
    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// Options for reading photos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Largest file that is read, bytes.
    pub max_file_bytes: u64,
    /// If true, a file whose size, times and inode are as when it was last read counts as unchanged
    /// and is not read; [`Options::default`] describes the risk. If false, every file is read and
    /// hashed.
    pub trust_metadata: bool,
}

impl Default for Options {
    /// 64 MiB, with trusted metadata. On Unix a change then goes unnoticed only if size, inode and
    /// both times stay equal, which takes a clock set back or a write below the file system.
    /// Elsewhere there is no inode and no status-change time, so an edit to the same size by a
    /// program that restores the modification time goes unnoticed.
    fn default() -> Self {
        Self {
            max_file_bytes: 64 << 20,
            trust_metadata: true,
        }
    }
}

/// A fault of one photo. It does not affect other photos.
#[derive(Debug, Error)]
pub enum PhotoFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Not a regular file.
    #[error("is not a file")]
    NotAFile,
    /// The file exceeds [`Options::max_file_bytes`].
    #[error("has {bytes} bytes, above the limit of {limit}")]
    TooLarge {
        /// Size of the file, bytes.
        bytes: u64,
        /// Largest size that is read, bytes.
        limit: u64,
    },
    /// The file changed or was replaced since it was read.
    #[error("was changed while posy ran; run posy again to have it in")]
    Changed,
    /// The extractor failed.
    #[error("{0}")]
    Extractor(Box<dyn StdError + Send + Sync>),
    /// The extractor returned a wrong number of bytes.
    #[error("gave {found} bytes of features instead of {expected}: a fault of the extractor")]
    Length {
        /// Expected length, bytes.
        expected: usize,
        /// Returned length, bytes.
        found: usize,
    },
}

/// Origin of a photo's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Computed in this run.
    Computed,
    /// Read from the cache.
    Cached,
}

/// Features of one photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// SHA-256 of the file, equal for exact duplicates.
    pub content: ContentHash,
    /// [`Extractor::value_len`] bytes.
    pub values: Vec<u8>,
    /// Origin of the features.
    pub source: Source,
}

/// Numbers of photos by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Computed in this run.
    pub computed: usize,
    /// Read from the cache.
    pub cached: usize,
    /// Left out for a fault.
    pub failed: usize,
}

/// Outcome of an extraction.
#[derive(Debug)]
pub struct Extraction {
    /// Results by photo, in the order given.
    pub photos: Vec<Result<Extracted, PhotoFault>>,
}

impl Extraction {
    /// Numbers of photos that were computed, cached, and left out.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for photo in &self.photos {
            match photo.as_ref().map(|extracted| extracted.source) {
                Ok(Source::Computed) => counts.computed += 1,
                Ok(Source::Cached) => counts.cached += 1,
                Err(_) => counts.failed += 1,
            }
        }
        counts
    }
}

/// Extracts the features of `photos`, on rayon's threads. Faults of single photos are part of the
/// result; the cache warns of its own failures. At most one photo per thread is in memory.
pub fn extract(
    photos: &[PathBuf],
    extractor: &dyn Extractor,
    cache: Option<&Cache>,
    options: &Options,
    progress: &dyn Progress,
) -> Extraction {
    let key = extractor.key();
    let set = Set {
        kind: extractor.kind(),
        key: &key,
    };
    let mut job = Job {
        extractor,
        reader: cache.map(|cache| cache.reader(set)),
        writer: None,
        options,
        progress,
    };
    progress.begin(photos.len());
    let photos = match cache {
        None => job.run(photos),
        Some(cache) => thread::scope(|scope| {
            let (sender, receiver) = sync_channel(STORE_ENTRIES);
            scope.spawn(move || write_as_it_goes(cache, set, &receiver));
            job.writer = Some(sender);
            let outcomes = job.run(photos);
            // Closes the queue: the writer stores the rest and ends.
            job.writer = None;
            outcomes
        }),
    };
    progress.end();
    Extraction { photos }
}

/// State that every thread needs.
struct Job<'a> {
    extractor: &'a dyn Extractor,
    reader: Option<Reader<'a>>,
    writer: Option<SyncSender<Entry>>,
    options: &'a Options,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    fn run(&self, photos: &[PathBuf]) -> Vec<Result<Extracted, PhotoFault>> {
        photos
            .par_iter()
            .with_max_len(8)
            .map(|path| {
                let outcome = self.one(path).map(|(extracted, entry)| {
                    if let (Some(entry), Some(writer)) = (entry, &self.writer) {
                        // The receiver outlives this; if it panics, so does the enclosing scope.
                        let _ = writer.send(entry);
                    }
                    extracted
                });
                self.progress
                    .photo(outcome.as_ref().ok().map(|extracted| extracted.source));
                outcome
            })
            .collect()
    }

    /// Features of one photo, and the entry to store if any.
    fn one(&self, path: &Path) -> Result<(Extracted, Option<Entry>), PhotoFault> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(PhotoFault::NotAFile);
        }
        let file = match &self.reader {
            Some(_) => Some(absolute(path)?).zip(Stamp::of(&metadata)),
            None => None,
        };
        if self.options.trust_metadata
            && let Some(extracted) = self.known_file(file.as_ref())
        {
            return Ok((extracted, None));
        }
        let file = file.filter(|(_, stamp)| stamp.is_settled(SystemTime::now()));
        let bytes = self.read(path)?;
        let content: ContentHash = Sha256::digest(&bytes).into();
        if let Some(values) = self.cached(&content) {
            let entry = file.map(|file| Entry {
                content,
                features: None,
                file: Some(file),
            });
            let source = Source::Cached;
            return Ok((
                Extracted {
                    content,
                    values,
                    source,
                },
                entry,
            ));
        }
        let values = self
            .extractor
            .compute(&bytes)
            .map_err(PhotoFault::Extractor)?;
        if values.len() != self.extractor.value_len() {
            return Err(PhotoFault::Length {
                expected: self.extractor.value_len(),
                found: values.len(),
            });
        }
        let entry = self.writer.as_ref().map(|_| Entry {
            content,
            features: Some(values.clone()),
            file,
        });
        let source = Source::Computed;
        Ok((
            Extracted {
                content,
                values,
                source,
            },
            entry,
        ))
    }

    fn known_file(&self, file: Option<&(PathBuf, Stamp)>) -> Option<Extracted> {
        let (path, stamp) = file?;
        let content = self.reader.as_ref()?.content(path, stamp)?;
        Some(Extracted {
            content,
            values: self.cached(&content)?,
            source: Source::Cached,
        })
    }

    fn cached(&self, content: &ContentHash) -> Option<Vec<u8>> {
        self.reader
            .as_ref()?
            .features(content, self.extractor.value_len())
    }

    /// The file's bytes; never holds more than the limit, even if the file grows.
    fn read(&self, path: &Path) -> Result<Vec<u8>, PhotoFault> {
        let limit = self.options.max_file_bytes;
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let too_large = |bytes| PhotoFault::TooLarge { bytes, limit };
        if size > limit {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(too_large(bytes.len() as u64));
        }
        Ok(bytes)
    }
}

/// Stores entries as they arrive, each within [`STORE_INTERVAL`], until the queue is closed.
fn write_as_it_goes(cache: &Cache, set: Set<'_>, queue: &Receiver<Entry>) {
    while let Ok(first) = queue.recv() {
        let deadline = Instant::now() + STORE_INTERVAL;
        let mut batch = vec![first];
        while batch.len() < STORE_ENTRIES {
            let left = deadline.saturating_duration_since(Instant::now());
            match queue.recv_timeout(left) {
                Ok(entry) => batch.push(entry),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        cache.write(set, &batch);
    }
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
