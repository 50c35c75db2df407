//! Calibration of scores: temperature scaling, and the calibration error.
//!
//! Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017): one number,
//! the temperature, divides all logits; it is the one that maximises the likelihood of the held-out
//! photos' labels. It changes no ranking.

use rayon::prelude::*;

use super::stats::Proportion;
use crate::train::metrics::cross_entropy;

/// Number of bins of equal width for scores, as in the paper.
pub const BINS: usize = 15;

/// Search range of the temperature's natural logarithm.
const RANGE: (f64, f64) = (-3.0, 3.0);

/// The temperature, above zero, that minimises the mean cross entropy of `logits`, `[N, K]`,
/// against `labels`; 1 without photos. The mean is convex in the inverse of the temperature, so a
/// golden-section search finds the only minimum.
pub fn temperature(logits: &[f32], labels: &[usize]) -> f64 {
    let at = |log: f64| {
        let scale = (-log).exp();
        let scaled: Vec<f32> = logits
            .par_iter()
            .with_min_len(1 << 14)
            .map(|&z| (f64::from(z) * scale) as f32)
            .collect();
        cross_entropy(&scaled, labels).unwrap_or(0.0)
    };
    if labels.is_empty() {
        return 1.0;
    }
    let golden = (5_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = RANGE;
    let mut left = high - golden * (high - low);
    let mut right = low + golden * (high - low);
    let (mut at_left, mut at_right) = (at(left), at(right));
    while high - low > 1e-3 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = at(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = at(right);
        }
    }
    ((low + high) / 2.0).exp()
}

/// A bin of a reliability diagram: photos of about equal score.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Photos whose highest score falls in the bin.
    pub photos: usize,
    /// Number of them that are classified correctly.
    pub right: usize,
    /// Sum of their highest scores.
    pub scores: f64,
}

impl Bin {
    /// Photos that are classified correctly.
    pub fn accuracy(&self) -> Proportion {
        Proportion::new(self.right, self.photos)
    }

    /// Mean of their highest scores; NaN without photos.
    pub fn mean_score(&self) -> f64 {
        self.scores / self.photos as f64
    }
}

/// Reliability diagram: photos by the score of their likeliest label. Diagrams of several splits
/// may be added.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reliability {
    /// [`BINS`] bins of equal width from 0 to 1.
    pub bins: [Bin; BINS],
}

