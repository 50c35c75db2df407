//! Photo decoding: the bytes of a file to RGB pixels.
//!
//! The `image` crate decodes, with these rules around it:
//! - the first bytes tell the format; EXIF orientation is applied (JPEG, PNG, WebP), so that the
//!   photo is upright;
//! - grey becomes three equal channels; CMYK and YCCK become RGB (Adobe's inverted inks included);
//!   palettes are looked up; 16 bits become 8, rounded;
//! - transparency is composited onto white;
//! - the first frame of an animation is used, on its whole canvas;
//! - colour profiles and gamma are not applied: a network is trained and used on raw bytes;
//! - a photo that ends early or has unexpected markers is an error; an end marker that comes too
//!   early cannot be told from the true one (nor can libjpeg tell it);
//! - the size is checked before memory for pixels is taken, and all threads together stay within a
//!   bound (see `memory`);
//! - profiles, texts and other side data are removed before a decoder sees the file (see
//!   `side_data`), except for the orientation.

use std::io::Cursor;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, RgbImage};
use posy_nn::rgb::Rgb;
use posy_shared::preprocess::Size;
use thiserror::Error;

use super::memory::{PHOTOS, Share};
use super::rgb::to_rgb;
use super::side_data::{Picture, without_side_data};
use super::sniff::{Format, NotAPhoto, sniff};
use super::{exif, jpeg_pixels};

/// Limits on a photo's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of pixels, width times height.
    pub max_pixels: u64,
    /// Maximum size of the file, bytes.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 64 Mi pixels and 64 MiB: above the sizes of phones and cameras.
    fn default() -> Self {
        Limits {
            max_pixels: 64 << 20,
            max_bytes: 64 << 20,
        }
    }
}

/// Decoding errors, with advice. The caller adds the file's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not a photo in a supported format.
    #[error(transparent)]
    NotAPhoto(#[from] NotAPhoto),
    /// The file is too large.
    #[error("the file has {bytes} bytes, above the limit of {limit}; make it smaller")]
    TooManyBytes {
        /// Size of the file, bytes.
        bytes: u64,
        /// [`Limits::max_bytes`].
        limit: u64,
    },
    /// The picture is too large.
    #[error("{width} x {height} pixels are above the limit of {limit}; make it smaller")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// [`Limits::max_pixels`].
        limit: u64,
    },
    /// A side does not fit 16 bits, or is zero.
    #[error("{width} x {height} pixels: each side must be 1 to 65535; cut or shrink it")]
    Side {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The data ends early.
    #[error("the {0} ends early, part of the picture is missing; fetch or copy it again")]
    Truncated(Format),
    /// The data contradicts its format, or uses an unsupported feature.
    #[error(
        "the {format} cannot be decoded ({reason}); copy or fetch it again, or save it anew as JPEG or PNG \
         in an image editor"
    )]
    Undecodable {
        /// Detected format.
        format: Format,
        /// The decoder's message.
        reason: String,
    },
}

/// A decoded photo with its share of the memory for photos (see `memory`). Another thread may wait
/// for that memory, so drop it as soon as possible.
#[derive(Debug)]
pub struct Decoded {
    photo: Rgb,
    /// Returned to the budget on drop.
    _share: Share,
}

impl Deref for Decoded {
    type Target = Rgb;

    fn deref(&self) -> &Rgb {
        &self.photo
    }
}

impl PartialEq for Decoded {
    fn eq(&self, other: &Self) -> bool {
        self.photo == other.photo
    }
}

impl Decoded {
    /// Turns `pixels`, RGB as stored, upright; `None` if their number does not match `size`.
    pub(super) fn upright(
        (width, height): (u32, u32),
        pixels: Vec<u8>,
        orientation: Orientation,
        mut share: Share,
    ) -> Option<Self> {
        let mut image = DynamicImage::from(RgbImage::from_raw(width, height, pixels)?);
        image.apply_orientation(orientation);
        let photo = Rgb {
            width: u16::try_from(image.width()).ok()?,
            height: u16::try_from(image.height()).ok()?,
            data: image.into_rgb8().into_raw(),
        };
        share.shrink(photo.data.len() as u64);
        Some(Decoded {
            photo,
            _share: share,
        })
    }
}

/// Decodes a photo within the default [`Limits`].
///
/// # Errors
/// [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    decode_within(bytes, &Limits::default())
}

/// Decodes a photo.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    read(bytes, limits, None)
}

/// Decodes a photo that will be averaged over areas to `wanted`. A much larger JPEG is decoded at a
/// fraction of its size (see [`reduced`](super::jpeg_scaled)), any other photo as by [`decode_within`].
///
/// # Errors
/// [`DecodeError`].
pub fn decode_to_average(
    bytes: &[u8],
    limits: &Limits,
    wanted: Size,
) -> Result<Decoded, DecodeError> {
    read(bytes, limits, Some(wanted))
}

