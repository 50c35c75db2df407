//! The classify loop, as steps that a board's `main` drives.
//!
//! A board keeps a [`Service`] and calls [`Service::step`] for ever; between steps it hands over
//! what came in ([`Service::command`], from a serial byte or a button) and says what came of the
//! step ([`tell`], and with the feature `defmt` also `log`):
//!
//! ```text
//! loop {
//!     if let Some(command) = serial.next_byte().and_then(Command::from_byte) {
//!         service.command(command);
//!     }
//!     let event = service.step(&mut camera, &mut engine, &mut buffers, &mut clock);
//!     tell(&mut serial, &event)?;
//! }
//! ```
//!
//! A step takes at most one frame, or sets the camera up, so that a board can look after its ports
//! between attempts.

use core::fmt;

use embedded_io::Write;
use posy_shared::engine::Engine;
use posy_shared::kernels::Kernels;
use posy_shared::ranking::Ranking;
#[cfg(feature = "defmt")]
use posy_shared::shown::Shown;

use crate::camera::{Camera, CameraReport, Clock, Readiness, TimedCamera};
use crate::classify::{ClassifyError, Eye, RowBuffers, classify_seen};
use crate::report;

/// Pictures that are tried for one answer.
pub const ATTEMPTS: u8 = 3;

/// Milliseconds without an attempt after [`ATTEMPTS`] have failed: a camera that is back is found soon.
pub const PAUSE_MS: u32 = 100;

/// When pictures are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// An after another.
    Continuous,
    /// An at each [`Command::Classify`].
    OnRequest,
}

/// Requests of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// An answer, and then to wait for the next request. Also what a button means.
    Classify,
    /// Answers one after another again.
    Run,
}

impl Command {
    /// The command of a byte on the serial port: `c` or `r`; none for any other.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'c' => Some(Self::Classify),
            b'r' => Some(Self::Run),
            _ => None,
        }
    }
}

/// Times that an answer took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Times {
    /// Until the frame was there.
    pub capture_ms: u32,
    /// Reading its rows.
    pub rows_ms: u32,
    /// Everything else: unpacking, resizing, the network, the ranking.
    pub network_ms: u32,
    /// All of it.
    pub total_ms: u32,
}

/// Result of a step. `E` is the camera's error, `N` the number of labels in a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'m, E, const N: usize> {
    /// No work to be done.
    Idle,
    /// The camera was set up.
    Camera {
        /// Result of its self-test.
        report: CameraReport,
        /// True if it had failed before.
        back: bool,
    },
    /// Exposure and white balance are on their way to rest.
    Settling,
    /// A picture was classified.
    Answer {
        /// Ranking of its labels.
        ranking: Ranking<'m, N>,
        /// Times that it took.
        times: Times,
    },
    /// A picture failed, and was not classified.
    Failed {
        /// Reason of the failure.
        error: ClassifyError<E>,
        /// Number of this attempt at the answer, from 1.
        attempt: u8,
        /// True if it was the last: [`ATTEMPTS`] were made, or another would fail alike.
        gave_up: bool,
    },
}

/// State of the loop; `N` labels are in each ranking.
#[derive(Clone, Debug)]
pub struct Service<const N: usize> {
    pace: Pace,
    requested: bool,
    failed: u8,
    camera_failed: bool,
    paused_since_ms: Option<u32>,
}

impl<const N: usize> Service<N> {
    /// A loop at its beginning.
    pub const fn new(pace: Pace) -> Self {
        Service {
            pace,
            requested: false,
            failed: 0,
            camera_failed: false,
            paused_since_ms: None,
        }
    }

    /// When pictures are taken now.
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Follows a command from the next step on. Requests do not queue up: several before an
    /// answer are one.
    pub const fn command(&mut self, command: Command) {
        match command {
            Command::Classify => {
                self.pace = Pace::OnRequest;
                self.requested = true;
                self.failed = 0;
                self.paused_since_ms = None;
            }
            Command::Run => self.pace = Pace::Continuous,
        }
    }

