//! The files of a folder, for commands that take folders of photos.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// All files below `folder` but hidden ones, ordered by name within each folder.
///
/// # Errors
/// What the file system says, with the path.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, walkdir::Error> {
    let hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !hidden(entry));
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}
