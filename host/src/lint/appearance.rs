//! A photo's appearance in few bytes: its file's headers and a small grey thumbnail.
//!
//! It goes through the feature cache like any other feature, so that a photo is decoded for it only
//! once.

use std::error::Error as StdError;

use posy_nn::rgb::Rgb;
use sha2::{Digest, Sha256};

use crate::dataset::headers::{Facts, facts};
use crate::dataset::{Format, decode};
use crate::features::cache::ExtractorKey;
use crate::features::extract::Extractor;

/// Width and height of the thumbnail, pixels.
pub const SIDE: usize = 32;
/// Pixels of the thumbnail.
pub const PIXELS: usize = SIDE * SIDE;

/// Version of the stored bytes. Raise it when the code below may give other bytes for the same
/// photo.
const VERSION: &str = "look 2";
/// Bytes before the thumbnail.
const HEADER: usize = 12;
/// Standard deviation of brightness below which a photo counts as blank, levels of 255.
pub const BLANK: f64 = 3.0;
/// Greatest spread between channels that JPEG compression may leave in a grey photo.
const GREY_SPREAD: u8 = 6;
/// Share of pixels that may exceed [`GREY_SPREAD`], in 1/1000.
const GREY_EXCEPTIONS: usize = 2;

/// Appearance of a photo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The file's headers.
    pub facts: Facts,
    /// True if the photo shows no colour, even where it is stored in RGB.
    pub colourless: bool,
    /// Thumbnail of the brightness, `[SIDE, SIDE]`: the photo squashed to a square by averaging
    /// areas.
    pub picture: [u8; PIXELS],
}

impl Look {
    /// Decodes and measures a photo.
    fn of(bytes: &[u8]) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let rgb = decode(bytes)?;
        let facts = facts(bytes).ok_or("its header cannot be read")?;
        Ok(Look {
            facts,
            colourless: is_colourless(&rgb),
            picture: shrink(&rgb),
        })
    }

    /// Returns true if the photo is nearly one brightness throughout.
    pub fn is_blank(&self) -> bool {
        let values = || self.picture.iter().map(|&value| f64::from(value));
        let mean = values().sum::<f64>() / PIXELS as f64;
        let squares: f64 = values().map(|value| (value - mean).powi(2)).sum();
        (squares / PIXELS as f64).sqrt() < BLANK
    }

    fn to_bytes(&self) -> Vec<u8> {
        let facts = &self.facts;
        let format = FORMATS.iter().position(|&format| format == facts.format);
        let flags = [
            facts.turned,
            facts.inks,
            facts.deep,
            facts.grey,
            facts.animated,
            self.colourless,
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0, |byte, &flag| byte << 1 | u8::from(flag));
        let mut bytes = Vec::with_capacity(HEADER + PIXELS);
        bytes.extend(facts.width.to_le_bytes());
        bytes.extend(facts.height.to_le_bytes());
        bytes.extend([format.unwrap_or(0) as u8, flags, 0, 0]);
        bytes.extend(self.picture);
        bytes
    }

    /// Decodes the output of [`LookExtractor`]; `None` for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, picture) = bytes.split_first_chunk::<HEADER>()?;
        let (width, rest) = header.split_first_chunk()?;
        let (height, rest) = rest.split_first_chunk()?;
        let &[format, flags, ..] = rest else {
            return None;
        };
        let flag = |bit: u8| flags >> bit & 1 == 1;
        Some(Look {
            facts: Facts {
                format: *FORMATS.get(usize::from(format))?,
                width: u32::from_le_bytes(*width),
                height: u32::from_le_bytes(*height),
                turned: flag(0),
                inks: flag(1),
                deep: flag(2),
                grey: flag(3),
                animated: flag(4),
            },
            colourless: flag(5),
            picture: picture.try_into().ok()?,
        })
    }
}

const FORMATS: [Format; 5] = [
    Format::Jpeg,
    Format::Png,
    Format::WebP,
    Format::Gif,
    Format::Bmp,
];

fn is_colourless(rgb: &Rgb) -> bool {
    let pixels = rgb.data.as_chunks::<3>().0;
    let coloured = pixels
        .iter()
        .filter(|pixel| {
            let [low, high] = [pixel.iter().min(), pixel.iter().max()].map(|v| *v.unwrap_or(&0));
            high - low > GREY_SPREAD
        })
        .count();
    coloured * 1000 <= pixels.len() * GREY_EXCEPTIONS
}

/// Brightness (BT.601's weights) averaged over the area of each thumbnail pixel. A smaller photo
/// repeats its pixels.
fn shrink(rgb: &Rgb) -> [u8; PIXELS] {
    let (width, height) = (usize::from(rgb.width), usize::from(rgb.height));
    let pixels = rgb.data.as_chunks::<3>().0;
    let luma = |&[r, g, b]: &[u8; 3]| 299 * u64::from(r) + 587 * u64::from(g) + 114 * u64::from(b);
    let span = |index: usize, len: usize| {
        let from = index * len / SIDE;
        from..((index + 1) * len / SIDE).max(from + 1)
    };
    std::array::from_fn(|at| {
        let (rows, columns) = (span(at / SIDE, height), span(at % SIDE, width));
        let count = (rows.len() * columns.len()) as u64;
        let sum: u64 = rows
            .flat_map(|row| &pixels[row * width..][columns.clone()])
            .map(luma)
            .sum();
        ((sum / count.max(1) + 500) / 1000) as u8
    })
}

/// Extracts [`Look`]s, for the feature cache.
pub struct LookExtractor;

impl Extractor for LookExtractor {
    fn key(&self) -> ExtractorKey {
        Sha256::digest(VERSION).into()
    }

    fn kind(&self) -> &'static str {
        "looks"
    }

    fn value_len(&self) -> usize {
        HEADER + PIXELS
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        Ok(Look::of(photo)?.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back() {
        let picture = std::array::from_fn(|at| (at * 7) as u8);
        for flags in 0..64u8 {
            let flag = |bit: u8| flags >> bit & 1 == 1;
            let look = Look {
                facts: Facts {
                    format: FORMATS[usize::from(flags % 5)],
                    width: 70_000,
                    height: u32::from(flags),
                    turned: flag(0),
                    inks: flag(1),
                    deep: flag(2),
                    grey: flag(3),
                    animated: flag(4),
                },
                colourless: flag(5),
                picture,
            };
            let bytes = look.to_bytes();
            assert_eq!(bytes.len(), LookExtractor.value_len());
            assert_eq!(Look::from_bytes(&bytes), Some(look));
            assert_eq!(Look::from_bytes(&bytes[1..]), None);
        }
    }

    #[test]
    fn shrinking_averages_and_small_photos_repeat() {
        let rgb = |width: u16, height: u16, f: &dyn Fn(usize, usize) -> u8| Rgb {
            width,
            height,
            data: (0..usize::from(height))
                .flat_map(|y| (0..usize::from(width)).map(move |x| (x, y)))
                .flat_map(|(x, y)| [f(x, y); 3])
                .collect(),
        };
        let stripes = shrink(&rgb(64, 64, &|x, _| if x % 2 == 0 { 10 } else { 20 }));
        assert_eq!(stripes, [15; PIXELS]);
        let two = shrink(&rgb(2, 1, &|x, _| if x == 0 { 0 } else { 255 }));
        assert_eq!(two[..SIDE / 2], [0; SIDE / 2]);
        assert_eq!(two[SIDE / 2..SIDE], [255; SIDE / 2]);
    }
}