    /// Goes one step on: brings the camera nearer to its first picture, or takes and classifies one, if
    /// one is due.
    pub fn step<'m, C: Camera, K: Kernels, T: Clock>(
        &mut self,
        camera: &mut C,
        engine: &mut Engine<'_, 'm, K>,
        buffers: &mut RowBuffers<'_>,
        clock: &mut T,
    ) -> Event<'m, C::Error, N> {
        self.step_seen(camera, engine, buffers, clock, &mut ())
    }

    /// [`Service::step`]; `eye` sees the rows of the picture.
    pub fn step_seen<'m, C: Camera, K: Kernels, T: Clock>(
        &mut self,
        camera: &mut C,
        engine: &mut Engine<'_, 'm, K>,
        buffers: &mut RowBuffers<'_>,
        clock: &mut T,
        eye: &mut dyn Eye,
    ) -> Event<'m, C::Error, N> {
        let start_ms = clock.now_ms();
        if !self.is_due(start_ms) {
            return Event::Idle;
        }
        match camera.start() {
            Ok(Readiness::Ready) => {}
            Ok(Readiness::Settling) => return Event::Settling,
            Ok(Readiness::Found(report)) => {
                let back = core::mem::take(&mut self.camera_failed);
                return Event::Camera { report, back };
            }
            Err(error) => return self.fail(ClassifyError::Camera(error), clock.now_ms()),
        }
        let continuous = self.pace == Pace::Continuous;
        if !continuous {
            // It would show what was seen before the request.
            camera.discard_next();
        }
        let model = engine.model();
        let mut timed = TimedCamera::new(camera, clock);
        let ranking = classify_seen(&mut timed, engine, buffers, eye, continuous)
            .map(|logits| Ranking::new(model, logits));
        let (capture_ms, rows_ms) = (timed.capture_ms(), timed.rows_ms());
        let now_ms = clock.now_ms();
        match ranking {
            Ok(ranking) => {
                self.failed = 0;
                self.requested = false;
                let total_ms = now_ms.wrapping_sub(start_ms);
                let camera_ms = capture_ms.saturating_add(rows_ms);
                let times = Times {
                    capture_ms,
                    rows_ms,
                    network_ms: total_ms.saturating_sub(camera_ms),
                    total_ms,
                };
                Event::Answer { ranking, times }
            }
            Err(error) => self.fail(error, now_ms),
        }
    }

    fn fail<'m, E>(&mut self, error: ClassifyError<E>, now_ms: u32) -> Event<'m, E, N> {
        let attempt = self.failed.saturating_add(1);
        let is_chance = matches!(error, ClassifyError::Camera(_));
        self.camera_failed |= is_chance;
        let gave_up = attempt >= ATTEMPTS || !is_chance;
        self.failed = if gave_up { 0 } else { attempt };
        if gave_up {
            self.requested = false;
            self.paused_since_ms = Some(now_ms);
        }
        Event::Failed {
            error,
            attempt,
            gave_up,
        }
    }

    fn is_due(&mut self, now_ms: u32) -> bool {
        if let Some(since_ms) = self.paused_since_ms {
            if now_ms.wrapping_sub(since_ms) < PAUSE_MS {
                return false;
            }
            self.paused_since_ms = None;
        }
        self.pace == Pace::Continuous || self.requested
    }
}

/// Says on a serial port what came of a step: an answer as [`report::line`] does, a failure with
/// its cause and what follows; of [`Event::Idle`] and [`Event::Settling`] nothing.
///
/// # Errors
/// Whatever the serial port says.
pub fn tell<W: Write, E: fmt::Display, const N: usize>(
    serial: &mut W,
    event: &Event<'_, E, N>,
) -> Result<(), W::Error> {
    match event {
        Event::Idle | Event::Settling => Ok(()),
        Event::Camera {
            report,
            back: false,
        } => report::notice(serial, format_args!("camera: {report}")),
        Event::Camera { report, back: true } => {
            report::notice(serial, format_args!("camera is back: {report}"))
        }
        Event::Answer { ranking, times } => report::line(serial, ranking, times.total_ms),
        Event::Failed {
            error,
            attempt,
            gave_up: false,
        } => report::notice(
            serial,
            format_args!("attempt {attempt} of {ATTEMPTS}: {error}; trying again"),
        ),
        Event::Failed {
            error,
            attempt,
            gave_up: true,
        } => report::notice(
            serial,
            format_args!("attempt {attempt} of {ATTEMPTS}: {error}; no answer"),
        ),
    }
}

/// Logs what came of a step, in one record: an answer with the times of each stage, a failure with
/// its cause.
#[cfg(feature = "defmt")]
pub fn log<E: fmt::Display, const N: usize>(event: &Event<'_, E, N>) {
    match event {
        Event::Idle | Event::Settling => {}
        Event::Camera { report, .. } => {
            defmt::info!("camera: {}", defmt::Display2Format(report));
        }
        Event::Answer { ranking, times } => {
            let unknown = if ranking.is_unknown() {
                "unknown  "
            } else {
                ""
            };
            defmt::info!("{=str}{}{}", unknown, Labels(ranking), times);
        }
        Event::Failed {
            error,
            attempt,
            gave_up,
        } => {
            let follows = if *gave_up {
                "no answer"
            } else {
                "trying again"
            };
            defmt::warn!(
                "attempt {=u8} of {=u8}: {}; {=str}",
                attempt,
                ATTEMPTS,
                defmt::Display2Format(error),
                follows
            );
        }
    }
}

/// The labels of a ranking, each with two spaces behind it.
#[cfg(feature = "defmt")]
struct Labels<'r, 'm, const N: usize>(&'r Ranking<'m, N>);

#[cfg(feature = "defmt")]
impl<const N: usize> defmt::Format for Labels<'_, '_, N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for ranked in self.0.iter() {
            let (whole, tenths) = ranked.score.percent();
            let label = defmt::Display2Format(&Shown::name(ranked.label));
            defmt::write!(f, "{} {=u32}.{=u32}%  ", label, whole, tenths);
        }
    }
}
