//! A camera whose time is measured.

use super::{Camera, FrameFormat, Readiness};

/// Milliseconds since some moment; wraps around after 49 days.
///
/// Any `FnMut() -> u32` is one.
pub trait Clock {
    /// The time now, in milliseconds.
    fn now_ms(&mut self) -> u32;
}

impl<F: FnMut() -> u32> Clock for F {
    fn now_ms(&mut self) -> u32 {
        self()
    }
}

/// A camera that adds up what its captures and its rows take.
///
/// A row takes less than the clock's millisecond; over many rows the roundings cancel, since
/// they fall evenly.
#[derive(Debug)]
pub struct TimedCamera<'c, C, T> {
    camera: &'c mut C,
    clock: &'c mut T,
    capture_ms: u32,
    rows_ms: u32,
}

impl<'c, C: Camera, T: Clock> TimedCamera<'c, C, T> {
    /// Measures `camera` with `clock`, from zero.
    pub fn new(camera: &'c mut C, clock: &'c mut T) -> Self {
        TimedCamera {
            camera,
            clock,
            capture_ms: 0,
            rows_ms: 0,
        }
    }

    /// Milliseconds in [`Camera::capture`].
    pub const fn capture_ms(&self) -> u32 {
        self.capture_ms
    }

    /// Milliseconds in [`Camera::read_row`].
    pub const fn rows_ms(&self) -> u32 {
        self.rows_ms
    }
}

impl<C: Camera, T: Clock> Camera for TimedCamera<'_, C, T> {
    type Error = C::Error;

    fn format(&self) -> FrameFormat {
        self.camera.format()
    }

    fn start(&mut self) -> Result<Readiness, Self::Error> {
        self.camera.start()
    }

    fn begin_next(&mut self) {
        self.camera.begin_next();
    }

    fn discard_next(&mut self) {
        self.camera.discard_next();
    }

    fn capture(&mut self) -> Result<(), Self::Error> {
        let start_ms = self.clock.now_ms();
        let done = self.camera.capture();
        let took_ms = self.clock.now_ms().wrapping_sub(start_ms);
        self.capture_ms = self.capture_ms.saturating_add(took_ms);
        done
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Self::Error> {
        let start_ms = self.clock.now_ms();
        let done = self.camera.read_row(row);
        let took_ms = self.clock.now_ms().wrapping_sub(start_ms);
        self.rows_ms = self.rows_ms.saturating_add(took_ms);
        done
    }
}
