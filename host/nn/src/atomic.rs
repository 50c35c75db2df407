//! Atomic file writes, and removal of temporary files left by killed processes.
//!
//! A file is first written beside its target under a temporary name (`.posy-XXXXXX.tmp`), which
//! stays locked as long as its process lives. A later process can lock, and removes, the file of a
//! dead one; this does not depend on process numbers.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

const PREFIX: &str = ".posy-";
const SUFFIX: &str = ".tmp";
/// Content of a trial write.
const TRIAL: [u8; 4096] = [0; 4096];

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Target of a write: the file behind `path` if that is a link.
fn place_of(path: &Path) -> PathBuf {
    let linked = path.is_symlink().then(|| path.canonicalize().ok());
    linked.flatten().unwrap_or_else(|| path.to_owned())
}

/// The path with every link in its existing part followed. What does not exist has no links.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), path.strip_prefix(folder)) {
            let mut place = real;
            for part in rest.components() {
                match part {
                    Component::ParentDir => {
                        place.pop();
                    }
                    part => place.push(part),
                }
            }
            return place;
        }
    }
    path
}

/// True if both paths name the same file, which need not exist yet.
pub fn same_place(a: &Path, b: &Path) -> bool {
    resolved(a) == resolved(b)
}

/// Error if something other than a file lies at `path`.
fn in_the_way(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => {
            Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"))
        }
        // A device or a pipe must not be replaced by a file.
        Ok(there) if !there.is_file() => Err(io::Error::other("it is not a file")),
        _ => Ok(()),
    }
}

/// Checks that [`write()`] could write `path` now, as far as possible without leaving anything
/// behind. Long computations call it before they start.
///
/// # Errors
/// The reason why not.
pub fn could_write(path: &Path) -> io::Result<()> {
    in_the_way(path)?;
    let place = place_of(path);
    // Missing folders would be created in this one.
    let mut there = folder_of(&place)
        .ancestors()
        .filter(|folder| folder.exists());
    let folder = there.next().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let what = format!("{} is not a folder", folder.display());
        return Err(io::Error::new(ErrorKind::NotADirectory, what));
    }
    clear_once(folder);
    tempfile::tempfile_in(folder)?.write_all(&TRIAL)
}

/// Writes `bytes` to `path` atomically: to a temporary file first, then renamed. Creates missing
/// folders.
///
/// # Errors
/// The system's; `path` then names the same file as before.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    Staged::new(path, bytes)?.place()
}

/// A complete temporary file that has not been renamed yet. Dropping it removes it.
#[derive(Debug)]
pub struct Staged {
    file: NamedTempFile,
    place: PathBuf,
}

impl Staged {
    /// Writes `bytes` to a temporary file beside `path`. Creates missing folders.
    ///
    /// # Errors
    /// The system's.
    pub fn new(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        in_the_way(path)?;
        let place = place_of(path);
        let folder = folder_of(&place);
        fs::create_dir_all(folder)?;
        clear_once(folder);
        let mut file = locked_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(Staged { file, place })
    }

    /// Renames the file to its target, replacing what is there.
    ///
    /// # Errors
    /// The system's; the target is then unchanged.
    pub fn place(self) -> io::Result<()> {
        in_the_way(&self.place)?;
        self.file.persist(&self.place)?;
        Ok(())
    }
}

fn builder() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    builder
}

/// Creates a locked temporary file in `folder`.
fn locked_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = builder();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Mode of any new file; the process's umask is applied to it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // Without locks on the file system, no file can be known to be dead, and none is removed.
        let locked = file.as_file().lock();
        // Between creation and locking, another process may have removed it as dead.
        if locked.is_err() || still_names(file.path(), file.as_file()) {
            return Ok(file);
        }
    }
}

/// True if `path` still names the open `file`.
pub fn still_names(path: &Path, file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let [named, open] = [fs::symlink_metadata(path), file.metadata()].map(|m| m.map(identity));
        matches!((named, open), (Ok(named), Ok(open)) if named == open)
    }
    // Other systems do not let an open file be removed or renamed.
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// A temporary folder that is removed with its content unless it is taken out.
#[derive(Debug)]
pub struct Room {
    folder: TempDir,
    _lock: Option<File>,
}

