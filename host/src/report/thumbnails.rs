//! Small pictures of photos, from the cache where they were made before.

use std::error::Error as StdError;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageBuffer, imageops};
use sha2::{Digest, Sha256};

use crate::dataset::decode::decode;
use crate::features::cache::{Cache, ExtractorKey};
use crate::features::extract::{self, Extractor};
use crate::features::progress::Progress;

/// Pixels of the longer side.
const SIDE: u32 = 144;
/// Bytes that a picture may take, with its length before it; shorter ones are filled up, since the
/// cache holds values of one length.
const BYTES: usize = 8 << 10;
/// Qualities of JPEG that are tried, until a picture fits.
const QUALITIES: [u8; 5] = [72, 55, 40, 25, 10];

struct Thumbnails;

impl Extractor for Thumbnails {
    fn key(&self) -> ExtractorKey {
        Sha256::digest(format!("thumbnail 2, {SIDE} pixels, {QUALITIES:?}")).into()
    }

    fn kind(&self) -> &'static str {
        "thumbnails"
    }

    fn value_len(&self) -> usize {
        BYTES
    }

    fn compute(&self, photo: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let photo = decode(photo)?;
        let (width, height) = (u32::from(photo.width), u32::from(photo.height));
        let image = ImageBuffer::<image::Rgb<u8>, _>::from_raw(width, height, &photo.data[..])
            .ok_or("has no pixels")?;
        let longer = width.max(height);
        let side = |side: u32| (side * SIDE.min(longer) / longer).max(1);
        let small = imageops::thumbnail(&image, side(width), side(height));
        for quality in QUALITIES {
            let mut bytes = vec![0; 2];
            JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&small)?;
            if bytes.len() <= BYTES {
                let length = (bytes.len() - 2) as u16;
                bytes[..2].copy_from_slice(&length.to_le_bytes());
                bytes.resize(BYTES, 0);
                return Ok(bytes);
            }
        }
        Err("is too rich in detail for a small picture".into())
    }
}

/// A `data:` address of a small JPEG of each photo; `None` for one that cannot be read.
pub(super) fn thumbnails(
    photos: &[PathBuf],
    cache: Option<&Cache>,
    progress: &dyn Progress,
) -> Vec<Option<String>> {
    let options = extract::Options::default();
    let found = extract::extract(photos, &Thumbnails, cache, &options, progress);
    let address = |bytes: &[u8]| {
        let (length, jpeg) = bytes.split_first_chunk::<2>()?;
        let jpeg = jpeg.get(..usize::from(u16::from_le_bytes(*length)))?;
        Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
    };
    let photos = found.photos.into_iter();
    photos.map(|photo| address(&photo.ok()?.values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use std::io::Cursor;

    fn png(image: &RgbImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn noise_and_thin_pictures_stay_small_and_keep_their_shape() {
        let mut state = 1u32;
        let noise = RgbImage::from_fn(400, 300, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Rgb(state.to_le_bytes()[..3].try_into().unwrap())
        });
        let thin = RgbImage::from_pixel(2000, 3, image::Rgb([9, 200, 30]));
        let tiny = RgbImage::from_pixel(2, 1, image::Rgb([200, 0, 0]));
        for (image, expected) in [(noise, (144, 108)), (thin, (144, 1)), (tiny, (2, 1))] {
            let bytes = Thumbnails.compute(&png(&image)).unwrap();
            assert_eq!(bytes.len(), BYTES);
            let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            let small = image::load_from_memory(&bytes[2..][..length]).unwrap();
            assert_eq!((small.width(), small.height()), expected);
        }
        assert!(Thumbnails.compute(b"no photo").is_err());
    }
}
