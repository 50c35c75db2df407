//! Options and results of `posy retrain` that concern answers: how sure, unknown or not, and what
//! the integer network may lose.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::output::note;
use crate::dataset::SplitFile;
use crate::eval::{Options, Rejection, Threshold};
use crate::retrain::{More, Outcome};

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
    /// By the greatest logit and by how like the training photos its features are.
    Distance,
    /// By the score of the likeliest label alone.
    Score,
    /// By photos in a folder _unknown alone; without it, everything gets a label.
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
    /// What training does besides; `split` is where an earlier run left its split.
    pub(super) fn more(&self, split: &Path) -> More {
        More {
            verdict: Options {
                rejection: match self.unknown {
                    UnknownName::Distance => Rejection::Distance,
                    UnknownName::Score => Rejection::Score,
                    UnknownName::Off => Rejection::Off,
                },
                rejected: self.unknown_percentage / 100.0,
                calibrate: true,
            },
            earlier: self.earlier(split),
        }
    }

    /// The split of an earlier run, where there is one that can be read.
    fn earlier(&self, path: &Path) -> Option<SplitFile> {
        if self.new_split || !path.exists() {
            return None;
        }
        let read = SplitFile::read(path);
        read.inspect_err(|error| note!("warning: {error}; photos are divided anew"))
            .ok()
    }
}

/// What was decided of answers, and what came of it, for a program.
pub(super) fn answers_as_json(outcome: &Outcome) -> serde_json::Value {
    let (decision, tested) = (&outcome.verdict.decision, &outcome.verdict.tested);
    let errors = |pair: &[crate::eval::Reliability; 2]| json!({"before": pair[0].expected_error(), "after": pair[1].expected_error()});
    let (by, threshold) = match &decision.threshold {
        Threshold::None | Threshold::TooFew => (None, None),
        Threshold::Score(below) => (Some("score"), Some(*below)),
        Threshold::Distance { accepted_from, .. } => (Some("distance"), Some(*accepted_from)),
    };
    let loss = outcome.loss.map(|loss| {
        json!({"photos": loss.photos, "points": loss.points(),
            "only_float": loss.only_float, "only_int8": loss.only_int8})
    });
    json!({
        "temperature": decision.temperature,
        "held_out": decision.photos,
        "calibration_error_held_out": errors(&decision.reliability),
        "calibration_error_test": errors(&tested.reliability),
        "rejected_by": by,
        "threshold": threshold,
        "unknown_label": decision.unknown_logit,
        "held_out_known": {"photos": decision.known.0, "rejected": decision.known.1},
        "tested_known": {"photos": tested.known, "rejected": tested.rejected},
        "tested_unknown": {"photos": tested.others, "accepted": tested.accepted},
        "int8_loss": loss,
    })
}
