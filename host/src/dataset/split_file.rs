//! The split's file beside the model, which shows on which photos the accuracy was measured.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use posy_nn::bounded;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::scan::Dataset;
use super::split::{Bucket, Percentages, Rule, Split};

/// The photos of one label by bucket: [`super::Photo::relative`], sorted by its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSplit {
    /// Training photos.
    pub training: Vec<String>,
    /// Validation photos.
    pub validation: Vec<String>,
    /// Test photos.
    pub testing: Vec<String>,
}

/// A split in its JSON form. The same split gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFile {
    /// The rule, with seed or folder.
    pub rule: Rule,
    /// Requested shares; for a split by folders the actual shares, rounded.
    pub percentages: Percentages,
    /// Photos by label.
    pub labels: BTreeMap<String, LabelSplit>,
}

/// Errors of writing or reading a split.
#[derive(Debug, Error)]
pub enum SplitFileError {
    /// An output error.
    #[error("{}: the split cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An input error.
    #[error("{}: the split cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Not a file of this format.
    #[error("{}: not a split that posy wrote: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The parser's error, with its position.
        source: serde_json::Error,
    },
}

impl SplitFile {
    /// Describes the split of a data set.
    pub fn new(dataset: &Dataset, rule: Rule, percentages: Percentages, split: &Split) -> Self {
        let mut labels: BTreeMap<String, LabelSplit> = BTreeMap::new();
        for (photo, bucket) in dataset.photos.iter().zip(split.buckets()) {
            let label = labels
                .entry(dataset.labels[photo.label].clone())
                .or_default();
            let list = match bucket {
                Bucket::Training => &mut label.training,
                Bucket::Validation => &mut label.validation,
                Bucket::Testing => &mut label.testing,
            };
            list.push(photo.relative.clone());
        }
        let percentages = match rule {
            Rule::Folders => split.percentages().unwrap_or(percentages),
            _ => percentages,
        };
        SplitFile {
            rule,
            percentages,
            labels,
        }
    }

    /// Writes the file atomically: to a temporary file beside it, which is then renamed.
    ///
    /// # Errors
    /// [`SplitFileError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), SplitFileError> {
        self.try_write(path)
            .map_err(|source| SplitFileError::Write {
                path: path.to_owned(),
                source,
            })
    }

    fn try_write(&self, path: &Path) -> io::Result<()> {
        posy_nn::atomic::write(path, &self.to_bytes()?)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Returns an error if memory runs out.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a file written by [`SplitFile::write`].
    ///
    /// # Errors
    /// [`SplitFileError::Read`], [`SplitFileError::Format`].
    pub fn read(path: &Path) -> Result<Self, SplitFileError> {
        let json = bounded::read(path, bounded::TEXT).map_err(|error| SplitFileError::Read {
            path: path.to_owned(),
            source: error.into(),
        })?;
        Self::parse(path, &json)
    }

    /// Reads the bytes of the file `path`.
    ///
    /// # Errors
    /// [`SplitFileError::Format`].
    pub fn parse(path: &Path, json: &[u8]) -> Result<Self, SplitFileError> {
        serde_json::from_slice(json).map_err(|source| SplitFileError::Format {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::split::split;
    use crate::dataset::split::tests::dataset;

    #[test]
    fn is_read_as_written_and_written_alike() {
        let dataset = dataset(&[("daisy", 9), ("蒲公英", 5), ("ورد", 4)]);
        let percentages = Percentages::new(20, 30).unwrap();
        let rule = Rule::Stable { seed: 7 };
        let split = split(&dataset, &rule, percentages);
        let file = SplitFile::new(&dataset, rule, percentages, &split);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flowers.split.json");
        file.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(SplitFile::read(&path).unwrap(), file);
        file.write(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("蒲公英/4.jpg"), "{text}");
        let photos: usize = file
            .labels
            .values()
            .map(|l| l.training.len() + l.validation.len() + l.testing.len())
            .sum();
        assert_eq!(photos, 18);
        assert!(file.labels.values().all(|l| !l.testing.is_empty()));
    }

    #[test]
    fn errors_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("split.json");
        let message = SplitFile::read(&path).unwrap_err().to_string();
        assert!(message.contains("split.json: the split cannot be read"));
        std::fs::write(&path, "{}").unwrap();
        let message = SplitFile::read(&path).unwrap_err().to_string();
        assert!(message.contains("not a split"), "{message}");
        let shares = r#"{"rule": {"name": "stable", "seed": 0},
            "percentages": {"validation": 60, "testing": 40}, "labels": {}}"#;
        std::fs::write(&path, shares).unwrap();
        let message = SplitFile::read(&path).unwrap_err().to_string();
        assert!(message.contains("leave nothing to train on"), "{message}");
        let file = SplitFile {
            rule: Rule::Codelab {
                image_dir: "x".into(),
            },
            percentages: Percentages::default(),
            labels: BTreeMap::new(),
        };
        // There can be no folder below a file.
        let nowhere = path.join("split.json");
        let message = file.write(&nowhere).unwrap_err().to_string();
        assert!(message.contains("cannot be written"), "{message}");
    }
}
