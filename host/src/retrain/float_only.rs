//! Retraining of a network that only the laptop runs: floating point throughout.

use std::sync::Arc;

use posy_nn::export::Facts;
use posy_nn::export::onnx::with_head;
use posy_nn::graph::head::Head;
use posy_nn::onnx_backbone::Network;
use posy_shared::model::InputContract;

use super::RetrainError;
use super::dataset_features::{Gathered, Notice, Settings, Skipped, Source};
use super::train::{Accuracy, Misclassified, Tested, Trainer, fit, parts};
use crate::dataset::Dataset;
use crate::dataset::split::{Percentages, Rule};
use crate::dataset::split_file::SplitFile;
use crate::eval::LEAST_PHOTOS;
use crate::eval::calibration::temperature;
use crate::features::extract::Counts;
use crate::features::extractors::AnyExtractor;
use crate::features::progress::Progress;
use crate::train::Features;
use crate::train::metrics::{Confusion, argmax};
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
    /// Accuracy on the test photos.
    pub accuracy: Accuracy,
    /// Accuracy on the validation photos.
    pub validation: Accuracy,
    /// Confusion matrix of the test photos.
    pub confusion: Confusion,
    /// Test photos that are classified wrongly.
    pub misclassified: Vec<Misclassified>,
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

/// Splits the photos by `rule`, or as in an `earlier` split; trains; and measures accuracy on the
/// test photos that `tested` selects. Scores are calibrated on the validation photos, if there are
/// enough.
///
/// # Errors
/// See [`RetrainError`].
pub fn train_float(
    prepared: &FloatOnly,
    rule: &Rule,
    percentages: Percentages,
    trainer: &Trainer,
    tested: Tested,
    earlier: Option<&SplitFile>,
    meter: &Arc<dyn Meter>,
) -> Result<FloatOutcome, RetrainError> {
    let dataset = &prepared.dataset;
    let (split, [training, validation, testing]) =
        parts(dataset, rule, percentages, tested, earlier)?;
    let labels = dataset.labels.len();
    let [seen, chosen_on, held_out] =
        [&training, &validation, &testing].map(|photos| prepared.features.select(photos));
    meter.begin(match trainer {
        Trainer::Logistic(strength) => PARTS * strength.solutions(),
        _ => PARTS,
    });
    let watch = &mut Metered(Arc::clone(meter));
    let (head, _) = fit(&seen, &chosen_on, labels, trainer, watch)?;
    meter.end();

    let mut beta = 1.0;
    if validation.len() >= LEAST_PHOTOS {
        beta = 1.0 / temperature(&chosen_on.logits(&head), chosen_on.labels()) as f32;
    }
    let accuracy = |confusion: &Confusion, photos: usize| Accuracy {
        right: confusion.right(),
        photos,
    };
    let confusion = Confusion::of(&head, &held_out);
    let logits = held_out.logits(&head);
    let answers = logits.chunks_exact(labels).map(argmax);
    let answers = answers.zip(held_out.labels().iter().copied());
    let misclassified = testing
        .iter()
        .zip(answers)
        .filter(|(_, (answer, truth))| answer != truth);
    Ok(FloatOutcome {
        beta,
        split: SplitFile::new(dataset, rule.clone(), percentages, &split),
        counts: [training.len(), validation.len(), testing.len()],
        accuracy: accuracy(&confusion, testing.len()),
        validation: accuracy(&Confusion::of(&head, &chosen_on), validation.len()),
        misclassified: misclassified
            .map(|(photo, (answer, _))| (*photo, answer))
            .collect(),
        confusion,
        head,
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
