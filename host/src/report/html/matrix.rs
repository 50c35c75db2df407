//! The confusion matrix: all of it, or its most confused part.

use std::collections::BTreeMap;

use super::pictures;
use super::text::{clean, counted};
use crate::report::judge::Judgement;

/// Maximum of labels of a matrix that is shown whole.
const WHOLE: usize = 50;
/// Maximum of labels shown of a larger one.
const PART: usize = 30;

/// The labels that a matrix shows.
pub(super) struct Focus {
    /// In the order in which they are shown.
    pub(super) labels: Vec<usize>,
    /// True if these are all labels.
    pub(super) whole: bool,
}

impl Focus {
    /// All labels, or the most confused of more than are shown.
    pub(super) fn of(judgement: &Judgement) -> Self {
        Self::within(judgement, WHOLE, PART)
    }

    /// All labels, or if those are more than `whole`, the `part` most confused: both of each pair, so
    /// that those that are taken for each other stand together.
    pub(super) fn within(judgement: &Judgement, whole: usize, part: usize) -> Self {
        let count = judgement.labels.len();
        if count <= whole {
            return Focus {
                labels: (0..count).collect(),
                whole: true,
            };
        }
        let mut is_in = vec![false; count];
        let mut labels = Vec::new();
        for (a, b, _) in judgement.confused_pairs() {
            for label in [a, b] {
                if !is_in[label] && labels.len() < part {
                    is_in[label] = true;
                    labels.push(label);
                }
            }
        }
        Focus {
            labels,
            whole: false,
        }
    }
}

pub(super) struct Cell {
    /// As it is written; empty where there is no photo.
    pub(super) count: String,
    pub(super) class: String,
    /// Id of the popover that it opens; empty if there is none.
    pub(super) id: String,
    pub(super) title: String,
}

pub(super) struct Row {
    pub(super) label: String,
    pub(super) cells: Vec<Cell>,
}

#[derive(Default)]
pub(super) struct Matrix {
    /// Labels along the top.
    pub(super) columns: Vec<String>,
    /// True if a column for all other labels follows.
    pub(super) others: bool,
    /// True if a column of photos called `unknown` follows.
    pub(super) unknown: bool,
    pub(super) rows: Vec<Row>,
    pub(super) note: String,
}

/// The matrix of `focus`. `sentences` is the judgement with its labels as sentences want them.
pub(super) fn matrix(judgement: &Judgement, sentences: &Judgement, focus: &Focus) -> Matrix {
    let labels = &judgement.labels;
    let mut unknown: BTreeMap<usize, usize> = BTreeMap::new();
    for answer in judgement.answers.iter().filter(|answer| answer.unknown) {
        *unknown.entry(answer.truth).or_default() += 1;
    }
    let named = |truth: usize, answer: usize| {
        let count = judgement.confusion.count(truth, answer);
        let of_row = labels[truth].recall.whole.max(1);
        // From 1, of the fewest, to 5, of the whole row.
        let heat = (5 * count).div_ceil(of_row).clamp(1, 5);
        let kind = if truth == answer { "right" } else { "wrong" };
        cell(
            count,
            format!("{kind}-{heat}"),
            pictures::id(truth, answer),
            pictures::title(&sentences.labels, truth, answer),
        )
    };
    let row = |&truth: &usize| {
        let mut cells: Vec<Cell> = focus.labels.iter().map(|&a| named(truth, a)).collect();
        if !focus.whole {
            let shown = focus.labels.iter();
            let shown: usize = shown.map(|&a| judgement.confusion.count(truth, a)).sum();
            let others = labels[truth].recall.whole.saturating_sub(shown);
            let title = format!(
                "{} taken for a label not shown",
                sentences.labels[truth].label
            );
            cells.push(cell(others, "apart".to_owned(), String::new(), title));
        }
        if !unknown.is_empty() {
            cells.push(cell(
                unknown.get(&truth).copied().unwrap_or(0),
                "apart".to_owned(),
                pictures::id(truth, labels.len()),
                pictures::title(&sentences.labels, truth, labels.len()),
            ));
        }
        Row {
            label: clean(&labels[truth].label),
            cells,
        }
    };
    let columns = focus
        .labels
        .iter()
        .map(|&label| clean(&labels[label].label));
    Matrix {
        columns: columns.collect(),
        others: !focus.whole && !focus.labels.is_empty(),
        unknown: !unknown.is_empty() && !focus.labels.is_empty(),
        rows: focus.labels.iter().map(row).collect(),
        note: note(judgement, focus),
    }
}

