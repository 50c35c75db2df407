//! Training for one split, in stages: split, fine-tune, fit the head, calibrate, predict, export.

use std::sync::Arc;

use posy_nn::export::{ModelMetadata, ScoreParams, classifier, compact_classifier, softmax_beta};
use posy_nn::graph::head::{Head, IntHead};
use posy_nn::graph::network::IntNetwork;
use posy_shared::model::{Model, Provenance, SplitFacts};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::finetune::{adjust, features_of_variants};
use super::{Adjusted, Prepared, RetrainError};
use crate::dataset::Dataset;
use crate::dataset::split::{Bucket, Percentages, Rule, split};
use crate::dataset::split_file::SplitFile;
use crate::eval::stats::Proportion;
use crate::eval::{self, Evaluation, FoldModel, Photos, Prediction, RejectionRule};
use crate::train::logistic::Strength;
use crate::train::observer::{Meter, Metered, PARTS, Watch};
use crate::train::sgd::{self, Batch};
use crate::train::{Features, finetune, int8, logistic};

/// Training method.
#[derive(Clone, Debug, PartialEq)]
pub enum Trainer {
    /// Logistic regression, solved to convergence.
    Logistic(logistic::Strength),
    /// Gradient descent, as in `retrain.py`.
    Sgd(sgd::Options),
    /// Fine-tuning: the last pointwise layer of the backbone and the head together, on augmented
    /// variants of the photos, which [`Prepared::variants`] must hold.
    Adjust(finetune::Options),
}

/// Selection of the test photos that accuracy is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestSet {
    /// Number of test photos, drawn without replacement; all if there are fewer.
    pub batch: Batch,
    /// Seed of the draw.
    pub seed: u64,
}

impl TestSet {
    /// All test photos.
    pub const ALL: Self = TestSet {
        batch: Batch::All,
        seed: 0,
    };

    /// Draws from `photos`; keeps their order.
    fn draw(self, photos: Vec<usize>) -> Vec<usize> {
        match self.batch {
            Batch::Photos(count) if count < photos.len() => {
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                let mut drawn = sample(&mut random, photos.len(), count).into_vec();
                drawn.sort_unstable();
                drawn.into_iter().map(|index| photos[index]).collect()
            }
            _ => photos,
        }
    }
}

/// Options of training.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Rule that divides the photos.
    pub rule: Rule,
    /// Shares of validation and test photos.
    pub percentages: Percentages,
    /// An earlier split, whose photos keep their part.
    pub earlier: Option<SplitFile>,
    /// Training method.
    pub trainer: Trainer,
    /// Test photos that are measured.
    pub test_set: TestSet,
    /// Calibration of scores and rejection.
    pub answers: eval::Options,
}

impl TrainOptions {
    /// Uncalibrated scores and no rejection, measured on all test photos. Saves the training of the
    /// cross-validation's heads where only accuracy is of interest.
    pub const fn new(rule: Rule, percentages: Percentages, trainer: Trainer) -> Self {
        TrainOptions {
            rule,
            percentages,
            earlier: None,
            trainer,
            test_set: TestSet::ALL,
            answers: eval::Options::NOTHING,
        }
    }
}

/// Training, validation and test photos, by their indices among the prepared ones.
pub(super) struct Parts {
    pub(super) training: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) testing: Vec<usize>,
}

impl Parts {
    pub(super) fn counts(&self) -> [usize; 3] {
        [&self.training, &self.validation, &self.testing].map(Vec::len)
    }

    /// Training and validation photos in the order of the data set.
    fn pool(&self) -> Vec<usize> {
        let mut photos = [&*self.training, &self.validation].concat();
        photos.sort_unstable();
        photos
    }
}

/// The last layer in every form that is exported.
#[derive(Clone, Debug)]
pub struct Heads {
    /// The int8 head, as the board computes it.
    pub int: IntHead,
    /// The head before quantisation.
    pub real: Head,
    /// Head of the float network, trained on its own features.
    pub float: Option<Head>,
    /// Factor of the logits before the softmax (inverse temperature), which calibrates scores.
    pub beta: f32,
}

