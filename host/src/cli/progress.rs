//! Progress of a download.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use posy_nn::download::ProgressSink;

use super::output::note;

/// A bar on stderr with bytes, rate and time left, cleared at the end. If stderr is not a terminal,
/// it prints one line with the name of the file.
pub(super) struct Bytes {
    bar: ProgressBar,
    what: String,
    announced: std::cell::Cell<bool>,
}

impl Bytes {
    pub(super) fn new(what: String) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bytes {
            bar: bar.with_message(what.clone()),
            what,
            announced: false.into(),
        }
    }
}

impl ProgressSink for Bytes {
    fn at(&self, have: u64, want: Option<u64>) {
        if !self.announced.replace(true) {
            note!("downloading {}", self.what);
        }
        if let Some(want) = want {
            self.bar.set_length(want);
        }
        self.bar.set_position(have);
    }

    fn waiting(&self) {
        note!(
            "{}: another process is downloading it; waiting for that",
            self.what
        );
    }
}

impl Drop for Bytes {
    /// Clears the bar, so that none is left behind an error message.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
