//! Accuracy lost by quantisation: the int8 network against the float network on the same photos
//! (McNemar's test).

/// Number of photos below which a difference must also be significant: one photo of fewer is more
/// than a point.
const MANY: usize = 100;

/// Significance level.
const CHANCE: f64 = 0.05;

/// Paired outcomes of both networks on validation and test photos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairedOutcomes {
    /// Number of photos.
    pub photos: usize,
    /// Photos that both classify correctly.
    pub both: usize,
    /// Photos that only the float network classifies correctly.
    pub only_float: usize,
    /// Photos that only the int8 network classifies correctly.
    pub only_int8: usize,
}

/// PairedOutcomes in percentage points from which on the user is told, unless another limit was given.
pub const WORTH_SAYING: f64 = 2.0;

/// The int8 network loses more accuracy than permitted.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "the int8 network classifies {int8:.1}% of {photos} photos correctly and the float network \
     {float:.1}%: it loses {lost:.1} points"
)]
pub struct LossError {
    photos: usize,
    float: f64,
    int8: f64,
    lost: f64,
}

impl PairedOutcomes {
    /// Counts a photo.
    pub fn count(&mut self, float_right: bool, int8_right: bool) {
        self.photos += 1;
        match (float_right, int8_right) {
            (true, true) => self.both += 1,
            (true, false) => self.only_float += 1,
            (false, true) => self.only_int8 += 1,
            (false, false) => {}
        }
    }

    /// Accuracy of the float network less that of the int8 network, percentage points.
    pub fn points(&self) -> f64 {
        let lost = self.only_float as f64 - self.only_int8 as f64;
        100.0 * lost / self.photos.max(1) as f64
    }

    /// One-sided p-value of the sign test (the exact form of McNemar's test): the probability that,
    /// with equally good networks, the float network would win at least as many of the photos that
    /// only one network classifies correctly.
    fn by_chance(&self) -> f64 {
        let tosses = self.only_float + self.only_int8;
        // P(exactly 0 heads), then that of each next number of heads.
        let mut exactly = 0.5_f64.powi(tosses as i32);
        let mut at_least = 0.0;
        for heads in 0..=tosses {
            if heads >= self.only_float {
                at_least += exactly;
            }
            exactly *= (tosses - heads) as f64 / (heads + 1) as f64;
        }
        at_least
    }

    /// Checks that at most `most` points are lost. With fewer than 100 photos, a loss that is not
    /// significant (5% by the sign test) passes.
    ///
    /// # Errors
    /// [`LossError`].
    pub fn check(&self, most: f64) -> Result<(), LossError> {
        let lost = self.points();
        if lost <= most || (self.photos < MANY && self.by_chance() >= CHANCE) {
            return Ok(());
        }
        let share = |own: usize| 100.0 * (self.both + own) as f64 / self.photos as f64;
        Err(LossError {
            photos: self.photos,
            float: share(self.only_float),
            int8: share(self.only_int8),
            lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(photos: usize, only_float: usize, only_int8: usize) -> PairedOutcomes {
        PairedOutcomes {
            photos,
            both: photos / 2,
            only_float,
            only_int8,
        }
    }

    #[test]
    fn more_than_is_allowed_is_an_error() {
        assert_eq!(loss(200, 5, 1).check(2.0), Ok(()));
        let error = loss(200, 6, 1).check(2.0).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("50.5% of 200 photos"), "{message}");
        assert!(message.contains("53.0%"), "{message}");
        assert!(message.contains("loses 2.5 points"), "{message}");
        assert_eq!(loss(200, 6, 1).check(2.5), Ok(()));
        assert_eq!(loss(200, 1, 9).check(0.0), Ok(()));
        assert_eq!(PairedOutcomes::default().check(0.0), Ok(()));
    }

    #[test]
    fn of_few_photos_chance_is_let_through() {
        // 4 of 4 have a probability of 1/16, 5 of 5 of 1/32.
        assert_eq!(loss(20, 4, 0).check(2.0), Ok(()));
        assert!(loss(20, 5, 0).check(2.0).is_err());
        assert!(loss(100, 4, 0).check(2.0).is_err());
        assert!((loss(20, 7, 1).by_chance() - 9.0 / 256.0).abs() < 1e-12);
    }

    #[test]
    fn photos_are_counted_by_pairs() {
        let mut found = PairedOutcomes::default();
        for (float, int8) in [(true, true), (true, false), (true, false), (false, true)] {
            found.count(float, int8);
        }
        found.count(false, false);
        assert_eq!((found.photos, found.both), (5, 1));
        assert!((found.points() - 20.0).abs() < 1e-12);
    }
}
