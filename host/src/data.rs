//! Where networks and photos are found when nothing else is said.

use std::path::{Path, PathBuf};

/// The folder with `flower_photos` and `models`: `POSY_DATA`, by default `../shared`.
pub fn data_dir() -> PathBuf {
    std::env::var_os("POSY_DATA").map_or_else(|| PathBuf::from("../shared"), PathBuf::from)
}

/// `path` if it is there; else `path` in the data folder, if it is there and `path` is relative.
pub fn in_data_dir(path: &Path) -> PathBuf {
    if !path.exists() && path.is_relative() {
        let there = data_dir().join(path);
        if there.exists() {
            return there;
        }
    }
    path.to_owned()
}

/// The user's folder for what can be computed anew.
pub fn cache_dir() -> PathBuf {
    let base = dirs::cache_dir().unwrap_or_else(std::env::temp_dir);
    base.join("posy")
}
