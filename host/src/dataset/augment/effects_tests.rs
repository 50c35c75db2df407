//! Expected bytes: Pillow 13.0.0 (`ImageOps.mirror`, `crop`, `reduce`), numpy 2.4.6 and scipy
//! 1.17.1 (`ndimage.convolve` with `mode="nearest"`), on a picture made by formula.

use posy_shared::image::{PixelFormat, unpack_row};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

/// 7 x 5 pixels by a formula that the oracle shares.
fn picture() -> Rgb {
    let value = |y: usize, x: usize, c: usize| (y * 53 + x * 31 + c * 97 + x * y * 7) as u8;
    let pixels = (0..5).flat_map(|y| (0..7).map(move |x| (y, x)));
    Rgb {
        width: 7,
        height: 5,
        data: pixels
            .flat_map(|(y, x)| (0..3).map(move |c| value(y, x, c)))
            .collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn whole(width: u16, height: u16) -> Window {
    Window {
        x: 0,
        y: 0,
        width,
        height,
    }
}

#[test]
fn a_window_is_cut_and_mirrored_as_pillow_does() {
    let window = Window {
        x: 2,
        y: 1,
        width: 3,
        height: 3,
    };
    let variant = cut(&picture(), window, true);
    assert_eq!((variant.width, variant.height), (3, 3));
    assert_eq!(
        hex(&variant.data),
        "cd2e8fa7086981e2431e7fe0f152b3c425866fd0313b9cfd0768c9"
    );
    assert_eq!(cut(&picture(), whole(7, 5), false), picture());
    let mirrored = cut(&picture(), whole(7, 5), true);
    assert_eq!(cut(&mirrored, whole(7, 5), true), picture());
}

#[test]
fn blur_is_scipys_convolution() {
    let blurred = blur(&picture()).data;
    assert_eq!(
        hex(&blurred[..42]),
        "1576c72e8f904fa04170a13290b152a1a2739a5b8c3fa0a15bac6d8192539768699d6e7f938485708192"
    );
    assert_eq!(
        hex(&blurred[84..]),
        "a53697606192499a6b73a465ac6d7eb556a78071d2"
    );
}

#[test]
fn shrinking_is_pillows_reduce_or_numpys_mean() {
    let reduced = |width, height, side| {
        let part = cut(&picture(), whole(width, height), false);
        shrink(&part, side).map(|photo| hex(&photo.data))
    };
    assert_eq!(
        reduced(6, 4, 3).as_deref(),
        Some("2c8dae719233b697789d7e5f7e5fc05f8061")
    );
    // By numpy, rounded to nearest: Pillow's ninths round 159.6 down.
    assert_eq!(reduced(6, 3, 2).as_deref(), Some("5ba072948373"));
    // Pixels that do not fill a block are dropped; a photo that is small enough stays.
    let odd = shrink(&picture(), 4).unwrap();
    assert_eq!((odd.width, odd.height), (3, 2));
    assert_eq!(shrink(&picture(), 7), None);
    // Nothing would remain of the single row.
    assert_eq!(reduced(7, 1, 3), None);
}

#[test]
fn multiplying_is_numpys() {
    let mut photo = picture();
    multiply(&mut photo, [1.1, 0.93, 0.5]);
    assert_eq!(
        hex(&photo.data[..42]),
        "005a6122777144940066b11088ce1fabea2fcd193e3a8c7c64af0f8ed222b80735e22b48ff4e5b1c716e"
    );
}

/// The remaining bits are those from which the board's own reader makes the same pixels again.
#[test]
fn rgb565_is_what_the_board_reads() {
    let mut photo = picture();
    rgb565(&mut photo);
    let packed: Vec<u8> = picture()
        .data
        .chunks_exact(3)
        .flat_map(|p| {
            let [r, g, b] = [p[0], p[1], p[2]].map(u16::from);
            (r / 8 * 2048 + g / 4 * 32 + b / 8).to_be_bytes()
        })
        .collect();
    let mut row = [0; 21];
    for (packed, expected) in packed.chunks_exact(14).zip(photo.rows()) {
        unpack_row(PixelFormat::Rgb565Be, packed, &mut row).unwrap();
        assert_eq!(row, expected);
    }
}

/// Mean and deviation of the noise added to grey, over 40,000 values: to four standard errors.
#[test]
fn noise_has_the_deviation_that_is_asked_for() {
    let mut photo = Rgb {
        width: 200,
        height: 67,
        data: vec![128; 200 * 67 * 3],
    };
    noise(&mut photo, 5.0, &mut ChaCha8Rng::seed_from_u64(1));
    let count = photo.data.len() as f64;
    let added = || photo.data.iter().map(|&v| f64::from(v) - 128.0);
    let mean = added().sum::<f64>() / count;
    let deviation = (added().map(|a| a * a).sum::<f64>() / count).sqrt();
    assert!(mean.abs() < 0.1, "{mean}");
    // Rounding adds a twelfth to the variance.
    assert!((deviation - 25.083f64.sqrt()).abs() < 0.08, "{deviation}");
    let within = added().filter(|a| a.abs() < 5.5).count() as f64 / count;
    // Normal distribution: the share within 1.1 deviations.
    assert!((within - 0.7287).abs() < 0.01, "{within}");
}
