//! Printing of the results of `posy retrain`.

use std::path::Path;

use serde_json::json;

use super::answers::{answer_lines, answers_as_json};
use super::record::fine_tuning;
use crate::cli::Failure;
use crate::cli::output::{Out, print_table};
use crate::dataset::Dataset;
use crate::eval::confusion::Confusion;
use crate::eval::stats::{Proportion, percent_or_dash};
use crate::eval::{Evaluation, Prediction};
use crate::report::Reader;
use crate::report::advice::advice;
use crate::report::commands::{Command, Commands};
use crate::report::headline::headline;
use crate::retrain::{Prepared, TrainedModel};

/// Pairs of labels that are printed as often taken for each other.
const MIXUPS: usize = 3;

/// Labels of a confusion matrix that is given whole; of more, pairs that are mixed up tell as much.
const MATRIX: usize = 50;

/// The confusion matrix, row by row; none of too many labels.
pub(super) fn confusion_json(confusion: &Confusion) -> Option<Vec<Vec<usize>>> {
    let count = confusion.labels();
    let row = |truth| (0..count).map(move |answer| confusion.count(truth, answer));
    (count <= MATRIX).then(|| (0..count).map(|truth| row(truth).collect()).collect())
}

/// Advice on the next run, with photos by their path in the data set.
fn advice_of(prepared: &Prepared, outcome: &TrainedModel) -> Vec<String> {
    let photos = &prepared.dataset.photos;
    let name = |photo: usize| photos[photo].relative.clone();
    advice(
        &outcome.evaluation,
        outcome.fine_tuned.is_some(),
        Reader::Command,
        &name,
    )
}

/// Test photos that are given another label.
pub(super) fn misclassified_json(
    dataset: &Dataset,
    evaluation: &Evaluation,
) -> Vec<serde_json::Value> {
    let row = |wrong: &Prediction| {
        json!({
            "photo": dataset.photos[wrong.photo].relative,
            "answer": dataset.labels[wrong.answer()],
        })
    };
    evaluation.wrong().map(row).collect()
}

fn share_json(share: Proportion) -> serde_json::Value {
    let (low, high) = share.interval().unzip();
    json!({"part": share.part, "whole": share.whole, "low": low, "high": high})
}

/// Recall and precision of each label.
pub(super) fn print_labels(evaluation: &Evaluation) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = evaluation
        .labels
        .iter()
        .map(|label| {
            vec![
                label.label.clone(),
                label.photos().to_string(),
                label.recall.whole.to_string(),
                label.recall.percent(),
                label.recall.range(),
                label.precision.percent(),
                percent_or_dash(label.f1()),
            ]
        })
        .collect();
    let heading = [
        "label",
        "photos",
        "tested",
        "recall",
        "95% range",
        "precision",
        "F1",
    ];
    print_table(&heading, &rows)
}

/// Prints the test photos that are given another label.
pub(super) fn print_misclassified(
    out: &mut Out,
    dataset: &Dataset,
    evaluation: &Evaluation,
) -> Result<(), Failure> {
    writeln!(out, "=== MISCLASSIFIED TEST IMAGES ===")?;
    for wrong in evaluation.wrong() {
        let path = dataset.photos[wrong.photo].path.display();
        writeln!(out, "{path}  {}", dataset.labels[wrong.answer()])?;
    }
    writeln!(out)?;
    Ok(())
}

pub(super) fn labels_json(evaluation: &Evaluation) -> serde_json::Value {
    let labels = evaluation.labels.iter().map(|label| {
        json!({
            "label": label.label,
            "photos": label.photos(),
            "recall": share_json(label.recall),
            "precision": share_json(label.precision),
            "f1": label.f1(),
            "unknown": label.unknown,
            "float_recall": label.float_recall.map(share_json),
        })
    });
    labels.collect()
}

pub(super) fn macro_mean_json(evaluation: &Evaluation) -> Option<serde_json::Value> {
    evaluation.macro_mean().map(|mean| {
        json!({"labels": mean.labels, "recall": mean.recall, "precision": mean.precision, "f1": mean.f1})
    })
}

