//! The feature cache: a folder of append-only files that any number of processes share.
//!
//! The folder `features` has one folder per *set*: the records of one extractor, named by its kind
//! and the beginning of its key, and the set `files`. An extractor's records map the SHA-256 of a
//! photo's bytes to its features. Records of `files` map path, size, times and inode of a file to
//! the SHA-256 of its content, so that an unchanged photo need not be read again. A stored record
//! never changes, so the order in which processes write does not matter.
//!
//! A failing cache never ends a run: features that cannot be read are computed, and features that
//! cannot be written are dropped, with one warning each. A killed run leaves what it had written. A
//! damaged file is moved aside and its features are computed anew. The cache has a size limit in
//! bytes; above it, the least recently used files are removed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::segment::{Appender, Id, Index, record_bytes};
use super::stamp::Stamp;
use super::usage;

/// SHA-256 of a photo's bytes.
pub type ContentHash = [u8; 32];
/// Identifies one way of computing features: see
/// [`Extractor::key`](super::extract::Extractor::key).
pub type ExtractorKey = [u8; 32];

/// Default size limit, bytes.
pub const DEFAULT_LIMIT: u64 = 1_000_000_000;

/// Folder of the sets within the cache folder that the user names.
const FOLDER: &str = "features";
/// Names of cache files of earlier versions within the folder that the user names.
const EARLIER: [&str; 2] = ["features.redb", "maps.redb"];
const EARLIER_MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Key of the set `files`: its format.
const FILES_KEY: [u8; 32] = *b"path and stamp to content hash 1";
const FILES: &str = "files";

/// The set of one extractor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set<'a> {
    /// Kind in a word or two, fit for a file name.
    pub(super) kind: &'a str,
    pub(super) key: &'a ExtractorKey,
}

/// A photo's features to store.
pub(super) struct Entry {
    pub(super) content: ContentHash,
    /// The features; `None` if they are in the cache already.
    pub(super) features: Option<Vec<u8>>,
    /// The file that they come from; `None` if it cannot be recognised by its stamp.
    pub(super) file: Option<(PathBuf, Stamp)>,
}

