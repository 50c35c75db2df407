//! An ArduCAM Mini or an Arducam Mega, whichever is on the wires: one program for both.
//!
//! Both keep what is written to a register for tests. A Mini gives it back at once, a Mega behind a byte that
//! is none of it: so the patterns of one driver's test do not come back from the other's camera.

use core::fmt;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, I2c};
use embedded_hal::spi;

use super::arducam::{ArduCam, ArduCamError};
use super::frame_bus::FrameBus;
use super::mega::{ArducamMega, MegaError, MegaSize, Progress};
use super::ov2640::{Mode, Resolution};
use super::state::Readiness;
use super::{Camera, FrameFormat};

/// Failure of an [`AnyArducam`]; `I` and `S` are the errors of its two buses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyArducamError<I, S> {
    /// Of an ArduCAM Mini, or of wires that no camera answers on.
    Mini(ArduCamError<I, S>),
    /// Of an Arducam Mega.
    Mega(MegaError<S>),
}

impl<I: fmt::Display, S: spi::Error> fmt::Display for AnyArducamError<I, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mini(error) => error.fmt(f),
            Self::Mega(error) => error.fmt(f),
        }
    }
}

impl<I: fmt::Debug + fmt::Display, S: spi::Error> core::error::Error for AnyArducamError<I, S> {}

/// The camera that was found last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mini,
    Mega,
}

/// The camera on its buses, for pictures of 320 x 240 pixels; a Mega leaves the sensor's unused.
///
/// Each time it is set up, the kind that was found last is looked for first, then the other.
#[derive(Debug)]
pub struct AnyArducam<I, S, D> {
    mini: ArduCam<I, S, D>,
    mega: Progress,
    kind: Kind,
}

type Error<I, S> = AnyArducamError<<I as i2c::ErrorType>::Error, <S as spi::ErrorType>::Error>;

impl<I: I2c, S: FrameBus, D: DelayNs> AnyArducam<I, S, D> {
    /// A camera with its sensor on `sensor`, if that has a bus of its own, and its frame buffer on `buffer`;
    /// nothing is sent yet.
    pub const fn new(sensor: I, buffer: S, delay: D) -> Self {
        AnyArducam {
            mini: ArduCam::new(sensor, buffer, delay, Mode::picture(Resolution::Qvga)),
            mega: Progress::new(MegaSize::Qvga),
            kind: Kind::Mini,
        }
    }

    /// Has the Mega's driver use the bus.
    fn with_mega<T>(&mut self, act: impl FnOnce(&mut ArducamMega<&mut S, &mut D>) -> T) -> T {
        let (buffer, delay) = self.mini.wires();
        let mut mega = ArducamMega::resume(buffer, delay, self.mega);
        let outcome = act(&mut mega);
        self.mega = mega.progress();
        outcome
    }

    /// One step of the kind's own.
    fn step(&mut self, kind: Kind) -> Result<Readiness, Error<I, S>> {
        match kind {
            Kind::Mini => self.mini.start().map_err(AnyArducamError::Mini),
            Kind::Mega => self
                .with_mega(|mega| mega.start())
                .map_err(AnyArducamError::Mega),
        }
    }

    const fn is_down(&self) -> bool {
        match self.kind {
            Kind::Mini => self.mini.is_down(),
            Kind::Mega => self.mega.is_down(),
        }
    }
}

/// Returns true if nobody answers as this kind of camera does.
const fn is_silence<I, S>(error: &AnyArducamError<I, S>) -> bool {
    matches!(
        error,
        AnyArducamError::Mini(ArduCamError::Link { .. })
            | AnyArducamError::Mega(MegaError::Link { .. })
    )
}

impl<I: I2c, S: FrameBus, D: DelayNs> Camera for AnyArducam<I, S, D> {
    type Error = Error<I, S>;

    fn format(&self) -> FrameFormat {
        match self.kind {
            Kind::Mini => self.mini.format(),
            Kind::Mega => MegaSize::Qvga.format(),
        }
    }

    fn start(&mut self) -> Result<Readiness, Self::Error> {
        let was_down = self.is_down();
        let outcome = self.step(self.kind);
        let Err(silence) = &outcome else {
            return outcome;
        };
        if !was_down || !is_silence(silence) {
            return outcome;
        }
        let other = match self.kind {
            Kind::Mini => Kind::Mega,
            Kind::Mega => Kind::Mini,
        };
        match self.step(other) {
            Err(error) if is_silence(&error) => outcome,
            found => {
                self.kind = other;
                found
            }
        }
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        while self.start()? != Readiness::Ready {}
        match self.kind {
            Kind::Mini => self.mini.capture().map_err(AnyArducamError::Mini),
            Kind::Mega => self
                .with_mega(|mega| mega.capture())
                .map_err(AnyArducamError::Mega),
        }
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        match self.kind {
            Kind::Mini => self.mini.read_row(row).map_err(AnyArducamError::Mini),
            Kind::Mega => self
                .with_mega(|mega| mega.read_row(row))
                .map_err(AnyArducamError::Mega),
        }
    }

    fn begin_next(&mut self) {
        match self.kind {
            Kind::Mini => self.mini.begin_next(),
            Kind::Mega => self.with_mega(|mega| mega.begin_next()),
        }
    }

    fn discard_next(&mut self) {
        match self.kind {
            Kind::Mini => self.mini.discard_next(),
            Kind::Mega => self.with_mega(|mega| mega.discard_next()),
        }
    }

    fn has_small(&self) -> bool {
        self.kind == Kind::Mini
    }

    fn enter_small(&mut self) -> Result<(), Self::Error> {
        match self.kind {
            Kind::Mini => self.mini.enter_small().map_err(AnyArducamError::Mini),
            Kind::Mega => Ok(()),
        }
    }

    fn leave_small(&mut self) {
        self.mini.leave_small();
    }
}
