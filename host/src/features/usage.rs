//! Size of the feature cache, and clearing it.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use posy_nn::atomic::still_names;

use super::segment::ENDING;

/// Extension of damaged files' names.
pub(super) const DAMAGED: &str = "damaged";

/// Size of one extractor's set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetUsage {
    /// Kind of the features, and the beginning of their extractor's key.
    pub name: String,
    /// Number of files.
    pub files: usize,
    /// Total size, bytes.
    pub bytes: u64,
    /// Time of the last use, where the system knows it.
    pub used: Option<SystemTime>,
}

struct CacheFile {
    path: PathBuf,
    bytes: u64,
    used: Option<SystemTime>,
    damaged: bool,
}

/// The cache's own files below `folder`, and no others.
fn files(folder: &Path) -> Vec<CacheFile> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files = Vec::new();
    for set in entries(folder) {
        // The cache never creates links.
        if !set.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        for entry in entries(&set.path()) {
            let path = entry.path();
            let ending = path.extension().and_then(OsStr::to_str);
            let damaged = ending == Some(DAMAGED);
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_file() && (damaged || ending == Some(ENDING)) {
                files.push(CacheFile {
                    path,
                    bytes: metadata.len(),
                    used: metadata.modified().ok(),
                    damaged,
                });
            }
        }
    }
    files
}

/// The sets in the folder [`Cache::folder_in`](super::cache::Cache::folder_in), sorted by name.
pub fn sets(folder: &Path) -> Vec<SetUsage> {
    let mut sets: BTreeMap<String, SetUsage> = BTreeMap::new();
    for file in files(folder) {
        let set = file.path.parent().and_then(Path::file_name);
        let name = set.unwrap_or_default().to_string_lossy().into_owned();
        let set = sets.entry(name.clone()).or_insert(SetUsage {
            name,
            files: 0,
            bytes: 0,
            used: None,
        });
        set.files += 1;
        set.bytes += file.bytes;
        set.used = set.used.max(file.used);
    }
    sets.into_values().collect()
}

/// Removes a file unless a process is writing it; returns true if it was removed.
fn remove(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.try_lock().is_err() || !still_names(path, &file) {
        return Ok(false);
    }
    fs::remove_file(path)?;
    // A folder that holds other files stays.
    if let Some(folder) = path.parent() {
        let _ = fs::remove_dir(folder);
    }
    Ok(true)
}

/// Removes files until they total at most `limit` bytes: damaged ones first, then the least
/// recently used. Sets in `spared` and files that a process is writing stay. Returns the remaining
/// bytes.
pub(super) fn clear_to(folder: &Path, limit: u64, spared: &HashSet<PathBuf>) -> u64 {
    let mut files = files(folder);
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    files.sort_by_key(|file| (!file.damaged, file.used));
    for file in files {
        if bytes <= limit {
            break;
        }
        let is_spared = file.path.parent().is_some_and(|set| spared.contains(set));
        // A file that cannot be removed stays in the sum.
        if (file.damaged || !is_spared) && remove(&file.path).unwrap_or(false) {
            bytes -= file.bytes;
        }
    }
    bytes
}

/// Result of clearing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Freed bytes.
    pub bytes: u64,
    /// Number of files that stay because a process is writing them.
    pub in_use: usize,
}

/// Removes all files in the folder [`Cache::folder_in`](super::cache::Cache::folder_in) except
/// those that a process is writing.
///
/// # Errors
/// Returns the first file that cannot be removed, and the system's reason.
pub fn clear(folder: &Path) -> Result<Cleared, (PathBuf, io::Error)> {
    let mut cleared = Cleared::default();
    for file in files(folder) {
        match remove(&file.path) {
            Ok(true) => cleared.bytes += file.bytes,
            Ok(false) => cleared.in_use += 1,
            // Another process cleared it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((file.path, error)),
        }
    }
    // A folder with files that are not the cache's stays.
    let _ = fs::remove_dir(folder);
    Ok(cleared)
}

/// Formats bytes in megabytes: `205.3 MB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
