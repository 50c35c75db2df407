//! Calibration and rejection: the score of an answer, and the rule for answering `unknown`.
//!
//! The temperature of the scores and the threshold below which a picture is `unknown` are chosen on
//! out-of-fold predictions: training and validation photos are divided into folds, and each is
//! predicted by a head and prototypes fitted to the others ([`cross_validate`]). Test photos take
//! no part in these choices; [`Evaluation`](super::Evaluation) has their results.

use posy_nn::export::ScoreParams;
use posy_nn::graph::head::{Head, softmax};
use posy_nn::graph::network::Quantisation;
use posy_shared::model::{Acceptance, AcceptanceSpec};
use rayon::prelude::*;

use super::calibration::{self, Reliability};
use super::cross_validation::{FoldModel, LEAST_PHOTOS, OutOfFold, Photos, cross_validate, enough};
use super::prototypes::Prototypes;
use super::stats::Proportion;

/// Name of the folder with photos of none of the labels.
pub const UNKNOWN: &str = "_unknown";

/// Rejection rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejection {
    /// No rejection, except by a logit of "none of these" where there is one.
    Off,
    /// Rejects by the score of the likeliest label.
    Score,
    /// Rejects by the sum of a label's greatest logit and the prototype similarity, each divided by
    /// its standard deviation.
    #[default]
    Distance,
}

/// Options of calibration and rejection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Rejection rule.
    pub rejection: Rejection,
    /// Share of labelled held-out photos that may be rejected, `0.0..1.0`.
    pub rejected: f64,
    /// True if scores are calibrated.
    pub calibrate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            rejection: Rejection::default(),
            rejected: 0.05,
            calibrate: true,
        }
    }
}

impl Options {
    /// Uncalibrated scores, and no rejection.
    pub const NOTHING: Self = Options {
        rejection: Rejection::Off,
        rejected: 0.0,
        calibrate: false,
    };

    /// Returns true if anything is chosen on held-out photos.
    pub fn decides(&self) -> bool {
        self.rejection != Rejection::Off || self.calibrate
    }
}

/// Threshold of rejection.
#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    /// No rejection.
    None,
    /// No rejection, because there are too few photos for choosing a threshold.
    TooFew,
    /// Score, `0.0..=1.0`.
    Score(f64),
    /// Threshold of `logit / logit deviation + similarity / similarity deviation`.
    Distance {
        /// Standard deviation of the held-out photos' greatest logit.
        logit: f64,
        /// Standard deviation of their prototype similarity.
        familiarity: f64,
        /// Sum from which on a picture is accepted.
        accepted_from: f64,
        /// The prototypes.
        tables: Prototypes,
    },
}

/// Choices made on held-out photos.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectionRule {
    /// Divisor of the logits before the softmax.
    pub temperature: f64,
    /// Threshold of rejection.
    pub threshold: Threshold,
    /// Number of held-out photos used; 0 if they were too few.
    pub photos: usize,
    /// Reliability of their scores, without the temperature and with it.
    pub reliability: [Reliability; 2],
    /// Labelled held-out photos that are rejected.
    pub known: Proportion,
    /// True if the last label stands for "none of these".
    pub unknown_logit: bool,
}

/// Chooses temperature and threshold on `photos`, training and validation; `fit` trains a fold's
/// model on the photos whose indices it receives, as the final head is trained.
///
/// # Errors
/// Returns an error of `fit`.
pub fn calibrate<E: Send>(
    photos: &Photos,
    options: Options,
    fit: &(dyn Fn(&[usize]) -> Result<FoldModel, E> + Sync),
) -> Result<RejectionRule, E> {
    let mut decision = RejectionRule::nothing(photos);
    if !options.decides() {
        return Ok(decision);
    }
    if !enough(photos) {
        if options.rejection != Rejection::Off {
            decision.threshold = Threshold::TooFew;
        }
        return Ok(decision);
    }
    let tables = options.rejection == Rejection::Distance;
    let held_out = cross_validate(photos, tables, fit)?;
    decide(&mut decision, photos, &held_out, options, Place::OfMany);
    Ok(decision)
}

