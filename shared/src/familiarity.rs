//! Out-of-distribution score in integers: the similarity of a picture to the training photos.
//!
//! The features of a picture are centred and scaled to equal variance over the training photos, and
//! compared with *prototypes*: the centres of a few clusters of each label's photos. The score is the
//! largest cosine similarity between the picture and a prototype. A picture of something else may lie
//! beyond all photos of a label and so get that label's highest logit; its angle to the training photos
//! stays large all the same.
//!
//! The definition is in integers throughout, so that a board and a laptop cannot differ.

/// Largest number of features: their sums of products fit 32 bits.
pub const MAX_FEATURES: usize = 4096;

/// Magnitude at which a scaled feature is clamped.
const GREATEST: i32 = 2047;

/// Bits by which a scaled feature is shifted to the right.
const SCALE_BITS: u32 = 8;

/// Bits by which the cosine is shifted to the right.
const COSINE_BITS: u32 = 16;

/// Prototypes that one pass over the scaled features multiplies together.
const TOGETHER: usize = 4;

/// Tables of the comparison, borrowed from a model. D features, M prototypes.
#[derive(Clone, Copy, Debug)]
pub struct Familiarity<'a> {
    /// Means of the features over the training photos, `[D]`.
    pub centre: &'a [i8],
    /// Factor of each feature, `[D]`, little-endian `u16`; in 256ths.
    pub scale: &'a [u8],
    /// Prototypes, `[M, D]`, all of nearly equal length.
    pub prototypes: &'a [i8],
    /// Multiplier from the cosine to int8: 256 steps, of 2^-16 each, over the prototypes' length.
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

    /// The greatest dot product of the scaled features with the prototypes in `some`, `[_, width]`.
    fn greatest_product(&self, features: &[i8], some: &[i8], width: usize) -> Option<i32> {
        let mut rows = some.chunks_exact(width);
        let (Some(a), Some(b), Some(c), Some(d)) =
            (rows.next(), rows.next(), rows.next(), rows.next())
        else {
            return some
                .chunks_exact(width)
                .map(|row| self.product(features, row))
                .max();
        };
        let mut sums = [0_i32; TOGETHER];
        let rows = a.iter().zip(b).zip(c.iter().zip(d));
        for (u, ((a, b), (c, d))) in self.scaled(features).zip(rows) {
            for (sum, p) in sums.iter_mut().zip([a, b, c, d]) {
                *sum = sum.wrapping_add(u * i32::from(*p));
            }
        }
        sums.into_iter().max()
    }

    fn product(&self, features: &[i8], prototype: &[i8]) -> i32 {
        let products = self.scaled(features).zip(prototype);
        products.fold(0, |sum, (u, &p)| sum.wrapping_add(u * i32::from(p)))
    }

    /// Similarity of `features`, `[D]`, to the nearest prototype: -128 at a right angle or beyond, up
    /// to 127 for the same direction.
    pub fn of(&self, features: &[i8]) -> i8 {
        let squares = self
            .scaled(features)
            .map(|u| u64::from((u * u).unsigned_abs()));
        let length = squares.sum::<u64>().isqrt().max(1) as i64;
        let width = self.centre.len().max(1);
        let greatest = self
            .prototypes
            .chunks(TOGETHER * width)
            .filter_map(|some| self.greatest_product(features, some, width))
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
        // The length of the vector does not matter.
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

    /// The result depends neither on the number of prototypes nor on the position of the nearest.
    #[test]
    fn the_nearest_of_many_prototypes_counts() {
        for count in 1..11 {
            for nearest in 0..count {
                let mut prototypes = [0_i8; 33];
                for (index, row) in prototypes.chunks_exact_mut(3).enumerate() {
                    row[usize::from(index != nearest)] = 100;
                }
                let many = Familiarity {
                    prototypes: &prototypes[..3 * count],
                    ..PLAIN
                };
                assert_eq!(many.of(&[60, -5, 0]), 126, "{count} {nearest}");
            }
        }
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
