//! What does not depend on the split: photos, backbone, features.

use std::fmt;
use std::path::PathBuf;

use posy_shared::model::InputContract;

use super::{RetrainError, Variants};
use crate::backbone::float::FloatRunner;
use crate::backbone::load::Backbone;
use crate::features::cache::Cache;
use crate::features::extract::{self, Counts, Extraction, Extractor};
use crate::features::extractors::{FloatExtractor, IntExtractor};
use crate::features::pair::Pair;
use crate::features::progress::Progress;
use crate::head::Features;
use crate::photos::duplicates::{Duplicates, duplicates_across_labels};
use crate::photos::{Dataset, Photo, ScanOptions, ScanWarning, scan};
use crate::verdict::UNKNOWN;

/// What is prepared, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder whose sub-folders are labels.
    pub image_dir: PathBuf,
    /// How pictures become input rows.
    pub input: InputContract,
    /// The cache file; none to compute everything anew.
    pub cache: Option<PathBuf>,
    /// Whether the float network runs too, to be compared with.
    pub float: bool,
    /// Whether a file that cannot be used is an error.
    pub strict: bool,
}

/// A file that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Something that a person should hear of.
#[derive(Clone, Debug)]
pub enum Notice {
    /// About folders and labels.
    Scan(ScanWarning),
    /// A file was left out.
    Skipped(Skipped),
    /// The same photo under two labels.
    Duplicate(Duplicates),
    /// The cache had to be begun anew.
    Cache(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(warning) => write!(f, "warning: {warning}"),
            Self::Skipped(skipped) => {
                write!(f, "skipped: {}: {}", skipped.path.display(), skipped.reason)
            }
            Self::Duplicate(duplicate) => write!(f, "warning: {duplicate}"),
            Self::Cache(text) => write!(f, "warning: {text}"),
        }
    }
}

/// Photos and their features.
#[derive(Debug)]
pub struct Prepared {
    /// The backbone.
    pub backbone: Backbone,
    /// How pictures become input rows.
    pub input: InputContract,
    /// The labels and the photos that have features.
    pub dataset: Dataset,
    /// Features as the board computes them, one list a photo.
    pub int8: Vec<Vec<i8>>,
    /// The same features as the real numbers that they stand for.
    pub int8_features: Features,
    /// Features of the float network, where it ran.
    pub float_features: Option<Features>,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
    /// Where the features came from.
    pub counts: Counts,
    /// Variants of the photos, where they are wanted; see [`prepare_variants`](super::prepare_variants).
    pub variants: Option<Variants>,
}

/// Finds the photos, and computes or recalls their features.
///
/// # Errors
/// See [`RetrainError`]. What was computed until then is in the cache.
pub fn prepare(
    settings: &Settings,
    backbone: Backbone,
    progress: &dyn Fn(&'static str) -> Box<dyn Progress>,
    notify: &mut dyn FnMut(Notice),
) -> Result<Prepared, RetrainError> {
    let mut dataset = scan(&settings.image_dir, &ScanOptions::default())?;
    for warning in dataset.warnings.iter().cloned() {
        notify(Notice::Scan(warning));
    }
    let mut skipped = Vec::new();
    for file in &dataset.skipped {
        let (path, reason) = (file.path.clone(), file.reason.to_string());
        skip(&mut skipped, Skipped { path, reason }, notify);
    }
    let cache = settings.cache.as_deref().map(Cache::open).transpose()?;
    if let Some(moved) = cache.as_ref().and_then(Cache::moved_aside) {
        notify(Notice::Cache(moved.to_string()));
    }
    let paths: Vec<PathBuf> = dataset
        .photos
        .iter()
        .map(|photo| photo.path.clone())
        .collect();
    let extract = |extractor: &dyn Extractor, what| {
        let progress = progress(what);
        let options = extract::Options::default();
        extract::extract(&paths, extractor, cache.as_ref(), &options, &*progress)
    };
    let extractor_bytes = backbone.extractor(settings.input)?;
    let int_extractor = IntExtractor::new(&extractor_bytes)?;
    let float_extractor = if settings.float {
        let runner = FloatRunner::new(&backbone.float)?;
        let sha256 = &backbone.sha256;
        Some(FloatExtractor::new(&extractor_bytes, runner, sha256)?)
    } else {
        None
    };
    let pair = float_extractor
        .as_ref()
        .map(|float| Pair::new(&int_extractor, float));
    let int = match &pair {
        Some(pair) => extract(&pair.integer(), "features")?,
        None => extract(&int_extractor, "features")?,
    };
    let counts = int.counts();
    let mut photos: Vec<Photo> = Vec::new();
    let mut int8: Vec<Vec<i8>> = Vec::new();
    let mut contents = Vec::new();
    let mut kept = Vec::new();
    for (index, (photo, extracted)) in dataset.photos.iter().zip(int.photos).enumerate() {
        match extracted {
            Ok(extracted) => {
                int8.push(extracted.values.iter().map(|&byte| byte as i8).collect());
                contents.push(extracted.content);
                photos.push(photo.clone());
                kept.push(index);
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
    dataset.labels = drop_empty_labels(dataset.labels, &mut photos);
    dataset.photos = photos;
    unknown_last(&mut dataset);
    if dataset.labels.len() < 2 {
        return Err(RetrainError::TooFewLabels {
            folder: settings.image_dir.clone(),
        });
    }
    let photos = dataset.photos.iter();
    let truth: Vec<usize> = photos.map(|photo| photo.label).collect();
    let flat: Vec<i8> = int8.concat();
    let width = flat.len() / truth.len().max(1);
    let int8_features = Features::from_int8(width, &flat, truth.clone(), backbone.features())?;
    let float_features = match &pair {
        Some(pair) => {
            let float = extract(&pair.float(), "float reference")?;
            Some(float_features(float, &kept, width, truth)?)
        }
        None => None,
    };
    Ok(Prepared {
        backbone,
        input: settings.input,
        dataset,
        int8,
        int8_features,
        float_features,
        skipped,
        counts,
        variants: None,
    })
}

impl Prepared {
    /// Labels that have a name; photos of [`UNKNOWN`] come after them.
    pub fn known_labels(&self) -> usize {
        let labels = &self.dataset.labels;
        labels.len() - usize::from(labels.last().is_some_and(|label| label == UNKNOWN))
    }
}

fn skip(skipped: &mut Vec<Skipped>, file: Skipped, notify: &mut dyn FnMut(Notice)) {
    notify(Notice::Skipped(file.clone()));
    skipped.push(file);
}

/// Labels of which a photo is left, and the photos' label numbers among these.
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

/// Gives the photos of none of the labels the last number. The photos stay in their order.
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

/// The float features of the photos that have integer ones.
fn float_features(
    float: Extraction,
    kept: &[usize],
    width: usize,
    truth: Vec<usize>,
) -> Result<Features, RetrainError> {
    let mut values = Vec::new();
    let mut photos: Vec<_> = float.photos.into_iter().map(Some).collect();
    for &index in kept {
        // A photo that was read a moment ago is read again; if it is gone now, so is its row, and
        // the shape check below fails.
        if let Some(Ok(extracted)) = photos[index].take() {
            let (numbers, _) = extracted.values.as_chunks::<4>();
            values.extend(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
    }
    Ok(Features::new(width, values, truth)?)
}
