//! Default folders for networks, photos and caches.

use std::path::{Path, PathBuf};

use crate::atomic::could_write;

/// Environment variable with another folder for networks and photos.
pub const VARIABLE: &str = "POSY_DATA";

/// The folder of `flower_photos` and `models`: the one in [`VARIABLE`], by default
/// [`own_data_dir`].
pub fn data_dir() -> PathBuf {
    match std::env::var_os(VARIABLE) {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => own_data_dir(),
    }
}

/// `posy` in the user's data folder, such as `~/.local/share/posy`.
pub fn own_data_dir() -> PathBuf {
    let base = dirs::data_dir().unwrap_or_else(|| PathBuf::from("."));
    base.join("posy")
}

/// Both folders, in search order.
pub fn data_dirs() -> Vec<PathBuf> {
    let mut folders = vec![data_dir(), own_data_dir()];
    folders.dedup();
    folders
}

/// The first of the folders in which `name` is writable; the first of all if none is.
pub fn data_dir_for(name: &str) -> PathBuf {
    let mut folders = data_dirs().into_iter();
    let writable = folders.find(|folder| could_write(&folder.join(name)).is_ok());
    writable.unwrap_or_else(data_dir)
}

/// `path` if it exists; else `path` in a data folder if that exists and `path` is relative.
pub fn in_data_dir(path: &Path) -> PathBuf {
    if !path.exists() && path.is_relative() {
        let mut there = data_dirs().into_iter().map(|folder| folder.join(path));
        if let Some(there) = there.find(|path| path.exists()) {
            return there;
        }
    }
    path.to_owned()
}

/// The user's cache folder.
pub fn cache_dir() -> PathBuf {
    let base = dirs::cache_dir().unwrap_or_else(std::env::temp_dir);
    base.join("posy")
}
