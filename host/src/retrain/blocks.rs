//! Fine-tuning of the last blocks: its plan, the maps that it trains on, and the network for the
//! board that comes of it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use posy_nn::graph::head::Head;
use posy_nn::graph::network::{FloatNetwork, IntNetwork};
use posy_nn::quantise::from_ranges::quantise_layer;
use sha2::{Digest, Sha256};

use super::checkpoint::Checkpoint;
use super::variants::sound;
use super::{Prepared, RetrainError};
use crate::dataset::augment::Recipe;
use crate::eval::{LEAST_PHOTOS, calibration};
use crate::features::extract::{self, Extracted, Extractor};
use crate::features::extractors::IntExtractor;
use crate::features::maps::MapExtractor;
use crate::features::progress::Progress;
use crate::train::metrics::cross_entropy;
use crate::train::observer::{Approach, Meter, PARTS, Watch};
use crate::train::qat::{self, Arithmetic, Kind, Maps, Measurement, Segment, State, block_starts};
use crate::train::rounding::round_by;
use crate::train::scatter::Scatter;
use crate::train::{Features, logistic};

/// Multiply-accumulate operations (MACs) that training does in a second on two cores of a laptop.
/// It turns `--time` into work, so that a run on any machine does the same.
const PRODUCTS_PER_SECOND: u64 = 40_000_000_000;
/// Work of decoding, cutting and resizing one view, in MACs of training.
const VIEW_PRODUCTS: u64 = 20_000_000;
/// MACs of the integer engine that take as long as one of training.
const INTEGER_PRODUCTS: u64 = 2;
/// Largest size of all maps together, bytes.
const MOST_BYTES: u64 = 1_000_000_000;
/// Most blocks that are trained unless another number is given.
const MOST_BLOCKS: usize = 4;
/// Epochs that are trained if there is time.
const EPOCHS: usize = 40;
/// Photos of all epochs together that are enough, and fewest epochs even so: of many photos, fewer
/// epochs do.
const ENOUGH: (usize, usize) = (40_000, 10);
/// Photos of all epochs together in which fine-tuning gains anything, and most and fewest epochs.
const LEAST: (usize, usize, usize) = (10_000, 10, 3);
/// Fewest training photos of a label.
const LEAST_OF_A_LABEL: usize = 20;
/// Views of a photo beside the photo itself.
const VIEWS: u16 = 8;
/// Meter parts of making the views, of training, and of the features at the end.
const VIEWING: usize = 4 * PARTS;
const TRAINING: usize = 16 * PARTS;
const ENDING: usize = PARTS;
/// Meter parts of fine-tuning.
pub const FINE_TUNING: usize = VIEWING + TRAINING + ENDING;
/// Folder of checkpoints beside the cached features.
const CHECKPOINTS: &str = "fine-tuning";
/// Pixels by which a layer's weights are rounded.
const ROUNDED_BY: usize = 4096;

/// Number of trained blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocks {
    /// As many as the time allows, four at most.
    #[default]
    Auto,
    /// The last few.
    Last(usize),
    /// All after the first convolution.
    All,
}

/// Options of fine-tuning.
#[derive(Clone, Debug, PartialEq)]
pub struct FineTuneOptions {
    /// Blocks to train.
    pub blocks: Blocks,
    /// Time in seconds that the work is sized for.
    pub seconds: u32,
    /// Number of epochs; `None` for as many as the time allows.
    pub epochs: Option<usize>,
    /// Augmentation; its count is the greatest number of views.
    pub recipe: Recipe,
    /// Options of the trainer; its epochs are replaced.
    pub trainer: qat::Options,
    /// True if weights are rounded with compensation (GPTQ), false for each to nearest.
    pub compensate: bool,
}

impl Default for FineTuneOptions {
    fn default() -> Self {
        FineTuneOptions {
            blocks: Blocks::Auto,
            seconds: 60,
            epochs: None,
            recipe: Recipe::views(VIEWS),
            trainer: qat::Options::default(),
            compensate: true,
        }
    }
}

/// Work that fine-tuning does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Trained blocks.
    pub blocks: usize,
    /// Index of the first trained layer.
    pub start: usize,
    /// Views of each photo beside the photo itself.
    pub views: u16,
    /// Epochs.
    pub epochs: usize,
    /// Multiply-accumulate operations (MACs) of all of it; the frozen layers' are in integers, and count
    /// for less.
    pub products: u64,
}

