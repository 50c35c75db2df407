//! Networks whose trial came to an end, remembered by their content, so that each is tried once.
//!
//! An empty file stands for each, below the user's folder for what can be computed anew. Its name is a hash of
//! the network's bytes, the way by which they were opened, and the program that tried them.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use memchr::memmem;
use posy_nn::dirs::cache_dir;
use sha2::{Digest, Sha256};

use super::cache;
use crate::units::hex;

/// Maximum number of networks that are remembered; when there are more, all are forgotten.
const MOST: usize = 1000;
/// The key that ONNX files name weights in other files by.
const ELSEWHERE: &[u8] = b"location";

/// Folder of the files.
pub(super) fn folder() -> PathBuf {
    cache_dir().join("trials")
}

/// A network and the way by which it is opened.
pub(super) struct Trial {
    path: PathBuf,
}

impl Trial {
    /// The trial of the network in `bytes`, opened as `words` say; `None` where nothing may be remembered of
    /// it: its weights lie in another file, or nothing is to be kept at all.
    pub(super) fn of(bytes: &[u8], words: &[OsString]) -> Option<Self> {
        if memmem::find(bytes, ELSEWHERE).is_some() || !cache::keeps() {
            return None;
        }
        let program = fs::metadata(std::env::current_exe().ok()?).ok()?;
        let changed = program.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(program.len().to_le_bytes());
        hash.update(changed.as_nanos().to_le_bytes());
        for word in words {
            let word = word.as_encoded_bytes();
            hash.update((word.len() as u64).to_le_bytes());
            hash.update(word);
        }
        hash.update(Sha256::digest(bytes));
        Some(Trial {
            path: folder().join(hex(&hash.finalize())),
        })
    }

    /// True if the trial came to an end before.
    pub(super) fn passed(&self) -> bool {
        self.path.is_file()
    }

    /// Remembers that it came to an end. Where that cannot be written, the network is tried again.
    pub(super) fn keep(&self) {
        let folder = folder();
        let kept = fs::read_dir(&folder).map_or(0, Iterator::count);
        if kept >= MOST {
            forget();
        }
        let _ = fs::create_dir_all(&folder).and_then(|()| fs::File::create(&self.path));
    }
}

/// Forgets all of them.
pub(super) fn forget() {
    for entry in fs::read_dir(folder()).into_iter().flatten().flatten() {
        // Nothing but what lies there by `keep`.
        if entry.metadata().is_ok_and(|there| there.len() == 0) {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder());
}
