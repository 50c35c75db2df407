//! The record that `posy retrain` writes beside its model.

use posy_nn::run;
use posy_shared::model::Model;
use posy_shared::ranking::Ranking;
use posy_shared::softmax::Softmax;
use sha2::{Digest, Sha256};

use crate::cli::Failure;
use crate::cli::output::hex;
use crate::device::Footprint;
use crate::eval::run_record::{Count, FORMAT, ModelRecord, Record, SplitRecord, TestedPhoto};
use crate::retrain::{Accuracy, Outcome, Prepared};
use crate::train::softmax;

fn count(accuracy: Accuracy) -> Count {
    Count {
        right: accuracy.right,
        photos: accuracy.photos,
    }
}

/// The record of a run whose model goes to `file`.
pub(super) fn record(
    prepared: &Prepared,
    outcome: &Outcome,
    file: &str,
) -> Result<Record, Failure> {
    let model = Model::read(&outcome.whole)?;
    let labels = prepared.dataset.labels.len();
    let mut photos = Vec::with_capacity(outcome.tested.len());
    for (place, &photo) in outcome.tested.iter().enumerate() {
        let outputs = run::head(&model, &outcome.seen(prepared).int8[photo])?;
        let logits = &outputs[..model.logit_len()];
        let fine = Softmax::new(model.verdict().beta, logits);
        let float = outcome.float_logits.as_ref();
        let float = float.map(|logits| softmax(&logits[place * labels..][..labels]));
        photos.push(TestedPhoto {
            photo: prepared.dataset.photos[photo].relative.clone(),
            truth: prepared.dataset.photos[photo].label,
            answer: Ranking::<1>::new(&model, &outputs)
                .top()
                .map(|top| top.index),
            scores: logits
                .iter()
                .map(|&logit| fine.fine(logit) as f32 / 65536.0)
                .collect(),
            float_scores: float,
        });
    }
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
        // Of the answers themselves, of which a board may withhold some.
        int8: Count {
            right: photos
                .iter()
                .filter(|photo| photo.answer == Some(photo.truth))
                .count(),
            photos: photos.len(),
        },
        int8_validation: count(outcome.int8_validation),
        float: outcome.float.map(count),
        photos,
    })
}
