//! Proportions of photos with their confidence intervals, the sign test, and their texts.

use serde::{Deserialize, Serialize};

/// The 97.5% quantile of the normal distribution: half the width of a 95% interval, in standard
/// errors.
pub const Z: f64 = 1.959_963_984_540_054;

/// `part` of `whole` photos. JSON has them as `right` and `photos`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Photos that are counted.
    #[serde(rename = "right")]
    pub part: usize,
    /// Photos that there are.
    #[serde(rename = "photos")]
    pub whole: usize,
}

impl Proportion {
    /// `part` of `whole`.
    pub const fn new(part: usize, whole: usize) -> Self {
        Proportion { part, whole }
    }

    /// Counts the photos and those that `counted` is true of.
    pub fn of(counted: impl IntoIterator<Item = bool>) -> Self {
        let mut found = Self::default();
        for counted in counted {
            found.whole += 1;
            found.part += usize::from(counted);
        }
        found
    }

    /// The other photos of the whole.
    pub const fn rest(self) -> Self {
        Proportion::new(self.whole - self.part, self.whole)
    }

    /// `0..=1`; `None` without photos.
    pub fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    /// The 95% interval of the share behind the sample: Wilson's score interval (J. Am. Stat.
    /// Assoc. 22, 1927). `None` without photos.
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let count = self.whole as f64;
        let scale = 1.0 + Z * Z / count;
        let centre = (share + Z * Z / (2.0 * count)) / scale;
        let spread = share * (1.0 - share) / count + Z * Z / (4.0 * count * count);
        let half = Z / scale * spread.sqrt();
        Some(((centre - half).max(0.0), (centre + half).min(1.0)))
    }

    /// `120 of 137`.
    pub fn counts(self) -> String {
        format!("{} of {}", self.part, self.whole)
    }

    /// `87.6%`, or `-`.
    pub fn percent(self) -> String {
        percent_or_dash(self.value())
    }

    /// `81– 92%`, or `-`.
    pub fn range(self) -> String {
        let range =
            |(low, high): (f64, f64)| format!("{:.0}\u{2013}{:.0}%", 100.0 * low, 100.0 * high);
        self.interval().map_or("-".to_owned(), range)
    }
}

/// A share in percent with one digit.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// [`percent`], or `-`.
pub fn percent_or_dash(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), percent)
}

/// One-sided p-value of the sign test: the probability of `part` heads or more in `whole` throws of
/// a fair coin.
pub fn sign_test(part: usize, whole: usize) -> f64 {
    // As many tails at most. Logarithms of the terms: 2^-n alone would underflow for many throws.
    let mut term = -(whole as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for tails in 0..=whole.saturating_sub(part) {
        sum += term.exp();
        term += ((whole - tails) as f64 / (tails + 1) as f64).ln();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: SciPy 1.17.1, `binomtest(part, whole).proportion_ci(method="wilson")`.
    #[test]
    fn intervals_are_wilsons() {
        for (part, whole, low, high) in [
            (120, 137, 0.810_254_982_8, 0.921_063_770_0),
            (0, 10, 0.0, 0.277_532_799_9),
            (17, 17, 0.815_681_865_0, 1.0),
        ] {
            let (found_low, found_high) = Proportion::new(part, whole).interval().unwrap();
            assert!(
                (found_low - low).abs() < 1e-9,
                "{part}/{whole}: {found_low}"
            );
            assert!(
                (found_high - high).abs() < 1e-9,
                "{part}/{whole}: {found_high}"
            );
        }
        assert_eq!(Proportion::new(0, 0).interval(), None);
    }

    /// Oracle: SciPy 1.17.1, `binomtest(part, whole, alternative="greater").pvalue`.
    #[test]
    fn sign_tests_are_tails_of_the_binomial_distribution() {
        for (part, whole, expected) in [
            (5, 5, 0.03125),
            (7, 8, 9.0 / 256.0),
            (7, 9, 0.089_843_75),
            (8, 10, 56.0 / 1024.0),
            (0, 3, 1.0),
            (0, 0, 1.0),
        ] {
            let found = sign_test(part, whole);
            assert!((found - expected).abs() < 1e-12, "{part}/{whole}: {found}");
        }
        let many = 2.0 * sign_test(1100, 2000);
        assert!(many < 1e-5 && many > 1e-6, "{many}");
    }

    #[test]
    fn proportions_are_counted_and_written() {
        let found = Proportion::of([true, false, true, true]);
        assert_eq!(found, Proportion::new(3, 4));
        assert_eq!(found.rest(), Proportion::new(1, 4));
        assert_eq!(
            (found.counts(), found.percent()),
            ("3 of 4".into(), "75.0%".into())
        );
        assert_eq!(Proportion::default().percent(), "-");
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(json, r#"{"right":3,"photos":4}"#);
    }
}
