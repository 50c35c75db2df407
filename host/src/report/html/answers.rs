//! The table of all test photos, and what it can be narrowed to.

use std::fmt::Write;

use super::Report;
use super::pictures::Pictures;
use super::text::clean;
use crate::eval::stats::percent;
use crate::report::judge::Answer;

/// Maximum of photos in the table; the others are in the run's record.
const MOST: usize = 5000;
/// Maximum of labels to filter the table by.
const MOST_LABELS: usize = 50;

pub(super) struct Row {
    pub(super) class: String,
    /// The class of its picture; empty where there is none.
    pub(super) picture: String,
    pub(super) name: String,
    pub(super) truth: String,
    pub(super) answer: String,
    pub(super) score: String,
    pub(super) result: &'static str,
}

pub(super) struct Choice {
    pub(super) value: usize,
    pub(super) label: String,
}

pub(super) struct Answers {
    pub(super) rows: Vec<Row>,
    /// Labels to narrow it to.
    pub(super) choices: Vec<Choice>,
    /// The style sheet that does so.
    pub(super) rules: String,
    pub(super) note: String,
    pub(super) has_unknown: bool,
}

/// The table. Mistakes come first, the surest at the top, then right answers, the least sure at the
/// top.
pub(super) fn answers(report: &Report<'_>, pictures: &Pictures) -> Answers {
    let judgement = report.judgement;
    let photos = &report.prepared.dataset.photos;
    let labels: Vec<String> = judgement.labels.iter().map(|l| clean(&l.label)).collect();
    let mut order = judgement.mistakes();
    let right = judgement.answers.iter().filter(|answer| answer.is_right());
    let mut right: Vec<&Answer> = right.collect();
    right.sort_by(|a, b| a.score.total_cmp(&b.score));
    order.extend(right);
    let count = order.len();
    let row = |answer: &&Answer| {
        let (kind, result) = match (answer.is_right(), answer.unknown) {
            (true, false) => ("r", "right"),
            (false, false) => ("w", "wrong"),
            (true, true) => ("r u", "right, said unknown"),
            (false, true) => ("w u", "wrong, said unknown"),
        };
        Row {
            class: format!("{kind} l{}", answer.truth),
            picture: pictures.class(answer.photo),
            name: clean(&photos[answer.photo].relative),
            truth: labels[answer.truth].clone(),
            answer: labels[answer.answer].clone(),
            score: percent(answer.score),
            result,
        }
    };
    let rows: Vec<Row> = order.iter().take(MOST).map(row).collect();
    let pictured = rows.iter().filter(|row| !row.picture.is_empty()).count();
    let mut note =
        "Mistakes come first, the surest at the top; then right answers, the least sure at \
                    the top."
            .to_owned();
    if pictured < rows.len() {
        let _ = write!(
            note,
            " {pictured} photos are shown small, the others by name alone, so that the page stays small."
        );
    }
    if rows.len() < count {
        let _ = write!(
            note,
            " The table has {} of {count} photos; all are in the file .run.json beside the model.",
            rows.len()
        );
    }
    let mut rules = String::new();
    let mut choices = Vec::new();
    if labels.len() <= MOST_LABELS {
        for (value, label) in labels.into_iter().enumerate() {
            let _ = write!(
                rules,
                "#tested:has(option[value=\"{value}\"]:checked) tbody tr:not(.l{value}){{display:none}}"
            );
            choices.push(Choice { value, label });
        }
    }
    Answers {
        has_unknown: order.iter().any(|answer| answer.unknown),
        rows,
        choices,
        rules,
        note,
    }
}
