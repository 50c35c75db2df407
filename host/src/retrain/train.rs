//! Training for one split: the head, its int8 form, the model, the accuracies.

use std::sync::Arc;

use posy_nn::export::{ModelMetadata, ScoreParams, classifier, compact_classifier, softmax_beta};
use posy_nn::graph::head::{Head, IntHead};
use posy_nn::graph::network::IntNetwork;
use posy_nn::run;
use posy_shared::model::{Model, Provenance, SplitFacts};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::finetune::{adjust, features_of_variants};
use super::{Adjusted, Prepared, RetrainError};
use crate::dataset::Dataset;
use crate::dataset::split::{Bucket, Percentages, Rule, Split, split};
use crate::dataset::split_file::SplitFile;
use crate::eval::mcnemar::PairedOutcomes;
use crate::eval::{self, FoldModel, Photos, RejectionRule, Report};
use crate::train::logistic::Strength;
use crate::train::metrics::{Confusion, argmax};
use crate::train::observer::{Meter, Metered, OnMeasured, PARTS, Watch};
use crate::train::sgd::{self, Batch, StepReport};
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
pub struct Tested {
    /// Number of test photos, drawn without replacement; all if there are fewer.
    pub batch: Batch,
    /// Seed of the draw.
    pub seed: u64,
}

impl Tested {
    /// All test photos.
    pub const ALL: Self = Tested {
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

/// Number of correct photos among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// Number of correctly classified photos.
    pub right: usize,
    /// Number of photos.
    pub photos: usize,
}

impl Accuracy {
    /// Accuracy, `0..=1`; `None` without photos.
    pub fn share(self) -> Option<f64> {
        (self.photos > 0).then(|| self.right as f64 / self.photos as f64)
    }
}

/// Index of a misclassified photo among the prepared ones, and its predicted label.
pub type Misclassified = (usize, usize);

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
pub struct Outcome {
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
    /// Accuracy of the integer network with the int8 head on the test photos, as on a board.
    pub int8: Accuracy,
    /// Accuracy of the same on the validation photos.
    pub int8_validation: Accuracy,
    /// Accuracy of the float network with its own float head on the test photos.
    pub float: Option<Accuracy>,
    /// Confusion matrix of the integer pipeline on the test photos.
    pub confusion: Confusion,
    /// Test photos that were measured, by their indices among the prepared ones.
    pub tested: Vec<usize>,
    /// The float network's logits of these, row-major `[N, K]`, if it ran.
    pub float_logits: Option<Vec<f32>>,
    /// Test photos that the integer pipeline misclassifies.
    pub misclassified: Vec<Misclassified>,
    /// Label by the float network with its own head for each of them, if it ran.
    pub float_answers: Option<Vec<usize>>,
    /// Paired outcomes of the float and the int8 network on validation and test photos, if both
    /// ran.
    pub loss: Option<PairedOutcomes>,
    /// Calibration and rejection, and their results on the test photos.
    pub verdict: Report,
    /// The fine-tuned network, after fine-tuning.
    pub adjusted: Option<Adjusted>,
}

impl Outcome {
    /// The network of the model, and its features of the photos.
    pub fn seen<'a>(&'a self, prepared: &'a Prepared) -> Seen<'a> {
        Seen::of(prepared, self.adjusted.as_ref())
    }
}

/// An integer network and its features of all photos.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The network, up to its features.
    pub int: &'a IntNetwork,
    /// Features `[N, D]` as the board computes them.
    pub int8: &'a [Vec<i8>],
    /// Features of `int8`, dequantised.
    pub features: &'a Features,
}

impl<'a> Seen<'a> {
    fn of(prepared: &'a Prepared, adjusted: Option<&'a Adjusted>) -> Self {
        match adjusted {
            Some(adjusted) => Seen {
                int: &adjusted.network,
                int8: &adjusted.int8,
                features: &adjusted.features,
            },
            None => Seen {
                int: &prepared.backbone.int,
                int8: &prepared.int8,
                features: &prepared.int8_features,
            },
        }
    }
}

/// Further options of [`train_with`].
#[derive(Clone, Debug, Default)]
pub struct More {
    /// Options of calibration and rejection.
    pub verdict: eval::Options,
    /// An earlier split, whose photos keep their part.
    pub earlier: Option<SplitFile>,
}

impl More {
    /// Uncalibrated scores, and no rejection. Saves the training of the cross-validation's heads
    /// where only accuracy is of interest.
    pub const NOTHING: Self = More {
        verdict: eval::Options {
            rejection: eval::Rejection::Off,
            rejected: 0.0,
            calibrate: false,
        },
        earlier: None,
    };
}

