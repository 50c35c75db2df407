//! A camera that fails where a script says so; for tests of whatever uses a camera.

use core::fmt;

use super::{Camera, FrameFormat, Readiness};

/// Fault of one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault: the frame arrives.
    None,
    /// The capture itself fails.
    Capture,
    /// Reading this row, counted from 0, fails; the rows before it arrive.
    Row(u16),
    /// The frame ends after this many rows.
    Torn(u16),
}

/// Errors of a [`FaultyCamera`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultyError<E> {
    /// [`Fault::Capture`].
    Capture,
    /// [`Fault::Row`].
    Row {
        /// Index of the row, from 0.
        row: u16,
    },
    /// [`Fault::Torn`].
    Torn {
        /// Rows that a frame has.
        expected: u16,
        /// Rows that arrived.
        found: u16,
    },
    /// The camera inside failed by itself.
    Camera(E),
}

impl<E: fmt::Display> fmt::Display for FaultyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture => write!(f, "injected: the capture failed"),
            Self::Row { row } => write!(f, "injected: row {row} could not be read"),
            Self::Torn { expected, found } => {
                write!(
                    f,
                    "injected: the frame is torn, {found} of {expected} rows came"
                )
            }
            Self::Camera(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for FaultyError<E> {}

/// A camera around another: its captures suffer the faults of a script in turn, and none once
/// the script has ended.
#[derive(Clone, Debug)]
pub struct FaultyCamera<'s, C> {
    camera: C,
    script: &'s [Fault],
    current: Fault,
    next_row: u16,
}

impl<'s, C: Camera> FaultyCamera<'s, C> {
    /// `camera`, with one fault of `script` for each capture.
    pub const fn new(camera: C, script: &'s [Fault]) -> Self {
        FaultyCamera {
            camera,
            script,
            current: Fault::None,
            next_row: 0,
        }
    }
}

impl<C: Camera> Camera for FaultyCamera<'_, C> {
    type Error = FaultyError<C::Error>;

    fn format(&self) -> FrameFormat {
        self.camera.format()
    }

    fn start(&mut self) -> Result<Readiness, Self::Error> {
        self.camera.start().map_err(FaultyError::Camera)
    }

    fn begin_next(&mut self) {
        self.camera.begin_next();
    }

    fn discard_next(&mut self) {
        self.camera.discard_next();
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        self.current = Fault::None;
        if let Some((&fault, rest)) = self.script.split_first() {
            (self.current, self.script) = (fault, rest);
        }
        self.next_row = 0;
        if self.current == Fault::Capture {
            return Err(FaultyError::Capture);
        }
        self.camera.capture().map_err(FaultyError::Camera)
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.next_row;
        match self.current {
            Fault::Row(faulty) if faulty == at => return Err(FaultyError::Row { row: at }),
            Fault::Torn(rows) if at >= rows => {
                return Err(FaultyError::Torn {
                    expected: self.camera.format().height,
                    found: rows,
                });
            }
            _ => {}
        }
        self.camera.read_row(row).map_err(FaultyError::Camera)?;
        self.next_row = at.saturating_add(1);
        Ok(())
    }
}
