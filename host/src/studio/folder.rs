//! The folder that `posy studio` and `posy capture` work on: photos, models and records, all plain files.
//!
//! ```text
//! FOLDER/photos/LABEL/BURST_nohash_0001.png   one sub-folder a label, as `posy retrain` takes it
//! FOLDER/removed/LABEL/...                    what was taken away in the page
//! FOLDER/model.posy                           and its split and record of the run beside it
//! ```
//!
//! Photos that were recorded in one go share a name up to `_nohash_`: the split keeps them together,
//! so that no network is tested on a picture a tenth of a second after one that it was trained on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::dataset::sniff::{Format, SNIFF_LEN, sniff};
use crate::dataset::{DecodeError, Decoded, Limits, decode_within};
use posy_nn::atomic;

/// Maximum length of a label's name, bytes.
const LABEL_LEN: usize = 60;

/// Maximum size of a photo that is added, bytes.
pub const PHOTO_LEN: usize = 16 << 20;

/// Errors of the folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The name cannot be that of a label.
    #[error(
        "{0:?} cannot be a label: take 1 to 60 letters, digits, spaces, - or _, the first no dot, the last no \
         dot or space"
    )]
    Label(String),
    /// The name cannot be that of a photo.
    #[error("there is no photo called {0:?} here; reload the page")]
    Name(String),
    /// The bytes are no photo.
    #[error("not a photo: {0}; give a JPEG, PNG, WebP, GIF or BMP file")]
    Photo(#[from] DecodeError),
    /// The bytes are too many.
    #[error("the file has {0} bytes, more than a photo's 16 MiB; make it smaller")]
    TooLarge(usize),
    /// The disk is full.
    #[error("{}: the disk is full; make room, then record again. Photos recorded before are safe", .0.display())]
    Full(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A photo of a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct PhotoName {
    /// Milliseconds since 1970 when it was last changed.
    pub time: u64,
    /// Its file's name.
    pub name: String,
}

/// A folder of the studio.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`FolderError::Io`], [`FolderError::Full`].
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let folder = Folder { path: path.into() };
        make(&folder.photos())?;
        Ok(folder)
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the photos, one sub-folder a label.
    pub fn photos(&self) -> PathBuf {
        self.path.join("photos")
    }

    /// File of the model.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.posy")
    }

    /// Names of all labels, those without photos too, sorted.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn labels(&self) -> Result<Vec<String>, FolderError> {
        let path = self.photos();
        let mut labels = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed(&path))? {
            let entry = entry.map_err(failed(&path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && is_label(&name) {
                labels.push(name);
            }
        }
        labels.sort();
        Ok(labels)
    }

    /// Photos of a label, oldest first. Files that are no photos are left out.
    ///
    /// # Errors
    /// [`FolderError::Label`], [`FolderError::Io`].
    pub fn photos_of(&self, label: &str) -> Result<Vec<PhotoName>, FolderError> {
        let path = self.label(label)?;
        let mut photos = Vec::new();
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(photos),
            entries => entries.map_err(failed(&path))?,
        };
        for entry in entries {
            let entry = entry.map_err(failed(&path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if !metadata.is_file() || !is_photo_name(&name) {
                continue;
            }
            let time = metadata.modified().ok();
            let time = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let time = time.map_or(0, |time| time.as_millis() as u64);
            photos.push(PhotoName { time, name });
        }
        photos.sort();
        Ok(photos)
    }

    /// Makes a label without photos.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn add_label(&self, label: &str) -> Result<(), FolderError> {
        make(&self.label(label)?)
    }

    /// Removes a label; its photos go where [`Folder::remove`] puts them.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn remove_label(&self, label: &str) -> Result<(), FolderError> {
        for photo in self.photos_of(label)? {
            self.remove(label, &photo.name)?;
        }
        let path = self.label(label)?;
        match fs::remove_dir(&path) {
            // Something else lies there, or it was gone.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(failed(&path)),
        }
    }

    /// Adds an encoded photo to a label, under a name that belongs to `burst`; returns the name.
    /// The bytes are decoded first: what is added is a photo.
    ///
    /// # Errors
    /// [`FolderError`]. Nothing is added then.
    pub fn add(&self, label: &str, burst: &str, bytes: &[u8]) -> Result<String, FolderError> {
        let ending = ending(bytes)?;
        let folder = self.label(label)?;
        make(&folder)?;
        let burst: String = burst
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(24)
            .collect();
        let burst = if burst.is_empty() { "photo" } else { &burst };
        for number in 1.. {
            let stem = format!("{burst}_nohash_{number:04}");
            // A name may be taken with another ending.
            let taken = ["jpg", "png", "webp", "gif", "bmp"]
                .iter()
                .any(|ending| folder.join(format!("{stem}.{ending}")).exists());
            if taken {
                continue;
            }
            let name = format!("{stem}.{ending}");
            let path = folder.join(&name);
            atomic::write(&path, bytes).map_err(failed(&path))?;
            return Ok(name);
        }
        Err(FolderError::Name(burst.to_owned()))
    }

    /// Takes a photo away: it moves into the folder `removed`.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn remove(&self, label: &str, name: &str) -> Result<(), FolderError> {
        let from = self.photo(label, name)?;
        let folder = self.path.join("removed").join(label);
        make(&folder)?;
        rename(&from, &free(&folder, name))
    }

    /// Brings back a photo that was taken away.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn restore(&self, label: &str, name: &str) -> Result<(), FolderError> {
        self.photo(label, name)?;
        let from = self.path.join("removed").join(label).join(name);
        let folder = self.label(label)?;
        make(&folder)?;
        rename(&from, &free(&folder, name))
    }

    /// Moves a photo to another label.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn relabel(&self, label: &str, name: &str, to: &str) -> Result<(), FolderError> {
        let from = self.photo(label, name)?;
        let folder = self.label(to)?;
        make(&folder)?;
        rename(&from, &free(&folder, name))
    }

    /// Path of a photo, which is in the folder whatever the names are.
    ///
    /// # Errors
    /// [`FolderError::Label`], [`FolderError::Name`].
    pub fn photo(&self, label: &str, name: &str) -> Result<PathBuf, FolderError> {
        match is_photo_name(name) {
            true => Ok(self.label(label)?.join(name)),
            false => Err(FolderError::Name(name.to_owned())),
        }
    }

    fn label(&self, label: &str) -> Result<PathBuf, FolderError> {
        match is_label(label) {
            true => Ok(self.photos().join(label)),
            false => Err(FolderError::Label(label.to_owned())),
        }
    }
}

