//! Properties that hold for every picture.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;

/// Preprocesses a whole picture `[H, W, 3]`, skipping rows that are not needed; returns `[H', W', 3]`.
pub(super) fn prepare(
    rgb: &[u8],
    source: Size,
    crop: Crop,
    filter: Filter,
    output: Size,
    map: PixelMap,
) -> Vec<i8> {
    // Old contents of the scratch must not affect the result.
    let mut scratch = vec![0xdead_beef; scratch_len(output.width)];
    let mut preprocessor =
        Preprocessor::new(source, crop, filter, output, map, &mut scratch).unwrap();
    let mut input = Vec::new();
    for row in rgb.chunks(3 * source.width as usize) {
        if preprocessor.wants_row() {
            preprocessor
                .push_row(row, |row| input.extend_from_slice(row))
                .unwrap();
        } else {
            preprocessor.skip_row().unwrap();
        }
    }
    preprocessor.finish().unwrap();
    input
}

fn size(width: u16, height: u16) -> Size {
    Size { width, height }
}

fn crops() -> impl Strategy<Value = Crop> {
    prop_oneof![Just(Crop::Squash), Just(Crop::Centre)]
}

fn filters() -> impl Strategy<Value = Filter> {
    prop_oneof![Just(Filter::LegacyBilinear), Just(Filter::Area)]
}

/// The exact mean of a box in f64, computed directly.
fn box_mean(rgb: &[u8], source: Size, output: Size, x: u16, y: u16, channel: usize) -> f64 {
    let overlap = |pixel: usize, at: u16, source: u16, output: u16| {
        let scale = source as f64 / output as f64;
        let (start, end) = (at as f64 * scale, (at + 1) as f64 * scale);
        (end.min(pixel as f64 + 1.0) - start.max(pixel as f64)).max(0.0) / scale
    };
    let width = source.width as usize;
    let mut mean = 0.0;
    for sy in 0..source.height as usize {
        for sx in 0..width {
            mean += rgb[(sy * width + sx) * 3 + channel] as f64
                * overlap(sx, x, source.width, output.width)
                * overlap(sy, y, source.height, output.height);
        }
    }
    mean
}

/// Bilinear sampling of one value in f64, computed directly.
pub(super) fn bilinear(
    rgb: &[u8],
    source: Size,
    output: Size,
    x: u16,
    y: u16,
    channel: usize,
) -> f64 {
    let at = |i: u16, source: u16, output: u16| {
        let place = i as f64 * source as f64 / output as f64;
        let whole = (i as usize * source as usize) / output as usize;
        (
            whole,
            (whole + 1).min(source as usize - 1),
            place - whole as f64,
        )
    };
    let (x0, x1, fx) = at(x, source.width, output.width);
    let (y0, y1, fy) = at(y, source.height, output.height);
    let pixel = |x, y| rgb[(y * source.width as usize + x) * 3 + channel] as f64;
    let top = pixel(x0, y0) + (pixel(x1, y0) - pixel(x0, y0)) * fx;
    let bottom = pixel(x0, y1) + (pixel(x1, y1) - pixel(x0, y1)) * fx;
    top + (bottom - top) * fy
}

/// A width that no network has; smaller for Miri, which is about a thousand times slower.
const WIDE: u16 = if cfg!(miri) { 40 } else { 1500 };
/// Upper bound of the sides of pictures.
const SIDE: u16 = if cfg!(miri) { 10 } else { 40 };
/// Number of values in the largest such picture.
const NUMBERS: usize = 3 * SIDE as usize * SIDE as usize;

/// The widest source of [`nothing_panics`]; an interpreter takes minutes for rows of 200 KB.
const WIDEST: u16 = if cfg!(miri) { 2000 } else { u16::MAX };