/// A trained model, and its evaluation.
#[derive(Clone, Debug)]
pub struct TrainedModel {
    /// The bytes of the `.posy` file.
    pub model: Vec<u8>,
    /// The network including its constant channels, whose last layer reads all features: for
    /// classifying photos by their features. Its logits equal those of `model`.
    pub whole: Vec<u8>,
    /// The last layer.
    pub heads: Heads,
    /// Regularisation strength, if the trainer chooses one.
    pub c: Option<f64>,
    /// The split.
    pub split: SplitFile,
    /// Numbers of training, validation and test photos.
    pub counts: [usize; 3],
    /// Calibration and rejection, chosen by cross-validation.
    pub decision: RejectionRule,
    /// Evaluation on the test photos.
    pub evaluation: Evaluation,
    /// The fine-tuned network, after fine-tuning.
    pub adjusted: Option<Adjusted>,
}

impl TrainedModel {
    /// The network of the model, and its features of the photos.
    pub fn seen<'a>(&'a self, prepared: &'a Prepared) -> FeatureView<'a> {
        FeatureView::of(prepared, self.adjusted.as_ref())
    }
}

/// An integer network and its features of all photos.
#[derive(Clone, Copy, Debug)]
pub struct FeatureView<'a> {
    /// The network, up to its features.
    pub int: &'a IntNetwork,
    /// Features `[N, D]` as the board computes them.
    pub int8: &'a [Vec<i8>],
    /// Features of `int8`, dequantised.
    pub features: &'a Features,
}

impl<'a> FeatureView<'a> {
    fn of(prepared: &'a Prepared, adjusted: Option<&'a Adjusted>) -> Self {
        match adjusted {
            Some(adjusted) => FeatureView {
                int: &adjusted.network,
                int8: &adjusted.int8,
                features: &adjusted.features,
            },
            None => FeatureView {
                int: &prepared.backbone.int,
                int8: &prepared.int8,
                features: &prepared.int8_features,
            },
        }
    }
}

/// Splits the photos, trains a head on the training photos, calibrates it, and evaluates the model
/// on the test photos. `watch` observes the training of the int8 head.
///
/// # Errors
/// See [`RetrainError`].
pub fn train(
    prepared: &Prepared,
    options: &TrainOptions,
    watch: &mut dyn Watch,
) -> Result<TrainedModel, RetrainError> {
    let meter = watch.meter();
    let (split, parts) = divide(&prepared.dataset, options)?;
    meter.begin(parts_of_all(prepared, &options.trainer, &options.answers));
    let float = fit_float(prepared, &parts, &options.trainer, &meter)?;
    let adjusted = fine_tune(prepared, &parts, &options.trainer, &meter)?;
    let network = FeatureView::of(prepared, adjusted.as_ref());
    let (real, c) = fit_head(
        prepared,
        &network,
        adjusted.as_ref(),
        &parts,
        &options.trainer,
        watch,
    )?;
    let int = quantise_head(prepared, &network, &real, &parts)?;
    let decision = calibrate(
        prepared,
        &network,
        &parts.pool(),
        (&options.trainer, c),
        options.answers,
        &meter,
    )?;
    meter.end();

    let heads = Heads {
        beta: 1.0 / decision.temperature as f32,
        int,
        real,
        float,
    };
    let score_params = decision.score_params(heads.int.output);
    // Predictions are of all features; the file's model reads only those that vary.
    let mut metadata = metadata(prepared, &score_params, options, parts.counts());
    let whole = classifier(network.int, &heads.int, &metadata)?;
    let model = Model::read(&whole)?;
    let evaluation = evaluate(prepared, &network, &model, &heads, &parts, &split)?;
    let accuracies = [Some(evaluation.accuracy()), evaluation.float_accuracy()];
    let accuracies = accuracies.map(|of| of.and_then(Proportion::value).map(|share| share as f32));
    [
        metadata.provenance.int8_accuracy,
        metadata.provenance.float_accuracy,
    ] = accuracies;
    let compact = compact_classifier(network.int, &heads.int, &metadata)?;
    if Model::read(&compact)?.golden().logits != model.golden().logits {
        return Err(RetrainError::Compact);
    }
    Ok(TrainedModel {
        model: compact,
        whole,
        heads,
        c,
        split,
        counts: parts.counts(),
        decision,
        evaluation,
        adjusted,
    })
}

