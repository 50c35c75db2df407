//! Progress display.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::extract::Source;

/// Receives progress, from all threads.
pub trait Progress: Sync {
    /// Announces the number of photos or steps in the work ahead.
    fn begin(&self, count: usize);
    /// Reports a finished photo; `None` if it was left out for a fault.
    fn photo(&self, source: Option<Source>);
    /// Reports further finished steps, where the unit of work is not a photo.
    fn advance(&self, steps: usize) {
        let _ = steps;
    }
    /// Reports the end of the work.
    fn end(&self);
}

/// A progress that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize) {}
    fn photo(&self, _: Option<Source>) {}
    fn end(&self) {}
}

/// A bar on stderr with photos done, rate and time left; it disappears at the end. Nothing is shown
/// where stderr is not a terminal.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar with a title of a word or two, such as `features`.
    pub fn new(what: &'static str) -> Self {
        Self::with_template(
            what,
            "{msg} {wide_bar} {pos}/{len} photos, {rate}, {eta} left",
        )
    }

    /// A bar of steps, shown in percent.
    pub fn of_steps(what: &'static str) -> Self {
        Self::with_template(what, "{msg} {wide_bar} {percent}%, {eta} left")
    }

    /// Prints without drawing over the bar.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    fn with_template(what: &'static str, template: &str) -> Self {
        // This target draws nothing unless stderr is a terminal.
        let target = ProgressDrawTarget::stderr();
        let bar = ProgressBar::with_draw_target(Some(0), target).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                // There is no place to report a failed drawing.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate));
        }
        Self { bar }
    }
}

impl Progress for Bar {
    fn begin(&self, count: usize) {
        self.bar.set_length(count as u64);
        self.bar.reset();
    }

    fn photo(&self, _: Option<Source>) {
        self.advance(1);
    }

    fn advance(&self, steps: usize) {
        self.bar.inc(steps as u64);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    /// Removes a half-drawn bar, for example before an error message.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
