//! How like the photos that a model was trained on a picture is, in integers.
//!
//! The features of a picture are centred and scaled, so that each varies alike over the training
//! photos, and compared with *prototypes*: the centres of a few clusters of each label's photos. The
//! answer is the largest cosine of the angle between the picture and a prototype. A picture of
//! something else may lie beyond all photos of a label and so get that label's highest score; the
//! angle to photos that were seen does not rise with it.
//!
//! Everything is defined here in integers, so that a board and a laptop cannot differ.

/// Most features that can be compared: sums of products fit 32 bits.
pub const MAX_FEATURES: usize = 4096;

/// Magnitude at which a scaled feature is cut off.
const GREATEST: i32 = 2047;

/// Bits by which a scaled feature is shifted to the right.
const SCALE_BITS: u32 = 8;

/// Bits by which the cosine is shifted to the right.
const COSINE_BITS: u32 = 16;

/// Tables of the comparison, borrowed from a model. D features, M prototypes.
#[derive(Clone, Copy, Debug)]
pub struct Familiarity<'a> {
    /// The features' means over the training photos, `[D]`.
    pub centre: &'a [i8],
    /// What features are multiplied by, `[D]`, little-endian `u16`; in 256ths.
    pub scale: &'a [u8],
    /// `[M, D]`, all of nearly the same length.
    pub prototypes: &'a [i8],
    /// Brings the cosine to int8: 256 steps, of 2^-16 each, over the prototypes' length.
    pub multiplier: u32,
}

impl Familiarity<'_> {
    /// Centred and scaled features.
    fn scaled(&self, features: &[i8]) -> impl Iterator<Item = i32> {
        let (scales, _) = self.scale.as_chunks::<2>();
        let centred = features.iter().zip(self.centre);
        centred.zip(scales).map(|((&feature, &centre), &scale)| {
            let difference = i32::from(feature) - i32::from(centre);
            let scaled = difference * i32::from(u16::from_le_bytes(scale));
            let half = 1 << (SCALE_BITS - 1);
            ((scaled + half) >> SCALE_BITS).clamp(-GREATEST, GREATEST)
        })
    }

    /// The familiarity of `features`, `[D]`: -128 at a right angle to every prototype or beyond,
    /// greater the nearer one is.
    pub fn of(&self, features: &[i8]) -> i8 {
        let squares = self
            .scaled(features)
            .map(|u| u64::from((u * u).unsigned_abs()));
        let length = squares.sum::<u64>().isqrt().max(1) as i64;
        let greatest = self
            .prototypes
            .chunks_exact(self.centre.len().max(1))
            .map(|prototype| {
                let products = self.scaled(features).zip(prototype);
                products.fold(0_i32, |sum, (u, &p)| sum.wrapping_add(u * i32::from(p)))
            })
            .max()
            .unwrap_or(0);
        let cosine = i64::from(greatest) * i64::from(self.multiplier) / length;
        ((cosine >> COSINE_BITS) - 128).clamp(-128, 127) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: [u8; 6] = [0, 1, 0, 1, 0, 1];

    /// Two prototypes of length 100 along the first two axes; a cosine of 1 is 255 steps.
    const PLAIN: Familiarity<'_> = Familiarity {
        centre: &[10, -5, 0],
        scale: &ONES,
        prototypes: &[100, 0, 0, 0, 100, 0],
        multiplier: (255 << 16) / 100,
    };

    #[test]
    fn it_is_the_cosine_to_the_nearest_prototype() {
        // Along the first axis; halfway between the first and the third; against both.
        assert_eq!(PLAIN.of(&[60, -5, 0]), 126);
        assert_eq!(PLAIN.of(&[60, -5, 50]), 54);
        assert_eq!(PLAIN.of(&[-60, -50, 0]), -128);
        // Distance along the ray makes no difference.
        assert_eq!(PLAIN.of(&[30, -5, 0]), PLAIN.of(&[110, -5, 0]));
    }

    #[test]
    fn the_centre_itself_is_like_nothing() {
        assert_eq!(PLAIN.of(&[10, -5, 0]), -128);
    }

    #[test]
    fn scales_weigh_features() {
        // The third feature counts four times as much: 50 and 4 * 50 have a cosine of 0.2425.
        let scale = [0, 1, 0, 1, 0, 4];
        let weighed = Familiarity {
            scale: &scale,
            ..PLAIN
        };
        assert_eq!(weighed.of(&[60, -5, 50]), -67);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let scale = [0xFF; 2 * MAX_FEATURES];
        for (centre, feature, prototype) in [(-128, 127, 127), (127, -128, -128), (127, -128, 127)]
        {
            let extreme = Familiarity {
                centre: &[centre; MAX_FEATURES],
                scale: &scale,
                prototypes: &[prototype; MAX_FEATURES],
                multiplier: u32::MAX,
            };
            let expected = if (feature > 0) == (prototype > 0) {
                127
            } else {
                -128
            };
            assert_eq!(extreme.of(&[feature; MAX_FEATURES]), expected);
        }
    }

    #[test]
    fn odd_tables_have_answers() {
        let empty = Familiarity {
            centre: &[],
            scale: &[],
            prototypes: &[],
            multiplier: 0,
        };
        assert_eq!(empty.of(&[1, 2]), -128);
        assert_eq!(PLAIN.of(&[]), -128);
    }
}