/// Size of a data set, as far as it decides the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes<'a> {
    /// Training photos.
    pub training: usize,
    /// Validation photos.
    pub validation: usize,
    /// All photos.
    pub photos: usize,
    /// The label with the fewest training photos, and how many it has.
    pub fewest: (&'a str, usize),
}

/// Reason for training the head alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The network has no block to train.
    #[error("the network does not end in a block that can be fine-tuned, a pool and a last layer")]
    Network,
    /// A label has too few training photos.
    #[error(
        "{label:?} has {photos} training photos, and fine-tuning wants {LEAST_OF_A_LABEL} of each \
         label (--fine-tune N does it all the same)"
    )]
    FewPhotos {
        /// The label.
        label: String,
        /// Its training photos.
        photos: usize,
    },
    /// There are too few validation photos.
    #[error(
        "there are {0} validation photos, and fine-tuning wants {LEAST_PHOTOS} to judge by \
         (--fine-tune N does it all the same)"
    )]
    FewToJudge(usize),
    /// The time is too short.
    #[error(
        "{seconds} s are too short for fine-tuning on {photos} training photos; give more (--time)"
    )]
    Time {
        /// The time given.
        seconds: u32,
        /// Training photos.
        photos: usize,
    },
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = match self.blocks {
            1 => "block".to_owned(),
            blocks => format!("{blocks} blocks"),
        };
        write!(
            f,
            "fine-tuning: the last {blocks} and the last layer, {} epochs on {} views of each photo, {} G \
             multiplications",
            self.epochs,
            self.views + 1,
            self.products / 1_000_000_000
        )
    }
}

/// The work that `options` ask for on a data set of these `sizes`.
///
/// # Errors
/// [`Unfit`] if the head should be trained alone. A given number of blocks is refused only where the
/// network has none.
pub fn plan(
    network: &IntNetwork,
    sizes: Sizes<'_>,
    options: &FineTuneOptions,
) -> Result<Plan, Unfit> {
    let starts = block_starts(network);
    let budget = u64::from(options.seconds) * PRODUCTS_PER_SECOND;
    let of = |blocks: usize| -> Option<Plan> {
        let start = *starts.get(blocks.checked_sub(1)?)?;
        let photos = sizes.training as u64;
        let len = network.layers[start].common.input.len() as u64;
        let fit = MOST_BYTES / (len * photos).max(1);
        let views = fit.saturating_sub(1).min(options.recipe.count.into()) as u16;
        let products = |layers: Range<usize>| -> u64 {
            let layers = network.layers[layers].iter();
            layers.map(|layer| layer.common.products()).sum()
        };
        let before = products(0..start);
        let first = network.layers[start].common.products();
        let trained = products(start..network.layers.len());
        let maps = photos * u64::from(views) + sizes.photos as u64;
        let maps = maps * (before / INTEGER_PRODUCTS + VIEW_PRODUCTS);
        let epoch = photos * (3 * trained - first);
        let affordable = (budget.saturating_sub(maps) / epoch.max(1)) as usize;
        let epochs = options.epochs.unwrap_or(EPOCHS.min(affordable));
        Some(Plan {
            blocks,
            start,
            views,
            epochs,
            products: maps + epochs as u64 * epoch,
        })
    };
    let whole = match options.blocks {
        Blocks::Last(blocks) => of(blocks.min(starts.len())),
        Blocks::All => of(starts.len()),
        Blocks::Auto => {
            let (label, photos) = sizes.fewest;
            if !starts.is_empty() && photos < LEAST_OF_A_LABEL {
                let label = label.to_owned();
                return Err(Unfit::FewPhotos { label, photos });
            }
            if !starts.is_empty() && sizes.validation < LEAST_PHOTOS {
                return Err(Unfit::FewToJudge(sizes.validation));
            }
            let plans = (1..=MOST_BLOCKS.min(starts.len())).rev().filter_map(of);
            let plans: Vec<Plan> = plans.collect();
            let enough = (ENOUGH.0 / sizes.training.max(1)).clamp(ENOUGH.1, EPOCHS);
            let whole = plans.iter().find(|plan| plan.epochs >= enough);
            whole.or(plans.last()).copied()
        }
    };
    let plan = whole.ok_or(Unfit::Network)?;
    let least = (LEAST.0 / sizes.training.max(1)).clamp(LEAST.2, LEAST.1);
    match options.epochs.is_none() && plan.epochs < least {
        true => Err(Unfit::Time {
            seconds: options.seconds,
            photos: sizes.training,
        }),
        false => Ok(plan),
    }
}

