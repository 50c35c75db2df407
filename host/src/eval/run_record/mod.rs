//! The record of a training run, a file beside the model for programs: settings, split and results.
//!
//! The record has the answers for every test photo, so that runs can be compared photo by photo
//! ([`compare`]).

mod compare;
mod lines;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use posy_nn::bounded;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::stats::Proportion;
use super::{Evaluation, Prediction, UNKNOWN};
use crate::dataset::split::{Percentages, Rule};
use crate::train::metrics::argmax;
use crate::units::hex;

pub use compare::{Comparison, Method, compare};

/// Value of a record's `format`. Raise it when fields change their meaning.
pub const FORMAT: &str = "posy run 2";

/// The format before, whose [`Record::int8`] leaves out right photos that are answered `unknown`.
const FORMAT_1: &str = "posy run 1";

/// The split of the photos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The rule, with seed or folder.
    pub rule: Rule,
    /// Requested shares.
    pub percentages: Percentages,
    /// Number of training photos.
    pub training: usize,
    /// Number of validation photos.
    pub validation: usize,
    /// Number of test photos.
    pub testing: usize,
}

/// The model file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// File name as given.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Size of the file, bytes.
    pub flash_bytes: u64,
    /// RAM needed on a board, bytes.
    pub ram_bytes: u64,
    /// Multiply-accumulates in one inference.
    pub products: u64,
}

/// Fine-tuning, as it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FineTuningRecord {
    /// Trained blocks.
    pub blocks: usize,
    /// Views of each training photo, the photo itself among them.
    pub views: usize,
    /// Epochs that were planned.
    pub epochs: usize,
    /// Epochs that were done: fewer where it was stopped.
    pub done: usize,
    /// Multiply-accumulates of all of it.
    pub products: u64,
}

/// A test photo and its answers. Labels are indices into [`Record::labels`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestedPhoto {
    /// Path within the data set, with `/`.
    pub photo: String,
    /// True label.
    pub truth: usize,
    /// A board's answer; `None` for `unknown`.
    pub answer: Option<usize>,
    /// A board's score of each label, `0..=1`.
    pub scores: Vec<f32>,
    /// Scores of the float network, if it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub float_scores: Option<Vec<f32>>,
}

/// The record of a training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// Version of posy that wrote the record.
    pub posy_version: String,
    /// The command line, without the command's own name.
    pub arguments: Vec<String>,
    /// Folder of the photos.
    pub image_dir: String,
    /// The backbone.
    pub architecture: String,
    /// SHA-256 of the backbone's file, in hexadecimal digits.
    pub backbone_sha256: String,
    /// Regularisation strength, if the trainer chose one.
    pub c: Option<f64>,
    /// Fine-tuning of the last blocks, if they were trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fine_tuning: Option<FineTuningRecord>,
    /// The split.
    pub split: SplitRecord,
    /// The model.
    pub model: ModelRecord,
    /// Labels.
    pub labels: Vec<String>,
    /// Test photos that the model classifies correctly; see [`Evaluation::accuracy`].
    pub int8: Proportion,
    /// Validation photos that it classifies correctly.
    pub int8_validation: Proportion,
    /// Test photos that the float network classifies correctly, if it ran.
    pub float: Option<Proportion>,
    /// The test photos.
    pub photos: Vec<TestedPhoto>,
}

/// Errors of writing or reading a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An output error.
    #[error("{}: the run's record cannot be written: {source}; give another place for the model", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An input error.
    #[error("{}: cannot be read: {source}; give a .run.json file that `posy retrain` wrote beside its model", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Not a file of this format.
    #[error("{}: not a run's record: {source}; give a .run.json file that `posy retrain` wrote beside its model", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The parser's error, with its position.
        source: serde_json::Error,
    },
    /// A record of another version.
    #[error("{}: its format is {found:?}, and {FORMAT:?} is read; train again with this posy", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Value of its `format`.
        found: String,
    },
    /// Contradictory contents.
    #[error("{}: {fault}; the file was changed: train again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        fault: String,
    },
}