/// The name of a new burst, from the time.
pub fn new_burst() -> String {
    let since = UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("burst{}", since.as_millis())
}

/// Returns true for names of labels: one component of a path on every system, and fit for a model.
fn is_label(name: &str) -> bool {
    is_component(name) && name.len() <= LABEL_LEN
}

/// Returns true for names of photos.
fn is_photo_name(name: &str) -> bool {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let known = ["jpg", "jpeg", "png", "webp", "gif", "bmp"];
    is_component(name)
        && name.len() <= 255
        && ending.is_some_and(|ending| known.contains(&ending.as_str()))
}

fn is_component(name: &str) -> bool {
    let forbidden =
        |letter: char| letter.is_control() || "/\\:*?\"<>|\u{2028}\u{2029}".contains(letter);
    !name.is_empty()
        && !name.starts_with(['.', ' '])
        && !name.ends_with(['.', ' '])
        && !name.contains(forbidden)
}

/// The ending for the photo's format, after it was decoded within the usual limits.
fn ending(bytes: &[u8]) -> Result<&'static str, FolderError> {
    if bytes.len() > PHOTO_LEN {
        return Err(FolderError::TooLarge(bytes.len()));
    }
    let _: Decoded = decode_within(bytes, &Limits::default())?;
    let format = sniff(&bytes[..bytes.len().min(SNIFF_LEN)]);
    Ok(match format {
        Ok(Format::Png) => "png",
        Ok(Format::WebP) => "webp",
        Ok(Format::Gif) => "gif",
        Ok(Format::Bmp) => "bmp",
        _ => "jpg",
    })
}

