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

use self::effects::Colours;

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
    /// Maximum change of the ratio of a window's sides in percent: `0..=100`.
    pub random_aspect: u8,
    /// Maximum change of contrast in percent, up or down: `0..=100`. Saturation changes by 8/5 of
    /// it, and red, green and blue by a quarter of it, each by itself.
    pub random_colour: u8,
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
            random_aspect: 0,
            random_colour: 0,
            camera: false,
        }
    }
}

impl Recipe {
    /// Views for fine-tuning of several layers: windows of 35% to 100% of the photo, of other shapes
    /// and colours.
    pub const fn views(count: u16) -> Self {
        Recipe {
            count,
            flip_left_right: true,
            random_crop: 0,
            random_scale: 69,
            random_brightness: 25,
            random_aspect: 33,
            random_colour: 25,
            camera: false,
        }
    }
}

impl fmt::Display for Recipe {
    /// All options in one line, which is also part of the cache key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VERSION}: {} of each, flip {}, crop {}, scale {}, brightness {}, aspect {}, \
             colour {}, camera {}",
            self.count,
            self.flip_left_right,
            self.random_crop,
            self.random_scale,
            self.random_brightness,
            self.random_aspect,
            self.random_colour,
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
        let gains = gains.map(|gain| gain * brightness);
        match f32::from(self.random_colour) / 100.0 {
            0.0 => effects::multiply(&mut variant, gains),
            most => {
                let mut factor = |most: f32| random.random_range(1.0 - most..=1.0 + most);
                let colours = Colours {
                    gains: gains.map(|gain| gain * factor(most / 4.0)),
                    contrast: factor(most),
                    saturation: factor(1.6 * most),
                };
                effects::recolour(&mut variant, colours);
            }
        }
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
        // The square root of the ratio by which the window is wider than the photo.
        let wider = match f64::from(self.random_aspect) / 100.0 {
            0.0 => 1.0,
            most => {
                let exponent = random.random_range(-1.0..=1.0);
                (1.0 + most).powf(exponent / 2.0)
            }
        };
        let side =
            |pixels: u16, share: f64| ((f64::from(pixels) * share).round() as u16).clamp(1, pixels);
        let (width, height) = (
            side(photo.width, share * wider),
            side(photo.height, share / wider),
        );
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