/// Returns true if the network has a block that can be trained.
pub fn can_fine_tune(prepared: &Prepared) -> bool {
    !block_starts(&prepared.backbone.int).is_empty()
}

/// Progress of photos as a share of a meter's parts. Photos of several extractions count together.
struct Share<'a> {
    meter: &'a dyn Meter,
    left: AtomicUsize,
    photos: AtomicUsize,
}

impl<'a> Share<'a> {
    fn new(meter: &'a dyn Meter, parts: usize) -> Self {
        Share {
            meter,
            left: AtomicUsize::new(parts),
            photos: AtomicUsize::new(0),
        }
    }
}

impl Progress for Share<'_> {
    fn begin(&self, count: usize) {
        self.photos.store(count, Ordering::Relaxed);
    }

    fn photo(&self, _: Option<extract::Source>) {
        let photos = self.photos.load(Ordering::Relaxed).max(1);
        let take = |left: usize| Some(left - left / photos);
        let relaxed = Ordering::Relaxed;
        let before = self.left.fetch_update(relaxed, relaxed, take);
        self.photos.store(photos - 1, Ordering::Relaxed);
        self.meter.advance(before.unwrap_or(0) / photos);
    }

    fn end(&self) {}
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.meter.advance(self.left.load(Ordering::Relaxed));
    }
}

/// A network whose last blocks have been trained, and its features of all photos.
#[derive(Clone, Debug)]
pub struct FineTuned {
    /// The network, up to its features.
    pub network: IntNetwork,
    /// The same before quantisation of the trained layers.
    pub float: FloatNetwork,
    /// Int8 features of all photos, as the board computes them.
    pub int8: Vec<Vec<i8>>,
    /// Features of `int8`, dequantised.
    pub features: Features,
    /// Features of all photos before quantisation of the trained layers.
    pub float_features: Features,
    /// The head that was trained with the layers.
    pub head: Head,
    /// The initial head, for the features of the network as it was.
    pub start: Head,
    /// Regularisation strength of the initial head.
    pub c: f64,
    /// The work that was done.
    pub plan: Plan,
    /// Measurements after each epoch.
    pub history: Vec<Measurement>,
}

impl FineTuned {
    /// Returns true if the network is better on the photos `validation` than the head alone: if their
    /// labels are likelier, each network's scores being calibrated on them.
    pub fn is_better(&self, prepared: &Prepared, validation: &[usize]) -> bool {
        let loss = |features: &Features, head: &Head| {
            let features = features.select(validation);
            let logits = features.logits(head);
            let scale = 1.0 / calibration::temperature(&logits, features.labels()) as f32;
            let scaled: Vec<f32> = logits.iter().map(|logit| logit * scale).collect();
            cross_entropy(&scaled, features.labels())
        };
        let before = loss(&prepared.int8_features, &self.start);
        let after = loss(&self.features, &self.head);
        before
            .zip(after)
            .is_none_or(|(before, after)| after < before)
    }
}

/// Maps of all photos before the first trained layer; of training photos the views too.
fn maps(
    prepared: &Prepared,
    plan: &Plan,
    training: &[usize],
    recipe: Recipe,
    progress: &dyn Progress,
) -> Result<Vec<Extracted>, RetrainError> {
    let mut backbone = prepared.backbone.clone();
    backbone.int.layers.truncate(plan.start);
    let bytes = backbone.extractor(prepared.input)?;
    let photos = &prepared.dataset.photos;
    let mut values: Vec<Option<Extracted>> = vec![None; photos.len()];
    let mut in_training = vec![false; photos.len()];
    training.iter().for_each(|&photo| in_training[photo] = true);
    let others = (0..photos.len()).filter(|&photo| !in_training[photo]);
    for (count, chosen) in [(plan.views, training.to_vec()), (0, others.collect())] {
        let extractor = MapExtractor::new(&bytes, Recipe { count, ..recipe })?;
        let found = extracted(prepared, &chosen, &extractor, true, progress)?;
        for (photo, found) in chosen.into_iter().zip(found) {
            values[photo] = Some(found);
        }
    }
    Ok(values.into_iter().flatten().collect())
}

/// Results of an extractor for some photos.
fn extracted(
    prepared: &Prepared,
    photos: &[usize],
    extractor: &dyn Extractor,
    cached: bool,
    progress: &dyn Progress,
) -> Result<Vec<Extracted>, RetrainError> {
    let path = |&photo: &usize| prepared.dataset.photos[photo].path.clone();
    let paths: Vec<PathBuf> = photos.iter().map(path).collect();
    let cache = prepared.cache.as_deref().filter(|_| cached);
    let options = extract::Options::default();
    sound(
        extract::extract(&paths, extractor, cache, &options, progress),
        paths,
    )
}

