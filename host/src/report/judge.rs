//! Evaluation of a model on the test photos.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use posy_nn::run;
use posy_shared::engine::EngineError;
use posy_shared::model::{Model, ReadError};
use posy_shared::ranking::{Ranking, Score};
use posy_shared::softmax::Softmax;
use rayon::prelude::*;

use crate::dataset::Bucket;
use crate::eval::stats::Share;
use crate::retrain::{Outcome, Prepared};
use crate::train::metrics::{Confusion, argmax};

/// Least score that a logarithm is taken of: half the smallest that can be told from none.
const LEAST_SCORE: f64 = 0.5 / 65_536.0;
/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Errors of evaluating a model.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The model does not read.
    #[error("the model cannot be judged: {0}")]
    Model(#[from] ReadError),
    /// The last layer does not run.
    #[error("the model cannot be judged: {0}")]
    Engine(#[from] EngineError),
}

/// The answer of the integer pipeline, which a board runs, for one photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The photo, by its index among the prepared ones.
    pub photo: usize,
    /// Its label.
    pub truth: usize,
    /// The label that it is given.
    pub answer: usize,
    /// Score of that, `0..=1`.
    pub score: f64,
    /// Score of its own label, `0..=1`.
    pub truth_score: f64,
    /// True if a board would say `unknown`.
    pub unknown: bool,
    /// The answer of the float pipeline, where it ran.
    pub float_answer: Option<usize>,
}

impl Answer {
    /// True if the photo is given its own label.
    pub fn is_right(&self) -> bool {
        self.answer == self.truth
    }
}

/// Recall and precision of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// Photos trained on, chosen on, and kept for testing.
    pub split: [usize; 3],
    /// Its test photos that are given it, of all its test photos.
    pub recall: Share,
    /// The photos of it among the test photos that are given it.
    pub precision: Share,
    /// Recall of the float pipeline, where it ran.
    pub float_recall: Option<Share>,
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
pub struct Mixup {
    /// Their label.
    pub truth: usize,
    /// The label that they are given.
    pub answer: usize,
    /// Their number.
    pub photos: usize,
    /// Test photos of their label.
    pub of: usize,
}

/// Test photos whose score lies in one range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Lower end; the upper is a tenth above.
    pub from: f64,
    /// Photos answered rightly, of all in the bin.
    pub right: Share,
    /// Mean of their scores.
    pub mean_score: f64,
}

/// The evaluation of a model.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Labels, in their order.
    pub labels: Vec<LabelFigures>,
    /// Test photos, in their order.
    pub answers: Vec<Answer>,
    /// Truth against answer on the test photos.
    pub confusion: Confusion,
    /// Confusion matrix of the validation photos.
    pub validation: Confusion,
    /// Labels taken for others, most photos first.
    pub mixups: Vec<Mixup>,
    /// Test photos by their score, lowest first.
    pub bins: Vec<Bin>,
    /// True if the network's last layer was adjusted too.
    pub adjusted: bool,
}

impl Judgement {
    /// Runs the model's last layer on the photos that it was tested on and on those that were
    /// chosen on.
    ///
    /// # Errors
    /// Where the model does not read or run.
    pub fn of(prepared: &Prepared, outcome: &Outcome) -> Result<Self, JudgeError> {
        let model = Model::read(&outcome.whole)?;
        let count = prepared.dataset.labels.len();
        let floats = outcome.float_answers.as_ref();
        let int8 = outcome.seen(prepared).int8;
        let answer = |photo: usize, float| {
            let truth = prepared.dataset.photos[photo].label;
            answer(&model, &int8[photo], photo, truth, float)
        };
        let tested = outcome.tested.par_iter().enumerate().with_min_len(16);
        let answers = tested.map(|(index, &photo)| {
            let float = floats.and_then(|answers| answers.get(index)).copied();
            answer(photo, float)
        });
        let answers: Vec<Answer> = answers.collect::<Result<_, EngineError>>()?;
        let pairs = answers.iter().map(|answer| (answer.truth, answer.answer));
        let confusion = Confusion::from_pairs(count, pairs);
        let photos = prepared.dataset.photos.par_iter().enumerate();
        let chosen_on = photos
            .filter(|(_, photo)| is_in(outcome, prepared, photo, Bucket::Validation))
            .map(|(photo, _)| {
                let found = answer(photo, None)?;
                Ok((found.truth, found.answer))
            });
        let chosen_on: Vec<(usize, usize)> = chosen_on.collect::<Result<_, EngineError>>()?;
        Ok(Judgement {
            labels: labels(prepared, outcome, &answers, &confusion),
            mixups: mixups(&confusion),
            bins: bins(&answers),
            validation: Confusion::from_pairs(count, chosen_on),
            confusion,
            answers,
            adjusted: outcome.adjusted.is_some(),
        })
    }

