//! Unpacks untrusted `.tar.gz` archives.
//!
//! Only folders and plain files are extracted, only below the given folder, and only up to limits
//! on number and size. Everything is extracted into a temporary folder beside the target, which is
//! renamed once it is complete, so no partial result is ever found there.

use std::fs::{self, File};
use std::io::{self, Read, Take};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::atomic::Room;

/// Limits on the content of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of entries of any kind.
    pub entries: u64,
    /// Total size of all files, bytes.
    pub bytes: u64,
    /// Size of the decompressed archive, bytes; more than `bytes`, because entries have headers.
    pub decompressed: u64,
}

impl Default for Limits {
    /// Twenty times the size of the codelab's photos.
    fn default() -> Self {
        Limits {
            entries: 100_000,
            bytes: 4 << 30,
            decompressed: 5 << 30,
        }
    }
}

/// An archive was refused, or could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}; nothing was unpacked", archive.display())]
pub struct ArchiveError {
    /// Path of the archive.
    pub archive: PathBuf,
    /// Cause.
    pub problem: Problem,
}

/// Defect of an archive.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The archive cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// The archive is damaged, or no `.tar.gz` at all.
    #[error("is damaged or no .tar.gz archive ({0}); fetch it again")]
    Damaged(io::Error),
    /// The path of an entry leads out of the folder.
    #[error(
        "its entry {0:?} leads outside the folder it is unpacked in; do not trust this archive"
    )]
    Outside(String),
    /// An entry is neither a folder nor a plain file.
    #[error(
        "its entry {path:?} is {kind}, where only folders and files are taken; do not trust this archive"
    )]
    Kind {
        /// Path of the entry.
        path: String,
        /// Kind of the entry.
        kind: &'static str,
    },
    /// Too many entries.
    #[error("has more than {0} entries; unpack it by other means if you trust it")]
    Entries(u64),
    /// The unpacked files are too large.
    #[error("unpacks to more than {0} bytes; unpack it by other means if you trust it")]
    Bytes(u64),
    /// The requested file is not in the archive.
    #[error("has no file {0:?} inside; fetch it again")]
    NoMember(String),
    /// The target already exists.
    #[error("{} is there already; move it away or name another place with --into", .0.display())]
    Occupied(PathBuf),
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// Unpacks `archive` so that its folder `top` becomes `target`. Entries outside `top` are refused.
///
/// # Errors
/// [`ArchiveError`] names the archive and the entry; `target` does not exist then.
pub fn unpack(
    archive: &Path,
    top: &str,
    target: &Path,
    limits: &Limits,
) -> Result<(), ArchiveError> {
    unpack_beside(archive, top, target, limits).map_err(|problem| ArchiveError {
        archive: archive.to_owned(),
        problem,
    })
}

fn unpack_beside(archive: &Path, top: &str, target: &Path, limits: &Limits) -> Result<(), Problem> {
    if target.exists() {
        return Err(Problem::Occupied(target.to_owned()));
    }
    let beside = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let writing = |path: &Path| {
        let path = path.to_owned();
        move |source| Problem::Write { path, source }
    };
    fs::create_dir_all(beside).map_err(writing(beside))?;
    // Removed with its content when an error leaves this function.
    let room = Room::new(beside).map_err(writing(beside))?;
    each_file(archive, limits, |path, entry| {
        let path = room.path().join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(writing(folder))?;
        }
        let mut file = File::create_new(&path).map_err(writing(&path))?;
        copy(entry, &mut file, &path)
    })?;
    let unpacked = room.path().join(top);
    if !unpacked.is_dir() {
        return Err(Problem::NoMember(top.to_owned()));
    }
    fs::rename(&unpacked, target).map_err(writing(target))
}

/// Bytes of the one file `member` in `archive`.
///
/// # Errors
/// [`ArchiveError`], as [`unpack`].
pub fn member(archive: &Path, member: &str, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
    let mut found = None;
    each_file(archive, limits, |path, entry| {
        if path.file_name().is_some_and(|name| name == member) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(Problem::Damaged)?;
            found = Some(bytes);
        }
        Ok(())
    })
    .and_then(|()| found.ok_or_else(|| Problem::NoMember(member.to_owned())))
    .map_err(|problem| ArchiveError {
        archive: archive.to_owned(),
        problem,
    })
}

/// Checks the header of each entry and passes plain files with their paths to `take`.
fn each_file(
    archive: &Path,
    limits: &Limits,
    mut take: impl FnMut(&Path, &mut dyn Read) -> Result<(), Problem>,
) -> Result<(), Problem> {
    check_headers(archive, limits)?;
    let mut archive = open(archive, limits)?;
    let mut bytes = 0_u64;
    for entry in archive.entries().map_err(Problem::Damaged)? {
        let mut entry = entry.map_err(Problem::Damaged)?;
        let Some(path) = plain_path(&entry)? else {
            continue;
        };
        bytes = bytes.saturating_add(entry.size());
        if bytes > limits.bytes {
            return Err(Problem::Bytes(limits.bytes));
        }
        take(&path, &mut entry)?;
    }
    Ok(())
}

/// The decompressed stream of the archive, cut off at the limit.
fn open(archive: &Path, limits: &Limits) -> Result<Archive<Take<GzDecoder<File>>>, Problem> {
    let file = File::open(archive).map_err(Problem::Open)?;
    Ok(Archive::new(GzDecoder::new(file).take(limits.decompressed)))
}

/// Checks number of entries and length of the stream in a first pass, before anything is extracted.
/// Long names and attributes are stored in entries of their own, which the library reads into
/// memory whole, so their sizes are checked here too.
fn check_headers(archive: &Path, limits: &Limits) -> Result<(), Problem> {
    const LONGEST: u64 = 1 << 20;
    let mut archive = open(archive, limits)?;
    let entries = archive.entries().map_err(Problem::Damaged)?.raw(true);
    for (count, entry) in entries.enumerate() {
        if count as u64 >= limits.entries {
            return Err(Problem::Entries(limits.entries));
        }
        let entry = entry.map_err(Problem::Damaged)?;
        let plain = matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse
        );
        if !plain && entry.size() > LONGEST {
            return Err(Problem::Bytes(LONGEST));
        }
    }
    if archive.into_inner().limit() == 0 {
        return Err(Problem::Bytes(limits.decompressed));
    }
    Ok(())
}

/// Relative path of a plain file; `None` for a folder.
fn plain_path<R: Read>(entry: &Entry<'_, R>) -> Result<Option<PathBuf>, Problem> {
    let raw = entry.path_bytes();
    let name = || String::from_utf8_lossy(&raw).into_owned();
    let kind = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => None,
        EntryType::Directory => None,
        // Global headers: comments on the whole archive.
        EntryType::XGlobalHeader => return Ok(None),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        _ => Some("of unknown kind"),
    };
    if let Some(kind) = kind {
        return Err(Problem::Kind { path: name(), kind });
    }
    let path = entry.path().map_err(|_| Problem::Outside(name()))?;
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            _ => return Err(Problem::Outside(name())),
        }
    }
    // An empty path is the folder itself.
    let is_folder = entry.header().entry_type() == EntryType::Directory;
    Ok((!is_folder && !plain.as_os_str().is_empty()).then_some(plain))
}

/// Copies an entry into `file`; tells a damaged archive from a disk error.
fn copy(entry: &mut dyn Read, file: &mut File, path: &Path) -> Result<(), Problem> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match entry.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Problem::Damaged(error)),
        };
        io::Write::write_all(file, &buffer[..count]).map_err(|source| Problem::Write {
            path: path.to_owned(),
            source,
        })?;
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
