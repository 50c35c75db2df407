//! Retraining of a network that only the laptop runs: floating point throughout.

use std::sync::Arc;

use posy_nn::export::Facts;
use posy_nn::export::onnx::with_head;
use posy_nn::graph::head::Head;
use posy_nn::onnx_backbone::Network;
use posy_shared::model::InputContract;
use rayon::prelude::*;

use super::RetrainError;
use super::dataset_features::{Gathered, Notice, Settings, Skipped, Source};
use super::train::{TrainOptions, Trainer, divide, fit};
use crate::dataset::Dataset;
use crate::dataset::split_file::SplitFile;
use crate::eval::calibration::temperature;
use crate::eval::{Evaluation, LEAST_PHOTOS, Prediction};
use crate::features::extract::Counts;
use crate::features::extractors::AnyExtractor;
use crate::features::progress::Progress;
use crate::train::Features;
use crate::train::observer::{Meter, Metered, PARTS};

/// Photos, and their features by a network that only the laptop runs.
#[derive(Debug)]
pub struct FloatOnly {
    /// The network, up to its features.
    pub network: Network,
    /// Preprocessing of pictures.
    pub input: InputContract,
    /// The labels, and the photos that have features.
    pub dataset: Dataset,
    /// Features of the photos.
    pub features: Features,
    /// Files that were left out.
    pub skipped: Vec<Skipped>,
    /// Numbers of computed and cached photos.
    pub counts: Counts,
}

/// A trained last layer, and its evaluation.
#[derive(Clone, Debug)]
pub struct FloatOutcome {
    /// The last layer.
    pub head: Head,
    /// Factor of the logits before the softmax (inverse temperature), which calibrates scores.
    pub beta: f32,
    /// The split.
    pub split: SplitFile,
    /// Numbers of training, validation and test photos.
    pub counts: [usize; 3],
    /// Evaluation on the test photos.
    pub evaluation: Evaluation,
}

/// Finds the photos, and computes their features or reads them from the cache.
///
/// # Errors
/// See [`RetrainError`]. Features computed before an error are in the cache.
pub fn prepare_float(
    settings: &Settings,
    network: Network,
    progress: &dyn Progress,
    notify: &mut dyn FnMut(Notice),
) -> Result<FloatOnly, RetrainError> {
    let source = Source::open(settings, notify)?;
    let extractor = AnyExtractor::new(&network, settings.input);
    let extraction = source.extract(&extractor, progress);
    let Gathered {
        dataset,
        values,
        skipped,
        counts,
        ..
    } = source.keep(extraction, settings, notify)?;
    let truth = dataset.photos.iter().map(|photo| photo.label).collect();
    let numbers = values.iter().flat_map(|bytes| bytes.as_chunks::<4>().0);
    let numbers = numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let features = Features::new(network.width(), numbers, truth)?;
    Ok(FloatOnly {
        network,
        input: settings.input,
        dataset,
        features,
        skipped,
        counts,
    })
}

/// [`train`](super::train) in floating point, without fine-tuning and rejection. Scores are
/// calibrated on the validation photos, if there are enough.
///
/// # Errors
/// See [`RetrainError`].
pub fn train_float(
    prepared: &FloatOnly,
    options: &TrainOptions,
    meter: &Arc<dyn Meter>,
) -> Result<FloatOutcome, RetrainError> {
    let (dataset, features) = (&prepared.dataset, &prepared.features);
    let (split, parts) = divide(dataset, options)?;
    let [seen, chosen_on] =
        [&parts.training, &parts.validation].map(|photos| features.select(photos));
    meter.begin(match &options.trainer {
        Trainer::Logistic(strength) => PARTS * strength.solutions(),
        _ => PARTS,
    });
    let watch = &mut Metered(Arc::clone(meter));
    let (head, _) = fit(
        &seen,
        &chosen_on,
        dataset.labels.len(),
        &options.trainer,
        watch,
    )?;
    meter.end();

    let beta = match chosen_on.len() >= LEAST_PHOTOS {
        true => 1.0 / temperature(&chosen_on.logits(&head), chosen_on.labels()) as f32,
        false => 1.0,
    };
    let predict = |photos: &[usize]| -> Vec<Prediction> {
        let predict = |&photo: &usize| {
            let truth = dataset.photos[photo].label;
            Prediction::of_float((photo, truth), &head.logits(features.row(photo)), beta)
        };
        photos.par_iter().map(predict).collect()
    };
    let labels = split.counts(&dataset.labels);
    let evaluation = Evaluation::of(labels, &predict(&parts.validation), predict(&parts.testing));
    Ok(FloatOutcome {
        head,
        beta,
        split,
        counts: parts.counts(),
        evaluation,
    })
}

impl FloatOnly {
    /// The bytes of an `.onnx` file whose outputs are the labels' scores.
    pub fn file(&self, outcome: &FloatOutcome) -> Vec<u8> {
        let facts = Facts {
            labels: &self.dataset.labels,
            beta: outcome.beta,
            logistic: false,
            input: self.input,
        };
        with_head(&self.network, &outcome.head, &facts)
    }
}
