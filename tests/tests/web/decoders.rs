//! Pixels of a browser's decoders, beside those of posy's.

use std::fmt;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, ImageBuffer, ImageFormat, Rgba, RgbaImage};
use posy::dataset::decode::decode;
use posy_tests::browser::Browser;
use posy_tests::data;
use posy_tests::draw::extent;
use posy_tests::web::base64;
use serde_json::{Value, json};

use super::photos;

/// JavaScript function: width, height and RGBA of an encoded photo, as the page hands them to the engine.
const PIXELS: &str = r"(async data => {
  const bytes = Uint8Array.from(atob(data), character => character.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]), {colorSpaceConversion: 'none'});
  const {width, height} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  let text = '';
  for (let at = 0; at < rgba.length; at += 32768)
    text += String.fromCharCode(...rgba.subarray(at, at + 32768));
  return [width, height, btoa(text)];
})";

/// Differences of the browser's pixels from posy's, in steps of 255.
struct Difference {
    /// Share of the channels' values that differ, from 0 to 1.
    share: f64,
    mean: f64,
    most: u8,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.share;
        write!(
            f,
            "{percent:.1}% differ, by {:.3} on average, by {} at most",
            self.mean, self.most
        )
    }
}

fn difference(browser: &mut Browser, photo: &[u8]) -> Difference {
    let own = decode(photo).expect("a photo");
    let found = browser.evaluate(&format!("{PIXELS}({})", json!(base64(photo))));
    assert_eq!(found[0], Value::from(own.width));
    assert_eq!(found[1], Value::from(own.height));
    let rgba = STANDARD.decode(found[2].as_str().unwrap()).unwrap();
    let theirs = rgba.as_chunks::<4>().0.iter().flat_map(|pixel| &pixel[..3]);
    let steps: Vec<u8> = (own.data.iter().zip(theirs))
        .map(|(own, their)| own.abs_diff(*their))
        .collect();
    let count = steps.len() as f64;
    Difference {
        share: steps.iter().filter(|step| **step > 0).count() as f64 / count,
        mean: steps.iter().map(|step| f64::from(*step)).sum::<f64>() / count,
        most: steps.iter().copied().max().unwrap_or(0),
    }
}

#[test]
fn pixels_of_jpegs_are_near() {
    let test = "pixels_of_jpegs_are_near";
    let Some(flowers) = data(test, "flower_photos") else {
        return;
    };
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    for path in photos(test, &flowers, extent(5, 50)) {
        let found = difference(&mut browser, &std::fs::read(&path).expect("a photo"));
        println!("{}: {found}", path.display());
        assert!(found.mean < 0.5, "{}: {found}", path.display());
    }
}

/// A picture in colours of every strength, more or less transparent.
fn colourful() -> RgbaImage {
    ImageBuffer::from_fn(61, 47, |x, y| {
        let value = |a: u32, b: u32| ((a * x + b * y) % 256) as u8;
        Rgba([value(4, 1), value(3, 7), value(1, 5), value(5, 11)])
    })
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pixels_of_lossless_photos_are_equal_and_of_deep_and_transparent_ones_near() {
    let test = "pixels_of_lossless_photos_are_equal_and_of_deep_and_transparent_ones_near";
    let Some(mut browser) = Browser::start(test) else {
        return;
    };
    let transparent = DynamicImage::from(colourful());
    let opaque = DynamicImage::from(transparent.to_rgb8());
    let mut gif = Vec::new();
    GifEncoder::new(&mut gif)
        .encode_frame(image::Frame::new(opaque.to_rgba8()))
        .unwrap();
    for (name, photo) in [
        ("PNG", encoded(&opaque, ImageFormat::Png)),
        ("BMP", encoded(&opaque, ImageFormat::Bmp)),
        ("WebP", encoded(&opaque, ImageFormat::WebP)),
        ("GIF", gif),
    ] {
        let found = difference(&mut browser, &photo);
        assert_eq!(found.most, 0, "{name}: {found}");
    }
    let deep = DynamicImage::from(ImageBuffer::from_fn(61, 47, |x, y| {
        image::Rgb([x * 1009, y * 1381, x * 511 + y * 233].map(|value| (value % 65536) as u16))
    }));
    for (name, picture) in [("transparent", &transparent), ("deep", &deep)] {
        let found = difference(&mut browser, &encoded(picture, ImageFormat::Png));
        println!("{name}: {found}");
        assert!(found.most <= 2, "{name}: {found}");
    }
}
