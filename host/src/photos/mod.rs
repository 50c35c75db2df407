//! From folders to labelled photos: finding, decoding, splitting.
//!
//! [`scan`](scan::scan) finds the photos of a data set, one folder a label; [`load`](load::load)
//! reads one into pixels; [`split`](split::split) says which photos train, validate and test.
//! What a file is, is told by its bytes ([`sniff`](sniff::sniff)), never by its name. Nothing here
//! prints: what a person should know comes back as values that display themselves.

pub mod augment;
pub mod decode;
pub mod duplicates;
mod exif;
pub mod facts;
pub mod files;
mod jpeg;
mod jpeg_pixels;
pub mod load;
mod memory;
pub mod reduced;
mod rgb;
pub mod scan;
mod scan_report;
mod side_data;
pub mod sniff;
pub mod split;
pub mod split_file;
mod split_kept;
pub mod video;

pub use decode::{DecodeError, Decoded, Limits, Rgb, decode, decode_within};
pub use duplicates::{Duplicates, duplicates_across_labels};
pub use load::{PhotoError, load, read_bytes};
pub use scan::{Dataset, Layout, Photo, ScanOptions, scan};
pub use scan_report::{NameFault, ScanError, ScanWarning, SkipReason, Skipped};
pub use sniff::{Format, NotAPhoto, sniff};
pub use split::{Bucket, Percentages, PercentagesError, Rule, Split, split};
pub use split_file::{LabelSplit, SplitFile, SplitFileError};
