//! `posy retrain` with a network that only the laptop runs: any ONNX classifier, in floating point.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use posy_nn::export::Format;
use posy_nn::import::file::{ReadError, read_onnx};
use posy_nn::import::onnx::OnnxError;
use posy_nn::onnx_backbone::{Network, Opened};
use posy_nn::shell::quoted_path;
use posy_nn::zoo::backbone::BackboneError;

use super::files::{Destinations, Results};
use super::observers::training_bar;
use super::print::{
    confusion_json, labels_json, macro_mean_json, misclassified_json, print_labels,
    print_misclassified,
};
use super::{Arguments, lines_of};
use crate::cli::guard::{self, Door};
use crate::cli::normalisation::PixelArguments;
use crate::cli::output::{Out, kib, note, print_json};
use crate::cli::{Failure, usage};
use crate::features::progress::Bar;
use crate::retrain::{
    Blocks, FloatOnly, FloatOutcome, Settings, TrainOptions, Trainer, prepare_float, train_float,
};

/// The network in `path` where a file of `format` is wanted that needs no board, and no board could run
/// it; which is said.
pub(super) fn beyond_boards(
    path: &Path,
    format: Format,
    pixels: &PixelArguments,
) -> Result<Option<Network>, Failure> {
    if format != Format::Onnx {
        return Ok(None);
    }
    guard::try_first(path, &Door::Laptop(pixels.input_size()))?;
    let Some(file) = read_onnx(path)? else {
        return Ok(None);
    };
    let Err(reason) = file.read() else {
        return Ok(None);
    };
    let missing = shown(&file.unknown_operators().join(", "));
    let named = |error| format!("{}: {error}", path.display());
    let opened = Opened::new(file, pixels.input_size()).map_err(named)?;
    let asked = pixels.normalisation()?;
    let normalisation = asked.unwrap_or_else(|| opened.usual_normalisation());
    let network = opened.cut(&normalisation).map_err(named)?;
    note!("for the laptop alone, in floating point; no board runs this network: {reason}");
    if !missing.is_empty() {
        note!("operators that boards have not: {missing}");
    }
    note!(
        "{} features, from \"{}\"; a pixel is (pixel - mean) / std, mean {:?}, std {:?} (--normalisation, \
         --input-mean, --input-std)",
        network.width(),
        network.cut_at,
        normalisation.mean,
        normalisation.std
    );
    Ok(Some(network))
}

/// Adds advice to `failure` if the network in `path` is wanted for a board, and is not for one.
pub(super) fn advised(failure: Failure, path: Option<&Path>) -> Failure {
    let of_its_graph =
        |source: &OnnxError| matches!(source, OnnxError::Node { .. } | OnnxError::Input { .. });
    let file = match (failure.downcast_ref::<BackboneError>(), path) {
        (Some(BackboneError::Read(ReadError::Onnx { source, .. })), Some(path))
            if of_its_graph(source) =>
        {
            read_onnx(path).ok().flatten()
        }
        _ => None,
    };
    let Some(file) = file else {
        return failure;
    };
    let missing = match file.unknown_operators().as_slice() {
        [] => String::new(),
        names => format!(
            "; operators that boards have not: {}",
            shown(&names.join(", "))
        ),
    };
    format!(
        "{failure}{missing}. For the laptop alone it can be retrained as it is: give --output-graph a name that \
         ends in .onnx"
    )
    .into()
}

/// Names of a file's own, cut short where there is no end to them.
fn shown(names: &str) -> String {
    names.chars().take(400).collect()
}

/// Retrains `network` and writes the files that `destinations` has.
pub(super) fn run(
    arguments: &Arguments,
    network: Network,
    settings: &Settings,
    options: &TrainOptions,
    destinations: &Destinations,
) -> Result<ExitCode, Failure> {
    if arguments.variants.wanted() {
        return Err(usage(
            "variants of photos are for networks that boards run; leave out the options that vary photos",
        ));
    }
    if let Trainer::FineTune(asked) = &options.trainer
        && asked.blocks != Blocks::Auto
    {
        note!(
            "warning: no block of this network is fine-tuned; its head is trained as --trainer logistic does"
        );
    }
    let started = Instant::now();
    let bar = Bar::new("features");
    let prepared = prepare_float(settings, network, &bar, &mut |notice| note!("{notice}"))?;
    let seconds = started.elapsed().as_secs_f64();
    let counts = prepared.counts;
    note!(
        "features of {} photos: {} computed, {} from the cache, {} files skipped, {seconds:.1} s",
        prepared.dataset.photos.len(),
        counts.computed,
        counts.cached,
        prepared.skipped.len()
    );
    let outcome = train_float(&prepared, options, &training_bar())?;
    // As in runs for boards: figures first.
    let path = &destinations.model.path;
    let printed = match arguments.json {
        true => print_json(&as_json(path, &prepared, &outcome, seconds)),
        false => print(arguments, &prepared, &outcome),
    };
    let bytes = prepared.file(&outcome);
    let size = kib(bytes.len() as u64);
    let mut results = Results::default();
    results.add(&destinations.model, Ok::<_, Failure>(bytes));
    results.add(&destinations.split, outcome.split.to_bytes());
    if let Some(destination) = &destinations.labels {
        let labels = lines_of(&prepared.dataset.labels);
        results.add(destination, Ok::<_, Failure>(labels));
    }
    let whole = results.place();
    if whole {
        let split = destinations.split.path.display();
        note!("wrote {} ({size} KiB) and {split}", path.display());
        note!("next: posy label --model {} PHOTO...", quoted_path(path));
    }
    printed?;
    Ok(match whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn print(
    arguments: &Arguments,
    prepared: &FloatOnly,
    outcome: &FloatOutcome,
) -> Result<(), Failure> {
    print_labels(&outcome.evaluation)?;
    let mut out = Out::lock();
    writeln!(out)?;
    if arguments.print_misclassified_test_images {
        print_misclassified(&mut out, &prepared.dataset, &outcome.evaluation)?;
    }
    let [training, validation, testing] = outcome.counts;
    writeln!(
        out,
        "{training} training, {validation} validation, {testing} test photos"
    )?;
    let share = outcome.evaluation.accuracy().percent();
    writeln!(out, "Final test accuracy = {share} (N={testing})")?;
    Ok(())
}

/// Results as JSON, under the names that runs for boards have.
fn as_json(
    path: &Path,
    prepared: &FloatOnly,
    outcome: &FloatOutcome,
    seconds: f64,
) -> serde_json::Value {
    let dataset = &prepared.dataset;
    let [training, validation, testing] = outcome.counts;
    let evaluation = &outcome.evaluation;
    let skipped: Vec<_> = prepared
        .skipped
        .iter()
        .map(|file| json!({"path": file.path.to_string_lossy(), "reason": file.reason}))
        .collect();
    json!({
        "model": path.to_string_lossy(),
        "boards": false,
        "features": prepared.features.width(),
        "labels": dataset.labels,
        "photos": dataset.photos.len(),
        "computed": prepared.counts.computed,
        "from_cache": prepared.counts.cached,
        "feature_seconds": seconds,
        "skipped": skipped,
        "split": {"training": training, "validation": validation, "testing": testing},
        "int8_test_accuracy": null,
        "float_test_accuracy": evaluation.accuracy().value(),
        "float_validation_accuracy": evaluation.validation_accuracy().value(),
        "confusion": confusion_json(&evaluation.confusion),
        "misclassified": misclassified_json(dataset, evaluation),
        "by_label": labels_json(evaluation),
        "macro_mean": macro_mean_json(evaluation),
        "expected_calibration_error": evaluation.calibration_error(),
    })
}