/// A path in `folder` for `name` that is not taken.
fn free(folder: &Path, name: &str) -> PathBuf {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "jpg"));
    let path = folder.join(name);
    if !path.exists() {
        return path;
    }
    let names = (2_u32..).map(|number| folder.join(format!("{stem}-{number}.{ending}")));
    names
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or(path)
}

fn make(path: &Path) -> Result<(), FolderError> {
    fs::create_dir_all(path).map_err(failed(path))
}

fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    fs::rename(from, to).map_err(failed(from))
}

/// An error about `path`.
fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError + '_ {
    |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FolderError::Full(path.into()),
        _ => FolderError::Io {
            path: path.into(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(value: u8) -> Vec<u8> {
        let image = image::RgbImage::from_pixel(8, 8, image::Rgb([value; 3]));
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn names_from_outside_stay_in_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("studio")).unwrap();
        let evil = [
            "", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:", "a\0b", "a\nb", ".hidden", "x.",
            "x ", " x", "a*", "\u{2028}",
        ];
        for name in evil {
            assert!(
                matches!(folder.add(name, "b", &png(1)), Err(FolderError::Label(_))),
                "{name:?}"
            );
            assert!(folder.photos_of(name).is_err(), "{name:?}");
            assert!(folder.add_label(name).is_err(), "{name:?}");
            assert!(folder.photo("cup", name).is_err(), "{name:?}");
            assert!(
                folder.photo("cup", &format!("{name}/../x.jpg")).is_err(),
                "{name:?}"
            );
            assert!(folder.remove("cup", name).is_err(), "{name:?}");
            assert!(folder.restore("cup", name).is_err(), "{name:?}");
            assert!(folder.relabel("cup", "x.jpg", name).is_err(), "{name:?}");
        }
        assert!(folder.add_label(&"x".repeat(61)).is_err());
        // A burst's name is the page's: it is stripped.
        let name = folder.add("cup", "../../../x", &png(1)).unwrap();
        assert_eq!(name, "x_nohash_0001.png");
        let mut files: Vec<_> = walkdir::WalkDir::new(dir.path())
            .into_iter()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(dir.path()).unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, [Path::new("studio/photos/cup/x_nohash_0001.png")]);
    }

    #[test]
    fn photos_are_added_moved_taken_away_and_brought_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let names = |label: &str| -> Vec<String> {
            let photos = folder.photos_of(label).unwrap();
            photos.into_iter().map(|photo| photo.name).collect()
        };
        folder.add_label("empty").unwrap();
        let first = folder.add("雏菊", "b1", &png(1)).unwrap();
        let second = folder.add("雏菊", "b1", &png(2)).unwrap();
        assert_eq!(
            [&first, &second],
            ["b1_nohash_0001.png", "b1_nohash_0002.png"]
        );
        assert_eq!(folder.labels().unwrap(), ["empty", "雏菊"]);
        folder.remove("雏菊", &first).unwrap();
        assert_eq!(names("雏菊"), [second.as_str()]);
        folder.restore("雏菊", &first).unwrap();
        folder.relabel("雏菊", &second, "cup").unwrap();
        assert_eq!((names("雏菊"), names("cup")), (vec![first], vec![second]));
        folder.remove_label("cup").unwrap();
        assert_eq!(folder.labels().unwrap(), ["empty", "雏菊"]);
    }

    #[test]
    fn what_is_no_photo_is_not_added() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let error = folder
            .add("cup", "b", b"<svg onload=alert(1)>")
            .unwrap_err();
        assert!(matches!(error, FolderError::Photo(_)), "{error}");
        let torn = png(1);
        folder.add("cup", "b", &torn[..torn.len() / 2]).unwrap_err();
        let error = folder.add("cup", "b", &vec![0; PHOTO_LEN + 1]).unwrap_err();
        assert!(matches!(error, FolderError::TooLarge(_)), "{error}");
        assert!(folder.labels().unwrap().is_empty());
    }
}
