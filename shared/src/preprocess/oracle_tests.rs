//! Comparison with foreign oracles: TensorFlow for the bilinear filter, Pillow for area averaging.

extern crate std;

use std::{fs, path::PathBuf, vec::Vec};

use super::tests::{bilinear, prepare};
use super::{Crop, Filter, PixelMap, Size};

fn size(width: u16, height: u16) -> Size {
    Size { width, height }
}

/// Output bytes 0 to 255 of a picture `[H, W, 3]`.
fn resize(rgb: &[u8], source: Size, filter: Filter, output: Size) -> Vec<u8> {
    prepare(rgb, source, Crop::Squash, filter, output, PixelMap::Centred)
        .into_iter()
        .map(|value| (value as u8) ^ 0x80)
        .collect()
}

/// Files `parity/decoded_rgb_*.bin` are the pixels of three photos as TensorFlow decoded them;
/// `parity/inputs_u8_*.bin` are 40 photos as TensorFlow 1's `resize_bilinear` sampled them in f32, then
/// `floor(x + 0.5)`. At 128 the scale `in / 128` and all weights are exact in f32, so the bytes are
/// equal. At 192 and 224 f32 rounds, which changes 543 of 331,776 bytes and 449 of 451,584: all of them
/// lie on a half, or within 0.0001 of it.
#[test]
#[cfg_attr(miri, ignore = "whole pictures")]
fn bilinear_is_tensorflows() {
    let root = std::env::var_os("POSY_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into());
    let parity = root.join("parity");
    if !parity.is_dir() {
        std::eprintln!(
            "SKIPPED: bilinear_is_tensorflows: no data at {}; set POSY_DATA",
            parity.display()
        );
        return;
    }
    let photos = [(0, 263, 320), (8, 213, 320), (16, 240, 179)];
    for (side, most_differing) in [(128, 0), (192, 600), (224, 500)] {
        let inputs = fs::read(parity.join(std::format!("inputs_u8_{side}.bin"))).unwrap();
        let input_len = side as usize * side as usize * 3;
        let mut differing = 0;
        for (index, height, width) in photos {
            let name = std::format!("decoded_rgb_{index:02}_{height}x{width}.bin");
            let rgb = fs::read(parity.join(name)).unwrap();
            let (source, output) = (size(width, height), size(side, side));
            let got = resize(&rgb, source, Filter::LegacyBilinear, output);
            let expected = &inputs[index * input_len..][..input_len];
            assert_eq!(got.len(), expected.len());
            for (place, (&got, &expected)) in got.iter().zip(expected).enumerate() {
                if got == expected {
                    continue;
                }
                differing += 1;
                assert_eq!(got.abs_diff(expected), 1, "photo {index} at {side}");
                let pixel = (place / 3) as u16;
                let (x, y) = (pixel % side, pixel / side);
                let exact = bilinear(&rgb, source, output, x, y, place % 3);
                assert!((exact.fract() - 0.5).abs() < 1e-4, "{exact} at {x}, {y}");
            }
        }
        std::println!("{side}: {differing} of {} bytes differ", 3 * input_len);
        assert!(differing <= most_differing, "{side}: {differing} differ");
    }
}

/// The picture that the Pillow oracle was computed from.
fn scene(source: Size) -> Vec<u8> {
    let mut rgb = Vec::new();
    for y in 0..source.height as u32 {
        for x in 0..source.width as u32 {
            rgb.push((x * 7 + y * 13) as u8);
            rgb.push((x * x + 3 * y) as u8);
            let odd = (x / 3 + y / 5) % 2 == 1;
            rgb.push(if odd { 255 } else { (x * 5) as u8 });
        }
    }
    rgb
}

/// Exact box averages from Pillow 13.0: each channel in 32-bit float (`convert("F")`), enlarged by the
/// output's sides with `Image.NEAREST` so that every box has whole pixels, reduced with `Image.BOX`,
/// and rounded half up. (On the scene itself `BOX` would count each pixel whole or not at all, and in
/// bytes Pillow rounds between its two passes, which moves a value by up to 1.)
#[test]
#[cfg_attr(miri, ignore = "whole pictures")]
fn area_is_pillows_box() {
    let cases: [(Size, Size, &[u8]); 5] = [
        (size(1000, 700), size(7, 5), &BOX_1000X700_7X5),
        (size(29, 23), size(8, 6), &BOX_29X23_8X6),
        (size(24, 18), size(6, 3), &BOX_24X18_6X3),
        (size(5, 4), size(9, 7), &BOX_5X4_9X7),
        (size(13, 40), size(13, 11), &BOX_13X40_13X11),
    ];
    for (source, output, expected) in cases {
        let got = resize(&scene(source), source, Filter::Area, output);
        assert_eq!(got, expected, "{source:?} to {output:?}");
    }
}

const BOX_1000X700_7X5: [u8; 105] = [
    127, 126, 188, 127, 126, 189, 127, 127, 192, 127, 127, 193, 127, 126, 193, 127, 127, 188, 128,
    127, 190, 128, 127, 188, 127, 127, 189, 127, 127, 192, 127, 127, 193, 127, 127, 193, 127, 127,
    188, 127, 127, 190, 128, 130, 188, 128, 129, 189, 128, 129, 192, 127, 129, 193, 127, 129, 193,
    127, 129, 188, 127, 129, 190, 128, 126, 188, 128, 126, 189, 128, 126, 192, 128, 126, 193, 127,
    126, 193, 127, 126, 188, 127, 126, 190, 128, 127, 188, 128, 127, 189, 128, 127, 192, 128, 127,
    193, 128, 127, 193, 127, 127, 188, 127, 127, 190,
];

const BOX_29X23_8X6: [u8; 144] = [
    28, 7, 48, 53, 30, 178, 79, 79, 150, 104, 155, 123, 129, 105, 224, 155, 128, 128, 180, 114,
    204, 205, 133, 198, 78, 19, 163, 103, 41, 125, 128, 90, 148, 154, 166, 172, 179, 116, 145, 205,
    139, 195, 213, 125, 178, 137, 145, 193, 128, 30, 149, 153, 53, 132, 178, 102, 149, 204, 177,
    166, 216, 119, 155, 122, 151, 187, 42, 109, 181, 49, 156, 193, 177, 42, 62, 202, 64, 171, 216,
    113, 150, 139, 189, 129, 55, 69, 214, 48, 162, 137, 73, 78, 201, 98, 125, 197, 222, 53, 214,
    135, 76, 102, 43, 124, 148, 47, 200, 193, 72, 80, 110, 98, 174, 224, 123, 89, 166, 148, 109,
    190, 51, 65, 84, 46, 87, 161, 71, 136, 150, 97, 184, 138, 122, 64, 199, 147, 185, 149, 173,
    101, 196, 198, 120, 196,
];

const BOX_24X18_6X3: [u8; 54] = [
    43, 11, 89, 71, 39, 143, 99, 99, 185, 127, 191, 129, 155, 59, 173, 183, 151, 205, 121, 29, 153,
    149, 57, 140, 177, 117, 135, 205, 198, 178, 180, 77, 170, 112, 148, 170, 199, 47, 131, 184, 75,
    141, 127, 135, 151, 70, 163, 161, 55, 95, 171, 83, 123, 181,
];

const BOX_5X4_9X7: [u8; 189] = [
    0, 0, 0, 1, 0, 1, 7, 1, 5, 10, 2, 7, 14, 4, 10, 18, 7, 157, 21, 9, 255, 27, 15, 255, 28, 16,
    255, 3, 1, 0, 5, 1, 1, 10, 2, 5, 13, 3, 7, 17, 5, 10, 21, 8, 157, 24, 10, 255, 30, 15, 255, 31,
    17, 255, 13, 3, 0, 14, 3, 1, 20, 4, 5, 23, 5, 7, 27, 7, 10, 31, 10, 157, 34, 12, 255, 40, 18,
    255, 41, 19, 255, 20, 5, 0, 21, 5, 1, 27, 6, 5, 29, 7, 7, 34, 9, 10, 38, 12, 157, 41, 14, 255,
    46, 19, 255, 48, 21, 255, 26, 6, 0, 27, 6, 1, 33, 7, 5, 36, 8, 7, 40, 10, 10, 44, 13, 157, 47,
    15, 255, 53, 21, 255, 54, 22, 255, 36, 8, 0, 37, 8, 1, 43, 9, 5, 46, 10, 7, 50, 12, 10, 54, 15,
    157, 57, 17, 255, 62, 23, 255, 64, 24, 255, 39, 9, 0, 40, 9, 1, 46, 10, 5, 49, 11, 7, 53, 13,
    10, 57, 16, 157, 60, 18, 255, 66, 24, 255, 67, 25, 255,
];

const BOX_13X40_13X11: [u8; 429] = [
    18, 4, 0, 25, 5, 5, 32, 8, 10, 39, 13, 255, 46, 20, 255, 53, 29, 255, 60, 40, 30, 67, 53, 35,
    74, 68, 40, 81, 85, 255, 88, 104, 255, 95, 125, 255, 102, 148, 60, 64, 15, 159, 71, 16, 161,
    78, 19, 163, 85, 24, 105, 92, 31, 108, 99, 40, 111, 106, 51, 171, 113, 64, 173, 120, 79, 174,
    127, 96, 124, 134, 115, 127, 141, 136, 130, 148, 159, 182, 111, 26, 191, 118, 27, 193, 125, 30,
    194, 132, 35, 75, 139, 42, 79, 146, 51, 83, 153, 62, 199, 160, 75, 200, 167, 90, 201, 174, 107,
    98, 181, 126, 101, 188, 147, 105, 195, 170, 206, 159, 37, 0, 166, 38, 5, 173, 41, 10, 180, 46,
    255, 187, 53, 255, 194, 62, 255, 201, 73, 30, 208, 86, 35, 215, 101, 40, 222, 118, 255, 229,
    137, 255, 198, 158, 255, 205, 181, 60, 206, 48, 223, 213, 49, 224, 220, 52, 224, 227, 57, 45,
    221, 64, 49, 158, 73, 54, 165, 84, 227, 101, 97, 228, 108, 112, 228, 45, 129, 71, 52, 148, 76,
    27, 169, 80, 34, 192, 231, 126, 59, 128, 133, 60, 130, 69, 63, 133, 76, 68, 135, 26, 75, 138,
    33, 84, 140, 40, 95, 143, 47, 108, 145, 54, 123, 148, 61, 140, 150, 68, 159, 153, 75, 180, 155,
    82, 203, 158, 45, 69, 32, 52, 70, 36, 59, 73, 41, 66, 78, 225, 73, 85, 226, 80, 94, 226, 87,
    105, 58, 94, 118, 63, 101, 133, 67, 108, 150, 229, 115, 169, 229, 122, 190, 230, 129, 213, 84,
    92, 80, 255, 99, 81, 255, 106, 84, 255, 113, 89, 15, 120, 96, 20, 127, 105, 25, 134, 116, 255,
    141, 129, 255, 148, 144, 255, 155, 161, 45, 162, 180, 50, 169, 201, 55, 176, 224, 255, 140, 91,
    64, 147, 92, 68, 154, 95, 71, 161, 100, 195, 168, 107, 196, 175, 116, 198, 182, 127, 86, 189,
    140, 90, 196, 155, 94, 203, 172, 203, 210, 191, 204, 217, 212, 205, 224, 235, 109, 187, 102,
    96, 194, 103, 99, 201, 106, 102, 208, 111, 165, 215, 118, 167, 222, 127, 169, 229, 138, 114,
    210, 151, 118, 217, 166, 121, 154, 183, 176, 90, 202, 178, 97, 223, 180, 34, 246, 133, 233,
    113, 255, 170, 114, 255, 177, 117, 255, 114, 122, 15, 121, 129, 20, 57, 138, 25, 64, 149, 255,
    26, 162, 255, 33, 177, 255, 40, 194, 45, 47, 213, 50, 54, 234, 55, 61, 116, 255,
];
