//! Named MobileNets: their layers, without any file.
//!
//! | file | contents |
//! |---|---|
//! | `backbone.rs` | opens, downloads and quantises backbones |
//! | `embedded.rs` | the network that is part of posy |
//! | `layers.rs` | layers of an architecture |
//! | `name.rs` | names, and file names |
//! | `sources.rs` | download addresses and published accuracies |

pub mod backbone;
pub mod embedded;
mod layers;
mod name;
mod sources;
#[cfg(test)]
mod tests;

pub use name::UnknownArchitecture;
pub use sources::{Source, SourceError, is_pinned};

/// MobileNet family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    /// Applications": alternating depthwise and pointwise layers.
    V1,
    /// Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".
    V2,
}

/// A MobileNet up to its pooled features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architecture {
    /// Family.
    pub version: Version,
    /// Width multiplier in percent: 25, 50, 75, 100; for version 2 also 35, 130 and 140.
    pub width_percent: u16,
    /// Height and width of the input in pixels, a multiple of 32 from 96 to 224.
    pub size: u16,
}

const WIDTHS_V1: [u16; 4] = [25, 50, 75, 100];
const WIDTHS_V2: [u16; 7] = [25, 35, 50, 75, 100, 130, 140];
const SIZES_V1: [u16; 4] = [128, 160, 192, 224];
const SIZES_V2: [u16; 5] = [96, 128, 160, 192, 224];

impl Architecture {
    /// The 16 networks of version 1, by width, then by size.
    pub fn all_v1() -> Vec<Self> {
        Self::family(Version::V1)
    }

    /// All networks of a family, by width, then by size.
    pub fn family(version: Version) -> Vec<Self> {
        let (widths, sizes) = Self::choices(version);
        let with = |width: &u16| {
            let width_percent = *width;
            sizes.iter().map(move |size| Self {
                version,
                width_percent,
                size: *size,
            })
        };
        widths.iter().flat_map(with).collect()
    }

    /// Widths in percent and input sizes in pixels of a family.
    fn choices(version: Version) -> (&'static [u16], &'static [u16]) {
        match version {
            Version::V1 => (&WIDTHS_V1, &SIZES_V1),
            Version::V2 => (&WIDTHS_V2, &SIZES_V2),
        }
    }
}
