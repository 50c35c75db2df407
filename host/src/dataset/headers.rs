//! Headers of a photo file: format, size, colours, orientation, frames.

use std::io::Cursor;

use image::codecs::{bmp::BmpDecoder, gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ExtendedColorType, ImageDecoder};

use super::decode::survive;
use super::exif;
use super::jpeg::Jpeg;
use super::side_data::{Picture, without_side_data};
use super::sniff::{Format, sniff};

/// The headers of a photo file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Format, by the first bytes.
    pub format: Format,
    /// Width as stored, before orientation is applied, pixels.
    pub width: u32,
    /// Height as stored, pixels.
    pub height: u32,
    /// True if the EXIF orientation rotates or mirrors the photo.
    pub turned: bool,
    /// True if the colours are CMYK or YCCK.
    pub inks: bool,
    /// True above 8 bits per channel.
    pub deep: bool,
    /// True if it is stored as greyscale.
    pub grey: bool,
    /// True if it has more than one frame.
    pub animated: bool,
}

/// Reads the headers of a photo file; `None` if they cannot be read, for which decoding gives a
/// detailed error.
pub fn facts(bytes: &[u8]) -> Option<Facts> {
    let format = sniff(bytes).ok()?;
    // Decoders may panic on odd files; here that only means no headers.
    survive(|| read(bytes, format)).flatten()
}

fn read(bytes: &[u8], format: Format) -> Option<Facts> {
    if format == Format::Jpeg {
        let jpeg = Jpeg::read(bytes).ok()?;
        let (width, height) = jpeg.size();
        return Some(Facts {
            format,
            width,
            height,
            turned: is_turned(jpeg.exif),
            inks: jpeg.channels() == 4,
            deep: false,
            grey: jpeg.channels() == 1,
            animated: false,
        });
    }
    let picture = without_side_data(bytes, format);
    let source = Cursor::new(&*picture.bytes);
    let header = |decoder: &dyn Header| decoder.facts(format, &picture);
    Some(match format {
        Format::Png => header(&PngDecoder::new(source).ok()?),
        Format::WebP => header(&WebPDecoder::new(source).ok()?),
        Format::Gif => header(&GifDecoder::new(source).ok()?),
        Format::Bmp => header(&BmpDecoder::new(source).ok()?),
        Format::Jpeg => return None,
    })
}

fn is_turned(exif: Option<&[u8]>) -> bool {
    let orientation = exif.and_then(exif::orientation);
    orientation.is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

/// A decoder that has read its header.
trait Header {
    fn facts(&self, format: Format, picture: &Picture<'_>) -> Facts;
}

impl<D: ImageDecoder> Header for D {
    fn facts(&self, format: Format, picture: &Picture<'_>) -> Facts {
        let (width, height) = self.dimensions();
        let colour = self.original_color_type();
        Facts {
            format,
            width,
            height,
            turned: is_turned(picture.exif),
            inks: false,
            deep: colour.bits_per_pixel() > 8 * u16::from(colour.channel_count()),
            grey: matches!(
                colour,
                ExtendedColorType::L1
                    | ExtendedColorType::L2
                    | ExtendedColorType::L4
                    | ExtendedColorType::L8
                    | ExtendedColorType::L16
                    | ExtendedColorType::La8
                    | ExtendedColorType::La16
            ),
            animated: picture.animated,
        }
    }
}

/// The format that a file's name claims; `None` if its extension is of no supported format.
pub fn claimed_format(name: &str) -> Option<Format> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match &*ending.to_ascii_lowercase() {
        "jpg" | "jpeg" | "jpe" | "jfif" => Format::Jpeg,
        "png" | "apng" => Format::Png,
        "webp" => Format::WebP,
        "gif" => Format::Gif,
        "bmp" | "dib" => Format::Bmp,
        _ => return None,
    })
}

/// Returns true if a name's extension is of an unsupported picture format (`.heic`), so that the
/// name is wrong if the file can be read.
pub fn claims_other_picture(name: &str) -> bool {
    const OTHERS: [&str; 8] = ["heic", "heif", "avif", "tif", "tiff", "jxl", "jp2", "svg"];
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| OTHERS.contains(&&*ending.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Facts {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/photos");
        let bytes = std::fs::read(folder.join(name)).unwrap();
        facts(&bytes).unwrap_or_else(|| panic!("{name}"))
    }

    /// Files written by Pillow; each name says how.
    #[test]
    fn headers_are_told() {
        let plain = fixture("baseline_420.jpg");
        assert_eq!((plain.width, plain.height), (41, 29));
        assert!(!(plain.turned || plain.inks || plain.deep || plain.grey || plain.animated));
        for name in ["cmyk_adobe.jpg", "ycck_adobe.jpg"] {
            assert!(fixture(name).inks, "{name}");
        }
        for name in ["rgb_16.png", "grey_16.png"] {
            assert!(fixture(name).deep, "{name}");
        }
        for name in [
            "rgb.png",
            "rgba.png",
            "palette.png",
            "grey.png",
            "bilevel.png",
        ] {
            assert!(!fixture(name).deep, "{name}");
        }
        for name in ["grey.jpg", "grey.png", "grey_alpha.png", "grey_16.png"] {
            assert!(fixture(name).grey, "{name}");
        }
        for name in ["animated.gif", "animated.webp"] {
            assert!(fixture(name).animated, "{name}");
        }
        for name in ["transparent.gif", "lossy.webp", "rgb.png"] {
            assert!(!fixture(name).animated, "{name}");
        }
        for turn in 2..=8 {
            assert!(fixture(&format!("orientation_{turn}.jpg")).turned, "{turn}");
        }
        assert!(!fixture("orientation_1.jpg").turned);
        assert!(fixture("orientation_6.png").turned);
        assert_eq!(fixture("png_named.jpg").format, Format::Png);
    }

    #[test]
    fn names_claim_formats() {
        assert_eq!(claimed_format("a/b.JPEG"), Some(Format::Jpeg));
        assert_eq!(claimed_format("a.b/c"), None);
        assert!(claims_other_picture("IMG_1.HEIC"));
        assert!(!claims_other_picture("IMG_1.jpg"));
    }
}
