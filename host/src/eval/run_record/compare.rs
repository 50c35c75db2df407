//! Comparison of two runs: the difference in accuracy, its confidence interval, and McNemar's test.
//!
//! Of two runs that were tested on the same photos, only the photos that exactly one of them
//! classifies correctly tell which is better. So the comparison is paired: McNemar's test in its
//! exact form (two-sided binomial; McNemar, Psychometrika 12, 1947; Agresti, Categorical Data
//! Analysis, 3rd edition, section 11.1), and a confidence interval of the difference with half a
//! photo added to each cell (Agresti and Min, Statistics in Medicine 24, 2005). Where test photos
//! differ, the accuracies are compared as those of two samples, with a correct and a wrong photo
//! added to each (Agresti and Caffo, The American Statistician 54, 2000); there is an interval, but
//! no test.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Record;

/// Half the width of a 95% interval of a normal distribution, in standard errors.
const Z: f64 = 1.959_963_984_540_054;
/// Share of each run's test photos that must be common for a paired comparison.
const COMMON: f64 = 0.5;

/// A proportion with its 95% confidence interval, all `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proportion {
    /// The proportion.
    pub share: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Proportion {
    /// `right` of `photos`, with the Wilson interval (Wilson, Journal of the American Statistical
    /// Association 22, 1927). `None` without photos.
    pub fn new(right: usize, photos: usize) -> Option<Self> {
        if photos == 0 {
            return None;
        }
        let (n, share) = (photos as f64, right as f64 / photos as f64);
        let square = Z * Z;
        let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
        let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
        let half = Z * spread / (1.0 + square / n);
        Some(Proportion {
            share,
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
        })
    }
}

/// Method of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "method")]
pub enum Method {
    /// Paired, on the common test photos.
    Paired {
        /// Number of common test photos.
        photos: usize,
        /// Photos that only the first run classifies correctly.
        only_first: usize,
        /// Photos that only the second run classifies correctly.
        only_second: usize,
        /// Two-sided p-value: the probability of a division at least as uneven if both runs are
        /// equally good.
        p: f64,
    },
    /// As two samples: too few test photos are common.
    Unpaired {
        /// Number of common test photos.
        common: usize,
    },
}

/// The second run's accuracy less the first's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Method of the comparison.
    #[serde(flatten)]
    pub method: Method,
    /// The difference, `-1..=1`.
    pub difference: f64,
    /// Standard error of the difference.
    pub standard_error: f64,
    /// Lower end of its 95% confidence interval.
    pub low: f64,
    /// Upper end of its 95% confidence interval.
    pub high: f64,
    /// True if both runs have the same labels; otherwise their tasks differ.
    pub same_labels: bool,
}

/// Compares two runs. `None` if one has no test photos.
pub fn compare(first: &Record, second: &Record) -> Option<Comparison> {
    let [firsts, seconds] = [first, second].map(answers);
    if firsts.is_empty() || seconds.is_empty() {
        return None;
    }
    let pairs: Vec<(bool, bool)> = firsts
        .iter()
        .filter_map(|(photo, &right)| Some((right, *seconds.get(photo)?)))
        .collect();
    let needed = COMMON * firsts.len().max(seconds.len()) as f64;
    let same_labels = first.labels == second.labels;
    Some(if pairs.len() as f64 >= needed {
        paired(&pairs, same_labels)
    } else {
        let count = |answers: &BTreeMap<_, bool>| {
            let right = answers.values().filter(|right| **right).count();
            (right as f64, answers.len() as f64)
        };
        unpaired(count(&firsts), count(&seconds), pairs.len(), same_labels)
    })
}

/// Correctness of each test photo, by path and label.
fn answers(record: &Record) -> BTreeMap<(&str, &str), bool> {
    let photos = record.photos.iter();
    photos
        .map(|photo| {
            let label = &*record.labels[photo.truth];
            ((&*photo.photo, label), Record::is_right(photo))
        })
        .collect()
}

fn paired(pairs: &[(bool, bool)], same_labels: bool) -> Comparison {
    let count = |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count();
    let (only_first, only_second) = (count((true, false)), count((false, true)));
    let n = pairs.len() as f64;
    let (a, b) = (only_first as f64, only_second as f64);
    // The difference and its standard error, with `added` photos in each of the four cells.
    let of = |added: f64| {
        let (n, a, b) = (n + 4.0 * added, a + added, b + added);
        let difference = (b - a) / n;
        let variance = (a + b) / n - difference * difference;
        (difference, (variance.max(0.0) / n).sqrt())
    };
    let (difference, standard_error) = of(0.0);
    let (middle, spread) = of(0.5);
    Comparison {
        method: Method::Paired {
            photos: pairs.len(),
            only_first,
            only_second,
            p: binomial_p(only_first, only_second),
        },
        difference,
        standard_error,
        low: (middle - Z * spread).max(-1.0),
        high: (middle + Z * spread).min(1.0),
        same_labels,
    }
}