    /// Test photos that are given their own label.
    pub fn accuracy(&self) -> Share {
        let right = self.answers.iter().filter(|answer| answer.is_right());
        Share::new(right.count(), self.answers.len())
    }

    /// Accuracy of the float pipeline, where it ran.
    pub fn float_accuracy(&self) -> Option<Share> {
        let right = |answer: &Answer| answer.float_answer.map(|float| float == answer.truth);
        let rights: Option<Vec<bool>> = self.answers.iter().map(right).collect();
        let rights = rights?;
        let part = rights.iter().filter(|right| **right).count();
        (!rights.is_empty()).then(|| Share::new(part, rights.len()))
    }

    /// Photos that only the float pipeline gets right, and that only the integer one does.
    pub fn lost_and_won(&self) -> (usize, usize) {
        let float = |answer: &&Answer| answer.float_answer == Some(answer.truth);
        let photos = || self.answers.iter().filter(|a| a.float_answer.is_some());
        (
            photos().filter(|a| float(a) && !a.is_right()).count(),
            photos().filter(|a| !float(a) && a.is_right()).count(),
        )
    }

    /// Pairs of labels and the photos of both that are taken for the other, most photos first, then
    /// in the order of [`Judgement::mixups`].
    pub fn confused_pairs(&self) -> Vec<(usize, usize, usize)> {
        // The place of a pair among those found.
        let mut places: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for mixup in &self.mixups {
            let (a, b) = (mixup.truth.min(mixup.answer), mixup.truth.max(mixup.answer));
            let place = *places.entry((a, b)).or_insert(pairs.len());
            match pairs.get_mut(place) {
                Some(pair) => pair.2 += mixup.photos,
                None => pairs.push((a, b, mixup.photos)),
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

    /// Share of the test photos that naming each after the commonest label would get right.
    pub fn by_guessing(&self) -> Option<f64> {
        let most = self.labels.iter().map(|label| label.recall.whole).max()?;
        Share::new(most, self.answers.len()).value()
    }

    /// Photos that a board would call `unknown`.
    pub fn unknown(&self) -> usize {
        self.answers.iter().filter(|answer| answer.unknown).count()
    }

    /// Photos given a wrong label, the most confident mistake first.
    pub fn mistakes(&self) -> Vec<&Answer> {
        let wrong = self.answers.iter().filter(|answer| !answer.is_right());
        let mut wrong: Vec<&Answer> = wrong.collect();
        wrong.sort_by(|a, b| b.score.total_cmp(&a.score));
        wrong
    }

    /// Mean cross entropy of the test photos, nats; none without photos.
    pub fn cross_entropy(&self) -> Option<f64> {
        let losses = self.answers.iter();
        let losses = losses.map(|answer| -answer.truth_score.max(LEAST_SCORE).ln());
        (!self.answers.is_empty()).then(|| losses.sum::<f64>() / self.answers.len() as f64)
    }

    /// Expected calibration error (Naeini et al., AAAI 2015, as used by Guo et al., ICML 2017):
    /// the mean over photos of the difference between score and share right, bin by bin.
    pub fn calibration_error(&self) -> Option<f64> {
        let errors = self.bins.iter().filter_map(|bin| {
            let right = bin.right.value()?;
            Some((right - bin.mean_score).abs() * bin.right.whole as f64)
        });
        let photos = self.answers.len();
        (photos > 0).then(|| errors.sum::<f64>() / photos as f64)
    }
}

fn is_in(
    outcome: &Outcome,
    prepared: &Prepared,
    photo: &crate::dataset::Photo,
    bucket: Bucket,
) -> bool {
    let label = &prepared.dataset.labels[photo.label];
    let parts = outcome.split.labels.get(label);
    parts.is_some_and(|parts| {
        let names = match bucket {
            Bucket::Training => &parts.training,
            Bucket::Validation => &parts.validation,
            Bucket::Testing => &parts.testing,
        };
        names.binary_search(&photo.relative).is_ok()
    })
}

fn answer(
    model: &Model<'_>,
    features: &[i8],
    photo: usize,
    truth: usize,
    float_answer: Option<usize>,
) -> Result<Answer, EngineError> {
    let outputs = run::head(model, features)?;
    let logits = &outputs[..model.logit_len()];
    let softmax = Softmax::new(model.verdict().beta, logits);
    let score = |logit: i8| f64::from(Score::from_fine(softmax.fine(logit)).to_f32());
    let answer = argmax(logits);
    let top = logits.get(answer).copied().unwrap_or(i8::MIN);
    Ok(Answer {
        photo,
        truth,
        answer,
        score: score(top),
        truth_score: logits.get(truth).map_or(0.0, |&logit| score(logit)),
        unknown: Ranking::<1>::new(model, &outputs).is_unknown(),
        float_answer,
    })
}

fn labels(
    prepared: &Prepared,
    outcome: &Outcome,
    answers: &[Answer],
    confusion: &Confusion,
) -> Vec<LabelFigures> {
    let mut floats_right = vec![0; prepared.dataset.labels.len()];
    for answer in answers {
        floats_right[answer.truth] += usize::from(answer.float_answer == Some(answer.truth));
    }
    let has_floats = answers.iter().all(|answer| answer.float_answer.is_some());
    let names = prepared.dataset.labels.iter().enumerate();
    names
        .map(|(index, label)| {
            let parts = outcome.split.labels.get(label);
            let split = parts.map_or([0; 3], |parts| {
                [&parts.training, &parts.validation, &parts.testing].map(Vec::len)
            });
            let right = confusion.count(index, index);
            let own = confusion.photos_of(index);
            LabelFigures {
                label: label.clone(),
                split,
                recall: Share::new(right, own),
                precision: Share::new(right, confusion.taken_for(index)),
                float_recall: (has_floats && outcome.float_answers.is_some())
                    .then(|| Share::new(floats_right[index], own)),
            }
        })
        .collect()
}

/// The labels, rising, of the part of a confusion matrix that tells most: all where there are no more than
/// `most`; else those of the pairs that most photos are mixed up in, as many as there is room for.
pub fn confused_part(confusion: &Confusion, most: usize) -> Vec<usize> {
    if confusion.labels() <= most {
        return (0..confusion.labels()).collect();
    }
    let mut shown = BTreeSet::new();
    for mixup in mixups(confusion) {
        let both = [mixup.truth, mixup.answer];
        let new = both.iter().filter(|&label| !shown.contains(label)).count();
        if shown.len() + new <= most {
            shown.extend(both);
        }
    }
    shown.into_iter().collect()
}

fn mixups(confusion: &Confusion) -> Vec<Mixup> {
    let wrong = confusion
        .pairs()
        .filter(|(truth, answer, _)| truth != answer);
    let mut found: Vec<Mixup> = wrong
        .map(|(truth, answer, photos)| Mixup {
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

fn bins(answers: &[Answer]) -> Vec<Bin> {
    let mut bins: Vec<Bin> = (0..BINS)
        .map(|index| Bin {
            from: index as f64 / BINS as f64,
            ..Bin::default()
        })
        .collect();
    for answer in answers {
        let index = (answer.score * BINS as f64) as usize;
        let bin = &mut bins[index.min(BINS - 1)];
        bin.right.whole += 1;
        bin.right.part += usize::from(answer.is_right());
        bin.mean_score += answer.score;
    }
    for bin in &mut bins {
        bin.mean_score /= bin.right.whole.max(1) as f64;
    }
    bins
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A judgement of answers given as (truth, answer, score), with the photos of each label.
    pub(in super::super) fn judgement(
        labels: &[(&str, usize)],
        answers: &[(usize, usize, f64)],
    ) -> Judgement {
        let answers: Vec<Answer> = answers
            .iter()
            .enumerate()
            .map(|(photo, &(truth, answer, score))| Answer {
                photo,
                truth,
                answer,
                score,
                truth_score: if truth == answer { score } else { 0.0 },
                unknown: false,
                float_answer: None,
            })
            .collect();
        let pairs = answers.iter().map(|answer| (answer.truth, answer.answer));
        let confusion = Confusion::from_pairs(labels.len(), pairs);
        let count = |of: &dyn Fn(&&Answer) -> bool| answers.iter().filter(of).count();
        let figures = labels.iter().enumerate().map(|(index, (label, photos))| {
            let right = confusion.count(index, index);
            let tested = count(&|answer| answer.truth == index);
            LabelFigures {
                label: (*label).to_owned(),
                split: [photos - tested, 0, tested],
                recall: Share::new(right, tested),
                precision: Share::new(right, count(&|answer| answer.answer == index)),
                float_recall: None,
            }
        });
        Judgement {
            labels: figures.collect(),
            mixups: mixups(&confusion),
            bins: bins(&answers),
            validation: Confusion::from_pairs(labels.len(), []),
            confusion,
            answers,
            adjusted: false,
        }
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
        let judgement = judgement(&labels, &answers);
        let expected = (4.0 * (0.95 - 0.75) + 0.45) / 5.0;
        assert!((judgement.calibration_error().unwrap() - expected).abs() < 1e-12);
        assert_eq!(judgement.bins[9].right, Share::new(3, 4));
        assert_eq!(judgement.mistakes().len(), 1);
        assert_eq!(judgement.accuracy(), Share::new(4, 5));
        assert_eq!(judgement.float_accuracy(), None);
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
        let judgement = judgement(&labels, &answers);
        let f1: Vec<_> = judgement.labels.iter().map(LabelFigures::f1).collect();
        let expected = [Some(2.0 / 3.0), Some(0.5), Some(0.0), Some(0.0), None];
        assert_eq!(f1, expected);
        let mean = judgement.macro_mean().unwrap();
        assert_eq!(mean.labels, 4);
        for (found, expected) in [
            (mean.precision, 0.25),
            (mean.recall, 0.354_166_666_666_666_63),
            (mean.f1, 0.291_666_666_666_666_63),
        ] {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(judgement.by_guessing(), Some(0.4));
    }

    #[test]
    fn pairs_are_of_both_directions() {
        let labels = [("a", 9), ("b", 9), ("c", 9)];
        let pairs = [(0, 1), (1, 0), (2, 1), (0, 2), (2, 0), (2, 0), (1, 1)];
        let answers = pairs.map(|(truth, answer)| (truth, answer, 0.5));
        let found = judgement(&labels, &answers).confused_pairs();
        assert_eq!(found, [(0, 2, 3), (0, 1, 2), (1, 2, 1)]);
    }

    #[test]
    fn mixups_come_in_order() {
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
        let found = judgement(&labels, &answers).mixups;
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
        let judgement = judgement(&[("a", 3), ("b", 3)], &[]);
        assert_eq!(judgement.cross_entropy(), None);
        assert_eq!(judgement.calibration_error(), None);
        assert_eq!(judgement.accuracy().percent(), "-");
    }
}
