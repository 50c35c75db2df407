//! Reports of a run for a person: learning curves, event files for TensorBoard, a page to open in
//! a browser, and advice.

pub mod advice;
pub mod commands;
mod confusion_image;
pub mod curves;
mod date;
pub mod events;
pub mod headline;
pub mod html;
mod measure;
mod plane;
pub mod summaries;
mod thumbnails;

/// The place where advice is read, which decides by what means it can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A terminal: options of `posy retrain` are named.
    Command,
    /// The page of `posy studio`, which has no options.
    Page,
}
