//! Options and results of `posy retrain` that concern answers: how sure, unknown or not, and what
//! the integer network may lose.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::output::note;
use crate::dataset::SplitFile;
use crate::eval::calibration::BINS;
use crate::eval::stats::{Proportion, percent_or_dash};
use crate::eval::{LEAST_PHOTOS, Options, Rejection, Reliability, Threshold};
use crate::retrain::TrainedModel;

/// Options about answers.
#[derive(Debug, Args)]
pub(super) struct Answers {
    /// Rule that recognises a picture of none of the labels.
    #[arg(long, value_enum, default_value_t = UnknownName::Distance)]
    unknown: UnknownName,
    /// Percentage of held-out photos of the labels that may be called unknown.
    #[arg(
        long,
        alias = "unknown_percentage",
        value_name = "PERCENT",
        default_value_t = 5.0,
        value_parser = percentage
    )]
    unknown_percentage: f64,
    /// Fail, with exit code 1, where int8 loses more points of accuracy than this to float, on
    /// validation and test photos together; all files are written even so [default: more than 2 points are
    /// a warning].
    #[arg(
        long,
        alias = "max_drop",
        value_name = "POINTS",
        conflicts_with = "no_float",
        value_parser = points
    )]
    pub(super) max_drop: Option<f64>,
    /// Divide all photos anew, though an earlier run left its split beside the model.
    #[arg(long, alias = "new_split")]
    new_split: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnknownName {
    /// Rejects by the greatest logit and by how like the training photos its features are.
    Distance,
    /// Rejects by the score of the likeliest label alone.
    Score,
    /// Rejects by photos in a folder _unknown alone; without it, everything gets a label.
    Off,
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    match number.is_finite() {
        true => Ok(number),
        false => Err("is not a number".into()),
    }
}

fn percentage(text: &str) -> Result<f64, String> {
    match number(text)? {
        percent if (0.0..=50.0).contains(&percent) => Ok(percent),
        _ => Err("must be 0 to 50".into()),
    }
}

fn points(text: &str) -> Result<f64, String> {
    match number(text)? {
        points if (0.0..=100.0).contains(&points) => Ok(points),
        _ => Err("must be 0 to 100".into()),
    }
}

impl Answers {
    /// Options of calibration and rejection.
    pub(super) fn options(&self) -> Options {
        Options {
            rejection: match self.unknown {
                UnknownName::Distance => Rejection::Distance,
                UnknownName::Score => Rejection::Score,
                UnknownName::Off => Rejection::Off,
            },
            rejected: self.unknown_percentage / 100.0,
            calibrate: true,
        }
    }

    /// The split of an earlier run, where there is one that can be read.
    pub(super) fn earlier(&self, path: &Path) -> Option<SplitFile> {
        if self.new_split || !path.exists() {
            return None;
        }
        let read = SplitFile::read(path);
        read.inspect_err(|error| note!("warning: {error}; photos are divided anew"))
            .ok()
    }
}

/// Calibration and rejection, line by line.
pub(super) fn answer_lines(outcome: &TrainedModel) -> Vec<String> {
    let (decision, evaluation) = (&outcome.decision, &outcome.evaluation);
    let error = |reliability: &Reliability| percent_or_dash(reliability.expected_error());
    let mut lines = Vec::new();
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
    }
    let [before, after] = &evaluation.reliability;
    if after.photos() > 0 {
        lines.push(format!(
            "scores of the {} test photos: off by {} as they come and by {} as calibrated (calibration error \
             in {BINS} bins); of so few photos, perfect scores would seem to be off by {}",
            after.photos(),
            error(before),
            error(after),
            percent_or_dash(after.error_by_chance())
        ));
    }
    let rejected = evaluation.unknown.rejected;
    let held_out = format!(
        "said of {} of the test photos ({}; {} of held-out ones)",
        rejected.percent(),
        rejected.counts(),
        decision.known.percent()
    );
    lines.push(match &decision.threshold {
        Threshold::None if decision.unknown_logit => {
            format!("unknown: {held_out}, by what the photos of _unknown taught alone")
        }
        Threshold::None => "unknown: never answered".into(),
        Threshold::TooFew => format!(
            "unknown: never answered; it takes {LEAST_PHOTOS} photos, 5 of each label, to choose a threshold"
        ),
        Threshold::Score(below) => format!(
            "unknown: {held_out}, those with scores below {:.1}%",
            100.0 * below
        ),
        Threshold::Distance { accepted_from, .. } => format!(
            "unknown: {held_out}, those least like the training photos (logit and likeness below \
             {accepted_from:.2})"
        ),
    });
    let others = evaluation.unknown.found;
    if others.whole > 0 {
        lines.push(format!(
            "unknown: {} of {} test photos of _unknown given a label",
            others.rest().percent(),
            others.whole
        ));
    }
    lines
}

/// Calibration and rejection as JSON.
pub(super) fn answers_as_json(outcome: &TrainedModel) -> serde_json::Value {
    let (decision, evaluation) = (&outcome.decision, &outcome.evaluation);
    let errors = |[before, after]: &[Reliability; 2]| json!({"before": before.expected_error(), "after": after.expected_error()});
    let (by, threshold) = match &decision.threshold {
        Threshold::None | Threshold::TooFew => (None, None),
        Threshold::Score(below) => (Some("score"), Some(*below)),
        Threshold::Distance { accepted_from, .. } => (Some("distance"), Some(*accepted_from)),
    };
    let loss = evaluation.paired.map(|loss| {
        json!({"photos": loss.photos, "points": loss.points(),
            "only_float": loss.only_float, "only_int8": loss.only_int8})
    });
    let rejected = |of: Proportion| json!({"photos": of.whole, "rejected": of.part});
    let others = evaluation.unknown.found.rest();
    json!({
        "temperature": decision.temperature,
        "held_out": decision.photos,
        "calibration_bins": BINS,
        "calibration_error_held_out": errors(&decision.reliability),
        "calibration_error_test": errors(&evaluation.reliability),
        "rejected_by": by,
        "threshold": threshold,
        "unknown_label": decision.unknown_logit,
        "held_out_known": rejected(decision.known),
        "tested_known": rejected(evaluation.unknown.rejected),
        "tested_unknown": {"photos": others.whole, "accepted": others.part},
        "int8_loss": loss,
    })
}
