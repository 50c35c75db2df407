//! The state that the page shows, and the news that it has changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use super::folder::PhotoName;

/// A label and its photos.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LabelState {
    /// The label.
    pub name: String,
    /// Its photos, oldest first.
    pub photos: Vec<PhotoName>,
}

/// A finding about a photo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// `LABEL/NAME` of the photo.
    pub photo: String,
    /// The finding in words.
    pub words: String,
}

/// The state of training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "words", rename_all = "lowercase")]
pub enum Training {
    /// Idle: there is nothing to train.
    #[default]
    Idle,
    /// Something is missing.
    Waiting(String),
    /// It runs, or begins as soon as no more pictures come.
    Running,
    /// It failed.
    Failed(String),
}

/// A trained model, in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModelState {
    /// Number of the model in this run.
    pub number: u64,
    /// Its labels; `_unknown` last, if there are photos of it.
    pub labels: Vec<String>,
    /// Its name.
    pub architecture: String,
    /// Bytes of its file.
    pub bytes: usize,
    /// Names of the boards that it fits.
    pub boards: Vec<String>,
    /// Seconds that training took; 0 if the model was there.
    pub seconds: f64,
    /// Sentences on its accuracy.
    pub headline: Vec<String>,
    /// Test photos that are named rightly, of all.
    pub accuracy: Option<[usize; 2]>,
    /// Test photos by label (row) and answer (column).
    pub confusion: Vec<Vec<usize>>,
    /// Advice on the next run.
    pub advice: Vec<String>,
}

/// An answer for a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shown {
    /// Labels and scores, 0 to 1, likeliest first.
    pub labels: Vec<(String, f64)>,
    /// True if the picture is none of the labels.
    pub unknown: bool,
    /// Milliseconds by stage.
    pub times: Vec<(String, f64)>,
}

/// The board's outputs for one of its pictures, for the page to compare with its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BoardLogits {
    /// Number of the picture.
    pub picture: u64,
    /// Number of the model.
    pub model: u64,
    /// Every output of the model.
    pub logits: Vec<i8>,
}

/// A board.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BoardState {
    /// True if the page is to show boards at all.
    pub wanted: bool,
    /// The board's name, while it is connected.
    pub name: Option<String>,
    /// Its serial port.
    pub port: String,
    /// Number of its last picture.
    pub picture: u64,
    /// Pictures a second, of late.
    pub rate: f64,
    /// Its answer for that picture or one shortly before.
    pub answer: Option<Shown>,
    /// True if it runs the laptop's model.
    pub current: bool,
    /// True if both sides had the same logits of the last picture; unknown unless both run one model.
    pub same: Option<bool>,
    /// Its outputs that `same` is about.
    pub compared: Option<BoardLogits>,
    /// Percent of a push that runs.
    pub pushing: Option<u8>,
    /// Last error, or last result, in words.
    pub words: String,
    /// Label that its pictures are recorded for.
    pub recording: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// The folder, as it is shown.
    pub folder: String,
    /// All labels, sorted.
    pub labels: Vec<LabelState>,
    /// Findings about photos.
    pub marks: Vec<Mark>,
    /// Training.
    pub training: Training,
    /// The model, if there is one.
    pub model: Option<ModelState>,
    /// The board.
    pub board: BoardState,
    /// A warning about the disk or the cache.
    pub warning: Option<String>,
    /// Changes of the photos so far.
    #[serde(skip)]
    changes: u64,
}

/// The state that all threads share.
#[derive(Clone, Debug)]
pub struct Shared {
    state: Arc<Mutex<State>>,
    version: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Shared {
            state: Arc::default(),
            version: watch::Sender::new(1),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole, whoever panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state; whoever waits is told if it is another then.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let before = state.clone();
        change(&mut state);
        let changed = *state != before;
        drop(state);
        if changed {
            self.version.send_modify(|version| *version += 1);
        }
    }

    /// Notes that photos have changed: the model is of older ones until [`Shared::learnt`].
    pub fn photos_changed(&self) {
        self.change(|state| {
            state.changes += 1;
            state.training = Training::Running;
        });
    }

    /// Number of changes of the photos, to be asked for before they are read.
    pub fn changes(&self) -> u64 {
        self.read(|state| state.changes)
    }

    /// Changes the state after a training on the photos as of `changes`, which ended as `training`. Where they
    /// have changed since, another follows.
    pub fn learnt(&self, changes: u64, training: Training, change: impl FnOnce(&mut State)) {
        self.change(|state| {
            change(state);
            state.training = match state.changes == changes {
                true => training,
                false => Training::Running,
            };
        });
    }

    /// Reads the state.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.lock())
    }

    /// Number of the state now, from 1.
    pub fn version(&self) -> u64 {
        *self.version.borrow()
    }

    /// Waits until the state is another than that of number `seen`.
    pub async fn changed(&self, seen: u64) {
        let mut receiver = self.version.subscribe();
        // An error says that the sender is gone, which is part of `self`.
        let _ = receiver.wait_for(|version| *version != seen).await;
    }
}