/// Stage 1: the split by the rule, or as in an earlier one, and its photos.
pub(super) fn divide(
    dataset: &Dataset,
    options: &TrainOptions,
) -> Result<(SplitFile, Parts), RetrainError> {
    let (rule, percentages) = (&options.rule, options.percentages);
    let mut split = split(dataset, rule, percentages);
    if let Some(earlier) = &options.earlier {
        split = earlier.keep(dataset, rule, percentages, split);
    }
    let photos_in = |bucket| split.photos(bucket).collect::<Vec<usize>>();
    let training = photos_in(Bucket::Training);
    let mut has_photos = vec![false; dataset.labels.len()];
    for &photo in &training {
        has_photos[dataset.photos[photo].label] = true;
    }
    if let Some(index) = has_photos.iter().position(|has| !has) {
        let label = dataset.labels[index].clone();
        return Err(RetrainError::NoTrainingPhotos { label });
    }
    let parts = Parts {
        training,
        validation: photos_in(Bucket::Validation),
        testing: options.test_set.draw(photos_in(Bucket::Testing)),
    };
    Ok((
        SplitFile::new(dataset, rule.clone(), percentages, &split),
        parts,
    ))
}

/// Stage 2: the head of the float network, if that ran.
fn fit_float(
    prepared: &Prepared,
    parts: &Parts,
    trainer: &Trainer,
    meter: &Arc<dyn Meter>,
) -> Result<Option<Head>, RetrainError> {
    let Some(features) = &prepared.float_features else {
        return Ok(None);
    };
    let [seen, chosen_on] =
        [&parts.training, &parts.validation].map(|photos| features.select(photos));
    let watch = &mut Metered(Arc::clone(meter));
    let labels = prepared.dataset.labels.len();
    Ok(Some(fit(&seen, &chosen_on, labels, trainer, watch)?.0))
}

/// Stage 3: the last pointwise layer, fine-tuned if the trainer does so.
fn fine_tune(
    prepared: &Prepared,
    parts: &Parts,
    trainer: &Trainer,
    meter: &Arc<dyn Meter>,
) -> Result<Option<Adjusted>, RetrainError> {
    let Trainer::Adjust(options) = trainer else {
        return Ok(None);
    };
    let (training, validation) = (&parts.training, &parts.validation);
    let strength = Strength::default();
    adjust(prepared, training, validation, strength, options, meter).map(Some)
}

/// Stage 4: the head of the integer network, before quantisation, and its regularisation strength.
fn fit_head(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    adjusted: Option<&Adjusted>,
    parts: &Parts,
    trainer: &Trainer,
    watch: &mut dyn Watch,
) -> Result<(Head, Option<f64>), RetrainError> {
    if let Some(Adjusted { head, c, .. }) = adjusted {
        return Ok((head.clone(), Some(*c)));
    }
    let seen = match &prepared.variants {
        Some(variants) => features_of_variants(prepared, variants, &parts.training)?,
        None => network.features.select(&parts.training),
    };
    let chosen_on = network.features.select(&parts.validation);
    fit(
        &seen,
        &chosen_on,
        prepared.dataset.labels.len(),
        trainer,
        watch,
    )
}

/// The head in int8.
fn quantise_head(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    real: &Head,
    parts: &Parts,
) -> Result<IntHead, RetrainError> {
    let [seen, chosen_on] =
        [&parts.training, &parts.validation].map(|photos| network.features.select(photos));
    Ok(int8::quantise(
        real,
        prepared.backbone.features(),
        &seen,
        &chosen_on,
    )?)
}

/// Meter parts of all trainings: the float head, the integer network's head, and the heads of
/// cross-validation.
fn parts_of_all(prepared: &Prepared, trainer: &Trainer, options: &eval::Options) -> usize {
    let chosen = PARTS * Strength::default().solutions();
    let (float, own, again) = match trainer {
        Trainer::Logistic(strength) => {
            let own = PARTS * strength.solutions();
            (own, own, PARTS)
        }
        Trainer::Sgd(_) => (PARTS, PARTS, PARTS),
        Trainer::Adjust(_) => (
            chosen,
            chosen + finetune::ADJUSTING,
            PARTS + finetune::ADJUSTING,
        ),
    };
    let float = if prepared.float_features.is_some() {
        float
    } else {
        0
    };
    let held_out = if options.decides() {
        eval::FOLDS * again
    } else {
        0
    };
    float + own + held_out
}

