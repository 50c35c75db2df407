//! Features of each photo as it arrives, and training as soon as no more arrive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use posy_shared::model::{InputContract, Model};
use posy_shared::preprocess::{Crop, Filter};

use super::folder::Folder;
use super::looker::Looker;
use super::state::{LabelState, Mark, ModelState, Shared, Training};
use crate::dataset::Layout;
use crate::dataset::split::{Percentages, Rule, split};
use crate::dataset::split_file::SplitFile;
use crate::device::{Footprint, fitting};
use crate::eval::UNKNOWN;
use crate::features::cache::Cache;
use crate::features::extract::{self, extract};
use crate::features::extractors::IntExtractor;
use crate::features::progress::{Progress, Silent};
use crate::lint::{Kind, Subject, brief};
use crate::report::Reader;
use crate::report::advice::advice;
use crate::report::headline::headline;
use crate::retrain::{
    Prepared, RetrainError, Settings, TrainOptions, TrainedModel, Trainer, prepare, train,
};
use crate::train::observer::Unwatched;
use posy_nn::zoo::backbone::Backbone;

/// Silence after the last picture, before training.
const QUIET: Duration = Duration::from_millis(150);

/// Interval of looks at a folder that other programs may change.
const RESCAN: Duration = Duration::from_secs(2);

/// News for the teacher.
#[derive(Debug)]
pub enum News {
    /// A photo was added.
    Photo(PathBuf),
    /// Something else about the photos has changed.
    Changed,
}

/// The way of news to the teacher.
#[derive(Clone)]
pub struct Messenger {
    pub news: Sender<News>,
    pub shared: Shared,
}

impl Messenger {
    /// Lets the teacher know; until it has learnt, the page shows that there is something to wait for.
    pub fn send(&self, news: News) {
        self.shared.photos_changed();
        let _ = self.news.send(news);
    }
}

/// Keeps the results of a training: model, split and record; an error in words.
pub type Keep = Box<dyn Fn(&Prepared, &TrainedModel) -> Result<(), String> + Send>;

/// State that the teacher's thread works with.
pub struct Teacher {
    pub folder: Folder,
    pub backbone: Backbone,
    pub cache: Arc<Cache>,
    pub shared: Shared,
    pub looker: Looker,
    pub keep: Keep,
}

/// Preprocessing, as of `posy retrain` and as boards do it.
const INPUT: InputContract = InputContract {
    crop: Crop::Squash,
    filter: Filter::Area,
    table: None,
};

