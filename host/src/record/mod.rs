//! What a training run was and what it came to, written beside the model for programs.
//!
//! The record has every test photo with its answers, so that runs can be compared photo by photo
//! ([`compare`]).

mod compare;
mod lines;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::photos::split::{Percentages, Rule};

pub use compare::{Comparison, Method, Proportion, compare};

/// What a record's `format` says. Raised when fields change their meaning.
pub const FORMAT: &str = "posy run 1";

/// Photos that are right, of photos that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Photos named rightly.
    pub right: usize,
    /// Photos.
    pub photos: usize,
}

/// How the photos were divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The rule, with seed or folder.
    pub rule: Rule,
    /// Shares that were asked for.
    pub percentages: Percentages,
    /// Photos trained on.
    pub training: usize,
    /// Photos chosen on.
    pub validation: usize,
    /// Photos tested on.
    pub testing: usize,
}

/// The model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// Its name as it was given.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Bytes of the file.
    pub flash_bytes: u64,
    /// Bytes of RAM that it needs on a board.
    pub ram_bytes: u64,
    /// Multiply-accumulates in one inference.
    pub products: u64,
}

/// A test photo and what was said of it. Labels are indices into [`Record::labels`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestedPhoto {
    /// Its path within the data set, with `/`.
    pub photo: String,
    /// Its label.
    pub truth: usize,
    /// What a board answers; none where it says that it does not know.
    pub answer: Option<usize>,
    /// A board's score of each label, `0..=1`.
    pub scores: Vec<f32>,
    /// Scores by the float network, where it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float_scores: Option<Vec<f32>>,
}

/// What a training run was and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// Version of posy that wrote it.
    pub posy_version: String,
    /// The command line, without the command's own name.
    pub arguments: Vec<String>,
    /// Folder of the photos.
    pub image_dir: String,
    /// The backbone.
    pub architecture: String,
    /// SHA-256 of the backbone's file, in hexadecimal digits.
    pub backbone_sha256: String,
    /// The penalty's strength that was chosen, where there was one to choose.
    pub c: Option<f64>,
    /// The split.
    pub split: SplitRecord,
    /// The model.
    pub model: ModelRecord,
    /// Labels.
    pub labels: Vec<String>,
    /// What a board gets right of the test photos.
    pub int8: Count,
    /// What a board gets right of the validation photos.
    pub int8_validation: Count,
    /// What the float network gets right of the test photos, where it ran.
    pub float: Option<Count>,
    /// The test photos.
    pub photos: Vec<TestedPhoto>,
}

/// Why a record cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refuses it.
    #[error("{}: the run's record cannot be written: {source}; give another place for the model", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file system refuses it.
    #[error("{}: cannot be read: {source}; give a .run.json file that `posy retrain` wrote beside its model", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not such a file.
    #[error("{}: not a run's record: {source}; give a .run.json file that `posy retrain` wrote beside its model", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What does not fit, and where.
        source: serde_json::Error,
    },
    /// Of another version.
    #[error("{}: its format is {found:?}, and {FORMAT:?} is read; train again with this posy", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// It contradicts itself.
    #[error("{}: {fault}; the file was changed: train again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// How.
        fault: String,
    },
}

