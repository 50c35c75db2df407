//! From folders to labelled photos: finding, decoding, splitting.
//!
//! What a file is, is told by its bytes ([`sniff`]), never by its name.

pub mod decode;
mod jpeg;
pub mod load;
pub mod sniff;

pub use decode::{DecodeError, Limits, Rgb, decode};
pub use load::{PhotoError, load};
pub use sniff::{Format, NotAPhoto, sniff};
