//! Image preparation of the codelab's scripts, in real numbers.

use posy_nn::rgb::Rgb;
use posy_shared::model::Shape;
use posy_shared::preprocess::PixelMap;

/// Stretches the photo to `shape`, `[H, W, 3]`, or `[H, W, 1]` of luma, with TensorFlow 1's `resize_bilinear`: output pixel
/// `i` lies at `i * in / out` of the photo and interpolates the two pixels beside that position.
/// Values are 0 to 255, those of colours not rounded; empty for an empty photo.
///
/// [`run::input`](posy_nn::run::input) with the same filter gives these values, rounded.
pub(super) fn bilinear(photo: &Rgb, shape: Shape) -> Vec<f32> {
    let places = |source: u16, wanted: u16| {
        let scale = f32::from(source) / f32::from(wanted);
        let last = usize::from(source).saturating_sub(1);
        let place = move |index: u16| {
            let place = f32::from(index) * scale;
            let before = (place.floor() as usize).min(last);
            (before, (before + 1).min(last), place - before as f32)
        };
        (0..wanted).map(place).collect::<Vec<_>>()
    };
    let columns = places(photo.width, shape.width);
    let lines: Vec<&[u8]> = photo.rows().collect();
    let mut pixels = Vec::with_capacity(shape.len());
    for (above, below, down) in places(photo.height, shape.height) {
        let (Some(above), Some(below)) = (lines.get(above), lines.get(below)) else {
            return Vec::new();
        };
        for &(left, right, across) in &columns {
            let of_channel = |channel: usize| {
                let at = |line: &[u8], column: usize| f32::from(line[3 * column + channel]);
                let mix = |line| {
                    let (left, right) = (at(line, left), at(line, right));
                    left + (right - left) * across
                };
                let (above, below) = (mix(above), mix(below));
                above + (below - above) * down
            };
            let rgb = [0, 1, 2].map(of_channel);
            match shape.channels {
                1 => pixels.push(luma(rgb)),
                _ => pixels.extend(rgb),
            }
        }
    }
    pixels
}

/// Luma as [`run::input`](posy_nn::run::input) computes it, in whole levels as a grey photo and a grey camera give it.
fn luma(rgb: [f32; 3]) -> f32 {
    PixelMap::luma(rgb.map(|level| level.round() as u8)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: `tf.compat.v1.image.resize_bilinear` of TensorFlow 2.21, corners not
    /// aligned.
    #[test]
    fn numbers_are_tensorflows() {
        let photo = Rgb {
            width: 3,
            height: 2,
            data: (0..18u16).map(|n| (n * n % 251) as u8).collect(),
        };
        let shape = Shape {
            height: 3,
            width: 2,
            channels: 3,
        };
        let expected = [
            0.0, 1.0, 4.0, 22.5, 32.5, 44.5, 54.0, 67.0, 82.0, 130.5, 68.833_336, 92.833_336, 81.0,
            100.0, 121.0, 184.5, 87.0, 117.0,
        ];
        let found = bilinear(&photo, shape);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}