impl Record {
    /// The bytes of the file.
    ///
    /// # Errors
    /// Returns an error if memory runs out.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = lines::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let written = self.to_bytes().map_err(std::io::Error::from);
        let written = written.and_then(|json| posy_nn::atomic::write(path, &json));
        written.map_err(|source| RecordError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads and checks a record. `path` may also be the model's, which stands for the record
    /// beside it.
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
        // Reads the format first, since another version may have other fields.
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let read = serde_json::from_slice::<Head>(json).and_then(|head| {
            let is_read = [FORMAT, FORMAT_1].contains(&&*head.format);
            let record = is_read.then(|| serde_json::from_slice::<Record>(json));
            Ok((record.transpose()?, head.format))
        });
        let mut record = match read {
            Ok((Some(record), _)) => record,
            Ok((None, found)) => return Err(RecordError::Format { path, found }),
            Err(source) => return Err(RecordError::Json { path, source }),
        };
        if record.format == FORMAT_1 {
            record.format = FORMAT.into();
            record.int8 = record.accuracy();
        }
        match record.fault() {
            Some(fault) => Err(RecordError::Content { path, fault }),
            None => Ok(record),
        }
    }

    /// The name of a model's record: `flowers.run.json` beside `flowers.posy`.
    pub fn path_beside(model: &Path) -> PathBuf {
        model.with_extension("run.json")
    }

    /// True if the run wrote the model in `bytes`, a `.posy` file.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        self.model.sha256 == hex(&Sha256::digest(bytes))
    }

    fn prediction(&self, index: usize, photo: &TestedPhoto) -> Prediction {
        let likeliest = photo.answer.unwrap_or_else(|| argmax(&photo.scores));
        Prediction {
            photo: index,
            truth: photo.truth,
            other: self
                .labels
                .get(photo.truth)
                .is_some_and(|label| label == UNKNOWN),
            likeliest,
            unknown: photo.answer.is_none(),
            scores: photo.scores.clone(),
            plain_score: photo.scores.get(likeliest).copied().unwrap_or(0.0),
            float_answer: photo.float_scores.as_deref().map(argmax),
            float_scores: None,
        }
    }

    /// The evaluation of the listed photos, as `posy retrain` had it but for the scores without
    /// the temperature and the validation photos.
    pub fn evaluation(&self) -> Evaluation {
        let labels = self.labels.iter().map(|label| (label.clone(), [0; 3]));
        let photos = self.photos.iter().enumerate();
        let predictions = photos.map(|(index, photo)| self.prediction(index, photo));
        Evaluation::of(labels.collect(), &[], predictions.collect())
    }

    /// Listed photos that the model classifies correctly.
    fn accuracy(&self) -> Proportion {
        Proportion::of(self.photos.iter().map(|photo| self.is_right(photo)))
    }

    /// True if the photo counts for its label.
    fn is_right(&self, photo: &TestedPhoto) -> bool {
        self.prediction(0, photo).is_right()
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
        let found = self.accuracy();
        let said = self.int8;
        (found != said).then(|| {
            format!(
                "it says {} test photos right, and lists {}",
                said.counts(),
                found.counts()
            )
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run with test photos `names`, which are correct where `right` says so.
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
        let count = Proportion::of(right.iter().copied());
        Record {
            format: FORMAT.into(),
            posy_version: "0".into(),
            arguments: vec![],
            image_dir: "flowers".into(),
            architecture: "a".into(),
            backbone_sha256: String::new(),
            c: None,
            fine_tuning: None,
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

    /// A record of the format before, whose int8 leaves out a right photo answered `unknown`.
    #[test]
    fn earlier_records_are_counted_anew() {
        let mut earlier = record(&["p", "q"], &[true, false]);
        earlier.format = FORMAT_1.into();
        earlier.photos[0].answer = None;
        earlier.photos[0].scores = vec![0.25, 0.75];
        earlier.int8 = Proportion::new(0, 2);
        let bytes = earlier.to_bytes().unwrap();
        let read = Record::parse("a".into(), &bytes).unwrap();
        assert_eq!((read.int8, &*read.format), (Proportion::new(1, 2), FORMAT));
        let evaluation = read.evaluation();
        assert_eq!(evaluation.accuracy(), read.int8);
        assert_eq!(evaluation.unknown.rejected, Proportion::new(1, 2));
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
            &|record| record.int8.part = 2,
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