/// Prints tables and accuracies for a person; `list_misclassified` adds the wrong answers.
pub(super) fn print(
    prepared: &Prepared,
    outcome: &TrainedModel,
    commands: &Commands,
    list_misclassified: bool,
) -> Result<(), Failure> {
    let [training, validation, testing] = outcome.counts;
    let evaluation = &outcome.evaluation;
    print_labels(evaluation)?;
    let mut out = Out::lock();
    writeln!(
        out,
        "recall: of a label's test photos, the part that was given it; precision: of the test photos given \
         it, the part that is of it; F1: both in one number"
    )?;
    writeln!(out)?;
    if !evaluation.confused.is_empty() {
        writeln!(out, "most often taken for another:")?;
        for pair in evaluation.confused.iter().take(MIXUPS) {
            let [own, given] =
                [pair.truth, pair.answer].map(|index| &evaluation.labels[index].label);
            let (photos, of) = (pair.photos, pair.of);
            writeln!(out, "  {own} for {given}: {photos} of {of}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "to try next:")?;
    for line in advice_of(prepared, outcome) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    if !commands.improving.is_empty() {
        writeln!(out, "without new photos:")?;
        for Command { what, line } in &commands.improving {
            writeln!(out, "  {what}:")?;
            writeln!(out, "    {line}")?;
        }
        writeln!(out)?;
    }
    if list_misclassified {
        print_misclassified(&mut out, &prepared.dataset, evaluation)?;
    }
    writeln!(
        out,
        "{training} training, {validation} validation, {testing} test photos"
    )?;
    for line in answer_lines(outcome) {
        writeln!(out, "{line}")?;
    }
    let headline = headline(evaluation, Reader::Command);
    writeln!(
        out,
        "in words: {}. {}",
        headline.grade.words().to_lowercase(),
        headline.sentences.join(" ")
    )?;
    if let Some(float) = evaluation.float_accuracy() {
        let share = float.percent();
        writeln!(out, "Float test accuracy = {share} (N={testing})")?;
    }
    let share = evaluation.accuracy().percent();
    writeln!(out, "Final test accuracy = {share} (N={testing})")?;
    Ok(())
}

/// Results as JSON.
pub(super) fn as_json(
    prepared: &Prepared,
    outcome: &TrainedModel,
    commands: &Commands,
    path: &Path,
) -> serde_json::Value {
    let [training, validation, testing] = outcome.counts;
    let evaluation = &outcome.evaluation;
    let confusion = confusion_json(&evaluation.confusion);
    let misclassified = misclassified_json(&prepared.dataset, evaluation);
    let skipped: Vec<_> = prepared
        .skipped
        .iter()
        .map(|file| json!({"path": file.path.to_string_lossy(), "reason": file.reason}))
        .collect();
    let command = |command: &Command| json!({"what": command.what, "command": command.line});
    let commands: Vec<_> = commands
        .using
        .iter()
        .chain(&commands.improving)
        .map(command)
        .collect();
    let mixups: Vec<_> = evaluation
        .confused
        .iter()
        .map(|pair| {
            json!({
                "label": evaluation.labels[pair.truth].label,
                "answer": evaluation.labels[pair.answer].label,
                "photos": pair.photos,
                "of": pair.of,
            })
        })
        .collect();
    let most_confused = &mixups[..mixups.len().min(MIXUPS)];
    json!({
        "model": path.to_string_lossy(),
        "model_bytes": outcome.model.len(),
        "architecture": prepared.backbone.name,
        "labels": prepared.dataset.labels,
        "photos": prepared.dataset.photos.len(),
        "computed": prepared.counts.computed,
        "from_cache": prepared.counts.cached,
        "skipped": skipped,
        "split": {"training": training, "validation": validation, "testing": testing},
        "c": outcome.c,
        "fine_tuning": fine_tuning(outcome),
        "int8_test_accuracy": evaluation.accuracy().value(),
        "int8_validation_accuracy": evaluation.validation_accuracy().value(),
        "float_test_accuracy": evaluation.float_accuracy().and_then(Proportion::value),
        "confusion": confusion,
        "misclassified": misclassified,
        "answers": answers_as_json(outcome),
        "by_label": labels_json(evaluation),
        "macro_mean": macro_mean_json(evaluation),
        "most_confused": most_confused,
        "mixups": mixups,
        "expected_calibration_error": evaluation.calibration_error(),
        "advice": advice_of(prepared, outcome),
        "commands": commands,
    })
}