fn cell(count: usize, class: String, id: String, title: String) -> Cell {
    let shown = count > 0;
    Cell {
        count: if shown {
            count.to_string()
        } else {
            String::new()
        },
        class: if shown { class } else { String::new() },
        id,
        title: format!("{title}: {}", counted(count, "photo")),
    }
}

/// A sentence on the part of the matrix that is shown; empty if that is all of it.
fn note(judgement: &Judgement, focus: &Focus) -> String {
    let count = judgement.labels.len();
    match (focus.whole, focus.labels.len()) {
        (true, _) => String::new(),
        (false, 0) => format!(
            "No test photo of the {count} labels is taken for another label, so there is nothing to show."
        ),
        (false, shown) => {
            let mut is_in = vec![false; count];
            focus.labels.iter().for_each(|&label| is_in[label] = true);
            let mistakes = judgement.answers.iter().filter(|answer| !answer.is_right());
            let inside = mistakes
                .clone()
                .filter(|a| is_in[a.truth] && is_in[a.answer]);
            format!(
                "A matrix of all {count} labels would be too large to read. These are the {shown} labels \
                 that are most often taken for each other; {} of {} lie among them.",
                inside.count(),
                counted(mistakes.count(), "mistake")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::judge::tests::judgement;

    /// So many labels, of which the last two are taken for each other most, then the first for the
    /// third.
    fn many(count: usize) -> Judgement {
        let names: Vec<String> = (0..count).map(|index| format!("label {index}")).collect();
        let labels: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 10)).collect();
        let mut answers: Vec<(usize, usize, f64)> =
            (0..count).map(|label| (label, label, 0.9)).collect();
        answers.extend([
            (count - 1, count - 2, 0.8),
            (count - 2, count - 1, 0.7),
            (0, 2, 0.6),
        ]);
        judgement(&labels, &answers)
    }

    #[test]
    fn up_to_fifty_labels_are_shown_whole() {
        let judgement = many(50);
        let focus = Focus::of(&judgement);
        let shown = matrix(&judgement, &judgement, &focus);
        assert_eq!((shown.rows.len(), shown.columns.len()), (50, 50));
        assert!(!shown.others && !shown.unknown && shown.note.is_empty());
        assert_eq!(shown.rows[49].cells[48].count, "1");
        assert_eq!(shown.rows[49].cells[47].count, "");
    }

    #[test]
    fn of_more_labels_the_confused_ones_are_shown_and_it_is_said() {
        let mut judgement = many(1000);
        judgement.answers[999].unknown = true;
        let focus = Focus::of(&judgement);
        assert_eq!(focus.labels, [998, 999, 0, 2]);
        let shown = matrix(&judgement, &judgement, &focus);
        assert!(shown.others && shown.unknown);
        assert!(shown.note.contains("all 1000 labels"), "{}", shown.note);
        assert!(shown.note.contains("the 4 labels"), "{}", shown.note);
        assert!(shown.note.contains("3 of 3 mistakes"), "{}", shown.note);
        let counts = |row: &Row| {
            row.cells
                .iter()
                .map(|c| c.count.clone())
                .collect::<Vec<_>>()
        };
        // Four labels, other labels, unknown.
        assert_eq!(counts(&shown.rows[0]), ["1", "1", "", "", "", ""]);
        assert_eq!(counts(&shown.rows[1]), ["1", "1", "", "", "", "1"]);
        let within = Focus::within(&judgement, 8, 3);
        assert_eq!(within.labels, [998, 999, 0]);
    }

    #[test]
    fn what_is_taken_for_a_label_that_is_not_shown_is_counted() {
        let judgement = many(60);
        let focus = Focus::within(&judgement, 8, 3);
        let shown = matrix(&judgement, &judgement, &focus);
        let others: Vec<&str> = shown
            .rows
            .iter()
            .map(|row| row.cells[3].count.as_str())
            .collect();
        assert_eq!(others, ["", "", "1"]);
    }
}
