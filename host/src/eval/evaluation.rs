//! Evaluation of a model: every figure that is given of a run, from the predictions of its photos.
//!
//! Accuracy, recall, precision, mistakes and the confusion matrix are of the likeliest label
//! ([`Prediction::answer`]). The answer `unknown` makes a right photo no wrong one: it has a figure
//! of its own, and a column of its own behind the confusion matrix.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::calibration::Reliability;
use super::confusion::Confusion;
use super::paired::PairedOutcomes;
use super::prediction::Prediction;
use super::stats::Proportion;

/// Lower bound on a score before its logarithm is taken: half the smallest that can be told from none.
const LEAST_SCORE: f64 = 0.5 / 65_536.0;

/// Recall and precision of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// Training, validation and test photos.
    pub split: [usize; 3],
    /// Its test photos that are given it, of all its test photos.
    pub recall: Proportion,
    /// The photos of it among the test photos that are given it.
    pub precision: Proportion,
    /// Its test photos that are answered `unknown`.
    pub unknown: usize,
    /// Recall of the float pipeline, where it ran.
    pub float_recall: Option<Proportion>,
}

impl LabelFigures {
    /// Photos of the label.
    pub fn photos(&self) -> usize {
        self.split.iter().sum()
    }

    /// F1, `0..=1`: the harmonic mean of recall and precision. None where no photo is of the label
    /// and none is given it.
    pub fn f1(&self) -> Option<f64> {
        let both = self.recall.whole + self.precision.whole;
        (both > 0).then(|| 2.0 * self.recall.part as f64 / both as f64)
    }
}

/// Means over the labels that have test photos, each label counting alike (macro averages).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacroMean {
    /// Labels that count.
    pub labels: usize,
    /// Mean recall, `0..=1`.
    pub recall: f64,
    /// Mean precision, `0..=1`; that of a label that no photo is given counts as 0.
    pub precision: f64,
    /// Mean F1, `0..=1`.
    pub f1: f64,
}

/// Photos of one label that are taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfusedPair {
    /// Their label.
    pub truth: usize,
    /// The label that they are given.
    pub answer: usize,
    /// Their number.
    pub photos: usize,
    /// Test photos of their label.
    pub of: usize,
}

/// Test photos answered `unknown`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownFigures {
    /// Photos of the named labels that are.
    pub rejected: Proportion,
    /// Photos of `_unknown` that are.
    pub found: Proportion,
}

/// The evaluation of a model.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Labels, in their order.
    pub labels: Vec<LabelFigures>,
    /// Test photos, in their order.
    pub predictions: Vec<Prediction>,
    /// Confusion matrix of the test photos.
    pub confusion: Confusion,
    /// Confusion matrix of the validation photos.
    pub validation: Confusion,
    /// Labels taken for others, most photos first.
    pub confused: Vec<ConfusedPair>,
    /// Reliability of the test photos' scores, without the temperature and with it.
    pub reliability: [Reliability; 2],
    /// Test photos answered `unknown`.
    pub unknown: UnknownFigures,
    /// The float network against the int8 network on validation and test photos; `None` if the
    /// float network did not run.
    pub paired: Option<PairedOutcomes>,
    /// The float network against the int8 network on the test photos alone; `None` likewise.
    pub paired_test: Option<PairedOutcomes>,
}

/// Confusion matrix of predictions.
fn confusion(labels: usize, predictions: &[Prediction]) -> Confusion {
    let pairs = predictions
        .iter()
        .map(|found| (found.truth, found.answer()));
    Confusion::from_pairs(labels, pairs)
}

