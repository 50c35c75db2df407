//! The photos of a data set: a folder whose sub-folders are the labels.
//!
//! ```text
//! flower_photos/daisy/5547758_eea9edfd54_n.jpg      a photo of label "daisy"
//! flower_photos/daisy/2019/garden.png               another: folders within a label are searched
//! flower_photos/.DS_Store                           hidden files and folders are passed over
//! flower_photos/LICENSE.txt                         so is what lies beside the labels
//! ```
//!
//! A label is the folder's name, kept as it is. Links are followed; one that leads back to a folder
//! above itself is skipped. Labels and photos are ordered by the bytes of their names, so that the
//! order does not depend on the machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::scan_report::{NameFault, ScanError, ScanWarning, SkipReason, Skipped};
use super::sniff::{Format, NotAPhoto, SNIFF_LEN, sniff};

/// What [`scan`] should hold to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// Photos of a label below which there is a warning.
    pub few_photos: usize,
}

impl Default for ScanOptions {
    /// 20 photos, as `retrain.py` has it.
    fn default() -> Self {
        ScanOptions { few_photos: 20 }
    }
}

/// One photo file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Where it is.
    pub path: PathBuf,
    /// Its path within the data set, with `/` on every system: `daisy/5547758_eea9edfd54_n.jpg`.
    pub relative: String,
    /// Index into [`Dataset::labels`].
    pub label: usize,
    /// What its first bytes say.
    pub format: Format,
}

/// The labelled photos of a folder.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The folder, as given.
    pub root: PathBuf,
    /// Names of the labels that have photos, two or more, ordered by their bytes.
    pub labels: Vec<String>,
    /// All photos, ordered by label, then by the bytes of [`Photo::relative`].
    pub photos: Vec<Photo>,
    /// Files in label folders that are not used.
    pub skipped: Vec<Skipped>,
    /// What a person should know before going on.
    pub warnings: Vec<ScanWarning>,
}

impl Dataset {
    /// Photos of each label, in the order of [`Dataset::labels`].
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.labels.len()];
        for photo in &self.photos {
            counts[photo.label] += 1;
        }
        counts
    }
}

/// Finds the photos below `root`.
///
/// Only the start of each file is read, so a photo that turns out damaged later is among them.
///
/// # Errors
/// [`ScanError`] when there are not at least two labels with photos.
pub fn scan(root: &Path, options: &ScanOptions) -> Result<Dataset, ScanError> {
    match std::fs::metadata(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ScanError::Missing(root.to_owned()));
        }
        Ok(metadata) if !metadata.is_dir() => return Err(ScanError::NotAFolder(root.to_owned())),
        _ => (),
    }
    let unreadable = |source| ScanError::Unreadable {
        path: root.to_owned(),
        source,
    };
    std::fs::read_dir(root).map_err(unreadable)?;

    let mut found = Found::default();
    let entries = WalkDir::new(root)
        .min_depth(1)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_passed_over(entry.file_name()));
    for entry in entries {
        match entry {
            Ok(entry) => found.take(root, &entry)?,
            Err(error) => found.skip_error(root, &error),
        }
    }
    found.into_dataset(root, options)
}

/// Hidden files, and those that systems leave in folders by themselves.
fn is_passed_over(name: &OsStr) -> bool {
    const SYSTEM: [&str; 4] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"];
    name.as_encoded_bytes().starts_with(b".") || SYSTEM.iter().any(|s| name.eq_ignore_ascii_case(s))
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    /// Photos of each label folder: path within the data set, path, format.
    labels: BTreeMap<String, Vec<(String, PathBuf, Format)>>,
    loose: Vec<PathBuf>,
    skipped: Vec<Skipped>,
    /// A folder within the first label's folder.
    inner_folder: Option<PathBuf>,
}

impl Found {
    fn take(&mut self, root: &Path, entry: &DirEntry) -> Result<(), ScanError> {
        let path = entry.path();
        if entry.file_type().is_dir() {
            if entry.depth() == 1 {
                let label = checked_name(entry.file_name()).map_err(|fault| {
                    let path = path.to_owned();
                    ScanError::LabelName { path, fault }
                })?;
                self.labels.entry(label.to_owned()).or_default();
            } else if entry.depth() == 2 {
                self.inner_folder.get_or_insert_with(|| path.to_owned());
            }
            return Ok(());
        }
        if entry.depth() == 1 {
            // Whatever else lies beside the labels (a licence, a list) is nobody's photo.
            if read_format(path, entry).is_ok() {
                self.loose.push(path.to_owned());
            }
            return Ok(());
        }
        let outcome = relative_name(root, path)
            .map_err(SkipReason::Name)
            .and_then(|(label, relative)| Ok((label, relative, read_format(path, entry)?)));
        match outcome {
            Ok((label, relative, format)) => {
                let photos = self.labels.entry(label).or_default();
                photos.push((relative, path.to_owned(), format));
            }
            Err(reason) => self.skipped.push(Skipped {
                path: path.to_owned(),
                reason,
            }),
        }
        Ok(())
    }

