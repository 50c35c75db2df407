//! What depends on the split: the head, its int8 form, the model, the accuracies.

use posy_shared::model::{Model, Provenance, SplitFacts};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::{Adjusted, Prepared, RetrainError, adjusted};
use crate::backbone::network::IntNetwork;
use crate::export::{Heading, classifier};
use crate::head::int8::{self, IntHead};
use crate::head::metrics::{Confusion, argmax};
use crate::head::sgd::{self, Batch, StepReport};
use crate::head::{Features, Head, logistic, tune};
use crate::photos::split::{Bucket, Percentages, Rule, split};
use crate::photos::split_file::SplitFile;
use crate::run;

/// How the head is trained.
#[derive(Clone, Debug, PartialEq)]
pub enum Trainer {
    /// Logistic regression, solved to convergence.
    Logistic(logistic::Strength),
    /// Gradient descent, as `retrain.py` does it.
    Sgd(sgd::Options),
    /// The last pointwise layer of the backbone and the head together, on variants of the photos,
    /// which [`Prepared::variants`] must hold.
    Adjust(tune::Options),
}

/// Which of the test photos the accuracy is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// All, or this many, each at most once; where there are fewer, all.
    pub batch: Batch,
    /// Seed of the drawing.
    pub seed: u64,
}

impl Tested {
    /// All test photos.
    pub const ALL: Self = Tested {
        batch: Batch::All,
        seed: 0,
    };

    /// Those of `photos` that are drawn, in their order.
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

/// Photos that are right, of photos that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// Photos named rightly.
    pub right: usize,
    /// Photos.
    pub photos: usize,
}

impl Accuracy {
    /// The share that is right; none of no photos.
    pub fn share(self) -> Option<f64> {
        (self.photos > 0).then(|| self.right as f64 / self.photos as f64)
    }
}

/// Index of a photo among the prepared ones, and the label that it is wrongly given.
pub type Misclassified = (usize, usize);

/// A trained model and how good it is.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The bytes of the `.posy` file.
    pub model: Vec<u8>,
    /// The penalty's strength that was chosen, where there was one to choose.
    pub c: Option<f64>,
    /// Which photo is in which part.
    pub split: SplitFile,
    /// Photos that were trained on, chosen on and tested on.
    pub counts: [usize; 3],
    /// The integer network with the integer head, on the test photos: what a board does.
    pub int8: Accuracy,
    /// The same on the validation photos.
    pub int8_validation: Accuracy,
    /// The float network with a float head of its own, on the test photos.
    pub float: Option<Accuracy>,
    /// Truth against answer of the integer pipeline on the test photos.
    pub confusion: Confusion,
    /// Test photos that the integer pipeline names wrongly.
    pub misclassified: Vec<Misclassified>,
}

