//! The board of the page, on a thread of its own: found, previewed, recorded from, pushed to, verified.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use posy_shared::link::View;

use super::folder::Folder;
use super::looker::{Look, Looker, Picture as Looked};
use super::png;
use super::state::{BoardLogits, Shared, Shown};
use super::teacher::{Messenger, News};
use crate::dataset::load;
use crate::dataset::{Limits, Rgb};
use crate::device::link::{Connection, Event, Finder, LinkError, MOST, fitted};
use crate::device::protocol::Line;

/// Wait for one event.
const WAIT: Duration = Duration::from_millis(50);

/// Interval of looks for a board.
const LOOK: Duration = Duration::from_millis(300);

/// Pictures over which their rate is counted.
const RATE: usize = 8;

/// Photos that are verified.
const VERIFIED: usize = 5;

/// The board that the page shows.
#[derive(Clone, Debug)]
pub enum BoardChoice {
    /// No board.
    None,
    /// The one that is found.
    Found(Finder),
}

/// An order of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Keeps each picture for this label, in this burst.
    Record {
        /// The label.
        label: String,
        /// The burst.
        burst: String,
    },
    /// Keeps no more.
    Stop,
    /// Pushes the newest model.
    Push,
    /// Compares logits.
    Verify,
}

/// The last picture, as PNG, and its number.
#[derive(Clone, Debug, Default)]
pub struct LastPicture(Arc<Mutex<(u64, Vec<u8>)>>);

impl LastPicture {
    /// The picture.
    pub fn get(&self) -> (u64, Vec<u8>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, number: u64, png: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (number, png);
    }
}

/// State that the board's thread works with.
pub struct BoardThread {
    pub finder: Finder,
    pub folder: Folder,
    pub shared: Shared,
    pub looker: Looker,
    pub news: Messenger,
    pub last: LastPicture,
}

/// Errors of an order.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("{0}")]
    Words(String),
}

/// The state of a connection.
#[derive(Default)]
struct Seen {
    recording: Option<(String, String)>,
    picture: Option<(u16, Rgb)>,
    number: u64,
    times: VecDeque<Instant>,
}

