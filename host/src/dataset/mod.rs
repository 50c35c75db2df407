//! Data sets of labelled photos: finding, decoding, augmenting, splitting.
//!
//! [`scan`](scan::scan) finds the photos of a data set, one folder per label; [`load`](load::load)
//! decodes one to pixels; [`split`](split::split) assigns photos to training, validation and
//! testing. A file's format follows from its bytes ([`sniff`](sniff::sniff)), never from its name.
//! Nothing here prints: messages for the user are returned as values that implement `Display`.

pub mod augment;
pub mod decode;
pub mod duplicates;
mod exif;
pub mod files;
pub mod for_model;
pub mod headers;
mod jpeg;
mod jpeg_pixels;
pub mod jpeg_scaled;
pub mod load;
mod memory;
mod rgb;
pub mod scan;
mod scan_report;
mod side_data;
pub mod sniff;
pub mod split;
pub mod split_file;
mod split_kept;
pub mod video;

pub use decode::{DecodeError, Decoded, Limits, decode, decode_within};
pub use duplicates::{Duplicates, duplicates_across_labels};
pub use load::{PhotoError, load, read_bytes};
pub use posy_nn::rgb::Rgb;
pub use scan::{Dataset, Layout, Photo, ScanOptions, scan};
pub use scan_report::{NameFault, ScanError, ScanWarning, SkipReason, Skipped};
pub use sniff::{Format, NotAPhoto, sniff};
pub use split::{Bucket, Percentages, PercentagesError, Rule, Split, split};
pub use split_file::{LabelSplit, SplitFile, SplitFileError};
