//! Preprocessing: from rows of pixels to the rows of int8 values that a network reads.
//!
//! A [`Preprocessor`] takes the rows of a picture from top to bottom and emits the rows of the
//! network's input as soon as each is complete, so neither the picture nor the input is ever in RAM
//! whole. All arithmetic is in integers: from the same pixels a laptop and a board make the same input.
//!
//! ```
//! use posy_shared::preprocess::*;
//!
//! let source = Size { width: 4, height: 2 };
//! let output = Size { width: 2, height: 2 };
//! let mut scratch = [0; scratch_len(2)];
//! let mut preprocessor = Preprocessor::new(
//!     source, Crop::Centre, Filter::Area, output, PixelMap::Centred, &mut scratch,
//! )?;
//! let mut input = [0; 2 * 2 * 3];
//! let mut rows = input.chunks_exact_mut(2 * 3);
//! for row in [[0, 0, 0, 128, 128, 128, 255, 255, 255, 0, 0, 0]; 2] {
//!     preprocessor.push_row(&row, |row| {
//!         if let Some(place) = rows.next() {
//!             place.copy_from_slice(row);
//!         }
//!     })?;
//! }
//! preprocessor.finish()?;
//! assert_eq!(input[..6], [0, 0, 0, 127, 127, 127]);
//! # Ok::<(), PreprocessError>(())
//! ```

mod area;
mod bilinear;
mod error;
mod preprocessor;
mod reciprocal;
mod region;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod simd;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;

pub use error::PreprocessError;
pub use preprocessor::{MAX_OUTPUT_SIDE, Preprocessor, scratch_len};
pub use region::Region;

use serde::{Deserialize, Serialize};

/// Extent of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pixels in a row.
    pub width: u16,
    /// Number of rows.
    pub height: u16,
}

/// Part of the picture that the network sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crop {
    /// The whole picture, stretched to the network's aspect ratio, as TensorFlow's `retrain.py` does.
    Squash,
    /// The largest centred part that has the network's aspect ratio.
    Centre,
}

/// Resampling filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// TensorFlow 1's `resize_bilinear` with `align_corners=False` and no half-pixel centres: output
    /// pixel `i` lies at `i * in / out` of the source and interpolates the two nearest pixels. It reads
    /// few pixels, and aliases when a picture is shrunk by more than a half.
    LegacyBilinear,
    /// Mean of the source area that each output pixel covers, edges weighted by the fraction covered.
    /// It does not alias, and reads every pixel.
    Area,
}

/// Mapping from a pixel, channels 0 to 255, to the network's int8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelMap<'a> {
    /// The mapping `value - 128`.
    Centred,
    /// Three tables of 256 int8 (as their bytes), for red, green and blue: channel `c` of value `v`
    /// becomes entry `256 * c + v`.
    Table(&'a [u8; 768]),
    /// One grey channel: [luma](PixelMap::luma) minus 128.
    Grey,
    /// One grey channel: a table of 256 int8 (as their bytes) by luma.
    GreyTable(&'a [u8; 256]),
}

impl PixelMap<'_> {
    /// Channels of the network's input.
    pub const fn channels(self) -> u16 {
        match self {
            PixelMap::Centred | PixelMap::Table(_) => 3,
            PixelMap::Grey | PixelMap::GreyTable(_) => 1,
        }
    }

    /// Luma of a pixel, 0 to 255, by ITU-R BT.601: 0.299 red, 0.587 green, 0.114 blue, in 1/65536 and
    /// rounded to nearest as Pillow does. A grey pixel keeps its level.
    #[inline(always)]
    pub fn luma(rgb: [u8; 3]) -> u8 {
        let [red, green, blue] = rgb.map(u32::from);
        ((19_595 * red + 38_470 * green + 7_471 * blue + (1 << 15)) >> 16) as u8
    }

    /// Maps one pixel to one grey value.
    #[inline(always)]
    fn grey(self, rgb: [u8; 3]) -> i8 {
        let luma = Self::luma(rgb);
        match self {
            PixelMap::GreyTable(table) => table[usize::from(luma)] as i8,
            _ => (luma ^ 0x80) as i8,
        }
    }

    /// Maps one pixel to three values.
    #[inline(always)]
    fn map(self, rgb: [u8; 3]) -> [i8; 3] {
        match self {
            // Flipping the top bit is subtracting 128 modulo 256.
            PixelMap::Centred | PixelMap::Grey | PixelMap::GreyTable(_) => {
                rgb.map(|value| (value ^ 0x80) as i8)
            }
            PixelMap::Table(table) => {
                let [red, green, blue] = rgb.map(usize::from);
                [table[red], table[256 + green], table[512 + blue]].map(|byte| byte as i8)
            }
        }
    }
}
