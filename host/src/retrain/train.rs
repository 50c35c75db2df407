//! Training for one split, in stages: split, fine-tune, fit the head, calibrate, predict, export.

use std::sync::Arc;

use posy_nn::export::{ModelMetadata, ScoreParams, classifier, compact_classifier, softmax_beta};
use posy_nn::graph::head::{Head, IntHead};
use posy_nn::graph::network::{IntNetwork, Quantisation};
use posy_shared::model::{Model, Provenance, SplitFacts};
use posy_shared::softmax::Beta;
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::blocks::{self, Blocks, FineTuneOptions, FineTuned, Plan, Sizes, Unfit};
use super::variants::features_of_variants;
use super::{Prepared, RetrainError};
use crate::dataset::Dataset;
use crate::dataset::split::{Bucket, Percentages, Rule, split};
use crate::dataset::split_file::SplitFile;
use crate::eval::stats::Proportion;
use crate::eval::{self, Evaluation, FoldModel, Photos, Prediction, RejectionRule};
use crate::train::logistic::Strength;
use crate::train::observer::{Meter, Metered, PARTS, Watch};
use crate::train::sgd::{self, Batch};
use crate::train::{Features, int8, logistic};

/// Training method.
#[derive(Clone, Debug, PartialEq)]
pub enum Trainer {
    /// Logistic regression, solved to convergence.
    Logistic(logistic::Strength),
    /// Gradient descent, as in `retrain.py`.
    Sgd(sgd::Options),
    /// Fine-tuning: the last blocks of the backbone and the head together, on augmented views of the
    /// photos. Where the network has no block to train, or there is no time for it, the head is
    /// trained as by [`Trainer::Logistic`].
    FineTune(FineTuneOptions),
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
    pub fine_tuned: Option<FineTuned>,
    /// True if the blocks were fine-tuned, and the validation photos liked the head alone better.
    pub declined: bool,
}

impl TrainedModel {
    /// The network of the model, and its features of the photos.
    pub fn seen<'a>(&'a self, prepared: &'a Prepared) -> FeatureView<'a> {
        FeatureView::of(prepared, self.fine_tuned.as_ref())
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
    fn of(prepared: &'a Prepared, fine_tuned: Option<&'a FineTuned>) -> Self {
        match fine_tuned {
            Some(tuned) => FeatureView {
                int: &tuned.network,
                int8: &tuned.int8,
                features: &tuned.features,
            },
            None => FeatureView {
                int: &prepared.backbone.int,
                int8: &prepared.int8,
                features: &prepared.int8_features,
            },
        }
    }
}

impl FeatureView<'_> {
    /// Quantisation of the features.
    fn quantisation(&self) -> Quantisation {
        let last = self.int.layers.last();
        last.map_or(self.int.input, |layer| layer.output)
    }

