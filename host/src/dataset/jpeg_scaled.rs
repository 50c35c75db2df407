//! Scaled decoding of large JPEGs.
//!
//! A JPEG consists of blocks of 8 x 8 frequencies, of which the lower 4 x 4, 2 x 2 or 1 x 1 give
//! the picture at a half, a quarter or an eighth. A network's input is some hundred pixels a side,
//! so most of a photo of 12 megapixels would be averaged away. A photo that has [`MUCH_LARGER`]
//! times the wanted pixels or more on both sides, and is then averaged over areas, is decoded at a
//! fraction: the smallest that leaves [`STILL_LARGER`] times the wanted pixels and divides both
//! sides (else the last block's padding would become part of the picture and shift all of it). A
//! block's own reduction differs little from an exact mean: over the flower photos and synthetic
//! pictures, after area averaging to the wanted size, at most [`MEAN_DISTANCE`] of 255 steps of a
//! channel on average over a photo.
//!
//! Any other photo, and any photo that this decoder rejects, is decoded in full: but one of more pixels than
//! the limit (phones take 108 and 200 megapixels), at the largest fraction within it.

use image::ColorType;
use jpeg_decoder::{Decoder, PixelFormat};
use posy_shared::preprocess::Size;

use super::decode::Limits;
use super::jpeg::Jpeg;
use super::memory::{PHOTOS, Share};
use super::rgb::to_rgb;

/// Ratio to the wanted pixels, on each side, from which on a photo is much larger.
pub const MUCH_LARGER: u32 = 4;
/// Minimum ratio to the wanted pixels that a scaled photo keeps on each side.
pub const STILL_LARGER: u32 = 3;
/// Greatest mean difference from full decoding that the tests allow, in steps of 255.
pub const MEAN_DISTANCE: f64 = 1.25;

/// Times the limit on pixels that a photo decoded at a fraction may have.
const BEYOND: u64 = 4;

/// A photo at a fraction of its size, in its stored orientation.
pub(super) struct Reduced {
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    /// RGB.
    pub(super) pixels: Vec<u8>,
    /// Share of the memory budget.
    pub(super) share: Share,
}

/// Decodes the photo at a fraction of its size, if it is much larger than `wanted` (its size when
/// upright and when rotated) and the decoder can; `None` otherwise. `picture` holds the bytes of
/// `jpeg` without side data.
pub(super) fn decode_reduced(jpeg: &Jpeg<'_>, picture: &[u8], wanted: Size) -> Option<Reduced> {
    let (width, height) = jpeg.size();
    // A photo may lie on its side, so both sides are compared with the longer one.
    let side = u32::from(wanted.width.max(wanted.height));
    if width.min(height) < MUCH_LARGER * side || jpeg.channels() == 4 {
        return None;
    }
    let least = STILL_LARGER * side;
    let fraction = [8, 4, 2].into_iter().find(|&fraction| {
        let divides = width.is_multiple_of(fraction) && height.is_multiple_of(fraction);
        divides && width.min(height) / fraction >= least
    })?;
    decode_at(jpeg, picture, fraction)
}

/// The largest fraction at which a photo is within the limit, if it is above it and comes block by block.
pub(super) fn fraction_within(jpeg: &Jpeg<'_>, limits: &Limits) -> Option<u32> {
    let (width, height) = jpeg.size();
    let pixels = u64::from(width) * u64::from(height);
    let most = limits.max_pixels.saturating_mul(BEYOND);
    let is_within = pixels <= limits.max_pixels;
    if is_within || pixels > most || jpeg.is_buffered() || jpeg.channels() == 4 {
        return None;
    }
    [2, 4, 8]
        .into_iter()
        .find(|fraction| pixels / u64::from(fraction * fraction) <= limits.max_pixels)
}

