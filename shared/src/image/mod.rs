//! Borrowed views of camera frames and photos.
//!
//! An [`ImageView`] is a frame in memory that its caller owns: it records the pixel format and gives
//! access row by row. [`unpack_row`] turns a row of any [`PixelFormat`] into RGB, which is what
//! [`crate::preprocess`] takes. A camera that delivers rows one at a time needs no view: it unpacks
//! each row as it comes.

mod format;
mod unpack;
mod view;

pub use format::PixelFormat;
pub use unpack::{UnpackError, unpack_row};
pub use view::{ImageError, ImageView, Rows};
