//! Feature extraction for a data set, by any network.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use posy_shared::model::InputContract;

use super::RetrainError;
use crate::dataset::duplicates::{Duplicates, duplicates_across_labels};
use crate::dataset::{Dataset, Layout, Photo, ScanOptions, ScanWarning, scan};
use crate::eval::UNKNOWN;
use crate::features::cache::Cache;
use crate::features::extract::{self, Counts, Extraction, Extractor};
use crate::features::progress::Progress;

/// Settings of the preparation.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder whose sub-folders are labels.
    pub image_dir: PathBuf,
    /// Position of the labels' folders in it.
    pub layout: Layout,
    /// Preprocessing of pictures.
    pub input: InputContract,
    /// The cache; `None` computes everything anew.
    pub cache: Option<Arc<Cache>>,
    /// True if the float network runs too, for comparison.
    pub float: bool,
    /// Strict mode: an unusable file is an error.
    pub strict: bool,
}

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path of the file.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

/// Messages for the user.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A warning about folders and labels.
    Scan(ScanWarning),
    /// A file was left out.
    Skipped(Skipped),
    /// A photo under two labels.
    Duplicate(Duplicates),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(warning) => write!(f, "warning: {warning}"),
            Self::Skipped(skipped) => {
                write!(f, "skipped: {}: {}", skipped.path.display(), skipped.reason)
            }
            Self::Duplicate(duplicate) => write!(f, "warning: {duplicate}"),
        }
    }
}

/// A scanned folder of photos, and the cache.
pub(super) struct Source {
    dataset: Dataset,
    paths: Vec<PathBuf>,
    skipped: Vec<Skipped>,
    cache: Option<Arc<Cache>>,
}

/// Photos that have features.
pub(super) struct Gathered {
    /// The labels, and the photos that have features.
    pub(super) dataset: Dataset,
    /// Their features, as encoded by the extractor.
    pub(super) values: Vec<Vec<u8>>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) counts: Counts,
}

impl Source {
    /// Scans the folder.
    pub(super) fn open(
        settings: &Settings,
        notify: &mut dyn FnMut(Notice),
    ) -> Result<Self, RetrainError> {
        let dataset = scan(&settings.image_dir, &ScanOptions::of(settings.layout))?;
        for warning in dataset.warnings.iter().cloned() {
            notify(Notice::Scan(warning));
        }
        let mut skipped = Vec::new();
        for file in &dataset.skipped {
            let (path, reason) = (file.path.clone(), file.reason.to_string());
            skip(&mut skipped, Skipped { path, reason }, notify);
        }
        let photos = dataset.photos.iter();
        let paths = photos.map(|photo| photo.path.clone()).collect();
        Ok(Source {
            dataset,
            paths,
            skipped,
            cache: settings.cache.clone(),
        })
    }

    /// Extracts the features of all photos.
    pub(super) fn extract(&self, extractor: &dyn Extractor, progress: &dyn Progress) -> Extraction {
        let options = extract::Options::default();
        extract::extract(
            &self.paths,
            extractor,
            self.cache.as_deref(),
            &options,
            progress,
        )
    }

    /// Drops the photos without features, and then labels without photos.
    pub(super) fn keep(
        &self,
        extraction: Extraction,
        settings: &Settings,
        notify: &mut dyn FnMut(Notice),
    ) -> Result<Gathered, RetrainError> {
        let mut skipped = self.skipped.clone();
        let counts = extraction.counts();
        let mut photos: Vec<Photo> = Vec::new();
        let mut values = Vec::new();
        let mut contents = Vec::new();
        for (photo, extracted) in self.dataset.photos.iter().zip(extraction.photos) {
            match extracted {
                Ok(extracted) => {
                    values.push(extracted.values);
                    contents.push(extracted.content);
                    photos.push(photo.clone());
                }
                Err(fault) => {
                    let reason = fault.to_string();
                    let path = photo.path.clone();
                    skip(&mut skipped, Skipped { path, reason }, notify);
                }
            }
        }
        if settings.strict && !skipped.is_empty() {
            return Err(RetrainError::Strict {
                count: skipped.len(),
                folder: settings.image_dir.clone(),
            });
        }
        for duplicate in duplicates_across_labels(&photos, &contents) {
            notify(Notice::Duplicate(duplicate));
        }
        let mut dataset = self.dataset.clone();
        dataset.labels = drop_empty_labels(dataset.labels, &mut photos);
        dataset.photos = photos;
        unknown_last(&mut dataset);
        if dataset.labels.len() < 2 {
            return Err(RetrainError::TooFewLabels {
                folder: settings.image_dir.clone(),
            });
        }
        Ok(Gathered {
            dataset,
            values,
            skipped,
            counts,
        })
    }
}

fn skip(skipped: &mut Vec<Skipped>, file: Skipped, notify: &mut dyn FnMut(Notice)) {
    notify(Notice::Skipped(file.clone()));
    skipped.push(file);
}

/// Labels that still have photos; renumbers the photos' labels accordingly.
fn drop_empty_labels(labels: Vec<String>, photos: &mut [Photo]) -> Vec<String> {
    let mut number = vec![None; labels.len()];
    for photo in photos.iter() {
        number[photo.label] = Some(0);
    }
    for (new, slot) in number.iter_mut().flatten().enumerate() {
        *slot = new;
    }
    for photo in photos {
        photo.label = number[photo.label].unwrap_or(0);
    }
    let kept = labels.into_iter().zip(number);
    kept.filter_map(|(label, number)| number.map(|_| label))
        .collect()
}

/// Gives the photos of none of the labels the last label number. Photos keep their order.
fn unknown_last(dataset: &mut Dataset) {
    let labels = &mut dataset.labels;
    let Some(from) = labels.iter().position(|label| label == UNKNOWN) else {
        return;
    };
    labels[from..].rotate_left(1);
    let last = labels.len() - 1;
    for photo in &mut dataset.photos {
        photo.label = match photo.label {
            label if label == from => last,
            label if label > from => label - 1,
            label => label,
        };
    }
}
