//! Shares of photos, and how far they can be trusted.

use serde::Serialize;

/// Deviates within which 95% of a normal distribution lie.
const Z: f64 = 1.959_963_984_540_054;

/// `part` of `whole` photos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Photos that are meant.
    pub part: usize,
    /// Photos that there are.
    pub whole: usize,
}

impl Share {
    /// `part` of `whole`.
    pub const fn new(part: usize, whole: usize) -> Self {
        Share { part, whole }
    }

    /// `0..=1`; none of no photos.
    pub fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }

    /// The 95% interval of the share behind the sample: Wilson's score interval (J. Am. Stat.
    /// Assoc. 22, 1927). None of no photos.
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let count = self.whole as f64;
        let scale = 1.0 + Z * Z / count;
        let centre = (share + Z * Z / (2.0 * count)) / scale;
        let spread = share * (1.0 - share) / count + Z * Z / (4.0 * count * count);
        let half = Z / scale * spread.sqrt();
        Some(((centre - half).max(0.0), (centre + half).min(1.0)))
    }

    /// `87.6%`, or `-`.
    pub fn percent(self) -> String {
        self.value().map_or("-".to_owned(), percent)
    }

    /// `81.0–92.1%`, or `-`.
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
            let (found_low, found_high) = Share::new(part, whole).interval().unwrap();
            assert!(
                (found_low - low).abs() < 1e-9,
                "{part}/{whole}: {found_low}"
            );
            assert!(
                (found_high - high).abs() < 1e-9,
                "{part}/{whole}: {found_high}"
            );
        }
        assert_eq!(Share::new(0, 0).interval(), None);
    }
}
