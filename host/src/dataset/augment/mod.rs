//! Data augmentation: variants of a photo for training.
//!
//! The options are those of TensorFlow's `retrain.py` (`add_input_distortions` in
//! googlecodelabs/tensorflow-for-poets-2, `scripts/retrain.py`): a random window whose sides are `1
//! / ((1 + crop / 100) u)` of the photo's, `u` uniform in `1..=1 + scale / 100`; a horizontal flip
//! in half of the cases; pixels times a factor uniform in `1 +- brightness / 100`.
//! [`Recipe::camera`] adds the defects of a small camera: see [`effects`].
//!
//! Random numbers depend on the photo's content, the recipe and the variant's number alone, so that
//! every run gives the same variants.

pub mod effects;

use std::fmt;

use posy_nn::rgb::Rgb;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Version of the algorithm. Raise it when the same recipe may give other pixels than before.
const VERSION: &str = "variants 1";

/// Longest side of a photo that is augmented, pixels; a larger photo is first downscaled by a whole
/// factor, since no network's input is larger than 224.
const SIDE: u16 = 1024;

/// Options for augmentation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Number of variants of each photo, besides the photo unchanged.
    pub count: u16,
    /// True if half of the variants are mirrored.
    pub flip_left_right: bool,
    /// Minimum crop in percent: `0..=100`.
    pub random_crop: u8,
    /// Maximum additional enlargement in percent: `0..=100`.
    pub random_scale: u8,
    /// Maximum change of brightness in percent, up or down: `0..=100`.
    pub random_brightness: u8,
    /// True if white balance, blur, noise and RGB565 of a small camera are simulated.
    pub camera: bool,
}

impl Default for Recipe {
    /// The best options over ten splits of flower photos; see docs/training.md.
    fn default() -> Self {
        Recipe {
            count: 8,
            flip_left_right: true,
            random_crop: 5,
            random_scale: 50,
            random_brightness: 15,
            camera: false,
        }
    }
}

impl fmt::Display for Recipe {
    /// All options in one line, which is also part of the cache key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VERSION}: {} of each, flip {}, crop {}, scale {}, brightness {}, camera {}",
            self.count,
            self.flip_left_right,
            self.random_crop,
            self.random_scale,
            self.random_brightness,
            self.camera
        )
    }
}

/// A rectangle within a photo, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns, at least 1.
    pub width: u16,
    /// Rows, at least 1.
    pub height: u16,
}

impl Recipe {
    /// All variants of `photo`, whose file has the SHA-256 `content`.
    pub fn variants(&self, photo: &Rgb, content: &[u8; 32]) -> Vec<Rgb> {
        let smaller = effects::shrink(photo, SIDE);
        let photo = smaller.as_ref().unwrap_or(photo);
        (0..self.count)
            .map(|number| self.variant(photo, content, number))
            .collect()
    }

    fn variant(&self, photo: &Rgb, content: &[u8; 32], number: u16) -> Rgb {
        let mut seed = Sha256::new();
        seed.update(self.to_string());
        seed.update(content);
        seed.update(number.to_le_bytes());
        let mut random = ChaCha8Rng::from_seed(seed.finalize().into());
        let window = self.window(photo, &mut random);
        // The first of two variants is mirrored, so that half of any even number are.
        let mirrored = self.flip_left_right && number.is_multiple_of(2);
        let mut variant = effects::cut(photo, window, mirrored);
        let percent = f32::from(self.random_brightness) / 100.0;
        let brightness = random.random_range(1.0 - percent..=1.0 + percent);
        let gains = match self.camera {
            true => effects::white_balance(&mut random),
            false => [1.0; 3],
        };
        effects::multiply(&mut variant, gains.map(|gain| gain * brightness));
        if self.camera {
            if random.random_bool(0.5) {
                variant = effects::blur(&variant);
            }
            let deviation = random.random_range(0.0..6.0);
            effects::noise(&mut variant, deviation, &mut random);
            effects::rgb565(&mut variant);
        }
        variant
    }

    fn window(&self, photo: &Rgb, random: &mut ChaCha8Rng) -> Window {
        let margin = 1.0 + f64::from(self.random_crop) / 100.0;
        let scale = random.random_range(1.0..=1.0 + f64::from(self.random_scale) / 100.0);
        let share = 1.0 / (margin * scale);
        let side = |pixels: u16| ((f64::from(pixels) * share).round() as u16).clamp(1, pixels);
        let (width, height) = (side(photo.width), side(photo.height));
        Window {
            x: random.random_range(0..=photo.width - width),
            y: random.random_range(0..=photo.height - height),
            width,
            height,
        }
    }
}

#[cfg(test)]
#[path = "augment_tests.rs"]
mod tests;