fn read(bytes: &[u8], limits: &Limits, wanted: Option<Size>) -> Result<Decoded, DecodeError> {
    let format = sniff(bytes)?;
    if bytes.len() as u64 > limits.max_bytes {
        return Err(DecodeError::TooManyBytes {
            bytes: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    let read = || match format {
        Format::Jpeg => jpeg_pixels::read(bytes, limits, wanted),
        _ => read_format(bytes, format, limits),
    };
    survive(read).unwrap_or_else(|| {
        Err(DecodeError::Undecodable {
            format,
            reason: "the decoder failed on it".into(),
        })
    })
}

/// Runs `work`; `None` if it panics. A decoder's bug on one odd file among thousands must not end
/// the run.
pub(super) fn survive<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn read_format(bytes: &[u8], format: Format, limits: &Limits) -> Result<Decoded, DecodeError> {
    let explain = |error| explain(format, error);
    let picture = without_side_data(bytes, format);
    if picture.cut_short {
        return Err(DecodeError::Truncated(format));
    }
    let source = Cursor::new(&*picture.bytes);
    // The decoders' own memory besides the pixels, at most, bytes per pixel.
    match format {
        Format::Png => {
            let mut memory = image::Limits::no_limits();
            // For rows and tables: the pixels are not in the decoder's memory.
            memory.max_alloc = Some(limits.max_bytes.saturating_add(1 << 20));
            let decoder = PngDecoder::with_limits(source, memory).map_err(explain)?;
            pixels(decoder, &picture, 0, format, limits)
        }
        Format::WebP => {
            let decoder = WebPDecoder::new(source).map_err(explain)?;
            pixels(decoder, &picture, 8, format, limits)
        }
        Format::Gif => {
            if let Some((width, height)) = picture.frame {
                check_extent(width.into(), height.into(), limits)?;
            }
            let decoder = GifDecoder::new(source).map_err(explain)?;
            pixels(decoder, &picture, 1, format, limits)
        }
        Format::Bmp => {
            let decoder = BmpDecoder::new(source).map_err(explain)?;
            pixels(decoder, &picture, 1, format, limits)
        }
        Format::Jpeg => jpeg_pixels::read(bytes, limits, None),
    }
}

/// Rejects pictures that are too large or have no pixels.
pub(super) fn check_extent(width: u32, height: u32, limits: &Limits) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(DecodeError::TooManyPixels {
            width,
            height,
            limit: limits.max_pixels,
        });
    }
    let sides = 1..=u32::from(u16::MAX);
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(DecodeError::Side { width, height });
    }
    Ok(())
}

fn pixels(
    mut decoder: impl ImageDecoder,
    picture: &Picture<'_>,
    own_bytes: u64,
    format: Format,
    limits: &Limits,
) -> Result<Decoded, DecodeError> {
    let size = decoder.dimensions();
    check_extent(size.0, size.1, limits)?;
    let explain = |error| explain(format, error);
    let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let frame = picture.frame.map_or(0, |(w, h)| area((w.into(), h.into())));
    let colour = decoder.color_type();
    let given = u64::from(colour.bytes_per_pixel());
    let orientation = picture.exif.and_then(exif::orientation);
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let mut memory = image::Limits::no_limits();
    memory.max_alloc = Some(area(size) * (given + own_bytes) + 4 * frame);
    decoder.set_limits(memory).map_err(explain)?;
    // The greatest of the needs while decoding, while converting to RGB, and while rotating.
    let most = (given + own_bytes).max(if given < 3 { given + 3 } else { 6 });
    let share = PHOTOS.take(area(size) * most + 4 * frame + picture.bytes.len() as u64);
    let length = usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX);
    let mut pixels = vec![0; length];
    decoder.read_image(&mut pixels).map_err(explain)?;
    to_rgb(pixels, colour)
        .and_then(|pixels| Decoded::upright(size, pixels, orientation, share))
        .ok_or_else(|| DecodeError::Undecodable {
            format,
            reason: format!("its pixel format ({colour:?}) is not supported"),
        })
}

/// Converts a decoder's error to a [`DecodeError`].
fn explain(format: Format, error: ImageError) -> DecodeError {
    let ended_early = match &error {
        ImageError::IoError(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
        // The decoders wrap errors of their readers.
        ImageError::Decoding(error) => {
            let mut cause = std::error::Error::source(error);
            let mut found = false;
            while let Some(error) = cause {
                found |= error
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|e| e.kind() == std::io::ErrorKind::UnexpectedEof);
                cause = error.source();
            }
            found
        }
        _ => false,
    };
    if ended_early {
        return DecodeError::Truncated(format);
    }
    DecodeError::Undecodable {
        format,
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
