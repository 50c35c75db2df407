//! Ranking of the labels by their logits.

use core::fmt;

use heapless::Vec;

use crate::model::Model;
use crate::shown::Shown;

/// A probability in units of 1/65536.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u32);

impl Score {
    /// The probability 1.
    pub const ONE: Score = Score(1 << 16);

    /// Creates a score from units of 1/65536; larger values saturate at [`Score::ONE`].
    pub const fn from_fine(fine: u32) -> Self {
        if fine > Self::ONE.0 {
            Self::ONE
        } else {
            Score(fine)
        }
    }

    /// The probability in units of 1/65536.
    pub const fn fine(self) -> u32 {
        self.0
    }

    /// The probability as a float in `0.0..=1.0`, for reports on the laptop.
    pub fn to_f32(self) -> f32 {
        self.0 as f32 / Self::ONE.0 as f32
    }

    /// Percent with one digit, e.g. `97.2`: whole and tenths.
    pub const fn percent(self) -> (u32, u32) {
        let tenths = (self.0 * 1000 + (1 << 15)) >> 16;
        (tenths / 10, tenths % 10)
    }
}

/// Five digits after the point, as the codelab prints scores: `0.99071`.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = (u64::from(self.0) * 100_000 + (1 << 15)) >> 16;
        write!(f, "{}.{:05}", digits / 100_000, digits % 100_000)
    }
}

/// A label and its probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// The label.
    pub label: &'a str,
    /// Index of the label's logit.
    pub index: usize,
    /// Probability of the label.
    pub score: Score,
}

/// The first `N` labels of a picture, likeliest first; equal logits keep the labels' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking<'a, const N: usize> {
    ranked: Vec<Ranked<'a>, N>,
    unknown: bool,
}

impl<'a, const N: usize> Ranking<'a, N> {
    /// Ranks the labels by the outputs of `model`: a logit for each label, and the further outputs that
    /// its [verdict](crate::model::Verdict) uses.
    pub fn new(model: &Model<'a>, outputs: &[i8]) -> Self {
        let verdict = model.verdict();
        let (logits, familiarity) = outputs.split_at(outputs.len().min(model.logit_len()));
        let scores = model.scores(logits);
        let mut order: Vec<(i8, Ranked<'a>), N> = Vec::new();
        for (index, (label, &logit)) in model.labels().zip(logits).enumerate() {
            let place = order
                .iter()
                .take_while(|(other, _)| *other >= logit)
                .count();
            if place == N {
                continue;
            }
            if order.is_full() {
                order.pop();
            }
            let score = Score(scores.fine(logit));
            let ranked = Ranked {
                label,
                index,
                score,
            };
            // The insertion cannot fail: the place is below N and a full list has lost its last.
            let _ = order.insert(place, (logit, ranked));
        }
        let (named, other) = logits.split_at(logits.len().min(model.label_len()));
        let known = named.iter().max().is_some_and(|&best| {
            scores.fine(best) >= verdict.unknown_below
                && other.iter().all(|&other| other <= best)
                && verdict.acceptance.is_none_or(|acceptance| {
                    let familiarity = familiarity.first();
                    familiarity.is_some_and(|&number| acceptance.accepts(best, number))
                })
        });
        Ranking {
            ranked: order.iter().map(|(_, ranked)| *ranked).collect(),
            unknown: !known,
        }
    }

    /// The labels, likeliest first.
    pub fn iter(&self) -> impl Iterator<Item = &Ranked<'a>> {
        self.ranked.iter()
    }

    /// The likeliest label; `None` if the picture is unknown.
    pub fn top(&self) -> Option<&Ranked<'a>> {
        self.ranked.first().filter(|_| !self.unknown)
    }

    /// Returns true if the picture is rejected as unknown: "none of these" is likelier than every
    /// label, the best score is too low, or the picture is too unlike the training photos.
    pub const fn is_unknown(&self) -> bool {
        self.unknown
    }
}

/// The ranking as a line of a serial monitor: `daisy 97.2%  roses 1.9%`, with `unknown` in front if the
/// picture is rejected.
impl<const N: usize> fmt::Display for Ranking<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unknown {
            f.write_str("unknown")?;
        }
        for (index, ranked) in self.ranked.iter().enumerate() {
            if index > 0 || self.unknown {
                f.write_str("  ")?;
            }
            let (whole, tenths) = ranked.score.percent();
            write!(f, "{} {whole}.{tenths}%", Shown::name(ranked.label))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn scores_print_as_the_codelab_does() {
        assert_eq!(Score::ONE.to_string(), "1.00000");
        assert_eq!(Score::from_fine(0).to_string(), "0.00000");
        assert_eq!(Score::from_fine(64_927).to_string(), "0.99071");
        assert_eq!(Score::from_fine(63_701).percent(), (97, 2));
        assert_eq!(Score::from_fine(u32::MAX), Score::ONE);
    }
}