impl Record {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Where there is no memory for them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = lines::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let written = self.to_bytes().map_err(std::io::Error::from);
        let written = written.and_then(|json| crate::atomic::write(path, &json));
        written.map_err(|source| RecordError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and checks a record. `path` may be the model's: then the record beside it is read.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let path = match path.extension() {
            Some(extension) if extension == "posy" => Self::path_beside(path),
            _ => path.to_owned(),
        };
        match bounded::read(&path, bounded::TEXT) {
            Ok(json) => Self::parse(path, &json),
            Err(error) => {
                let source = error.into();
                Err(RecordError::Read { path, source })
            }
        }
    }

    /// Checks the record in the bytes of the file `path`.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(path: PathBuf, json: &[u8]) -> Result<Self, RecordError> {
        // The format first: of another one the fields may be others.
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let record =
            serde_json::from_slice::<Head>(json).and_then(|head| match head.format == FORMAT {
                true => serde_json::from_slice::<Record>(json).map(Ok),
                false => Ok(Err(head.format)),
            });
        let record = match record {
            Ok(Ok(record)) => record,
            Ok(Err(found)) => return Err(RecordError::Format { path, found }),
            Err(source) => return Err(RecordError::Json { path, source }),
        };
        match record.fault() {
            Some(fault) => Err(RecordError::Content { path, fault }),
            None => Ok(record),
        }
    }

    /// The name of the record of a model: `flowers.run.json` beside `flowers.posy`.
    pub fn path_beside(model: &Path) -> PathBuf {
        model.with_extension("run.json")
    }

    /// Whether photo and answer agree.
    fn is_right(photo: &TestedPhoto) -> bool {
        photo.answer == Some(photo.truth)
    }

    fn fault(&self) -> Option<String> {
        let labels = self.labels.len();
        let mut names = BTreeSet::new();
        for photo in &self.photos {
            let name = &photo.photo;
            if photo.truth >= labels || photo.answer.is_some_and(|answer| answer >= labels) {
                return Some(format!("photo {name:?} has a label that there is not"));
            }
            let scores = [Some(&photo.scores), photo.float_scores.as_ref()];
            let mut scores = scores.into_iter().flatten();
            if !scores.all(|scores| scores.len() == labels) {
                return Some(format!("photo {name:?} does not have {labels} scores"));
            }
            if !names.insert(name) {
                return Some(format!("photo {name:?} is there twice"));
            }
        }
        let right = self
            .photos
            .iter()
            .filter(|photo| Self::is_right(photo))
            .count();
        let found = Count {
            right,
            photos: self.photos.len(),
        };
        let said = self.int8;
        (found != said).then(|| {
            format!(
                "it says {} of {} test photos right, and lists {} of {}",
                said.right, said.photos, found.right, found.photos
            )
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run whose test photos are named by `names`, right where `right` says so.
    pub(crate) fn record(names: &[&str], right: &[bool]) -> Record {
        let photos: Vec<TestedPhoto> = names
            .iter()
            .zip(right)
            .map(|(name, &right)| TestedPhoto {
                photo: (*name).to_owned(),
                truth: 1,
                answer: Some(usize::from(right)),
                scores: vec![0.5, 0.5],
                float_scores: None,
            })
            .collect();
        let count = Count {
            right: right.iter().filter(|right| **right).count(),
            photos: photos.len(),
        };
        Record {
            format: FORMAT.into(),
            posy_version: "0".into(),
            arguments: vec![],
            image_dir: "flowers".into(),
            architecture: "a".into(),
            backbone_sha256: String::new(),
            c: None,
            split: SplitRecord {
                rule: Rule::Stable { seed: 0 },
                percentages: Percentages::default(),
                training: 1,
                validation: 1,
                testing: photos.len(),
            },
            model: ModelRecord {
                file: "a.posy".into(),
                sha256: String::new(),
                flash_bytes: 1,
                ram_bytes: 1,
                products: 1,
            },
            labels: vec!["x".into(), "y".into()],
            int8: count,
            int8_validation: count,
            float: None,
            photos,
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.run.json");
        let whole = record(&["p", "q"], &[true, false]);
        whole.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), whole);
        assert_eq!(Record::read(&folder.path().join("a.posy")).unwrap(), whole);

        let refuse = |change: &dyn Fn(&mut Record), text: &str| {
            let mut record = whole.clone();
            change(&mut record);
            record.write(&path).unwrap();
            let message = Record::read(&path).unwrap_err().to_string();
            assert!(
                message.contains("a.run.json") && message.contains(text),
                "{message}"
            );
        };
        refuse(
            &|record| record.format = "posy run 0".into(),
            "its format is",
        );
        refuse(
            &|record| record.photos[0].truth = 2,
            "a label that there is not",
        );
        refuse(
            &|record| record.photos[0].answer = Some(7),
            "a label that there is not",
        );
        refuse(
            &|record| record.photos[1].scores.push(0.0),
            "does not have 2 scores",
        );
        refuse(
            &|record| record.photos[1].photo = "p".into(),
            "is there twice",
        );
        refuse(
            &|record| record.int8.right = 2,
            "says 2 of 2 test photos right, and lists 1 of 2",
        );
        for bytes in ["", "{}", "[1]", "no json"] {
            std::fs::write(&path, bytes).unwrap();
            let message = Record::read(&path).unwrap_err().to_string();
            assert!(message.contains("not a run's record"), "{message}");
        }
        let missing = Record::read(&folder.path().join("b.posy")).unwrap_err();
        assert!(
            missing.to_string().contains("b.run.json: cannot be read"),
            "{missing}"
        );
    }
}
