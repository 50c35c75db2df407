//! The split of a data set into training, validation and test photos.
//!
//! Two rules hash a name with SHA-1 and take the hash's last 27 bits as a percentage: below the
//! validation share it is a validation photo, below validation and testing together a test photo,
//! else a training photo. So a photo's bucket depends on its own name, not on the other photos.
//!
//! Only the part of a name before `_nohash_` is hashed, so that pictures of one plant named
//! `rose7_nohash_1.jpg`, `rose7_nohash_2.jpg` stay in one bucket: a *group*. Otherwise a network
//! would be tested on near-duplicates of its training photos.
//!
//! [`Rule::Stable`] hashes the path within the data set, so that the data set may be moved, and
//! then ensures that no bucket of a label is empty: a stratified split. [`Rule::Codelab`] is
//! exactly that of TensorFlow's `retrain.py` (`create_image_lists` in
//! googlecodelabs/tensorflow-for-poets-2, `scripts/retrain.py`). [`Rule::Folders`] hashes nothing:
//! the data set comes divided into folders.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use thiserror::Error;

use super::scan::{Dataset, Photo};

/// Use of a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucket {
    /// The head is fitted to it.
    Training,
    /// Hyperparameters are chosen on it.
    Validation,
    /// Accuracy is measured on it, once.
    Testing,
}

/// Shares of validation and test photos, in percent; training has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawPercentages", into = "RawPercentages")]
pub struct Percentages {
    validation: u8,
    testing: u8,
}

/// Shares that leave nothing for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "validation {validation}% and testing {testing}% leave nothing to train on; together they must be below 100"
)]
pub struct PercentagesError {
    validation: u8,
    testing: u8,
}

impl Percentages {
    /// 10% validation and 10% test photos, as of `retrain.py`.
    pub const USUAL: Self = Percentages {
        validation: 10,
        testing: 10,
    };

    /// Shares of 0 to 99 percent, together below 100. A share of 0 leaves its bucket empty.
    ///
    /// # Errors
    /// [`PercentagesError`] if nothing is left for training.
    pub fn new(validation: u8, testing: u8) -> Result<Self, PercentagesError> {
        if u16::from(validation) + u16::from(testing) >= 100 {
            return Err(PercentagesError {
                validation,
                testing,
            });
        }
        Ok(Percentages {
            validation,
            testing,
        })
    }

    /// Percent of validation photos.
    pub const fn validation(self) -> u8 {
        self.validation
    }

    /// Percent of test photos.
    pub const fn testing(self) -> u8 {
        self.testing
    }

    /// The range of percentages, from and below, that belongs to a bucket.
    fn range(self, bucket: Bucket) -> (f64, f64) {
        let validation = f64::from(self.validation);
        let both = validation + f64::from(self.testing);
        match bucket {
            Bucket::Validation => (0.0, validation),
            Bucket::Testing => (validation, both),
            Bucket::Training => (both, f64::INFINITY),
        }
    }

    fn bucket(self, percentage: f64) -> Bucket {
        [Bucket::Validation, Bucket::Testing]
            .into_iter()
            .find(|bucket| percentage < self.range(*bucket).1)
            .unwrap_or(Bucket::Training)
    }
}

impl Default for Percentages {
    /// 10 and 10, as in `retrain.py`.
    fn default() -> Self {
        Percentages {
            validation: 10,
            testing: 10,
        }
    }
}

/// [`Percentages`] before validation.
#[derive(Serialize, Deserialize)]
struct RawPercentages {
    validation: u8,
    testing: u8,
}

impl TryFrom<RawPercentages> for Percentages {
    type Error = PercentagesError;

    fn try_from(raw: RawPercentages) -> Result<Self, PercentagesError> {
        Percentages::new(raw.validation, raw.testing)
    }
}