/// Stage 5: calibration and rejection, chosen by cross-validation on the photos of `pool`, with heads
/// trained as the final head, at the same regularisation strength. After fine-tuning, every fold
/// fine-tunes its own layer, so that no photo is predicted by a layer that was trained on it.
fn calibrate(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    pool: &[usize],
    (trainer, c): (&Trainer, Option<f64>),
    options: eval::Options,
    meter: &Arc<dyn Meter>,
) -> Result<RejectionRule, RetrainError> {
    let labels = prepared.dataset.labels.len();
    let rows = |all: &[Vec<i8>]| pool.iter().map(|&photo| all[photo].clone()).collect();
    let photos = Photos {
        rows: rows(network.int8),
        features: network.features.select(pool),
        known: prepared.known_labels(),
        labels,
    };
    let strength = c.map_or_else(Strength::default, Strength::Fixed);
    let trainer = match trainer {
        Trainer::Logistic(_) => Trainer::Logistic(strength),
        trainer => trainer.clone(),
    };
    eval::calibrate(&photos, options, &|others| {
        if let Trainer::Adjust(options) = &trainer {
            let others: Vec<usize> = others.iter().map(|&index| pool[index]).collect();
            let adjusted = adjust(prepared, &others, &[], strength, options, meter)?;
            return Ok(FoldModel {
                rows: Some(rows(&adjusted.int8)),
                features: Some(adjusted.features.select(pool)),
                head: adjusted.head,
            });
        }
        let training = photos.features.select(others);
        let nothing = training.select(&[]);
        let watch = &mut Metered(Arc::clone(meter));
        let (head, _) = fit(&training, &nothing, labels, &trainer, watch)?;
        Ok(FoldModel {
            head,
            rows: None,
            features: None,
        })
    })
}

/// Trains a head; also returns the regularisation strength, if the trainer chooses one.
pub(super) fn fit(
    training: &Features,
    validation: &Features,
    labels: usize,
    trainer: &Trainer,
    watch: &mut dyn Watch,
) -> Result<(Head, Option<f64>), RetrainError> {
    Ok(match trainer {
        Trainer::Logistic(strength) => {
            let trained = logistic::train_watched(training, validation, labels, *strength, watch)?;
            (trained.head, Some(trained.c))
        }
        // The float network is not fine-tuned.
        Trainer::Adjust(_) => {
            let strength = logistic::Strength::default();
            let trained = logistic::train_watched(training, validation, labels, strength, watch)?;
            (trained.head, Some(trained.c))
        }
        Trainer::Sgd(options) => {
            let head = sgd::train_watched(training, validation, labels, options, watch)?;
            (head, None)
        }
    })
}

/// Stage 6: the evaluation of the predictions of validation and test photos, one each.
fn evaluate(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    model: &Model<'_>,
    heads: &Heads,
    parts: &Parts,
    split: &SplitFile,
) -> Result<Evaluation, RetrainError> {
    let plain = softmax_beta(heads.int.output.scale, 1.0);
    let float = heads.float.as_ref().zip(prepared.float_features.as_ref());
    let predict = |photos: &[usize]| -> Result<Vec<Prediction>, RetrainError> {
        let photos = photos.par_iter().with_min_len(16).map(|&photo| {
            let truth = prepared.dataset.photos[photo].label;
            let logits = float.map(|(head, features)| head.logits(features.row(photo)));
            let features = &network.int8[photo];
            Ok(Prediction::of(
                model,
                plain,
                (photo, truth),
                features,
                logits.as_deref(),
            )?)
        });
        photos.collect()
    };
    let labels = split.counts(&prepared.dataset.labels);
    Ok(Evaluation::of(
        labels,
        &predict(&parts.validation)?,
        predict(&parts.testing)?,
    ))
}

fn metadata<'a>(
    prepared: &'a Prepared,
    score_params: &ScoreParams,
    options: &TrainOptions,
    [training, validation, testing]: [usize; 3],
) -> ModelMetadata<'a> {
    let (rule, seed) = match options.rule {
        Rule::Stable { seed } => ("stable", seed),
        Rule::Codelab { .. } => ("codelab", 0),
        Rule::Folders => ("folders", 0),
    };
    ModelMetadata {
        input: prepared.input,
        labels: prepared.dataset.labels[..prepared.known_labels()].to_vec(),
        score_params: score_params.clone(),
        provenance: Provenance {
            architecture: &prepared.backbone.name,
            backbone_sha256: prepared.backbone.sha256,
            posy_version: env!("CARGO_PKG_VERSION"),
            split: SplitFacts {
                rule,
                seed,
                training: training as u32,
                validation: validation as u32,
                testing: testing as u32,
            },
            float_accuracy: None,
            int8_accuracy: None,
        },
    }
}
