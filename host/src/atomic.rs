//! Writing files whole or not at all.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether [`write()`] could write `path` now, as far as that can be told without leaving anything
/// behind: for work that takes long and is then to be written.
///
/// # Errors
/// Why it could not.
pub fn could_write(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    // Folders that are missing would be made in this one.
    let mut there = folder_of(path).ancestors().filter(|folder| folder.exists());
    let folder = there.next().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let what = format!("{} is not a folder", folder.display());
        return Err(io::Error::new(ErrorKind::NotADirectory, what));
    }
    tempfile::tempfile_in(folder).map(drop)
}

/// Writes `bytes` so that the name `path` never stands for a part of them: beside it first, then
/// renamed. Folders that are missing are made.
///
/// # Errors
/// What the system says; the path then names what it named before.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any new file; the process's mask is applied to it.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
