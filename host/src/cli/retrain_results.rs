//! What `posy retrain` prints of its results.

use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::Failure;
use super::output::print_table;
use crate::retrain::{Outcome, Prepared};

/// Prints tables and accuracies for a person; `list_misclassified` adds the wrong answers.
pub(super) fn print(
    prepared: &Prepared,
    outcome: &Outcome,
    list_misclassified: bool,
) -> Result<(), Failure> {
    let [training, validation, testing] = outcome.counts;
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}%", share * 100.0));
    let confusion = &outcome.confusion;
    let rows: Vec<Vec<String>> = prepared
        .dataset
        .labels
        .iter()
        .enumerate()
        .map(|(index, label)| {
            let tested: usize = (0..prepared.dataset.labels.len())
                .map(|answer| confusion.count(index, answer))
                .sum();
            let photos = prepared.dataset.photos.iter();
            vec![
                label.clone(),
                photos
                    .filter(|photo| photo.label == index)
                    .count()
                    .to_string(),
                tested.to_string(),
                percent(confusion.recall(index)),
                percent(confusion.precision(index)),
            ]
        })
        .collect();
    print_table(&["label", "photos", "tested", "recall", "precision"], &rows)?;
    let mut out = io::stdout().lock();
    writeln!(out)?;
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
        "{training} photos trained on, {validation} chosen on, {testing} tested on"
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
pub(super) fn as_json(prepared: &Prepared, outcome: &Outcome, path: &Path) -> serde_json::Value {
    let [training, validation, testing] = outcome.counts;
    let count = prepared.dataset.labels.len();
    let confusion: Vec<Vec<usize>> = (0..count)
        .map(|truth| {
            (0..count)
                .map(|answer| outcome.confusion.count(truth, answer))
                .collect()
        })
        .collect();
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
    })
}