impl From<Percentages> for RawPercentages {
    fn from(checked: Percentages) -> Self {
        RawPercentages {
            validation: checked.validation,
            testing: checked.testing,
        }
    }
}

/// Rule that assigns photos to buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "name")]
pub enum Rule {
    /// Hash of the path within the data set; no bucket of a label with three groups or more is
    /// empty.
    Stable {
        /// Seed of the split.
        seed: u64,
    },
    /// Exactly as `retrain.py`: a hash of the path as typed on the command line.
    ///
    /// Labels are called as that script calls them: in lower case, each run of other characters than `[a-z0-9]`
    /// a space. Its habit to list only files that end in `.jpg`, `.jpeg`, `.JPG` or `.JPEG` directly in a
    /// label's folder is not adopted; it does not change the bucket of a file, which depends on its path alone.
    /// Buckets may stay empty.
    Codelab {
        /// The value of `--image-dir`, character for character.
        image_dir: String,
    },
    /// The folders `train`, `valid` and `test` that contain the labels' folders; see [`part_of`].
    Folders,
}

/// The bucket that a folder's name means, ignoring case: `train` or `training`, `valid`, `val` or
/// `validation`, `test` or `testing`.
pub fn part_of(folder: &str) -> Option<Bucket> {
    Some(match &*folder.to_ascii_lowercase() {
        "train" | "training" => Bucket::Training,
        "valid" | "val" | "validation" => Bucket::Validation,
        "test" | "testing" => Bucket::Testing,
        _ => return None,
    })
}

/// The bucket of each photo of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    buckets: Vec<Bucket>,
}

impl Split {
    /// A split from the bucket of each photo.
    pub(super) const fn from_buckets(buckets: Vec<Bucket>) -> Self {
        Split { buckets }
    }

    /// The bucket of each photo, in the order of [`Dataset::photos`].
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Shares of validation and test photos in percent, rounded.
    pub(super) fn percentages(&self) -> Option<Percentages> {
        let percent = |bucket| {
            let count = self.photos(bucket).count();
            let photos = self.buckets.len().max(1);
            u8::try_from((200 * count + photos) / (2 * photos)).ok()
        };
        Percentages::new(percent(Bucket::Validation)?, percent(Bucket::Testing)?).ok()
    }

    /// Indices of the photos of a bucket, rising.
    pub fn photos(&self, bucket: Bucket) -> impl Iterator<Item = usize> {
        let buckets = self.buckets.iter().enumerate();
        buckets.filter_map(move |(index, b)| (*b == bucket).then_some(index))
    }
}

/// Splits a data set.
pub fn split(dataset: &Dataset, rule: &Rule, percentages: Percentages) -> Split {
    let photos = &dataset.photos;
    let buckets = match rule {
        Rule::Stable { seed } => split_stably(photos, *seed, percentages),
        Rule::Codelab { image_dir } => photos
            .iter()
            .map(|photo| percentages.bucket(codelab_percentage(image_dir, &photo.relative)))
            .collect(),
        Rule::Folders => photos
            .iter()
            .map(|photo| photo.relative.split('/').next())
            .map(|folder| folder.and_then(part_of).unwrap_or(Bucket::Training))
            .collect(),
    };
    Split { buckets }
}

/// The last 27 bits of a SHA-1 (as one big-endian number), as a percentage of their largest value,
/// in `retrain.py`'s own floating-point steps: 0 to 100, both included.
fn percentage(sha1: Sha1) -> f64 {
    const LARGEST: u32 = (1 << 27) - 1;
    let digest: [u8; 20] = sha1.finalize().into();
    let [.., a, b, c, d] = digest;
    f64::from(u32::from_be_bytes([a, b, c, d]) & LARGEST) * (100.0 / f64::from(LARGEST))
}

/// The part of a name before the first `_nohash_`.
fn before_nohash(name: &str) -> &str {
    name.split_once("_nohash_")
        .map_or(name, |(before, _)| before)
}

