//! What `posy retrain` prints of its results.

use std::path::Path;

use serde_json::json;

use super::answers::answers_as_json;
use crate::cli::Failure;
use crate::cli::output::{Out, print_table};
use crate::eval::stats::Share;
use crate::report::advice::advice;
use crate::report::commands::{Command, Commands};
use crate::report::headline::headline;
use crate::report::judge::Judgement;
use crate::retrain::{Outcome, Prepared};
use crate::train::metrics::Confusion;

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

/// What to try next, photos by their path in the data set.
fn advice_of(prepared: &Prepared, judgement: &Judgement) -> Vec<String> {
    let photos = &prepared.dataset.photos;
    advice(judgement, &|photo| photos[photo].relative.clone())
}

fn share_json(share: Share) -> serde_json::Value {
    let (low, high) = share.interval().unzip();
    json!({"part": share.part, "whole": share.whole, "low": low, "high": high})
}

/// Prints tables and accuracies for a person; `list_misclassified` adds the wrong answers.
pub(super) fn print(
    prepared: &Prepared,
    outcome: &Outcome,
    judgement: &Judgement,
    commands: &Commands,
    list_misclassified: bool,
) -> Result<(), Failure> {
    let [training, validation, testing] = outcome.counts;
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    let rows: Vec<Vec<String>> = judgement
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
                percent(label.f1()),
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
    print_table(&heading, &rows)?;
    let mut out = Out::lock();
    writeln!(
        out,
        "recall: of a label's test photos, the part that was given it; precision: of the test photos given \
         it, the part that is of it; F1: both in one number"
    )?;
    writeln!(out)?;
    if !judgement.mixups.is_empty() {
        writeln!(out, "most often taken for another:")?;
        for mixup in judgement.mixups.iter().take(MIXUPS) {
            let [own, given] =
                [mixup.truth, mixup.answer].map(|index| &judgement.labels[index].label);
            let (photos, of) = (mixup.photos, mixup.of);
            writeln!(out, "  {own} for {given}: {photos} of {of}")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "to try next:")?;
    for line in advice_of(prepared, judgement) {
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
        writeln!(out, "=== MISCLASSIFIED TEST IMAGES ===")?;
        for &(photo, answer) in &outcome.misclassified {
            let path = prepared.dataset.photos[photo].path.display();
            writeln!(out, "{path}  {}", prepared.dataset.labels[answer])?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "{training} training, {validation} validation, {testing} test photos"
    )?;
    for line in outcome.verdict.lines() {
        writeln!(out, "{line}")?;
    }
    let headline = headline(judgement);
    writeln!(
        out,
        "in words: {}. {}",
        headline.grade.words().to_lowercase(),
        headline.sentences.join(" ")
    )?;
    if let Some(float) = outcome.float {
        let share = percent(float.share());
        writeln!(out, "Float test accuracy = {share} (N={testing})")?;
    }
    let share = percent(outcome.int8.share());
    writeln!(out, "Final test accuracy = {share} (N={testing})")?;
    Ok(())
}

/// The same for a program.
pub(super) fn as_json(
    prepared: &Prepared,
    outcome: &Outcome,
    judgement: &Judgement,
    commands: &Commands,
    path: &Path,
) -> serde_json::Value {
    let [training, validation, testing] = outcome.counts;
    let confusion = confusion_json(&outcome.confusion);
    let misclassified: Vec<_> = outcome
        .misclassified
        .iter()
        .map(|&(photo, answer)| {
            json!({
                "photo": prepared.dataset.photos[photo].relative,
                "answer": prepared.dataset.labels[answer],
            })
        })
        .collect();
    let skipped: Vec<_> = prepared
        .skipped
        .iter()
        .map(|file| json!({"path": file.path.to_string_lossy(), "reason": file.reason}))
        .collect();
    let by_label: Vec<_> = judgement
        .labels
        .iter()
        .map(|label| {
            json!({
                "label": label.label,
                "photos": label.photos(),
                "recall": share_json(label.recall),
                "precision": share_json(label.precision),
                "f1": label.f1(),
                "float_recall": label.float_recall.map(share_json),
            })
        })
        .collect();
    let macro_mean = judgement.macro_mean().map(|mean| {
        json!({"labels": mean.labels, "recall": mean.recall, "precision": mean.precision, "f1": mean.f1})
    });
    let command = |command: &Command| json!({"what": command.what, "command": command.line});
    let commands: Vec<_> = commands
        .using
        .iter()
        .chain(&commands.improving)
        .map(command)
        .collect();
    let mixups: Vec<_> = judgement
        .mixups
        .iter()
        .map(|mixup| {
            json!({
                "label": judgement.labels[mixup.truth].label,
                "answer": judgement.labels[mixup.answer].label,
                "photos": mixup.photos,
                "of": mixup.of,
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
        "int8_test_accuracy": outcome.int8.share(),
        "int8_validation_accuracy": outcome.int8_validation.share(),
        "float_test_accuracy": outcome.float.and_then(|float| float.share()),
        "confusion": confusion,
        "misclassified": misclassified,
        "answers": answers_as_json(outcome),
        "by_label": by_label,
        "macro_mean": macro_mean,
        "most_confused": most_confused,
        "mixups": mixups,
        "expected_calibration_error": judgement.calibration_error(),
        "advice": advice_of(prepared, judgement),
        "commands": commands,
    })
}