/// Chooses temperature and threshold on the `held_out` photos, which neither the layers nor the
/// `head` were trained on; prototypes are those of the photos `seen` in training.
pub fn calibrate_held_out(
    seen: &Photos,
    held_out: &Photos,
    head: &Head,
    options: Options,
) -> RejectionRule {
    let mut decision = RejectionRule::nothing(seen);
    if !options.decides() {
        return decision;
    }
    let known = held_out.features.labels().iter();
    if known.filter(|&&label| label < held_out.known).count() < LEAST_PHOTOS {
        if options.rejection != Rejection::Off {
            decision.threshold = Threshold::TooFew;
        }
        return decision;
    }
    let rows: Vec<&[i8]> = seen.rows.iter().map(Vec::as_slice).collect();
    let tables = match options.rejection {
        Rejection::Distance => Prototypes::fit(&rows, seen.features.labels(), seen.known),
        _ => None,
    };
    let found = OutOfFold {
        logits: held_out.features.logits(head),
        familiarity: tables.map(|tables| {
            let rows = held_out.rows.par_iter().with_min_len(16);
            rows.map(|row| tables.familiarity_of(row)).collect()
        }),
        labels: held_out.features.labels().to_vec(),
    };
    decide(&mut decision, seen, &found, options, Place::OfFew);
    decision
}

/// Chooses temperature and threshold on predictions of held-out photos.
fn decide(
    decision: &mut RejectionRule,
    photos: &Photos,
    held_out: &OutOfFold,
    options: Options,
    place: Place,
) {
    decision.photos = held_out.labels.len();
    if options.calibrate {
        decision.temperature = calibration::temperature(&held_out.logits, &held_out.labels);
    }
    decision.reliability = [1.0, decision.temperature]
        .map(|temperature| reliability(held_out, photos.labels, temperature));
    choose(decision, photos, held_out, options, place);
}

/// Estimate of the quantile at which the threshold lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The share of the held-out photos themselves.
    OfMany,
    /// The share of photos to come: of n photos and another, each is as likely to be the k-th.
    OfFew,
}

/// Softmax of logits divided by a temperature.
fn scores(logits: &[f32], temperature: f64) -> Vec<f32> {
    let scaled: Vec<f32> = logits
        .iter()
        .map(|&z| (f64::from(z) / temperature) as f32)
        .collect();
    softmax(&scaled)
}

fn reliability(held_out: &OutOfFold, labels: usize, temperature: f64) -> Reliability {
    let photos = held_out.logits.par_chunks_exact(labels);
    let photos = photos.zip(&held_out.labels).with_min_len(64);
    let said = photos.map(|(logits, &label)| {
        let scores = scores(logits, temperature);
        let best = crate::train::metrics::argmax(&scores);
        (f64::from(scores[best]), best == label)
    });
    let said: Vec<(f64, bool)> = said.collect();
    let mut found = Reliability::default();
    said.into_iter()
        .for_each(|(score, right)| found.count(score, right));
    found
}