/// Divides the photos by `rule`, trains, and measures on the test photos that `tested` says.
/// `report` hears of the integer head's steps.
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
    let split = split(&prepared.dataset, rule, percentages);
    let photos_in = |bucket| split.photos(bucket).collect::<Vec<usize>>();
    let (training, validation, testing) = (
        photos_in(Bucket::Training),
        photos_in(Bucket::Validation),
        tested.draw(photos_in(Bucket::Testing)),
    );
    for (index, label) in prepared.dataset.labels.iter().enumerate() {
        let photos = &prepared.dataset.photos;
        if !training.iter().any(|&photo| photos[photo].label == index) {
            let label = label.clone();
            return Err(RetrainError::NoTrainingPhotos { label });
        }
    }
    let labels = prepared.dataset.labels.len();
    let part = |features: &Features| (features.select(&training), features.select(&validation));

    let float = match &prepared.float_features {
        None => None,
        Some(features) => {
            let (seen, chosen_on) = part(features);
            let (head, _) = fit(&seen, &chosen_on, labels, trainer, &mut |_| {})?;
            let confusion = Confusion::of(&head, &features.select(&testing));
            Some(Accuracy {
                right: confusion.right(),
                photos: testing.len(),
            })
        }
    };

    let adjusted = match trainer {
        Trainer::Adjust(options) => {
            Some(adjusted::adjust(prepared, &training, &validation, options)?)
        }
        _ => None,
    };
    let (network, int8_features, int8_of) = match &adjusted {
        Some(adjusted) => (&adjusted.network, &adjusted.features, &adjusted.int8),
        None => (
            &prepared.backbone.int,
            &prepared.int8_features,
            &prepared.int8,
        ),
    };
    let (seen, chosen_on) = part(int8_features);
    let seen = match (&prepared.variants, &adjusted) {
        (Some(variants), None) => adjusted::features_of_variants(prepared, variants, &training)?,
        _ => seen,
    };
    let (head, c) = match &adjusted {
        Some(Adjusted { head, c, .. }) => (head.clone(), Some(*c)),
        None => fit(&seen, &chosen_on, labels, trainer, report)?,
    };
    let head = int8::quantise(&head, prepared.backbone.features(), &[&seen, &chosen_on])?;

    let counts = [training.len(), validation.len(), testing.len()];
    let (rule_name, seed) = match *rule {
        Rule::Stable { seed } => ("stable", seed),
        Rule::Codelab { .. } => ("codelab", 0),
    };
    let mut provenance = Provenance {
        architecture: &prepared.backbone.name,
        backbone_sha256: prepared.backbone.trained.sha256,
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
    // Measured on the model itself, then written into it.
    let unmeasured = write(prepared, network, &head, provenance)?;
    let model = Model::read(&unmeasured)?;
    let (int8_validation, _, _) = measure(&model, prepared, int8_of, &validation)?;
    let (int8, confusion, misclassified) = measure(&model, prepared, int8_of, &testing)?;
    provenance.int8_accuracy = int8.share().map(|share| share as f32);
    Ok(Outcome {
        model: write(prepared, network, &head, provenance)?,
        c,
        split: SplitFile::new(&prepared.dataset, rule.clone(), percentages, &split),
        counts,
        int8,
        int8_validation,
        float,
        confusion,
        misclassified,
    })
}

fn fit(
    training: &Features,
    validation: &Features,
    labels: usize,
    trainer: &Trainer,
    report: &mut dyn FnMut(&StepReport),
) -> Result<(Head, Option<f64>), RetrainError> {
    Ok(match trainer {
        Trainer::Logistic(strength) => {
            let trained = logistic::train(training, validation, labels, *strength)?;
            (trained.head, Some(trained.c))
        }
        // Of the float network, which keeps its layers.
        Trainer::Adjust(_) => {
            let strength = logistic::Strength::default();
            let trained = logistic::train(training, validation, labels, strength)?;
            (trained.head, Some(trained.c))
        }
        Trainer::Sgd(options) => {
            let head = sgd::train(training, validation, labels, options, |step| report(step))?;
            (head, None)
        }
    })
}

fn write(
    prepared: &Prepared,
    network: &IntNetwork,
    head: &IntHead,
    provenance: Provenance<'_>,
) -> Result<Vec<u8>, RetrainError> {
    let heading = Heading {
        input: prepared.input,
        labels: prepared.dataset.labels.clone(),
        unknown_below: 0,
        provenance,
    };
    Ok(classifier(network, head, &heading)?)
}

/// What the model's last layer makes of the photos' features.
fn measure(
    model: &Model<'_>,
    prepared: &Prepared,
    int8: &[Vec<i8>],
    photos: &[usize],
) -> Result<(Accuracy, Confusion, Vec<Misclassified>), RetrainError> {
    let mut pairs = Vec::with_capacity(photos.len());
    let mut wrong = Vec::new();
    for &photo in photos {
        let truth = prepared.dataset.photos[photo].label;
        let answer = argmax(&run::head(model, &int8[photo])?);
        pairs.push((truth, answer));
        if answer != truth {
            wrong.push((photo, answer));
        }
    }
    let confusion = Confusion::from_pairs(prepared.dataset.labels.len(), pairs);
    let accuracy = Accuracy {
        right: confusion.right(),
        photos: photos.len(),
    };
    Ok((accuracy, confusion, wrong))
}