impl Evaluation {
    /// Evaluates the predictions of validation and test photos. `labels` are names with the numbers
    /// of training, validation and test photos.
    pub fn of(
        labels: Vec<(String, [usize; 3])>,
        validation: &[Prediction],
        predictions: Vec<Prediction>,
    ) -> Self {
        let confusion_of = |predictions: &[_]| confusion(labels.len(), predictions);
        let (validation_confusion, confusion) =
            (confusion_of(validation), confusion_of(&predictions));
        let mut reliability = [Reliability::default(); 2];
        let mut unknown = UnknownFigures::default();
        let mut unknown_of = vec![0; labels.len()];
        let mut floats_right = vec![0; labels.len()];
        for found in &predictions {
            for (reliability, score) in reliability
                .iter_mut()
                .zip([f64::from(found.plain_score), found.score()])
            {
                reliability.count(score, found.likeliest == found.truth);
            }
            let figure = match found.other {
                true => &mut unknown.found,
                false => &mut unknown.rejected,
            };
            figure.whole += 1;
            figure.part += usize::from(found.unknown);
            unknown_of[found.truth] += usize::from(found.unknown);
            floats_right[found.truth] += usize::from(found.float_answer == Some(found.truth));
        }
        let paired_test = PairedOutcomes::of(&predictions);
        let labels = labels
            .into_iter()
            .enumerate()
            .map(|(index, (label, split))| LabelFigures {
                label,
                split,
                recall: confusion.recall(index),
                precision: confusion.precision(index),
                unknown: unknown_of[index],
                float_recall: paired_test
                    .map(|_| Proportion::new(floats_right[index], confusion.photos_of(index))),
            });
        Evaluation {
            labels: labels.collect(),
            confused: confused(&confusion),
            validation: validation_confusion,
            reliability,
            unknown,
            paired: PairedOutcomes::of(validation.iter().chain(&predictions)),
            paired_test,
            confusion,
            predictions,
        }
    }

    /// Test photos that are given their own label.
    pub fn accuracy(&self) -> Proportion {
        self.confusion.accuracy()
    }

    /// Validation photos that are given their own label.
    pub fn validation_accuracy(&self) -> Proportion {
        self.validation.accuracy()
    }

    /// Accuracy of the float pipeline, where it ran.
    pub fn float_accuracy(&self) -> Option<Proportion> {
        Some(self.paired_test?.float())
    }

    /// Pairs of labels and the photos of both that are taken for the other, most photos first, then
    /// in the order of [`Evaluation::confused`].
    pub fn confused_pairs(&self) -> Vec<(usize, usize, usize)> {
        // The place of a pair among those found.
        let mut places: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for pair in &self.confused {
            let (a, b) = (pair.truth.min(pair.answer), pair.truth.max(pair.answer));
            let place = *places.entry((a, b)).or_insert(pairs.len());
            match pairs.get_mut(place) {
                Some(found) => found.2 += pair.photos,
                None => pairs.push((a, b, pair.photos)),
            }
        }
        pairs.sort_by_key(|pair| Reverse(pair.2));
        pairs
    }

    /// Macro averages; none without test photos.
    pub fn macro_mean(&self) -> Option<MacroMean> {
        let tested = self.labels.iter().filter(|label| label.recall.whole > 0);
        let count = tested.clone().count();
        let mean = |of: &dyn Fn(&LabelFigures) -> Option<f64>| {
            let values = tested.clone().map(|label| of(label).unwrap_or(0.0));
            values.sum::<f64>() / count as f64
        };
        (count > 0).then(|| MacroMean {
            labels: count,
            recall: mean(&|label| label.recall.value()),
            precision: mean(&|label| label.precision.value()),
            f1: mean(&LabelFigures::f1),
        })
    }

    /// Proportion of the test photos that naming each after the commonest label would get right.
    pub fn by_guessing(&self) -> Option<f64> {
        let most = self.labels.iter().map(|label| label.recall.whole).max()?;
        Proportion::new(most, self.predictions.len()).value()
    }

    /// Photos given a wrong label, in their order.
    pub fn wrong(&self) -> impl Iterator<Item = &Prediction> {
        self.predictions.iter().filter(|found| !found.is_right())
    }

    /// Photos given a wrong label, the most confident mistake first.
    pub fn mistakes(&self) -> Vec<&Prediction> {
        let mut wrong: Vec<&Prediction> = self.wrong().collect();
        wrong.sort_by(|a, b| b.score().total_cmp(&a.score()));
        wrong
    }

    /// Mean cross entropy of the test photos, nats; none without photos.
    pub fn cross_entropy(&self) -> Option<f64> {
        let losses = self.predictions.iter();
        let losses = losses.map(|answer| -answer.score_of(answer.truth).max(LEAST_SCORE).ln());
        (!self.predictions.is_empty()).then(|| losses.sum::<f64>() / self.predictions.len() as f64)
    }

