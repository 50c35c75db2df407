//! From a photo file's bytes to its pixels.
//!
//! The `image` crate decodes; here are the rules around it:
//! - the bytes tell the format; EXIF orientation is applied (JPEG, PNG, WebP), so that up is up;
//! - grey becomes three equal channels; CMYK and YCCK become RGB (Adobe's inverted inks included);
//!   palettes are looked up; 16 bits become 8, rounded;
//! - what is transparent is laid on white;
//! - of an animation the first frame counts, on its whole canvas;
//! - colour profiles and gamma are not applied: a network is trained and used on plain bytes;
//! - a photo that ends early is an error, never half grey;
//! - extents are checked before memory for pixels is taken.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::{DynamicImage, ImageDecoder, ImageError};
use posy_shared::preprocess::Size;
use thiserror::Error;

use super::jpeg;
use super::reduced::decode_reduced;
use super::sniff::{Format, NotAPhoto, sniff};

/// A decoded photo, upright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels in a row, at least 1.
    pub width: u16,
    /// Rows, at least 1.
    pub height: u16,
    /// `[H, W, 3]`: red, green, blue, 0 to 255.
    pub data: Vec<u8>,
}

impl Rgb {
    /// Extent in pixels.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// Rows from top to bottom, `[W, 3]` each.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.data.chunks_exact(3 * usize::from(self.width).max(1))
    }
}

/// How large a photo may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width times height.
    pub max_pixels: u64,
    /// Bytes of the file.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 64 Mi pixels and 64 MiB: above what phones and cameras write.
    fn default() -> Self {
        Limits {
            max_pixels: 64 << 20,
            max_bytes: 64 << 20,
        }
    }
}

/// Why bytes cannot be read as a photo, and what to do about it. The caller adds which file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not a photo of a format that is read.
    #[error(transparent)]
    NotAPhoto(#[from] NotAPhoto),
    /// The file is too large.
    #[error("the file has {bytes} bytes, above the limit of {limit}; make it smaller")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// [`Limits::max_bytes`].
        limit: u64,
    },
    /// The picture is too large.
    #[error("{width} x {height} pixels are above the limit of {limit}; make it smaller")]
    TooManyPixels {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// [`Limits::max_pixels`].
        limit: u64,
    },
    /// A side does not fit 16 bits, or is zero.
    #[error("{width} x {height} pixels: each side must be 1 to 65535; cut or shrink it")]
    Side {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The data ends early.
    #[error("the {0} ends early, part of the picture is missing; fetch or copy it again")]
    Truncated(Format),
    /// The data contradicts its format, or uses a part of it that is not read.
    #[error(
        "the {format} cannot be decoded ({reason}); open and save it in an image editor, or take it out"
    )]
    Undecodable {
        /// What its first bytes say.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
}

/// Decodes a photo within the default [`Limits`].
///
/// # Errors
/// [`DecodeError`].
pub fn decode(bytes: &[u8]) -> Result<Rgb, DecodeError> {
    decode_within(bytes, &Limits::default())
}

/// Decodes a photo.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_within(bytes: &[u8], limits: &Limits) -> Result<Rgb, DecodeError> {
    let format = sniff(bytes)?;
    if bytes.len() as u64 > limits.max_bytes {
        return Err(DecodeError::TooManyBytes {
            bytes: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    if format == Format::Jpeg && !jpeg::is_complete(bytes) {
        return Err(DecodeError::Truncated(format));
    }
    // One odd file among thousands must not end the run, even where it meets a decoder's own fault.
    catch_unwind(AssertUnwindSafe(|| read(bytes, format, limits))).unwrap_or_else(|_| {
        Err(DecodeError::Undecodable {
            format,
            reason: "the decoder failed on it".into(),
        })
    })
}

/// Decodes a photo that will be averaged over areas to `wanted`: a JPEG that is much larger than
/// that is decoded at a fraction of its size (see [`reduced`](super::reduced)), all others as
/// [`decode_within`] does.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_to_average(bytes: &[u8], limits: &Limits, wanted: Size) -> Result<Rgb, DecodeError> {
    let whole = bytes.len() as u64 <= limits.max_bytes
        && sniff(bytes) == Ok(Format::Jpeg)
        && jpeg::is_complete(bytes);
    let reduce = || catch_unwind(AssertUnwindSafe(|| decode_reduced(bytes, limits, wanted)));
    match whole.then(reduce) {
        Some(Ok(Some(photo))) => Ok(photo),
        _ => decode_within(bytes, limits),
    }
}

fn read(bytes: &[u8], format: Format, limits: &Limits) -> Result<Rgb, DecodeError> {
    let explain = |error| explain(format, error);
    let source = Cursor::new(bytes);
    match format {
        Format::Jpeg => pixels(JpegDecoder::new(source).map_err(explain)?, format, limits),
        Format::Png => pixels(PngDecoder::new(source).map_err(explain)?, format, limits),
        Format::WebP => pixels(WebPDecoder::new(source).map_err(explain)?, format, limits),
        Format::Gif => pixels(GifDecoder::new(source).map_err(explain)?, format, limits),
        Format::Bmp => pixels(BmpDecoder::new(source).map_err(explain)?, format, limits),
    }
}

fn pixels(
    mut decoder: impl ImageDecoder,
    format: Format,
    limits: &Limits,
) -> Result<Rgb, DecodeError> {
    let (width, height) = decoder.dimensions();
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
    let explain = |error| explain(format, error);
    let mut memory = image::Limits::no_limits();
    // Eight bytes a pixel (RGBA of 16 bits) for the output and as much for the decoder's own use.
    memory.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    decoder.set_limits(memory).map_err(explain)?;
    // Orientation that cannot be read is no reason to refuse the picture.
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as u16, image.height() as u16);
    let data = if image.color().has_alpha() {
        on_white(&image.into_rgba8())
    } else {
        image.into_rgb8().into_raw()
    };
    Ok(Rgb {
        width,
        height,
        data,
    })
}

/// RGBA `[H, W, 4]` over white: `(alpha * value + (255 - alpha) * 255) / 255`, rounded.
fn on_white(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for &[red, green, blue, alpha] in rgba.as_chunks().0 {
        let lay = |value: u8| {
            let missing = u32::from(alpha) * u32::from(255 - value);
            255 - ((missing + 127) / 255) as u8
        };
        rgb.extend([red, green, blue].map(lay));
    }
    rgb
}

/// A decoder's error in the terms of [`DecodeError`].
fn explain(format: Format, error: ImageError) -> DecodeError {
    let ended_early = match &error {
        ImageError::IoError(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
        // The decoders wrap what their readers report.
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
