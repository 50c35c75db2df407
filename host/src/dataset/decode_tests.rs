//! Photos of `tests/fixtures/photos` against Pillow's pixels; the README there says how they were
//! made.

use std::fs;

use proptest::prelude::*;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/photos");

/// Name, width, height, and the largest difference from Pillow, in any byte and on the mean.
///
/// All formats but JPEG are equal. JPEG without chroma subsampling differs by the rounding of the
/// inverse transform; with it, decoders also differ in chroma upsampling, which shows at edges.
const PHOTOS: &[(&str, u16, u16, u8, f64)] = &[
    ("baseline_444.jpg", 40, 28, 2, 0.05),
    ("baseline_422.jpg", 41, 29, 8, 0.5),
    ("baseline_420.jpg", 41, 29, 8, 0.5),
    ("even_420.jpg", 40, 28, 8, 0.5),
    ("progressive_420.jpg", 41, 29, 8, 0.5),
    ("progressive_444.jpg", 40, 28, 2, 0.05),
    ("restart_420.jpg", 41, 29, 8, 0.5),
    ("grey.jpg", 41, 29, 2, 0.05),
    ("progressive_restart.jpg", 41, 29, 8, 0.5),
    ("quarters.jpg", 41, 29, 3, 0.1),
    ("scans_420.jpg", 41, 29, 3, 0.3),
    ("scans_422_restart.jpg", 41, 29, 3, 0.3),
    ("scans_440_together.jpg", 41, 29, 3, 0.3),
    ("scans_reversed.jpg", 41, 29, 3, 0.3),
    ("coarse_luma.jpg", 41, 29, 3, 0.1),
    ("thirds.jpg", 41, 29, 3, 0.1),
    ("cmyk_adobe.jpg", 40, 28, 2, 0.05),
    ("ycck_adobe.jpg", 40, 28, 2, 0.05),
    ("rgb_adobe.jpg", 40, 28, 2, 0.05),
    ("orientation_1.jpg", 24, 16, 2, 0.05),
    ("orientation_2.jpg", 24, 16, 2, 0.05),
    ("orientation_3.jpg", 24, 16, 2, 0.05),
    ("orientation_4.jpg", 24, 16, 2, 0.05),
    ("orientation_5.jpg", 24, 16, 2, 0.05),
    ("orientation_6.jpg", 24, 16, 2, 0.05),
    ("orientation_7.jpg", 24, 16, 2, 0.05),
    ("orientation_8.jpg", 24, 16, 2, 0.05),
    ("rgb.png", 40, 28, 0, 0.0),
    ("rgba.png", 40, 28, 0, 0.0),
    ("palette.png", 40, 28, 0, 0.0),
    ("palette_transparent.png", 40, 28, 0, 0.0),
    ("bilevel.png", 40, 28, 0, 0.0),
    ("grey.png", 40, 28, 0, 0.0),
    ("grey_alpha.png", 40, 28, 0, 0.0),
    ("orientation_6.png", 24, 16, 0, 0.0),
    ("orientation_6_prefixed.png", 24, 16, 0, 0.0),
    ("orientation_6.webp", 24, 16, 0, 0.0),
    ("orientation_6_prefixed.webp", 24, 16, 0, 0.0),
    ("grey_16.png", 40, 28, 0, 0.0),
    ("rgb_16.png", 40, 28, 0, 0.0),
    ("lossless.webp", 40, 28, 0, 0.0),
    ("lossless_alpha.webp", 40, 28, 0, 0.0),
    ("rgb.bmp", 40, 28, 0, 0.0),
    ("palette.bmp", 40, 28, 0, 0.0),
    ("animated.gif", 40, 28, 0, 0.0),
    ("transparent.gif", 40, 28, 0, 0.0),
    ("png_named.jpg", 40, 28, 0, 0.0),
    ("lossy.webp", 40, 28, 0, 0.0),
    ("lossy_alpha.webp", 41, 29, 0, 0.0),
    ("animated.webp", 40, 28, 0, 0.0),
];

fn photo(name: &str) -> Vec<u8> {
    fs::read(format!("{FOLDER}/{name}")).unwrap()
}

