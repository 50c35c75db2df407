//! Rejection and calibration measured on the test photos.

use posy_nn::run;
use posy_shared::engine::EngineError;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_shared::softmax::{Beta, Softmax};
use rayon::prelude::*;

use super::{RejectionRule, Reliability, Threshold};
use crate::train::metrics::argmax;

/// Results of the model, as written to its file, on the test photos.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tested {
    /// Reliability of the scores, without the temperature and with it.
    pub reliability: [Reliability; 2],
    /// Number of photos with a label.
    pub known: usize,
    /// Number of them that are rejected as `unknown`.
    pub rejected: usize,
    /// Number of photos of none of the labels.
    pub others: usize,
    /// Number of them that are given a label.
    pub accepted: usize,
}

/// Choices of calibration and rejection, and their results on the test photos.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Choices, made on held-out photos.
    pub decision: RejectionRule,
    /// Results on the test photos.
    pub tested: Tested,
}

/// Runs `model` on test photos: int8 features and labels, `known` or above for none of the labels.
/// `plain` is the softmax's scale without the temperature.
///
/// # Errors
/// Returns an error if the features do not fit the model.
pub fn report(
    model: &Model<'_>,
    decision: RejectionRule,
    plain: Beta,
    photos: &[(&[i8], usize)],
) -> Result<Report, EngineError> {
    let known = model.label_len();
    let mut tested = Tested::default();
    let said = photos.par_iter().with_min_len(16).map(|(features, _)| {
        let outputs = run::head(model, features)?;
        let unknown = Ranking::<1>::new(model, &outputs).is_unknown();
        let logits = &outputs[..model.logit_len()];
        let best = argmax(logits);
        let scores = [plain, model.verdict().beta]
            .map(|beta| f64::from(Softmax::new(beta, logits).fine(logits[best])) / 65536.0);
        Ok((unknown, best, scores))
    });
    let said: Vec<(bool, usize, [f64; 2])> = said.collect::<Result<_, EngineError>>()?;
    for ((unknown, best, scores), &(_, label)) in said.into_iter().zip(photos) {
        for (score, reliability) in scores.into_iter().zip(&mut tested.reliability) {
            reliability.count(score, best == label);
        }
        if label < known {
            tested.known += 1;
            tested.rejected += usize::from(unknown);
        } else {
            tested.others += 1;
            tested.accepted += usize::from(!unknown);
        }
    }
    Ok(Report { decision, tested })
}

/// A share in percent with one digit; `-` if the whole is zero.
fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => "-".into(),
        _ => format!("{:.1}%", 100.0 * part as f64 / whole as f64),
    }
}

impl Report {
    /// The report for people, line by line.
    pub fn lines(&self) -> Vec<String> {
        let (decision, tested) = (&self.decision, &self.tested);
        let mut lines = Vec::new();
        let error = |reliability: &Reliability| {
            let error = reliability.expected_error();
            error.map_or("-".into(), |error| format!("{:.1}%", 100.0 * error))
        };
        if decision.photos > 0 {
            let [before, after] = &decision.reliability;
            lines.push(format!(
                "scores: off by {} on average as they come and by {} as calibrated (temperature {:.2}), on {} \
                 held-out photos",
                error(before),
                error(after),
                decision.temperature,
                decision.photos,
            ));
            let [before, after] = &tested.reliability;
            let chance = after.error_by_chance();
            lines.push(format!(
                "scores of the {} test photos: off by {} as they come and by {} as calibrated; of so few photos, \
                 perfect scores would seem to be off by {}",
                after.photos(),
                error(before),
                error(after),
                chance.map_or("-".into(), |chance| format!("{:.1}%", 100.0 * chance))
            ));
        }
        let (known, rejected) = decision.known;
        let held_out = format!(
            "said of {} of the test photos ({} of held-out ones)",
            percent(tested.rejected, tested.known),
            percent(rejected, known)
        );
        match &decision.threshold {
            Threshold::None if decision.unknown_logit => {
                lines.push(format!(
                    "unknown: {held_out}, by what the photos of _unknown taught alone"
                ));
            }
            Threshold::None => lines.push("unknown: never answered".into()),
            Threshold::TooFew => lines.push(format!(
                "unknown: never answered; it takes {} photos, 5 of each label, to choose a threshold",
                super::LEAST_PHOTOS
            )),
            Threshold::Score(below) => lines.push(format!(
                "unknown: {held_out}, those with scores below {:.1}%",
                100.0 * below
            )),
            Threshold::Distance { accepted_from, .. } => lines.push(format!(
                "unknown: {held_out}, those least like the training photos (logit and likeness below \
                 {accepted_from:.2})"
            )),
        }
        if tested.others > 0 {
            lines.push(format!(
                "unknown: {} of {} test photos of _unknown given a label",
                percent(tested.accepted, tested.others),
                tested.others
            ));
        }
        lines
    }
}
