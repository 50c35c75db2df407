//! What a person sees of a run: learning curves, event files for TensorBoard, a page to open in
//! a browser, and advice.

pub mod advice;
pub mod commands;
mod confusion_image;
pub mod curves;
mod date;
pub mod events;
pub mod headline;
pub mod html;
pub mod judge;
mod measure;
mod plane;
pub mod summaries;
mod thumbnails;
