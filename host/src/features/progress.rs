//! Showing how far extraction has come.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::extract::Source;

/// Is told what happens, from all threads.
pub trait Progress: Sync {
    /// Work on this many photos begins.
    fn begin(&self, photos: usize);
    /// One photo is done; `None` if it was left out for a fault.
    fn photo(&self, source: Option<Source>);
    /// All photos are done.
    fn end(&self);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize) {}
    fn photo(&self, _: Option<Source>) {}
    fn end(&self) {}
}

/// A bar on stderr with photos done, rate and time left, gone when the work is. Where stderr is
/// not a terminal, nothing is shown.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar that says what is being done, in a word or two: `features`.
    pub fn new(what: &'static str) -> Self {
        // Draws nothing unless stderr is a terminal.
        Self::on(what, ProgressDrawTarget::stderr())
    }

    fn on(what: &'static str, target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target).with_message(what);
        let template = "{msg} {wide_bar} {pos}/{len} photos, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Progress for Bar {
    fn begin(&self, photos: usize) {
        self.bar.set_length(photos as u64);
        self.bar.reset();
    }

    fn photo(&self, _: Option<Source>) {
        self.bar.inc(1);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    /// Leaves no half-drawn bar behind an error message.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
