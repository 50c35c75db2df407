//! From photo files to features, on all cores, by way of the cache.
//!
//! For each photo: look at its metadata, and if the cache knows the file by them, take its
//! features from there unread. Else read it and hash it; if its content is in the cache, take
//! them from there; else compute them. What was computed goes to one writer, which commits it
//! to the cache every half second, so that a run that is killed loses no more than that.

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

use super::cache::{Cache, CacheError, ContentHash, Entry, ExtractorKey, Reader};
use super::progress::Progress;
use super::stamp::Stamp;

/// Longest that computed features wait to be committed.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);
/// Most entries in one commit, and in the queue before it.
const COMMIT_ENTRIES: usize = 256;

/// Makes features of a photo. One value serves all threads at once.
pub trait Extractor: Sync {
    /// Differs whenever [`Extractor::compute`] may give different bytes for the same photo: a
    /// hash over backbone, preprocessing and kind of numbers (int8 or f32).
    fn key(&self) -> ExtractorKey;

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

/// Why extraction ended without a result.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
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

/// Features of `photos`, on rayon's threads. Faults of single photos are part of the result.
/// No more photos are in memory at once than there are threads.
pub fn extract(
    photos: &[PathBuf],
    extractor: &dyn Extractor,
    cache: Option<&Cache>,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Extraction, FeatureError> {
    let mut job = Job {
        extractor,
        key: extractor.key(),
        reader: cache.map(Cache::reader).transpose()?,
        writer: None,
        options,
        progress,
    };
    progress.begin(photos.len());
    let outcome = match cache {
        None => Ok(job.run(photos)),
        Some(cache) => thread::scope(|scope| {
            let (sender, receiver) = sync_channel(COMMIT_ENTRIES);
            let key = job.key;
            let writing = scope.spawn(move || write_as_it_goes(cache, &key, &receiver));
            job.writer = Some(sender);
            let outcome = job.run(photos);
            // Closes the queue, so that the writer commits what is left and ends.
            job.writer = None;
            match writing.join() {
                Ok(written) => written.map(|()| outcome),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }),
    };
    progress.end();
    // Work is abandoned only when the writer is gone, and then `outcome` is the writer's error.
    Ok(Extraction {
        photos: outcome?.unwrap_or_default(),
    })
}

/// What every thread needs.
struct Job<'a> {
    extractor: &'a dyn Extractor,
    key: ExtractorKey,
    reader: Option<Reader>,
    writer: Option<SyncSender<Entry>>,
    options: &'a Options,
    progress: &'a dyn Progress,
}

/// The writer has ended, so there is no use in going on.
struct Abandoned;

type Outcomes = Vec<Result<Extracted, PhotoFault>>;

impl Job<'_> {
    fn run(&self, photos: &[PathBuf]) -> Result<Outcomes, Abandoned> {
        photos
            .par_iter()
            .with_max_len(8)
            .map(|path| {
                let outcome = match self.one(path) {
                    Ok((extracted, entry)) => {
                        self.store(entry)?;
                        Ok(extracted)
                    }
                    Err(fault) => Err(fault),
                };
                self.progress
                    .photo(outcome.as_ref().ok().map(|extracted| extracted.source));
                Ok(outcome)
            })
            .collect()
    }

    fn store(&self, entry: Option<Entry>) -> Result<(), Abandoned> {
        match (entry, &self.writer) {
            (Some(entry), Some(writer)) => writer.send(entry).map_err(|_| Abandoned),
            _ => Ok(()),
        }
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
            .features(&self.key, content, self.extractor.value_len())
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

/// Commits what arrives, each entry within [`COMMIT_INTERVAL`], until the queue is closed.
fn write_as_it_goes(
    cache: &Cache,
    key: &ExtractorKey,
    queue: &Receiver<Entry>,
) -> Result<(), CacheError> {
    while let Ok(first) = queue.recv() {
        let deadline = Instant::now() + COMMIT_INTERVAL;
        let mut batch = vec![first];
        while batch.len() < COMMIT_ENTRIES {
            let left = deadline.saturating_duration_since(Instant::now());
            match queue.recv_timeout(left) {
                Ok(entry) => batch.push(entry),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        cache.write(key, &batch)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