impl Reliability {
    /// Counts a photo whose likeliest label has `score`, `0.0..=1.0`.
    pub fn count(&mut self, score: f64, right: bool) {
        // A score on the border of two bins belongs to the lower, as in the paper.
        let bin = ((score * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut self.bins[bin];
        bin.photos += 1;
        bin.right += usize::from(right);
        bin.scores += score;
    }

    /// Adds the photos of another diagram.
    pub fn add(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.photos += more.photos;
            bin.right += more.right;
            bin.scores += more.scores;
        }
    }

    /// Number of photos.
    pub fn photos(&self) -> usize {
        self.bins.iter().map(|bin| bin.photos).sum()
    }

    /// Expected calibration error (ECE): the mean over photos of the gap between their bin's mean
    /// score and its accuracy, `0.0..=1.0`. With few photos, chance alone biases it upwards: a bin
    /// of ten photos that are correct nine times in ten seldom has exactly nine correct ones.
    pub fn expected_error(&self) -> Option<f64> {
        self.mean(|gap, _| gap.abs())
    }

    /// [`Reliability::expected_error`] of perfectly calibrated scores on as many photos: the mean
    /// of a bin's absolute gap is `sqrt(2 / pi)` of its standard deviation, `sqrt(m (1 - m) / n)`
    /// of n photos with a mean score of m.
    pub fn error_by_chance(&self) -> Option<f64> {
        self.mean(|_, bin| {
            let mean = bin.mean_score().clamp(0.0, 1.0);
            let variance = mean * (1.0 - mean) / bin.photos as f64;
            (std::f64::consts::FRAC_2_PI * variance).sqrt()
        })
    }

    /// Debiased calibration error: the mean over photos of the squared gap, less the variance of an
    /// accuracy of so few (`p (1 - p) / (n - 1)`), then the square root, as the squared error of
    /// Kumar, Liang and Ma, "Verified Uncertainty Calibration" (2019). A root mean square, so not
    /// below the mean that [`Reliability::expected_error`] estimates.
    pub fn debiased_error(&self) -> Option<f64> {
        let mean = self.mean(|gap, bin| {
            let share = bin.right as f64 / bin.photos as f64;
            let chance = match bin.photos {
                // A single photo has no sample variance.
                1 => gap * gap,
                photos => share * (1.0 - share) / (photos - 1) as f64,
            };
            gap * gap - chance
        });
        mean.map(|mean| mean.max(0.0).sqrt())
    }

    fn mean(&self, of: impl Fn(f64, &Bin) -> f64) -> Option<f64> {
        let photos = self.photos();
        let filled = self.bins.iter().filter(|bin| bin.photos > 0);
        let sum: f64 = filled
            .map(|bin| {
                let gap = (bin.scores - bin.right as f64) / bin.photos as f64;
                bin.photos as f64 * of(gap, bin)
            })
            .sum();
        (photos > 0).then(|| sum / photos as f64)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use posy_nn::graph::head::softmax;

    /// Labels drawn by the softmax of logits, which are then made overconfident by a factor.
    fn drawn(photos: usize, factor: f32) -> (Vec<f32>, Vec<usize>) {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..photos {
            let row: Vec<f32> = (0..4).map(|_| random.random_range(-2.0..2.0)).collect();
            let mut rest: f32 = random.random();
            let label = softmax(&row).iter().position(|&p| {
                rest -= p;
                rest < 0.0
            });
            labels.push(label.unwrap_or(3));
            logits.extend(row.iter().map(|z| z * factor));
        }
        (logits, labels)
    }

    fn reliability(logits: &[f32], labels: &[usize]) -> Reliability {
        let mut found = Reliability::default();
        for (row, &label) in logits.chunks_exact(4).zip(labels) {
            let scores = softmax(row);
            let best = crate::train::metrics::argmax(&scores);
            found.count(f64::from(scores[best]), best == label);
        }
        found
    }

    #[test]
    fn the_temperature_undoes_too_much_confidence() {
        for factor in [0.5, 1.0, 3.0] {
            let (logits, labels) = drawn(20_000, factor);
            let found = temperature(&logits, &labels);
            let apart = found / f64::from(factor) - 1.0;
            assert!(apart.abs() < 0.05, "{found} for {factor}");
            let cooled: Vec<f32> = logits.iter().map(|z| z / found as f32).collect();
            let after = reliability(&cooled, &labels);
            assert!(after.expected_error().unwrap() < 0.015);
            if factor == 3.0 {
                assert!(reliability(&logits, &labels).expected_error().unwrap() > 0.1);
            }
        }
        assert_eq!(temperature(&[], &[]), 1.0);
    }

    #[test]
    fn the_error_is_the_mean_gap() {
        let mut found = Reliability::default();
        for right in [true, true, false, false] {
            found.count(0.9, right);
        }
        found.count(1.0, true);
        // Four photos with a gap of 0.4, and one without.
        assert!((found.expected_error().unwrap() - 4.0 * 0.4 / 5.0).abs() < 1e-12);
        let mut twice = found;
        twice.add(&found);
        assert_eq!(twice.photos(), 10);
        assert_eq!(twice.expected_error(), found.expected_error());
        assert_eq!(Reliability::default().expected_error(), None);
    }

    #[test]
    fn few_photos_look_worse_than_they_are() {
        let (logits, labels) = drawn(20_000, 1.0);
        let (mut plain, mut debiased) = (0.0, 0.0);
        for part in 0..100 {
            let few = reliability(&logits[800 * part..][..800], &labels[200 * part..][..200]);
            plain += few.expected_error().unwrap() / 100.0;
            debiased += few.debiased_error().unwrap() / 100.0;
        }
        let chance: f64 = (0..100)
            .map(|part| {
                let few = reliability(&logits[800 * part..][..800], &labels[200 * part..][..200]);
                few.error_by_chance().unwrap() / 100.0
            })
            .sum();
        assert!((chance / plain - 1.0).abs() < 0.15, "{chance} {plain}");
        let all = reliability(&logits, &labels);
        assert!(plain > 0.05 && debiased < 0.04, "{plain} {debiased}");
        assert!(all.expected_error().unwrap() < 0.015);
        assert!(all.debiased_error().unwrap() < 0.015);
    }
}