/// Chooses the threshold on the labelled photos.
fn choose(
    decision: &mut RejectionRule,
    photos: &Photos,
    held_out: &OutOfFold,
    options: Options,
    place: Place,
) {
    /// A photo's greatest logit of a named label, its score, its prototype similarity, and true if
    /// "none of these" is likelier.
    struct Said {
        logit: f64,
        score: f64,
        familiarity: f64,
        other: bool,
    }
    let familiarity = held_out.familiarity.as_deref().unwrap_or(&[]);
    let said: Vec<Said> = held_out
        .logits
        .par_chunks_exact(photos.labels)
        .zip(&held_out.labels)
        .enumerate()
        .with_min_len(64)
        .filter(|(_, (_, label))| **label < photos.known)
        .map(|(photo, (logits, _))| {
            let (named, other) = logits.split_at(photos.known);
            let best = crate::train::metrics::argmax(named);
            Said {
                logit: f64::from(named[best]),
                score: f64::from(scores(logits, decision.temperature)[best]),
                familiarity: familiarity.get(photo).copied().map_or(0.0, f64::from),
                other: other.iter().any(|&other| other > named[best]),
            }
        })
        .collect();
    let deviation = |of: fn(&Said) -> f64| {
        let count = said.len() as f64;
        let mean = said.iter().map(of).sum::<f64>() / count;
        let squares: f64 = said.iter().map(|said| (of(said) - mean).powi(2)).sum();
        (squares / count).sqrt().max(1e-6)
    };
    let (logit, steps) = (
        deviation(|said| said.logit),
        deviation(|said| said.familiarity),
    );
    let has_tables = options.rejection == Rejection::Distance && held_out.familiarity.is_some();
    let measure = |said: &Said| match options.rejection {
        _ if said.other => f64::NEG_INFINITY,
        Rejection::Off => 0.0,
        Rejection::Distance if has_tables => said.logit / logit + said.familiarity / steps,
        Rejection::Score | Rejection::Distance => said.score,
    };
    let mut measures: Vec<f64> = said.iter().map(measure).collect();
    measures.sort_by(f64::total_cmp);
    let count = measures.len() as f64;
    let place = match place {
        Place::OfMany => (options.rejected * count) as usize,
        Place::OfFew => ((options.rejected * (count + 1.0)) as usize).saturating_sub(1),
    };
    let from = measures[place.min(measures.len() - 1)];
    let rejected = measures.iter().filter(|&&measure| measure < from).count();
    let others = said.iter().filter(|said| said.other).count();
    decision.known = Proportion::new(rejected.max(others), said.len());
    decision.threshold = match options.rejection {
        Rejection::Off => Threshold::None,
        // "None of these" alone rejects the permitted share.
        _ if from == f64::NEG_INFINITY => Threshold::None,
        Rejection::Distance if has_tables => {
            let rows: Vec<&[i8]> = photos.rows.iter().map(Vec::as_slice).collect();
            match Prototypes::fit(&rows, photos.features.labels(), photos.known) {
                Some(tables) => Threshold::Distance {
                    logit,
                    familiarity: steps,
                    accepted_from: from,
                    tables,
                },
                None => Threshold::None,
            }
        }
        Rejection::Score | Rejection::Distance => Threshold::Score(from),
    };
}

impl RejectionRule {
    /// Uncalibrated scores and no rejection, but by a logit of "none of these".
    fn nothing(photos: &Photos) -> Self {
        RejectionRule {
            temperature: 1.0,
            threshold: Threshold::None,
            photos: 0,
            reliability: Default::default(),
            known: Proportion::default(),
            unknown_logit: photos.known < photos.labels,
        }
    }

    /// The parameters of score and rejection in the board's form; `logits` is the quantisation of
    /// the model's logits.
    pub fn score_params(&self, logits: Quantisation) -> ScoreParams {
        let mut score_params = ScoreParams {
            temperature: self.temperature as f32,
            unknown_logit: self.unknown_logit,
            ..ScoreParams::default()
        };
        match &self.threshold {
            Threshold::None | Threshold::TooFew => {}
            Threshold::Score(below) => score_params.unknown_below = (below * 65536.0) as u32,
            Threshold::Distance {
                logit,
                familiarity,
                accepted_from,
                tables,
            } => {
                // Greatest weight; 16 bits have room for 16 times as much.
                const WEIGHT: f64 = 4096.0;
                let step = f64::from(logits.scale) / logit;
                let unit = WEIGHT / step.max(familiarity.recip());
                let zero = step * f64::from(logits.zero_point);
                score_params.acceptance = Some(AcceptanceSpec {
                    facts: Acceptance {
                        table: 0,
                        prototypes: 0,
                        multiplier: tables.multiplier,
                        logit_weight: (unit * step).round() as u16,
                        familiarity_weight: (unit / familiarity).round() as u16,
                        accepted_from: (unit * (accepted_from + zero)).floor() as i32,
                    },
                    centre: tables.centre.clone(),
                    scale: tables.scale.clone(),
                    prototypes: tables.prototypes.clone(),
                });
            }
        }
        score_params
    }
}

#[cfg(test)]
#[path = "rejection_tests.rs"]
mod tests;