impl BoardThread {
    /// Works until the page is gone.
    pub fn run(self, orders: &Receiver<Order>) {
        self.shared.change(|state| state.board.wanted = true);
        let mut number = 0;
        loop {
            let error = match self.finder.connect() {
                Ok(mut connection) => {
                    let mut seen = Seen {
                        number,
                        ..Seen::default()
                    };
                    let error = self.follow(&mut connection, orders, &mut seen);
                    number = seen.number;
                    match error {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let words = error.to_string();
            self.shared.change(|state| {
                let board = &mut state.board;
                board.name = None;
                board.words = words;
                (board.answer, board.same, board.pushing, board.recording) =
                    (None, None, None, None);
                board.compared = None;
            });
            // Without a board nothing can be done; the page says why.
            if let Err(RecvTimeoutError::Disconnected) = orders.recv_timeout(LOOK) {
                return;
            }
        }
    }

    /// Follows a board until it goes away, which is the error, or the page does.
    fn follow(
        &self,
        connection: &mut Connection,
        orders: &Receiver<Order>,
        seen: &mut Seen,
    ) -> Result<(), LinkError> {
        connection.preview(Some(View::Camera))?;
        self.show(connection);
        self.shared
            .change(|state| state.board.words = String::new());
        let mut model = self.looker.current().number;
        loop {
            match orders.try_recv() {
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
                Err(std::sync::mpsc::TryRecvError::Empty) => {}
                Ok(order) => match self.obey(connection, order, seen) {
                    Ok(()) => {}
                    Err(OrderError::Link(error)) if error.is_passing() => return Err(error),
                    Err(error) => self.say(error.to_string()),
                },
            }
            if self.looker.current().number != model {
                model = self.looker.current().number;
                self.show(connection);
            }
            match connection.next(WAIT)? {
                Some(Event::Picture(picture)) => self.saw(picture.number, picture.to_rgb(), seen),
                Some(Event::Answer(answer)) => {
                    let times = answer.times;
                    let same = self.same(connection, seen, answer.picture, &answer.logits);
                    self.shared.change(|state| {
                        let board = &mut state.board;
                        board.same = same.as_ref().map(|(same, _)| *same);
                        board.compared = same.map(|(_, compared)| compared);
                        let shown = board.answer.get_or_insert_default();
                        let named = [
                            ("camera", times.capture_ms),
                            ("reading", times.rows_ms),
                            ("network", times.network_ms),
                        ];
                        shown.times = named.map(|(name, ms)| (name.to_owned(), ms.into())).into();
                    });
                }
                Some(Event::Line(Line::Answer(answer))) => self.shared.change(|state| {
                    let shown: &mut Shown = state.board.answer.get_or_insert_default();
                    shown.labels = answer.labels;
                    shown.unknown = answer.unknown;
                }),
                Some(Event::Line(Line::Problem(words))) => self.say(words),
                _ => {}
            }
        }
    }

    fn say(&self, words: String) {
        self.shared.change(|state| state.board.words = words);
    }

    /// Shows who is connected, and whether it runs the newest model.
    fn show(&self, connection: &Connection) {
        let current = self.looker.current();
        let has = current.number > 0 && connection.has(&current.bytes).unwrap_or(false);
        let (name, port) = (
            connection.info().board.clone(),
            connection.port().to_owned(),
        );
        self.shared.change(|state| {
            state.board.name = Some(name);
            state.board.port = port;
            state.board.current = has;
        });
    }

    fn saw(&self, number: u16, picture: Rgb, seen: &mut Seen) {
        let Ok(bytes) = png(&picture) else {
            return;
        };
        if let Some((label, burst)) = &seen.recording {
            match self.folder.add(label, burst, &bytes) {
                Ok(name) => {
                    if let Ok(path) = self.folder.photo(label, &name) {
                        self.news.send(News::Photo(path));
                    }
                }
                Err(error) => {
                    self.say(error.to_string());
                    seen.recording = None;
                    self.shared.change(|state| state.board.recording = None);
                }
            }
        }
        seen.number += 1;
        seen.times.push_back(Instant::now());
        if seen.times.len() > RATE {
            seen.times.pop_front();
        }
        let span = seen
            .times
            .front()
            .map_or(0.0, |first| first.elapsed().as_secs_f64());
        let rate = match seen.times.len() {
            len @ 2.. if span > 0.0 => (len - 1) as f64 / span,
            _ => 0.0,
        };
        self.last.set(seen.number, bytes);
        self.shared.change(|state| {
            state.board.picture = seen.number;
            state.board.rate = (10.0 * rate).round() / 10.0;
        });
        seen.picture = Some((number, picture));
    }

    /// Compares the board's logits of a picture with the laptop's, and gives them for the page to compare; `None`
    /// where laptop and board run different models, or the picture did not come whole.
    fn same(
        &self,
        connection: &Connection,
        seen: &mut Seen,
        number: u16,
        logits: &[i8],
    ) -> Option<(bool, BoardLogits)> {
        let (_, picture) = seen.picture.take_if(|(of, _)| *of == number)?;
        let current = self.looker.current();
        if !connection.has(&current.bytes).ok()? {
            return None;
        }
        let Look {
            number,
            logits: ours,
            ..
        } = self.looker.look(Looked::Pixels(picture)).ok()?;
        let compared = BoardLogits {
            picture: seen.number,
            model: number,
            logits: logits.to_vec(),
        };
        (number == current.number).then(|| (ours == logits, compared))
    }

    fn obey(
        &self,
        connection: &mut Connection,
        order: Order,
        seen: &mut Seen,
    ) -> Result<(), OrderError> {
        match order {
            Order::Record { label, burst } => {
                self.shared
                    .change(|state| state.board.recording = Some(label.clone()));
                seen.recording = Some((label, burst));
            }
            Order::Stop => {
                seen.recording = None;
                self.shared.change(|state| state.board.recording = None);
            }
            Order::Push => {
                let pushed = self.push(connection);
                self.shared.change(|state| state.board.pushing = None);
                self.show(connection);
                self.say(pushed?);
            }
            Order::Verify => {
                let verified = self.verify(connection);
                connection.pause(false)?;
                self.say(verified?);
            }
        }
        Ok(())
    }

    fn push(&self, connection: &mut Connection) -> Result<String, OrderError> {
        let current = self.looker.current();
        if current.number == 0 {
            return Err(OrderError::Words(
                "there is no model yet: record pictures first".into(),
            ));
        }
        let begun = Instant::now();
        let pushed = connection.push(&current.bytes, &mut |progress| {
            let percent = (100 * progress.done).checked_div(progress.all).unwrap_or(0);
            self.shared
                .change(|state| state.board.pushing = Some(percent.min(100) as u8));
        })?;
        connection.preview(Some(View::Camera))?;
        let seconds = begun.elapsed().as_secs_f64();
        Ok(match (pushed.unchanged, pushed.head_alone) {
            (true, _) => "The board has this model already.".into(),
            (_, true) => format!(
                "Pushed in {seconds:.1} s: the last layer alone, {} bytes.",
                pushed.sent
            ),
            (_, false) => format!(
                "Pushed in {seconds:.1} s: the whole model, {} bytes.",
                pushed.sent
            ),
        })
    }

    /// Sends photos of the folder to the board, and compares.
    fn verify(&self, connection: &mut Connection) -> Result<String, OrderError> {
        let current = self.looker.current();
        if current.number == 0 || !connection.has(&current.bytes)? {
            return Err(OrderError::Words(
                "Push the model first: the board runs another.".into(),
            ));
        }
        let paths: Vec<PathBuf> = self.shared.read(|state| {
            let photos = state.labels.iter().flat_map(|label| {
                let last = label.photos.iter().rev().take(VERIFIED);
                last.filter_map(|photo| self.folder.photo(&label.name, &photo.name).ok())
            });
            photos.take(VERIFIED).collect()
        });
        connection.pause(true)?;
        let (mut photos, mut logits) = (0, 0);
        for path in paths {
            let Ok(decoded) = load(&path, &Limits::default()) else {
                continue;
            };
            let photo = fitted(&decoded, MOST);
            let theirs = connection.classify(&photo)?;
            let ours = self.looker.look(Looked::Pixels(photo));
            let ours = ours.map_err(|error| OrderError::Words(error.to_string()))?;
            if ours.number != current.number {
                return Err(OrderError::Words(
                    "A new model was trained meanwhile. Push it, then verify.".into(),
                ));
            }
            if ours.logits != theirs {
                let words = format!(
                    "{}: laptop and board differ. Write program and model anew with posy flash.",
                    path.display()
                );
                return Err(OrderError::Words(words));
            }
            photos += 1;
            logits += theirs.len();
        }
        Ok(format!(
            "All {logits} logits of {photos} photos are equal on laptop and board."
        ))
    }
}
