//! What a person sees of a run: learning curves, event files for TensorBoard, a page to open in
//! a browser, and advice.

pub mod advice;
mod confusion_image;
pub mod curves;
pub mod events;
pub mod html;
pub mod judge;
mod measure;
pub mod share;
pub mod summaries;
mod thumbnails;