/// Trains the last blocks and the head on the photos `training`. The head starts as a logistic
/// regression, whose regularisation is chosen on the photos `validation`.
///
/// # Errors
/// See [`RetrainError`].
pub fn fine_tune(
    prepared: &Prepared,
    (training, validation): (&[usize], &[usize]),
    plan: Plan,
    options: &FineTuneOptions,
    watch: &mut dyn Watch,
) -> Result<FineTuned, RetrainError> {
    let meter = watch.meter();
    let labels = prepared.int8_features.labels();
    let part = |photos| prepared.int8_features.select(photos);
    let (seen, chosen_on) = (part(training), part(validation));
    let count = prepared.dataset.labels.len();
    let strength = logistic::Strength::default();
    let begun = logistic::train_watched(&seen, &chosen_on, count, strength, watch)?;
    let viewing = Share::new(&*meter, VIEWING);
    let found = maps(prepared, &plan, training, options.recipe, &viewing)?;
    drop(viewing);
    let (values, contents): (Vec<_>, Vec<_>) = found
        .into_iter()
        .map(|found| (found.values, found.content))
        .unzip();
    let network = &prepared.backbone.int;
    let (segment, mut start) = Segment::new(network, plan.start, &begun.head, &deviations(&seen));
    let head = segment.layers.last().map_or(0, |layer| layer.weights.start);
    for unit in &mut start.units[head..] {
        *unit *= options.trainer.head_rate as f32;
    }
    let maps = Maps {
        values: &values,
        len: segment.shape.len(),
        quantisation: segment.input,
    };
    let photos = qat::Photos {
        training,
        validation,
        labels,
    };
    let trainer = qat::Options {
        epochs: plan.epochs,
        ..options.trainer.clone()
    };
    let mut state = State::new(&start);
    let mut checkpoint = prepared.cache.as_deref().map(|cache| {
        let key = key(
            prepared,
            &start,
            &photos,
            &contents,
            &(plan, &trainer, options.recipe),
        );
        Checkpoint::new(&cache.folder().with_file_name(CHECKPOINTS), key)
    });
    if let Some(earlier) = checkpoint.as_ref().and_then(|file| file.read(&state)) {
        state = earlier;
        watch.resumed(state.epoch);
        state.history.iter().for_each(|found| watch.epoch(found));
    }
    watch.fine_tuning(true);
    let ended = {
        let mut approach = Approach::new(&*meter, TRAINING);
        let mut after = |state: &State| {
            approach.reach(TRAINING, (state.epoch, plan.epochs));
            state
                .history
                .last()
                .iter()
                .for_each(|found| watch.epoch(found));
            checkpoint.iter_mut().for_each(|file| file.write(state));
            !watch.stopped()
        };
        let given = (&maps, &photos);
        qat::train(&segment, &start, &mut state, given, &trainer, &mut after)
    };
    watch.fine_tuning(false);
    ended?;
    // Also where it was stopped: the next run begins anew.
    if let Some(file) = checkpoint {
        file.remove();
    }
    let trained = &state.best;
    let mut float = FloatNetwork::from(network);
    segment.write(trained, &mut float);
    let quantised = requantised(
        network,
        &float,
        &segment,
        trained,
        (&maps, training),
        options,
    )?;
    let all: Vec<usize> = (0..labels.len()).collect();
    let arithmetic = Arithmetic::Float;
    let features = |workspace: &qat::Workspace| workspace.features().to_vec();
    let float_values = qat::run(&segment, trained, &maps, &all, arithmetic, features);
    let width = float_values.len() / labels.len().max(1);
    let float_features = Features::new(width, float_values, labels.to_vec())?;
    let ending = Share::new(&*meter, ENDING);
    let int8 = int8_features(prepared, &quantised, &all, &ending)?;
    drop(ending);
    let quantisation = quantised.layers.last().map_or(network.input, |l| l.output);
    Ok(FineTuned {
        features: Features::from_int8(width, &int8.concat(), labels.to_vec(), quantisation)?,
        network: quantised,
        float,
        int8,
        float_features,
        head: segment.head(trained),
        start: begun.head,
        c: begun.c,
        plan,
        history: state.history,
    })
}