proptest! {
    #[test]
    fn every_value_is_near_the_exact_one(
        sw in 1..SIDE, sh in 1..SIDE, ow in 1..24u16, oh in 1..24u16,
        filter in filters(), noise in prop::collection::vec(any::<u8>(), NUMBERS),
    ) {
        let (source, output) = (size(sw, sh), size(ow, oh));
        let rgb = &noise[..sw as usize * sh as usize * 3];
        let input = prepare(rgb, source, Crop::Squash, filter, output, PixelMap::Centred);
        prop_assert_eq!(input.len(), ow as usize * oh as usize * 3);
        let mut values = input.iter();
        for y in 0..oh {
            for x in 0..ow {
                for c in 0..3 {
                    let exact = match filter {
                        Filter::Area => box_mean(rgb, source, output, x, y, c),
                        Filter::LegacyBilinear => bilinear(rgb, source, output, x, y, c),
                    };
                    let got = *values.next().unwrap() as f64 + 128.0;
                    prop_assert!((got - exact).abs() <= 0.5 + 1.0 / 512.0 + 1e-9);
                }
            }
        }
    }

    #[test]
    fn equal_sizes_change_nothing(
        w in 1..SIDE, h in 1..SIDE, crop in crops(), filter in filters(),
        noise in prop::collection::vec(any::<u8>(), NUMBERS),
    ) {
        let rgb = &noise[..w as usize * h as usize * 3];
        let input = prepare(rgb, size(w, h), crop, filter, size(w, h), PixelMap::Centred);
        let expected: Vec<i8> = rgb.iter().map(|&v| (v as i16 - 128) as i8).collect();
        prop_assert_eq!(input, expected);
    }

    #[test]
    fn flat_stays_flat(
        sw in 1..WIDE, sh in 1..60u16, ow in 1..=WIDE / 5, oh in 1..SIDE,
        crop in crops(), filter in filters(), colour: [u8; 3],
    ) {
        let rgb = colour.repeat(sw as usize * sh as usize);
        let input = prepare(&rgb, size(sw, sh), crop, filter, size(ow, oh), PixelMap::Centred);
        let expected = colour.map(|v| (v as i16 - 128) as i8).repeat(ow as usize * oh as usize);
        prop_assert_eq!(input, expected);
    }

    #[test]
    fn skipping_and_pushing_unwanted_rows_are_the_same(
        sw in 1..SIDE, sh in 1..SIDE, ow in 1..24u16, oh in 1..24u16,
        crop in crops(), filter in filters(),
        noise in prop::collection::vec(any::<u8>(), NUMBERS),
    ) {
        let (source, output) = (size(sw, sh), size(ow, oh));
        let rgb = &noise[..sw as usize * sh as usize * 3];
        let skipped = prepare(rgb, source, crop, filter, output, PixelMap::Centred);
        let mut scratch = vec![1; scratch_len(ow) + 5];
        let mut pushed = Vec::new();
        let map = PixelMap::Centred;
        let mut p = Preprocessor::new(source, crop, filter, output, map, &mut scratch).unwrap();
        for row in rgb.chunks(3 * sw as usize) {
            p.push_row(row, |row| pushed.extend_from_slice(row)).unwrap();
        }
        p.finish().unwrap();
        prop_assert_eq!(skipped, pushed);
        prop_assert_eq!(&scratch[scratch_len(ow)..], [1; 5]);
    }

    #[test]
    fn nothing_panics(
        sw in 0..=WIDEST, sh: u16, ow in 0..1100u16, oh in 0..1100u16, crop in crops(), filter in filters(),
        words in 0..8000usize, rows in prop::collection::vec(0..3usize, 0..6),
    ) {
        let mut scratch = vec![0; words];
        let map = PixelMap::Centred;
        if let Ok(mut p) =
            Preprocessor::new(size(sw, sh), crop, filter, size(ow, oh), map, &mut scratch)
        {
            for row in rows {
                let len = [0, 3 * sw as usize, 3 * sw as usize + 1][row];
                let _ = p.push_row(&vec![255; len], |row| assert_eq!(row.len(), 3 * ow as usize));
            }
            let _ = p.finish();
        }
    }
}

/// The largest sums: white, 65,535 on a side.
#[test]
#[cfg_attr(miri, ignore = "millions of pixels")]
fn the_longest_sides_do_not_overflow() {
    let white = vec![255; 3 * u16::MAX as usize];
    for (source, output) in [
        (size(u16::MAX, 2), size(1, 1)),
        (size(u16::MAX, 2), size(1023, 1024)),
        (size(1, u16::MAX), size(1024, 1)),
        (size(1, u16::MAX), size(1, 1023)),
    ] {
        for filter in [Filter::LegacyBilinear, Filter::Area] {
            let rgb = &white[..3 * source.width as usize];
            let rgb = rgb.repeat(source.height as usize);
            let input = prepare(
                &rgb,
                source,
                Crop::Squash,
                filter,
                output,
                PixelMap::Centred,
            );
            assert_eq!(input, vec![127; input.len()]);
        }
    }
}

#[test]
fn tables_are_by_channel() {
    let mut table = [0; 768];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = (index % 256 / 2 + index / 256) as u8;
    }
    table[256 + 9] = 0x80;
    let rgb = [10, 9, 8, 255, 0, 255];
    let map = PixelMap::Table(&table);
    let input = prepare(
        &rgb,
        size(2, 1),
        Crop::Squash,
        Filter::Area,
        size(2, 1),
        map,
    );
    assert_eq!(input, [5, -128, 6, 127, 1, -127]);
}

