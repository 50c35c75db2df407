//! From rows of pixels to the rows of int8 numbers that a network reads.
use serde::{Deserialize, Serialize};
/// c
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crop {
    /// s
    Squash,
    /// c
    Centre,
}
/// f
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// l
    LegacyBilinear,
    /// a
    Area,
}
/// p
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelMap<'a> {
    /// c
    Centred,
    /// t
    Table(&'a [u8; 768]),
}
