//! Answers for pictures by the newest model, on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use tokio::sync::oneshot;

use super::state::Shown;
use crate::dataset::for_model::decode_for;
use crate::dataset::{Limits, Rgb};
use posy_nn::run::Runner;

/// Pictures that wait at most.
const WAITING: usize = 4;

/// Labels in an answer at most.
const MOST: usize = 32;

/// Bytes of a picture that is looked at: larger ones than a webcam's are photos, for the folder.
pub const PICTURE_LEN: usize = 4 << 20;

/// A model, and its number in this run.
#[derive(Clone, Debug, Default)]
pub struct Current {
    /// 0 for none.
    pub number: u64,
    /// The bytes of its file.
    pub bytes: Arc<Vec<u8>>,
}

/// A picture to look at.
pub enum Picture {
    /// An encoded photo.
    Encoded(Vec<u8>),
    /// Pixels.
    Pixels(Rgb),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Look {
    /// Number of the model.
    pub number: u64,
    /// Every output of the model.
    pub logits: Vec<i8>,
    /// The answer in words.
    pub shown: Shown,
}

/// Reasons for which there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No model: training has not run yet.
    #[error("there is no model yet: record pictures of two labels")]
    NoModel,
    /// The picture is none.
    #[error("not a picture: {0}")]
    Picture(String),
}

struct Job {
    picture: Picture,
    answer: oneshot::Sender<Result<Look, LookError>>,
}

/// The newest model, and the way to its answers.
#[derive(Clone)]
pub struct Looker {
    jobs: SyncSender<Job>,
    current: Arc<Mutex<Current>>,
}

impl Looker {
    /// Starts the thread, which ends with the last of its `Looker`s.
    pub fn start() -> Self {
        let (jobs, queue) = sync_channel(WAITING);
        let current = Arc::new(Mutex::default());
        let shared = Arc::clone(&current);
        std::thread::spawn(move || run(&queue, &shared));
        Looker { jobs, current }
    }

    /// The newest model.
    pub fn current(&self) -> Current {
        lock(&self.current)
    }

    /// Makes this model the newest.
    pub fn set(&self, bytes: Vec<u8>) -> u64 {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Current {
            number: current.number + 1,
            bytes: Arc::new(bytes),
        };
        current.number
    }

    /// The answer for a picture. Waits while others are looked at.
    pub fn look(&self, picture: Picture) -> Result<Look, LookError> {
        let (answer, receiver) = oneshot::channel();
        let sent = self.jobs.send(Job { picture, answer });
        let gone = || LookError::Picture("the program is ending".into());
        sent.map_err(|_| gone())?;
        receiver.blocking_recv().map_err(|_| gone())?
    }
}

fn lock(current: &Mutex<Current>) -> Current {
    current
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Answers until nobody asks any more; prepares each model once.
fn run(queue: &Receiver<Job>, shared: &Mutex<Current>) {
    let mut held = None;
    loop {
        let Some(job) = held.take().or_else(|| queue.recv().ok()) else {
            return;
        };
        let current = lock(shared);
        let Ok(model) = Model::read(&current.bytes) else {
            let _ = job.answer.send(Err(LookError::NoModel));
            continue;
        };
        let runner = Runner::new(model);
        let mut next = Some(job);
        while let Some(job) = next.take().or_else(|| queue.recv().ok()) {
            if lock(shared).number != current.number {
                held = Some(job);
                break;
            }
            let _ = job.answer.send(look(&runner, current.number, job.picture));
        }
        if held.is_none() {
            return;
        }
    }
}

fn look(runner: &Runner<'_>, number: u64, picture: Picture) -> Result<Look, LookError> {
    let begun = Instant::now();
    let wrong = |error: &dyn std::fmt::Display| LookError::Picture(error.to_string());
    let (decoded, logits) = match picture {
        Picture::Pixels(pixels) => (begun.elapsed(), runner.output(&pixels)),
        Picture::Encoded(bytes) => {
            let photo = decode_for(runner.model(), &bytes, &Limits::default());
            let photo = photo.map_err(|error| wrong(&error))?;
            (begun.elapsed(), runner.output(&photo))
        }
    };
    let logits = logits.map_err(|error| wrong(&error))?;
    let ranking = Ranking::<MOST>::new(runner.model(), &logits);
    let ms = |time: std::time::Duration| 1000.0 * time.as_secs_f64();
    let labels = ranking
        .iter()
        .map(|ranked| (ranked.label.to_owned(), ranked.score.to_f32().into()));
    Ok(Look {
        number,
        shown: Shown {
            labels: labels.collect(),
            unknown: ranking.is_unknown(),
            times: vec![
                ("decoding".into(), ms(decoded)),
                ("network".into(), ms(begun.elapsed() - decoded)),
            ],
        },
        logits,
    })
}
