//! Photos altered so that the features of networks vary little: as before plain backgrounds, or in tints.

use image::RgbImage;

/// What is done to each photo of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alteration {
    /// What differences from grey 128 are multiplied by, about grey 200; 1 leaves photos as they are.
    pub contrast: f64,
    /// Tints that each photo is made in; 1 leaves it as it is.
    pub tints: usize,
}

impl Alteration {
    /// None.
    pub const NONE: Self = Alteration {
        contrast: 1.0,
        tints: 1,
    };

    /// By its name: `flowers`, `contrast:0.08`, `tints:4`, or several with `+` between them.
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

    /// The photo in the tint with this number: what each channel keeps goes round a circle of colours.
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