/// Decodes the photo at one part in `fraction`, 2, 4 or 8, of its width and height; `None` if the decoder
/// cannot.
pub(super) fn decode_at(jpeg: &Jpeg<'_>, picture: &[u8], fraction: u32) -> Option<Reduced> {
    let (width, height) = jpeg.size();
    let samples = jpeg.samples();
    let small = samples / u64::from(fraction * fraction);
    // The pixels beside those of single channels, and whole blocks if they come in several scans.
    let blocks = if jpeg.is_buffered() { 2 * samples } else { 0 };
    let share = PHOTOS.take(9 * small + blocks + 2 * picture.len() as u64);
    let mut decoder = Decoder::new(picture);
    // The decoder takes the smallest fraction that keeps one side at the requested length.
    let ask = |length: u32| u16::try_from(length / fraction).ok();
    let (width, height) = decoder.scale(ask(width)?, ask(height)?).ok()?;
    let pixels = decoder.decode().ok()?;
    let pixels = match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => pixels,
        PixelFormat::L8 => to_rgb(pixels, ColorType::L8)?,
        _ => return None,
    };
    let size = (u32::from(width), u32::from(height));
    Some(Reduced {
        size,
        pixels,
        share,
    })
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{DynamicImage, RgbImage};
    use posy_shared::preprocess::{Crop, Filter, PixelMap, Preprocessor, scratch_len};

    use super::super::decode::{DecodeError, Decoded, decode, decode_to_average, decode_within};
    use super::*;
    use posy_nn::rgb::Rgb;

    /// The photo at a fraction of its size; `None` if it is decoded in full.
    fn reduced(jpeg: &[u8], wanted: Size) -> Option<Decoded> {
        let full = decode(jpeg).ok()?;
        let photo = decode_to_average(jpeg, &Limits::default(), wanted).ok()?;
        (photo.size() != full.size()).then_some(photo)
    }

    fn prepared(photo: &Rgb, side: u16) -> Vec<i8> {
        let output = Size {
            width: side,
            height: side,
        };
        let mut scratch = vec![0; scratch_len(side)];
        let (crop, filter, map) = (Crop::Squash, Filter::Area, PixelMap::Centred);
        let mut rows =
            Preprocessor::new(photo.size(), crop, filter, output, map, &mut scratch).unwrap();
        let mut input = Vec::new();
        for row in photo.rows() {
            rows.push_row(row, |row| input.extend_from_slice(row))
                .unwrap();
        }
        input
    }

    /// Mean and greatest difference of a photo decoded at a fraction, if it is.
    fn distance(jpeg: &[u8], side: u16) -> Option<(f64, u8)> {
        let wanted = Size {
            width: side,
            height: side,
        };
        let reduced = reduced(jpeg, wanted)?;
        let full = decode(jpeg).unwrap();
        assert!(reduced.width < full.width && reduced.height < full.height);
        assert!(reduced.width.min(reduced.height) >= 3 * side);
        let differences: Vec<u8> = prepared(&reduced, side)
            .iter()
            .zip(prepared(&full, side))
            .map(|(one, other)| one.abs_diff(other))
            .collect();
        let sum: u32 = differences.iter().map(|&d| u32::from(d)).sum();
        let greatest = differences.iter().copied().max()?;
        Some((f64::from(sum) / differences.len() as f64, greatest))
    }

    /// Synthetic pictures with edges, slopes and noise, larger than the flower photos.
    fn made_up(width: u32, height: u32, grey: bool) -> Vec<u8> {
        let mut state = 12_345u32;
        let image = RgbImage::from_fn(width, height, |x, y| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 27) as u8;
            let edge = if (x / 97 + y / 61).is_multiple_of(2) {
                90
            } else {
                10
            };
            image::Rgb([
                (x * 200 / width) as u8 + noise,
                edge + noise,
                (y * 255 / height) as u8,
            ])
        });
        let mut image = DynamicImage::from(image);
        if grey {
            image = DynamicImage::from(image.into_luma8());
        }
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 90)
            .encode_image(&image)
            .unwrap();
        jpeg
    }

    #[test]
    fn made_up_pictures_stay_within_the_distance() {
        for (width, height, grey) in [(2400, 1800, false), (1376, 2032, false), (1384, 1376, true)]
        {
            let jpeg = made_up(width, height, grey);
            for side in [96, 128, 224] {
                let Some((mean, greatest)) = distance(&jpeg, side) else {
                    panic!("{width} x {height} to {side}: decoded in full");
                };
                println!("{width} x {height} to {side}: mean {mean:.3}, greatest {greatest}");
                assert!(
                    mean <= MEAN_DISTANCE,
                    "{width} x {height} to {side}: {mean}"
                );
            }
        }
    }

    /// The flower photos are much larger than a small input.
    #[test]
    fn real_photos_stay_within_the_distance() {
        let data = std::env::var("POSY_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into());
        let Ok(labels) = std::fs::read_dir(format!("{data}/flower_photos")) else {
            eprintln!("SKIPPED: real_photos_stay_within_the_distance: no photos; set POSY_DATA");
            return;
        };
        let (mut photos, mut means, mut worst, mut widest) = (0, 0.0f64, 0.0f64, 0);
        for label in labels.filter_map(|entry| std::fs::read_dir(entry.ok()?.path()).ok()) {
            let mut paths: Vec<_> = label.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.sort();
            for path in paths.iter().step_by(5) {
                let jpeg = std::fs::read(path).unwrap();
                for side in [24, 48] {
                    if let Some((mean, greatest)) = distance(&jpeg, side) {
                        photos += 1;
                        worst = worst.max(mean);
                        widest = widest.max(greatest);
                        means += mean;
                    }
                }
            }
        }
        println!(
            "{photos} decodings: mean {:.3}, at most {worst:.3}, greatest difference {widest}",
            means / f64::from(photos)
        );
        assert!(photos > 100);
        assert!(worst <= MEAN_DISTANCE);
    }

    #[test]
    fn photos_above_the_limit_are_decoded_at_a_fraction_within_it() {
        let jpeg = made_up(1001, 800, false);
        let within = |max_pixels| {
            let limits = Limits {
                max_pixels,
                ..Limits::default()
            };
            decode_within(&jpeg, &limits).map(|photo| (photo.width, photo.height))
        };
        assert_eq!(within(800_800), Ok((1001, 800)));
        assert_eq!(within(800_799), Ok((501, 400)));
        assert_eq!(within(200_200), Ok((501, 400)));
        assert!(matches!(
            within(200_199),
            Err(DecodeError::TooManyPixels { .. })
        ));
    }

    #[test]
    fn photos_that_are_not_much_larger_are_decoded_in_full() {
        let jpeg = made_up(888, 904, false);
        let wanted = |side| Size {
            width: side,
            height: side,
        };
        assert!(reduced(&jpeg, wanted(224)).is_none());
        let eighth = reduced(&jpeg, wanted(32)).unwrap();
        assert_eq!((eighth.width, eighth.height), (111, 113));
        let odd = made_up(889, 904, false);
        assert!(reduced(&odd, wanted(32)).is_none());
    }
}