/// `retrain.py`: folder and file joined as by `os.path.join`, cut at the first `_nohash_` anywhere
/// in the path.
fn codelab_percentage(image_dir: &str, relative: &str) -> f64 {
    let slash = if image_dir.is_empty() || image_dir.ends_with('/') {
        ""
    } else {
        "/"
    };
    let path = format!("{image_dir}{slash}{relative}");
    percentage(Sha1::new_with_prefix(before_nohash(&path)))
}

/// The name that the photos of one group share: the label, `/`, and the rest up to `_nohash_`.
pub(super) fn group_name(relative: &str) -> &str {
    let in_label = relative.find('/').map_or(0, |slash| slash + 1);
    &relative[..in_label + before_nohash(&relative[in_label..]).len()]
}

/// SHA-1 of the group's name, after the seed's eight bytes (little-endian) unless it is zero.
fn stable_percentage(seed: u64, group: &str) -> f64 {
    let mut sha1 = Sha1::new();
    if seed != 0 {
        sha1.update(seed.to_le_bytes());
    }
    sha1.update(group);
    percentage(sha1)
}

/// A group of a label.
struct Group<'a> {
    name: &'a str,
    percentage: f64,
    bucket: Bucket,
}

fn split_stably(photos: &[Photo], seed: u64, percentages: Percentages) -> Vec<Bucket> {
    let mut labels: BTreeMap<usize, BTreeMap<&str, Bucket>> = BTreeMap::new();
    for photo in photos {
        let name = group_name(&photo.relative);
        let groups = labels.entry(photo.label).or_default();
        groups.entry(name).or_insert(Bucket::Training);
    }
    for groups in labels.values_mut() {
        let mut list: Vec<Group> = groups
            .keys()
            .map(|name| {
                let percentage = stable_percentage(seed, name);
                let bucket = percentages.bucket(percentage);
                Group {
                    name,
                    percentage,
                    bucket,
                }
            })
            .collect();
        fill_empty_buckets(&mut list, percentages);
        groups.extend(list.iter().map(|group| (group.name, group.bucket)));
    }
    photos
        .iter()
        .map(|photo| labels[&photo.label][group_name(&photo.relative)])
        .collect()
}

/// Moves groups of one label so that no bucket with a share is empty; with fewer than three groups,
/// so that there is one for training.
///
/// Each empty bucket gets the group whose percentage is nearest to the bucket's range, among those
/// whose own bucket keeps another. As few groups move as there are empty buckets, and once a new
/// photo fills a bucket by itself, the move no longer happens.
fn fill_empty_buckets(groups: &mut [Group], percentages: Percentages) {
    let wanted: &[Bucket] = match groups.len() {
        0..3 => &[Bucket::Training],
        _ => &[Bucket::Training, Bucket::Testing, Bucket::Validation],
    };
    for &bucket in wanted {
        let (from, below) = percentages.range(bucket);
        if from == below || groups.iter().any(|group| group.bucket == bucket) {
            continue;
        }
        let distance = |p: f64| if p < from { from - p } else { p - below };
        let several = [Bucket::Training, Bucket::Validation, Bucket::Testing].map(|bucket| {
            let same = groups.iter().filter(|group| group.bucket == bucket);
            (bucket, same.count() > 1)
        });
        let can_go = |group: &Group| groups.len() < 3 || several.contains(&(group.bucket, true));
        let nearest = (0..groups.len())
            .filter(|&index| can_go(&groups[index]))
            .min_by(|&a, &b| {
                let [a, b] = [a, b].map(|index| &groups[index]);
                let by_distance = distance(a.percentage).total_cmp(&distance(b.percentage));
                by_distance.then_with(|| a.name.cmp(b.name))
            });
        if let Some(index) = nearest {
            groups[index].bucket = bucket;
        }
    }
}

#[cfg(test)]
#[path = "split_tests.rs"]
pub(crate) mod tests;