fn unpaired(first: (f64, f64), second: (f64, f64), common: usize, same_labels: bool) -> Comparison {
    let of = |added: f64| {
        let share = |(right, n): (f64, f64)| {
            let n = n + 2.0 * added;
            let share = (right + added) / n;
            (share, share * (1.0 - share) / n)
        };
        let (one, other) = (share(first), share(second));
        (other.0 - one.0, (one.1 + other.1).sqrt())
    };
    let (difference, standard_error) = of(0.0);
    let (middle, spread) = of(1.0);
    Comparison {
        method: Method::Unpaired { common },
        difference,
        standard_error,
        low: (middle - Z * spread).max(-1.0),
        high: (middle + Z * spread).min(1.0),
        same_labels,
    }
}

/// Two-sided p-value: the probability that in `a + b` tosses of a coin one side comes up `min(a,
/// b)` times or fewer.
fn binomial_p(a: usize, b: usize) -> f64 {
    let (least, n) = (a.min(b), a + b);
    // Logarithms of the terms: 2^-n alone would underflow for many photos.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = term.exp();
    for k in 0..least {
        term += ((n - k) as f64 / (k + 1) as f64).ln();
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }

    /// Oracle: tails of the binomial distribution by hand, in fractions of 2^n.
    #[test]
    fn exact_p_values() {
        close(binomial_p(0, 0), 1.0);
        close(binomial_p(3, 3), 1.0);
        close(binomial_p(0, 5), 2.0 / 32.0);
        close(binomial_p(5, 0), 2.0 / 32.0);
        close(binomial_p(2, 8), 2.0 * (1.0 + 10.0 + 45.0) / 1024.0);
        assert!(binomial_p(900, 1100) < 1e-5 && binomial_p(900, 1100) > 1e-6);
    }

    #[test]
    fn intervals() {
        // The Wilson interval of 8 of 10: (0.4901625, 0.9433178), as in textbooks.
        let share = Proportion::new(8, 10).unwrap();
        assert!((share.low - 0.490_162_5).abs() < 1e-6, "{share:?}");
        assert!((share.high - 0.943_317_8).abs() < 1e-6, "{share:?}");
        assert_eq!(Proportion::new(0, 0), None);

        // 1 photo only the first has right, 3 only the second, of 8: (3 - 1) / 8, variance (4 / 8 -
        // 1 / 16) / 8.
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let first = record(
            &names,
            &[true, false, false, false, true, true, false, false],
        );
        let second = record(&names, &[false, true, true, true, true, true, false, false]);
        let found = compare(&first, &second).unwrap();
        let expected = Method::Paired {
            photos: 8,
            only_first: 1,
            only_second: 3,
            p: binomial_p(1, 3),
        };
        assert_eq!(found.method, expected);
        close(found.difference, 0.25);
        close(found.standard_error, (0.437_5f64 / 8.0).sqrt());
        assert!(found.low < 0.0 && found.high > 0.5 && found.same_labels);
        // Exchanging the runs changes only the sign.
        let back = compare(&second, &first).unwrap();
        close(back.difference, -0.25);
        close(back.low, -found.high);

        // No photo in common: two samples.
        let other = record(&["p", "q", "r", "s"], &[true, true, true, false]);
        let found = compare(&first, &other).unwrap();
        assert_eq!(found.method, Method::Unpaired { common: 0 });
        close(found.difference, 0.75 - 3.0 / 8.0);
        let variance = 0.75 * 0.25 / 4.0 + 3.0 / 8.0 * 5.0 / 8.0 / 8.0;
        close(found.standard_error, f64::sqrt(variance));

        // Equal answers do not prove that there is no difference.
        let same = compare(&first, &first).unwrap();
        assert_eq!(same.difference, 0.0);
        assert!(same.low < 0.0 && same.high > 0.0);
        assert_eq!(compare(&first, &record(&[], &[])), None);
    }

    #[test]
    fn a_photo_under_another_label_is_another_photo() {
        let names = ["a", "b"];
        let first = record(&names, &[true, true]);
        let mut second = record(&names, &[true, true]);
        second.labels = vec!["x".into(), "z".into()];
        let found = compare(&first, &second).unwrap();
        assert_eq!(found.method, Method::Unpaired { common: 0 });
        assert!(!found.same_labels);
    }
}
