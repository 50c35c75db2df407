//! What a person sees of a run: learning curves, event files for TensorBoard, a page to open in
//! a browser, and advice.

mod confusion_image;
pub mod curves;
pub mod events;
pub mod judge;
mod measure;
pub mod share;
pub mod summaries;