impl Room {
    /// Creates one in `folder`, and removes those left there by killed processes.
    ///
    /// # Errors
    /// The system's.
    pub fn new(folder: &Path) -> io::Result<Self> {
        clear_once(folder);
        loop {
            let room = builder().tempdir_in(folder)?;
            let lock = lock_of_folder(room.path());
            let is_mine = match &lock {
                Some(lock) if lock.lock().is_ok() => still_names(room.path(), lock),
                _ => true,
            };
            if is_mine {
                return Ok(Room {
                    folder: room,
                    _lock: lock,
                });
            }
        }
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The lock held while a [`Room`] is in use: on the folder itself, where the system can open
/// folders.
fn lock_of_folder(folder: &Path) -> Option<File> {
    match cfg!(unix) {
        true => File::open(folder).ok(),
        false => None,
    }
}

/// Cleans a folder the first time that this process uses it.
fn clear_once(folder: &Path) {
    static CLEARED: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let Ok(folder) = folder.canonicalize() else {
        return;
    };
    let mut cleared = CLEARED.lock().unwrap_or_else(PoisonError::into_inner);
    if cleared.get_or_insert_default().insert(folder.clone()) {
        drop(cleared);
        clear(&folder);
    }
}

/// Removes temporary files of killed processes from `folder`. Files that cannot be removed stay.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || !name.ends_with(SUFFIX) {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type());
        // Links are never created here.
        let is = |test: fn(&fs::FileType) -> bool| kind.as_ref().is_ok_and(test);
        let lock = if is(fs::FileType::is_file) {
            File::open(&path).ok()
        } else if is(fs::FileType::is_dir) {
            lock_of_folder(&path)
        } else {
            None
        };
        let Some(lock) = lock else { continue };
        if lock.try_lock().is_ok() && still_names(&path, &lock) {
            let _ = match is(fs::FileType::is_dir) {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn dead_leftovers_go_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at(".posy-dead01.tmp"), "half").unwrap();
        fs::create_dir(at(".posy-dead02.tmp")).unwrap();
        fs::write(at(".posy-dead02.tmp/file"), "half").unwrap();
        fs::write(at(".posy-of.mine"), "mine").unwrap();
        fs::write(at(".tmpA1b2C3"), "another program's").unwrap();
        fs::write(at("photo.tmp"), "mine").unwrap();
        let living = locked_in(folder.path()).unwrap();
        let room = builder().tempdir_in(folder.path()).unwrap();
        let lock = lock_of_folder(room.path());
        if let Some(lock) = &lock {
            lock.lock().unwrap();
        }
        clear(folder.path());
        let mut expected = [".posy-of.mine", ".tmpA1b2C3", "photo.tmp"]
            .map(String::from)
            .to_vec();
        for path in [living.path(), room.path()] {
            let name = path.file_name().unwrap().to_string_lossy();
            expected.push(name.into_owned());
        }
        if lock.is_none() {
            expected.push(".posy-dead02.tmp".into());
        }
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn what_is_staged_has_its_name_when_it_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/model.posy");
        let staged = Staged::new(&path, b"one").unwrap();
        assert!(!path.exists());
        staged.place().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        drop(Staged::new(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(names(path.parent().unwrap()), ["model.posy"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/model.posy"), "old").unwrap();
        std::os::unix::fs::symlink("far/model.posy", at("model.posy")).unwrap();
        write(&at("model.posy"), b"new").unwrap();
        assert!(at("model.posy").is_symlink());
        assert_eq!(fs::read(at("far/model.posy")).unwrap(), b"new");
        for path in [Path::new("/dev/null"), &at("far")] {
            assert!(could_write(path).is_err(), "{}", path.display());
            assert!(Staged::new(path, b"x").is_err(), "{}", path.display());
        }
    }
}
