//! A data set with planted faults, made from real photos of flowers.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, imageops::FilterType};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Original and new labels of the photos: Chinese, Arabic, and two that coincide without their
/// non-ASCII letters.
pub const LABELS: [(&str, &str); 5] = [
    ("daisy", "雏菊"),
    ("dandelion", "dandelion"),
    ("roses", "fleur é"),
    ("sunflowers", "fleur è"),
    ("tulips", "توليب"),
];

/// Alteration of a copy under another label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Compressed again, strongly.
    Encoded,
    /// Lossless in another format, at four fifths of the size.
    Png,
    /// Half as wide and high.
    Halved,
    /// Enlarged by one half.
    Enlarged,
    /// Mirrored left to right.
    Mirrored,
    /// All of these.
    MirroredHalvedEncoded,
}

const ALTERATIONS: [Alteration; 6] = [
    Alteration::Encoded,
    Alteration::Png,
    Alteration::Halved,
    Alteration::Enlarged,
    Alteration::Mirrored,
    Alteration::MirroredHalvedEncoded,
];

/// The planted faults; paths are within the folder, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Planted {
    /// Photos moved to a wrong label.
    pub mislabelled: Vec<String>,
    /// Photos and their copies under other labels.
    pub duplicates: Vec<(String, String, Alteration)>,
    /// Unusable files, each with a part of the reason.
    pub unusable: Vec<(String, &'static str)>,
    /// Usable but odd files, each with the oddity's name in the report.
    pub odd: Vec<(String, &'static str)>,
}

/// Encodes as JPEG.
pub fn jpeg(image: &DynamicImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
    image.to_rgb8().write_with_encoder(encoder).unwrap();
    bytes
}

/// Encodes as PNG.
pub fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image
        .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
        .unwrap();
    bytes
}

/// Inserts an EXIF segment with an orientation after the start of a JPEG (CIPA DC-008, section
/// 4.6).
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &exif, &jpeg[2..]].concat()
}

/// A GIF of two frames, the picture and its mirror image.
fn moving(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    for frame in [image.to_rgba8(), image.fliph().to_rgba8()] {
        encoder.encode_frame(Frame::new(frame)).unwrap();
    }
    drop(encoder);
    bytes
}

fn alter(image: &DynamicImage, alteration: Alteration) -> (Vec<u8>, &'static str) {
    let scaled = |image: &DynamicImage, numerator: u32, denominator: u32| {
        let side = |side: u32| (side * numerator / denominator).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        image.resize_exact(width, height, FilterType::Lanczos3)
    };
    match alteration {
        Alteration::Encoded => (jpeg(image, 35), "jpg"),
        Alteration::Png => (png(&scaled(image, 4, 5)), "png"),
        Alteration::Halved => (jpeg(&scaled(image, 1, 2), 85), "jpg"),
        Alteration::Enlarged => (jpeg(&scaled(image, 3, 2), 85), "jpg"),
        Alteration::Mirrored => (jpeg(&image.fliph(), 90), "jpg"),
        Alteration::MirroredHalvedEncoded => (jpeg(&scaled(&image.fliph(), 1, 2), 50), "jpg"),
    }
}