    /// Expected calibration error of the scores, in [`BINS`](super::calibration::BINS) bins.
    pub fn calibration_error(&self) -> Option<f64> {
        self.reliability[1].expected_error()
    }
}

/// The labels, rising, of the part of a confusion matrix that tells most: all where there are no more than
/// `most`; else those of the pairs that most photos are mixed up in, as many as there is room for.
pub fn confused_part(confusion: &Confusion, most: usize) -> Vec<usize> {
    if confusion.labels() <= most {
        return (0..confusion.labels()).collect();
    }
    let mut shown = BTreeSet::new();
    for pair in confused(confusion) {
        let both = [pair.truth, pair.answer];
        let new = both.iter().filter(|&label| !shown.contains(label)).count();
        if shown.len() + new <= most {
            shown.extend(both);
        }
    }
    shown.into_iter().collect()
}

fn confused(confusion: &Confusion) -> Vec<ConfusedPair> {
    let wrong = confusion
        .pairs()
        .filter(|(truth, answer, _)| truth != answer);
    let mut found: Vec<ConfusedPair> = wrong
        .map(|(truth, answer, photos)| ConfusedPair {
            truth,
            answer,
            photos,
            of: confusion.photos_of(truth),
        })
        .collect();
    // Of equal numbers the greater share of the label first.
    found.sort_by(|a, b| b.photos.cmp(&a.photos).then(a.of.cmp(&b.of)));
    found
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The evaluation of predictions given as (truth, answer, score), with the photos of each label.
    pub(crate) fn evaluation(
        labels: &[(&str, usize)],
        answers: &[(usize, usize, f64)],
    ) -> Evaluation {
        let predictions = answers.iter().enumerate();
        let predictions = predictions.map(|(photo, &(truth, likeliest, score))| {
            let mut scores = vec![0.0; labels.len()];
            scores[likeliest] = score as f32;
            Prediction {
                photo,
                truth,
                other: false,
                likeliest,
                unknown: false,
                scores,
                plain_score: score as f32,
                float_answer: None,
                float_scores: None,
            }
        });
        evaluated(labels, predictions.collect())
    }

    /// The evaluation of `predictions`.
    pub(crate) fn evaluated(labels: &[(&str, usize)], predictions: Vec<Prediction>) -> Evaluation {
        let labels = labels.iter().enumerate().map(|(index, &(label, photos))| {
            let tested = predictions.iter().filter(|found| found.truth == index);
            let tested = tested.count();
            (label.to_owned(), [photos - tested, 0, tested])
        });
        Evaluation::of(labels.collect(), &[], predictions)
    }

    /// A photo of a label that is answered `unknown` stays right; one of `_unknown` becomes right.
    #[test]
    fn unknown_has_figures_of_its_own() {
        let labels = [("a", 9), ("b", 9), ("_unknown", 9)];
        let answers = [
            (0, 0, 0.9),
            (0, 1, 0.5),
            (1, 1, 0.4),
            (2, 0, 0.3),
            (2, 2, 0.5),
            (2, 1, 0.9),
        ];
        let mut predictions = evaluation(&labels, &answers).predictions;
        for (photo, unknown) in [false, true, true, true, true, false]
            .into_iter()
            .enumerate()
        {
            predictions[photo].unknown = unknown;
            predictions[photo].other = predictions[photo].truth == 2;
        }
        let found = evaluated(&labels, predictions);
        assert_eq!(found.accuracy(), Proportion::new(4, 6));
        assert_eq!(found.unknown.rejected, Proportion::new(2, 3));
        assert_eq!(found.unknown.found, Proportion::new(2, 3));
        let unknown: Vec<usize> = found.labels.iter().map(|label| label.unknown).collect();
        assert_eq!(unknown, [1, 1, 2]);
        let recalls: Vec<_> = found
            .labels
            .iter()
            .map(|label| label.recall.counts())
            .collect();
        assert_eq!(recalls, ["1 of 2", "1 of 1", "2 of 3"]);
        assert_eq!(found.mistakes().len(), 2);
    }

    #[test]
    fn the_calibration_error_is_by_bin_and_weighed() {
        let labels = [("a", 10), ("b", 10)];
        // Four at 0.95, three right; one at 0.55, right.
        let answers = [
            (0, 0, 0.95),
            (0, 0, 0.95),
            (1, 1, 0.95),
            (1, 0, 0.95),
            (1, 1, 0.55),
        ];
        let evaluation = evaluation(&labels, &answers);
        let expected = (4.0 * (0.95 - 0.75) + 0.45) / 5.0;
        assert!((evaluation.calibration_error().unwrap() - expected).abs() < 1e-6);
        let top = evaluation.reliability[1].bins[14];
        assert_eq!((top.right, top.photos), (3, 4));
        assert_eq!(evaluation.mistakes().len(), 1);
        assert_eq!(evaluation.accuracy(), Proportion::new(4, 5));
        assert_eq!(evaluation.float_accuracy(), None);
    }

    /// Oracle: scikit-learn 1.7.2, `precision_recall_fscore_support(zero_division=0)`, also with
    /// `average="macro"`.
    #[test]
    fn f1_and_macro_means_are_those_of_scikit_learn() {
        let labels = [("a", 9), ("b", 9), ("c", 9), ("d", 9), ("not tested", 9)];
        let pairs = [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, 1),
            (1, 1),
            (1, 1),
            (1, 0),
            (2, 0),
            (2, 1),
            (3, 1),
        ];
        let answers = pairs.map(|(truth, answer)| (truth, answer, 0.5));
        let evaluation = evaluation(&labels, &answers);
        let f1: Vec<_> = evaluation.labels.iter().map(LabelFigures::f1).collect();
        let expected = [Some(2.0 / 3.0), Some(0.5), Some(0.0), Some(0.0), None];
        assert_eq!(f1, expected);
        let mean = evaluation.macro_mean().unwrap();
        assert_eq!(mean.labels, 4);
        for (found, expected) in [
            (mean.precision, 0.25),
            (mean.recall, 0.354_166_666_666_666_63),
            (mean.f1, 0.291_666_666_666_666_63),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(evaluation.by_guessing(), Some(0.4));
    }

    #[test]
    fn pairs_are_of_both_directions() {
        let labels = [("a", 9), ("b", 9), ("c", 9)];
        let pairs = [(0, 1), (1, 0), (2, 1), (0, 2), (2, 0), (2, 0), (1, 1)];
        let answers = pairs.map(|(truth, answer)| (truth, answer, 0.5));
        let found = evaluation(&labels, &answers).confused_pairs();
        assert_eq!(found, [(0, 2, 3), (0, 1, 2), (1, 2, 1)]);
    }

    #[test]
    fn confused_labels_come_in_order() {
        let labels = [("a", 9), ("b", 9), ("c", 9)];
        let answers = [
            (0, 1, 0.5),
            (0, 1, 0.5),
            (1, 2, 0.5),
            (2, 0, 0.5),
            (2, 0, 0.5),
            (2, 0, 0.5),
            (0, 0, 0.5),
        ];
        let found = evaluation(&labels, &answers).confused;
        let pairs: Vec<_> = found
            .iter()
            .map(|m| (m.truth, m.answer, m.photos, m.of))
            .collect();
        assert_eq!(pairs, [(2, 0, 3, 3), (0, 1, 2, 3), (1, 2, 1, 1)]);
    }

    #[test]
    fn of_many_labels_the_confused_part_is_shown() {
        let right = (0..90).map(|label| (label, label));
        let wrong = [(7, 80), (7, 80), (80, 7), (3, 4), (3, 4), (60, 61)];
        let confusion = Confusion::from_pairs(90, right.chain(wrong));
        assert_eq!(confused_part(&confusion, 90).len(), 90);
        assert_eq!(confused_part(&confusion, 50), [3, 4, 7, 60, 61, 80]);
        assert_eq!(confused_part(&confusion, 5), [3, 4, 7, 80]);
        assert_eq!(confused_part(&confusion, 1), [0usize; 0]);
    }

    #[test]
    fn without_test_photos_nothing_is_claimed() {
        let evaluation = evaluation(&[("a", 3), ("b", 3)], &[]);
        assert_eq!(evaluation.cross_entropy(), None);
        assert_eq!(evaluation.calibration_error(), None);
        assert_eq!(evaluation.accuracy().percent(), "-");
    }
}