/// Expected values: Pillow 11, `Image.convert("L")`.
#[test]
fn grey_is_luma_and_grey_pixels_keep_their_level() {
    let rgb = [
        255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 200, 90, 1, 2, 3, 255, 255, 255,
    ];
    let luma = [76, 150, 29, 131, 2, 255];
    let (whole, area) = (size(6, 1), Filter::Area);
    let input = prepare(&rgb, whole, Crop::Squash, area, whole, PixelMap::Grey);
    let centred: Vec<i8> = luma.iter().map(|level| (level - 128) as i8).collect();
    assert_eq!(input, centred);
    let table = core::array::from_fn(|level| (level / 2) as u8);
    let map = PixelMap::GreyTable(&table);
    let input = prepare(&rgb, whole, Crop::Squash, area, whole, map);
    let halved: Vec<i8> = luma.iter().map(|level| (level / 2) as i8).collect();
    assert_eq!(input, halved);
    for level in 0..=255 {
        assert_eq!(PixelMap::luma([level; 3]), level);
    }
}

#[test]
fn centre_crop_takes_the_middle() {
    let mut rgb = Vec::new();
    for y in 0..4u8 {
        for x in 0..7u8 {
            rgb.extend([10 * y + x; 3]);
        }
    }
    for filter in [Filter::LegacyBilinear, Filter::Area] {
        let map = PixelMap::Centred;
        let input = prepare(&rgb, size(7, 4), Crop::Centre, filter, size(4, 4), map);
        let left: Vec<i16> = input.iter().step_by(12).map(|&v| v as i16 + 128).collect();
        assert_eq!(left, [1, 11, 21, 31]);
    }
}

#[test]
fn few_rows_are_wanted_when_bilinear_shrinks() {
    let mut scratch = [0; scratch_len(8)];
    let mut p = Preprocessor::new(
        size(1, 100),
        Crop::Squash,
        Filter::LegacyBilinear,
        size(8, 8),
        PixelMap::Centred,
        &mut scratch,
    )
    .unwrap();
    let mut wanted = Vec::new();
    while p.next_row() < 100 {
        if p.wants_row() {
            wanted.push(p.next_row());
            p.push_row(&[1, 2, 3], |_| ()).unwrap();
        } else {
            p.skip_row().unwrap();
        }
    }
    assert_eq!(
        wanted,
        [0, 1, 12, 13, 25, 26, 37, 38, 50, 51, 62, 63, 75, 76, 87, 88]
    );
}

#[test]
fn errors_say_what_is_wrong() {
    let mut scratch = [0; scratch_len(4)];
    let mut new = |source, output, words| {
        let (crop, filter, map) = (Crop::Squash, Filter::Area, PixelMap::Centred);
        Preprocessor::new(source, crop, filter, output, map, &mut scratch[..words]).err()
    };
    let words = scratch_len(4);
    assert_eq!(new(size(9, 9), size(4, 4), words), None);
    assert_eq!(
        new(size(0, 9), size(4, 4), words),
        Some(PreprocessError::EmptySource(size(0, 9)))
    );
    assert_eq!(
        new(size(9, 9), size(4, 1025), words),
        Some(PreprocessError::OutputSize(size(4, 1025)))
    );
    for given in 0..words {
        assert_eq!(
            new(size(9, 9), size(4, 4), given),
            Some(PreprocessError::ScratchTooSmall {
                needed: words,
                given
            })
        );
    }

    let (crop, filter, map) = (Crop::Squash, Filter::Area, PixelMap::Centred);
    let mut p = Preprocessor::new(size(2, 2), crop, filter, size(4, 4), map, &mut scratch).unwrap();
    let short = PreprocessError::RowLength {
        row: 0,
        expected: 6,
        given: 5,
    };
    assert_eq!(p.push_row(&[0; 5], |_| ()), Err(short));
    assert_eq!(p.skip_row(), Err(PreprocessError::RowNeeded { row: 0 }));
    let mut rows = 0;
    p.push_row(&[0; 6], |_| rows += 1).unwrap();
    assert_eq!(rows, 2);
    p.push_row(&[0; 6], |_| rows += 1).unwrap();
    assert_eq!(rows, 4);
    let full = Err(PreprocessError::TooManyRows { height: 2 });
    assert_eq!(p.push_row(&[0; 6], |_| ()), full);
    assert_eq!(p.skip_row(), full);
    p.finish().unwrap();

    let p = Preprocessor::new(size(2, 2), crop, filter, size(4, 4), map, &mut scratch).unwrap();
    let missing = PreprocessError::MissingRows {
        height: 2,
        given: 0,
    };
    assert_eq!(p.finish(), Err(missing));
}
