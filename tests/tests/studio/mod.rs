//! `posy studio`: its door, its folder, its board, and its page in a real browser.

mod board;
mod door;
mod emulated;
mod page;

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageFormat, RgbImage};
use posy::demo::{Flower, draw};

/// A drawn scene of a flower, of this size.
fn scene(flower: Flower, number: u64, width: u32, height: u32) -> RgbImage {
    let drawing = draw(flower, 1, number);
    let drawing = RgbImage::from_raw(drawing.width(), drawing.height(), drawing.into_raw());
    resize(
        &drawing.expect("a drawing"),
        width,
        height,
        FilterType::Triangle,
    )
}

fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 92)
        .encode_image(picture)
        .unwrap();
    bytes
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}
