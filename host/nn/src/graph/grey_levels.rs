//! Pixel scaling of a quantised network whose input has a scale of its own.
//!
//! Most quantised files read a pixel less 128: one step of their scale is one grey level, whatever
//! range they were trained on. Some tools choose the input scale by their calibration photos, for
//! example 0.003118 where pixels of 0 to 1 reached 0.795. Such a file reads another integer: the
//! real number that training used for the grey level, divided by the scale, plus the zero point,
//! clamped to int8, as TensorFlow Lite computes it.

use super::network::Quantisation;

/// Normalisation used in training: `(pixel - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GreyLevels {
    /// Mean, grey levels.
    pub mean: f32,
    /// Divisor, grey levels.
    pub std: f32,
}

impl GreyLevels {
    /// 0 to 1.
    const UNIT: Self = GreyLevels {
        mean: 0.0,
        std: 255.0,
    };
    /// 0 to 255.
    pub(crate) const RAW: Self = GreyLevels {
        mean: 0.0,
        std: 1.0,
    };
    /// -1 to 1.
    const SIGNED: Self = GreyLevels {
        mean: 127.5,
        std: 127.5,
    };

    /// Guesses the training range from the input quantisation. `None` if the input's integers are
    /// grey levels less 128, give or take one, or if the range tells nothing; the input is
    /// then taken for grey levels less 128.
    pub fn of(input: Quantisation) -> Option<Self> {
        let levels = Self::range(input)?;
        let usual = (0..=255i16).zip(levels.table(input));
        let usual = usual.fold(true, |usual, (pixel, q)| {
            usual && (pixel - 128).abs_diff(q.into()) <= 1
        });
        (!usual).then_some(levels)
    }

    /// Guesses the training range from the input quantisation; `None` if the range tells nothing.
    pub fn range(input: Quantisation) -> Option<Self> {
        let Quantisation { scale, zero_point } = input;
        let real = |q: i32| scale * (q - zero_point) as f32;
        let (least, greatest) = (real(-128), real(127));
        if least > -0.1 * greatest {
            // A range that photos fill, wholly or in part.
            Some(match greatest <= 2.0 {
                true => Self::UNIT,
                false => Self::RAW,
            })
        } else if (-1.25..=-0.5).contains(&least) && greatest <= 1.25 {
            Some(Self::SIGNED)
        } else {
            None
        }
    }

    /// Lookup table: the input's integer for each grey level.
    pub fn table(self, input: Quantisation) -> [i8; 256] {
        std::array::from_fn(|pixel| {
            // In the order of Keras' `preprocess_input`, whose rounding decides ties.
            let real = pixel as f32 / self.std - self.mean / self.std;
            let q = (real / input.scale).round() + input.zero_point as f32;
            q.clamp(-128.0, 127.0) as i8
        })
    }

    /// Text form: lines of a name and a number.
    pub fn in_words(self) -> String {
        format!("mean {}\nstd {}\n", self.mean, self.std)
    }

    /// Parses the text form; other lines are ignored.
    pub fn from_words(words: &str) -> Option<Self> {
        let number = |name| {
            let mut lines = words.lines().filter_map(|line| line.split_once(' '));
            let (_, number) = lines.find(|(key, _)| *key == name)?;
            number
                .parse()
                .ok()
                .filter(|number: &f32| number.is_finite())
        };
        let (mean, std) = (number("mean")?, number("std")?);
        (std > 0.0).then_some(GreyLevels { mean, std })
    }

    /// Mean and standard deviation, in grey levels, of a network with this input quantisation.
    /// `levels` is its pixel scaling, if it has one.
    pub fn mean_and_std(levels: Option<Self>, input: Quantisation) -> (f32, f32) {
        match levels {
            Some(levels) => (levels.mean, levels.std),
            // real = scale * (pixel - 128 - zero point)
            None => ((128 + input.zero_point) as f32, 1.0 / input.scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scale: f32, zero_point: i32) -> Option<GreyLevels> {
        GreyLevels::of(Quantisation { scale, zero_point })
    }

    /// Scales and zero points in the int8 convention, from files by Google, Keras, Teachable
    /// Machine and Edge Impulse.
    #[test]
    fn usual_scales_are_steps_of_a_grey_level() {
        for (scale, zero_point) in [
            (0.0078125, 0),
            (1.0 / 127.5, -1),
            (1.0 / 127.5, 0),
            (1.0 / 255.0, -128),
            (0.003921569, -128),
            (1.0, -128),
            (1.0, 0),
            // Steps of one grey level over ImageNet's standard deviation, as posy writes them.
            (0.0173, 0),
        ] {
            assert_eq!(of(scale, zero_point), None, "{scale} {zero_point}");
        }
    }

    #[test]
    fn other_scales_tell_the_range_that_was_seen() {
        for (scale, zero_point, levels) in [
            (0.003118, -128, GreyLevels::UNIT),
            (0.0015, -128, GreyLevels::UNIT),
            (0.8, -128, GreyLevels::RAW),
            (0.0068, 11, GreyLevels::SIGNED),
        ] {
            assert_eq!(of(scale, zero_point), Some(levels), "{scale} {zero_point}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for levels in [GreyLevels::UNIT, GreyLevels::RAW, GreyLevels::SIGNED] {
            let words = format!("crop squash\n{}", levels.in_words());
            assert_eq!(GreyLevels::from_words(&words), Some(levels));
        }
        for words in [
            "",
            "crop squash",
            "mean 1",
            "mean 0\nstd 0",
            "mean x\nstd 1",
        ] {
            assert_eq!(GreyLevels::from_words(words), None, "{words}");
        }
    }

    /// The formula `round(pixel / 255 / scale) + zero_point`, clamped, worked out by hand.
    #[test]
    fn a_table_is_what_quantising_gives() {
        let input = Quantisation {
            scale: 0.003118,
            zero_point: -128,
        };
        let table = GreyLevels::UNIT.table(input);
        for (pixel, q) in [
            (0, -128),
            (1, -127),
            (2, -125),
            (100, -2),
            (202, 126),
            (203, 127),
            (255, 127),
        ] {
            assert_eq!(table[pixel], q, "{pixel}");
        }
    }
}