/// [`train_with`] with [`More::NOTHING`].
///
/// # Errors
/// See [`RetrainError`].
pub fn train(
    prepared: &Prepared,
    rule: &Rule,
    percentages: Percentages,
    trainer: &Trainer,
    tested: Tested,
    report: &mut dyn FnMut(&StepReport),
) -> Result<Outcome, RetrainError> {
    let (more, watch) = (&More::NOTHING, &mut OnMeasured(report));
    train_with(prepared, rule, percentages, trainer, tested, more, watch)
}

/// Splits the photos by `rule`, trains, and measures accuracy on the test photos that `tested`
/// selects. `watch` observes the training of the int8 head. `more` holds further options.
///
/// # Errors
/// See [`RetrainError`].
pub fn train_with(
    prepared: &Prepared,
    rule: &Rule,
    percentages: Percentages,
    trainer: &Trainer,
    tested: Tested,
    more: &More,
    watch: &mut dyn Watch,
) -> Result<Outcome, RetrainError> {
    let (split, [training, validation, testing]) = parts(
        &prepared.dataset,
        rule,
        percentages,
        tested,
        more.earlier.as_ref(),
    )?;
    let labels = prepared.dataset.labels.len();
    let part = |features: &Features| (features.select(&training), features.select(&validation));
    let meter = watch.meter();
    meter.begin(parts_of_all(prepared, trainer, &more.verdict));

    let mut float_logits = None;
    let float = match &prepared.float_features {
        None => None,
        Some(features) => {
            let (seen, chosen_on) = part(features);
            let watch = &mut Metered(Arc::clone(&meter));
            let (head, _) = fit(&seen, &chosen_on, labels, trainer, watch)?;
            let tested = features.select(&testing);
            let logits = tested.logits(&head);
            let answers = logits.chunks_exact(labels).map(argmax);
            let right = answers
                .zip(tested.labels())
                .filter(|(said, label)| said == *label);
            let accuracy = Accuracy {
                right: right.count(),
                photos: testing.len(),
            };
            float_logits = Some(logits);
            Some((accuracy, head))
        }
    };
    let float_head = float.as_ref().map(|(_, head)| head.clone());
    let float = float.map(|(accuracy, _)| accuracy);

    let float_answers = float_logits.as_ref().map(|logits: &Vec<f32>| {
        let rows = logits.chunks_exact(labels);
        rows.map(argmax).collect()
    });

    let adjusted = match trainer {
        Trainer::Adjust(options) => {
            let strength = Strength::default();
            Some(adjust(
                prepared,
                &training,
                &validation,
                strength,
                options,
                &meter,
            )?)
        }
        _ => None,
    };
    let network = Seen::of(prepared, adjusted.as_ref());
    let (seen, chosen_on) = part(network.features);
    let (head, c) = match (&adjusted, &prepared.variants) {
        (Some(Adjusted { head, c, .. }), _) => (head.clone(), Some(*c)),
        (None, Some(variants)) => {
            let seen = features_of_variants(prepared, variants, &training)?;
            fit(&seen, &chosen_on, labels, trainer, watch)?
        }
        (None, None) => fit(&seen, &chosen_on, labels, trainer, watch)?,
    };
    let real_head = head;
    let head = int8::quantise(&real_head, prepared.backbone.features(), &seen, &chosen_on)?;

    let pool = sorted(&[&training, &validation]);
    let decision = calibrate(
        prepared,
        &network,
        &pool,
        (trainer, c),
        more.verdict,
        &meter,
    )?;
    meter.end();
    let score_params = decision.score_params(head.output);

    let counts = [training.len(), validation.len(), testing.len()];
    let (rule_name, seed) = match *rule {
        Rule::Stable { seed } => ("stable", seed),
        Rule::Codelab { .. } => ("codelab", 0),
        Rule::Folders => ("folders", 0),
    };
    let mut provenance = Provenance {
        architecture: &prepared.backbone.name,
        backbone_sha256: prepared.backbone.sha256,
        posy_version: env!("CARGO_PKG_VERSION"),
        split: SplitFacts {
            rule: rule_name,
            seed,
            training: counts[0] as u32,
            validation: counts[1] as u32,
            testing: counts[2] as u32,
        },
        float_accuracy: float.and_then(Accuracy::share).map(|share| share as f32),
        int8_accuracy: None,
    };
    // Measured on all features; the model itself reads only those that vary.
    let metadata = metadata(prepared, &score_params, provenance);
    let whole = classifier(network.int, &head, &metadata)?;
    let model = Model::read(&whole)?;
    let (int8_validation, _, _) = measure(&model, prepared, network.int8, &validation)?;
    let (int8, confusion, misclassified) = measure(&model, prepared, network.int8, &testing)?;
    provenance.int8_accuracy = int8.share().map(|share| share as f32);
    let loss = float_head
        .as_ref()
        .zip(prepared.float_features.as_ref())
        .map(|(float, features)| {
            let photos: Vec<usize> = validation.iter().chain(&testing).copied().collect();
            let right = photos.par_iter().map(|&photo| {
                let truth = prepared.dataset.photos[photo].label;
                let answer = named(&model, &network.int8[photo])?;
                let by_float = argmax(&float.logits(features.row(photo)));
                Ok((by_float == truth, answer == truth))
            });
            let right: Vec<(bool, bool)> = right.collect::<Result<_, RetrainError>>()?;
            let mut loss = PairedOutcomes::default();
            right
                .into_iter()
                .for_each(|(float, int)| loss.count(float, int));
            Ok::<_, RetrainError>(loss)
        })
        .transpose()?;
    let plain = softmax_beta(head.output.scale, 1.0);
    let verdict = eval::report(
        &model,
        decision,
        plain,
        &testing
            .iter()
            .map(|&photo| {
                let label = prepared.dataset.photos[photo].label;
                (network.int8[photo].as_slice(), label)
            })
            .collect::<Vec<_>>(),
    )?;
    let metadata = ModelMetadata {
        provenance,
        ..metadata
    };
    let compact = compact_classifier(network.int, &head, &metadata)?;
    if Model::read(&compact)?.golden().logits != model.golden().logits {
        return Err(RetrainError::Compact);
    }
    Ok(Outcome {
        model: compact,
        whole,
        heads: Heads {
            int: head,
            real: real_head,
            float: float_head,
            beta: 1.0 / score_params.temperature,
        },
        c,
        split: SplitFile::new(&prepared.dataset, rule.clone(), percentages, &split),
        counts,
        int8,
        int8_validation,
        float,
        confusion,
        tested: testing,
        float_logits,
        misclassified,
        float_answers,
        loss,
        verdict,
        adjusted,
    })
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

/// The split by `rule`, or as in an `earlier` one, and the training, validation and test photos.
pub(super) fn parts(
    dataset: &Dataset,
    rule: &Rule,
    percentages: Percentages,
    tested: Tested,
    earlier: Option<&SplitFile>,
) -> Result<(Split, [Vec<usize>; 3]), RetrainError> {
    let mut split = split(dataset, rule, percentages);
    if let Some(earlier) = earlier {
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
    let validation = photos_in(Bucket::Validation);
    let testing = tested.draw(photos_in(Bucket::Testing));
    Ok((split, [training, validation, testing]))
}

/// The photos of several parts in the order of the data set.
fn sorted(parts: &[&[usize]]) -> Vec<usize> {
    let mut photos = parts.concat();
    photos.sort_unstable();
    photos
}

/// Chooses calibration and rejection by cross-validation on the photos of `pool`, with heads
/// trained as the final head, at the same regularisation strength. After fine-tuning, every fold
/// fine-tunes its own layer, so that no photo is predicted by a layer that was trained on it.
fn calibrate(
    prepared: &Prepared,
    network: &Seen<'_>,
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

/// Predicted label of the model's last layer: that of the greatest logit.
fn named(model: &Model<'_>, features: &[i8]) -> Result<usize, RetrainError> {
    let outputs = run::head(model, features)?;
    Ok(argmax(&outputs[..model.logit_len()]))
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

fn metadata<'a>(
    prepared: &Prepared,
    score_params: &ScoreParams,
    provenance: Provenance<'a>,
) -> ModelMetadata<'a> {
    ModelMetadata {
        input: prepared.input,
        labels: prepared.dataset.labels[..prepared.known_labels()].to_vec(),
        score_params: score_params.clone(),
        provenance,
    }
}

/// Accuracy, confusion matrix and misclassified photos of the model's last layer on `photos`.
fn measure(
    model: &Model<'_>,
    prepared: &Prepared,
    int8: &[Vec<i8>],
    photos: &[usize],
) -> Result<(Accuracy, Confusion, Vec<Misclassified>), RetrainError> {
    let said = photos.par_iter().map(|&photo| {
        let truth = prepared.dataset.photos[photo].label;
        Ok((truth, named(model, &int8[photo])?))
    });
    let pairs: Vec<(usize, usize)> = said.collect::<Result<_, RetrainError>>()?;
    let said = photos.iter().zip(&pairs);
    let wrong = said
        .filter(|(_, (truth, answer))| truth != answer)
        .map(|(&photo, &(_, answer))| (photo, answer))
        .collect();
    let confusion = Confusion::from_pairs(prepared.dataset.labels.len(), pairs);
    let accuracy = Accuracy {
        right: confusion.right(),
        photos: photos.len(),
    };
    Ok((accuracy, confusion, wrong))
}
