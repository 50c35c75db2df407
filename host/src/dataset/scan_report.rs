//! Messages of a scan: skipped files, warnings, and errors.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::sniff::NotAPhoto;

/// A file or folder that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path of the file or folder.
    pub path: PathBuf,
    /// The reason.
    pub reason: SkipReason,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "skipped {}: {}", self.path.display(), self.reason)
    }
}

/// Reasons for skipping a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// Not a photo in a supported format.
    #[error(transparent)]
    NotAPhoto(#[from] NotAPhoto),
    /// The file system's error.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A link to a folder that contains it.
    #[error("a link that leads back to a folder above itself")]
    Loop,
    /// A broken link.
    #[error("a link that leads nowhere")]
    Dangling,
    /// The name cannot be written in a model or a list.
    #[error("its name {0}; rename it")]
    Name(NameFault),
}

impl SkipReason {
    /// The reason behind an error of the directory walk.
    pub(super) fn of_walk(error: &walkdir::Error) -> Self {
        let is_link = || error.path().is_some_and(Path::is_symlink);
        match error.io_error() {
            _ if error.loop_ancestor().is_some() => SkipReason::Loop,
            Some(io) if io.kind() == std::io::ErrorKind::NotFound && is_link() => {
                SkipReason::Dangling
            }
            Some(io) => SkipReason::Unreadable(io.to_string()),
            None => SkipReason::Unreadable(error.to_string()),
        }
    }
}

/// Problems with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameFault {
    /// Not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A line break, tabulator or the like.
    #[error("has a control character")]
    ControlCharacter,
}

/// Warnings about a usable data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanWarning {
    /// A label folder without photos; the label is dropped.
    EmptyLabel {
        /// The folder's name.
        label: String,
    },
    /// A label with few photos.
    FewPhotos {
        /// The label.
        label: String,
        /// Number of its photos.
        count: usize,
        /// [`super::ScanOptions::few_photos`].
        advised: usize,
    },
    /// Photos beside the label folders, which have no label.
    LoosePhotos {
        /// Number of photos.
        count: usize,
        /// The first of them.
        example: PathBuf,
    },
    /// A folder beside the parts of a split.
    NoPart {
        /// Name of the folder.
        folder: String,
    },
    /// A split without test photos.
    NoTestPart,
}

impl fmt::Display for ScanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanWarning::EmptyLabel { label } => {
                write!(f, "folder {label:?} has no photos: label left out")
            }
            ScanWarning::FewPhotos {
                label,
                count,
                advised,
            } => {
                let s = if *count == 1 { "" } else { "s" };
                write!(
                    f,
                    "label {label:?} has only {count} photo{s}; with fewer than {advised} it may not be learned well"
                )
            }
            ScanWarning::LoosePhotos { count, example } => write!(
                f,
                "{count} photo(s) beside the label folders are not used, such as {}: move each into the folder of its label",
                example.display()
            ),
            ScanWarning::NoPart { folder } => {
                write!(
                    f,
                    "folder {folder:?} is none of train, valid and test: left out"
                )
            }
            ScanWarning::NoTestPart => f.write_str(
                "there is no folder test, so nothing says how good the model is on photos that it \
                 has not seen",
            ),
        }
    }
}

/// The first of the skipped files, to append to an error.
fn example(skipped: &[Skipped]) -> String {
    let Some(first) = skipped.first() else {
        return String::new();
    };
    let (path, count) = (first.path.display(), skipped.len());
    format!(
        "; of {count} file(s) or folder(s) that cannot be used the first is {path}: {}",
        first.reason
    )
}

/// Reasons why a folder cannot be used as a data set.
#[derive(Debug, Error)]
pub enum ScanError {
    /// No such folder.
    #[error("{}: no such folder; give the folder that holds one folder of photos for each label", .0.display())]
    Missing(PathBuf),
    /// A file, not a folder.
    #[error("{}: not a folder; give the folder that holds one folder of photos for each label", .0.display())]
    NotAFolder(PathBuf),
    /// The file system's error.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Photos, but no folders.
    #[error("{}: {count} photo(s) but no folders; make a folder for each label and put its photos there", path.display())]
    OnlyLoosePhotos {
        /// The folder.
        path: PathBuf,
        /// Number of photos directly in it.
        count: usize,
    },
    /// No folders.
    #[error("{}: no folders in it; make a folder for each label and put its photos there", .0.display())]
    NoLabels(PathBuf),
    /// Folders, but no photo in any.
    #[error("{}: no photos in its {folders} folder(s) ({} other file(s)); put JPEG, PNG, WebP, GIF or BMP photos there{}", path.display(), skipped.len(), example(skipped))]
    NoPhotos {
        /// The folder.
        path: PathBuf,
        /// Number of label folders.
        folders: usize,
        /// Skipped files.
        skipped: Vec<Skipped>,
    },
    /// Only one label has photos.
    #[error("{}: only one label has photos ({label:?}), and a choice needs two; add a folder of other photos{hint}{}", path.display(), example(skipped))]
    OneLabel {
        /// The folder.
        path: PathBuf,
        /// The label.
        label: String,
        /// Advice where the labels may be, if the one label has sub-folders; else empty.
        hint: String,
        /// Skipped files, perhaps including the expected photos.
        skipped: Vec<Skipped>,
    },
    /// Folders of a split in place of labels.
    #[error(
        "{path}: its folders {} are parts of a split, with the labels' folders in them. To train and \
         test as they are divided: posy retrain --image-dir {path} --split folders (posy check {path} \
         --split folders); to divide the photos of one anew: --image-dir {training}",
        folders.join(", "), path = path.display(), training = training.display()
    )]
    Parts {
        /// The folder.
        path: PathBuf,
        /// The names of the parts.
        folders: Vec<String>,
        /// The folder of training photos.
        training: PathBuf,
    },
    /// Parts of a split without labels.
    #[error(
        "{}: its folders {} are parts of a split, not labels, and there are photos in them but no \
         folders of labels; make a folder for each label in {} and put its photos there (labels \
         that are really called so need other names)",
        path.display(), folders.join(", "), training.display()
    )]
    PartsWithoutLabels {
        /// The folder.
        path: PathBuf,
        /// The names of the parts.
        folders: Vec<String>,
        /// The folder of training photos.
        training: PathBuf,
    },
    /// Missing parts where a split by folders was requested.
    #[error(
        "{}: --split folders wants a folder train, and test and valid beside it, with a folder for \
         each label in each; here {}. Leave --split out if these are the labels",
        path.display(),
        if folders.is_empty() { "is none".to_owned() } else { format!("are {}", folders.join(", ")) }
    )]
    NoParts {
        /// The folder.
        path: PathBuf,
        /// The folders in it.
        folders: Vec<String>,
    },
    /// A label whose name cannot be written.
    #[error("{}: the folder's name {fault}; rename it, since it becomes the label", path.display())]
    LabelName {
        /// The label's folder.
        path: PathBuf,
        /// The problem with its name.
        fault: NameFault,
    },
}