#[test]
fn pixels_are_pillows() {
    let mut failures = Vec::new();
    for &(name, width, height, most, most_mean) in PHOTOS {
        let expected = photo(&format!("{name}.rgb"));
        let rgb = match decode(&photo(name)) {
            Ok(rgb) => rgb,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!((rgb.width, rgb.height), (width, height), "{name}");
        assert_eq!(rgb.data.len(), expected.len(), "{name}");
        let differences = rgb.data.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
        let largest = differences.clone().max().unwrap();
        let mean = differences.map(f64::from).sum::<f64>() / expected.len() as f64;
        if largest > most || mean > most_mean {
            failures.push(format!("{name}: differs by {largest}, mean {mean}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| f64::from(a.abs_diff(*b)))
        .sum();
    sum / a.len() as f64
}

#[test]
fn up_is_up_whatever_the_orientation() {
    let upright = photo("orientation_1.jpg.rgb");
    for orientation in 2..=8 {
        let rgb = decode(&photo(&format!("orientation_{orientation}.jpg"))).unwrap();
        let mean = mean_difference(&rgb.data, &upright);
        assert!(mean < 3.0, "{orientation}: {mean}");
    }
    for name in [
        "orientation_6.png",
        "orientation_6_prefixed.png",
        "orientation_6.webp",
        "orientation_6_prefixed.webp",
    ] {
        let rgb = decode(&photo(name)).unwrap();
        assert!(mean_difference(&rgb.data, &upright) < 3.0, "{name}");
    }
}

#[test]
fn half_a_photo_is_an_error() {
    // (The first frame of an animation may well be within its first half.)
    for (name, ..) in PHOTOS
        .iter()
        .filter(|(name, ..)| !name.starts_with("animated"))
    {
        let bytes = photo(name);
        let error = decode(&bytes[..bytes.len() / 2]).unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::Truncated(_) | DecodeError::Undecodable { .. }
            ),
            "{name}: {error}"
        );
    }
    let jpeg = photo("progressive_420.jpg");
    let error = decode(&jpeg[..jpeg.len() - 2]).unwrap_err();
    assert_eq!(error, DecodeError::Truncated(Format::Jpeg));
    let png = photo("rgb.png");
    let message = decode(&png[..png.len() / 2]).unwrap_err().to_string();
    assert!(message.starts_with("the PNG ends early"), "{message}");
}

/// Truncation is an error unless the picture is complete (only an end mark, or the later frames
/// of an animation are missing).
#[test]
fn a_cut_is_an_error_or_does_not_show() {
    for (name, ..) in PHOTOS {
        let bytes = photo(name);
        let whole = decode(&bytes).unwrap();
        for len in (0..bytes.len()).step_by(7) {
            if let Ok(rgb) = decode(&bytes[..len]) {
                assert_eq!(rgb, whole, "{name} cut to {len} of {} bytes", bytes.len());
            }
        }
    }
}

/// A JPEG with another marker in the middle of its data. Pillow's decoder rejects these as well,
/// except for restart markers and 01, after which it shows a damaged picture.
#[test]
fn markers_within_a_scan_are_an_error() {
    for name in ["baseline_420.jpg", "progressive_420.jpg", "scans_420.jpg"] {
        let whole = photo(name);
        let scan = whole.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
        let is_data = |at: &usize| !whole[at - 1..at + 4].contains(&0xff) && whole[at + 2] != 0;
        let middle = (scan + 18..).find(is_data).unwrap();
        for code in [
            0x01, 0x02, 0x9f, 0xbf, 0xc3, 0xc8, 0xd0, 0xd7, 0xd8, 0xdf, 0xf0, 0xfd,
        ] {
            let mut bytes = whole.clone();
            bytes[middle..middle + 2].copy_from_slice(&[0xff, code]);
            let error = decode(&bytes).unwrap_err();
            assert!(
                matches!(error, DecodeError::Undecodable { .. }),
                "{name}, {code:02x}: {error}"
            );
            let size = Size {
                width: 4,
                height: 4,
            };
            let reduced = decode_to_average(&bytes, &Limits::default(), size);
            assert_eq!(reduced, Err(error), "{name}, {code:02x}");
        }
    }
}

#[test]
fn what_is_not_read_is_refused_by_words() {
    let message = decode(&photo("arithmetic.jpg")).unwrap_err().to_string();
    assert!(
        message.contains("arithmetic coding, which is not supported"),
        "{message}"
    );
    assert!(message.contains("save it anew as JPEG or PNG"), "{message}");
}

/// Files from other projects, described in the README beside them.
#[test]
fn cases_of_others() {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into(),
        std::path::PathBuf::from,
    );
    let case = |name: &str| fs::read(root.join("cases").join(name)).ok();
    let names = [
        "jpeg/ok.jpg",
        "jpeg/non_interleaved_420_64x64.jpg",
        "jpeg/marker_ff9f.jpg",
        "webp/sharp_withmeta.webp",
        "png_iccp1G.png",
    ];
    let files: Vec<Vec<u8>> = names.iter().filter_map(|name| case(name)).collect();
    let [plain, scans, damaged, turned, profile] = &files[..] else {
        eprintln!(
            "SKIPPED: cases_of_others: no cases at {}; set POSY_DATA",
            root.display()
        );
        return;
    };
    assert!(decode(plain).is_ok());
    // Channel means as Pillow 13.0 decodes them (libjpeg-turbo).
    let rgb = decode(scans).unwrap();
    let mean = |channel: usize| {
        let values = rgb.data.iter().skip(channel).step_by(3);
        values.map(|&value| f64::from(value)).sum::<f64>() / (64.0 * 64.0)
    };
    for (channel, expected) in [127.742, 0.461, 127.703].into_iter().enumerate() {
        let mean = mean(channel);
        assert!(
            (mean - expected).abs() < 0.5,
            "{channel}: {mean}, not {expected}"
        );
    }
    let message = decode(damaged).unwrap_err().to_string();
    assert!(message.contains("marker ff9f means nothing"), "{message}");
    // Stored as 200 x 300, with orientation 6.
    let turned = decode(turned).unwrap();
    assert_eq!((turned.width, turned.height), (300, 200));
    // A gigabyte of colour profile, which is never unpacked.
    let profile = decode(profile).unwrap();
    assert_eq!((profile.width, profile.height), (64, 64));
}

#[test]
fn other_files_are_named() {
    let cases: [(&[u8], &str); 4] = [
        (b"", "the file is empty"),
        (b"Some notes about flowers.\n", "it is a text"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "HEIC photos are not supported; convert it to JPEG",
        ),
        (b"\xff\xd8\xff\xe0 this is no JPEG", "the JPEG ends early"),
    ];
    for (bytes, part) in cases {
        let message = decode(bytes).unwrap_err().to_string();
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

/// Headers that claim far more pixels than there are bytes.
#[test]
fn extents_are_checked_first() {
    let mut jpeg = photo("baseline_444.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let mut gif = photo("animated.gif");
    gif[6..10].fill(0xff);
    let mut bmp = photo("rgb.bmp");
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    for bytes in [&jpeg, &gif, &bmp] {
        assert_eq!(
            decode(bytes),
            Err(DecodeError::TooManyPixels {
                width: 65_535,
                height: 65_535,
                limit: 64 << 20
            })
        );
    }
    let (width, height) = (65_536, 1);
    let mut long = Cursor::new(Vec::new());
    image::GrayImage::new(width, height)
        .write_to(&mut long, image::ImageFormat::Png)
        .unwrap();
    assert_eq!(
        decode(long.get_ref()),
        Err(DecodeError::Side { width, height })
    );

    let limits = Limits {
        max_pixels: 40 * 28,
        max_bytes: 4000,
    };
    let png = photo("rgb.png");
    assert!(decode_within(&png, &limits).is_ok());
    let (max_pixels, max_bytes) = (40 * 28 - 1, png.len() as u64 - 1);
    let fewer_pixels = Limits {
        max_pixels,
        ..limits
    };
    let fewer_bytes = Limits {
        max_bytes,
        ..limits
    };
    let too_many = |limits| decode_within(&png, limits).unwrap_err();
    assert!(matches!(
        too_many(&fewer_pixels),
        DecodeError::TooManyPixels { .. }
    ));
    assert!(matches!(
        too_many(&fewer_bytes),
        DecodeError::TooManyBytes { .. }
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damage_is_survived(
        which in 0..PHOTOS.len(), places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = photo(PHOTOS[which].0);
        for (place, value) in places {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        let limits = Limits { max_pixels: 1 << 18, ..Limits::default() };
        if let Ok(rgb) = decode_within(&bytes, &limits) {
            prop_assert_eq!(rgb.data.len(), 3 * rgb.width as usize * rgb.height as usize);
        }
    }
}

/// Pixels that TensorFlow decoded with its fast, inexact transform: near, not equal.
#[test]
fn flower_photos_are_tensorflows_pixels() {
    let root = std::env::var_os("POSY_DATA").map_or_else(
        || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into(),
        std::path::PathBuf::from,
    );
    let photos = [
        (
            "daisy/100080576_f52e8ee070_n.jpg",
            "decoded_rgb_00_263x320.bin",
            320,
            263,
        ),
        (
            "dandelion/10043234166_e6dd915111_n.jpg",
            "decoded_rgb_08_213x320.bin",
            320,
            213,
        ),
        (
            "roses/10090824183_d02c613f10_m.jpg",
            "decoded_rgb_16_240x179.bin",
            179,
            240,
        ),
    ];
    for (photo, pixels, width, height) in photos {
        let (photo, pixels) = (
            root.join("flower_photos").join(photo),
            root.join("parity").join(pixels),
        );
        if !photo.is_file() || !pixels.is_file() {
            eprintln!(
                "SKIPPED: flower_photos_are_tensorflows_pixels: no data at {}; set POSY_DATA",
                root.display()
            );
            return;
        }
        let rgb = decode(&fs::read(photo).unwrap()).unwrap();
        assert_eq!((rgb.width, rgb.height), (width, height));
        let mean = mean_difference(&rgb.data, &fs::read(pixels).unwrap());
        println!("mean difference {mean}");
        assert!(mean < 1.5, "{mean}");
    }
}
