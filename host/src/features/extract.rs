//! From photo files to features, on all cores, by way of the cache.
//!
//! For each photo: look at its metadata, and if the cache knows the file by them, take its
//! features from there unread. Else read it and hash it; if its content is in the cache, take
//! them from there; else compute them. What was computed goes to one writer, which stores it
//! in the cache every half second, so that a run that is killed loses no more than that.

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

/// Longest that computed features wait to be stored.
const STORE_INTERVAL: Duration = Duration::from_millis(500);
/// Most entries that are stored at once, and in the queue before that.
const STORE_ENTRIES: usize = 256;

/// Makes features of a photo. One value serves all threads at once.
pub trait Extractor: Sync {
    /// Differs whenever [`Extractor::compute`] may give different bytes for the same photo: a
    /// hash over backbone, preprocessing and kind of numbers (int8 or f32).
    fn key(&self) -> ExtractorKey;

    /// A word or two for people who look into the cache, good as a file name.
    fn kind(&self) -> &'static str;

    /// Bytes of one photo's features.
    fn value_len(&self) -> usize;

    /// The features of the photo in this file's bytes, [`Extractor::value_len`] bytes: int8
    /// values, or f32 little-endian. An error is about this one photo, and says what is wrong
    /// with it.
    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// How photos are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Larger files are not read, bytes.
    pub max_file_bytes: u64,
    /// Whether a file with the size, times and inode that it had when it was last read is taken
    /// for unchanged, unread. The risk is described at
    /// [`Options::default`]; without it, every file is read and hashed.
    pub trust_metadata: bool,
}

impl Default for Options {
    /// 64 MiB, and metadata are trusted. On Unix a file then escapes notice only if its content
    /// changes with size, inode and both times as they were, which takes a clock set back or
    /// writing to the disk below the file system. Elsewhere there is no inode and no time of the
    /// last status change, and a program that restores the modification time of a file that it
    /// edits to the same size goes unnoticed.
    fn default() -> Self {
        Self {
            max_file_bytes: 64 << 20,
            trust_metadata: true,
        }
    }
}

/// What is wrong with one photo. Others are not affected.
#[derive(Debug, Error)]
pub enum PhotoFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// Something else has the name.
    #[error("is not a file")]
    NotAFile,
    /// The file is above [`Options::max_file_bytes`].
    #[error("has {bytes} bytes, above the limit of {limit}")]
    TooLarge {
        /// Size of the file.
        bytes: u64,
        /// Largest that is read.
        limit: u64,
    },
    /// Another file has taken its place since it was read.
    #[error("was changed while posy ran; run posy again to have it in")]
    Changed,
    /// The extractor made nothing of it.
    #[error("{0}")]
    Extractor(Box<dyn StdError + Send + Sync>),
    /// The extractor broke its promise.
    #[error("gave {found} bytes of features instead of {expected}: a fault of the extractor")]
    Length {
        /// Bytes promised.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
}

/// Where features came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The extractor, just now.
    Computed,
    /// The cache.
    Cached,
}

/// Features of one photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// SHA-256 of the file, equal for exact duplicates.
    pub content: ContentHash,
    /// [`Extractor::value_len`] bytes.
    pub values: Vec<u8>,
    /// Where they came from.
    pub source: Source,
}

/// Photos by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Computed just now.
    pub computed: usize,
    /// Taken from the cache.
    pub cached: usize,
    /// Left out for a fault.
    pub failed: usize,
}

/// What became of all photos.
#[derive(Debug)]
pub struct Extraction {
    /// One for each photo, in the order given.
    pub photos: Vec<Result<Extracted, PhotoFault>>,
}

impl Extraction {
    /// How many photos were computed, cached, and left out.
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

/// Features of `photos`, on rayon's threads. Faults of single photos are part of the result; what
/// goes wrong with the cache is its own to tell. No more photos are in memory at once than there are
/// threads.
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
            // Closes the queue, so that the writer stores what is left and ends.
            job.writer = None;
            outcomes
        }),
    };
    progress.end();
    Extraction { photos }
}

/// What every thread needs.
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
                        // It ends after this; if it panics, so does the scope that it is in.
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

    /// Features of one photo, and what the cache should be told.
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

    /// The file's bytes, of which no more than the limit are ever held, even if it grows.
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

/// Stores what arrives, each entry within [`STORE_INTERVAL`], until the queue is closed.
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