impl Teacher {
    /// Works until nobody has news any more.
    pub fn run(self, news: &Receiver<News>) {
        self.open_model();
        let mut known = Vec::new();
        let mut due = self.rescan(&mut known);
        if due {
            self.shared.photos_changed();
        }
        let Ok(bytes) = self.backbone.extractor(INPUT) else {
            return self.failed("the network has no features");
        };
        let Ok(extractor) = IntExtractor::new(&bytes) else {
            return self.failed("the network has no features");
        };
        loop {
            let wait = if due { QUIET } else { RESCAN };
            match news.recv_timeout(wait) {
                Ok(first) => {
                    let more = news.try_iter();
                    let paths: Vec<PathBuf> = std::iter::once(first)
                        .chain(more)
                        .filter_map(|news| match news {
                            News::Photo(path) => Some(path),
                            News::Changed => None,
                        })
                        .collect();
                    // They go into the cache, which training reads.
                    let options = extract::Options::default();
                    extract(&paths, &extractor, Some(&self.cache), &options, &Silent);
                    self.rescan(&mut known);
                    due = true;
                }
                Err(RecvTimeoutError::Timeout) if due => {
                    due = false;
                    self.train();
                }
                Err(RecvTimeoutError::Timeout) => {
                    due = self.rescan(&mut known);
                    if due {
                        self.shared.photos_changed();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn failed(&self, words: &str) {
        self.shared
            .change(|state| state.training = Training::Failed(words.to_owned()));
    }

    /// Shows the photos that there are; returns true if they are others than those of `known`.
    fn rescan(&self, known: &mut Vec<LabelState>) -> bool {
        let labels = self.folder.labels().and_then(|labels| {
            let state = labels.into_iter().map(|name| {
                let photos = self.folder.photos_of(&name)?;
                Ok(LabelState { name, photos })
            });
            state.collect::<Result<Vec<LabelState>, _>>()
        });
        match labels {
            Err(error) => {
                let words = error.to_string();
                self.shared.change(|state| state.warning = Some(words));
                false
            }
            Ok(labels) if labels == *known => false,
            Ok(labels) => {
                known.clone_from(&labels);
                self.shared.change(|state| state.labels = labels);
                true
            }
        }
    }

    /// The model that an earlier run left, if it is one.
    fn open_model(&self) {
        let Ok(bytes) = std::fs::read(self.folder.model()) else {
            return;
        };
        let Some(mut model) = figures(&bytes) else {
            return;
        };
        model.number = self.looker.set(bytes);
        self.shared.change(|state| state.model = Some(model));
    }

    /// Trains on the photos that there are.
    fn train(&self) {
        let changes = self.shared.changes();
        let missing = self.shared.read(|state| {
            let with_photos = state.labels.iter().filter(|label| !label.photos.is_empty());
            let with_photos: Vec<&LabelState> = with_photos.collect();
            let named = with_photos
                .iter()
                .filter(|label| label.name != UNKNOWN)
                .count();
            match (named, with_photos.len()) {
                (0, _) => Some("Record pictures of two things."),
                (1, 1) => Some("One label has pictures. Record a second, or pictures of nothing."),
                _ => None,
            }
        });
        if let Some(missing) = missing {
            let missing = Training::Waiting(missing.to_owned());
            return self.shared.learnt(changes, missing, |_| {});
        }
        self.shared
            .change(|state| state.training = Training::Running);
        let begun = Instant::now();
        match self.trained() {
            Err(error) => self.failed(&error.to_string()),
            Ok((prepared, outcome)) => self.show(&prepared, &outcome, begun, changes),
        }
    }

    fn trained(&self) -> Result<(Prepared, TrainedModel), RetrainError> {
        let rule = Rule::Stable { seed: 0 };
        let settings = Settings {
            image_dir: self.folder.photos(),
            layout: Layout::of(&rule),
            input: INPUT,
            cache: Some(Arc::clone(&self.cache)),
            float: false,
            strict: false,
        };
        let silent = |_| Box::new(Silent) as Box<dyn Progress>;
        let prepared = prepare(&settings, self.backbone.clone(), &silent, &mut |_| {})?;
        let split_file = self.folder.model().with_extension("split.json");
        let trainer = Trainer::Logistic(Default::default());
        let options = TrainOptions {
            // A photo keeps its side of the split, as with `posy retrain`.
            earlier: earlier(&split_file),
            answers: Default::default(),
            ..TrainOptions::new(rule, Percentages::USUAL, trainer)
        };
        let outcome = train(&prepared, &options, &mut Unwatched)?;
        Ok((prepared, outcome))
    }

    /// Lets the new model answer, then keeps it, then says more about it.
    fn show(&self, prepared: &Prepared, outcome: &TrainedModel, begun: Instant, changes: u64) {
        let number = self.looker.set(outcome.model.clone());
        let mut model = figures(&outcome.model).unwrap_or_default();
        model.number = number;
        model.seconds = begun.elapsed().as_secs_f64();
        model.labels.clone_from(&prepared.dataset.labels);
        self.shared.learnt(changes, Training::Idle, |state| {
            state.model = Some(model.clone());
        });
        let kept = (self.keep)(prepared, outcome);
        let evaluation = &outcome.evaluation;
        let photos = &prepared.dataset.photos;
        let accuracy = evaluation.accuracy();
        model.headline = headline(evaluation, Reader::Page).sentences;
        model.accuracy = (accuracy.whole > 0).then_some([accuracy.part, accuracy.whole]);
        model.advice = advice(evaluation, false, Reader::Page, &|index| {
            photos[index].relative.clone()
        });
        let labels = prepared.dataset.labels.len();
        let row = |truth| (0..labels).map(move |answer| evaluation.confusion.count(truth, answer));
        model.confusion = (0..labels).map(|truth| row(truth).collect()).collect();
        let marks = marks(prepared);
        self.shared.change(|state| {
            state.model = Some(model);
            state.marks = marks;
            state.warning = kept.err();
        });
    }
}

/// The earlier split, but for labels that had too few pictures for every part then: they are divided anew.
fn earlier(path: &Path) -> Option<SplitFile> {
    let mut file = SplitFile::read(path).ok()?;
    file.labels
        .retain(|_, label| !label.validation.is_empty() && !label.testing.is_empty());
    Some(file)
}

/// A model's own figures; `None` if the bytes are no model with labels.
fn figures(bytes: &[u8]) -> Option<ModelState> {
    let model = Model::read(bytes).ok()?;
    let labels: Vec<String> = model.labels().map(str::to_owned).collect();
    let boards = fitting(&Footprint::of_model(&model));
    (!labels.is_empty()).then(|| ModelState {
        labels,
        architecture: model.provenance().architecture.to_owned(),
        bytes: bytes.len(),
        boards: boards.into_iter().map(str::to_owned).collect(),
        ..ModelState::default()
    })
}

/// Findings about single photos: wrong labels and copies.
fn marks(prepared: &Prepared) -> Vec<Mark> {
    let buckets = split(
        &prepared.dataset,
        &Rule::Stable { seed: 0 },
        Percentages::USUAL,
    );
    let subject = Subject {
        dataset: &prepared.dataset,
        features: &prepared.int8_features,
        centres: None,
        buckets: buckets.buckets(),
    };
    let Ok(report) = brief(&subject, &Silent) else {
        return Vec::new();
    };
    let root = &prepared.dataset.root;
    let mut marks = Vec::new();
    for finding in report.findings {
        // Pictures of a burst are alike; what is said of labels has no picture.
        if !matches!(
            finding.kind,
            Kind::Mislabelled | Kind::DuplicateAcrossLabels
        ) {
            continue;
        }
        for path in &finding.paths {
            if let Ok(photo) = std::path::Path::new(path).strip_prefix(root) {
                marks.push(Mark {
                    photo: photo.to_string_lossy().replace('\\', "/"),
                    words: finding.detail.clone(),
                });
            }
        }
    }
    marks
}
