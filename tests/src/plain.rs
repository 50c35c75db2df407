//! Alterations of photos that leave little variation in a network's features: low contrast, as
//! before plain backgrounds, or tints.

use image::RgbImage;

/// Alteration applied to each photo of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alteration {
    /// Factor of the difference from grey 128, around a new mean of grey 200; 1 leaves photos
    /// unchanged.
    pub contrast: f64,
    /// Number of tinted copies of each photo; 1 leaves it unchanged.
    pub tints: usize,
}

impl Alteration {
    /// No alteration.
    pub const NONE: Self = Alteration {
        contrast: 1.0,
        tints: 1,
    };

    /// Parses a name: `flowers`, `contrast:0.08`, `tints:4`, or several joined with `+`.
    pub fn named(name: &str) -> Option<Self> {
        let mut found = Self::NONE;
        for part in name.split('+').filter(|part| *part != "flowers") {
            match part.split_once(':')? {
                ("contrast", number) => found.contrast = number.parse().ok()?,
                ("tints", number) => found.tints = number.parse().ok()?,
                _ => return None,
            }
        }
        Some(found)
    }

    /// The photo in tint number `tint`: the gains of the channels follow a colour circle.
    pub fn of(self, photo: &RgbImage, tint: usize) -> RgbImage {
        let keeps = [0.0, 1.0, 2.0].map(|channel| {
            let turn = tint as f64 / self.tints as f64 - channel / 3.0;
            match self.tints {
                1 => 1.0,
                _ => 0.8 + 0.2 * (std::f64::consts::TAU * turn).cos(),
            }
        });
        let mut altered = photo.clone();
        for pixel in altered.pixels_mut() {
            for (value, keeps) in pixel.0.iter_mut().zip(keeps) {
                let mut real = f64::from(*value);
                if self.contrast != 1.0 {
                    real = 200.0 + self.contrast * (real - 128.0);
                }
                *value = (keeps * real).round() as u8;
            }
        }
        altered
    }
}
