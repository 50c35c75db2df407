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
