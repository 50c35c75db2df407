//! What a photo file is beyond its pixels: sizes, colours, orientation, frames.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::{
    bmp::BmpDecoder, gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder,
};
use image::metadata::Orientation;
use image::{AnimationDecoder, ExtendedColorType, ImageDecoder, ImageResult};

use super::jpeg;
use super::sniff::{Format, sniff};

/// What the headers of a photo file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What its first bytes say.
    pub format: Format,
    /// Pixels in a row as stored, before it is turned upright.
    pub width: u32,
    /// Rows as stored.
    pub height: u32,
    /// Whether EXIF says that it is to be turned or mirrored.
    pub turned: bool,
    /// Whether its colours are inks (CMYK or YCCK).
    pub inks: bool,
    /// Whether it has more than 8 bits a channel.
    pub deep: bool,
    /// Whether it is stored without colour.
    pub grey: bool,
    /// Whether it has more frames than one.
    pub animated: bool,
}

/// Reads what the headers of a photo file say; none where they cannot be read, which decoding
/// says in detail.
pub fn facts(bytes: &[u8]) -> Option<Facts> {
    let format = sniff(bytes).ok()?;
    // Decoders fail on odd files in ways of their own; here that is no more than not knowing.
    catch_unwind(AssertUnwindSafe(|| read(bytes, format)))
        .ok()?
        .ok()
}

fn read(bytes: &[u8], format: Format) -> ImageResult<Facts> {
    let source = || Cursor::new(bytes);
    Ok(match format {
        Format::Jpeg => {
            let facts = header(JpegDecoder::new(source())?, format);
            let channels = jpeg::channels(bytes);
            Facts {
                inks: channels == Some(4),
                grey: channels == Some(1),
                ..facts
            }
        }
        Format::Png => {
            let decoder = PngDecoder::new(source())?;
            let animated = decoder.is_apng()?;
            Facts {
                animated,
                ..header(decoder, format)
            }
        }
        Format::WebP => {
            let decoder = WebPDecoder::new(source())?;
            let animated = decoder.has_animation();
            Facts {
                animated,
                ..header(decoder, format)
            }
        }
        Format::Gif => {
            let frames = GifDecoder::new(source())?.into_frames();
            let animated = frames.take(2).filter(Result::is_ok).count() == 2;
            Facts {
                animated,
                ..header(GifDecoder::new(source())?, format)
            }
        }
        Format::Bmp => header(BmpDecoder::new(source())?, format),
    })
}

fn header(mut decoder: impl ImageDecoder, format: Format) -> Facts {
    let (width, height) = decoder.dimensions();
    let colour = decoder.original_color_type();
    let orientation = decoder.orientation();
    Facts {
        format,
        width,
        height,
        turned: orientation.is_ok_and(|orientation| orientation != Orientation::NoTransforms),
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
        animated: false,
    }
}

/// The format that a file's name claims; none where its ending is of no format that is read.
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

/// Whether a name's ending is that of a picture format which is not read (`.heic`), so that the
/// name is wrong where the file is read all the same.
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

    /// Of files that Pillow wrote; each name says what it asked for.
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