    /// Some photos by their features.
    fn photos(&self, prepared: &Prepared, photos: &[usize]) -> Photos {
        let rows = photos.iter().map(|&photo| self.int8[photo].clone());
        Photos {
            rows: rows.collect(),
            features: self.features.select(photos),
            known: prepared.known_labels(),
            labels: prepared.dataset.labels.len(),
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
    let plan = plan_of(prepared, &parts, &options.trainer).and_then(Result::ok);
    meter.begin(parts_of_all(
        prepared,
        &options.trainer,
        plan,
        &options.answers,
    ));
    let mut declined = false;
    let tuned = match (&options.trainer, plan) {
        (Trainer::FineTune(options), Some(plan)) => {
            let photos = (&*parts.training, &*parts.validation);
            let tuned = blocks::fine_tune(prepared, photos, plan, options, watch)?;
            // Blocks that were asked for stay trained.
            let kept = options.blocks != Blocks::Auto || tuned.is_better(prepared, photos.1);
            declined = !kept;
            kept.then_some(tuned)
        }
        _ => None,
    };
    let network = FeatureView::of(prepared, tuned.as_ref());
    let (float, real, c) = match &tuned {
        // The same head before quantisation reads the same layers before quantisation.
        Some(tuned) => (Some(tuned.head.clone()), tuned.head.clone(), Some(tuned.c)),
        None => {
            let float = fit_float(prepared, &parts, &options.trainer, &meter)?;
            let (real, c) = fit_head(prepared, &network, &parts, &options.trainer, watch)?;
            (float, real, c)
        }
    };
    let int = quantise_head(&network, &real, &parts)?;
    let decision = match &tuned {
        Some(_) => calibrate_held_out(prepared, &network, &parts, &real, options.answers),
        None => calibrate(
            prepared,
            &network,
            &parts.pool(),
            (&options.trainer, c),
            options.answers,
            &meter,
        )?,
    };
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
    let float_features = match &tuned {
        Some(tuned) => Some(&tuned.float_features),
        None => prepared.float_features.as_ref(),
    };
    let float = heads.float.as_ref().zip(float_features);
    let plain = softmax_beta(heads.int.output.scale, 1.0);
    let evaluation = evaluate(prepared, &network, (&model, plain), float, &parts, &split)?;
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
        fine_tuned: tuned,
        declined,
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

/// Stage 3: the work of fine-tuning, if the trainer does any.
fn plan_of(prepared: &Prepared, parts: &Parts, trainer: &Trainer) -> Option<Result<Plan, Unfit>> {
    let Trainer::FineTune(options) = trainer else {
        return None;
    };
    let labels = &prepared.dataset.labels;
    let mut counts = vec![0; labels.len()];
    for &photo in &parts.training {
        counts[prepared.dataset.photos[photo].label] += 1;
    }
    let sizes = Sizes {
        training: parts.training.len(),
        validation: parts.validation.len(),
        photos: prepared.dataset.photos.len(),
        fewest: labels
            .iter()
            .map(String::as_str)
            .zip(counts)
            .min_by_key(|(_, count)| *count)
            .unwrap_or_default(),
    };
    Some(blocks::plan(&prepared.backbone.int, sizes, options))
}

/// The work of fine-tuning that [`train`] will do with these options, or why it trains the head
/// alone; `None` if the trainer is another.
///
/// # Errors
/// [`RetrainError::NoTrainingPhotos`].
pub fn planned(
    prepared: &Prepared,
    options: &TrainOptions,
) -> Result<Option<Result<Plan, Unfit>>, RetrainError> {
    let (_, parts) = divide(&prepared.dataset, options)?;
    Ok(plan_of(prepared, &parts, &options.trainer))
}

/// Stage 4: the head of the integer network, before quantisation, and its regularisation strength.
fn fit_head(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    parts: &Parts,
    trainer: &Trainer,
    watch: &mut dyn Watch,
) -> Result<(Head, Option<f64>), RetrainError> {
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
    network: &FeatureView<'_>,
    real: &Head,
    parts: &Parts,
) -> Result<IntHead, RetrainError> {
    let [seen, chosen_on] =
        [&parts.training, &parts.validation].map(|photos| network.features.select(photos));
    Ok(int8::quantise(
        real,
        network.quantisation(),
        &seen,
        &chosen_on,
    )?)
}

/// Meter parts of all trainings: the float head, the integer network's head, and the heads of
/// cross-validation.
fn parts_of_all(
    prepared: &Prepared,
    trainer: &Trainer,
    plan: Option<Plan>,
    options: &eval::Options,
) -> usize {
    let chosen = PARTS * Strength::default().solutions();
    if plan.is_some() {
        return chosen + blocks::FINE_TUNING;
    }
    let (float, own, again) = match trainer {
        Trainer::Logistic(strength) => {
            let own = PARTS * strength.solutions();
            (own, own, PARTS)
        }
        Trainer::Sgd(_) => (PARTS, PARTS, PARTS),
        Trainer::FineTune(_) => (chosen, chosen, PARTS),
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

/// Stage 5 after fine-tuning: calibration and rejection, chosen on the validation photos, on which no
/// layer was trained.
fn calibrate_held_out(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    parts: &Parts,
    head: &Head,
    options: eval::Options,
) -> RejectionRule {
    let [seen, held_out] =
        [&parts.training, &parts.validation].map(|photos| network.photos(prepared, photos));
    eval::calibrate_held_out(&seen, &held_out, head, options)
}

/// Stage 5: calibration and rejection, chosen by cross-validation on the photos of `pool`, with heads
/// trained as the final head, at the same regularisation strength.
fn calibrate(
    prepared: &Prepared,
    network: &FeatureView<'_>,
    pool: &[usize],
    (trainer, c): (&Trainer, Option<f64>),
    options: eval::Options,
    meter: &Arc<dyn Meter>,
) -> Result<RejectionRule, RetrainError> {
    let labels = prepared.dataset.labels.len();
    let photos = network.photos(prepared, pool);
    let strength = c.map_or_else(Strength::default, Strength::Fixed);
    let trainer = match trainer {
        Trainer::Sgd(options) => Trainer::Sgd(options.clone()),
        _ => Trainer::Logistic(strength),
    };
    eval::calibrate(&photos, options, &|others| {
        let training = photos.features.select(others);
        let nothing = training.select(&[]);
        let watch = &mut Metered(Arc::clone(meter));
        let (head, _) = fit(&training, &nothing, labels, &trainer, watch)?;
        Ok(FoldModel { head })
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
        Trainer::FineTune(_) => {
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
    (model, plain): (&Model<'_>, Beta),
    float: Option<(&Head, &Features)>,
    parts: &Parts,
    split: &SplitFile,
) -> Result<Evaluation, RetrainError> {
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