/// Hash of everything that decides what is trained.
fn key(
    prepared: &Prepared,
    start: &qat::Parameters,
    photos: &qat::Photos<'_>,
    contents: &[[u8; 32]],
    options: &dyn fmt::Debug,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{options:?}"));
    hash.update(prepared.backbone.sha256);
    for values in [&start.values, &start.units] {
        values
            .iter()
            .for_each(|value| hash.update(value.to_le_bytes()));
    }
    for part in [photos.training, photos.validation] {
        hash.update((part.len() as u64).to_le_bytes());
        for &photo in part {
            hash.update(contents[photo]);
            hash.update((photos.labels[photo] as u64).to_le_bytes());
        }
    }
    hash.finalize().into()
}

/// Standard deviation of each feature.
fn deviations(features: &Features) -> Vec<f64> {
    let scatter = Scatter::of(features);
    let width = features.width();
    let count = features.len().max(1) as f64;
    let variance = |at: usize| f64::from(scatter.sums[at * width + at]) / count;
    (0..width).map(|at| variance(at).max(0.0).sqrt()).collect()
}

/// The network with the trained layers of `float` in int8.
fn requantised(
    network: &IntNetwork,
    float: &FloatNetwork,
    segment: &Segment,
    trained: &[f32],
    (maps, training): (&Maps<'_>, &[usize]),
    options: &FineTuneOptions,
) -> Result<IntNetwork, RetrainError> {
    let mut int = network.clone();
    let mut input = segment.input;
    for (place, layer) in segment.layers.iter().enumerate() {
        let index = segment.start + place;
        let Some(target) = int.layers.get_mut(index) else {
            break;
        };
        let output = target.output;
        if target.common.op.has_weights() {
            let mut fresh = quantise_layer(&float.layers[index], input, output);
            if options.compensate && layer.kind == Kind::Pointwise {
                let read = read_by(segment, trained, place, (maps, training))?;
                let real = &float.layers[index];
                let rounded = round_by(&read, &real.weights, &real.bias, input.scale);
                for (channel, weights) in rounded.weights.chunks_exact(layer.inputs).enumerate() {
                    if weights.iter().any(|&weight| weight != 0) {
                        fresh.weights[channel * layer.inputs..][..layer.inputs]
                            .copy_from_slice(weights);
                        fresh.weight_scales[channel] = rounded.scales[channel];
                        fresh.bias[channel] = rounded.bias[channel];
                    }
                }
            }
            fresh.common = target.common.clone();
            *target = fresh;
        }
        input = output;
    }
    Ok(int)
}

/// Inputs of a trained layer for training photos: [`ROUNDED_BY`] pixels at even intervals.
fn read_by(
    segment: &Segment,
    trained: &[f32],
    place: usize,
    (maps, training): (&Maps<'_>, &[usize]),
) -> Result<Features, RetrainError> {
    let layer = &segment.layers[place];
    let photos = training.len().min(ROUNDED_BY);
    let stride = training.len() / photos.max(1);
    let chosen: Vec<usize> = training.iter().copied().step_by(stride.max(1)).collect();
    let of_each = (ROUNDED_BY / chosen.len().max(1)).clamp(1, layer.input_pixels);
    let size = layer.input_pixels * layer.inputs;
    let read = |workspace: &qat::Workspace| -> Vec<f32> {
        let input = workspace.input_of(place).chunks_exact(size);
        let some = input.flat_map(|map| {
            // A step that differs from the width of any map, so that columns differ.
            let pixel = |at: usize| (at * 31 + 7) % layer.input_pixels * layer.inputs;
            (0..of_each).flat_map(move |at| map[pixel(at)..][..layer.inputs].iter().copied())
        });
        some.collect()
    };
    let values = qat::run(segment, trained, maps, &chosen, Arithmetic::Quantised, read);
    let labels = vec![0; values.len() / layer.inputs];
    Ok(Features::new(layer.inputs, values, labels)?)
}

/// Features of photos by `network`, as the board computes them.
fn int8_features(
    prepared: &Prepared,
    network: &IntNetwork,
    photos: &[usize],
    progress: &dyn Progress,
) -> Result<Vec<Vec<i8>>, RetrainError> {
    let mut backbone = prepared.backbone.clone();
    backbone.int = network.clone();
    let bytes = backbone.extractor(prepared.input)?;
    let extractor = IntExtractor::new(&bytes)?;
    let values = extracted(prepared, photos, &extractor, false, progress)?;
    let values = values.into_iter();
    Ok(values
        .map(|found| found.values.into_iter().map(|byte| byte as i8).collect())
        .collect())
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
