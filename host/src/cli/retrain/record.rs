//! The record that `posy retrain` writes beside its model.

use posy_shared::model::Model;
use sha2::{Digest, Sha256};

use crate::cli::Failure;
use crate::cli::output::hex;
use crate::device::Footprint;
use crate::eval::Prediction;
use crate::eval::run_record::{
    FORMAT, FineTuningRecord, ModelRecord, Record, SplitRecord, TestedPhoto,
};
use crate::retrain::{Prepared, TrainedModel};

/// The record of a run's fine-tuning.
pub(super) fn fine_tuning(outcome: &TrainedModel) -> Option<FineTuningRecord> {
    outcome.fine_tuned.as_ref().map(|tuned| FineTuningRecord {
        blocks: tuned.plan.blocks,
        views: usize::from(tuned.plan.views) + 1,
        epochs: tuned.plan.epochs,
        done: tuned.history.len(),
        products: tuned.plan.products,
    })
}

/// The record of a run whose model goes to `file`.
pub(in crate::cli) fn record(
    prepared: &Prepared,
    outcome: &TrainedModel,
    file: &str,
) -> Result<Record, Failure> {
    let evaluation = &outcome.evaluation;
    let tested = |found: &Prediction| TestedPhoto {
        photo: prepared.dataset.photos[found.photo].relative.clone(),
        truth: found.truth,
        answer: (!found.unknown).then_some(found.likeliest),
        scores: found.scores.clone(),
        float_scores: found.float_scores.clone(),
    };
    let footprint = Footprint::of_model(&Model::read(&outcome.model)?);
    let [training, validation, testing] = outcome.counts;
    Ok(Record {
        format: FORMAT.into(),
        posy_version: env!("CARGO_PKG_VERSION").into(),
        arguments: std::env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
        image_dir: prepared.dataset.root.to_string_lossy().into_owned(),
        architecture: prepared.backbone.name.clone(),
        backbone_sha256: hex(&prepared.backbone.sha256),
        c: outcome.c,
        fine_tuning: fine_tuning(outcome),
        split: SplitRecord {
            rule: outcome.split.rule.clone(),
            percentages: outcome.split.percentages,
            training,
            validation,
            testing,
        },
        model: ModelRecord {
            file: file.into(),
            sha256: hex(&Sha256::digest(&outcome.model)),
            flash_bytes: footprint.flash_bytes,
            ram_bytes: footprint.ram_bytes,
            products: footprint.products,
        },
        labels: prepared.dataset.labels.clone(),
        int8: evaluation.accuracy(),
        int8_validation: evaluation.validation_accuracy(),
        float: evaluation.float_accuracy(),
        photos: evaluation.predictions.iter().map(tested).collect(),
    })
}
