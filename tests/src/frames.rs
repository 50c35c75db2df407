//! Camera frames made from photos.

use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use posy_shared::image::{ImageView, PixelFormat, unpack_row};

/// Width of a frame, pixels: QVGA.
pub const WIDTH: u16 = 320;
/// Height of a frame, pixels.
pub const HEIGHT: u16 = 240;
/// The ArduCAM's pixel format.
pub const PIXELS: PixelFormat = PixelFormat::Rgb565Be;

/// Selects `count` photos below `flowers`, evenly over the labels and spread over each label's
/// photos.
pub fn photos(flowers: &Path, count: usize) -> Vec<PathBuf> {
    let files = |folder: &Path, is: fn(&Path) -> bool| {
        let entries = folder.read_dir();
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| is(path));
        paths.sort();
        paths
    };
    let labels: Vec<Vec<PathBuf>> = files(flowers, Path::is_dir)
        .iter()
        .map(|folder| files(folder, |path| path.extension() == Some("jpg".as_ref())))
        .collect();
    let each = count.div_ceil(labels.len());
    let photo = |index: usize| {
        let label = &labels[index % labels.len()];
        label[index / labels.len() * label.len() / each].clone()
    };
    (0..count).map(photo).collect()
}

/// Frame of a camera that sees the photo: `HEIGHT` rows of `WIDTH` RGB565 pixels, high byte first.
pub fn frame(photo: &Path) -> Vec<u8> {
    let seen = image::open(photo).unwrap_or_else(|error| panic!("{}: {error}", photo.display()));
    let seen = seen.resize_exact(WIDTH.into(), HEIGHT.into(), FilterType::Triangle);
    let pack = |pixel: &image::Rgb<u8>| {
        let [red, green, blue] = pixel.0.map(u16::from);
        ((red >> 3 << 11) | (green >> 2 << 5) | (blue >> 3)).to_be_bytes()
    };
    seen.to_rgb8().pixels().flat_map(pack).collect()
}

/// Width and height of a frame of so many bytes: of a whole one, or of half its width and height.
pub const fn extent(len: usize) -> (u16, u16) {
    match len == 2 * WIDTH as usize * HEIGHT as usize {
        true => (WIDTH, HEIGHT),
        false => (WIDTH / 2, HEIGHT / 2),
    }
}

/// A view of the frame.
pub fn view(frame: &[u8]) -> ImageView<'_> {
    let (width, height) = extent(frame.len());
    ImageView::packed(width, height, PIXELS, frame).expect("a whole frame")
}

/// Every other pixel of every other row of a frame, as a sensor gives it that is set to half its size.
pub fn halved(frame: &[u8]) -> Vec<u8> {
    let rows = view(frame).rows().step_by(2);
    let pixels = rows.flat_map(|row| row.chunks_exact(2).step_by(2));
    pixels.flatten().copied().collect()
}

/// Writes the frame's pixels to a lossless image file.
pub fn save(frame: &[u8], path: &Path) {
    let mut rgb = vec![0; 3 * usize::from(WIDTH) * usize::from(HEIGHT)];
    let rows = rgb.chunks_exact_mut(3 * usize::from(WIDTH));
    for (row, rgb) in view(frame).rows().zip(rows) {
        unpack_row(PIXELS, row, rgb).expect("a row of a frame");
    }
    image::save_buffer(
        path,
        &rgb,
        WIDTH.into(),
        HEIGHT.into(),
        image::ColorType::Rgb8,
    )
    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