/// An open cache. Threads share it; processes share its folder.
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    warn: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    appenders: HashMap<PathBuf, Appender>,
    /// Folders of the sets that this process reads or writes; it does not clear them.
    used: HashSet<PathBuf>,
    /// Size of the folder, bytes: the last count plus what was written since.
    bytes: u64,
    /// True once writing has been given up.
    stopped: bool,
    said: HashSet<String>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("folder", &self.folder)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens the cache in `folder`, which is created on the first write, and removes the least
    /// recently used files above `limit` bytes. `warn` receives the warnings for the user.
    pub fn open(folder: &Path, limit: u64, warn: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let cache = Cache {
            folder: folder.join(FOLDER),
            limit,
            warn: Box::new(warn),
            state: Mutex::default(),
        };
        for name in EARLIER {
            let path = folder.join(name);
            if is_earlier(&path) && fs::remove_file(&path).is_ok() {
                cache.say(format!(
                    "{} is the cache of an earlier version: it is removed, and features are computed \
                     anew",
                    path.display()
                ));
            }
        }
        let mut state = cache.state();
        cache.clear_to_limit(&mut state, 0);
        state.stopped |= limit == 0;
        drop(state);
        cache
    }

    /// Folder of the sets.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of the sets within the folder that the user names.
    pub fn folder_in(folder: &Path) -> PathBuf {
        folder.join(FOLDER)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left only whole records.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: String) {
        if self.state().said.insert(text.clone()) {
            (self.warn)(&text);
        }
    }

    /// Stops writing, with a warning.
    fn stop(&self, state: &mut State, path: &Path, error: &io::Error) {
        if !std::mem::replace(&mut state.stopped, true) {
            (self.warn)(&format!(
                "{}: the feature cache cannot be written ({error}): going on without, so the next \
                 run computes features anew; --bottleneck-dir names another folder for it",
                path.display()
            ));
        }
    }

    fn folder_of(&self, set: Set<'_>) -> PathBuf {
        let mut name = set.kind.to_owned();
        if set.kind != FILES {
            name.push('-');
            for byte in &set.key[..8] {
                name.push_str(&format!("{byte:02x}"));
            }
        }
        self.folder.join(name)
    }

    /// A snapshot of the set; it does not see later writes.
    pub(super) fn reader(&self, set: Set<'_>) -> Reader<'_> {
        let index = |set: Set<'_>| {
            let folder = self.folder_of(set);
            self.state().used.insert(folder.clone());
            Index::read(&folder, set.key, &mut |path| self.set_aside(path))
        };
        Reader {
            cache: self,
            features: index(set),
            files: index(FILES_SET),
        }
    }

    /// Moves a damaged file aside, unless a process is writing it.
    fn set_aside(&self, path: &Path) {
        let free = File::open(path).is_ok_and(|file| file.try_lock().is_ok());
        if free {
            let aside = path.with_extension(usage::DAMAGED);
            let moved = match fs::rename(path, &aside) {
                Ok(()) => format!("; it is now {}", aside.display()),
                Err(_) => String::new(),
            };
            self.say(format!(
                "{}: a damaged file of the feature cache{moved}: what it held is computed anew; `posy \
                 cache clear` empties the cache, --bottleneck-dir names another folder for it",
                path.display()
            ));
        }
    }

    /// Stores entries. Those of one set are stored all or not at all.
    pub(super) fn write(&self, set: Set<'_>, entries: &[Entry]) {
        let features: Vec<(&Id, &[u8])> = entries
            .iter()
            .filter_map(|entry| Some((&entry.content, entry.features.as_deref()?)))
            .collect();
        let ids: Vec<(Id, &ContentHash)> = entries
            .iter()
            .filter_map(|entry| Some((file_id(entry.file.as_ref()?), &entry.content)))
            .collect();
        let files: Vec<(&Id, &[u8])> = ids
            .iter()
            .map(|(id, content)| (id, content.as_slice()))
            .collect();
        let state = &mut self.state();
        for (set, records) in [(set, &features), (FILES_SET, &files)] {
            if !records.is_empty() && self.has_room(state, records) {
                let folder = self.folder_of(set);
                if let Err((path, error)) = self.append(state, &folder, set.key, records) {
                    self.stop(state, &path, &error);
                }
            }
        }
    }

    /// Returns true if these records may be written within the limit; clears other sets if need be.
    fn has_room(&self, state: &mut State, records: &[(&Id, &[u8])]) -> bool {
        let bytes = record_bytes(records.iter().map(|record| record.1));
        if !state.stopped && state.bytes.saturating_add(bytes) > self.limit {
            self.clear_to_limit(state, bytes);
            if state.bytes.saturating_add(bytes) > self.limit {
                state.stopped = true;
                (self.warn)(&format!(
                    "{}: the feature cache has reached its limit of {}: what else is computed is not \
                     kept; {LIMIT_VARIABLE} raises it",
                    self.folder.display(),
                    usage::megabytes(self.limit)
                ));
            }
        }
        state.bytes = state.bytes.saturating_add(bytes);
        !state.stopped
    }

    fn clear_to_limit(&self, state: &mut State, more: u64) {
        let limit = self.limit.saturating_sub(more);
        state.bytes = usage::clear_to(&self.folder, limit, &state.used);
    }

    fn append(
        &self,
        state: &mut State,
        folder: &Path,
        key: &[u8; 32],
        records: &[(&Id, &[u8])],
    ) -> Result<(), (PathBuf, io::Error)> {
        state.used.insert(folder.to_owned());
        let usable = state.appenders.get(folder);
        if usable.is_none_or(Appender::is_full) {
            let opened = Appender::open(folder, key).map_err(|error| (folder.to_owned(), error))?;
            state.appenders.insert(folder.to_owned(), opened);
        }
        let Some(appender) = state.appenders.get_mut(folder) else {
            return Ok(());
        };
        let written = appender.append(records.iter().copied());
        written.map_err(|error| (appender.path().to_owned(), error))
    }
}

/// Environment variable that sets the limit, for messages; the commands read it.
pub const LIMIT_VARIABLE: &str = "POSY_CACHE_LIMIT";

const FILES_SET: Set<'static> = Set {
    kind: FILES,
    key: &FILES_KEY,
};

/// A snapshot of a set. Unreadable records count as missing.
pub(super) struct Reader<'c> {
    cache: &'c Cache,
    features: Index,
    files: Index,
}

impl Reader<'_> {
    /// Features of a photo, if they are stored and `len` bytes long.
    pub(super) fn features(&self, content: &ContentHash, len: usize) -> Option<Vec<u8>> {
        let damaged = &mut |path: &Path| self.cache.set_aside(path);
        self.features.value(content, len, damaged)
    }

    /// SHA-256 of the file at `path`, if it was read before and its stamp is unchanged.
    pub(super) fn content(&self, path: &Path, stamp: &Stamp) -> Option<ContentHash> {
        let damaged = &mut |path: &Path| self.cache.set_aside(path);
        let id = file_id(&(path.to_owned(), *stamp));
        let content = self.files.value(&id, size_of::<ContentHash>(), damaged)?;
        content.try_into().ok()
    }
}

fn file_id((path, stamp): &(PathBuf, Stamp)) -> Id {
    let mut hash = Sha256::new();
    hash.update(stamp.to_bytes());
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.finalize().into()
}

/// Returns true if a cache of an earlier version lies at `path`.
fn is_earlier(path: &Path) -> bool {
    let mut start = [0; EARLIER_MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *EARLIER_MAGIC
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
