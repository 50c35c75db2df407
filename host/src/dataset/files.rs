//! Files below a folder, for commands that take folders of photos.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::scan_report::{SkipReason, Skipped};
use super::sniff::NotAPhoto;

/// Files below a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Files, ordered by name within each folder.
    pub files: Vec<PathBuf>,
    /// Broken or circular links, unreadable folders, pipes and devices.
    pub skipped: Vec<Skipped>,
}

/// All files below `folder` except hidden ones. Unreadable entries are skipped, and the others are
/// not affected.
pub fn files_below(folder: &Path) -> Files {
    let hidden = |entry: &DirEntry| {
        entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !hidden(entry));
    let mut found = Files::default();
    for entry in entries {
        match entry {
            Ok(entry) if entry.file_type().is_file() => found.files.push(entry.into_path()),
            Ok(entry) if entry.file_type().is_dir() => (),
            Ok(entry) => found.skipped.push(Skipped {
                path: entry.into_path(),
                reason: NotAPhoto::NOT_A_FILE.into(),
            }),
            Err(error) => found.skipped.push(Skipped {
                path: error.path().unwrap_or(folder).to_owned(),
                reason: SkipReason::of_walk(&error),
            }),
        }
    }
    found
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_skipped_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("b")).unwrap();
        for name in ["a.jpg", "b/c.jpg", "z.jpg", ".hidden"] {
            fs::write(at(name), "x").unwrap();
        }
        symlink("nowhere", at("b/broken.jpg")).unwrap();
        symlink("..", at("b/up")).unwrap();
        symlink("itself", at("itself")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let found = files_below(dir.path());
        assert_eq!(found.files, ["a.jpg", "b/c.jpg", "z.jpg"].map(at));
        let said: Vec<String> = found.skipped.iter().map(ToString::to_string).collect();
        for (said, [name, reason]) in said.iter().zip([
            ["b/broken.jpg", "link that leads nowhere"],
            ["b/up", "leads back to a folder above itself"],
            ["itself", "cannot be read"],
            ["socket", "pipe, socket or device"],
        ]) {
            assert!(said.contains(name) && said.contains(reason), "{said}");
        }
        assert_eq!(said.len(), 4, "{said:?}");
        let missing = files_below(&at("none"));
        assert_eq!(missing.skipped.len(), 1);
        assert_eq!(missing.skipped[0].path, at("none"));
    }
}
