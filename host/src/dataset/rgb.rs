//! Conversion of pixels to 8-bit RGB, in place where the source has more bytes.

use image::ColorType;

/// Converts to 8-bit RGB; `None` for a colour type that no decoder gives. `bytes` are as
/// [`image::ImageDecoder::read_image`] fills them: 16 bits in native byte order.
pub(super) fn to_rgb(bytes: Vec<u8>, colour: ColorType) -> Option<Vec<u8>> {
    let short = |high: u8, low: u8| eight(u16::from_ne_bytes([high, low]));
    Some(match colour {
        ColorType::Rgb8 => bytes,
        ColorType::L8 => each(bytes, |[grey]: [u8; 1]| [grey; 3]),
        ColorType::La8 => each(bytes, |[grey, alpha]: [u8; 2]| [on_white(grey, alpha); 3]),
        ColorType::Rgba8 => each(bytes, |[red, green, blue, alpha]: [u8; 4]| {
            [red, green, blue].map(|value| on_white(value, alpha))
        }),
        ColorType::L16 => each(bytes, |[a, b]: [u8; 2]| [short(a, b); 3]),
        ColorType::La16 => each(bytes, |[a, b, c, d]: [u8; 4]| {
            [on_white(short(a, b), short(c, d)); 3]
        }),
        ColorType::Rgb16 => each(bytes, |[a, b, c, d, e, f]: [u8; 6]| {
            [short(a, b), short(c, d), short(e, f)]
        }),
        ColorType::Rgba16 => each(bytes, |[a, b, c, d, e, f, g, h]: [u8; 8]| {
            let alpha = short(g, h);
            [short(a, b), short(c, d), short(e, f)].map(|value| on_white(value, alpha))
        }),
        _ => return None,
    })
}

/// `round(value / 257)`, which is 255 times the value of 65535.
const fn eight(value: u16) -> u8 {
    ((value as u32 + 128) / 257) as u8
}

/// A value composited onto white: `(alpha * value + (255 - alpha) * 255) / 255`, rounded.
const fn on_white(value: u8, alpha: u8) -> u8 {
    let missing = alpha as u32 * (255 - value) as u32;
    255 - ((missing + 127) / 255) as u8
}

fn each<const N: usize>(mut bytes: Vec<u8>, pixel: impl Fn([u8; N]) -> [u8; 3]) -> Vec<u8> {
    if N < 3 {
        let pixels = bytes.as_chunks().0;
        let mut rgb = Vec::with_capacity(3 * pixels.len());
        rgb.extend(pixels.iter().flat_map(|&from| pixel(from)));
        return rgb;
    }
    let count = bytes.len() / N;
    for index in 0..count {
        let Some(&from) = bytes[index * N..].first_chunk() else {
            break;
        };
        // The write position lies before the read position.
        bytes[3 * index..][..3].copy_from_slice(&pixel(from));
    }
    bytes.truncate(3 * count);
    bytes.shrink_to_fit();
    bytes
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgba};

    use super::*;

    /// Equal to the `image` crate's own conversions of single pixels.
    #[test]
    fn all_kinds_are_as_the_crates_own_conversion() {
        let image = image::ImageBuffer::from_fn(37, 5, |x, y| {
            Rgba([x * 1771, y * 13_107, (x * y) * 360, 65_535 - x * 100].map(|v| v as u16))
        });
        let deep = DynamicImage::from(image);
        for image in [
            deep.clone(),
            DynamicImage::from(deep.to_rgb16()),
            DynamicImage::from(deep.to_luma16()),
            DynamicImage::from(deep.to_luma8()),
            DynamicImage::from(deep.to_rgb8()),
        ] {
            let got = to_rgb(image.as_bytes().to_vec(), image.color()).unwrap();
            let expected = match image.color().has_alpha() {
                true => image
                    .to_rgba8()
                    .pixels()
                    .flat_map(|p| [p[0], p[1], p[2]].map(|v| on_white(v, p[3])))
                    .collect(),
                false => image.to_rgb8().into_raw(),
            };
            assert_eq!(got, expected, "{:?}", image.color());
        }
        for image in [
            DynamicImage::from(deep.to_rgba8()),
            DynamicImage::from(deep.to_luma_alpha8()),
            DynamicImage::from(deep.to_luma_alpha16()),
        ] {
            let got = to_rgb(image.as_bytes().to_vec(), image.color()).unwrap();
            let rgba = image.to_rgba8();
            let expected: Vec<u8> = rgba
                .pixels()
                .flat_map(|p| [p[0], p[1], p[2]].map(|v| on_white(v, p[3])))
                .collect();
            assert_eq!(got, expected, "{:?}", image.color());
        }
        assert_eq!(to_rgb(vec![0; 12], ColorType::Rgb32F), None);
        assert_eq!(
            (on_white(10, 255), on_white(10, 0), eight(65_535)),
            (10, 255, 255)
        );
    }
}
