//! The plain filters are the specification: the SIMD filters give the same bytes for every extent, crop
//! and filter.

extern crate std;

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::{Crop, Filter, PixelMap, Preprocessor, Size, scratch_len};

/// The input `[H', W', 3]` made from a picture, by the plain filters or the SIMD ones.
fn prepare(
    rgb: &[u8],
    [source, output]: [Size; 2],
    crop: Crop,
    filter: Filter,
    plain: bool,
) -> Vec<i8> {
    let mut scratch = vec![0xdead_beef; scratch_len(output.width)];
    let map = PixelMap::Centred;
    let mut rows = Preprocessor::new(source, crop, filter, output, map, &mut scratch).unwrap();
    if plain {
        rows.use_plain_filters();
    } else {
        assert!(rows.has_fast_filters());
    }
    let mut input = Vec::new();
    for row in rgb.chunks_exact(3 * usize::from(source.width)) {
        rows.push_row(row, |row| input.extend_from_slice(row))
            .unwrap();
    }
    rows.finish().unwrap();
    input
}

fn compare(sides: [u16; 4], seed: u32) {
    if super::Avx2::detect().is_none() {
        std::eprintln!("SKIPPED: preprocess::simd: this processor has no AVX2");
        return;
    }
    let [width, height, out_width, out_height] = sides;
    let size = |width, height| Size { width, height };
    let sizes = [size(width, height), size(out_width, out_height)];
    let mut state = seed | 1;
    let rgb: Vec<u8> = (0..3 * usize::from(width) * usize::from(height))
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            // Sums overflow first at extreme values.
            match state % 4 {
                0 => 255,
                _ => (state >> 8) as u8,
            }
        })
        .collect();
    for crop in [Crop::Squash, Crop::Centre] {
        for filter in [Filter::Area, Filter::LegacyBilinear] {
            let made = |plain| prepare(&rgb, sizes, crop, filter, plain);
            assert_eq!(made(false), made(true), "{sizes:?} {crop:?} {filter:?}");
        }
    }
}

#[test]
fn at_every_number_of_pixels_around_a_group() {
    for width in 1..=40 {
        for out in [1, 2, 3, 5, 8, 9, 16, 17] {
            compare([width, 3, out, 2], u32::from(width * 31 + out));
        }
    }
}

#[test]
fn at_the_extremes_of_sides() {
    for sides in [
        [65_535, 1, 1, 1],
        [65_535, 2, 1024, 1],
        [1, 1, 1024, 3],
        [1023, 2, 1024, 5],
        [1, 65_535, 1, 7],
        [4099, 3, 224, 2],
    ] {
        compare(sides, 77);
    }
}

#[test]
fn at_the_sizes_of_photos() {
    for (width, height) in [(320, 240), (240, 320), (500, 333), (231, 240), (160, 213)] {
        for out in [96, 128, 192, 224] {
            compare([width, height, out, out], u32::from(width));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn at_any_size(sides in [1..300u16, 1..60u16, 1..260u16, 1..60u16], seed in any::<u32>()) {
        compare(sides, seed);
    }
}
