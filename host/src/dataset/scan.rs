//! Scans a data set: a folder whose sub-folders are the labels.
//!
//! ```text
//! flower_photos/daisy/5547758_eea9edfd54_n.jpg      a photo of label "daisy"
//! flower_photos/daisy/2019/garden.png               another: folders within a label are searched
//! flower_photos/.DS_Store                           hidden files and folders are ignored
//! flower_photos/LICENSE.txt                         files beside the labels are ignored
//! ```
//!
//! With [`Layout::Parts`] the labels lie a folder deeper, in the parts of a given split:
//!
//! ```text
//! flowers/train/daisy/5547758_eea9edfd54_n.jpg      a training photo of label "daisy"
//! flowers/test/daisy/21652746_cc379e0eea_m.jpg      a test photo
//! ```
//!
//! A label is the folder's name, unchanged. Links are followed, except to a folder above the link.
//! Labels and photos are sorted by the bytes of their names, so that the order does not depend on
//! the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::scan_report::{NameFault, ScanError, ScanWarning, SkipReason, Skipped};
use super::sniff::{Format, NotAPhoto, SNIFF_LEN, sniff};
use super::split::{Bucket, Rule, part_of};

/// Position of the labels' folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// In the data set's folder.
    #[default]
    Labels,
    /// In its folders `train`, `valid` and `test`; see [`part_of`].
    Parts,
    /// In the data set's folder, and labels are called as `retrain.py` calls them: in lower case, anything but
    /// letters and digits a space.
    Codelab,
}

impl Layout {
    /// The layout for a split rule.
    pub const fn of(rule: &Rule) -> Self {
        match rule {
            Rule::Folders => Layout::Parts,
            Rule::Stable { .. } => Layout::Labels,
            Rule::Codelab { .. } => Layout::Codelab,
        }
    }

    /// Depth of a label's folder below the data set's.
    const fn depth(self) -> usize {
        match self {
            Layout::Labels | Layout::Codelab => 1,
            Layout::Parts => 2,
        }
    }
}

/// Options of [`scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// Position of the labels' folders.
    pub layout: Layout,
    /// Number of photos of a label below which there is a warning.
    pub few_photos: usize,
}

impl Default for ScanOptions {
    /// 20 photos, as in `retrain.py`.
    fn default() -> Self {
        ScanOptions {
            layout: Layout::Labels,
            few_photos: 20,
        }
    }
}

impl ScanOptions {
    /// Default options for this layout.
    pub fn of(layout: Layout) -> Self {
        ScanOptions {
            layout,
            ..ScanOptions::default()
        }
    }
}

/// A photo file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Path of the file.
    pub path: PathBuf,
    /// Path within the data set, with `/` on every system: `daisy/5547758_eea9edfd54_n.jpg`.
    pub relative: String,
    /// Index into [`Dataset::labels`].
    pub label: usize,
    /// Format, by the first bytes.
    pub format: Format,
}

/// The labelled photos of a folder.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The folder, as given.
    pub root: PathBuf,
    /// Names of the labels that have photos, two or more, sorted by their bytes.
    pub labels: Vec<String>,
    /// All photos, sorted by label, then by the bytes of [`Photo::relative`].
    pub photos: Vec<Photo>,
    /// Unused files in label folders.
    pub skipped: Vec<Skipped>,
    /// Warnings for the user.
    pub warnings: Vec<ScanWarning>,
}

impl Dataset {
    /// Number of photos of each label, in the order of [`Dataset::labels`].
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
/// Only the start of each file is read, so the result may include damaged photos.
///
/// # Errors
/// [`ScanError`] if fewer than two labels have photos.
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

    let mut found = Found {
        layout: options.layout,
        ..Found::default()
    };
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

/// Returns true for hidden files, and for files that systems create in folders by themselves.
fn is_passed_over(name: &OsStr) -> bool {
    const SYSTEM: [&str; 4] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"];
    name.as_encoded_bytes().starts_with(b".") || SYSTEM.iter().any(|s| name.eq_ignore_ascii_case(s))
}

/// Photos of each label: path within the data set, path, format.
type Labels = BTreeMap<String, Vec<(String, PathBuf, Format)>>;

/// The name that `retrain.py` gives to the label of a folder: in lower case, each run of other characters than
/// `[a-z0-9]` a space. Names that begin with an underscore have a meaning here and stay.
fn codelab_name(folder: &str) -> String {
    if folder.starts_with('_') {
        return folder.to_owned();
    }
    let mut name = String::new();
    for letter in folder.to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => name.push(letter),
            _ if name.ends_with(' ') => {}
            _ => name.push(' '),
        }
    }
    name
}

/// Labels called as in the codelab, unless two of them would be called the same, or one like nothing.
fn as_in_the_codelab(labels: Labels) -> Labels {
    let names: BTreeSet<String> = labels.keys().map(|folder| codelab_name(folder)).collect();
    if names.len() < labels.len() || names.iter().any(|name| name.trim().is_empty()) {
        return labels;
    }
    let renamed = labels.into_iter();
    renamed
        .map(|(folder, photos)| (codelab_name(&folder), photos))
        .collect()
}

/// State of a scan.
#[derive(Default)]
struct Found {
    layout: Layout,
    /// Parts that have folders.
    parts: BTreeSet<Bucket>,
    /// Folders beside the parts.
    beside: Vec<String>,
    /// Photos of each label folder: path within the data set, path, format.
    labels: Labels,
    loose: Vec<PathBuf>,
    skipped: Vec<Skipped>,
    /// A folder within the first label's folder.
    inner_folder: Option<PathBuf>,
}

