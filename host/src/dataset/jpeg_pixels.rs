//! Decodes the pixels of a JPEG, with a decoder chosen by its layout.
//!
//! `zune-jpeg` is faster, and correct for nearly all files; in strict mode it rejects data that
//! contradicts its tables. `jpeg-decoder` is correct for all layouts, including scans of single
//! channels and chroma finer than luma, and can decode at a fraction of the size
//! ([`reduced`](super::jpeg_scaled)).

use image::metadata::Orientation;
use jpeg_decoder::PixelFormat;
use posy_shared::preprocess::Size;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{DecodeError, Decoded, Limits, check_extent, survive};
use super::exif;
use super::jpeg::{Fault, Jpeg};
use super::jpeg_scaled::{Reduced, decode_at, decode_reduced, fraction_within};
use super::memory::PHOTOS;
use super::rgb::to_rgb;
use super::sniff::Format;

/// Decodes a JPEG, at a fraction of its size if it is much larger than `wanted` or above the limit.
pub(super) fn read(
    bytes: &[u8],
    limits: &Limits,
    wanted: Option<Size>,
) -> Result<Decoded, DecodeError> {
    let jpeg = Jpeg::read(bytes).map_err(|fault| match fault {
        Fault::Truncated => DecodeError::Truncated(Format::Jpeg),
        Fault::Refused(reason) => undecodable(&reason),
    })?;
    let (width, height) = jpeg.size();
    let within = fraction_within(&jpeg, limits);
    if within.is_none() {
        check_extent(width, height, limits)?;
    }
    let picture = jpeg.picture();
    let orientation = jpeg.exif.and_then(exif::orientation);
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let reduced = wanted.and_then(|wanted| {
        let reduced = survive(|| decode_reduced(&jpeg, &picture, wanted));
        reduced.flatten()
    });
    let reduced = reduced.or_else(|| {
        let reduced = within.map(|fraction| survive(|| decode_at(&jpeg, &picture, fraction)));
        reduced.flatten().flatten()
    });
    if reduced.is_none() {
        check_extent(width, height, limits)?;
    }
    let (size, pixels, share) = match reduced {
        Some(Reduced {
            size,
            pixels,
            share,
        }) => (size, pixels, share),
        None => {
            let area = u64::from(width) * u64::from(height);
            // Whole blocks, two bytes a sample, beside the pixels; or pixels beside their rotated
            // copy.
            let blocks = match jpeg.is_buffered() || !jpeg.is_usual() {
                true => 3 * jpeg.samples(),
                false => 0,
            };
            let most = (3 * area + blocks).max(6 * area);
            let share = PHOTOS.take(most + 2 * picture.len() as u64);
            let pixels = match jpeg.is_usual() {
                true => usual(&jpeg, &picture)?,
                false => unusual(&picture)?,
            };
            ((width, height), pixels, share)
        }
    };
    let missing = || undecodable("its number of pixels is not what its header says");
    Decoded::upright(size, pixels, orientation, share).ok_or_else(missing)
}

fn undecodable(reason: &str) -> DecodeError {
    DecodeError::Undecodable {
        format: Format::Jpeg,
        reason: reason.to_owned(),
    }
}

/// Decodes to RGB by `zune-jpeg`.
fn usual(jpeg: &Jpeg<'_>, picture: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let colours = match jpeg.channels() {
        1 => ColorSpace::Luma,
        _ => ColorSpace::RGB,
    };
    // The size has been checked.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(colours);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(picture), options);
    let pixels = decoder.decode().map_err(|error| match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => {
            DecodeError::Truncated(Format::Jpeg)
        }
        DecodeErrors::FormatStatic(text) if text.starts_with("Premature") => {
            DecodeError::Truncated(Format::Jpeg)
        }
        DecodeErrors::HuffmanDecode(_) | DecodeErrors::MCUError(_) => {
            undecodable("it is damaged: its data contradicts its tables")
        }
        other => undecodable(&other.to_string()),
    })?;
    Ok(match colours {
        ColorSpace::Luma => to_rgb(pixels, image::ColorType::L8).unwrap_or_default(),
        _ => pixels,
    })
}

/// Decodes to RGB by `jpeg-decoder`.
fn unusual(picture: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = jpeg_decoder::Decoder::new(picture);
    let pixels = decoder.decode().map_err(|error| match error {
        jpeg_decoder::Error::Io(_) => DecodeError::Truncated(Format::Jpeg),
        other => undecodable(&other.to_string()),
    })?;
    match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::RGB24) => Ok(pixels),
        Some(PixelFormat::L8) => Ok(to_rgb(pixels, image::ColorType::L8).unwrap_or_default()),
        _ => Err(undecodable("its CMYK layout is not supported")),
    }
}