    fn skip_error(&mut self, root: &Path, error: &walkdir::Error) {
        let reason = match error.io_error() {
            _ if error.loop_ancestor().is_some() => SkipReason::Loop,
            Some(io) => SkipReason::Unreadable(io.to_string()),
            None => SkipReason::Unreadable(error.to_string()),
        };
        self.skipped.push(Skipped {
            path: error.path().unwrap_or(root).to_owned(),
            reason,
        });
    }

    fn into_dataset(self, root: &Path, options: &ScanOptions) -> Result<Dataset, ScanError> {
        let path = root.to_owned();
        if self.labels.is_empty() {
            return Err(match self.loose.len() {
                0 => ScanError::NoLabels(path),
                count => ScanError::OnlyLoosePhotos { path, count },
            });
        }
        let folders = self.labels.len();
        let mut dataset = Dataset {
            root: path.clone(),
            labels: Vec::new(),
            photos: Vec::new(),
            skipped: self.skipped,
            warnings: Vec::new(),
        };
        for (label, mut photos) in self.labels {
            let count = photos.len();
            if count == 0 {
                dataset.warnings.push(ScanWarning::EmptyLabel { label });
                continue;
            }
            if count < options.few_photos {
                dataset.warnings.push(ScanWarning::FewPhotos {
                    label: label.clone(),
                    count,
                    advised: options.few_photos,
                });
            }
            photos.sort();
            let index = dataset.labels.len();
            dataset
                .photos
                .extend(photos.into_iter().map(|(relative, path, format)| Photo {
                    path,
                    relative,
                    label: index,
                    format,
                }));
            dataset.labels.push(label);
        }
        if let Some(example) = self.loose.first() {
            dataset.warnings.push(ScanWarning::LoosePhotos {
                count: self.loose.len(),
                example: example.clone(),
            });
        }
        match &dataset.labels[..] {
            [] => Err(ScanError::NoPhotos {
                path,
                folders,
                skipped: dataset.skipped,
            }),
            [label] => Err(ScanError::OneLabel {
                label: label.clone(),
                hint: self
                    .inner_folder
                    .and_then(|inner| Some(inner.parent()?.display().to_string()))
                    .map(|folder| format!(", or if its folders are the labels give {folder}"))
                    .unwrap_or_default(),
                path,
                skipped: dataset.skipped,
            }),
            _ => Ok(dataset),
        }
    }
}

/// A name that can be written in a line of text.
fn checked_name(name: &OsStr) -> Result<&str, NameFault> {
    let name = name.to_str().ok_or(NameFault::NotUtf8)?;
    if name.chars().any(char::is_control) {
        return Err(NameFault::ControlCharacter);
    }
    Ok(name)
}

/// The label and the path within the data set.
fn relative_name(root: &Path, path: &Path) -> Result<(String, String), NameFault> {
    let names = path
        .strip_prefix(root)
        .unwrap_or(path)
        .iter()
        .map(checked_name)
        .collect::<Result<Vec<_>, _>>()?;
    let label = names.first().copied().unwrap_or_default();
    Ok((label.to_owned(), names.join("/")))
}

/// The format that a file's first bytes tell.
fn read_format(path: &Path, entry: &DirEntry) -> Result<Format, SkipReason> {
    if !entry.file_type().is_file() {
        // Opening a pipe or a device could wait for ever.
        return Err(NotAPhoto::OtherFile("a pipe, socket or device").into());
    }
    let unreadable = |error: std::io::Error| SkipReason::Unreadable(error.to_string());
    let mut start = Vec::with_capacity(SNIFF_LEN);
    File::open(path)
        .map_err(unreadable)?
        .take(SNIFF_LEN as u64)
        .read_to_end(&mut start)
        .map_err(unreadable)?;
    Ok(sniff(&start)?)
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