/// Fills `folder` with the photos below `flowers`, under the names of [`LABELS`], with faults that
/// `seed` draws: 20 photos under a wrong label, and 10 altered copies under another.
pub fn plant(flowers: &Path, folder: &Path, fixtures: &Path, seed: u64) -> Planted {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut planted = Planted::default();
    let mut photos = Vec::new();
    for (index, (source, label)) in LABELS.iter().enumerate() {
        std::fs::create_dir_all(folder.join(label)).unwrap();
        let mut names: Vec<_> = flowers.join(source).read_dir().unwrap().collect();
        names.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
        photos.extend(
            names
                .into_iter()
                .map(|entry| (index, entry.unwrap().path())),
        );
    }
    let mut order: Vec<usize> = (0..photos.len()).collect();
    order.shuffle(&mut random);
    let (moved, rest) = order.split_at(20);
    let (copied, rest) = rest.split_at(10);
    let other = |random: &mut ChaCha8Rng, label: usize| {
        (label + random.random_range(1..LABELS.len())) % LABELS.len()
    };
    let name_in = |label: usize, name: &str| format!("{}/{name}", LABELS[label].1);
    for (index, (label, path)) in photos.iter().enumerate() {
        let name = path.file_name().unwrap().to_string_lossy();
        let label = match moved.contains(&index) {
            true => other(&mut random, *label),
            false => *label,
        };
        let relative = name_in(label, &name);
        let place = folder.join(&relative);
        if std::fs::hard_link(path, &place).is_err() {
            std::fs::copy(path, &place).unwrap();
        }
        if moved.contains(&index) {
            planted.mislabelled.push(relative);
        }
    }
    for (number, &index) in copied.iter().enumerate() {
        let (label, path) = &photos[index];
        let alteration = ALTERATIONS[number % ALTERATIONS.len()];
        let (bytes, ending) = alter(&image::open(path).unwrap(), alteration);
        let relative = name_in(
            other(&mut random, *label),
            &format!("IMG_{number:04}.{ending}"),
        );
        std::fs::write(folder.join(&relative), bytes).unwrap();
        let original = name_in(*label, &path.file_name().unwrap().to_string_lossy());
        planted.duplicates.push((original, relative, alteration));
    }

    // Each odd file is made from a photo that has no other fault.
    let mut unused = rest.iter().map(|&index| &photos[index]);
    let mut take = || {
        let (label, path) = unused.next().unwrap();
        let original = name_in(*label, &path.file_name().unwrap().to_string_lossy());
        std::fs::remove_file(folder.join(&original)).unwrap();
        (
            *label,
            image::open(path).unwrap(),
            std::fs::read(path).unwrap(),
        )
    };
    let put = |label: usize, name: &str, bytes: &[u8]| {
        let relative = name_in(label, name);
        std::fs::write(folder.join(&relative), bytes).unwrap();
        relative
    };
    let (label, image, _) = take();
    let turned = with_orientation(&jpeg(&image.rotate270(), 90), 6);
    planted
        .odd
        .push((put(label, "turned.jpg", &turned), "exif-rotated"));
    let (label, image, _) = take();
    planted
        .odd
        .push((put(label, "named.jpg", &png(&image)), "misnamed"));
    let (label, image, _) = take();
    let deep = DynamicImage::ImageRgb16(image.to_rgb16());
    planted
        .odd
        .push((put(label, "deep.png", &png(&deep)), "16-bit"));
    let (label, image, _) = take();
    let large = image.resize_exact(10_000, 6_000, FilterType::Triangle);
    planted
        .odd
        .push((put(label, "large.jpg", &jpeg(&large, 80)), "large"));
    let (label, image, _) = take();
    let grey = DynamicImage::ImageLuma8(image.to_luma8());
    planted
        .odd
        .push((put(label, "grey.jpg", &jpeg(&grey, 90)), "greyscale"));
    let (label, image, _) = take();
    planted
        .odd
        .push((put(label, "moving.gif", &moving(&image)), "animated"));
    // No encoder at hand writes CMYK, so this one is a drawing.
    let inks = std::fs::read(fixtures.join("cmyk_adobe.jpg")).unwrap();
    planted.odd.push((put(1, "inks.jpg", &inks), "cmyk"));
    let blank = DynamicImage::new_rgb8(320, 240);
    planted
        .odd
        .push((put(1, "blank.jpg", &jpeg(&blank, 90)), "blank"));

    let (label, _, bytes) = take();
    let cut = &bytes[..bytes.len() * 2 / 3];
    planted
        .unusable
        .push((put(label, "cut.jpg", cut), "ends early"));
    let (label, ..) = take();
    planted
        .unusable
        .push((put(label, "nothing.jpg", b""), "the file is empty"));
    planted.unusable.push((
        put(label, "hollow.jpg", &[0; 4096]),
        "no known image format",
    ));
    planted.unusable.push((
        put(label, "page.jpg", b"<!DOCTYPE html><html></html>"),
        "web page",
    ));
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";
    planted
        .unusable
        .push((put(label, "phone.jpg", heic), "HEIC"));
    planted
}

/// Score of `posy check --json` on a planted data set.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Photos under a wrong label among the first 30 suspects.
    pub suspected: usize,
    /// Photos reported as suspects.
    pub suspects: usize,
    /// Copies under another label that are reported with their photo.
    pub copies: usize,
    /// Copies that are not reported.
    pub missed: Vec<(String, Alteration)>,
    /// Reported pairs under two labels that were not planted.
    pub false_pairs: Vec<String>,
}

fn findings<'a>(report: &'a Value, kind: &str) -> Vec<&'a Value> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["kind"] == kind).collect()
}

/// True if a finding is about the file `name` within the folder.
fn is_about(finding: &Value, name: &str) -> bool {
    let mut paths = finding["paths"].as_array().unwrap().iter();
    paths.any(|path| Path::new(path.as_str().unwrap()).ends_with(name))
}

impl Planted {
    /// Compares a report with the planted faults.
    pub fn judge(&self, report: &Value) -> Judgement {
        let suspects = findings(report, "mislabelled");
        let suspected = suspects
            .iter()
            .take(30)
            .filter(|suspect| self.mislabelled.iter().any(|name| is_about(suspect, name)));
        let pairs = findings(report, "duplicate-across-labels");
        let is_named = |pair: &Value, (one, other, _): &(String, String, Alteration)| {
            is_about(pair, one) && is_about(pair, other)
        };
        let missed = self.duplicates.iter();
        let missed = missed.filter(|planted| !pairs.iter().any(|pair| is_named(pair, planted)));
        let missed: Vec<_> = missed
            .map(|planted| (planted.1.clone(), planted.2))
            .collect();
        let false_pairs = pairs.iter().filter(|pair| {
            !self
                .duplicates
                .iter()
                .any(|planted| is_named(pair, planted))
        });
        Judgement {
            suspected: suspected.count(),
            suspects: suspects.len(),
            copies: self.duplicates.len() - missed.len(),
            missed,
            false_pairs: false_pairs.map(|pair| pair["paths"].to_string()).collect(),
        }
    }

    /// Odd or unusable files that the report misses, each with the expected text.
    pub fn unnamed(&self, report: &Value) -> Vec<(String, &'static str)> {
        let unreadable = findings(report, "unreadable");
        let unusable = self.unusable.iter().filter(|(name, reason)| {
            let named = unreadable.iter().filter(|finding| is_about(finding, name));
            let mut details = named.map(|finding| finding["detail"].as_str().unwrap());
            !details.any(|detail| detail.contains(reason))
        });
        let odd = self.odd.iter().filter(|(name, kind)| {
            !findings(report, kind)
                .iter()
                .any(|finding| is_about(finding, name))
        });
        unusable.chain(odd).cloned().collect()
    }
}