impl Found {
    fn take(&mut self, root: &Path, entry: &DirEntry) -> Result<(), ScanError> {
        let path = entry.path();
        let depth = self.layout.depth();
        if depth > 1 && !self.is_in_part(root, entry) {
            return Ok(());
        }
        if entry.file_type().is_dir() {
            if entry.depth() == depth {
                let label = checked_name(entry.file_name()).map_err(|fault| {
                    let path = path.to_owned();
                    ScanError::LabelName { path, fault }
                })?;
                self.labels.entry(label.to_owned()).or_default();
            } else if entry.depth() == depth + 1 {
                self.inner_folder.get_or_insert_with(|| path.to_owned());
            }
            return Ok(());
        }
        if entry.depth() <= depth {
            // Other files beside the labels (a licence, a list) are ignored.
            if read_format(path, entry).is_ok() {
                self.loose.push(path.to_owned());
            }
            return Ok(());
        }
        let outcome = relative_name(root, path, depth)
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

    /// Returns true if an entry is, or lies in, the folder of a part.
    fn is_in_part(&mut self, root: &Path, entry: &DirEntry) -> bool {
        let inner = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let Some(first) = inner.iter().next().and_then(OsStr::to_str) else {
            return false;
        };
        let part = part_of(first);
        match part {
            Some(part) if entry.depth() == 1 && entry.file_type().is_dir() => {
                self.parts.insert(part);
            }
            None if entry.depth() == 1 && entry.file_type().is_dir() => {
                self.beside.push(first.to_owned());
            }
            _ => (),
        }
        part.is_some() || entry.depth() == 1 && !entry.file_type().is_dir()
    }

    /// The parts of a split, if the folders taken for labels seem to be that: one for training and
    /// another, either without a label beside them, or with folders of labels in them.
    fn parts_for_labels(&self) -> Option<(Vec<String>, bool)> {
        let with_photos = || self.labels.iter().filter(|(_, photos)| !photos.is_empty());
        let is_part = |label: &str| part_of(label).is_some();
        let parts: BTreeSet<Bucket> = with_photos().filter_map(|(l, _)| part_of(l)).collect();
        if parts.len() < 2 || !parts.contains(&Bucket::Training) {
            return None;
        }
        let nested = with_photos()
            .filter(|(label, _)| is_part(label))
            .flat_map(|(_, photos)| photos)
            .all(|(relative, ..)| relative.matches('/').count() >= 2);
        let alone = with_photos().all(|(label, _)| is_part(label));
        let names = with_photos().map(|(label, _)| label.clone());
        let names = names.filter(|label| is_part(label)).collect();
        (nested || alone).then_some((names, nested))
    }

    fn skip_error(&mut self, root: &Path, error: &walkdir::Error) {
        self.skipped.push(Skipped {
            path: error.path().unwrap_or(root).to_owned(),
            reason: SkipReason::of_walk(error),
        });
    }

    fn into_dataset(self, root: &Path, options: &ScanOptions) -> Result<Dataset, ScanError> {
        let path = root.to_owned();
        if self.layout == Layout::Parts && !self.parts.contains(&Bucket::Training) {
            return Err(ScanError::NoParts {
                path,
                folders: self.beside,
            });
        }
        if self.layout != Layout::Parts
            && let Some((folders, nested)) = self.parts_for_labels()
        {
            let training = folders
                .iter()
                .find(|f| part_of(f) == Some(Bucket::Training));
            let training = root.join(training.map_or("train", String::as_str));
            return Err(match nested {
                true => ScanError::Parts {
                    path,
                    folders,
                    training,
                },
                false => ScanError::PartsWithoutLabels {
                    path,
                    folders,
                    training,
                },
            });
        }
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
        if self.layout == Layout::Parts {
            let beside = self.beside.into_iter();
            let beside = beside.map(|folder| ScanWarning::NoPart { folder });
            dataset.warnings.extend(beside);
            if !self.parts.contains(&Bucket::Testing) {
                dataset.warnings.push(ScanWarning::NoTestPart);
            }
        }
        let labels = match self.layout {
            Layout::Codelab => as_in_the_codelab(self.labels),
            Layout::Labels | Layout::Parts => self.labels,
        };
        for (label, mut photos) in labels {
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

/// The name, if it can be written in a line of text.
fn checked_name(name: &OsStr) -> Result<&str, NameFault> {
    let name = name.to_str().ok_or(NameFault::NotUtf8)?;
    if name.chars().any(char::is_control) {
        return Err(NameFault::ControlCharacter);
    }
    Ok(name)
}

/// The label, whose folder has this depth, and the path within the data set.
fn relative_name(root: &Path, path: &Path, depth: usize) -> Result<(String, String), NameFault> {
    let names = path
        .strip_prefix(root)
        .unwrap_or(path)
        .iter()
        .map(checked_name)
        .collect::<Result<Vec<_>, _>>()?;
    let label = names.get(depth - 1).copied().unwrap_or_default();
    Ok((label.to_owned(), names.join("/")))
}

/// The format of a file, by its first bytes.
fn read_format(path: &Path, entry: &DirEntry) -> Result<Format, SkipReason> {
    if !entry.file_type().is_file() {
        // Opening a pipe or a device could block forever.
        return Err(NotAPhoto::NOT_A_FILE.into());
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
